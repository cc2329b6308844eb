//! Principals by authorities that are not in SKMS: whose certificates count,
//! whose do not, and until when.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod kept;
mod openssl;

use std::sync::Arc;

use common::House;
use openssl::{AUTHORITY, Ca, EVER, Leaf, client, der};
use skms_engine::acts::principals::{NewPrincipal, ShownBy, View as PrincipalView};
use skms_engine::acts::trusts::{Changes, Checking, NewTrust, View};
use skms_engine::{Caller, Error, Result, Session};
use skms_pki::Identity;
use tempfile::TempDir;

const ALICE: &str = "URI:spiffe://corp/alice";

/// An engine and a folder for authorities.
struct Stage {
    house: House,
    folder: TempDir,
}

impl Stage {
    async fn new() -> Self {
        Self {
            house: House::new().await,
            folder: TempDir::new().unwrap(),
        }
    }

    fn root(&self, name: &str) -> Ca {
        Ca::root(
            self.folder.path(),
            name,
            &format!("/O=Corp/CN={name}"),
            AUTHORITY,
        )
    }

    async fn trust(&self, namespace: &str, new: NewTrust) -> Result<View> {
        let engine = &self.house.engine;
        engine.create_trust(&self.house.root, namespace, new).await
    }

    async fn bind(
        &self,
        namespace: &str,
        name: &str,
        trust: &str,
        identity: &str,
    ) -> Result<PrincipalView> {
        let new = NewPrincipal {
            name: name.into(),
            shown_by: ShownBy::Trust {
                trust: trust.into(),
                identity: identity.into(),
            },
            groups: ["reader".to_owned()].into(),
            expires_at: None,
        };
        let engine = &self.house.engine;
        engine
            .register_principal(&self.house.root, namespace, new)
            .await
    }

    /// Trusts `ca` as `corp` by the URI, and binds alice's.
    async fn corp(&self, ca: &Ca) {
        self.trust("root", new("corp", ca)).await.unwrap();
        self.bind("root", "alice", "corp", "spiffe://corp/alice")
            .await
            .unwrap();
    }

    async fn login(&self, namespace: &str, shown: &[Vec<u8>]) -> Result<Arc<Session>> {
        self.house
            .engine
            .authenticate_certificate(shown, namespace)
            .await
    }

    async fn enters(&self, leaf: &Leaf) -> bool {
        self.login("root", &[leaf.der()]).await.is_ok()
    }

    /// Why it is refused.
    async fn why(&self, shown: &[Vec<u8>]) -> String {
        match self.login("root", shown).await.err().unwrap() {
            Error::Unauthenticated => "unknown".to_owned(),
            Error::CertificateRefused { why, .. } => why,
            other => panic!("{other}"),
        }
    }

    async fn import(&self, trust: &str, list: Vec<u8>) -> Result<View> {
        let engine = &self.house.engine;
        engine
            .import_trust_lists(&self.house.root, ("root", trust), list)
            .await
    }

    /// Whether a session that was made before is still let in.
    async fn goes_on(&self, session: &Arc<Session>) -> bool {
        let caller = Arc::new(Caller {
            session: Arc::clone(session),
            source: None,
            request_id: "test".into(),
            tls: true,
            idempotency: None,
            calling: skms_engine::approvals::Calling::default(),
        });
        !matches!(
            self.house.engine.list_trusts(&caller, "root").await,
            Err(Error::Unauthenticated)
        )
    }
}

fn new(name: &str, ca: &Ca) -> NewTrust {
    NewTrust {
        name: name.into(),
        anchors: vec![ca.pem()],
        intermediates: Vec::new(),
        lists: Vec::new(),
        identity: Identity::Uri,
        checking: None,
    }
}

