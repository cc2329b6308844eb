//! The profiles that come along. `docs/issuing.md` has them as a table.

use std::fmt;
use std::str::FromStr;

use skms_crypto::Algorithm;

use crate::certificate::{Form, KeyUsage};
use crate::oid::{self, Oid};

use super::altname::AltName;
use super::error::IssueError;
use super::profile::{
    AuthorityRules, CommonNameRule, DAY, KeyRules, LifetimeRules, NameRules, Profile, Shape,
    SubjectRule, UsageRules, Wishes,
};

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// A profile that comes along.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum ProfileKind { $($(#[$doc])* $variant,)* }

        impl ProfileKind {
            /// Every kind, in the order of this list.
            #[must_use]
            pub const fn all() -> &'static [ProfileKind] {
                &[$(ProfileKind::$variant,)*]
            }

            /// Its name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(ProfileKind::$variant => $name,)* }
            }
        }
    };
}

kinds! {
    /// A TLS server, by RFC 5280.
    TlsServer "tls-server";
    /// A TLS server, by the TLS Baseline Requirements too.
    TlsServerWeb "tls-server-web";
    /// A TLS client.
    TlsClient "tls-client";
    /// Both ends of TLS.
    TlsMutual "tls-mutual";
    /// Mail that is signed and encrypted (RFC 8550).
    SMime "s-mime";
    /// Programs that are signed.
    CodeSigning "code-signing";
    /// Who answers OCSP for an authority (RFC 6960, section 4.2.2.2).
    OcspSigner "ocsp-signer";
    /// RFC 3161 time-stamps.
    TimeStamping "time-stamping";
    /// Who a principal of SKMS is.
    Principal "principal";
    /// An authority below another; cross-certificates too.
    Intermediate "intermediate";
    /// An authority that signs itself.
    Root "root";
}

impl fmt::Display for ProfileKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for ProfileKind {
    type Err = IssueError;

    fn from_str(name: &str) -> Result<Self, IssueError> {
        Self::all()
            .iter()
            .copied()
            .find(|kind| kind.name().eq_ignore_ascii_case(name))
            .ok_or(IssueError::Input("no profile of this name"))
    }
}

const YEAR: i64 = 365 * DAY;
const HOUR: i64 = 3_600;

fn names(forms: &[Form], required: &[Form]) -> NameRules {
    NameRules {
        forms: forms.to_vec(),
        required: required.to_vec(),
        most: 100,
        dns_suffixes: None,
        wildcards: false,
        international: true,
        email_domains: None,
        uri_schemes: None,
        uri_hosts: None,
        networks: None,
        directory_bases: None,
        subject: SubjectRule::Optional,
        subject_attributes: None,
        common_name: CommonNameRule::Free,
    }
}

