//! What a certificate must be in its own right, wherever its path leads: the
//! two profiles, and the checks that both share.

use std::net::IpAddr;

use crate::certificate::{Certificate, GeneralName, KeyUsage, PointName};
use crate::oid;
use crate::parse::extensions::Kind;
use crate::signature::{Verify, is_post_quantum};
use crate::time::Moment;

use super::rule::{Checked, Rule, fail};

/// Which rules hold beyond those of the algorithm in RFC 5280, section 6.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// RFC 5280, section 6, and what sections 4 and 5 say a *user* of
    /// certificates must refuse. What they only forbid an authority to write
    /// is let pass where refusing it would gain nothing: a negative serial
    /// number, GeneralizedTime before 2050, a missing key identifier.
    #[default]
    Rfc5280,
    /// The web's: RFC 5280 in full, its duties of authorities included, and
    /// what the CA/Browser Forum's TLS Baseline Requirements (version 2.1)
    /// say in section 7 about the certificates of servers. Where the two
    /// differ, the Forum's word counts: name constraints need not be
    /// critical, a leaf must have extKeyUsage and may be no authority.
    WebPki,
}

impl Profile {
    fn is_web(self) -> bool {
        self == Self::WebPki
    }

    /// Labels that must follow a wildcard.
    pub(crate) fn wildcard_labels(self) -> usize {
        // The Baseline Requirements forbid wildcards right below a public
        // suffix; which names are public suffixes changes weekly, but a top
        // level domain always is one.
        if self.is_web() { 2 } else { 1 }
    }
}

/// What a certificate is used for. It decides which extKeyUsage it and the
/// authorities above it need (RFC 5280, section 4.2.1.12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Anything: extKeyUsage is not looked at.
    #[default]
    Any,
    /// A TLS server.
    ServerAuth,
    /// A TLS client.
    ClientAuth,
    /// Code signing.
    CodeSigning,
    /// S/MIME.
    EmailProtection,
    /// RFC 3161 time-stamps.
    TimeStamping,
    /// Signing OCSP responses for another.
    OcspSigning,
    /// Another purpose.
    Other(oid::OidBuf),
}

impl Purpose {
    /// Its identifier; `None` for [`Purpose::Any`].
    #[must_use]
    pub fn oid(&self) -> Option<oid::Oid<'_>> {
        Some(match self {
            Self::Any => return None,
            Self::ServerAuth => oid::SERVER_AUTH,
            Self::ClientAuth => oid::CLIENT_AUTH,
            Self::CodeSigning => oid::CODE_SIGNING,
            Self::EmailProtection => oid::EMAIL_PROTECTION,
            Self::TimeStamping => oid::TIME_STAMPING,
            Self::OcspSigning => oid::OCSP_SIGNING,
            Self::Other(oid) => oid.as_oid(),
        })
    }
}

/// Where in the path a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Target,
    Intermediate,
    Anchor,
}

impl Role {
    fn is_issuer(self) -> bool {
        self != Self::Target
    }
}

/// Whether it is valid at this moment (RFC 5280, section 6.1.3(a)(2)).
pub(crate) fn check_time(certificate: &Certificate<'_>, now: Moment) -> Checked {
    if now < certificate.not_before() {
        return fail(
            Rule::NotYetValid,
            format!("valid from {}, asked about {now}", certificate.not_before()),
        );
    }
    if now > certificate.not_after() {
        return fail(
            Rule::Expired,
            format!("valid until {}, asked about {now}", certificate.not_after()),
        );
    }
    Ok(())
}

/// Whether its key usage and basic constraints let it issue certificates
/// (RFC 5280, section 6.1.4(k) and (n)).
pub(crate) fn check_issuer(certificate: &Certificate<'_>) -> Checked {
    if certificate.version() != 3 {
        return fail(Rule::Version, "an authority's certificate before version 3");
    }
    if !certificate.is_ca() {
        return fail(
            Rule::BasicConstraints,
            "not the certificate of an authority",
        );
    }
    match certificate.extensions().key_usage {
        Some(usage) if !usage.contains(KeyUsage::KEY_CERT_SIGN) => {
            fail(Rule::KeyUsage, "keyCertSign is not set")
        }
        _ => Ok(()),
    }
}

