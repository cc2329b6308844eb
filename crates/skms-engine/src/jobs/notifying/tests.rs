//! Progress of which memory does not know how it is on record, and news that
//! could not be written down.

use std::sync::atomic::{AtomicBool, Ordering};

use skms_crypto::SecretArray;
use skms_policy::ROOT_NAMESPACE;
use skms_store::{NewSeal, SealInput};

use super::*;
use crate::acts::notifications::{Changes, NewChannel, Way};
use crate::courier::{Courier, Sending};
use crate::engine::Config;
use crate::filter::EventFilter;
use crate::records::notification::CursorRecord;

#[derive(Default)]
struct Post {
    refuses: AtomicBool,
}

impl Courier for Post {
    fn check_url(&self, _: &str) -> std::result::Result<(), Undelivered> {
        Ok(())
    }

    fn check_mailbox(&self, _: &str) -> std::result::Result<(), Undelivered> {
        Ok(())
    }

    fn webhook<'a>(&'a self, _: Webhook<'a>) -> Sending<'a> {
        let taken = match self.refuses.load(Ordering::SeqCst) {
            true => Err(Undelivered("no".into())),
            false => Ok("taken".into()),
        };
        Box::pin(std::future::ready(taken))
    }

    fn mail<'a>(&'a self, _: Mail<'a>) -> Sending<'a> {
        Box::pin(std::future::ready(Ok("taken".into())))
    }
}

struct Stage {
    _dir: tempfile::TempDir,
    config: Config,
    engine: Arc<Engine>,
    root: Arc<Caller>,
    post: Arc<Post>,
}

fn key() -> SecretArray<32> {
    SecretArray::from_slice(&[7; 32]).unwrap()
}

fn at() -> (&'static str, &'static str) {
    (ROOT_NAMESPACE, "pager")
}

/// An engine with one webhook, which is told of new namespaces.
async fn stage() -> Stage {
    let dir = tempfile::TempDir::new().unwrap();
    let post = Arc::new(Post::default());
    let mut config = Config::new(dir.path());
    config.clock = crate::clock::Clock::fixed(1_767_225_600_000);
    config.courier = Arc::clone(&post) as Arc<dyn Courier>;
    let seal = NewSeal::KeyFile {
        name: "test".into(),
        key: key(),
    };
    let made = Engine::init(&config, vec![seal]).await.unwrap();
    let engine = Engine::open(config.clone()).await.unwrap();
    engine.unseal(SealInput::KeyFile(key())).await.unwrap();
    let token = String::from_utf8(made.root_token.into_public()).unwrap();
    let root = Arc::new(Caller {
        session: engine.authenticate_token(&token).await.unwrap(),
        source: None,
        request_id: "test".into(),
        tls: true,
        idempotency: None,
        calling: crate::approvals::Calling::default(),
    });
    let new = NewChannel {
        name: "pager".into(),
        way: Way::Webhook {
            url: "https://pager.example.org/".into(),
        },
        wanted: EventFilter::new(&["namespace.create".into()], &[], &[]).unwrap(),
        enabled: true,
    };
    let made = engine.create_channel(&root, ROOT_NAMESPACE, new).await;
    made.unwrap();
    Stage {
        _dir: dir,
        config,
        engine,
        root,
        post,
    }
}

impl Stage {
    fn channel(&self) -> Arc<Channel> {
        let (namespace, name) = at();
        let rooms = self.engine.rooms().unwrap();
        rooms.channels.find(namespace, name).unwrap()
    }

    async fn happens(&self, name: &str) {
        let made = self.engine.create_namespace(&self.root, name).await;
        made.unwrap();
    }

    /// Delivers what is due, this much later.
    async fn deliver(&self, seconds: i64) {
        self.config.clock.advance_seconds(seconds);
        self.engine.deliver_due().await.unwrap();
    }

    /// As after a commit that happened, though nobody heard of it.
    async fn falls_behind(&self) {
        let (rooms, channel) = (self.engine.rooms().unwrap(), self.channel());
        let (cursor, revision) = {
            let mut state = channel.progress.state();
            state.dirty_since = None;
            (state.record(), state.revision)
        };
        let change = channel.put_cursor(&cursor, Some(revision)).unwrap();
        rooms.store.commit(vec![change], None).await.unwrap();
        assert_ne!(self.on_record().await.0, channel.progress.state().revision);
    }