fn leaf(purposes: &[Oid<'_>], max: i64, default: i64, names: NameRules) -> Profile {
    Profile {
        shape: Shape::Rfc5280,
        keys: KeyRules {
            algorithms: Vec::new(),
            minimum_strength_bits: 112,
        },
        lifetime: LifetimeRules {
            max_seconds: max,
            default_seconds: default,
            backdate_seconds: HOUR,
            postdate_seconds: 2 * DAY,
        },
        usage: UsageRules {
            key_usage: KeyUsage::DIGITAL_SIGNATURE,
            rsa_key_usage: KeyUsage::NONE,
            ec_key_usage: KeyUsage::NONE,
            purposes: purposes.iter().map(|oid| (*oid).into()).collect(),
            purposes_critical: false,
            wishes: Wishes::Narrow,
            ocsp_no_check: false,
        },
        policies: Vec::new(),
        authority: None,
        names,
    }
}

fn authority(self_signed: bool, path_len: Option<u32>, max: i64, default: i64) -> Profile {
    let names = NameRules {
        subject: SubjectRule::Required,
        ..names(&[], &[])
    };
    let mut profile = leaf(&[], max, default, names);
    // digitalSignature, so that it can answer OCSP itself.
    profile.usage.key_usage = KeyUsage::KEY_CERT_SIGN
        .union(KeyUsage::CRL_SIGN)
        .union(KeyUsage::DIGITAL_SIGNATURE);
    profile.authority = Some(AuthorityRules {
        self_signed,
        path_len,
        ..AuthorityRules::default()
    });
    profile
}

impl ProfileKind {
    /// The profile itself, to be used as it is or changed.
    #[must_use]
    pub fn profile(self) -> Profile {
        match self {
            Self::TlsServer => server(&[oid::SERVER_AUTH]),
            Self::TlsServerWeb => web_server(),
            Self::TlsMutual => server(&[oid::SERVER_AUTH, oid::CLIENT_AUTH]),
            Self::TlsClient => {
                let forms = [Form::Dns, Form::Email, Form::Uri, Form::Ip, Form::Directory];
                leaf(&[oid::CLIENT_AUTH], 398 * DAY, 90 * DAY, names(&forms, &[]))
            }
            Self::SMime => {
                let names = names(&[Form::Email], &[Form::Email]);
                let mut profile = leaf(&[oid::EMAIL_PROTECTION], 825 * DAY, YEAR, names);
                profile.usage.rsa_key_usage = KeyUsage::KEY_ENCIPHERMENT;
                profile.usage.ec_key_usage = KeyUsage::KEY_AGREEMENT;
                profile
            }
            Self::CodeSigning => {
                let names = NameRules {
                    subject: SubjectRule::Required,
                    ..names(&[Form::Email, Form::Uri], &[])
                };
                // The Forum's Code Signing Baseline Requirements, 6.3.2.
                let mut profile = leaf(&[oid::CODE_SIGNING], 460 * DAY, YEAR, names);
                profile.keys.minimum_strength_bits = 128;
                profile
            }
            Self::OcspSigner => {
                let names = NameRules {
                    subject: SubjectRule::Required,
                    ..names(&[], &[])
                };
                let mut profile = leaf(&[oid::OCSP_SIGNING], 90 * DAY, 14 * DAY, names);
                profile.usage.ocsp_no_check = true;
                profile
            }
            Self::TimeStamping => {
                let names = NameRules {
                    subject: SubjectRule::Required,
                    ..names(&[], &[])
                };
                let mut profile = leaf(&[oid::TIME_STAMPING], 10 * YEAR, 3 * YEAR, names);
                profile.usage.purposes_critical = true;
                profile
            }
            Self::Principal => {
                let names = NameRules {
                    uri_schemes: Some(vec![PRINCIPAL_SCHEME.to_owned()]),
                    most: 1,
                    ..names(&[Form::Uri], &[Form::Uri])
                };
                leaf(&[oid::CLIENT_AUTH], 90 * DAY, DAY, names)
            }
            Self::Intermediate => authority(false, Some(0), 10 * YEAR, 5 * YEAR),
            Self::Root => authority(true, None, 25 * YEAR, 20 * YEAR),
        }
    }
}

fn server(purposes: &[Oid<'_>]) -> Profile {
    let names = NameRules {
        wildcards: true,
        common_name: CommonNameRule::CopyOfName,
        ..names(&[Form::Dns, Form::Ip], &[Form::Dns, Form::Ip])
    };
    let mut profile = leaf(purposes, 398 * DAY, 90 * DAY, names);
    // TLS 1.2 without forward secrecy needs it; so do old clients.
    profile.usage.rsa_key_usage = KeyUsage::KEY_ENCIPHERMENT;
    profile
}

/// By the TLS Baseline Requirements, section 7.1.2.7: domain-validated.
fn web_server() -> Profile {
    let mut profile = server(&[oid::SERVER_AUTH]);
    profile.shape = Shape::BaselineRequirements;
    profile.keys.algorithms = vec![
        Algorithm::Rsa2048,
        Algorithm::Rsa3072,
        Algorithm::Rsa4096,
        Algorithm::EcP256,
        Algorithm::EcP384,
        Algorithm::EcP521,
    ];
    // What the schedule allows on the day of issuing counts besides.
    profile.lifetime.max_seconds = 200 * DAY;
    profile.lifetime.default_seconds = 45 * DAY;
    profile.policies = vec![oid::DOMAIN_VALIDATED.into()];
    profile.names.subject_attributes = Some(vec![oid::COMMON_NAME.into(), oid::COUNTRY.into()]);
    profile
}

/// The scheme of URIs that name principals.
pub const PRINCIPAL_SCHEME: &str = "skms";

/// The name of a principal as certificates carry it:
/// `skms://<namespace>/<kind>/<id>`. The namespace stands where a host would,
/// so that an authority can be confined to one by a name constraint.
///
/// # Errors
/// [`IssueError::Input`] for a namespace that can be no host's name, and for a
/// kind or an id with other letters than RFC 3986 calls unreserved.
pub fn principal_uri(namespace: &str, kind: &str, id: &str) -> Result<AltName, IssueError> {
    let plain = |text: &str| {
        let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        !text.is_empty() && text.bytes().all(good) && text != "." && text != ".."
    };
    if !crate::reference::is_domain(namespace) {
        return Err(IssueError::Input("a namespace that can be no host's name"));
    }
    if !plain(kind) || !plain(id) {
        return Err(IssueError::Input(
            "a principal with letters that its URI cannot have",
        ));
    }
    let namespace = namespace.to_ascii_lowercase();
    Ok(AltName::Uri(format!(
        "{PRINCIPAL_SCHEME}://{namespace}/{kind}/{id}"
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_names_and_sound_profiles() {
        for &kind in ProfileKind::all() {
            assert_eq!(kind.name().parse::<ProfileKind>(), Ok(kind));
            let profile = kind.profile();
            assert!(profile.lifetime.default_seconds <= profile.lifetime.max_seconds);
            let signs = profile.usage.key_usage.contains(KeyUsage::KEY_CERT_SIGN);
            assert_eq!(signs, profile.authority.is_some());
            assert_eq!(signs, profile.usage.purposes.is_empty());
        }
        assert!("tls".parse::<ProfileKind>().is_err());
    }

    #[test]
    fn principals_have_names_that_cannot_be_mistaken() {
        let uri = principal_uri("Team-a", "user", "alice_1").unwrap();
        assert_eq!(uri, AltName::Uri("skms://team-a/user/alice_1".to_owned()));
        for (namespace, kind, id) in [
            ("", "user", "a"),
            ("a/b", "user", "a"),
            ("a", "user", ""),
            ("a", "user", ".."),
            ("a", "us/er", "a"),
            ("a", "user", "a/b"),
            ("a", "user", "a?b"),
            ("a", "user", "a%2fb"),
            ("a", "user", "é"),
        ] {
            assert!(principal_uri(namespace, kind, id).is_err(), "{id}");
        }
    }
}
