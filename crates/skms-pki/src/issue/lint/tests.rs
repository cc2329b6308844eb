//! Each lint fires on what it is for, and alone: certificates put together from
//! parts, past everything that would refuse to write them.

use std::collections::BTreeSet;

use skms_crypto::{Algorithm, KeyMaterial};

use super::*;
use crate::certificate::KeyUsage;
use crate::issue::der;
use crate::issue::scheme::SigningScheme;
use crate::oid::{self, Oid};
use crate::parse::cursor::tag;

type Extension = (Oid<'static>, bool, Vec<u8>);

/// The parts of a certificate.
#[derive(Clone)]
struct Parts {
    version: Vec<u8>,
    serial: Vec<u8>,
    algorithm: Vec<u8>,
    issuer: Vec<u8>,
    times: [Vec<u8>; 2],
    subject: Vec<u8>,
    spki: Vec<u8>,
    unique: Vec<u8>,
    extensions: Vec<Extension>,
    shape: Shape,
}

fn name(parts: &[(Oid<'_>, u8, &str)]) -> Vec<u8> {
    der::sequence_of(parts.iter().map(|(kind, tag, text)| {
        let pair = der::sequence(&[&der::oid(*kind), &der::tlv(*tag, &[text.as_bytes()])]);
        der::tlv(tag::SET, &[&pair])
    }))
}

fn spki(algorithm: Algorithm) -> Vec<u8> {
    let material = KeyMaterial::generate(algorithm).unwrap();
    let public = material.public_key().unwrap().unwrap();
    public.spki_der().to_vec()
}

fn usage(bits: KeyUsage) -> Extension {
    (oid::KEY_USAGE, true, der::key_usage(bits))
}

fn purposes(all: &[Oid<'_>]) -> Extension {
    let value = der::sequence_of(all.iter().map(|one| der::oid(*one)));
    (oid::EXTENDED_KEY_USAGE, false, value)
}

/// subjectAltName from tags and contents.
fn alt_names(all: &[(u8, &[u8])]) -> Extension {
    let value = der::sequence_of(all.iter().map(|(tag, value)| der::tlv(*tag, &[value])));
    (oid::SUBJECT_ALT_NAME, false, value)
}

fn constraints(ca: &[u8], path_len: Option<u64>) -> Extension {
    let limit = path_len.map(der::integer).unwrap_or_default();
    (oid::BASIC_CONSTRAINTS, true, der::sequence(&[ca, &limit]))
}

const TRUE: &[u8] = &[tag::BOOLEAN, 1, 0xff];

/// 2026-11-29T12:00:00Z.
const NOW: i64 = 1_795_953_600;

impl Parts {
    /// A server's certificate with nothing wrong by the Baseline Requirements.
    fn web() -> Self {
        let time = |at: i64| der::time(Moment(at)).unwrap();
        Self {
            version: der::constructed(0, &[&der::integer(2)]),
            serial: der::tlv(tag::INTEGER, &[&[0x41; 20]]),
            algorithm: SigningScheme::for_key(Algorithm::EcP256)
                .unwrap()
                .identifier(),
            issuer: name(&[(oid::COMMON_NAME, tag::UTF8_STRING, "Root")]),
            times: [time(NOW), time(NOW + 200 * 86_400 - 1)],
            subject: name(&[(oid::COMMON_NAME, tag::UTF8_STRING, "www.skms-demo.org")]),
            spki: spki(Algorithm::EcP256),
            unique: Vec::new(),
            extensions: vec![
                (
                    oid::AUTHORITY_KEY_IDENTIFIER,
                    false,
                    der::sequence(&[&der::tlv(0x80, &[&[1; 20]])]),
                ),
                usage(KeyUsage::DIGITAL_SIGNATURE),
                purposes(&[oid::SERVER_AUTH]),
                (
                    oid::CERTIFICATE_POLICIES,
                    false,
                    der::sequence(&[&der::sequence(&[&der::oid(oid::DOMAIN_VALIDATED)])]),
                ),
                alt_names(&[(0x82, b"www.skms-demo.org")]),
                (
                    oid::AUTHORITY_INFO_ACCESS,
                    false,
                    der::sequence(&[&der::sequence(&[
                        &der::oid(oid::ACCESS_OCSP),
                        &der::tlv(0x86, &[b"http://ocsp.skms-demo.org/"]),
                    ])]),
                ),
            ],
            shape: Shape::BaselineRequirements,
        }
    }

    /// The same, by RFC 5280 alone.
    fn plain() -> Self {
        let mut parts = Self::web();
        parts.shape = Shape::Rfc5280;
        parts
    }

    /// An authority's certificate with nothing wrong.
    fn authority() -> Self {
        let mut parts = Self::plain();
        parts.extensions.truncate(1);
        let key_id = (oid::SUBJECT_KEY_IDENTIFIER, false, der::octets(&[2; 20]));
        parts
            .with(key_id)
            .with(constraints(TRUE, Some(0)))
            .with(usage(KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN)))
    }

    /// Adds an extension, or puts it in the place of one of its type.
    fn with(mut self, one: Extension) -> Self {
        self.extensions.retain(|(id, ..)| *id != one.0);
        self.extensions.push(one);
        self
    }

    fn without(mut self, id: Oid<'_>) -> Self {
        self.extensions.retain(|(other, ..)| *other != id);
        self
    }

    fn critical(mut self, id: Oid<'_>, critical: bool) -> Self {
        for one in &mut self.extensions {
            if one.0 == id {
                one.1 = critical;
            }
        }
        self
    }

    fn der(&self) -> Vec<u8> {
        let extensions = self
            .extensions
            .iter()
            .map(|(id, critical, value)| der::extension(*id, *critical, value));
        let tbs = der::sequence(&[
            &self.version,
            &self.serial,
            &self.algorithm,
            &self.issuer,
            &der::sequence(&[&self.times[0], &self.times[1]]),
            &self.subject,
            &self.spki,
            &self.unique,
            &der::constructed(3, &[&der::sequence_of(extensions)]),
        ]);
        der::sequence(&[&tbs, &self.algorithm, &der::bit_string(&[])])
    }

    fn findings(&self) -> Vec<Finding> {
        let issuing = Issuing {
            shape: self.shape,
            now: Some(Moment(NOW)),
        };
        certificate(&self.der(), &issuing)
    }
}

fn changed(mut parts: Parts, change: impl FnOnce(&mut Parts)) -> Parts {
    change(&mut parts);
    parts
}

fn subject(parts: &[(Oid<'_>, u8, &str)]) -> Parts {
    changed(Parts::plain(), |it| it.subject = name(parts))
}

/// RFC 5280's rules about fields and names.
fn fields() -> Vec<(Lint, Parts)> {
    let plain = Parts::plain;
    let serial = |bytes: &[u8]| {
        let bytes = der::tlv(tag::INTEGER, &[bytes]);
        changed(plain(), |it| it.serial = bytes)
    };
    let long = "x".repeat(65);
    let sha1 = der::sequence(&[&der::oid(oid::RSA_SHA1), &[tag::NULL, 0]]);
    let x25519 = spki(Algorithm::X25519);
    let a = der::sequence(&[&der::oid(oid::COMMON_NAME), &der::tlv(12, &[b"a"])]);
    let b = der::sequence(&[&der::oid(oid::COMMON_NAME), &der::tlv(12, &[b"b"])]);
    let out_of_order = der::sequence(&[&der::tlv(tag::SET, &[&b, &a])]);
    let generalized = der::generalized(Moment(NOW)).unwrap();
    let bmp = b"\0w\0w";
    let bmp = name(&[(
        oid::COMMON_NAME,
        tag::BMP_STRING,
        std::str::from_utf8(bmp).unwrap(),
    )]);
    vec![
        (
            Lint::Unreadable,
            changed(plain(), |it| it.issuer = vec![tag::NULL, 0]),
        ),
        (
            Lint::DuplicateExtension,
            changed(plain(), |it| it.extensions.push(it.extensions[0].clone())),
        ),
        (Lint::Serial, serial(&[0])),
        (Lint::Serial, serial(&[0x80])),
        (Lint::Serial, serial(&[1; 21])),
        (
            Lint::SignatureAlgorithm,
            changed(plain(), |it| it.algorithm = sha1),
        ),
        (
            Lint::EmptyIssuer,
            changed(plain(), |it| it.issuer = name(&[])),
        ),
        (
            Lint::TimeEncoding,
            changed(plain(), |it| it.times[0] = generalized),
        ),
        (Lint::TimeOrder, changed(plain(), |it| it.times.swap(0, 1))),
        (
            Lint::UniqueIdentifiers,
            changed(plain(), |it| it.unique = der::tlv(0x81, &[&[0, 7]])),
        ),
        (Lint::Key, changed(plain(), |it| it.spki = x25519)),
        (
            Lint::NameString,
            subject(&[(oid::COMMON_NAME, tag::TELETEX_STRING, "a")]),
        ),
        (Lint::NameString, changed(plain(), |it| it.subject = bmp)),
        (
            Lint::NameString,
            subject(&[(oid::COMMON_NAME, tag::PRINTABLE_STRING, "a*b")]),
        ),
        (
            Lint::NameString,
            subject(&[(oid::COUNTRY, tag::UTF8_STRING, "DE")]),
        ),
        (
            Lint::NameString,
            subject(&[(oid::COUNTRY, tag::PRINTABLE_STRING, "de")]),
        ),
        (
            Lint::NameLength,
            subject(&[(oid::COMMON_NAME, tag::UTF8_STRING, &long)]),
        ),
        (
            Lint::NameOrder,
            changed(plain(), |it| it.subject = out_of_order),
        ),
        (
            Lint::EmptySubject,
            changed(plain().without(oid::SUBJECT_ALT_NAME), |it| {
                it.subject = name(&[]);
            }),
        ),
        (
            Lint::EmptySubject,
            changed(Parts::authority(), |it| it.subject = name(&[])),
        ),
        (
            Lint::AltNameCritical,
            changed(plain(), |it| it.subject = name(&[])),
        ),
        (
            Lint::AltNameCritical,
            plain().critical(oid::SUBJECT_ALT_NAME, true),
        ),
    ]
}

/// RFC 5280's rules about extensions.
fn extensions() -> Vec<(Lint, Parts)> {
    let (plain, authority) = (Parts::plain, Parts::authority);
    let points = |uri: &[u8]| {
        let name = der::constructed(0, &[&der::constructed(0, &[&der::tlv(0x86, &[uri])])]);
        let value = der::sequence(&[&der::sequence(&[&name])]);
        (oid::CRL_DISTRIBUTION_POINTS, false, value)
    };
    let skip = (oid::INHIBIT_ANY_POLICY, true, der::integer(0));
    let subtree = der::sequence(&[&der::tlv(0x82, &[b"example.org"])]);
    let subtrees = der::sequence(&[&der::constructed(0, &[&subtree])]);
    let name_constraints = (oid::NAME_CONSTRAINTS, true, subtrees);
    let no_check = (oid::OCSP_NO_CHECK, false, vec![tag::NULL, 0]);
    let unknown = (oid::MGF1, true, vec![tag::NULL, 0]);
    let signs = KeyUsage::DIGITAL_SIGNATURE;
    let rsa = spki(Algorithm::Rsa2048);
    let ml_dsa = spki(Algorithm::MlDsa65);
    let mut found = vec![
        (Lint::UnknownCritical, plain().with(unknown)),
        (
            Lint::DefaultValue,
            plain().with(constraints(&[tag::BOOLEAN, 1, 0], None)),
        ),
        (
            Lint::BasicConstraints,
            plain().with(constraints(&[], Some(1))),
        ),
        (Lint::KeyUsage, plain().without(oid::KEY_USAGE)),
        (
            Lint::KeyUsage,
            plain().with(usage(signs.union(KeyUsage::KEY_CERT_SIGN))),
        ),
        (
            Lint::KeyUsage,
            authority()
                .with(constraints(TRUE, None))
                .with(usage(KeyUsage::CRL_SIGN)),
        ),
        (
            Lint::KeyUsageOfKey,
            plain().with(usage(signs.union(KeyUsage::KEY_ENCIPHERMENT))),
        ),
        (
            Lint::KeyUsageOfKey,
            changed(
                plain().with(usage(signs.union(KeyUsage::KEY_AGREEMENT))),
                |it| {
                    it.spki = rsa;
                },
            ),
        ),
        (
            Lint::KeyUsageOfKey,
            changed(
                plain().with(usage(signs.union(KeyUsage::KEY_AGREEMENT))),
                |it| {
                    it.spki = ml_dsa;
                },
            ),
        ),
        (
            Lint::ExtendedKeyUsage,
            plain().with(purposes(&[oid::SERVER_AUTH, oid::SERVER_AUTH])),
        ),
        (
            Lint::ExtendedKeyUsage,
            plain().with(usage(KeyUsage::CONTENT_COMMITMENT)),
        ),
        (
            Lint::ExtendedKeyUsage,
            plain().with(purposes(&[oid::TIME_STAMPING])),
        ),
        (
            Lint::ExtendedKeyUsage,
            plain()
                .with(purposes(&[oid::ANY_EXTENDED_KEY_USAGE]))
                .critical(oid::EXTENDED_KEY_USAGE, true),
        ),
        (
            Lint::AuthorityKeyIdentifier,
            plain().without(oid::AUTHORITY_KEY_IDENTIFIER),
        ),
        (
            Lint::AuthorityKeyIdentifier,
            plain().with((oid::AUTHORITY_KEY_IDENTIFIER, false, der::sequence(&[]))),
        ),
        (
            Lint::SubjectKeyIdentifier,
            authority().without(oid::SUBJECT_KEY_IDENTIFIER),
        ),
        (
            Lint::SubjectKeyIdentifier,
            authority().with((oid::SUBJECT_KEY_IDENTIFIER, false, der::octets(&[]))),
        ),
        (Lint::AuthorityOnly, plain().with(name_constraints.clone())),
        (Lint::AuthorityOnly, plain().with(skip.clone())),
        (Lint::Location, plain().with(points(b"/relative.crl"))),
        (Lint::Location, plain().with(points(b"file:///etc/passwd"))),
        (Lint::OcspNoCheck, plain().with(no_check.clone())),
        (
            Lint::OcspNoCheck,
            plain()
                .without(oid::EXTENDED_KEY_USAGE)
                .with(no_check.clone()),
        ),
        (
            Lint::Criticality,
            authority()
                .with(name_constraints)
                .critical(oid::NAME_CONSTRAINTS, false),
        ),
        (
            Lint::Criticality,
            authority()
                .with(skip)
                .critical(oid::INHIBIT_ANY_POLICY, false),
        ),
        (
            Lint::Criticality,
            authority().critical(oid::BASIC_CONSTRAINTS, false),
        ),
    ];
    for id in [
        oid::KEY_USAGE,
        oid::AUTHORITY_KEY_IDENTIFIER,
        oid::AUTHORITY_INFO_ACCESS,
    ] {
        let parts = plain().critical(id, id != oid::KEY_USAGE);
        found.push((Lint::Criticality, parts));
    }
    for (tag, name) in [
        (0x82, &b"exa_mple.org"[..]),
        (0x82, b" "),
        (0x82, b"f*.example.org"),
        (0x82, b"xn--pypal-4ve.org"),
        (0x81, b"nobody"),
        (0x86, b"relative"),
    ] {
        found.push((Lint::AltName, plain().with(alt_names(&[(tag, name)]))));
    }
    found
}

/// The Baseline Requirements' rules.
fn web() -> Vec<(Lint, Parts)> {
    let web = Parts::web;
    let with_name = |tag: u8, value: &[u8]| {
        web().with(alt_names(&[(0x82, b"www.skms-demo.org"), (tag, value)]))
    };
    let subject = |parts: &[(Oid<'_>, u8, &str)]| changed(web(), |it| it.subject = name(parts));
    let late = der::time(Moment(NOW + 200 * 86_400)).unwrap();
    let ed25519 = spki(Algorithm::Ed25519);
    let directory = der::constructed(4, &[&name(&[(oid::COMMON_NAME, tag::UTF8_STRING, "x")])]);
    let directory = der::constructed(0, &[&der::constructed(0, &[&directory])]);
    let directory_point = der::sequence(&[&der::sequence(&[&directory])]);
    let by_ed25519 = der::sequence(&[&der::oid(oid::ED25519)]);
    vec![
        (
            Lint::WebSerial,
            changed(web(), |it| it.serial = der::tlv(tag::INTEGER, &[&[1; 7]])),
        ),
        (Lint::WebLifetime, changed(web(), |it| it.times[1] = late)),
        (Lint::WebNames, with_name(0x82, b"host.local")),
        (Lint::WebNames, with_name(0x87, &[10, 0, 0, 1])),
        (Lint::WebNames, with_name(0x81, b"a@skms-demo.org")),
        (
            Lint::WebSubject,
            subject(&[(oid::ORGANIZATION, tag::UTF8_STRING, "Example")]),
        ),
        (
            Lint::WebCommonName,
            subject(&[(oid::COMMON_NAME, tag::UTF8_STRING, "other.skms-demo.org")]),
        ),
        (
            Lint::WebCommonName,
            subject(&[(oid::COMMON_NAME, tag::UTF8_STRING, "www.skms-demo.org"); 2]),
        ),
        (Lint::WebKey, changed(web(), |it| it.spki = ed25519)),
        (
            Lint::WebSignature,
            changed(web(), |it| it.algorithm = by_ed25519),
        ),
        (
            Lint::WebKeyUsage,
            web().with(usage(
                KeyUsage::DIGITAL_SIGNATURE.union(KeyUsage::CONTENT_COMMITMENT),
            )),
        ),
        (
            Lint::WebPurposes,
            web().with(purposes(&[oid::SERVER_AUTH, oid::MGF1])),
        ),
        (Lint::WebPolicies, web().without(oid::CERTIFICATE_POLICIES)),
        (
            Lint::WebRevocation,
            web().without(oid::AUTHORITY_INFO_ACCESS),
        ),
        (
            Lint::WebPurposes,
            web().critical(oid::EXTENDED_KEY_USAGE, true),
        ),
        // A distribution point that is a directory name.
        (
            Lint::WebForm,
            web().with((oid::CRL_DISTRIBUTION_POINTS, false, directory_point)),
        ),
    ]
}

fn lints(parts: &Parts) -> Vec<Lint> {
    let mut all: Vec<Lint> = parts.findings().iter().map(|one| one.lint).collect();
    all.dedup();
    all
}

#[test]
fn nothing_fires_on_what_is_right() {
    for parts in [Parts::web(), Parts::plain(), Parts::authority()] {
        assert_eq!(parts.findings(), []);
    }
    let mut web_authority = Parts::authority();
    web_authority.shape = Shape::BaselineRequirements;
    assert_eq!(web_authority.findings(), []);
    // A self-signed root needs no authorityKeyIdentifier.
    let root = changed(Parts::authority(), |it| it.subject = it.issuer.clone());
    assert_eq!(root.without(oid::AUTHORITY_KEY_IDENTIFIER).findings(), []);
    // So short that nobody need ask about it.
    let short = changed(Parts::web(), |it| {
        it.times[1] = der::time(Moment(NOW + 86_400)).unwrap();
    });
    assert_eq!(short.without(oid::AUTHORITY_INFO_ACCESS).findings(), []);
}

#[test]
fn each_lint_fires_alone_on_what_it_is_for() {
    let mut fired = BTreeSet::new();
    let version_1 = changed(Parts::plain(), |it| it.version.clear());
    // Before version 3 there are no extensions: the reader says so.
    assert_eq!(lints(&version_1), [Lint::Unreadable]);
    for (lint, parts) in fields().into_iter().chain(extensions()) {
        let found = parts.findings();
        assert_eq!(lints(&parts), [lint], "{found:?}");
        fired.insert(lint);
    }
    // The web's rules come on top of what validation itself refuses.
    for (lint, parts) in web() {
        let found = lints(&parts);
        assert!(found.contains(&lint), "{lint}: {:?}", parts.findings());
        let others: Vec<_> = found
            .iter()
            .filter(|one| **one != lint && **one != Lint::WebForm)
            .collect();
        assert!(others.is_empty(), "{lint}: {others:?}");
        fired.insert(lint);
    }
    let silent: Vec<_> = Lint::all()
        .iter()
        .filter(|lint| !fired.contains(lint) && **lint != Lint::Version)
        .collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn version_fires_where_there_are_no_extensions() {
    let parts = Parts::plain();
    let tbs = der::sequence(&[
        &parts.serial,
        &parts.algorithm,
        &parts.issuer,
        &der::sequence(&[&parts.times[0], &parts.times[1]]),
        &parts.subject,
        &parts.spki,
    ]);
    let der = der::sequence(&[&tbs, &parts.algorithm, &der::bit_string(&[])]);
    let found = certificate(&der, &Issuing::default());
    assert!(found.iter().any(|one| one.lint == Lint::Version));
}

#[test]
fn the_schedule_of_lifetimes() {
    // Each the last and the first second by `date -u`.
    for (moment, days) in [
        (1_773_532_799, 398),
        (1_773_532_800, 200),
        (1_805_068_799, 200),
        (1_805_068_800, 100),
        (1_868_227_199, 100),
        (1_868_227_200, 47),
    ] {
        assert_eq!(baseline_days(Moment(moment)), days);
    }
}

#[test]
fn names_are_unique_and_findings_say_where() {
    let names: BTreeSet<_> = Lint::all().iter().map(|lint| lint.name()).collect();
    assert_eq!(names.len(), Lint::all().len());
    let parts = changed(Parts::plain(), |it| it.issuer = name(&[]));
    let found = parts.findings();
    assert_eq!(
        found[0].to_string(),
        "empty-issuer: empty (RFC 5280, 4.1.2.4)"
    );
}
