//! RFC 5280, section 4.2: extensions by themselves and against each other.

use crate::certificate::{Certificate, GeneralName, KeyUsage, PointName};
use crate::issue::names::{is_absolute_uri, is_domain_name};
use crate::oid;
use crate::parse::extensions::Kind;
use crate::reference::mailbox;
use crate::signature::is_post_quantum;

use super::{Findings, Lint};

pub(super) fn check(read: &Certificate<'_>, findings: &mut Findings) {
    criticality(read, findings);
    key_usage(read, findings);
    purposes(read, findings);
    authority_only(read, findings);
    alt_names(read, findings);
    locations(read, findings);
}

/// Which extensions must be critical, and which must not.
fn criticality(read: &Certificate<'_>, findings: &mut Findings) {
    let extensions = read.extensions();
    if let Some(unknown) = extensions.unknown_critical {
        findings.add(Lint::UnknownCritical, format!("{unknown}"));
    }
    for (kind, name) in [
        (Kind::AuthorityKeyIdentifier, "authorityKeyIdentifier"),
        (Kind::SubjectKeyIdentifier, "subjectKeyIdentifier"),
        (Kind::AuthorityInfoAccess, "authorityInfoAccess"),
        (Kind::SubjectInfoAccess, "subjectInfoAccess"),
        (Kind::FreshestCrl, "freshestCRL"),
        (Kind::CrlDistributionPoints, "cRLDistributionPoints"),
        (Kind::IssuerAltName, "issuerAltName"),
        (Kind::OcspNoCheck, "ocsp-nocheck"),
    ] {
        if extensions.is_critical(kind) {
            findings.add(Lint::Criticality, format!("{name} is critical"));
        }
    }
    let constrains = read.is_ca() && extensions.has(Kind::BasicConstraints);
    for (wanted, kind, name) in [
        (constrains, Kind::BasicConstraints, "basicConstraints"),
        (true, Kind::KeyUsage, "keyUsage"),
        (true, Kind::NameConstraints, "nameConstraints"),
        (true, Kind::PolicyConstraints, "policyConstraints"),
        (true, Kind::InhibitAnyPolicy, "inhibitAnyPolicy"),
        (true, Kind::PolicyMappings, "policyMappings"),
    ] {
        if wanted && extensions.has(kind) && !extensions.is_critical(kind) {
            findings.add(Lint::Criticality, format!("{name} is not critical"));
        }
    }
}

fn key_usage(read: &Certificate<'_>, findings: &mut Findings) {
    let extensions = read.extensions();
    let constraints = extensions.basic_constraints;
    let limited = constraints.is_some_and(|found| found.path_len.is_some());
    findings.when(
        limited && !read.is_ca(),
        Lint::BasicConstraints,
        "pathLenConstraint outside an authority's certificate",
    );
    let Some(usage) = extensions.key_usage else {
        //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.3
        //# Conforming CAs MUST include this extension in certificates that
        //# contain public keys that are used to validate digital signatures on
        //# other public key certificates or CRLs.
        return findings.add(Lint::KeyUsage, "missing");
    };
    let certifies = usage.contains(KeyUsage::KEY_CERT_SIGN);
    findings.when(usage.is_empty(), Lint::KeyUsage, "no bit is set");
    findings.when(
        certifies && !read.is_ca(),
        Lint::KeyUsage,
        "keyCertSign outside an authority's certificate",
    );
    findings.when(
        usage.contains(KeyUsage::CRL_SIGN) && !read.is_ca() && extensions.ocsp_no_check,
        Lint::KeyUsage,
        "cRLSign in an OCSP signer's certificate",
    );
    findings.when(
        read.is_ca() && !certifies,
        Lint::KeyUsage,
        "an authority without keyCertSign",
    );
    findings.when(
        limited && !certifies,
        Lint::BasicConstraints,
        "pathLenConstraint without keyCertSign",
    );
    of_key(read, usage, findings);
}

/// What the key's algorithm can do at all.
fn of_key(read: &Certificate<'_>, usage: KeyUsage, findings: &mut Findings) {
    let encipher = KeyUsage::KEY_ENCIPHERMENT.union(KeyUsage::DATA_ENCIPHERMENT);
    let agree = KeyUsage::KEY_AGREEMENT
        .union(KeyUsage::ENCIPHER_ONLY)
        .union(KeyUsage::DECIPHER_ONLY);
    let key = read.public_key();
    let cannot = match key.algorithm.oid {
        // RFC 3279, section 2.3.1.
        oid::RSA_ENCRYPTION => agree,
        // RFC 8813, section 3.
        oid::EC_PUBLIC_KEY => encipher,
        // RFC 8410, section 5; RFC 9881, section 5; RFC 9909, section 6.
        oid::ED25519 => encipher.union(agree),
        _ if is_post_quantum(key) => encipher.union(agree),
        _ => KeyUsage::NONE,
    };
    findings.when(
        usage.intersects(cannot),
        Lint::KeyUsageOfKey,
        "the key cannot do what its usage says",
    );
    let only = KeyUsage::ENCIPHER_ONLY.union(KeyUsage::DECIPHER_ONLY);
    findings.when(
        usage.intersects(only) && !usage.contains(KeyUsage::KEY_AGREEMENT),
        Lint::KeyUsage,
        "encipherOnly or decipherOnly without keyAgreement",
    );
}