/// Whether its extKeyUsage allows a purpose. Authorities' are taken as limits
/// on what they may issue, as everybody does.
pub(crate) fn check_purpose(
    certificate: &Certificate<'_>,
    role: Role,
    profile: Profile,
    purpose: &Purpose,
) -> Checked {
    let Some(wanted) = purpose.oid() else {
        return Ok(());
    };
    let extensions = certificate.extensions();
    let web_server = profile.is_web() && *purpose == Purpose::ServerAuth;
    let Some(usages) = extensions.extended_key_usage else {
        if web_server && role == Role::Target {
            return fail(Rule::ExtendedKeyUsage, "extKeyUsage is missing");
        }
        return Ok(());
    };
    if profile.is_web() && role == Role::Anchor {
        return fail(Rule::ExtendedKeyUsage, "a root with extKeyUsage");
    }
    if !usages.contains(wanted) && !usages.contains(oid::ANY_EXTENDED_KEY_USAGE) {
        return fail(
            Rule::ExtendedKeyUsage,
            format!("extKeyUsage does not have {wanted}"),
        );
    }
    if !web_server || role != Role::Target {
        return Ok(());
    }
    if extensions.is_critical(Kind::ExtendedKeyUsage) {
        return fail(Rule::Criticality, "a critical extKeyUsage");
    }
    let forbidden = [
        oid::ANY_EXTENDED_KEY_USAGE,
        oid::CODE_SIGNING,
        oid::EMAIL_PROTECTION,
        oid::TIME_STAMPING,
        oid::OCSP_SIGNING,
        oid::PRECERTIFICATE_SIGNING,
    ];
    match usages.iter().find(|usage| forbidden.contains(usage)) {
        Some(usage) => fail(
            Rule::ExtendedKeyUsage,
            format!("a server's extKeyUsage with {usage}"),
        ),
        None => Ok(()),
    }
}

/// What both profiles ask of a certificate by itself.
pub(crate) fn check_form(
    certificate: &Certificate<'_>,
    role: Role,
    profile: Profile,
    purpose: &Purpose,
    verifier: &dyn Verify,
) -> Checked {
    let extensions = certificate.extensions();
    if let Some(unknown) = extensions.unknown_critical {
        return fail(
            Rule::UnknownCriticalExtension,
            format!("{unknown} is critical and not understood"),
        );
    }
    if extensions.is_critical(Kind::CertificatePolicies)
        && extensions
            .policies
            .is_some_and(|policies| policies.unknown_qualifier)
    {
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.4
        //# If this extension is critical, the path validation software MUST be
        //# able to interpret this extension (including the optional
        //# qualifier), or MUST reject the certificate.
        return fail(
            Rule::UnknownCriticalExtension,
            "critical policies with a qualifier that is not understood",
        );
    }
    if certificate.serial().len() > 20 {
        return fail(Rule::Serial, "a serial number of more than 20 octets");
    }
    if certificate.not_before() > certificate.not_after() {
        return fail(Rule::Times, "notBefore is after notAfter");
    }
    check_names(certificate, role)?;
    if role == Role::Target && !certificate.is_ca() && extensions.name_constraints.is_some() {
        return fail(
            Rule::ExtensionPresence,
            "name constraints outside an authority's certificate",
        );
    }
    if profile == Profile::Rfc5280
        && extensions.has(Kind::NameConstraints)
        && !extensions.is_critical(Kind::NameConstraints)
    {
        return fail(Rule::Criticality, "name constraints that are not critical");
    }
    if let Err(why) = verifier.accept_key(certificate.public_key(), profile.is_web()) {
        return fail(Rule::Key, why);
    }
    if profile.is_web() {
        check_web(certificate, role, purpose)?;
    }
    Ok(())
}

