//! The extensions of a certificate (RFC 5280, section 4.2), each read to its
//! last byte when the certificate is, whether it is critical or not: a known
//! extension that is malformed makes the certificate malformed.

use crate::error::Parse;
use crate::oid::{self, Oid};

use super::cursor::{Cursor, named_bits, small, tag};
use super::general::GeneralNames;
use super::values::{
    AccessDescriptions, AuthorityKeyIdentifier, BasicConstraints, DistributionPoints, KeyUsage,
    NameConstraints, Policies, PolicyConstraints, PolicyMappings, Purposes, names,
};

/// The most extensions that one certificate or list may have: they are
/// searched for doubles.
const MAX_EXTENSIONS: usize = 128;

/// What is said of an extension that comes twice.
pub(crate) const TWICE: &str = "the same extension twice";

/// Which known extension.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Kind {
    AuthorityKeyIdentifier,
    SubjectKeyIdentifier,
    KeyUsage,
    CertificatePolicies,
    PolicyMappings,
    SubjectAltName,
    IssuerAltName,
    BasicConstraints,
    NameConstraints,
    PolicyConstraints,
    ExtendedKeyUsage,
    CrlDistributionPoints,
    InhibitAnyPolicy,
    FreshestCrl,
    AuthorityInfoAccess,
    SubjectInfoAccess,
    OcspNoCheck,
}

fn kind(oid: Oid<'_>) -> Option<Kind> {
    Some(match oid {
        oid::AUTHORITY_KEY_IDENTIFIER => Kind::AuthorityKeyIdentifier,
        oid::SUBJECT_KEY_IDENTIFIER => Kind::SubjectKeyIdentifier,
        oid::KEY_USAGE => Kind::KeyUsage,
        oid::CERTIFICATE_POLICIES => Kind::CertificatePolicies,
        oid::POLICY_MAPPINGS => Kind::PolicyMappings,
        oid::SUBJECT_ALT_NAME => Kind::SubjectAltName,
        oid::ISSUER_ALT_NAME => Kind::IssuerAltName,
        oid::BASIC_CONSTRAINTS => Kind::BasicConstraints,
        oid::NAME_CONSTRAINTS => Kind::NameConstraints,
        oid::POLICY_CONSTRAINTS => Kind::PolicyConstraints,
        oid::EXTENDED_KEY_USAGE => Kind::ExtendedKeyUsage,
        oid::CRL_DISTRIBUTION_POINTS => Kind::CrlDistributionPoints,
        oid::INHIBIT_ANY_POLICY => Kind::InhibitAnyPolicy,
        oid::FRESHEST_CRL => Kind::FreshestCrl,
        oid::AUTHORITY_INFO_ACCESS => Kind::AuthorityInfoAccess,
        oid::SUBJECT_INFO_ACCESS => Kind::SubjectInfoAccess,
        oid::OCSP_NO_CHECK => Kind::OcspNoCheck,
        _ => return None,
    })
}

/// One extension as it stands in the list.
#[derive(Clone, Copy, Debug)]
pub struct Extension<'a> {
    /// Its type.
    pub id: Oid<'a>,
    /// Whether who does not understand it must refuse.
    pub critical: bool,
    /// Its value: what the OCTET STRING holds.
    pub value: &'a [u8],
}

/// Reads one `Extension`.
pub(crate) fn read_extension<'a>(list: &mut Cursor<'a>) -> Parse<Extension<'a>> {
    let mut one = list.sequence()?;
    let id = one.oid()?;
    let critical = one.default_false()?;
    let value = one.take(tag::OCTET_STRING)?.value;
    one.end()?;
    Ok(Extension {
        id,
        critical,
        value,
    })
}

/// Reads `Extensions`, a SEQUENCE SIZE (1..MAX), and gives each to `visit`.
/// No type may come twice.
pub(crate) fn each_extension<'a>(
    contents: &'a [u8],
    mut visit: impl FnMut(Extension<'a>) -> Parse<()>,
) -> Parse<()> {
    if contents.is_empty() {
        return Err("an empty list of extensions");
    }
    let mut list = Cursor::new(contents);
    let mut seen: Vec<Oid<'_>> = Vec::with_capacity(16);
    while !list.is_empty() {
        let one = read_extension(&mut list)?;
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2
        //# A certificate MUST NOT include more than one instance of a
        //# particular extension.
        if seen.contains(&one.id) {
            return Err(TWICE);
        }
        if seen.len() == MAX_EXTENSIONS {
            return Err("too many extensions");
        }
        seen.push(one.id);
        visit(one)?;
    }
    Ok(())
}

