//! Section 6.3: revocation by lists.

use crate::der::{
    At, General, Point, Scope, certificate_issuer, crl_number, delta_base, distribution_points,
    issuing_distribution_point, key_usage, reason, unknown,
};
use crate::maker::{Cert, List, Maker, Result};

pub fn make(m: &mut Maker) -> Result<()> {
    currency(m)?;
    issuers_and_scopes(m)?;
    points(m)?;
    deltas(m)?;
    reasons(m)?;
    signers(m)?;
    entries(m)
}

fn uri(text: &'static str) -> Option<Point> {
    Some(Point::Full(General::Uri(text)))
}

/// 6.1.3(a)(3), 6.3.3(a), (j).
fn currency(m: &mut Maker) -> Result<()> {
    let path = ["Root", "CA", "Leaf"];
    let step = "6.1.3(a)(3), 6.3.3(j): the certificate is not on the list";
    m.list(List::new("CA revokes", "CA").revoke("Leaf"))?;
    m.revocation(step, "leaf-revoked", &path, &["Root", "CA revokes"], false)?;
    m.list(List::new("Root revokes CA", "Root").revoke("CA"))?;
    m.revocation(step, "ca-revoked", &path, &["Root revokes CA", "CA"], false)?;
    m.list(List::new("CA revokes another", "CA").revoke("Expired"))?;
    m.revocation(
        step,
        "another-revoked",
        &path,
        &["Root", "CA revokes another"],
        true,
    )?;
    m.revocation(step, "no-list-of-the-ca", &path, &["Root"], false)?;
    m.revocation(step, "no-list-of-the-root", &path, &["CA"], false)?;
    m.revocation(step, "no-list-at-all", &path, &[], false)?;

    let step = "6.3.3(a): the list is current";
    m.list(List::new("CA stale", "CA").times("300501000000Z", "300615115959Z"))?;
    m.revocation(
        step,
        "list-out-of-date",
        &path,
        &["Root", "CA stale"],
        false,
    )?;
    m.list(List::new("CA last second", "CA").times("300501000000Z", "300615120000Z"))?;
    m.revocation(
        step,
        "list-in-its-last-second",
        &path,
        &["Root", "CA last second"],
        true,
    )?;
    m.list(List::new("CA early", "CA").times("300615120001Z", "300701000000Z"))?;
    m.revocation(
        step,
        "list-of-the-future",
        &path,
        &["Root", "CA early"],
        false,
    )?;
    let both = ["Root", "CA stale", "CA"];
    m.revocation(step, "stale-beside-current", &path, &both, true)?;
    let newer = List::new("CA newer", "CA")
        .with(crl_number(11))
        .revoke("Leaf");
    m.list(newer.times("300610000000Z", "300701000000Z"))?;
    m.revocation(
        step,
        "newer-list-counts",
        &path,
        &["Root", "CA", "CA newer"],
        false,
    )
}

/// 6.3.3(b).
fn issuers_and_scopes(m: &mut Maker) -> Result<()> {
    let path = ["Root", "CA", "Leaf"];
    let step = "6.3.3(b)(1): the list's issuer";
    m.list(List::new("Other list", "Other Root"))?;
    m.revocation(
        step,
        "list-of-another-issuer",
        &path,
        &["Root", "Other list"],
        false,
    )?;
    m.revocation(step, "list-of-the-ca-above", &path, &["Root"], false)?;

    let scoped = |scope: Scope| issuing_distribution_point(&scope);
    let step = "6.3.3(b)(2)(ii), (iii), (iv): kinds of certificates";
    m.list(List::new("CA users", "CA").with(scoped(Scope {
        users: true,
        ..Scope::default()
    })))?;
    m.revocation(
        step,
        "only-users-for-a-user",
        &path,
        &["Root", "CA users"],
        true,
    )?;
    m.list(List::new("CA authorities", "CA").with(scoped(Scope {
        authorities: true,
        ..Scope::default()
    })))?;
    m.revocation(
        step,
        "only-authorities-for-a-user",
        &path,
        &["Root", "CA authorities"],
        false,
    )?;
    m.list(List::new("Root users", "Root").with(scoped(Scope {
        users: true,
        ..Scope::default()
    })))?;
    m.revocation(
        step,
        "only-users-for-an-authority",
        &path,
        &["Root users", "CA"],
        false,
    )?;
    m.list(List::new("Root authorities", "Root").with(scoped(Scope {
        authorities: true,
        ..Scope::default()
    })))?;
    let lists = ["Root authorities", "CA"];
    m.revocation(
        step,
        "only-authorities-for-an-authority",
        &path,
        &lists,
        true,
    )?;
    m.list(List::new("CA attributes", "CA").with(scoped(Scope {
        attributes: true,
        ..Scope::default()
    })))?;
    m.revocation(
        step,
        "only-attribute-certificates",
        &path,
        &["Root", "CA attributes"],
        false,
    )
}

