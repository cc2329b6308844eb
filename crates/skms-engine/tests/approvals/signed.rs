//! Approvals that are signed, by their givers or by the server for them.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use skms_crypto::Algorithm;
use skms_engine::acts::approvals::NewApproval;
use skms_engine::acts::authorities::{Extent, Foundation, NewAuthority, Rules};
use skms_engine::acts::certificates::{NewCertificate, SubjectKey};
use skms_engine::acts::principals::{NewPrincipal, ShownBy};
use skms_engine::approvals::{Calling, Facts, Statement, Who, open_attested, open_own};
use skms_engine::{Caller, Error};
use skms_pki::issue::{ProfileKind, principal_uri};
use skms_pki::pem;

use crate::common::House;
use crate::{asking, destroying, hex, mark, refused, waits, with};

/// An officer with a certificate: the call, the certificates and the key (PEM).
struct Officer {
    caller: Arc<Caller>,
    chain: String,
    key: Vec<u8>,
}

impl Officer {
    async fn new(house: &House, name: &str) -> Self {
        let engine = &house.engine;
        let new = NewPrincipal {
            name: name.to_owned(),
            shown_by: ShownBy::Authority("people".to_owned()),
            groups: BTreeSet::from(["officers".to_owned()]),
            expires_at: None,
        };
        let made = engine.register_principal(&house.root, "root", new).await;
        made.unwrap();
        let new = NewCertificate {
            profile: ProfileKind::Principal.into(),
            key: SubjectKey::New(Algorithm::EcP256),
            subject: None,
            names: vec![principal_uri("root", "certificate", name).unwrap()],
            lifetime_seconds: None,
        };
        let issued = engine.issue_certificate(&house.root, "root", "people", new);
        let issued = issued.await.unwrap();
        let shown = issued.certificate.chain;
        let session = engine
            .authenticate_certificate(&shown, "root")
            .await
            .unwrap();
        let chain = shown.iter().map(|der| pem::encode(pem::CERTIFICATE, der));
        Self {
            chain: chain.collect::<skms_pki::Result<_>>().unwrap(),
            caller: Arc::new(Caller {
                session,
                calling: Calling { asked: None, shown },
                ..Caller::clone(&house.root)
            }),
            key: issued.private_key.unwrap().into_public(),
        }
    }

    fn who(&self) -> Who {
        Who {
            kind: "certificate".to_owned(),
            namespace: "root".to_owned(),
            name: self.caller.session.principal.id().to_owned(),
        }
    }

    fn sign(&self, facts: &Facts, who: Who, expires_at: i64) -> String {
        let now = facts.requested_at;
        let statement = Statement::new(facts, who, (now, expires_at));
        statement.sign_by(&self.chain, &self.key).unwrap()
    }
}

fn of(facts: &Facts, statement: String) -> NewApproval {
    NewApproval {
        hash: hex(&facts.hash()),
        statement: Some(statement),
        valid_seconds: None,
    }
}

async fn house() -> House {
    let house = House::marked().await;
    house.create("people", Algorithm::EcP256).await;
    let new = NewAuthority {
        name: "people".to_owned(),
        keyring: "default".to_owned(),
        key: "people".to_owned(),
        subject: "CN=people".parse().unwrap(),
        foundation: Foundation::Root,
        extent: Extent::default(),
        signature: None,
        rules: Rules {
            profiles: vec![ProfileKind::Principal],
            ..Rules::default()
        },
    };
    let made = house.engine.create_authority(&house.root, "root", new);
    made.await.unwrap();
    let signed =
        mark("SKMS::Action::\"key.destroy\"").replace("@valid_for", "@signed(\"true\") @valid_for");
    house.policy("marks", &signed).await;
    house
}