#[tokio::test]
async fn a_bound_name_is_its_principal_and_nobody_else_is_anybody() {
    let stage = Stage::new().await;
    let (corp, other) = (stage.root("corp"), stage.root("other"));
    stage.trust("root", new("corp", &corp)).await.unwrap();
    let alice = corp.client("alice", ALICE);
    // That an authority signed it makes nobody of anyone.
    assert_eq!(stage.why(&[alice.der()]).await, "unknown");
    stage
        .bind("root", "alice", "corp", "spiffe://corp/alice")
        .await
        .unwrap();
    let session = stage.login("root", &[alice.der()]).await.unwrap();
    assert_eq!(session.principal.id(), "alice");
    assert!(session.principal.groups().contains("reader"));
    // A name is bound to one principal alone.
    let twice = stage
        .bind("root", "bob", "corp", "spiffe://corp/alice")
        .await;
    assert!(matches!(twice, Err(Error::Exists { .. })));

    let bob = corp.client("bob", "URI:spiffe://corp/bob");
    assert_eq!(stage.why(&[bob.der()]).await, "unknown");
    let two = corp.client("two", "URI:spiffe://corp/alice,URI:spiffe://corp/bob");
    assert_eq!(stage.why(&[two.der()]).await, "unknown");
    let form = corp.client("form", "DNS:alice");
    assert_eq!(stage.why(&[form.der()]).await, "unknown");
    // The same subject, name and even authority's name, on others' keys.
    let forged = other.client("alice-2", ALICE);
    let why = stage.why(&[forged.der()]).await;
    assert!(why.contains("no-issuer"), "{why}");
    let folder = TempDir::new().unwrap();
    let twin = Ca::root(folder.path(), "corp", "/O=Corp/CN=corp", AUTHORITY);
    let forged = twin.client("alice", ALICE);
    let why = stage.why(&[forged.der(), der(&twin.pem())]).await;
    assert!(why.contains("corp:"), "{why}");
    let own = Ca::root(folder.path(), "self", "/CN=alice", &client(ALICE));
    let why = stage.why(&[der(&own.pem())]).await;
    assert!(why.contains("no-issuer"), "{why}");
}

#[tokio::test]
async fn each_authority_and_each_namespace_has_principals_of_its_own() {
    let stage = Stage::new().await;
    let engine = &stage.house.engine;
    for name in ["team", "other"] {
        engine
            .create_namespace(&stage.house.root, name)
            .await
            .unwrap();
    }
    let (corp, other) = (stage.root("corp"), stage.root("other"));
    stage.trust("team", new("corp", &corp)).await.unwrap();
    stage.trust("team", new("other", &other)).await.unwrap();
    stage
        .bind("team", "alice", "corp", "spiffe://corp/alice")
        .await
        .unwrap();
    let alice = [corp.client("alice", ALICE).der()];
    let session = stage.login("team", &alice).await.unwrap();
    assert_eq!(session.principal.namespace(), "team");
    for namespace in ["root", "other"] {
        assert!(stage.login(namespace, &alice).await.is_err(), "{namespace}");
    }
    // The second authority's alice is not the first's, until somebody says so.
    let theirs = [other.client("theirs", ALICE).der()];
    assert!(stage.login("team", &theirs).await.is_err());
    stage
        .bind("team", "mallory", "other", "spiffe://corp/alice")
        .await
        .unwrap();
    let session = stage.login("team", &theirs).await.unwrap();
    assert_eq!(session.principal.id(), "mallory");
    assert_eq!(
        stage.login("team", &alice).await.unwrap().principal.id(),
        "alice"
    );
    // Whom both vouch for, as somebody else each, is nobody.
    let mut both = new("both", &corp);
    both.anchors.push(other.pem());
    stage.trust("team", both).await.unwrap();
    stage
        .bind("team", "carol", "both", "spiffe://corp/alice")
        .await
        .unwrap();
    let fresh = [corp.client("fresh", ALICE).der()];
    let Err(Error::CertificateRefused { why, .. }) = stage.login("team", &fresh).await else {
        panic!("somebody");
    };
    assert!(why.contains("two principals"), "{why}");
}

