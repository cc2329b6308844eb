//! Certificate revocation lists (RFC 5280, section 5), borrowed from their DER.

use std::collections::HashSet;
use std::fmt;

use crate::certificate::{
    AlgorithmId, AuthorityKeyIdentifier, DistributionPoints, GeneralName, GeneralNames, Name,
    PointName, Signed,
};
use crate::error::{In, Parse, Result};
use crate::oid::{self, Oid};
use crate::parse::cursor::{Cursor, default_false, named_bits, small, tag};
use crate::parse::extensions::each_extension;
use crate::parse::values::names;
use crate::path::budget::steps;
use crate::time::{self, Moment};

/// A CRLReason (RFC 5280, section 5.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
#[allow(missing_docs)] // The standard's own names.
pub enum Reason {
    Unspecified,
    KeyCompromise,
    CaCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    CertificateHold,
    RemoveFromCrl,
    PrivilegeWithdrawn,
    AaCompromise,
}

impl Reason {
    pub(crate) fn from_number(number: u32) -> Parse<Self> {
        Ok(match number {
            0 => Self::Unspecified,
            1 => Self::KeyCompromise,
            2 => Self::CaCompromise,
            3 => Self::AffiliationChanged,
            4 => Self::Superseded,
            5 => Self::CessationOfOperation,
            6 => Self::CertificateHold,
            8 => Self::RemoveFromCrl,
            9 => Self::PrivilegeWithdrawn,
            10 => Self::AaCompromise,
            _ => return Err("an unknown reason"),
        })
    }

    /// Its number in the standard.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::RemoveFromCrl => 8,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// The standard's name for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::RemoveFromCrl => "removeFromCRL",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// issuingDistributionPoint (RFC 5280, section 5.2.5): what a list covers.
#[derive(Clone, Copy, Debug, Default)]
pub struct IssuingDistributionPoint<'a> {
    /// distributionPoint.
    pub name: Option<PointName<'a>>,
    /// onlyContainsUserCerts.
    pub only_users: bool,
    /// onlyContainsCACerts.
    pub only_authorities: bool,
    /// onlySomeReasons, as bits of ReasonFlags.
    pub reasons: Option<u16>,
    /// indirectCRL.
    pub indirect: bool,
    /// onlyContainsAttributeCerts.
    pub only_attributes: bool,
    /// Its DER, for comparing a delta's with a base's.
    pub(crate) der: &'a [u8],
}

impl<'a> IssuingDistributionPoint<'a> {
    fn read(value: &'a [u8]) -> Parse<Self> {
        let mut body = Cursor::only(value, tag::SEQUENCE)?;
        //= https://www.rfc-editor.org/rfc/rfc5280#section-5.2.5
        //# Conforming CRLs issuers MUST NOT issue CRLs where the DER encoding
        //# of the issuing distribution point extension is an empty sequence.
        if body.is_empty() {
            return Err("an empty issuing distribution point");
        }
        let name = body
            .optional(tag::constructed(0))?
            .map(|tlv| PointName::read(tlv.value))
            .transpose()?;
        let flag = |body: &mut Cursor<'a>, number| match body.optional(tag::context(number))? {
            None => Ok(false),
            Some(tlv) => default_false(tlv.value),
        };
        let only_users = flag(&mut body, 1)?;
        let only_authorities = flag(&mut body, 2)?;
        let reasons = body
            .optional(tag::context(3))?
            .map(|tlv| named_bits(tlv.value))
            .transpose()?;
        let indirect = flag(&mut body, 4)?;
        let only_attributes = flag(&mut body, 5)?;
        body.end()?;
        let scopes = [only_users, only_authorities, only_attributes];
        if scopes.iter().filter(|set| **set).count() > 1 {
            return Err("an issuing distribution point with several scopes");
        }
        Ok(Self {
            name,
            only_users,
            only_authorities,
            reasons,
            indirect,
            only_attributes,
            der: value,
        })
    }
}

/// One revoked certificate.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// Its serial number: INTEGER contents.
    pub serial: &'a [u8],
    /// revocationDate.
    pub date: Moment,
    /// reasonCode.
    pub reason: Option<Reason>,
    /// certificateIssuer, of this and the entries after it.
    pub certificate_issuer: Option<GeneralNames<'a>>,
    unknown_critical: bool,
}

impl<'a> Entry<'a> {
    fn read(list: &mut Cursor<'a>, version: u8) -> Parse<Self> {
        let mut body = list.sequence()?;
        let serial = body.integer()?;
        let date = time::read(&mut body)?.moment;
        let mut entry = Self {
            serial,
            date,
            reason: None,
            certificate_issuer: None,
            unknown_critical: false,
        };
        if body.is_empty() {
            return Ok(entry);
        }
        if version == 1 {
            return Err("an entry with extensions before version 2");
        }
        let extensions = body.sequence()?;
        body.end()?;
        each_extension(extensions.rest(), |one| {
            let mut value = Cursor::new(one.value);
            match one.id {
                oid::REASON_CODE => {
                    let reason = small(value.take(tag::ENUMERATED)?.value)?;
                    entry.reason = Some(Reason::from_number(reason)?);
                    value.end()
                }
                oid::INVALIDITY_DATE => {
                    time::read_generalized(&mut value)?;
                    value.end()
                }
                oid::CERTIFICATE_ISSUER => {
                    entry.certificate_issuer = Some(names(one.value)?);
                    Ok(())
                }
                _ => {
                    entry.unknown_critical |= one.critical;
                    Ok(())
                }
            }
        })?;
        Ok(entry)
    }
}

