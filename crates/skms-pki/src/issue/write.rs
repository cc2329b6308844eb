//! The TBSCertificate (RFC 5280, section 4.1), written.

use crate::oid;
use crate::parse::cursor::tag;

use super::altname::{AltName, Subtree};
use super::authority::Authority;
use super::der;
use super::error::IssueError;
use super::grant::Granted;
use super::name::NameBuf;
use super::names::subject_of;
use super::profile::{Profile, Shape};
use super::request::Request;
use super::serial::Serial;

/// GeneralNames of URLs, under `[0]`s of DistributionPointName and its field.
pub(crate) fn point_name(urls: &[String]) -> Vec<u8> {
    let names: Vec<u8> = urls
        .iter()
        .flat_map(|url| AltName::Uri(url.clone()).der())
        .collect();
    der::constructed(0, &[&der::constructed(0, &[&names])])
}

/// CRLDistributionPoints with one point of all these names.
pub(crate) fn distribution_points(urls: &[String]) -> Vec<u8> {
    der::sequence(&[&der::sequence(&[&point_name(urls)])])
}

/// AuthorityKeyIdentifier by the key alone.
pub(crate) fn authority_key_identifier(key_id: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::tlv(tag::context(0), &[key_id])])
}

fn name_constraints(permitted: &[Subtree], excluded: &[Subtree]) -> Vec<u8> {
    let trees = |number, trees: &[Subtree]| {
        if trees.is_empty() {
            return Vec::new();
        }
        let all: Vec<u8> = trees.iter().flat_map(Subtree::der).collect();
        der::constructed(number, &[&all])
    };
    der::sequence(&[&trees(0, permitted), &trees(1, excluded)])
}

fn access_descriptions(authority: &Authority) -> Vec<u8> {
    let published = &authority.published;
    let one = |method, url: &String| {
        der::sequence(&[&der::oid(method), &AltName::Uri(url.clone()).der()])
    };
    let ocsp = published.ocsp.iter().map(|url| one(oid::ACCESS_OCSP, url));
    let issuers = published
        .ca_issuers
        .iter()
        .map(|url| one(oid::ACCESS_CA_ISSUERS, url));
    der::sequence_of(ocsp.chain(issuers))
}

/// Everything that is written.
pub(crate) struct Draft<'a> {
    pub(crate) profile: &'a Profile,
    pub(crate) authority: &'a Authority,
    pub(crate) request: &'a Request,
    pub(crate) granted: &'a Granted,
    pub(crate) serial: Serial,
}

impl Draft<'_> {
    /// The TBSCertificate's DER.
    pub(crate) fn tbs(&self) -> Result<Vec<u8>, IssueError> {
        let subject = subject_of(&self.profile.names, self.request);
        let validity = der::sequence(&[
            &der::time(self.granted.not_before)?,
            &der::time(self.granted.not_after)?,
        ]);
        let extensions = der::sequence_of(self.extensions(&subject)?);
        Ok(der::sequence(&[
            &der::constructed(0, &[&der::integer(2)]),
            &self.serial.der(),
            &self.authority.scheme.identifier(),
            self.authority.name.as_der(),
            &validity,
            subject.as_der(),
            &self.request.spki,
            &der::constructed(3, &[&extensions]),
        ]))
    }

    fn is_self_signed(&self) -> bool {
        self.profile
            .authority
            .as_ref()
            .is_some_and(|rules| rules.self_signed)
    }

    fn extensions(&self, subject: &NameBuf) -> Result<Vec<Vec<u8>>, IssueError> {
        let Self {
            profile,
            authority,
            request,
            granted,
            serial,
        } = self;
        let mut all = Vec::new();
        let mut add = |id, critical, value: &[u8]| all.push(der::extension(id, critical, value));
        let is_authority = profile.authority.is_some();
        // TLS Baseline Requirements, 7.1.2.7.6: not recommended for subscribers.
        if is_authority || profile.shape == Shape::Rfc5280 {
            let value = der::octets(&request.key_id()?);
            add(oid::SUBJECT_KEY_IDENTIFIER, false, &value);
        }
        let value = authority_key_identifier(&authority.key_id);
        add(oid::AUTHORITY_KEY_IDENTIFIER, false, &value);
        if is_authority {
            let limit = granted.path_len.map(|limit| der::integer(limit.into()));
            let flag = der::flag(tag::BOOLEAN, true);
            let value = der::sequence(&[&flag, &limit.unwrap_or_default()]);
            //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.9
            //# Conforming CAs MUST include this extension in all CA certificates
            //# that contain public keys used to validate digital signatures on
            //# certificates and MUST mark the extension as critical in such
            //# certificates.
            add(oid::BASIC_CONSTRAINTS, true, &value);
        }
        add(oid::KEY_USAGE, true, &der::key_usage(granted.key_usage));
        if !granted.purposes.is_empty() {
            let purposes = granted.purposes.iter().map(|one| der::oid(one.as_oid()));
            let critical = profile.usage.purposes_critical;
            add(
                oid::EXTENDED_KEY_USAGE,
                critical,
                &der::sequence_of(purposes),
            );
        }
        if !profile.policies.is_empty() {
            let policies = profile.policies.iter();
            let value = policies.map(|one| der::sequence(&[&der::oid(one.as_oid())]));
            add(oid::CERTIFICATE_POLICIES, false, &der::sequence_of(value));
        }
        if let Some(rules) = &profile.authority
            && !(rules.permitted.is_empty() && rules.excluded.is_empty())
        {
            let value = name_constraints(&rules.permitted, &rules.excluded);
            add(oid::NAME_CONSTRAINTS, true, &value);
        }
        if !request.names.is_empty() {
            let value = der::sequence_of(request.names.iter().map(AltName::der));
            add(oid::SUBJECT_ALT_NAME, subject.is_empty(), &value);
        }
        if self.is_self_signed() {
            return Ok(all);
        }
        let published = &authority.published;
        if !published.crls.is_empty() && !profile.usage.ocsp_no_check {
            let value = distribution_points(&published.crls_of(serial));
            add(oid::CRL_DISTRIBUTION_POINTS, false, &value);
            if !published.deltas.is_empty() {
                let value = distribution_points(&published.deltas_of(serial));
                add(oid::FRESHEST_CRL, false, &value);
            }
        }
        if !(published.ocsp.is_empty() && published.ca_issuers.is_empty()) {
            add(
                oid::AUTHORITY_INFO_ACCESS,
                false,
                &access_descriptions(authority),
            );
        }
        if profile.usage.ocsp_no_check {
            add(oid::OCSP_NO_CHECK, false, &[tag::NULL, 0]);
        }
        Ok(all)
    }
}
