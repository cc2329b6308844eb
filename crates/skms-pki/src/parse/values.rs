//! The values of the extensions of RFC 5280, section 4.2, each with its reader.

use crate::error::Parse;
use crate::oid::{self, Oid};

use super::cursor::{Cursor, Tlv, default_false, minimal_integer, named_bits, small, tag};
use super::general::{GeneralName, GeneralNames, Place};
use super::name::read_rdn;

/// A whole `GeneralNames`.
pub(crate) fn names(value: &[u8]) -> Parse<GeneralNames<'_>> {
    GeneralNames::from_contents(Cursor::only(value, tag::SEQUENCE)?.rest())
}

/// basicConstraints (section 4.2.1.9).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BasicConstraints {
    /// Whether the key may sign certificates.
    pub ca: bool,
    /// How many non-self-issued intermediates may follow.
    pub path_len: Option<u32>,
}

impl BasicConstraints {
    pub(super) fn read(value: &[u8]) -> Parse<Self> {
        let mut body = Cursor::only(value, tag::SEQUENCE)?;
        let ca = match body.optional(tag::BOOLEAN)? {
            None => false,
            // A FALSE that is written down is not DER, and widely written all the
            // same: old authorities' certificates and published suites have it.
            Some(tlv) if tlv.value == [0] => false,
            Some(tlv) => default_false(tlv.value)?,
        };
        let path_len = body
            .optional(tag::INTEGER)?
            .map(|tlv| small(tlv.value))
            .transpose()?;
        body.end()?;
        Ok(BasicConstraints { ca, path_len })
    }
}

/// keyUsage (section 4.2.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUsage(pub(crate) u16);

impl KeyUsage {
    /// No bit.
    pub const NONE: Self = Self(0);
    /// digitalSignature.
    pub const DIGITAL_SIGNATURE: Self = Self(1);
    /// nonRepudiation, contentCommitment.
    pub const CONTENT_COMMITMENT: Self = Self(1 << 1);
    /// keyEncipherment.
    pub const KEY_ENCIPHERMENT: Self = Self(1 << 2);
    /// dataEncipherment.
    pub const DATA_ENCIPHERMENT: Self = Self(1 << 3);
    /// keyAgreement.
    pub const KEY_AGREEMENT: Self = Self(1 << 4);
    /// keyCertSign.
    pub const KEY_CERT_SIGN: Self = Self(1 << 5);
    /// cRLSign.
    pub const CRL_SIGN: Self = Self(1 << 6);
    /// encipherOnly.
    pub const ENCIPHER_ONLY: Self = Self(1 << 7);
    /// decipherOnly.
    pub const DECIPHER_ONLY: Self = Self(1 << 8);

    /// Whether all bits of `other` are set.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any bit of `other` is set.
    #[must_use]
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// The bits that both have.
    #[must_use]
    pub const fn intersection(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether no bit is set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
}

/// authorityKeyIdentifier (section 4.2.1.1).
#[derive(Clone, Copy, Debug)]
pub struct AuthorityKeyIdentifier<'a> {
    /// keyIdentifier.
    pub key_id: Option<&'a [u8]>,
    /// authorityCertIssuer.
    pub issuer: Option<GeneralNames<'a>>,
    /// authorityCertSerialNumber: INTEGER contents.
    pub serial: Option<&'a [u8]>,
}

impl<'a> AuthorityKeyIdentifier<'a> {
    pub(crate) fn read(value: &'a [u8]) -> Parse<Self> {
        let mut body = Cursor::only(value, tag::SEQUENCE)?;
        let key_id = body.optional(tag::context(0))?.map(|tlv| tlv.value);
        let issuer = body
            .optional(tag::constructed(1))?
            .map(|tlv| GeneralNames::from_contents(tlv.value))
            .transpose()?;
        let serial = body
            .optional(tag::context(2))?
            .map(|tlv| minimal_integer(tlv.value))
            .transpose()?;
        body.end()?;
        Ok(Self {
            key_id,
            issuer,
            serial,
        })
    }
}

