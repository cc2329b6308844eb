//! Re-encryption jobs: what counts, what counts once, and what a job shows.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../common/mod.rs"]
mod common;
mod evidence;
mod kept;
mod races;

use common::{House, at};
use skms_crypto::hash::sha256;
use skms_crypto::{Algorithm, EncryptOptions};
use skms_engine::acts::encrypt::Encrypted;
use skms_engine::acts::reencryption::{
    Answer, Content, Item, ItemResult, JobState, NewJob, Step, View,
};
use skms_engine::{Error, Result};
use skms_keys::{RevocationReason, Revoke, UnixSeconds, VersionNumber, Versions};
use skms_store::RecordId;

pub fn item(sealed: &Encrypted) -> Item {
    Item {
        id: None,
        content: Content::Ciphertext {
            ciphertext: sealed.ciphertext.clone(),
            version: sealed.version,
            associated_data: b"context".to_vec(),
            options: EncryptOptions::default(),
        },
    }
}

pub fn unreadable(text: &str) -> Item {
    Item {
        id: Some("line 3".into()),
        content: Content::Unreadable {
            sha256: sha256(&[text.as_bytes()]),
            why: "not a ciphertext".into(),
        },
    }
}

/// A key with two versions, and ciphertexts of the first and of the second.
pub async fn two_versions(house: &House, name: &str) -> (Vec<Encrypted>, Encrypted) {
    house.create(name, Algorithm::Aes256Gcm).await;
    let mut old = Vec::new();
    for text in ["one", "two", "three"] {
        old.push(house.encrypt(name, text.as_bytes()).await.unwrap());
    }
    rotate(house, name).await;
    let new = house.encrypt(name, b"four").await.unwrap();
    assert_eq!(new.version, VersionNumber(2));
    (old, new)
}

pub async fn rotate(house: &House, name: &str) {
    let rotated = house.engine.rotate_key(&house.root, at(name), None);
    rotated.await.unwrap();
}

pub async fn job(house: &House, name: &str) -> RecordId {
    let made = house
        .engine
        .create_job(&house.root, at(name), NewJob::default());
    made.await.unwrap().id
}

pub async fn batch(house: &House, id: RecordId, number: u64, items: Vec<Item>) -> Result<Answer> {
    let at = ("root", id);
    house.engine.run_batch(&house.root, at, number, items).await
}

pub async fn tell(house: &House, id: RecordId, step: Step) -> Result<View> {
    house
        .engine
        .update_job(&house.root, ("root", id), step)
        .await
}

pub async fn read(house: &House, id: RecordId) -> View {
    let read = house.engine.read_job(&house.root, "root", id);
    read.await.unwrap()
}