/// The extensions of one certificate, read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Extensions<'a> {
    /// Which known extensions are there, and which of them are critical: a
    /// bit for each [`Kind`].
    present: u32,
    critical: u32,
    contents: &'a [u8],
    /// The first critical extension that nobody here understands.
    pub(crate) unknown_critical: Option<Oid<'a>>,
    /// authorityKeyIdentifier.
    pub authority_key_identifier: Option<AuthorityKeyIdentifier<'a>>,
    /// subjectKeyIdentifier.
    pub subject_key_identifier: Option<&'a [u8]>,
    /// keyUsage.
    pub key_usage: Option<KeyUsage>,
    /// certificatePolicies.
    pub policies: Option<Policies<'a>>,
    /// policyMappings.
    pub policy_mappings: Option<PolicyMappings<'a>>,
    /// subjectAltName.
    pub subject_alt_name: Option<GeneralNames<'a>>,
    /// issuerAltName.
    pub issuer_alt_name: Option<GeneralNames<'a>>,
    /// basicConstraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// nameConstraints.
    pub name_constraints: Option<NameConstraints<'a>>,
    /// policyConstraints.
    pub policy_constraints: Option<PolicyConstraints>,
    /// extKeyUsage.
    pub extended_key_usage: Option<Purposes<'a>>,
    /// cRLDistributionPoints.
    pub crl_distribution_points: Option<DistributionPoints<'a>>,
    /// inhibitAnyPolicy: how many certificates to skip.
    pub inhibit_any_policy: Option<u32>,
    /// freshestCRL.
    pub freshest_crl: Option<DistributionPoints<'a>>,
    /// authorityInfoAccess.
    pub authority_info_access: Option<AccessDescriptions<'a>>,
    /// subjectInfoAccess.
    pub subject_info_access: Option<AccessDescriptions<'a>>,
    /// id-pkix-ocsp-nocheck (RFC 6960, section 4.2.2.2.1).
    pub ocsp_no_check: bool,
}

impl<'a> Extensions<'a> {
    /// Reads the contents of the SEQUENCE.
    pub(crate) fn read(contents: &'a [u8]) -> Parse<Self> {
        let mut all = Self {
            contents,
            ..Self::default()
        };
        each_extension(contents, |one| all.add(one))?;
        Ok(all)
    }

    fn add(&mut self, one: Extension<'a>) -> Parse<()> {
        let Some(kind) = kind(one.id) else {
            if one.critical && self.unknown_critical.is_none() {
                self.unknown_critical = Some(one.id);
            }
            return Ok(());
        };
        self.present |= 1 << kind as u8;
        if one.critical {
            self.critical |= 1 << kind as u8;
        }
        let value = one.value;
        match kind {
            Kind::AuthorityKeyIdentifier => {
                self.authority_key_identifier = Some(AuthorityKeyIdentifier::read(value)?);
            }
            Kind::SubjectKeyIdentifier => {
                let mut cursor = Cursor::new(value);
                self.subject_key_identifier = Some(cursor.take(tag::OCTET_STRING)?.value);
                cursor.end()?;
            }
            Kind::KeyUsage => {
                let mut cursor = Cursor::new(value);
                self.key_usage = Some(KeyUsage(named_bits(cursor.take(tag::BIT_STRING)?.value)?));
                cursor.end()?;
            }
            Kind::CertificatePolicies => self.policies = Some(Policies::read(value)?),
            Kind::PolicyMappings => self.policy_mappings = Some(PolicyMappings::read(value)?),
            Kind::SubjectAltName => self.subject_alt_name = Some(names(value)?),
            Kind::IssuerAltName => self.issuer_alt_name = Some(names(value)?),
            Kind::BasicConstraints => self.basic_constraints = Some(BasicConstraints::read(value)?),
            Kind::NameConstraints => self.name_constraints = Some(NameConstraints::read(value)?),
            Kind::PolicyConstraints => {
                self.policy_constraints = Some(PolicyConstraints::read(value)?);
            }
            Kind::ExtendedKeyUsage => self.extended_key_usage = Some(Purposes::read(value)?),
            Kind::CrlDistributionPoints => {
                self.crl_distribution_points = Some(DistributionPoints::read(value)?);
            }
            Kind::InhibitAnyPolicy => {
                let mut cursor = Cursor::new(value);
                self.inhibit_any_policy = Some(small(cursor.integer()?)?);
                cursor.end()?;
            }
            Kind::FreshestCrl => self.freshest_crl = Some(DistributionPoints::read(value)?),
            Kind::AuthorityInfoAccess => {
                self.authority_info_access = Some(AccessDescriptions::read(value)?);
            }
            Kind::SubjectInfoAccess => {
                self.subject_info_access = Some(AccessDescriptions::read(value)?);
            }
            Kind::OcspNoCheck => {
                let mut cursor = Cursor::new(value);
                if !cursor.take(tag::NULL)?.value.is_empty() {
                    return Err("a NULL with contents");
                }
                cursor.end()?;
                self.ocsp_no_check = true;
            }
        }
        Ok(())
    }

    pub(crate) fn has(&self, kind: Kind) -> bool {
        self.present & 1 << kind as u8 != 0
    }

    pub(crate) fn is_critical(&self, kind: Kind) -> bool {
        self.critical & 1 << kind as u8 != 0
    }

    /// All of them as they stand, unknown ones too.
    pub fn iter(&self) -> impl Iterator<Item = Extension<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.contents);
        std::iter::from_fn(move || read_extension(&mut cursor).ok())
    }
}
