//! Keys that rotate when their owner leaves, or somebody who was given them.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_crypto::{Algorithm, Format};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::tokens::NewToken;
use skms_engine::acts::{datakey, export_key};
use skms_engine::{Caller, KeyRef};
use skms_evidence::DetailKey;
use skms_keys::{KeyUpdate, Occasion, Rules, VersionNumber};
use skms_store::RecordId;

use crate::common::{House, at, caller};
use crate::detail;

/// Somebody with one token.
struct Somebody {
    name: String,
    caller: Arc<Caller>,
    token: RecordId,
}

fn on(occasion: Occasion) -> Rules {
    Rules {
        rotate_on: [occasion].into_iter().collect(),
        ..Rules::default()
    }
}

impl House {
    async fn comes(&self, name: &str, ttl_seconds: Option<u64>) -> Somebody {
        let new = NewToken {
            principal: name.into(),
            groups: BTreeSet::from(["root".to_owned()]),
            ttl_seconds,
            description: String::new(),
        };
        let made = self.engine.create_token(&self.root, "root", new).await;
        let made = made.unwrap();
        let token = String::from_utf8(made.token.into_public()).unwrap();
        Somebody {
            name: name.to_owned(),
            caller: caller(&self.engine, &token).await,
            token: made.view.id,
        }
    }

    async fn goes(&self, one: &Somebody) {
        let gone = self.engine.revoke_token(&self.root, "root", one.token);
        gone.await.unwrap();
    }

    async fn owned(&self, name: &str, owner: &str, rules: Rules) {
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::Aes256Gcm),
            owner: Some(owner.to_owned()),
            exportable: Some(true),
            rules: Some(rules),
            ..NewKeySpec::default()
        };
        let made = self.engine.create_key(&self.root, at(name), spec).await;
        made.unwrap();
    }

    /// Looks who left, and does what that calls for.
    async fn look(&self) {
        self.engine.sweep_agenda().await.unwrap();
        while self.engine.look_for_leavers().await.unwrap() {}
        self.settle().await;
    }

    async fn data_key(&self, who: &Somebody, name: &str) {
        let request = datakey::Request {
            length: 32,
            associated_data: Vec::new(),
            version: None,
            with_plaintext: true,
        };
        let by = &who.caller;
        let made = self
            .engine
            .operate_one::<datakey::DataKey>(by, at(name), request);
        made.await.unwrap();
    }

    async fn export(&self, who: &Somebody, at: KeyRef<'_>) {
        let request = export_key::Request {
            version: None,
            format: Format::Raw,
            passphrase: None,
            wrapped_with: None,
        };
        let left = self.engine.export_key(&who.caller, at, request).await;
        left.unwrap();
    }
}

#[tokio::test]
async fn a_key_rotates_once_each_time_that_its_owner_leaves() {
    let house = House::new().await;
    let ann = house.comes("ann", None).await;
    let other = house.comes("ann", None).await;
    let bob = house.comes("bob", None).await;
    house.owned("card", "ann", on(Occasion::OwnerLeft)).await;
    house.owned("left", "ann", Rules::default()).await;
    house.owned("bobs", "bob", on(Occasion::OwnerLeft)).await;
    house.look().await;
    house.goes(&ann).await;
    house.look().await;
    assert_eq!(house.newest("card").await, 1, "she has another token");
    house.goes(&other).await;
    // Before anybody looked the process ends.
    let house = house.restart().await;
    house.look().await;
    for (name, newest) in [("card", 2), ("left", 1), ("bobs", 1)] {
        assert_eq!(house.newest(name).await, newest, "{name}");
    }
    let rotated = house.acts("key.rotate").await;
    assert_eq!(detail(&rotated[0], DetailKey::Reason), "owner-left: ann");
    let house = house.restart().await;
    house.look().await;
    assert_eq!(house.newest("card").await, 2, "it was answered");
    // She comes back for an hour, and that ends by itself.
    house.comes("ann", Some(3600)).await;
    house.look().await;
    assert_eq!(house.newest("card").await, 2);
    house.config.clock.advance_seconds(3600);
    house.look().await;
    assert_eq!(house.newest("card").await, 3);
    // Another owner, who is suspended.
    let update = KeyUpdate {
        owner: Some("bob".to_owned()),
        ..KeyUpdate::default()
    };
    let (engine, root) = (&house.engine, &house.root);
    let changed = engine.update_key(root, at("card"), update, None, None, None);
    changed.await.unwrap();
    house.look().await;
    assert_eq!(house.newest("card").await, 3);
    let suspended = engine.suspend_principal(root, ("root", &bob.name), ("lost", false));
    suspended.await.unwrap();
    house.look().await;
    assert_eq!(house.newest("card").await, 4);
    assert_eq!(house.newest("bobs").await, 2);
}

#[tokio::test]
async fn a_key_rotates_when_somebody_leaves_who_holds_its_newest_version() {
    let house = House::new().await;
    for name in ["card", "safe"] {
        house.owned(name, "root", on(Occasion::HolderLeft)).await;
    }
    house.owned("other", "root", Rules::default()).await;
    let ann = house.comes("ann", None).await;
    let bob = house.comes("bob", None).await;
    let eve = house.comes("eve", None).await;
    house.look().await;
    for name in ["card", "other"] {
        house.data_key(&ann, name).await;
        house.export(&bob, at(name)).await;
    }
    // Who only used it holds nothing.
    house.encrypt("card", b"hello").await.unwrap();
    house.look().await;
    house.goes(&eve).await;
    house.look().await;
    assert_eq!(house.newest("card").await, 1, "she held nothing");
    house.goes(&ann).await;
    house.look().await;
    for (name, newest) in [("card", 2), ("safe", 1), ("other", 1)] {
        assert_eq!(house.newest(name).await, newest, "{name}");
    }
    let rotated = house.acts("key.rotate").await;
    let reason = detail(&rotated[0], DetailKey::Reason);
    assert_eq!(reason, "holder-left: root/ann");
    house.goes(&bob).await;
    house.look().await;
    assert_eq!(house.newest("card").await, 2, "he holds an old version");
    // Whoever is given the new one counts again; the process ends meanwhile.
    let bob = house.comes("bob", None).await;
    house.export(&bob, at("card")).await;
    house.look().await;
    assert_eq!(house.newest("card").await, 2);
    house.goes(&bob).await;
    let house = house.restart().await;
    house.look().await;
    assert_eq!(house.newest("card").await, 3);
    // The rule comes after he went.
    let update = KeyUpdate {
        rules: Some(on(Occasion::HolderLeft)),
        ..KeyUpdate::default()
    };
    let (engine, root) = (&house.engine, &house.root);
    let changed = engine.update_key(root, at("other"), update, None, None, None);
    let changed = changed.await.unwrap();
    assert_eq!(changed.key().newest().unwrap().number, VersionNumber(1));
    house.look().await;
    assert_eq!(house.newest("other").await, 2);
}

#[tokio::test]
async fn the_server_itself_looks() {
    let house = House::new().await;
    let ann = house.comes("ann", None).await;
    house.owned("card", "ann", on(Occasion::OwnerLeft)).await;
    house.engine.start_jobs();
    house.goes(&ann).await;
    for _ in 0..200 {
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        if house.newest("card").await == 2 {
            return;
        }
    }
    panic!("nobody looked");
}