/// RFC 5280, section 4.2.1.12: consistent with keyUsage.
fn purposes(read: &Certificate<'_>, findings: &mut Findings) {
    let extensions = read.extensions();
    let signs = KeyUsage::DIGITAL_SIGNATURE.union(KeyUsage::CONTENT_COMMITMENT);
    let talks = KeyUsage::DIGITAL_SIGNATURE
        .union(KeyUsage::KEY_ENCIPHERMENT)
        .union(KeyUsage::KEY_AGREEMENT);
    let answers = KeyUsage::DIGITAL_SIGNATURE.union(KeyUsage::KEY_AGREEMENT);
    let Some(purposes) = extensions.extended_key_usage else {
        return findings.when(
            extensions.ocsp_no_check,
            Lint::OcspNoCheck,
            "without id-kp-OCSPSigning",
        );
    };
    let critical = extensions.is_critical(Kind::ExtendedKeyUsage);
    let all: Vec<_> = purposes.iter().collect();
    for (index, purpose) in all.iter().enumerate() {
        if all.iter().take(index).any(|other| other == purpose) {
            findings.add(Lint::ExtendedKeyUsage, format!("{purpose} is there twice"));
        }
        let needs = match *purpose {
            oid::SERVER_AUTH => talks,
            oid::CLIENT_AUTH => answers,
            oid::CODE_SIGNING => KeyUsage::DIGITAL_SIGNATURE,
            oid::EMAIL_PROTECTION => signs.union(talks),
            oid::TIME_STAMPING | oid::OCSP_SIGNING => signs,
            _ => continue,
        };
        let usage = extensions.key_usage.unwrap_or(needs);
        if !read.is_ca() && !usage.intersects(needs) {
            let detail = format!("{purpose} with a keyUsage that has no use for it");
            findings.add(Lint::ExtendedKeyUsage, detail);
        }
    }
    //= https://www.rfc-editor.org/rfc/rfc5280#section-4.2.1.12
    //# Conforming CAs SHOULD NOT mark this extension as critical if the
    //# anyExtendedKeyUsage KeyPurposeId is present.
    findings.when(
        critical && purposes.contains(oid::ANY_EXTENDED_KEY_USAGE),
        Lint::ExtendedKeyUsage,
        "critical with anyExtendedKeyUsage",
    );
    //= https://www.rfc-editor.org/rfc/rfc3161#section-2.3
    //# The corresponding certificate MUST contain only one instance of the
    //# extended key usage field extension ... with KeyPurposeID having value:
    //# id-kp-timeStamping. This extension MUST be critical.
    findings.when(
        purposes.contains(oid::TIME_STAMPING) && !read.is_ca() && !(critical && all.len() == 1),
        Lint::ExtendedKeyUsage,
        "timeStamping that is not alone or not critical",
    );
    findings.when(
        extensions.ocsp_no_check && !purposes.contains(oid::OCSP_SIGNING),
        Lint::OcspNoCheck,
        "without id-kp-OCSPSigning",
    );
}

fn authority_only(read: &Certificate<'_>, findings: &mut Findings) {
    if read.is_ca() {
        return;
    }
    for (kind, name) in [
        (Kind::NameConstraints, "nameConstraints"),
        (Kind::PolicyMappings, "policyMappings"),
        (Kind::PolicyConstraints, "policyConstraints"),
        (Kind::InhibitAnyPolicy, "inhibitAnyPolicy"),
    ] {
        if read.extensions().has(kind) {
            findings.add(Lint::AuthorityOnly, name);
        }
    }
}

fn alt_names(read: &Certificate<'_>, findings: &mut Findings) {
    let Some(names) = read.extensions().subject_alt_name else {
        return;
    };
    for name in names.iter() {
        let good = match name {
            GeneralName::Dns(text) => is_domain_name(text),
            GeneralName::Email(text) => mailbox(text).is_some(),
            GeneralName::Uri(text) => is_absolute_uri(text),
            GeneralName::Directory(name) => !name.is_empty(),
            GeneralName::X400(_) | GeneralName::EdiParty(_) => false,
            _ => true,
        };
        if !good {
            findings.add(Lint::AltName, format!("{name}"));
        }
    }
}

/// Where lists and responders are.
fn locations(read: &Certificate<'_>, findings: &mut Findings) {
    let extensions = read.extensions();
    let mut check = |name: &GeneralName<'_>, what| {
        let web = |text: &str| {
            let scheme = text.split(':').next().unwrap_or_default();
            ["http", "https", "ldap", "ldaps"]
                .iter()
                .any(|known| scheme.eq_ignore_ascii_case(known))
        };
        match name {
            GeneralName::Uri(text) if is_absolute_uri(text) && web(text) => {}
            GeneralName::Directory(_) => {}
            other => findings.add(Lint::Location, format!("{what}: {other}")),
        }
    };
    let points = [extensions.crl_distribution_points, extensions.freshest_crl];
    for point in points.iter().flatten().flat_map(|points| points.iter()) {
        if let Some(PointName::Full(names)) = point.name {
            names
                .iter()
                .for_each(|name| check(&name, "distribution point"));
        }
    }
    for (_, name) in extensions
        .authority_info_access
        .iter()
        .flat_map(|all| all.iter())
    {
        check(&name, "access location");
    }
}