/// A revocation list. Reading one checks its structure to the last entry;
/// whether it may be relied on is for a validation to say.
#[derive(Clone, Copy)]
pub struct Crl<'a> {
    der: &'a [u8],
    signed: Signed<'a>,
    version: u8,
    issuer: Name<'a>,
    this_update: Moment,
    next_update: Option<Moment>,
    entries: &'a [u8],
    extensions: CrlExtensions<'a>,
    /// Whether any entry names an issuer of its own.
    names_issuers: bool,
    /// Whether an extension is critical that is not understood, the list's or
    /// any entry's.
    pub(crate) unknown_critical: bool,
}

/// The extensions of a list (RFC 5280, section 5.2).
#[derive(Clone, Copy, Debug, Default)]
pub struct CrlExtensions<'a> {
    /// authorityKeyIdentifier.
    pub authority_key_identifier: Option<AuthorityKeyIdentifier<'a>>,
    /// cRLNumber: INTEGER contents, not negative.
    pub number: Option<&'a [u8]>,
    /// deltaCRLIndicator: the number of the list that this one is the
    /// difference from.
    pub delta_base: Option<&'a [u8]>,
    /// issuingDistributionPoint.
    pub point: Option<IssuingDistributionPoint<'a>>,
    /// freshestCRL.
    pub freshest: Option<DistributionPoints<'a>>,
    aki_der: Option<&'a [u8]>,
    /// Whether the number is critical, which it must not be.
    critical_number: bool,
    unknown_critical: Option<Oid<'a>>,
}

impl<'a> CrlExtensions<'a> {
    fn read(contents: &'a [u8]) -> Parse<Self> {
        let mut all = Self::default();
        each_extension(contents, |one| {
            match one.id {
                oid::AUTHORITY_KEY_IDENTIFIER => {
                    all.authority_key_identifier = Some(AuthorityKeyIdentifier::read(one.value)?);
                    all.aki_der = Some(one.value);
                }
                oid::CRL_NUMBER => {
                    all.number = Some(number(one.value)?);
                    all.critical_number = one.critical;
                }
                oid::DELTA_CRL_INDICATOR => all.delta_base = Some(number(one.value)?),
                oid::ISSUING_DISTRIBUTION_POINT => {
                    all.point = Some(IssuingDistributionPoint::read(one.value)?);
                }
                oid::FRESHEST_CRL => all.freshest = Some(DistributionPoints::read(one.value)?),
                oid::ISSUER_ALT_NAME => {
                    names(one.value)?;
                }
                // Where to find things is no condition of use.
                oid::AUTHORITY_INFO_ACCESS => {}
                other if one.critical => all.unknown_critical = Some(other),
                _ => {}
            }
            Ok(())
        })?;
        Ok(all)
    }
}

/// A `CRLNumber ::= INTEGER (0..MAX)`.
fn number(value: &[u8]) -> Parse<&[u8]> {
    let mut cursor = Cursor::new(value);
    let number = cursor.integer()?;
    cursor.end()?;
    if number.first().is_some_and(|top| top & 0x80 != 0) {
        return Err("a negative number of a list");
    }
    Ok(number)
}

/// Compares two non-negative, minimal INTEGERs.
pub(crate) fn compare_numbers(left: &[u8], right: &[u8]) -> std::cmp::Ordering {
    left.len().cmp(&right.len()).then_with(|| left.cmp(right))
}