#[tokio::test]
async fn what_a_certificate_must_be() {
    let stage = Stage::new().await;
    let corp = stage.root("corp");
    stage.corp(&corp).await;
    let good = client(ALICE);
    let issue = |name: &str, extensions: &str, dates| {
        corp.issue(name, "/O=Corp/CN=alice", extensions, dates)
    };
    assert!(stage.enters(&issue("good", &good, EVER)).await);
    for (name, from, to, wanted) in [
        ("server", "clientAuth", "serverAuth", "extended-key-usage"),
        (
            "any",
            "clientAuth",
            "anyExtendedKeyUsage",
            "extended-key-usage",
        ),
        (
            "none",
            "extendedKeyUsage=clientAuth\n",
            "",
            "extended-key-usage",
        ),
        ("ca", "CA:false", "CA:true", "basic-constraints"),
        ("usage", "digitalSignature", "keyAgreement", "key-usage"),
        (
            "critical",
            "basicConstraints",
            "1.2.3.4=critical,DER:0500\nbasicConstraints",
            "unknown-critical-extension",
        ),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good);
        let why = stage.why(&[issue(name, &changed, EVER).der()]).await;
        assert!(why.contains(wanted), "{name}: {why}");
    }
    let early = issue("early", &good, ("20270101000000Z", EVER.1));
    assert!(stage.why(&[early.der()]).await.contains("not-yet-valid"));
    let late = issue("late", &good, (EVER.0, "20251231235959Z"));
    assert!(stage.why(&[late.der()]).await.contains("expired"));

    // One that ends, on a session that is open: its last second still counts.
    let short = issue("short", &good, (EVER.0, "20260101000010Z"));
    let session = stage.login("root", &[short.der()]).await.unwrap();
    stage.house.config.clock.advance_seconds(10);
    assert!(stage.goes_on(&session).await);
    stage.house.config.clock.advance_seconds(1);
    assert!(!stage.goes_on(&session).await);
    assert!(stage.why(&[short.der()]).await.contains("expired"));
}

#[tokio::test]
async fn paths_lead_through_intermediates_within_their_constraints() {
    let stage = Stage::new().await;
    let corp = stage.root("corp");
    stage.corp(&corp).await;
    let below = corp.below("below", "/O=Corp/CN=below", AUTHORITY);
    let alice = below.client("alice", ALICE);
    let why = stage.why(&[alice.der()]).await;
    assert!(why.contains("no-issuer"), "{why}");
    assert!(
        stage
            .login("root", &[alice.der(), der(&below.pem())])
            .await
            .is_ok()
    );
    // Or the trust knows it.
    let changes = Changes {
        intermediates: Some(vec![below.pem()]),
        checking: None,
    };
    let engine = &stage.house.engine;
    let changed = engine
        .update_trust(&stage.house.root, ("root", "corp"), changes)
        .await
        .unwrap();
    assert_eq!(changed.intermediates.len(), 1);
    assert!(stage.enters(&alice).await);

    let narrow = format!("{AUTHORITY}\nnameConstraints=critical,permitted;URI:elsewhere");
    let narrow = corp.below("narrow", "/O=Corp/CN=narrow", &narrow);
    let outside = narrow.client("outside", ALICE);
    let why = stage.why(&[outside.der(), der(&narrow.pem())]).await;
    assert!(why.contains("name-constraint"), "{why}");
    let end = AUTHORITY.replace("CA:true", "CA:true,pathlen:0");
    let end = corp.below("end", "/O=Corp/CN=end", &end);
    let deep = end.below("deep", "/O=Corp/CN=deep", AUTHORITY);
    let leaf = deep.client("leaf", ALICE);
    let why = stage
        .why(&[leaf.der(), der(&deep.pem()), der(&end.pem())])
        .await;
    assert!(why.contains("path-length"), "{why}");
    // What is sent beyond a few certificates is not looked at.
    let mut long = vec![der(&corp.pem()); 8];
    long.insert(0, narrow.client("far", ALICE).der());
    long.push(der(&narrow.pem()));
    assert!(stage.why(&long).await.contains("no-issuer"));
}