/// Object identifiers one after another: extKeyUsage.
#[derive(Clone, Copy, Debug)]
pub struct Purposes<'a>(&'a [u8]);

impl<'a> Purposes<'a> {
    pub(super) fn read(value: &'a [u8]) -> Parse<Self> {
        let body = Cursor::only(value, tag::SEQUENCE)?;
        if body.is_empty() {
            return Err("an empty extKeyUsage");
        }
        let mut list = body;
        while !list.is_empty() {
            list.oid()?;
        }
        Ok(Self(body.rest()))
    }

    /// The purposes in their order.
    pub fn iter(&self) -> impl Iterator<Item = Oid<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || cursor.oid().ok())
    }

    /// Whether `purpose` is among them.
    #[must_use]
    pub fn contains(&self, purpose: Oid<'_>) -> bool {
        self.iter().any(|found| found == purpose)
    }
}

/// nameConstraints (section 4.2.1.10).
#[derive(Clone, Copy, Debug)]
pub struct NameConstraints<'a> {
    permitted: &'a [u8],
    excluded: &'a [u8],
}

impl<'a> NameConstraints<'a> {
    pub(super) fn read(value: &'a [u8]) -> Parse<Self> {
        let mut body = Cursor::only(value, tag::SEQUENCE)?;
        let permitted = body.optional(tag::constructed(0))?;
        let excluded = body.optional(tag::constructed(1))?;
        body.end()?;
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.10
        //# Conforming CAs MUST NOT issue certificates where name constraints
        //# is an empty sequence.
        if permitted.is_none() && excluded.is_none() {
            return Err("empty name constraints");
        }
        let check = |tlv: Option<Tlv<'a>>| -> Parse<&'a [u8]> {
            let Some(tlv) = tlv else {
                return Ok(&[]);
            };
            if tlv.value.is_empty() {
                return Err("an empty list of subtrees");
            }
            let mut list = Cursor::new(tlv.value);
            while !list.is_empty() {
                read_subtree(&mut list)?;
            }
            Ok(tlv.value)
        };
        Ok(Self {
            permitted: check(permitted)?,
            excluded: check(excluded)?,
        })
    }

    /// permittedSubtrees.
    pub fn permitted(&self) -> impl Iterator<Item = GeneralName<'a>> + use<'a> {
        subtrees(self.permitted)
    }

    /// excludedSubtrees.
    pub fn excluded(&self) -> impl Iterator<Item = GeneralName<'a>> + use<'a> {
        subtrees(self.excluded)
    }
}

fn read_subtree<'a>(list: &mut Cursor<'a>) -> Parse<GeneralName<'a>> {
    let mut subtree = list.sequence()?;
    let base = GeneralName::read(&mut subtree, Place::Constraint)?;
    //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.10
    //# Within this profile, the minimum and maximum fields are not used with
    //# any name forms, thus, the minimum MUST be zero, and maximum MUST be
    //# absent.
    if !subtree.is_empty() {
        return Err("a subtree with minimum or maximum");
    }
    Ok(base)
}

fn subtrees<'a>(contents: &'a [u8]) -> impl Iterator<Item = GeneralName<'a>> + use<'a> {
    let mut cursor = Cursor::new(contents);
    std::iter::from_fn(move || read_subtree(&mut cursor).ok())
}

/// certificatePolicies (section 4.2.1.4).
#[derive(Clone, Copy, Debug)]
pub struct Policies<'a> {
    contents: &'a [u8],
    /// Whether a qualifier is of a kind that RFC 5280 does not know.
    pub(crate) unknown_qualifier: bool,
}

