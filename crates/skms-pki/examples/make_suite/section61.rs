//! Section 6.1: basic path validation, all but policies.

use crate::der::{
    General, basic_constraints, key_usage, name_constraints, name_spelt_otherwise,
    subject_alt_name, unknown,
};
use crate::maker::{Cert, Maker, Result};
use skms_crypto::Algorithm;

pub fn make(m: &mut Maker) -> Result<()> {
    basics(m)?;
    algorithms(m)?;
    names(m)?;
    other_names(m)?;
    issuers(m)
}

/// 6.1.1 to 6.1.3(a).
fn basics(m: &mut Maker) -> Result<()> {
    m.authority(Cert::ca("Root", "Root"))?;
    m.authority(Cert::ca("CA", "Root"))?;
    m.cert(Cert::leaf("Leaf", "CA"))?;
    m.case(
        "6.1.1(a), (d): a path below the anchor",
        "valid",
        &["Root", "CA", "Leaf"],
        true,
    )?;
    m.cert(Cert::leaf("Leaf of Root", "Root"))?;
    m.case(
        "6.1.1(a), (d): a path below the anchor",
        "valid-short",
        &["Root", "Leaf of Root"],
        true,
    )?;
    m.case(
        "6.1.1(a), (d): a path below the anchor",
        "no-path",
        &["Root", "Leaf"],
        false,
    )?;
    m.authority(Cert::ca("Other Root", "Other Root"))?;
    let step = "6.1.1(a), (d): a path below the anchor";
    m.case(
        step,
        "another-anchor",
        &["Other Root", "Root", "CA", "Leaf"],
        false,
    )?;

    let step = "6.1.3(a)(1): the signature";
    m.cert(Cert::leaf("Damaged Leaf", "CA").damaged())?;
    m.case(
        step,
        "leaf-signature-damaged",
        &["Root", "CA", "Damaged Leaf"],
        false,
    )?;
    m.authority(Cert::ca("Damaged CA", "Root").damaged())?;
    m.cert(Cert::leaf("Leaf of Damaged CA", "Damaged CA"))?;
    m.case(
        step,
        "ca-signature-damaged",
        &["Root", "Damaged CA", "Leaf of Damaged CA"],
        false,
    )?;
    m.cert(Cert::leaf("Forged Leaf", "CA").signer("Other Root"))?;
    m.case(
        step,
        "signed-with-another-key",
        &["Root", "CA", "Forged Leaf"],
        false,
    )?;

    let step = "6.1.1(b), 6.1.3(a)(2): the validity period";
    m.cert(Cert::leaf("Expired", "CA").validity("250101000000Z", "300615115959Z"))?;
    m.case(
        step,
        "leaf-expired-a-second-ago",
        &["Root", "CA", "Expired"],
        false,
    )?;
    m.cert(Cert::leaf("Last Second", "CA").validity("250101000000Z", "300615120000Z"))?;
    m.case(
        step,
        "leaf-in-its-last-second",
        &["Root", "CA", "Last Second"],
        true,
    )?;
    m.cert(Cert::leaf("Not Yet", "CA").validity("300615120001Z", "401231235959Z"))?;
    m.case(
        step,
        "leaf-valid-in-a-second",
        &["Root", "CA", "Not Yet"],
        false,
    )?;
    m.cert(Cert::leaf("First Second", "CA").validity("300615120000Z", "401231235959Z"))?;
    m.case(
        step,
        "leaf-in-its-first-second",
        &["Root", "CA", "First Second"],
        true,
    )?;
    m.authority(Cert::ca("Expired CA", "Root").validity("250101000000Z", "300101000000Z"))?;
    m.cert(Cert::leaf("Leaf of Expired CA", "Expired CA"))?;
    m.case(
        step,
        "ca-expired",
        &["Root", "Expired CA", "Leaf of Expired CA"],
        false,
    )?;

    let step = "6.1.3(a)(4), 6.1.4(c): the chain of names";
    m.cert(Cert::leaf("Misnamed", "Nobody").signer("CA"))?;
    m.case(
        step,
        "issuer-is-another",
        &["Root", "CA", "Misnamed"],
        false,
    )?;
    m.cert(Cert::leaf("Spelt", "CA").issuer_der(name_spelt_otherwise("CA")))?;
    m.case(
        step,
        "issuer-spelt-otherwise",
        &["Root", "CA", "Spelt"],
        true,
    )?;

    let step = "6.1.4(d), (e), (f): the working public key";
    m.authority(Cert::ca("Sub", "CA"))?;
    m.cert(Cert::leaf("Leaf of Sub", "Sub"))?;
    m.case(
        step,
        "each-key-in-turn",
        &["Root", "CA", "Sub", "Leaf of Sub"],
        true,
    )?;
    m.cert(Cert::leaf("Skips Sub", "Sub").signer("CA"))?;
    m.case(
        step,
        "signed-with-the-key-above",
        &["Root", "CA", "Sub", "Skips Sub"],
        false,
    )
}