fn moved(result: &ItemResult) -> Encrypted {
    match result {
        ItemResult::Moved {
            ciphertext,
            version,
        } => Encrypted {
            ciphertext: ciphertext.clone(),
            version: *version,
        },
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn every_item_is_moved_or_kept_and_counted() {
    let house = House::new().await;
    let (old, new) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    assert_eq!(read(&house, id).await.state, JobState::Ready);
    let mut tampered = item(&old[1]);
    if let Content::Ciphertext { ciphertext, .. } = &mut tampered.content {
        ciphertext[20] ^= 1;
    }
    // One that only says that it is of the newest version is not: it is opened.
    let mut says = item(&old[2]);
    if let Content::Ciphertext { version, .. } = &mut says.content {
        *version = VersionNumber(2);
    }
    let mut nobody = item(&new);
    if let Content::Ciphertext { version, .. } = &mut nobody.content {
        *version = VersionNumber(9);
    }
    let items = vec![
        item(&old[0]),
        item(&new),
        tampered,
        says,
        nobody,
        unreadable("x"),
    ];
    let done = batch(&house, id, 1, items).await.unwrap();
    let first = moved(&done.results[0]);
    assert_eq!(first.version, VersionNumber(2));
    let opened = house.decrypt("orders", &first).await.unwrap();
    assert_eq!(opened.expose(), b"one");
    assert_eq!(
        done.results[1],
        ItemResult::Newest {
            version: VersionNumber(2)
        }
    );
    for failed in &done.results[2..] {
        assert!(matches!(failed, ItemResult::Failed { .. }), "{failed:?}");
    }
    let view = read(&house, id).await;
    let progress = &view.progress;
    assert_eq!(
        (
            progress.items,
            progress.moved,
            progress.newest,
            progress.failed
        ),
        (6, 1, 1, 4)
    );
    assert_eq!(progress.from, [(1, 2), (2, 2), (9, 1)].into());
    assert_eq!(progress.to, [(2, 2)].into());
    // Of ciphertexts, whatever became of them; each has a nonce and a tag.
    let texts = ["one", "four", "two", "three", "four"];
    let bytes: usize = texts.iter().map(|text| 12 + text.len() + 16).sum();
    assert_eq!((progress.bytes, bytes), (159, 159));
    assert_eq!(view.failures.len(), 4);
    assert_eq!(view.failures[3].item, 6);
    assert_eq!(view.failures[3].id.as_deref(), Some("line 3"));
    assert_eq!((view.state, view.next), (JobState::Running, 2));
    let ended = tell(&house, id, Step::Finish { complete: true })
        .await
        .unwrap();
    assert_eq!(ended.state, JobState::Failed);
}

#[tokio::test]
async fn the_digest_is_over_what_was_read_and_what_stands_there_now() {
    let house = House::new().await;
    let (old, new) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    let of = |sealed: &Encrypted| sha256(&[&sealed.version.0.to_be_bytes(), &sealed.ciphertext]);
    let mut chain = sha256(&[id.to_string().as_bytes()]);
    let first = batch(&house, id, 1, vec![item(&old[0])]).await.unwrap();
    chain = sha256(&[&chain, &of(&old[0]), &of(&moved(&first.results[0]))]);
    // Where one batch ends and the next begins is nothing that it says.
    let items = vec![item(&new), unreadable("x"), item(&old[1])];
    let second = batch(&house, id, 2, items).await.unwrap();
    chain = sha256(&[&chain, &of(&new), &of(&new)]);
    let line = sha256(&[b"x"]);
    chain = sha256(&[&chain, &line, &line]);
    chain = sha256(&[&chain, &of(&old[1]), &of(&moved(&second.results[2]))]);
    let hex: String = chain.iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(read(&house, id).await.digest, hex);
}

#[tokio::test]
async fn a_batch_counts_once_and_in_its_turn() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    let out_of_turn = |error: Error| match error {
        Error::JobRefuses(why) => why,
        other => panic!("{other:?}"),
    };
    for number in [0, 2, u64::MAX] {
        let refused = batch(&house, id, number, vec![item(&old[0])]).await;
        assert!(out_of_turn(refused.unwrap_err()).contains("the next is 1"));
    }
    let first = batch(&house, id, 1, vec![item(&old[0])]).await.unwrap();
    let counted = read(&house, id).await;
    let again = batch(&house, id, 1, vec![item(&old[0])]).await.unwrap();
    assert_eq!(again.results, first.results);
    // The same number with anything else is another batch.
    let mut other = item(&old[0]);
    other.id = Some("other".into());
    for items in [
        vec![item(&old[1])],
        vec![other],
        vec![item(&old[0]), item(&old[1])],
    ] {
        let refused = batch(&house, id, 1, items).await;
        out_of_turn(refused.unwrap_err());
    }
    let view = read(&house, id).await;
    assert_eq!(view.progress, counted.progress);
    assert_eq!(view.digest, counted.digest);
    // And after a restart.
    let house = house.restart().await;
    let again = batch(&house, id, 1, vec![item(&old[0])]).await.unwrap();
    assert_eq!(again.results, first.results);
    batch(&house, id, 2, vec![item(&old[1])]).await.unwrap();
    let refused = batch(&house, id, 1, vec![item(&old[0])]).await;
    out_of_turn(refused.unwrap_err());
    assert_eq!(read(&house, id).await.progress.items, 2);
}

#[tokio::test]
async fn the_same_batch_sent_twice_at_once_counts_once() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    let items = || old.iter().map(item).collect::<Vec<_>>();
    let (one, other) = tokio::join!(batch(&house, id, 1, items()), batch(&house, id, 1, items()));
    assert_eq!(one.unwrap().results, other.unwrap().results);
    assert_eq!(read(&house, id).await.progress.items, 3);
}

