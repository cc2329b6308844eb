//! The CA/Browser Forum's TLS Baseline Requirements, version 2.1, section 7.1:
//! what they ask of a server's certificate, domain-validated.

use std::net::IpAddr;

use crate::certificate::{Certificate, GeneralName, KeyUsage};
use crate::issue::names::internal::{is_internal_domain, is_reserved_address};
use crate::issue::profile::DAY;
use crate::oid;
use crate::parse::extensions::Kind;
use crate::path::profile::{Role, check_form};
use crate::path::{Profile, Purpose};
use crate::signature::{Standard, scheme};
use crate::time::Moment;

use super::{Findings, Issuing, Lint};

use skms_crypto::verifying::Scheme;

/// How many days a server's certificate that is issued at this moment may hold
/// (section 6.3.2, by ballot SC-081): 398, then 200 from 2026-03-15, 100 from
/// 2027-03-15 and 47 from 2029-03-15.
#[must_use]
pub fn baseline_days(issued: Moment) -> i64 {
    const FROM_2026: Moment = Moment(1_773_532_800);
    const FROM_2027: Moment = Moment(1_805_068_800);
    const FROM_2029: Moment = Moment(1_868_227_200);
    match issued {
        it if it < FROM_2026 => 398,
        it if it < FROM_2027 => 200,
        it if it < FROM_2029 => 100,
        _ => 47,
    }
}

/// So short that nobody need be able to ask about revocation (section 1.6.1,
/// from 2026-03-15).
const SHORT_LIVED: i64 = 7 * DAY;

pub(super) fn check(read: &Certificate<'_>, issuing: &Issuing, findings: &mut Findings) {
    findings.when(
        read.serial().len() < 8,
        Lint::WebSerial,
        "under 64 bits long",
    );
    algorithms(read, findings);
    if read.is_ca() {
        return form(read, Role::Intermediate, &Purpose::Any, findings);
    }
    let seconds = read.not_after().0 - read.not_before().0 + 1;
    let issued = issuing
        .now
        .map_or(read.not_before(), |now| now.max(read.not_before()));
    let days = baseline_days(issued);
    if seconds > days * DAY {
        findings.add(
            Lint::WebLifetime,
            format!("{seconds} seconds, at most {days} days"),
        );
    }
    names(read, findings);
    subject(read, findings);
    usages(read, findings);
    let extensions = read.extensions();
    let reserved = |policy: oid::Oid<'_>| {
        // 2.23.140.1.2.1 to 3, and 2.23.140.1.1 for extended validation.
        let bytes = policy.as_bytes();
        matches!(
            bytes,
            [0x67, 0x81, 0x0c, 1, 2, 1..=3] | [0x67, 0x81, 0x0c, 1, 1]
        )
    };
    let policies = extensions.policies.iter().flat_map(|all| all.iter());
    let count = policies.filter(|policy| reserved(*policy)).count();
    findings.when(
        count != 1,
        Lint::WebPolicies,
        "not one reserved policy identifier",
    );
    let responder = extensions
        .authority_info_access
        .iter()
        .flat_map(|all| all.iter())
        .any(|(method, _)| method == oid::ACCESS_OCSP);
    findings.when(
        seconds > SHORT_LIVED && !responder && extensions.crl_distribution_points.is_none(),
        Lint::WebRevocation,
        "neither a distribution point nor a responder",
    );
    form(read, Role::Target, &Purpose::ServerAuth, findings);
}

fn form(read: &Certificate<'_>, role: Role, purpose: &Purpose, findings: &mut Findings) {
    if let Err(fault) = check_form(read, role, Profile::WebPki, purpose, &Standard) {
        findings.add(Lint::WebForm, fault.detail);
    }
}

fn algorithms(read: &Certificate<'_>, findings: &mut Findings) {
    let key = read.public_key().algorithm.oid;
    findings.when(
        key != oid::RSA_ENCRYPTION && key != oid::EC_PUBLIC_KEY,
        Lint::WebKey,
        "neither RSA nor on a NIST curve",
    );
    findings.when(
        matches!(scheme(&read.signed().algorithm), Ok(Scheme::Pure(_))),
        Lint::WebSignature,
        "neither RSA nor ECDSA",
    );
}

fn names(read: &Certificate<'_>, findings: &mut Findings) {
    let Some(names) = read.extensions().subject_alt_name else {
        return findings.add(Lint::WebNames, "no subjectAltName");
    };
    for name in names.iter() {
        match name {
            GeneralName::Dns(text) => {
                let base = text.strip_prefix("*.").unwrap_or(text);
                if base.contains('_') {
                    findings.add(Lint::WebNames, format!("{name} has an underscore"));
                }
                if is_internal_domain(base) {
                    findings.add(Lint::WebNames, format!("{name} is internal"));
                }
            }
            GeneralName::Ip(_) => {
                if name.ip().is_none_or(is_reserved_address) {
                    findings.add(Lint::WebNames, format!("{name} is reserved"));
                }
            }
            _ => findings.add(Lint::WebNames, format!("{name} is of another form")),
        }
    }
}

fn subject(read: &Certificate<'_>, findings: &mut Findings) {
    let mut common_names = 0;
    for attribute in read.subject().attributes() {
        match attribute.kind {
            oid::COUNTRY => {}
            oid::COMMON_NAME => {
                common_names += 1;
                let text = attribute.text().unwrap_or_default();
                if !is_copied(read, &text) {
                    let detail = format!("{} is no copy of a name", text.escape_debug());
                    findings.add(Lint::WebCommonName, detail);
                }
            }
            other => findings.add(Lint::WebSubject, format!("{other}")),
        }
    }
    findings.when(common_names > 1, Lint::WebCommonName, "more than one");
}

fn is_copied(read: &Certificate<'_>, text: &str) -> bool {
    let names = read.extensions().subject_alt_name;
    names
        .iter()
        .flat_map(|all| all.iter())
        .any(|name| match name {
            GeneralName::Dns(name) => name.eq_ignore_ascii_case(text),
            GeneralName::Ip(_) => text
                .parse::<IpAddr>()
                .is_ok_and(|address| name.ip() == Some(address) && address.to_string() == text),
            _ => false,
        })
}

fn usages(read: &Certificate<'_>, findings: &mut Findings) {
    let extensions = read.extensions();
    let rsa = read.public_key().algorithm.oid == oid::RSA_ENCRYPTION;
    let allowed = match rsa {
        true => KeyUsage::DIGITAL_SIGNATURE.union(KeyUsage::KEY_ENCIPHERMENT),
        false => KeyUsage::DIGITAL_SIGNATURE,
    };
    findings.when(
        extensions
            .key_usage
            .is_some_and(|usage| !allowed.contains(usage)),
        Lint::WebKeyUsage,
        "beyond what a server needs",
    );
    let purposes = extensions.extended_key_usage;
    let good = purposes.is_some_and(|all| {
        all.contains(oid::SERVER_AUTH)
            && all
                .iter()
                .all(|one| one == oid::SERVER_AUTH || one == oid::CLIENT_AUTH)
    });
    findings.when(
        extensions.is_critical(Kind::ExtendedKeyUsage),
        Lint::WebPurposes,
        "critical",
    );
    findings.when(
        !good,
        Lint::WebPurposes,
        "serverAuth is missing, or more than clientAuth stands beside it",
    );
}