/// 6.3.3(b)(2)(i), and indirect lists.
fn points(m: &mut Maker) -> Result<()> {
    let scoped = |scope: Scope| issuing_distribution_point(&scope);
    let step = "6.3.3(b)(2)(i): the distribution point's name";
    let at = |name| At {
        name,
        ..At::default()
    };
    m.cert(Cert::leaf("DP leaf", "CA").with(distribution_points(&[at(uri("http://x.test/1"))])))?;
    let path = ["Root", "CA", "DP leaf"];
    m.list(List::new("CA point 1", "CA").with(scoped(Scope {
        name: uri("http://x.test/1"),
        ..Scope::default()
    })))?;
    m.list(List::new("CA point 2", "CA").with(scoped(Scope {
        name: uri("http://x.test/2"),
        ..Scope::default()
    })))?;
    m.revocation(step, "point-matches", &path, &["Root", "CA point 1"], true)?;
    m.revocation(
        step,
        "point-of-another-list",
        &path,
        &["Root", "CA point 2"],
        false,
    )?;
    m.revocation(
        step,
        "point-and-a-list-of-everything",
        &path,
        &["Root", "CA"],
        true,
    )?;
    let path = ["Root", "CA", "Leaf"];
    m.revocation(
        step,
        "list-of-a-point-no-point",
        &path,
        &["Root", "CA point 1"],
        false,
    )?;
    m.list(List::new("CA point own", "CA").with(scoped(Scope {
        name: Some(Point::Full(General::Directory("CA"))),
        ..Scope::default()
    })))?;
    m.revocation(
        step,
        "list-of-the-issuers-name",
        &path,
        &["Root", "CA point own"],
        true,
    )?;
    let relative = At {
        name: Some(Point::Relative("part")),
        ..At::default()
    };
    m.cert(Cert::leaf("DP relative", "CA").with(distribution_points(&[relative])))?;
    let path = ["Root", "CA", "DP relative"];
    m.list(List::new("CA relative", "CA").with(scoped(Scope {
        name: Some(Point::Relative("part")),
        ..Scope::default()
    })))?;
    m.revocation(
        step,
        "relative-matches-relative",
        &path,
        &["Root", "CA relative"],
        true,
    )?;
    m.list(List::new("CA relative full", "CA").with(scoped(Scope {
        name: Some(Point::Full(General::Directory("CA/part"))),
        ..Scope::default()
    })))?;
    m.revocation(
        step,
        "relative-matches-full",
        &path,
        &["Root", "CA relative full"],
        true,
    )?;
    m.list(List::new("CA relative other", "CA").with(scoped(Scope {
        name: Some(Point::Relative("other")),
        ..Scope::default()
    })))?;
    m.revocation(
        step,
        "relative-of-another",
        &path,
        &["Root", "CA relative other"],
        false,
    )?;

    let step = "6.3.3(b)(1): cRLIssuer, and indirect lists";
    m.cert(Cert::leaf("Signer", "Root").with(key_usage(&[6])))?;
    let elsewhere = At {
        signer: Some("Signer"),
        ..At::default()
    };
    m.cert(Cert::leaf("Indirect", "CA").with(distribution_points(&[elsewhere])))?;
    let path = ["Root", "CA", "Signer", "Indirect"];
    let indirect = || {
        scoped(Scope {
            indirect: true,
            ..Scope::default()
        })
    };
    m.list(List::new("Signer good", "Signer").with(indirect()))?;
    m.revocation(
        step,
        "indirect",
        &path,
        &["Root", "CA", "Signer good"],
        true,
    )?;
    m.list(List::new("Signer direct", "Signer"))?;
    m.revocation(
        step,
        "signer-without-indirect",
        &path,
        &["Root", "CA", "Signer direct"],
        false,
    )?;
    m.revocation(
        step,
        "signer-named-but-only-the-issuers",
        &path,
        &["Root", "CA"],
        false,
    )?;
    m.list(
        List::new("Signer revokes", "Signer")
            .with(indirect())
            .revoke_with("Indirect", vec![certificate_issuer("CA")]),
    )?;
    m.revocation(
        step,
        "indirect-revoked",
        &path,
        &["Root", "CA", "Signer revokes"],
        false,
    )?;
    m.list(
        List::new("Signer own", "Signer")
            .with(indirect())
            .revoke("Indirect"),
    )?;
    let lists = ["Root", "CA", "Signer own"];
    m.revocation(
        step,
        "indirect-entry-of-the-signer-itself",
        &path,
        &lists,
        true,
    )?;
    m.list(
        List::new("Signer sticky", "Signer")
            .with(indirect())
            .revoke_with("Expired", vec![certificate_issuer("CA")])
            .revoke("Indirect"),
    )?;
    let lists = ["Root", "CA", "Signer sticky"];
    m.revocation(
        step,
        "indirect-entry-of-the-issuer-before",
        &path,
        &lists,
        false,
    )
}