#[tokio::test]
async fn a_compromised_version_waits_for_a_grant_and_nothing_is_counted() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    batch(&house, id, 1, vec![item(&old[0])]).await.unwrap();
    let before = read(&house, id).await;
    let revoke = Revoke {
        versions: Versions::One(VersionNumber(1)),
        reason: RevocationReason::KeyCompromise,
        message: String::new(),
        compromise_occurred_at: None,
    };
    let revoked = house.engine.revoke_key(&house.root, at("orders"), revoke);
    revoked.await.unwrap();
    let refused = batch(&house, id, 2, vec![unreadable("x"), item(&old[1])]).await;
    let refused = refused.unwrap_err();
    assert!(
        matches!(refused, Error::NeedsGrant { version: 1, .. }),
        "{refused:?}"
    );
    assert!(
        refused
            .to_string()
            .contains("skms key grant default/orders")
    );
    let view = read(&house, id).await;
    assert_eq!(
        (view.progress, view.digest),
        (before.progress, before.digest)
    );
    let until = UnixSeconds(common::START_MS / 1000 + 3600);
    let granted = house.engine.grant_recovery(
        &house.root,
        at("orders"),
        Versions::One(VersionNumber(1)),
        until,
        "moving",
    );
    granted.await.unwrap();
    let done = batch(&house, id, 2, vec![item(&old[1])]).await.unwrap();
    let moved = moved(&done.results[0]);
    assert_eq!(
        house.decrypt("orders", &moved).await.unwrap().expose(),
        b"two"
    );
}

#[tokio::test]
async fn a_suspended_key_stops_a_batch_and_a_destroyed_version_an_item() {
    let house = House::new().await;
    let (old, new) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    let suspended = house
        .engine
        .suspend_key(&house.root, at("orders"), Versions::All);
    suspended.await.unwrap();
    let refused = batch(&house, id, 1, vec![item(&old[0])]).await;
    assert!(
        matches!(refused, Err(Error::StateForbids { .. })),
        "{refused:?}"
    );
    assert_eq!(read(&house, id).await.progress.items, 0);
    let resumed = house
        .engine
        .resume_key(&house.root, at("orders"), Versions::All);
    resumed.await.unwrap();
    // One that waits for its destruction can still be restored.
    let one = Versions::One(VersionNumber(1));
    let destroyed = house
        .engine
        .destroy_key(&house.root, at("orders"), one, None);
    destroyed.await.unwrap();
    let refused = batch(&house, id, 1, vec![item(&old[0])]).await;
    assert!(refused.unwrap_err().to_string().contains("restored"));
    house.config.clock.advance_seconds(40 * 24 * 3600);
    house.engine.keep_house(true, false).await.unwrap();
    let done = batch(&house, id, 1, vec![item(&new), item(&old[0])])
        .await
        .unwrap();
    assert!(matches!(done.results[0], ItemResult::Newest { .. }));
    let ItemResult::Failed { why } = &done.results[1] else {
        panic!("{:?}", done.results[1]);
    };
    assert!(why.contains("destroyed"), "{why}");
}