#[tokio::test]
async fn an_own_key_signs_and_nothing_else_counts() {
    let house = house().await;
    let engine = &house.engine;
    let dora = house.dora().await;
    let (alice, bob) = (
        Officer::new(&house, "alice").await,
        Officer::new(&house, "bob").await,
    );
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    let other = waits(
        house
            .destroy(&asking(&dora, destroying().with("x", "1")))
            .await,
    );
    let facts = house.approval(&id).await.facts;
    let of_other = house.approval(&other).await.facts;
    let ends = facts.expires_at;
    // What the server would sign for her is not enough.
    assert!(refused(house.approve(&alice.caller, &id).await).contains("own certified key"));
    let approve =
        async |by: &Officer, new: NewApproval| engine.approve(&by.caller, ("root", &id), new).await;
    // Another request's statement, another's, one that lasts too long.
    let cases = [
        (alice.sign(&of_other, alice.who(), ends), "another request"),
        (alice.sign(&facts, bob.who(), ends), "somebody else"),
        (
            bob.sign(&facts, alice.who(), ends),
            "another principal's certificate",
        ),
        (bob.sign(&facts, bob.who(), ends), "somebody else"),
        (alice.sign(&facts, alice.who(), ends + 1), "does not end"),
    ];
    for (statement, why) in cases {
        let said = refused(approve(&alice, of(&facts, statement)).await);
        assert!(said.contains(why), "{said}");
    }
    // Every byte of it counts.
    let good = alice.sign(&facts, alice.who(), ends);
    let (mut head, rest) = good.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let decoded = String::from_utf8(URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap();
    let longer = decoded.replace(&ends.to_string(), &(ends - 1).to_string());
    assert_ne!(longer, decoded);
    let longer = URL_SAFE_NO_PAD.encode(longer);
    for altered in [
        format!("{head}.{longer}.{signature}"),
        format!("{head}.{payload}.{}", &signature[1..]),
        format!("{head}.{payload}."),
    ] {
        assert!(refused(approve(&alice, of(&facts, altered)).await).contains("signature"));
    }
    head = "eyJhbGciOiJub25lIn0";
    assert!(
        refused(approve(&alice, of(&facts, format!("{head}.{payload}."))).await)
            .contains("signature")
    );
    // And then it is good, and anybody can see that.
    approve(&alice, of(&facts, good.clone())).await.unwrap();
    let (statement, chain) = open_own(&good).unwrap();
    assert!(statement.is_for(&facts).is_ok() && statement.is_for(&of_other).is_err());
    assert_eq!(chain.len(), alice.caller.calling.shown.len());
    approve(&bob, of(&facts, bob.sign(&facts, bob.who(), ends)))
        .await
        .unwrap();
    // Until its giver is nobody.
    engine
        .delete_principal(&house.root, "root", "bob")
        .await
        .unwrap();
    let Err(Error::ApprovalRequired { told, .. }) = house.destroy(&with(&dora, &id)).await else {
        panic!("an approval of nobody counted");
    };
    assert!(
        told.contains("1 of 2 signed") && told.contains("counts no more"),
        "{told}"
    );
    let carol = Officer::new(&house, "carol").await;
    approve(&carol, of(&facts, carol.sign(&facts, carol.who(), ends)))
        .await
        .unwrap();
    house.destroy(&with(&dora, &id)).await.unwrap();
}

#[tokio::test]
async fn the_server_signs_for_whom_it_had_before_it() {
    let house = House::marked().await;
    let dora = house.dora().await;
    let id = waits(house.destroy(&asking(&dora, destroying())).await);
    house.approved(&id).await;
    let view = house.approval(&id).await;
    let key = house
        .engine
        .approval_key(&house.root, "root")
        .await
        .unwrap();
    for given in &view.given {
        let statement = open_attested(&given.statement, &key.pem).unwrap();
        assert!(statement.is_for(&view.facts).is_ok());
        assert_eq!(statement.approver, given.by);
        let altered = given.statement.replacen('.', ".e", 1);
        assert!(open_attested(&altered, &key.pem).is_err());
        assert!(open_own(&given.statement).is_err());
    }
    // What else the key signs is no approval, nor the other way round.
    let report = skms_engine::acts::compromise::verify_report(&view.given[0].statement, &key.pem);
    assert!(report.is_err());
}