fn check_names(certificate: &Certificate<'_>, role: Role) -> Checked {
    if certificate.issuer().is_empty() {
        return fail(Rule::EmptyName, "an empty issuer");
    }
    if !certificate.subject().is_empty() {
        return Ok(());
    }
    if role.is_issuer() || certificate.is_ca() {
        return fail(Rule::EmptyName, "an authority with an empty subject");
    }
    //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.6
    //# If the subject field contains an empty sequence, then the issuing CA
    //# MUST include a subjectAltName extension that is marked as critical.
    if certificate.extensions().is_critical(Kind::SubjectAltName) {
        Ok(())
    } else {
        fail(
            Rule::Criticality,
            "an empty subject without a critical subjectAltName",
        )
    }
}

/// What RFC 5280 asks of authorities, and the Baseline Requirements.
fn check_web(certificate: &Certificate<'_>, role: Role, purpose: &Purpose) -> Checked {
    let extensions = certificate.extensions();
    if certificate.version() != 3 {
        return fail(Rule::Version, "not of version 3");
    }
    if certificate.unique_ids {
        return fail(Rule::ExtensionPresence, "unique identifiers");
    }
    if !certificate.times_conform {
        return fail(Rule::Times, "GeneralizedTime before 2050");
    }
    match certificate.serial() {
        [0] => return fail(Rule::Serial, "a serial number of zero"),
        [top, ..] if top & 0x80 != 0 => return fail(Rule::Serial, "a negative serial number"),
        _ => {}
    }
    check_criticality(certificate)?;
    check_identifiers(certificate, role)?;
    check_usage(certificate)?;
    if *purpose == Purpose::EmailProtection {
        check_mail(certificate, role)?;
    }
    if role == Role::Target {
        check_leaf(certificate, purpose)?;
    }
    check_points(certificate)?;
    if extensions.has(Kind::PolicyMappings) && !certificate.is_ca() {
        return fail(Rule::ExtensionPresence, "policy mappings in a leaf");
    }
    Ok(())
}

fn check_criticality(certificate: &Certificate<'_>) -> Checked {
    let extensions = certificate.extensions();
    for (kind, name) in [
        (Kind::AuthorityKeyIdentifier, "authorityKeyIdentifier"),
        (Kind::SubjectKeyIdentifier, "subjectKeyIdentifier"),
        (Kind::AuthorityInfoAccess, "authorityInfoAccess"),
        (Kind::SubjectInfoAccess, "subjectInfoAccess"),
        (Kind::FreshestCrl, "freshestCRL"),
    ] {
        if extensions.is_critical(kind) {
            return fail(Rule::Criticality, format!("a critical {name}"));
        }
    }
    for (kind, name) in [
        (Kind::PolicyConstraints, "policyConstraints"),
        (Kind::InhibitAnyPolicy, "inhibitAnyPolicy"),
    ] {
        if extensions.has(kind) && !extensions.is_critical(kind) {
            return fail(Rule::Criticality, format!("{name} that is not critical"));
        }
    }
    if certificate.is_ca() && !extensions.is_critical(Kind::BasicConstraints) {
        return fail(Rule::Criticality, "basicConstraints that are not critical");
    }
    Ok(())
}

fn check_identifiers(certificate: &Certificate<'_>, role: Role) -> Checked {
    let extensions = certificate.extensions();
    if role.is_issuer() && extensions.subject_key_identifier.is_none() {
        return fail(
            Rule::ExtensionPresence,
            "an authority without a subjectKeyIdentifier",
        );
    }
    match &extensions.authority_key_identifier {
        Some(found) if found.issuer.is_some() || found.serial.is_some() => fail(
            Rule::ExtensionPresence,
            "an authorityKeyIdentifier with issuer or serial number",
        ),
        Some(found) if found.key_id.is_none() => fail(
            Rule::ExtensionPresence,
            "an authorityKeyIdentifier without a key identifier",
        ),
        // A self-signed root may do without: the search looks whether it is one.
        None if role != Role::Anchor => fail(Rule::ExtensionPresence, "no authorityKeyIdentifier"),
        _ => Ok(()),
    }
}