/// 6.3.3(a)(1), (c), (h), (i), (k).
fn deltas(m: &mut Maker) -> Result<()> {
    let path = ["Root", "CA", "Leaf"];
    let delta = |file: &str, base, number| {
        List::new(file, "CA")
            .with(delta_base(base))
            .with(crl_number(number))
    };
    let step = "6.3.3(a)(2), (h), (i): delta lists";
    m.list(delta("CA delta", 10, 12).revoke("Leaf"))?;
    m.revocation(
        step,
        "delta-revokes",
        &path,
        &["Root", "CA", "CA delta"],
        false,
    )?;
    m.list(delta("CA delta empty", 10, 12))?;
    m.revocation(
        step,
        "delta-says-nothing",
        &path,
        &["Root", "CA", "CA delta empty"],
        true,
    )?;
    let lists = ["Root", "CA revokes", "CA delta empty"];
    m.revocation(
        step,
        "delta-says-nothing-base-revokes",
        &path,
        &lists,
        false,
    )?;
    m.revocation(
        step,
        "delta-without-base",
        &path,
        &["Root", "CA delta empty"],
        false,
    )?;
    m.list(delta("CA delta damaged", 10, 12).revoke("Leaf").damaged())?;
    let lists = ["Root", "CA", "CA delta damaged"];
    m.revocation(step, "delta-with-a-bad-signature", &path, &lists, true)?;

    let step = "6.3.3(k): removeFromCRL";
    m.list(List::new("CA holds", "CA").revoke_with("Leaf", vec![reason(6)]))?;
    m.revocation(step, "on-hold", &path, &["Root", "CA holds"], false)?;
    m.list(delta("CA delta removes", 10, 12).revoke_with("Leaf", vec![reason(8)]))?;
    let lists = ["Root", "CA holds", "CA delta removes"];
    m.revocation(step, "hold-removed-by-the-delta", &path, &lists, true)?;

    let step = "6.3.3(c), 5.2.4: which delta belongs to which list";
    m.list(delta("CA delta later base", 11, 12).revoke("Leaf"))?;
    let lists = ["Root", "CA", "CA delta later base"];
    m.revocation(step, "delta-from-a-later-base", &path, &lists, true)?;
    m.list(delta("CA delta older", 9, 10).revoke("Leaf"))?;
    m.revocation(
        step,
        "delta-no-newer-than-the-list",
        &path,
        &["Root", "CA", "CA delta older"],
        true,
    )?;
    m.list(
        delta("CA delta scoped", 10, 12)
            .revoke("Leaf")
            .with(issuing_distribution_point(&Scope {
                users: true,
                ..Scope::default()
            })),
    )?;
    let lists = ["Root", "CA", "CA delta scoped"];
    m.revocation(step, "delta-of-another-scope", &path, &lists, true)?;
    let lists = ["Root", "CA users", "CA delta scoped"];
    m.revocation(step, "delta-of-the-same-scope", &path, &lists, false)?;
    m.list(
        List::new("Root delta", "Root")
            .with(delta_base(10))
            .with(crl_number(12))
            .revoke("Leaf"),
    )?;
    m.revocation(
        step,
        "delta-of-another-issuer",
        &path,
        &["Root", "CA", "Root delta"],
        true,
    )?;

    let step = "6.3.3(a)(1)(i): a delta refreshes a list out of date";
    let lists = ["Root", "CA stale", "CA delta empty"];
    m.revocation(step, "stale-list-with-a-current-delta", &path, &lists, true)?;
    m.list(delta("CA delta stale", 10, 12).times("300501000000Z", "300601000000Z"))?;
    let lists = ["Root", "CA stale", "CA delta stale"];
    m.revocation(step, "stale-list-with-a-stale-delta", &path, &lists, false)
}

