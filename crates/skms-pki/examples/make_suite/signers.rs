//! Section 6.3.3(f): whose word counts. A name alone makes no signer of lists.

use crate::der::General::Uri;
use crate::der::{
    At, Point, Scope, certificate_issuer, distribution_points, issuing_distribution_point,
    key_usage, reason,
};
use crate::maker::{Cert, List, Maker, Result};

const OLD: (&str, &str) = ("300601000000Z", "300701000000Z");
const NEW: (&str, &str) = ("300610000000Z", "300701000000Z");

pub fn make(m: &mut Maker) -> Result<()> {
    sisters(m)?;
    two_keys(m)?;
    own_issue(m)
}

/// An authority below the same anchor certifies a signer in its sister's name.
fn sisters(m: &mut Maker) -> Result<()> {
    let step = "6.3.3(f): who certified the signer of a list";
    m.authority(Cert::ca("Sister", "Root"))?;
    let signer = Cert::leaf("Sister signer", "Sister").subject("Silent");
    m.cert(signer.with(key_usage(&[6])))?;
    m.authority(Cert::ca("Silent", "Root").with(key_usage(&[5])))?;
    m.cert(Cert::leaf("Silent leaf", "Silent"))?;
    m.list(List::new("Silent by sister", "Silent").signer("Sister signer"))?;
    let path = ["Root", "Silent", "Sister", "Sister signer", "Silent leaf"];
    let lists = ["Root", "Sister", "Silent by sister"];
    m.revocation(step, "signer-from-a-sister", &path, &lists, false)?;
    let signer = Cert::leaf("Silent signer", "Root").subject("Silent");
    m.cert(signer.with(key_usage(&[6])))?;
    m.list(List::new("Silent by signer", "Silent").signer("Silent signer"))?;
    let path = ["Root", "Silent", "Sister", "Silent signer", "Silent leaf"];
    let lists = ["Root", "Sister", "Silent by signer"];
    m.revocation(step, "signer-from-the-same-authority", &path, &lists, true)?;

    // The authority's own list revokes; a newer one of the sister's does not.
    let signer = Cert::leaf("Sister signer 2", "Sister").subject("CA");
    m.cert(signer.with(key_usage(&[6])))?;
    let own = List::new("CA revokes leaf", "CA").revoke("Leaf");
    m.list(own.times(OLD.0, OLD.1))?;
    let newer = List::new("CA by sister", "CA").signer("Sister signer 2");
    m.list(newer.times(NEW.0, NEW.1))?;
    let path = ["Root", "CA", "Sister", "Sister signer 2", "Leaf"];
    let lists = ["Root", "Sister", "CA revokes leaf", "CA by sister"];
    m.revocation(step, "newer-list-from-a-sister", &path, &lists, false)?;

    // Nor if the sister certifies the authority's key, and is above it then.
    let cross = Cert::ca("CA of sister", "Sister").subject("CA");
    m.cert(cross.key("CA"))?;
    let path = [
        "Root",
        "CA",
        "Sister",
        "CA of sister",
        "Sister signer 2",
        "Leaf",
    ];
    m.revocation(step, "newer-list-from-a-sister-above", &path, &lists, false)?;

    // A signer that the certificate itself names has to be somebody's above it.
    let at = At {
        signer: Some("Outside"),
        ..At::default()
    };
    m.cert(Cert::leaf("Outside leaf", "CA").with(distribution_points(&[at])))?;
    let indirect = issuing_distribution_point(&Scope {
        indirect: true,
        ..Scope::default()
    });
    for (file, issuer, good) in [
        ("Outside sister", "Sister", false),
        ("Outside root", "Root", true),
        ("Outside CA", "CA", true),
    ] {
        let signer = Cert::leaf(file, issuer).subject("Outside");
        m.cert(signer.with(key_usage(&[6])))?;
        let list = List::new(&format!("By {file}"), "Outside").signer(file);
        let other = vec![certificate_issuer("CA")];
        m.list(list.with(indirect.clone()).revoke_with("Leaf", other))?;
        let path = ["Root", "CA", "Sister", file, "Outside leaf"];
        let lists = ["Root", "Sister", "CA", &format!("By {file}")];
        let id = format!("designated-{}", file.replace(' ', "-").to_lowercase());
        m.revocation(step, &id, &path, &lists, good)?;
    }
    Ok(())
}

/// Two keys of one authority sign lists of the same scope.
fn two_keys(m: &mut Maker) -> Result<()> {
    let step = "6.3.3(f), (i), (j): lists of two keys of one authority";
    m.cert(Cert::ca("Two keys", "Root"))?;
    let signer = Cert::leaf("Two keys signer", "Root").subject("Two keys");
    m.cert(signer.with(key_usage(&[6])))?;
    m.cert(Cert::leaf("Two keys leaf", "Two keys"))?;
    let path = ["Root", "Two keys", "Two keys signer", "Two keys leaf"];
    let mut list = |file: &str, signer: &str, times: (&'static str, &'static str), number| {
        let list = List::new(file, "Two keys").signer(signer);
        let list = list.times(times.0, times.1);
        m.list(match number {
            None => list,
            Some(number) => list.revoke_with("Two keys leaf", vec![reason(number)]),
        })
    };
    list("First old gone", "Two keys", OLD, Some(1))?;
    list("First old held", "Two keys", OLD, Some(6))?;
    list("First new held", "Two keys", NEW, Some(6))?;
    list("Second old", "Two keys signer", OLD, None)?;
    list("Second new", "Two keys signer", NEW, None)?;
    for (id, first, second, good) in [
        (
            "revoked-by-the-older",
            "First old gone",
            "Second new",
            false,
        ),
        ("held-by-the-older", "First old held", "Second new", true),
        ("held-by-one-of-two", "First old held", "Second old", false),
        ("held-by-the-newer", "First new held", "Second old", false),
    ] {
        m.revocation(step, id, &path, &["Root", first, second], good)?;
    }
    Ok(())
}

/// The authority certified its own second key, for lists.
fn own_issue(m: &mut Maker) -> Result<()> {
    let step = "6.3.3(f): a signer that the issuer itself certified";
    let at = || Point::Full(Uri("http://crl.test/signer"));
    let points = distribution_points(&[At {
        name: Some(at()),
        ..At::default()
    }]);
    let signer = Cert::leaf("CA signer", "CA").subject("CA");
    m.cert(signer.with(key_usage(&[6])).with(points))?;
    let of_signer = issuing_distribution_point(&Scope {
        name: Some(at()),
        ..Scope::default()
    });
    m.list(List::new("CA of signer", "CA").with(of_signer.clone()))?;
    let gone = List::new("CA revokes signer", "CA").with(of_signer);
    m.list(gone.revoke("CA signer"))?;
    m.list(List::new("CA by signer", "CA").signer("CA signer"))?;
    let path = ["Root", "CA", "CA signer", "Leaf"];
    for (id, lists, good) in [
        (
            "own-signer",
            &["Root", "CA of signer", "CA by signer"][..],
            true,
        ),
        ("own-signer-unknown", &["Root", "CA by signer"], false),
        (
            "own-signer-revoked",
            &["Root", "CA revokes signer", "CA by signer"],
            false,
        ),
    ] {
        m.revocation(step, id, &path, lists, good)?;
    }
    Ok(())
}