#[tokio::test]
async fn a_list_cuts_off_whom_it_names_and_nobody_else() {
    let stage = Stage::new().await;
    let corp = stage.root("corp");
    let below = corp.below("below", "/O=Corp/CN=below", AUTHORITY);
    stage.corp(&corp).await;
    stage
        .bind("root", "bob", "corp", "spiffe://corp/bob")
        .await
        .unwrap();
    let (alice, bob) = (
        corp.client("alice", ALICE),
        corp.client("bob", "URI:spiffe://corp/bob"),
    );
    let carol = below.client("carol", ALICE);
    let (first, until) = (("20251201000000Z", "20260102000000Z"), "20260103000000Z");
    // From the first list on, nobody is let in whom none is about.
    let chain = [carol.der(), der(&below.pem())];
    let covered = stage.login("root", &[alice.der()]).await.unwrap();
    let uncovered = stage.login("root", &chain).await.unwrap();
    let old = corp.crl(first);
    let view = stage.import("corp", old.clone()).await.unwrap();
    assert_eq!((view.checking, view.lists.len()), (Checking::Path, 1));
    assert!(!stage.goes_on(&uncovered).await);
    let Err(Error::CertificateRefused { why, told: true }) = stage.login("root", &chain).await
    else {
        panic!("let in");
    };
    assert!(
        why.contains("revocation-unknown") && why.contains("no list covers it"),
        "{why}"
    );
    drop(covered);

    let before = stage.login("root", &[alice.der()]).await.unwrap();
    let others = stage.login("root", &[bob.der()]).await.unwrap();
    corp.revoke(&alice);
    let list = corp.crl(("20251202000000Z", until));
    let view = stage.import("corp", list.clone()).await.unwrap();
    assert_eq!((view.lists.len(), view.lists[0].entries), (1, 1));
    assert!(!stage.goes_on(&before).await, "a session that was open");
    // By which list others are good, and until when, is found anew.
    assert!(!stage.goes_on(&others).await, "somebody else's");
    let others = stage.login("root", &[bob.der()]).await.unwrap();
    assert!(stage.why(&[alice.der()]).await.contains("revoked"));
    // The same again changes nothing; what is older is refused.
    let view = stage.import("corp", list).await.unwrap();
    assert_eq!(view.lists.len(), 1);
    assert!(stage.goes_on(&others).await, "nothing changed");
    let refused = stage.import("corp", old).await.err().unwrap();
    assert!(refused.to_string().contains("newer"), "{refused}");
    assert!(!stage.enters(&alice).await);

    // One that is out of date shows that nobody is good, and ends sessions.
    let clock = &stage.house.config.clock;
    clock.advance_seconds(86400 + 1);
    assert!(stage.goes_on(&others).await, "by the newer list");
    clock.advance_seconds(86400 - 1);
    assert!(stage.goes_on(&others).await);
    clock.advance_seconds(1);
    assert!(!stage.goes_on(&others).await);
    let Err(Error::CertificateRefused { why, told: true }) =
        stage.login("root", &[bob.der()]).await
    else {
        panic!("let in");
    };
    assert!(why.contains("out of date"), "{why}");
    stage
        .import("corp", corp.crl(("20260102000000Z", EVER.1)))
        .await
        .unwrap();
    // Nor does anybody outlast a newer list that ends sooner.
    let others = stage.login("root", &[bob.der()]).await.unwrap();
    let soon = ("20260103000001Z", "20260103000011Z");
    stage.import("corp", corp.crl(soon)).await.unwrap();
    clock.advance_seconds(11);
    assert!(!stage.goes_on(&others).await);
    assert!(stage.why(&[bob.der()]).await.contains("out of date"));
    let soon = ("20260103000002Z", EVER.1);
    stage.import("corp", corp.crl(soon)).await.unwrap();
    assert!(stage.enters(&bob).await);
    // Nobody has to be good where that was said; what was named stays so.
    let changes = Changes {
        checking: Some(Checking::IfKnown),
        ..Changes::default()
    };
    let (engine, root) = (&stage.house.engine, &stage.house.root);
    engine
        .update_trust(root, ("root", "corp"), changes)
        .await
        .unwrap();
    assert!(stage.login("root", &chain).await.is_ok());
    assert!(!stage.enters(&alice).await);
    // An authority that is revoked takes everybody below it along.
    let session = stage.login("root", &chain).await.unwrap();
    let made = Leaf::of_authority(stage.folder.path(), "below");
    corp.revoke(&made);
    stage
        .import("corp", corp.crl(("20260103000003Z", EVER.1)))
        .await
        .unwrap();
    assert!(!stage.goes_on(&session).await);
    assert!(stage.why(&chain).await.contains("revoked"));
}