impl<'a> Policies<'a> {
    pub(super) fn read(value: &'a [u8]) -> Parse<Self> {
        let body = Cursor::only(value, tag::SEQUENCE)?;
        if body.is_empty() {
            return Err("an empty list of policies");
        }
        let mut list = body;
        let mut seen = Vec::new();
        let mut unknown_qualifier = false;
        while !list.is_empty() {
            let mut one = list.sequence()?;
            seen.push(one.oid()?);
            if !one.is_empty() {
                unknown_qualifier |= read_qualifiers(one.sequence()?)?;
            }
            one.end()?;
        }
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.4
        //# A certificate policy OID MUST NOT appear more than once in a
        //# certificate policies extension.
        seen.sort_unstable();
        if seen.windows(2).any(|pair| pair[0] == pair[1]) {
            return Err("the same policy twice");
        }
        Ok(Self {
            contents: body.rest(),
            unknown_qualifier,
        })
    }

    /// The policies in their order.
    pub fn iter(&self) -> impl Iterator<Item = Oid<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.contents);
        std::iter::from_fn(move || cursor.sequence().ok()?.oid().ok())
    }
}

/// Whether any qualifier is of an unknown kind.
fn read_qualifiers(mut list: Cursor<'_>) -> Parse<bool> {
    if list.is_empty() {
        return Err("an empty list of policy qualifiers");
    }
    let mut unknown = false;
    while !list.is_empty() {
        let mut one = list.sequence()?;
        let id = one.oid()?;
        unknown |= id != oid::QUALIFIER_CPS && id != oid::QUALIFIER_NOTICE;
        one.any()?;
        one.end()?;
    }
    Ok(unknown)
}

/// policyMappings (section 4.2.1.5).
#[derive(Clone, Copy, Debug)]
pub struct PolicyMappings<'a>(&'a [u8]);

impl<'a> PolicyMappings<'a> {
    pub(super) fn read(value: &'a [u8]) -> Parse<Self> {
        let body = Cursor::only(value, tag::SEQUENCE)?;
        if body.is_empty() {
            return Err("empty policy mappings");
        }
        let mut list = body;
        while !list.is_empty() {
            let mut pair = list.sequence()?;
            pair.oid()?;
            pair.oid()?;
            pair.end()?;
        }
        Ok(Self(body.rest()))
    }

    /// Pairs of issuerDomainPolicy and subjectDomainPolicy.
    pub fn iter(&self) -> impl Iterator<Item = (Oid<'a>, Oid<'a>)> + use<'a> {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || {
            let mut pair = cursor.sequence().ok()?;
            Some((pair.oid().ok()?, pair.oid().ok()?))
        })
    }
}

/// policyConstraints (section 4.2.1.11), as numbers of certificates to skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyConstraints {
    /// requireExplicitPolicy.
    pub require_explicit: Option<u32>,
    /// inhibitPolicyMapping.
    pub inhibit_mapping: Option<u32>,
}

impl PolicyConstraints {
    pub(super) fn read(value: &[u8]) -> Parse<Self> {
        let mut body = Cursor::only(value, tag::SEQUENCE)?;
        let mut skip = |number| -> Parse<Option<u32>> {
            body.optional(tag::context(number))?
                .map(|tlv| small(tlv.value))
                .transpose()
        };
        let found = PolicyConstraints {
            require_explicit: skip(0)?,
            inhibit_mapping: skip(1)?,
        };
        body.end()?;
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.11
        //# Conforming CAs MUST NOT issue certificates where policy constraints is
        //# an empty sequence.
        if found.require_explicit.is_none() && found.inhibit_mapping.is_none() {
            return Err("empty policy constraints");
        }
        Ok(found)
    }
}

/// A DistributionPoint (section 4.2.1.13).
#[derive(Clone, Copy, Debug)]
pub struct DistributionPoint<'a> {
    /// Where the list is.
    pub name: Option<PointName<'a>>,
    /// Which reasons it covers, as bits of ReasonFlags; all of them if absent.
    pub reasons: Option<u16>,
    /// Who signs the list, if not the certificate's issuer.
    pub crl_issuer: Option<GeneralNames<'a>>,
}

