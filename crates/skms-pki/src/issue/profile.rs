//! What certificates of one kind are like: plain data, which whoever configures
//! an authority may change at will. [`super::Profile::plan`] holds requests
//! against it.

use skms_crypto::Algorithm;

use crate::certificate::{Form, KeyUsage};
use crate::oid::OidBuf;

use super::altname::{IpNetwork, Subtree};
use super::name::NameBuf;

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// Whose rules hold beside the profile's own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Shape {
    /// RFC 5280 alone: any PKI of one's own.
    #[default]
    Rfc5280,
    /// RFC 5280 and section 7 of the CA/Browser Forum's TLS Baseline
    /// Requirements, version 2.1: what browsers ask of public servers.
    BaselineRequirements,
}

/// Which keys are certified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyRules {
    /// These algorithms; empty for every one that certificates know. An RSA
    /// key counts as the nearest size below its own.
    pub algorithms: Vec<Algorithm>,
    /// From so many bits of security strength (SP 800-57 part 1, table 2).
    pub minimum_strength_bits: u16,
}

/// How long certificates hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LifetimeRules {
    /// At most so many seconds, first and last one included.
    pub max_seconds: i64,
    /// So many where nobody asks, or fewer if the authority ends before.
    pub default_seconds: i64,
    /// notBefore lies so many seconds in the past where nobody asks, for clocks
    /// that are slow, and at most so many if somebody does.
    pub backdate_seconds: i64,
    /// notBefore may be asked for so many seconds ahead.
    pub postdate_seconds: i64,
}

/// What happens to usages and purposes that a request asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Wishes {
    /// They are not looked at: the profile's own are written.
    Ignore,
    /// What the profile has and the request asks for is written; a request
    /// that has nothing in common with the profile is refused.
    #[default]
    Narrow,
    /// As `Narrow`, and what is beyond the profile is refused.
    Strict,
}

/// What the key may be used for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UsageRules {
    /// keyUsage of every certificate.
    pub key_usage: KeyUsage,
    /// What RSA keys get besides.
    pub rsa_key_usage: KeyUsage,
    /// What keys on NIST curves get besides.
    pub ec_key_usage: KeyUsage,
    /// extKeyUsage; empty for none.
    pub purposes: Vec<OidBuf>,
    /// Whether extKeyUsage is critical (RFC 3161, section 2.3, wants it so).
    pub purposes_critical: bool,
    /// What a request may say about it.
    pub wishes: Wishes,
    /// Whether id-pkix-ocsp-nocheck is written (RFC 6960, section 4.2.2.2.1).
    pub ocsp_no_check: bool,
}

/// What makes a certificate an authority's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuthorityRules {
    /// Whether it is signed with its own key.
    pub self_signed: bool,
    /// pathLenConstraint; a request may ask for less, and gets less where the
    /// authority above allows less.
    pub path_len: Option<u32>,
    /// Subtrees that names below it must lie in, form by form.
    pub permitted: Vec<Subtree>,
    /// Subtrees that names below it must not lie in.
    pub excluded: Vec<Subtree>,
}

/// Whether there is a subject.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SubjectRule {
    /// What is asked for is dropped: names are in subjectAltName alone.
    Empty,
    /// As the request has it.
    Optional,
    /// There must be one.
    Required,
}

/// What a common name may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CommonNameRule {
    /// None.
    None,
    /// A copy of a name in subjectAltName.
    CopyOfName,
    /// Anything.
    Free,
}

/// Which names are certified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameRules {
    /// Forms that subjectAltName may have.
    pub forms: Vec<Form>,
    /// At least one name of one of these forms; empty for no such demand.
    pub required: Vec<Form>,
    /// At most so many names.
    pub most: usize,
    /// Domains that names must be in or below; `None` for any.
    pub dns_suffixes: Option<Vec<String>>,
    /// Whether `*` may stand for the leftmost label.
    pub wildcards: bool,
    /// Whether international names (A-labels, `xn--…`) are let in.
    pub international: bool,
    /// Domains that mailboxes must be in or below; `None` for any.
    pub email_domains: Option<Vec<String>>,
    /// Schemes of URIs; `None` for any but that of principals.
    pub uri_schemes: Option<Vec<String>>,
    /// Hosts of URIs, or domains that they are below; `None` for any.
    pub uri_hosts: Option<Vec<String>>,
    /// Networks of addresses; `None` for any.
    pub networks: Option<Vec<IpNetwork>>,
    /// Names that directory names, and the subject, must begin with; `None`
    /// for any.
    pub directory_bases: Option<Vec<NameBuf>>,
    /// Whether there is a subject.
    pub subject: SubjectRule,
    /// Types of the subject's attributes; `None` for any.
    pub subject_attributes: Option<Vec<OidBuf>>,
    /// What the common name may be.
    pub common_name: CommonNameRule,
}

/// What certificates of one kind are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Profile {
    /// Whose rules hold.
    pub shape: Shape,
    /// Which keys.
    pub keys: KeyRules,
    /// How long.
    pub lifetime: LifetimeRules,
    /// What for.
    pub usage: UsageRules,
    /// certificatePolicies, without qualifiers; empty for none.
    pub policies: Vec<OidBuf>,
    /// For an authority's certificate, how far it reaches.
    pub authority: Option<AuthorityRules>,
    /// Which names.
    pub names: NameRules,
}