fn check_usage(certificate: &Certificate<'_>) -> Checked {
    let extensions = certificate.extensions();
    let constraints = extensions.basic_constraints;
    if let Some(usage) = extensions.key_usage {
        if usage.contains(KeyUsage::KEY_CERT_SIGN) && !certificate.is_ca() {
            return fail(
                Rule::KeyUsage,
                "keyCertSign outside an authority's certificate",
            );
        }
        if usage.is_empty() {
            return fail(Rule::KeyUsage, "a keyUsage with no bit set");
        }
        let encrypting = KeyUsage::KEY_ENCIPHERMENT
            .union(KeyUsage::DATA_ENCIPHERMENT)
            .union(KeyUsage::KEY_AGREEMENT)
            .union(KeyUsage::ENCIPHER_ONLY)
            .union(KeyUsage::DECIPHER_ONLY);
        if is_post_quantum(certificate.public_key()) && usage.intersects(encrypting) {
            return fail(
                Rule::KeyUsage,
                "a signature key for encryption (RFC 9881, 5)",
            );
        }
        let certifies = usage.contains(KeyUsage::KEY_CERT_SIGN);
        if constraints.is_some_and(|found| found.path_len.is_some()) && !certifies {
            return fail(
                Rule::BasicConstraints,
                "pathLenConstraint without keyCertSign",
            );
        }
    }
    match constraints {
        Some(found) if found.path_len.is_some() && !found.ca => fail(
            Rule::BasicConstraints,
            "pathLenConstraint outside an authority's certificate",
        ),
        _ => Ok(()),
    }
}

/// The CA/Browser Forum's S/MIME Baseline Requirements, 7.1.2.2 and 7.1.2.3.
fn check_mail(certificate: &Certificate<'_>, role: Role) -> Checked {
    match (role, certificate.extensions().key_usage) {
        (Role::Target, None) => fail(Rule::KeyUsage, "a mail certificate without keyUsage"),
        (Role::Intermediate, Some(usage)) if !usage.contains(KeyUsage::CRL_SIGN) => {
            fail(Rule::KeyUsage, "a mail authority without cRLSign")
        }
        _ => Ok(()),
    }
}

fn check_leaf(certificate: &Certificate<'_>, purpose: &Purpose) -> Checked {
    let extensions = certificate.extensions();
    if certificate.is_ca() {
        return fail(
            Rule::BasicConstraints,
            "an authority's certificate as a leaf",
        );
    }
    if *purpose != Purpose::ServerAuth {
        return Ok(());
    }
    if extensions.subject_alt_name.is_none() {
        return fail(Rule::ExtensionPresence, "no subjectAltName");
    }
    if extensions.is_critical(Kind::SubjectAltName) && !certificate.subject().is_empty() {
        return fail(
            Rule::Criticality,
            "a critical subjectAltName beside a subject",
        );
    }
    for attribute in certificate.subject().attributes() {
        if attribute.kind != oid::COMMON_NAME {
            continue;
        }
        if let Some(text) = attribute.text() {
            check_common_name(&text)?;
        }
    }
    Ok(())
}

/// CA/B BR, section 7.1.4.3: an address is written as RFC 5952 has it, a domain
/// name in A-labels. That a common name has to be one of the names at all is
/// left alone: it is ignored here anyway (RFC 9525, section 2).
fn check_common_name(text: &str) -> Checked {
    let good = match text.parse::<IpAddr>() {
        Ok(address) => address.to_string() == text,
        Err(_) => text.is_ascii() || !text.contains('.') || text.contains(char::is_whitespace),
    };
    if good {
        Ok(())
    } else {
        fail(
            Rule::CommonName,
            "a common name that can be no copy of a name",
        )
    }
}

/// CA/B BR, section 7.1.2.11.2: distribution points are full names, and URIs.
fn check_points(certificate: &Certificate<'_>) -> Checked {
    let Some(points) = certificate.extensions().crl_distribution_points else {
        return Ok(());
    };
    let good = points.iter().all(|point| {
        let uris = match point.name {
            Some(PointName::Full(names)) => {
                names.iter().all(|name| matches!(name, GeneralName::Uri(_)))
            }
            _ => false,
        };
        uris && point.reasons.is_none() && point.crl_issuer.is_none()
    });
    if good {
        Ok(())
    } else {
        fail(
            Rule::ExtensionPresence,
            "a distribution point that is not URIs alone",
        )
    }
}