#[tokio::test]
async fn lists_are_an_authoritys_own_and_whole() {
    let stage = Stage::new().await;
    let (corp, other) = (stage.root("corp"), stage.root("other"));
    let below = corp.below("below", "/O=Corp/CN=below", AUTHORITY);
    let mute = AUTHORITY.replace(",cRLSign", "");
    let mute = corp.below("mute", "/O=Corp/CN=mute", &mute);
    stage.corp(&corp).await;
    let folder = TempDir::new().unwrap();
    let twin = Ca::root(folder.path(), "corp", "/O=Corp/CN=corp", AUTHORITY);
    for (list, wanted) in [
        (other.crl(EVER), "issuer is known"),
        (twin.crl(EVER), "signature"),
        (below.crl(EVER), "issuer is known"),
        (corp.crl(("20270101000000Z", EVER.1)), "future"),
        (corp.pem(), "PEM"),
        (b"x".to_vec(), "malformed"),
    ] {
        let refused = stage.import("corp", list).await.err().unwrap().to_string();
        assert!(refused.contains(wanted), "{wanted}: {refused}");
    }
    let mut with = new("with", &corp);
    with.intermediates = vec![below.pem(), mute.pem()];
    with.lists = vec![corp.crl(EVER), below.crl(EVER)];
    assert_eq!(
        stage.trust("root", with.clone()).await.unwrap().lists.len(),
        2
    );
    let refused = stage.import("with", mute.crl(EVER)).await.err().unwrap();
    assert!(refused.to_string().contains("may not sign"), "{refused}");
    // With both lists every certificate of the path is known to be good.
    stage
        .bind("root", "dora", "with", "spiffe://corp/dora")
        .await
        .unwrap();
    let dora = below.client("dora", "URI:spiffe://corp/dora");
    assert!(stage.enters(&dora).await);
    let plain = new("plain", &corp);
    for (name, anchors, intermediates, good) in [
        ("leaf", vec![dora.pem.into_bytes()], Vec::new(), false),
        ("none", Vec::new(), Vec::new(), false),
        ("lost", vec![other.pem()], vec![below.pem()], false),
        ("many", vec![corp.pem(); 9], Vec::new(), true),
        ("a b", vec![corp.pem()], Vec::new(), false),
        ("with", vec![corp.pem()], Vec::new(), false),
    ] {
        let new = NewTrust {
            name: name.into(),
            anchors,
            intermediates,
            ..plain.clone()
        };
        assert_eq!(stage.trust("root", new).await.is_ok(), good, "{name}");
    }
}

#[tokio::test]
async fn lists_that_ended_neither_shut_out_nor_let_in() {
    let stage = Stage::new().await;
    let corp = stage.root("corp");
    stage.corp(&corp).await;
    let (alice, dead) = (corp.client("alice", ALICE), corp.client("dead", ALICE));
    corp.revoke(&dead);
    let until = "20260102000000Z";
    let of_users = corp.crl_of_users(("20251201000000Z", until));
    stage.import("corp", of_users).await.unwrap();
    assert!(stage.enters(&alice).await);
    let view = stage.import("corp", corp.crl(EVER)).await.unwrap();
    assert_eq!(view.lists.len(), 2, "of two scopes");
    stage.house.config.clock.advance_seconds(30 * 86400);
    assert!(stage.enters(&alice).await, "by the other");

    let other = stage.root("other");
    stage.trust("root", new("other", &other)).await.unwrap();
    stage
        .bind("root", "bob", "other", "spiffe://corp/bob")
        .await
        .unwrap();
    let bob = other.client("bob", "URI:spiffe://corp/bob");
    let gone = other.client("gone", "URI:spiffe://corp/bob");
    other.revoke(&gone);
    let ended = other.crl(("20251201000000Z", until));
    stage.import("other", ended).await.unwrap();
    assert!(stage.why(&[bob.der()]).await.contains("out of date"));
    let changes = Changes {
        checking: Some(Checking::IfKnown),
        ..Changes::default()
    };
    let (engine, root) = (&stage.house.engine, &stage.house.root);
    engine
        .update_trust(root, ("root", "other"), changes)
        .await
        .unwrap();
    assert!(stage.enters(&bob).await);
    // What was revoked stays so.
    assert!(stage.why(&[gone.der()]).await.contains("revoked"));
}