/// 6.1.3(a)(1) with every kind of key.
fn algorithms(m: &mut Maker) -> Result<()> {
    let step = "6.1.3(a)(1), 6.1.4(d)–(f): every kind of key";
    for algorithm in [
        Algorithm::EcP384,
        Algorithm::EcP521,
        Algorithm::Ed25519,
        Algorithm::Rsa2048,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
        Algorithm::SlhDsaSha2_128s,
        Algorithm::SlhDsaShake128s,
    ] {
        let name = algorithm.name();
        let (ca, leaf, bad) = (
            format!("{name} CA"),
            format!("{name} leaf"),
            format!("{name} bad"),
        );
        m.algorithm(&ca, algorithm);
        m.authority(Cert::ca(&ca, "Root"))?;
        m.cert(Cert::leaf(&leaf, &ca))?;
        m.case(step, &format!("{name}-good"), &["Root", &ca, &leaf], true)?;
        m.cert(Cert::leaf(&bad, &ca).damaged())?;
        m.case(
            step,
            &format!("{name}-damaged"),
            &["Root", &ca, &bad],
            false,
        )?;
    }
    Ok(())
}

/// 6.1.2(b), (c), 6.1.3(b), (c) and 6.1.4(g).
fn names(m: &mut Maker) -> Result<()> {
    let dns = |name| subject_alt_name(&[General::Dns(name)]);
    let step = "6.1.2(b), 6.1.3(b), 6.1.4(g)(1): permitted subtrees";
    let permitted = name_constraints(&[General::Dns("a.test")], &[]);
    m.authority(Cert::ca("NC", "Root").with(permitted))?;
    m.cert(Cert::leaf("NC in", "NC").with(dns("x.a.test")))?;
    m.case(step, "dns-permitted", &["Root", "NC", "NC in"], true)?;
    m.cert(Cert::leaf("NC out", "NC").with(dns("b.test")))?;
    m.case(step, "dns-not-permitted", &["Root", "NC", "NC out"], false)?;
    m.cert(Cert::leaf("NC lookalike", "NC").with(dns("xa.test")))?;
    m.case(
        step,
        "dns-not-at-a-label",
        &["Root", "NC", "NC lookalike"],
        false,
    )?;
    m.cert(
        Cert::leaf("NC other form", "NC").with(subject_alt_name(&[General::Email("a@b.test")])),
    )?;
    m.case(
        step,
        "other-forms-are-free",
        &["Root", "NC", "NC other form"],
        true,
    )?;
    let wider = name_constraints(&[General::Dns("a.test"), General::Dns("b.test")], &[]);
    m.authority(Cert::ca("NC wider", "NC").with(wider))?;
    m.cert(Cert::leaf("NC wider out", "NC wider").with(dns("b.test")))?;
    m.case(
        step,
        "intersection-not-widened",
        &["Root", "NC", "NC wider", "NC wider out"],
        false,
    )?;
    m.cert(Cert::leaf("NC wider in", "NC wider").with(dns("a.test")))?;
    m.case(
        step,
        "intersection",
        &["Root", "NC", "NC wider", "NC wider in"],
        true,
    )?;

    let step = "6.1.2(c), 6.1.3(c), 6.1.4(g)(2): excluded subtrees";
    let excluded = name_constraints(&[], &[General::Dns("bad.a.test")]);
    m.authority(Cert::ca("NC excl", "NC").with(excluded))?;
    m.cert(Cert::leaf("NC excl out", "NC excl").with(dns("x.bad.a.test")))?;
    m.case(
        step,
        "dns-excluded",
        &["Root", "NC", "NC excl", "NC excl out"],
        false,
    )?;
    m.cert(Cert::leaf("NC excl in", "NC excl").with(dns("good.a.test")))?;
    m.case(
        step,
        "dns-not-excluded",
        &["Root", "NC", "NC excl", "NC excl in"],
        true,
    )?;
    m.cert(Cert::leaf("NC excl wild", "NC excl").with(dns("*.a.test")))?;
    m.case(
        step,
        "wildcard-over-an-excluded-name",
        &["Root", "NC", "NC excl", "NC excl wild"],
        false,
    )?;
    m.cert(Cert::leaf("NC excl still", "NC excl").with(dns("b.test")))?;
    m.case(
        step,
        "permitted-above-still-counts",
        &["Root", "NC", "NC excl", "NC excl still"],
        false,
    )?;

    let step = "6.1.3(b), (c): self-issued intermediates are exempt";
    let rolled = Cert::ca("NC rolled", "NC")
        .subject("NC")
        .with(dns("b.test"));
    m.cert(rolled)?;
    m.list(crate::maker::List::new("NC rolled", "NC").signer("NC rolled"))?;
    m.cert(
        Cert::leaf("NC rolled in", "NC")
            .signer("NC rolled")
            .with(dns("a.test")),
    )?;
    m.case(
        step,
        "self-issued-intermediate",
        &["Root", "NC", "NC rolled", "NC rolled in"],
        true,
    )?;
    m.cert(
        Cert::leaf("NC self", "NC")
            .subject("NC")
            .with(dns("b.test")),
    )?;
    m.case(
        step,
        "self-issued-target-is-not",
        &["Root", "NC", "NC self"],
        false,
    )
}