/// A DistributionPointName.
#[derive(Clone, Copy, Debug)]
pub enum PointName<'a> {
    /// fullName.
    Full(GeneralNames<'a>),
    /// nameRelativeToCRLIssuer: the contents of the part to add.
    Relative(&'a [u8]),
}

impl<'a> PointName<'a> {
    /// Reads the contents of `[0] DistributionPointName`.
    pub(crate) fn read(contents: &'a [u8]) -> Parse<Self> {
        let mut cursor = Cursor::new(contents);
        let tlv = cursor.any()?;
        cursor.end()?;
        match tlv.tag {
            0xa0 => GeneralNames::from_contents(tlv.value).map(Self::Full),
            0xa1 => {
                read_rdn(Cursor::new(tlv.value))?;
                Ok(Self::Relative(tlv.value))
            }
            _ => Err("a distribution point's name of no known form"),
        }
    }
}

/// cRLDistributionPoints or freshestCRL.
#[derive(Clone, Copy, Debug)]
pub struct DistributionPoints<'a>(&'a [u8]);

impl<'a> DistributionPoints<'a> {
    pub(crate) fn read(value: &'a [u8]) -> Parse<Self> {
        let body = Cursor::only(value, tag::SEQUENCE)?;
        if body.is_empty() {
            return Err("an empty list of distribution points");
        }
        let mut list = body;
        while !list.is_empty() {
            read_point(&mut list)?;
        }
        Ok(Self(body.rest()))
    }

    /// The points in their order.
    pub fn iter(&self) -> impl Iterator<Item = DistributionPoint<'a>> + use<'a> {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || read_point(&mut cursor).ok())
    }
}

fn read_point<'a>(list: &mut Cursor<'a>) -> Parse<DistributionPoint<'a>> {
    let mut body = list.sequence()?;
    let name = body
        .optional(tag::constructed(0))?
        .map(|tlv| PointName::read(tlv.value))
        .transpose()?;
    let reasons = body
        .optional(tag::context(1))?
        .map(|tlv| named_bits(tlv.value))
        .transpose()?;
    let crl_issuer = body
        .optional(tag::constructed(2))?
        .map(|tlv| GeneralNames::from_contents(tlv.value))
        .transpose()?;
    body.end()?;
    //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.13
    //# a DistributionPoint MUST NOT consist of only the reasons field; either
    //# distributionPoint or cRLIssuer MUST be present.
    if name.is_none() && crl_issuer.is_none() {
        return Err("a distribution point without a name");
    }
    Ok(DistributionPoint {
        name,
        reasons,
        crl_issuer,
    })
}

/// authorityInfoAccess or subjectInfoAccess (section 4.2.2).
#[derive(Clone, Copy, Debug)]
pub struct AccessDescriptions<'a>(&'a [u8]);

impl<'a> AccessDescriptions<'a> {
    pub(super) fn read(value: &'a [u8]) -> Parse<Self> {
        let body = Cursor::only(value, tag::SEQUENCE)?;
        if body.is_empty() {
            return Err("an empty list of access descriptions");
        }
        let mut list = body;
        while !list.is_empty() {
            let mut one = list.sequence()?;
            one.oid()?;
            GeneralName::read(&mut one, Place::Name)?;
            one.end()?;
        }
        Ok(Self(body.rest()))
    }

    /// Pairs of accessMethod and accessLocation.
    pub fn iter(&self) -> impl Iterator<Item = (Oid<'a>, GeneralName<'a>)> + use<'a> {
        let mut cursor = Cursor::new(self.0);
        std::iter::from_fn(move || {
            let mut one = cursor.sequence().ok()?;
            let method = one.oid().ok()?;
            Some((method, GeneralName::read(&mut one, Place::Name).ok()?))
        })
    }
}