#[tokio::test]
async fn a_job_takes_nothing_while_paused_or_after_its_end() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    tell(&house, id, Step::Pause).await.unwrap();
    tell(&house, id, Step::Pause).await.unwrap();
    let refused = batch(&house, id, 1, vec![item(&old[0])]).await;
    assert!(matches!(refused, Err(Error::JobRefuses(_))), "{refused:?}");
    tell(&house, id, Step::Resume).await.unwrap();
    batch(&house, id, 1, vec![item(&old[0])]).await.unwrap();
    let ended = tell(&house, id, Step::Finish { complete: false })
        .await
        .unwrap();
    assert_eq!((ended.state, ended.complete), (JobState::Finished, false));
    // Told again it is the same; that these were all can be said later.
    tell(&house, id, Step::Finish { complete: false })
        .await
        .unwrap();
    let all = tell(&house, id, Step::Finish { complete: true })
        .await
        .unwrap();
    assert_eq!((all.ended_at, all.complete), (ended.ended_at, true));
    for step in [
        Step::Finish { complete: false },
        Step::Resume,
        Step::Pause,
        Step::Cancel,
    ] {
        let refused = tell(&house, id, step).await;
        assert!(matches!(refused, Err(Error::JobRefuses(_))), "{step:?}");
    }
    let refused = batch(&house, id, 2, vec![item(&old[0])]).await;
    assert!(matches!(refused, Err(Error::JobRefuses(_))));
    let cancelled = job(&house, "orders").await;
    tell(&house, cancelled, Step::Cancel).await.unwrap();
    let refused = tell(&house, cancelled, Step::Finish { complete: true }).await;
    assert!(matches!(refused, Err(Error::JobRefuses(_))));
}