impl<'a> Crl<'a> {
    /// Reads a list from DER; nothing may follow it.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`] for anything that is not DER or that the
    /// structure of RFC 5280, section 5.1, forbids.
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        Self::parse(der).within("revocation list")
    }

    fn parse(der: &'a [u8]) -> Parse<Self> {
        let (signed, mut tbs) = Signed::only(der)?;
        let version = match tbs.optional(tag::INTEGER)? {
            None => 1,
            Some(tlv) if tlv.value == [1] => 2,
            Some(_) => return Err("an unknown version"),
        };
        let inner_algorithm = AlgorithmId::read(&mut tbs)?;
        if inner_algorithm != signed.algorithm {
            return Err("two different signature algorithms");
        }
        let issuer = Name::read(&mut tbs)?;
        if issuer.is_empty() {
            return Err("an empty issuer");
        }
        let this_update = time::read(&mut tbs)?.moment;
        let next_update = if time::is_next(&tbs) {
            Some(time::read(&mut tbs)?.moment)
        } else {
            None
        };
        let mut names_issuers = false;
        let mut unknown_critical = false;
        let entries = match tbs.optional(tag::SEQUENCE)? {
            None => &[][..],
            //= https://www.rfc-editor.org/rfc/rfc5280#section-5.1.2.6
            //# When there are no revoked certificates, the revoked certificates
            //# list MUST be absent.
            Some(tlv) if tlv.value.is_empty() => return Err("an empty list of entries"),
            Some(tlv) => tlv.value,
        };
        let mut list = Cursor::new(entries);
        while !list.is_empty() {
            let entry = Entry::read(&mut list, version)?;
            names_issuers |= entry.certificate_issuer.is_some();
            unknown_critical |= entry.unknown_critical;
        }
        let extensions = match tbs.optional(tag::constructed(0))? {
            None => CrlExtensions::default(),
            Some(_) if version == 1 => return Err("extensions before version 2"),
            Some(tlv) => CrlExtensions::read(Cursor::only(tlv.value, tag::SEQUENCE)?.rest())?,
        };
        tbs.end()?;
        Ok(Self {
            der,
            signed,
            version,
            issuer,
            this_update,
            next_update,
            entries,
            names_issuers,
            unknown_critical: unknown_critical || extensions.unknown_critical.is_some(),
            extensions,
        })
    }

    /// Its DER.
    #[must_use]
    pub fn as_der(&self) -> &'a [u8] {
        self.der
    }

    /// What was signed, and the signature.
    #[must_use]
    pub fn signed(&self) -> &Signed<'a> {
        &self.signed
    }

    /// Who issued it.
    #[must_use]
    pub fn issuer(&self) -> &Name<'a> {
        &self.issuer
    }

    /// When it was issued.
    #[must_use]
    pub fn this_update(&self) -> Moment {
        self.this_update
    }

    /// By when the next one will be.
    #[must_use]
    pub fn next_update(&self) -> Option<Moment> {
        self.next_update
    }

    /// Its extensions.
    #[must_use]
    pub fn extensions(&self) -> &CrlExtensions<'a> {
        &self.extensions
    }

    /// Whether it is a delta.
    #[must_use]
    pub fn is_delta(&self) -> bool {
        self.extensions.delta_base.is_some()
    }

    /// Whether it may have entries of other issuers.
    #[must_use]
    pub fn is_indirect(&self) -> bool {
        self.extensions.point.is_some_and(|point| point.indirect)
    }

    /// Whether an extension is critical that is not understood, its own or an
    /// entry's: then it may be relied on for nothing.
    #[must_use]
    pub fn has_unknown_critical(&self) -> bool {
        self.unknown_critical
    }

    /// Its entries in their order.
    pub fn entries(&self) -> impl Iterator<Item = Entry<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.entries);
        let version = self.version;
        std::iter::from_fn(move || Entry::read(&mut cursor, version).ok())
    }

    /// How many steps it may take to look through it for certificates of this
    /// issuer.
    pub(crate) fn search_steps(&self, issuer: &Name<'_>) -> u64 {
        let through = steps(self.entries.len());
        if self.names_issuers {
            through.saturating_mul(1 + issuer.weight())
        } else {
            through + issuer.weight()
        }
    }

    /// The entry of a certificate. In an indirect list an entry is of the last
    /// certificateIssuer named, or of the list's own issuer before any is.
    pub(crate) fn find(&self, issuer: &Name<'_>, serial: &[u8]) -> Option<Entry<'a>> {
        if !self.names_issuers {
            let mut list = Cursor::new(self.entries);
            while let Ok(tlv) = list.take(tag::SEQUENCE) {
                if Cursor::new(tlv.value).integer() == Ok(serial) {
                    let found = Entry::read(&mut Cursor::new(tlv.whole), self.version).ok();
                    return found.filter(|_| self.issuer.matches(issuer));
                }
            }
            return None;
        }
        let mut own = self.issuer.matches(issuer);
        for entry in self.entries() {
            if let Some(names) = entry.certificate_issuer {
                own = names.iter().any(|name| match name {
                    GeneralName::Directory(name) => name.matches(issuer),
                    _ => false,
                });
            }
            if own && entry.serial == serial {
                return Some(entry);
            }
        }
        None
    }

    /// Whether it has a number that is not critical (RFC 5280, section 5.2.3:
    /// a duty of issuers).
    pub(crate) fn is_numbered(&self) -> bool {
        self.extensions.number.is_some() && !self.extensions.critical_number
    }

    /// Whether a serial number comes twice.
    pub(crate) fn has_doubles(&self) -> bool {
        let mut seen = HashSet::new();
        self.entries().any(|entry| !seen.insert(entry.serial))
    }

    /// Whether a delta is of the same scope as this complete list: issuing
    /// distribution point and key identifier both alike (RFC 5280, section
    /// 6.3.3(c)).
    pub(crate) fn has_scope_of(&self, delta: &Crl<'_>) -> bool {
        let own = self.extensions.point.map(|point| point.der);
        let theirs = delta.extensions.point.map(|point| point.der);
        own == theirs && self.extensions.aki_der == delta.extensions.aki_der
    }
}

impl fmt::Debug for Crl<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Crl({}, {})", self.issuer, self.this_update)
    }
}