    async fn on_record(&self) -> (u64, CursorRecord) {
        let (rooms, channel) = (self.engine.rooms().unwrap(), self.channel());
        let scope = channel.namespace.0;
        let found = rooms.store.get(scope, Kind::ChannelCursor, channel.id);
        let found = found.await.unwrap().unwrap();
        let record = records::decode(found.plaintext.expose()).unwrap();
        (found.revision, record)
    }

    /// What was told of deliveries.
    async fn told(&self) -> Vec<String> {
        let only = EventFilter::new(&["notification.deliver".into()], &[], &[]).unwrap();
        let read = (self.engine).select_events(&self.root, ROOT_NAMESPACE, 0, 1000, &only);
        let (events, _) = read.await.unwrap();
        let states = events
            .iter()
            .filter_map(|one| one.event.details.get(DetailKey::ToState));
        states.map(|state| format!("{state:?}")).collect()
    }
}

#[tokio::test]
async fn progress_is_saved_again_when_memory_was_behind() {
    let stage = stage().await;
    stage.happens("a").await;
    stage.deliver(0).await;
    stage.falls_behind().await;
    stage.happens("b").await;
    stage.deliver(0).await;
    let channel = stage.channel();
    assert_eq!(channel.progress.state().delivered, 2);
    stage.deliver(2).await;
    // It came to nothing, and is still to be done.
    let (revision, record) = stage.on_record().await;
    assert_eq!(record.delivered, 1);
    assert_eq!(channel.progress.state().revision, revision);
    assert!(channel.progress.state().dirty_since.is_some());
    stage.deliver(2).await;
    let (now, record) = stage.on_record().await;
    assert_eq!((now, record.delivered), (revision + 1, 2));
    assert_eq!(channel.progress.state().revision, now);
    assert!(channel.progress.state().dirty_since.is_none());
}

#[tokio::test]
async fn what_came_to_nothing_is_told_by_the_next_delivery() {
    let stage = stage().await;
    let channel = stage.channel();
    let failing = || channel.progress.state().failing_since.is_some();
    stage.post.refuses.store(true, Ordering::SeqCst);
    stage.happens("a").await;
    stage.deliver(0).await;
    stage.deliver(7).await;
    stage.falls_behind().await;
    stage.deliver(25).await;
    assert!(stage.told().await.is_empty() && !failing());
    stage.deliver(100).await;
    let told = stage.told().await;
    assert!(told.len() == 1 && told[0].contains("failing"), "{told:?}");
    assert!(failing() && stage.on_record().await.1.failing_since.is_some());
    // The same of its recovery.
    stage.post.refuses.store(false, Ordering::SeqCst);
    stage.deliver(0).await;
    stage.falls_behind().await;
    stage.deliver(400).await;
    assert!(stage.told().await.len() == 1 && failing());
    stage.happens("b").await;
    stage.deliver(0).await;
    let told = stage.told().await;
    assert!(told.len() == 2 && told[1].contains("recovered"), "{told:?}");
    assert!(!failing() && stage.on_record().await.1.failing_since.is_none());
}

#[tokio::test]
async fn a_channel_can_be_deleted_when_memory_was_behind() {
    let stage = stage().await;
    stage.falls_behind().await;
    let (namespace, name) = at();
    let delete = async || {
        (stage.engine)
            .delete_channel(&stage.root, namespace, name)
            .await
    };
    assert!(matches!(delete().await, Err(Error::Conflict)));
    delete().await.unwrap();
}

#[tokio::test]
async fn where_a_channel_goes_on_is_on_record_with_that_it_does() {
    let stage = stage().await;
    let switch = async |enabled| {
        let changes = Changes {
            enabled: Some(enabled),
            ..Changes::default()
        };
        let changed = stage.engine.update_channel(&stage.root, at(), changes);
        changed.await.unwrap();
    };
    switch(false).await;
    stage.happens("a").await;
    let rooms = stage.engine.rooms().unwrap();
    let durable = rooms.journal.durable_sequence();
    switch(true).await;
    let (revision, record) = stage.on_record().await;
    assert!(record.next >= durable, "{} before {durable}", record.next);
    let channel = stage.channel();
    let state = channel.progress.state();
    assert_eq!((state.revision, state.next), (revision, record.next));
}