/// The other forms of names.
fn other_names(m: &mut Maker) -> Result<()> {
    let step = "6.1.3(b), (c): every form of name";
    let forms = name_constraints(
        &[
            General::Email("mail.test"),
            General::Email("ann@desk.test"),
            General::Uri(".web.test"),
            General::Ip(&[192, 0, 2, 0, 255, 255, 255, 0]),
            General::Directory("Forms"),
        ],
        &[
            General::Ip(&[192, 0, 2, 128, 255, 255, 255, 128]),
            General::Registered,
        ],
    );
    m.authority(Cert::ca("Forms", "Root").subject("Forms").with(forms))?;
    let mut leaf = |id: &str, name: General, good: bool| -> Result<()> {
        let subject = format!("Forms/{id}");
        let cert = Cert::leaf(id, "Forms")
            .subject(&subject)
            .with(subject_alt_name(&[name]));
        m.cert(cert)?;
        m.case(step, id, &["Root", "Forms", id], good)
    };
    leaf("email-host", General::Email("anyone@MAIL.test"), true)?;
    leaf(
        "email-host-below",
        General::Email("anyone@x.mail.test"),
        false,
    )?;
    leaf("email-mailbox", General::Email("ann@desk.test"), true)?;
    leaf(
        "email-other-mailbox",
        General::Email("bob@desk.test"),
        false,
    )?;
    leaf("email-malformed", General::Email("a@b@mail.test"), false)?;
    leaf(
        "uri-below-domain",
        General::Uri("https://www.web.test:1/x"),
        true,
    )?;
    leaf(
        "uri-domain-itself",
        General::Uri("https://web.test/"),
        false,
    )?;
    leaf("uri-without-host", General::Uri("urn:web.test"), false)?;
    leaf("ip-permitted", General::Ip(&[192, 0, 2, 1]), true)?;
    leaf("ip-excluded", General::Ip(&[192, 0, 2, 129]), false)?;
    leaf("ip-elsewhere", General::Ip(&[192, 0, 3, 1]), false)?;
    leaf("directory-permitted", General::Directory("Forms/x"), true)?;
    leaf("directory-elsewhere", General::Directory("Other/x"), false)?;
    leaf("form-that-cannot-be-judged", General::Registered, false)?;
    m.cert(Cert::leaf("subject-elsewhere", "Forms"))?;
    m.case(
        step,
        "subject-elsewhere",
        &["Root", "Forms", "subject-elsewhere"],
        false,
    )
}