#[tokio::test]
async fn what_is_no_batch_is_refused() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    let refused = batch(&house, id, 1, Vec::new()).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    let many = vec![unreadable("x"); 1001];
    let refused = batch(&house, id, 1, many).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    let mut large = item(&old[0]);
    if let Content::Ciphertext { ciphertext, .. } = &mut large.content {
        ciphertext.resize(2 << 20 | 1, 0);
    }
    let refused = batch(&house, id, 1, vec![large]).await;
    assert!(matches!(refused, Err(Error::TooLarge { .. })));
    let mut named = unreadable("x");
    named.id = Some("a\nb".into());
    let refused = batch(&house, id, 1, vec![named]).await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
    assert_eq!(read(&house, id).await.progress.items, 0);
    house.create("signer", Algorithm::Ed25519).await;
    let made = house
        .engine
        .create_job(&house.root, at("signer"), NewJob::default());
    assert!(matches!(made.await, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn a_job_is_as_visible_as_its_key() {
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    let stranger = house.caller_in("stranger", &[]).await;
    let at = ("root", id);
    let engine = &house.engine;
    let absent = |error: Error| assert!(matches!(error, Error::NotFound { what: "job" }));
    absent(engine.read_job(&stranger, "root", id).await.unwrap_err());
    absent(engine.job_report(&stranger, "root", id).await.unwrap_err());
    absent(
        engine
            .update_job(&stranger, at, Step::Cancel)
            .await
            .unwrap_err(),
    );
    let items = vec![item(&old[0])];
    absent(
        engine
            .run_batch(&stranger, at, 1, items.clone())
            .await
            .unwrap_err(),
    );
    let nobody = ("root", RecordId([9; 16]));
    absent(
        engine
            .run_batch(&house.root, nobody, 1, items)
            .await
            .unwrap_err(),
    );
    let page = skms_engine::Page::new(10, None).unwrap();
    let (listed, _) = engine.list_jobs(&house.root, "root", &page).await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!(listed[0].id, id);
}

#[tokio::test]
async fn jobs_of_a_deleted_key_are_not_those_of_its_namesake() {
    let house = House::new().await;
    two_versions(&house, "orders").await;
    let id = job(&house, "orders").await;
    let (engine, root) = (&house.engine, &house.root);
    let gone = engine.destroy_key(root, at("orders"), Versions::All, None);
    gone.await.unwrap();
    house.config.clock.advance_seconds(8 * 86_400);
    engine.do_what_is_due().await.unwrap();
    engine.delete_key(root, at("orders")).await.unwrap();
    house.create("orders", Algorithm::Aes256Gcm).await;
    let own = job(&house, "orders").await;
    let read = engine.read_job(root, "root", id).await;
    assert!(matches!(read, Err(Error::NotFound { what: "job" })));
    let page = skms_engine::Page::new(10, None).unwrap();
    let (listed, _) = engine.list_jobs(root, "root", &page).await.unwrap();
    let listed: Vec<_> = listed.into_iter().map(|job| job.id).collect();
    assert_eq!(listed, [own]);
}

#[tokio::test]
async fn an_incident_leaves_jobs_that_run_under_a_grant() {
    use skms_engine::acts::compromise::{Order, Reach, Rotation, verify_report};
    let house = House::new().await;
    let (old, _) = two_versions(&house, "orders").await;
    house.create("mac", Algorithm::HmacSha256).await;
    let order = |rotation| Order {
        versions: Versions::All,
        reason: "lost".into(),
        since: None,
        reach: Reach::All,
        rotation,
    };
    let compromise = house
        .engine
        .plan_compromise(&house.root, at("orders"), order(Rotation::All));
    let plan = compromise.await.unwrap();
    assert!(plan.report["reencrypt"][0].get("job").is_none());
    let page = skms_engine::Page::new(10, None).unwrap();
    let listed = house.engine.list_jobs(&house.root, "root", &page);
    assert!(listed.await.unwrap().0.is_empty());
    for name in ["orders", "mac"] {
        let begun = house
            .engine
            .compromise_key(&house.root, at(name), order(Rotation::All));
        begun.await.unwrap();
    }
    house.engine.finish_incidents().await.unwrap();
    let house = house.restart().await;
    let listed = house.engine.list_jobs(&house.root, "root", &page);
    let (jobs, _) = listed.await.unwrap();
    assert_eq!(jobs.len(), 1, "one that encrypts data, and not the other");
    let job = &jobs[0];
    assert_eq!((job.key.as_str(), job.state), ("orders", JobState::Ready));
    let incident = job.incident.as_deref().unwrap().parse().unwrap();
    let read_incident = house.engine.read_incident(&house.root, "root", incident);
    let incident = read_incident.await.unwrap();
    let key = house
        .engine
        .incident_key(&house.root, "root")
        .await
        .unwrap();
    let report = verify_report(&incident.report.unwrap(), &key.pem).unwrap();
    assert_eq!(report["reencrypt"][0]["job"], job.id.to_string());
    let command = report["reencrypt"][0]["command"].as_str().unwrap();
    assert!(command.ends_with(&format!("--job {}", job.id)), "{command}");
    let refused = batch(&house, job.id, 1, vec![item(&old[0])]).await;
    assert!(
        matches!(refused, Err(Error::NeedsGrant { .. })),
        "{refused:?}"
    );
    let until = UnixSeconds(common::START_MS / 1000 + 3600);
    let one = Versions::One(VersionNumber(1));
    let granted = house
        .engine
        .grant_recovery(&house.root, at("orders"), one, until, "moving");
    granted.await.unwrap();
    let done = batch(&house, job.id, 1, vec![item(&old[0])]).await.unwrap();
    assert_eq!(moved(&done.results[0]).version, VersionNumber(3));
}

/// A job moves what the old algorithm encrypted to the new one.
#[tokio::test]
async fn items_are_moved_to_another_algorithm() {
    let house = House::new().await;
    house.create("orders", Algorithm::Aes128Gcm).await;
    let old = house.encrypt("orders", b"one").await.unwrap();
    let (engine, root) = (&house.engine, &house.root);
    let into = Some(Algorithm::Xaes256Gcm);
    let rotated = engine.rotate_key_into(root, at("orders"), into, None).await;
    rotated.unwrap();
    let id = job(&house, "orders").await;
    let done = batch(&house, id, 1, vec![item(&old)]).await.unwrap();
    let new = moved(&done.results[0]);
    assert_eq!(new.version, VersionNumber(2));
    assert_ne!(new.ciphertext.len(), old.ciphertext.len());
    let opened = house.decrypt("orders", &new).await.unwrap();
    assert_eq!(opened.expose(), b"one");
}