#[tokio::test]
async fn a_trust_ends_with_everybody_known_by_it_for_good() {
    let mut stage = Stage::new().await;
    let corp = stage.root("corp");
    stage.corp(&corp).await;
    let alice = corp.client("alice", ALICE);
    let dead = corp.client("dead", ALICE);
    corp.revoke(&dead);
    stage.import("corp", corp.crl(EVER)).await.unwrap();
    // It outlasts the server, with its lists.
    stage.house = stage.house.restart().await;
    assert!(stage.enters(&alice).await);
    assert!(stage.why(&[dead.der()]).await.contains("revoked"));
    let session = stage.login("root", &[alice.der()]).await.unwrap();
    let (engine, root) = (&stage.house.engine, &stage.house.root);
    engine.delete_trust(root, "root", "corp").await.unwrap();
    assert!(!stage.goes_on(&session).await);
    assert_eq!(stage.why(&[alice.der()]).await, "unknown");
    // Whoever names one of the same name is trusted with nobody.
    stage.trust("root", new("corp", &corp)).await.unwrap();
    assert_eq!(stage.why(&[alice.der()]).await, "unknown");
    // Deleting a principal cuts off, too.
    stage
        .bind("root", "al", "corp", "spiffe://corp/alice")
        .await
        .unwrap();
    let session = stage.login("root", &[alice.der()]).await.unwrap();
    engine.delete_principal(root, "root", "al").await.unwrap();
    assert!(!stage.goes_on(&session).await);
    assert!(!stage.enters(&alice).await);
}

#[tokio::test]
async fn who_may_name_authorities_is_nobody_by_that() {
    let stage = Stage::new().await;
    let corp = stage.root("corp");
    let engine = &stage.house.engine;
    let text = "permit (principal == SKMS::Principal::\"clerk\", action in \
        [SKMS::Action::\"trust.create\", SKMS::Action::\"trust.import-crl\"], resource);";
    engine
        .write_policy(&stage.house.root, "root", "clerk", text)
        .await
        .unwrap();
    let clerk = stage.house.caller_in("clerk", &[]).await;
    engine
        .create_trust(&clerk, "root", new("corp", &corp))
        .await
        .unwrap();
    let binding = NewPrincipal {
        name: "alice".into(),
        shown_by: ShownBy::Trust {
            trust: "corp".into(),
            identity: "spiffe://corp/alice".into(),
        },
        groups: ["root".to_owned()].into(),
        expires_at: None,
    };
    let refused = engine.register_principal(&clerk, "root", binding).await;
    assert!(matches!(
        refused,
        Err(Error::NotFound { .. } | Error::Forbidden { .. })
    ));
    let list = corp.crl(EVER);
    assert!(
        engine
            .import_trust_lists(&clerk, ("root", "corp"), list)
            .await
            .is_ok()
    );
    for refused in [
        engine.delete_trust(&clerk, "root", "corp").await,
        engine
            .update_trust(&clerk, ("root", "corp"), Changes::default())
            .await
            .map(drop),
        engine.read_trust(&clerk, "root", "corp").await.map(drop),
    ] {
        assert!(matches!(refused, Err(Error::NotFound { .. })));
    }
}