/// 6.1.4(k)–(o), 6.1.5(f).
fn issuers(m: &mut Maker) -> Result<()> {
    let step = "6.1.4(k): basicConstraints";
    m.authority(Cert::ca("No BC", "Root").without(basic_constraints(true, None)))?;
    m.cert(Cert::leaf("No BC leaf", "No BC"))?;
    m.case(
        step,
        "no-basic-constraints",
        &["Root", "No BC", "No BC leaf"],
        false,
    )?;
    m.authority(Cert::ca("Not CA", "Root").with(basic_constraints(false, None)))?;
    m.cert(Cert::leaf("Not CA leaf", "Not CA"))?;
    m.case(
        step,
        "ca-is-false",
        &["Root", "Not CA", "Not CA leaf"],
        false,
    )?;
    m.authority(Cert::ca("V1", "Root").version(1))?;
    m.cert(Cert::leaf("V1 leaf", "V1"))?;
    m.case(
        step,
        "version-1-authority",
        &["Root", "V1", "V1 leaf"],
        false,
    )?;
    m.cert(Cert::leaf("V1 target", "CA").version(1))?;
    m.case(step, "version-1-target", &["Root", "CA", "V1 target"], true)?;

    let step = "6.1.2(k), 6.1.4(l), (m): path lengths";
    m.authority(Cert::ca("L0", "Root").with(basic_constraints(true, Some(0))))?;
    m.cert(Cert::leaf("L0 leaf", "L0"))?;
    m.case(step, "path-length-zero", &["Root", "L0", "L0 leaf"], true)?;
    m.authority(Cert::ca("L0 sub", "L0"))?;
    m.cert(Cert::leaf("L0 sub leaf", "L0 sub"))?;
    m.case(
        step,
        "path-length-exceeded",
        &["Root", "L0", "L0 sub", "L0 sub leaf"],
        false,
    )?;
    m.cert(Cert::ca("L0 rolled", "L0").subject("L0"))?;
    m.list(crate::maker::List::new("L0 rolled", "L0").signer("L0 rolled"))?;
    m.cert(Cert::leaf("L0 rolled leaf", "L0").signer("L0 rolled"))?;
    let path = ["Root", "L0", "L0 rolled", "L0 rolled leaf"];
    m.case(step, "path-length-not-counted-by-self-issued", &path, true)?;
    m.cert(Cert::ca("L0 target", "L0"))?;
    m.case(
        step,
        "path-length-not-counted-by-the-target",
        &["Root", "L0", "L0 target"],
        true,
    )?;
    m.authority(Cert::ca("L1", "Root").with(basic_constraints(true, Some(1))))?;
    m.authority(Cert::ca("L1 sub", "L1").with(basic_constraints(true, Some(9))))?;
    m.authority(Cert::ca("L1 subsub", "L1 sub"))?;
    m.cert(Cert::leaf("L1 leaf", "L1 subsub"))?;
    let path = ["Root", "L1", "L1 sub", "L1 subsub", "L1 leaf"];
    m.case(step, "path-length-not-raised", &path, false)?;

    let step = "6.1.4(n): keyCertSign";
    m.authority(Cert::ca("No sign", "Root").with(key_usage(&[6])))?;
    m.cert(Cert::leaf("No sign leaf", "No sign"))?;
    m.case(
        step,
        "no-key-cert-sign",
        &["Root", "No sign", "No sign leaf"],
        false,
    )?;
    m.authority(Cert::ca("No usage", "Root").without(key_usage(&[])))?;
    m.cert(Cert::leaf("No usage leaf", "No usage"))?;
    m.case(
        step,
        "no-key-usage-at-all",
        &["Root", "No usage", "No usage leaf"],
        true,
    )?;

    let step = "6.1.4(o), 6.1.5(f): critical extensions";
    m.authority(Cert::ca("Crit", "Root").with(unknown(true)))?;
    m.cert(Cert::leaf("Crit leaf", "Crit"))?;
    m.case(
        step,
        "unknown-critical-in-ca",
        &["Root", "Crit", "Crit leaf"],
        false,
    )?;
    m.cert(Cert::leaf("Crit target", "CA").with(unknown(true)))?;
    m.case(
        step,
        "unknown-critical-in-leaf",
        &["Root", "CA", "Crit target"],
        false,
    )?;
    m.authority(Cert::ca("Uncrit", "Root").with(unknown(false)))?;
    m.cert(Cert::leaf("Uncrit leaf", "Uncrit").with(unknown(false)))?;
    m.case(
        step,
        "unknown-not-critical",
        &["Root", "Uncrit", "Uncrit leaf"],
        true,
    )
}