/// 6.3.3(d), (e), (l).
fn reasons(m: &mut Maker) -> Result<()> {
    let step = "6.3.3(d), (e), (l): reasons add up";
    let some = |file: &str, reasons| {
        List::new(file, "CA").with(issuing_distribution_point(&Scope {
            reasons: Some(reasons),
            ..Scope::default()
        }))
    };
    let path = ["Root", "CA", "Leaf"];
    m.list(some("CA compromise", &[1, 2]))?;
    m.list(some("CA the rest", &[3, 4, 5, 6, 7, 8]))?;
    m.revocation(
        step,
        "some-reasons-only",
        &path,
        &["Root", "CA compromise"],
        false,
    )?;
    let both = ["Root", "CA compromise", "CA the rest"];
    m.revocation(step, "reasons-add-up", &path, &both, true)?;
    m.list(some("CA the rest revokes", &[3, 4, 5, 6, 7, 8]).revoke("Leaf"))?;
    let both = ["Root", "CA compromise", "CA the rest revokes"];
    m.revocation(step, "revoked-by-the-second", &path, &both, false)?;
    m.revocation(
        step,
        "all-reasons-at-once",
        &path,
        &["Root", "CA compromise", "CA"],
        true,
    )?;
    let part = |reasons, name| At {
        name: uri(name),
        reasons: Some(reasons),
        signer: None,
    };
    let halves = [
        part(&[1, 2], "http://x.test/1"),
        part(&[3, 4, 5, 6, 7, 8], "http://x.test/2"),
    ];
    m.cert(Cert::leaf("Halves", "CA").with(distribution_points(&halves)))?;
    let path = ["Root", "CA", "Halves"];
    m.revocation(
        step,
        "one-point-of-two",
        &path,
        &["Root", "CA point 1"],
        false,
    )?;
    let both = ["Root", "CA point 1", "CA point 2"];
    m.revocation(step, "both-points", &path, &both, true)
}

/// 6.3.3(f), (g).
fn signers(m: &mut Maker) -> Result<()> {
    let path = ["Root", "CA", "Leaf"];
    let step = "6.3.3(g): the list's signature";
    m.list(List::new("CA damaged", "CA").damaged())?;
    m.revocation(step, "list-damaged", &path, &["Root", "CA damaged"], false)?;
    m.revocation(
        step,
        "damaged-beside-good",
        &path,
        &["Root", "CA damaged", "CA"],
        true,
    )?;
    m.list(List::new("CA forged", "CA").signer("Other Root"))?;
    m.revocation(
        step,
        "list-signed-by-another",
        &path,
        &["Root", "CA forged"],
        false,
    )?;

    let step = "6.3.3(f): the list issuer's certificate and cRLSign";
    m.authority(Cert::ca("No lists", "Root").with(key_usage(&[5])))?;
    m.cert(Cert::leaf("No lists leaf", "No lists"))?;
    m.case(
        step,
        "no-crl-sign",
        &["Root", "No lists", "No lists leaf"],
        false,
    )?;
    let other = Cert::leaf("No lists signer", "Root").subject("No lists");
    m.cert(other.with(key_usage(&[6])))?;
    m.list(List::new("No lists 2", "No lists").signer("No lists signer"))?;
    let path = ["Root", "No lists", "No lists signer", "No lists leaf"];
    m.revocation(
        step,
        "separate-key-for-lists",
        &path,
        &["Root", "No lists 2"],
        true,
    )?;
    let path = ["Root", "No lists", "No lists leaf"];
    m.revocation(
        step,
        "separate-key-without-certificate",
        &path,
        &["Root", "No lists 2"],
        false,
    )?;
    m.list(List::new("Root revokes signer", "Root").revoke("No lists signer"))?;
    let path = ["Root", "No lists", "No lists signer", "No lists leaf"];
    let lists = ["Root revokes signer", "No lists 2"];
    m.revocation(step, "separate-key-revoked", &path, &lists, false)?;
    let other = Cert::leaf("False signer", "Other Root").subject("No lists");
    m.cert(other.with(key_usage(&[6])))?;
    m.list(List::new("No lists 3", "No lists").signer("False signer"))?;
    let path = [
        "Root",
        "No lists",
        "False signer",
        "Other Root",
        "No lists leaf",
    ];
    m.revocation(
        step,
        "separate-key-below-another-anchor",
        &path,
        &["Root", "No lists 3"],
        false,
    )
}

/// What sections 5.2 and 5.3 say about critical extensions of lists.
fn entries(m: &mut Maker) -> Result<()> {
    let path = ["Root", "CA", "Leaf"];
    let step = "5.2, 5.3: critical extensions of lists and entries";
    m.list(List::new("CA unknown", "CA").with(unknown(true)))?;
    m.revocation(
        step,
        "unknown-critical-in-list",
        &path,
        &["Root", "CA unknown"],
        false,
    )?;
    m.list(List::new("CA unknown not", "CA").with(unknown(false)))?;
    m.revocation(
        step,
        "unknown-not-critical-in-list",
        &path,
        &["Root", "CA unknown not"],
        true,
    )?;
    m.list(List::new("CA unknown entry", "CA").revoke_with("Expired", vec![unknown(true)]))?;
    m.revocation(
        step,
        "unknown-critical-in-an-entry",
        &path,
        &["Root", "CA unknown entry"],
        false,
    )
}
