//! Deliveries on a clock that is moved by hand: when something is tried again,
//! when it is given up, and what is on record then.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{House, at};
use skms_crypto::Algorithm;
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::events::Recorded;
use skms_engine::acts::notifications::{Changes, Letters, NewChannel, Standing, Way};
use skms_engine::courier::{Courier, Mail, Sending, Undelivered, Webhook};
use skms_engine::{Engine, Error, EventFilter, KeyRef};
use skms_policy::ROOT_NAMESPACE;
use skms_store::SealInput;

/// Takes what it is sent, unless it is told not to.
#[derive(Default)]
struct Post {
    refuses: AtomicBool,
    /// How many deliveries to slow receivers began, of which none ends.
    hanging: AtomicUsize,
    came: Mutex<Vec<(String, Vec<u64>)>>,
}

impl Post {
    fn take(&self, to: &str, sequences: Vec<u64>) -> Result<String, Undelivered> {
        if self.refuses.load(Ordering::SeqCst) {
            return Err(Undelivered("no".into()));
        }
        self.came.lock().unwrap().push((to.to_owned(), sequences));
        Ok("taken".into())
    }

    fn refuse(&self, refuses: bool) {
        self.refuses.store(refuses, Ordering::SeqCst);
    }

    /// What came since the last look.
    fn came(&self) -> Vec<(String, Vec<u64>)> {
        std::mem::take(&mut self.came.lock().unwrap())
    }
}

impl Courier for Post {
    fn check_url(&self, _: &str) -> Result<(), Undelivered> {
        Ok(())
    }

    fn check_mailbox(&self, mailbox: &str) -> Result<(), Undelivered> {
        match mailbox.contains('@') {
            true => Ok(()),
            false => Err(Undelivered("no mailbox".into())),
        }
    }

    fn webhook<'a>(&'a self, webhook: Webhook<'a>) -> Sending<'a> {
        if webhook.url.contains("slow") {
            self.hanging.fetch_add(1, Ordering::SeqCst);
            return Box::pin(std::future::pending());
        }
        let taken = self.take(webhook.url, vec![webhook.event.sequence]);
        Box::pin(std::future::ready(taken))
    }

    fn mail<'a>(&'a self, mail: Mail<'a>) -> Sending<'a> {
        let sequences = mail.events.iter().map(|one| one.sequence).collect();
        let taken = self.take(&mail.to.join(" "), sequences);
        Box::pin(std::future::ready(taken))
    }
}

struct Stage {
    house: House,
    engine: Arc<Engine>,
    post: Arc<Post>,
}

/// An engine whose notifications go to `post`.
async fn stage() -> Stage {
    let mut house = House::new().await;
    let post = Arc::new(Post::default());
    house.config.courier = Arc::clone(&post) as Arc<dyn Courier>;
    let house = house.restart().await;
    Stage {
        engine: Arc::clone(&house.engine),
        house,
        post,
    }
}

impl Stage {
    async fn restart(self) -> Self {
        let Self {
            house,
            engine,
            post,
        } = self;
        drop(engine);
        let house = house.restart().await;
        Self {
            engine: Arc::clone(&house.engine),
            house,
            post,
        }
    }

    async fn add(&self, name: &str, way: Way, actions: &[&str]) {
        self.add_in(ROOT_NAMESPACE, name, way, actions).await;
    }

    async fn add_in(&self, namespace: &str, name: &str, way: Way, actions: &[&str]) {
        let actions: Vec<String> = actions.iter().map(|one| (*one).to_owned()).collect();
        let new = NewChannel {
            name: name.into(),
            way,
            wanted: EventFilter::new(&actions, &[], &[]).unwrap(),
            enabled: true,
        };
        let made = self
            .engine
            .create_channel(&self.house.root, namespace, new)
            .await;
        made.unwrap();
    }

    async fn webhook(&self, name: &str, actions: &[&str]) {
        let url = format!("https://{name}.example.org/");
        self.add(name, Way::Webhook { url }, actions).await;
    }

    async fn make_key(&self, name: &str) {
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::Aes256Gcm),
            ..NewKeySpec::default()
        };
        let made = self
            .engine
            .create_key(&self.house.root, at(name), spec)
            .await;
        made.unwrap();
    }

    fn pass(&self, seconds: i64) {
        self.house.config.clock.advance_seconds(seconds);
    }

    async fn deliver(&self) {
        self.engine.deliver_due().await.unwrap();
    }

    async fn read(&self, name: &str) -> skms_engine::acts::notifications::View {
        let read = self
            .engine
            .read_channel(&self.house.root, ROOT_NAMESPACE, name);
        read.await.unwrap()
    }

    /// The events of deliveries: outcome, state, count and reason.
    async fn told(&self) -> Vec<String> {
        let only = EventFilter::new(&["notification.deliver".into()], &[], &[]).unwrap();
        let read = self
            .engine
            .select_events(&self.house.root, ROOT_NAMESPACE, 0, 1000, &only);
        let (events, _) = read.await.unwrap();
        let tell = |one: &Recorded| {
            let details: Vec<String> = (one.event.details.iter())
                .map(|(key, value)| format!("{key}={value:?}"))
                .collect();
            format!("{} {}", one.event.outcome.name(), details.join(" "))
        };
        events.iter().map(tell).collect()
    }
}

#[tokio::test]
async fn what_is_refused_for_days_is_a_dead_letter_and_can_come_back() {
    let stage = stage().await;
    stage.webhook("pager", &["key.create"]).await;
    stage.webhook("other", &["key.create"]).await;
    stage.make_key("a").await;
    stage.deliver().await;
    let first = stage.post.came();
    assert_eq!(first.len(), 2, "{first:?}");
    assert_eq!(first[0].1, first[1].1);
    stage.post.refuse(true);
    stage.make_key("b").await;
    stage.make_key("c").await;
    stage.deliver().await;
    // Nothing is said of one failure; after three the channel is failing.
    assert!(stage.told().await.is_empty());
    for seconds in [7, 25] {
        stage.pass(seconds);
        stage.deliver().await;
    }
    let told = stage.told().await;
    assert_eq!(told.len(), 2, "{told:?}");
    assert!(told[0].contains("failing"), "{told:?}");
    let view = stage.read("pager").await;
    assert_eq!((view.standing, view.waiting), (Standing::Failing, 2));
    assert_eq!(view.last_error.as_deref(), Some("no"));
    // A restart forgets none of it.
    let stage = stage.restart().await;
    let view = stage.read("pager").await;
    assert_eq!(
        (view.standing, view.waiting, view.dead),
        (Standing::Failing, 2, 0)
    );
    // Within three days it is not given up, after them it is.
    for _ in 0..35 {
        stage.pass(7200);
        stage.deliver().await;
    }
    assert_eq!(stage.read("pager").await.dead, 0);
    for _ in 0..2 {
        stage.pass(7200);
        stage.deliver().await;
    }
    let view = stage.read("pager").await;
    assert_eq!((view.waiting, view.dead), (0, 2));
    let told = stage.told().await;
    let dead = told.iter().filter(|one| one.contains("dead-letter"));
    assert!((2..=4).contains(&dead.count()), "{told:?}");
    let stage = stage.restart().await;
    let root = &stage.house.root;
    let at = (ROOT_NAMESPACE, "pager");
    let (letters, more) = stage.engine.dead_letters(root, at, None, 1).await.unwrap();
    assert!(more && letters.len() == 1);
    assert_eq!(
        (letters[0].action.as_str(), letters[0].reason.as_str()),
        ("key.create", "no")
    );
    // Once in two looks at least: the longest wait is spread past one of them.
    assert!(letters[0].attempts > 18, "{letters:?}");
    let after = Some(letters[0].id);
    let (rest, more) = stage.engine.dead_letters(root, at, after, 9).await.unwrap();
    assert!(!more && rest.len() == 1);
    // One is delivered after all, the other let go.
    stage.post.refuse(false);
    let these = Letters::These(vec![letters[0].id]);
    let count = stage
        .engine
        .retry_dead_letters(root, at, these.clone())
        .await;
    assert_eq!(count.unwrap(), 1);
    stage.deliver().await;
    assert_eq!(
        stage.post.came(),
        [(
            "https://pager.example.org/".into(),
            vec![letters[0].sequence]
        )]
    );
    assert!(stage.told().await.last().unwrap().starts_with("success"));
    assert_eq!(stage.read("pager").await.standing, Standing::Working);
    let gone = stage.engine.retry_dead_letters(root, at, these).await;
    assert!(matches!(gone, Err(Error::NotFound { .. })));
    let count = stage
        .engine
        .discard_dead_letters(root, at, Letters::All)
        .await;
    assert_eq!(count.unwrap(), 1);
    let stage = stage.restart().await;
    let view = stage.read("pager").await;
    assert_eq!(
        (view.dead, view.waiting, view.standing),
        (0, 0, Standing::Working)
    );
}

#[tokio::test]
async fn one_that_is_taken_ends_the_wait_of_the_others() {
    let stage = stage().await;
    stage.webhook("pager", &["key.create"]).await;
    stage.post.refuse(true);
    for name in ["a", "b", "c"] {
        stage.make_key(name).await;
    }
    for seconds in [0, 7, 25, 100, 400] {
        stage.pass(seconds);
        stage.deliver().await;
    }
    stage.post.refuse(false);
    stage.make_key("d").await;
    stage.deliver().await;
    let mut came: Vec<u64> = stage
        .post
        .came()
        .into_iter()
        .flat_map(|(_, one)| one)
        .collect();
    let last = came[0];
    came.sort_unstable();
    assert_eq!(came.len(), 4);
    assert_eq!(came.last(), Some(&last), "the new one is first to be taken");
    let told = stage.told().await;
    assert!(
        told[0].contains("failing") && told[1].starts_with("success"),
        "{told:?}"
    );
    assert_eq!(told.len(), 2);
}

#[tokio::test]
async fn mail_gathers_and_is_tried_as_one() {
    let stage = stage().await;
    let to = vec!["ops@example.org".to_owned()];
    stage.add("ops", Way::Email { to }, &["key.create"]).await;
    for name in ["a", "b"] {
        stage.make_key(name).await;
    }
    stage.deliver().await;
    assert!(stage.post.came().is_empty());
    stage.pass(59);
    stage.make_key("c").await;
    stage.deliver().await;
    assert!(stage.post.came().is_empty());
    stage.pass(1);
    stage.deliver().await;
    let came = stage.post.came();
    assert_eq!(came.len(), 1);
    assert_eq!(came[0].1.len(), 3);
    let new = NewChannel {
        name: "bad".into(),
        way: Way::Email {
            to: vec!["nobody".into()],
        },
        wanted: EventFilter::default(),
        enabled: true,
    };
    let refused = stage
        .engine
        .create_channel(&stage.house.root, ROOT_NAMESPACE, new)
        .await;
    assert!(matches!(refused, Err(Error::Invalid(_))));
}

#[tokio::test]
async fn what_is_switched_off_delivers_nothing_and_goes_on_from_now() {
    let stage = stage().await;
    stage.webhook("pager", &["key.create"]).await;
    let switch = async |enabled| {
        let changes = Changes {
            enabled: Some(enabled),
            ..Changes::default()
        };
        let at = (ROOT_NAMESPACE, "pager");
        let changed = stage.engine.update_channel(&stage.house.root, at, changes);
        changed.await.unwrap().standing
    };
    assert_eq!(switch(false).await, Standing::Disabled);
    stage.make_key("a").await;
    stage.deliver().await;
    assert!(stage.post.came().is_empty());
    assert_eq!(switch(true).await, Standing::Working);
    stage.make_key("b").await;
    stage.deliver().await;
    assert_eq!(stage.post.came().len(), 1);
}

#[tokio::test]
async fn channels_that_tell_of_each_other_come_to_rest() {
    let stage = stage().await;
    stage.webhook("one", &["*"]).await;
    stage.webhook("two", &["*"]).await;
    stage.post.refuse(true);
    stage.make_key("a").await;
    for _ in 0..200 {
        stage.pass(7200);
        stage.deliver().await;
    }
    stage.post.refuse(false);
    // A channel with nothing left to deliver finds out by the next event that it
    // works again: this is one.
    stage.told().await;
    for _ in 0..50 {
        stage.pass(7200);
        stage.deliver().await;
    }
    stage.post.came();
    let told = stage.told().await.len();
    // From here on only what this test reads is delivered.
    for _ in 0..50 {
        stage.pass(7200);
        stage.deliver().await;
    }
    assert_eq!(stage.told().await.len(), told);
    let came = stage.post.came().len();
    assert!(came <= 4, "{came}");
}

#[tokio::test]
async fn sealing_and_unsealing_goes_on_where_it_was() {
    let stage = stage().await;
    stage.webhook("pager", &["key.create"]).await;
    stage.post.refuse(true);
    stage.make_key("a").await;
    stage.deliver().await;
    stage.engine.seal(&stage.house.root).await.unwrap();
    assert!(matches!(
        stage.engine.deliver_due().await,
        Err(Error::Sealed)
    ));
    let input: SealInput = stage.house.key_input();
    stage.engine.unseal(input).await.unwrap();
    stage.post.refuse(false);
    stage.pass(10);
    stage.deliver().await;
    assert_eq!(stage.post.came().len(), 1);
}

#[tokio::test]
async fn receivers_that_take_their_time_hold_up_nobody_else_s() {
    let stage = stage().await;
    let (engine, root) = (&stage.engine, &stage.house.root);
    engine.create_namespace(root, "team").await.unwrap();
    let defaults = skms_keys::Defaults::default();
    engine
        .create_keyring(root, "team", "default", defaults)
        .await
        .unwrap();
    for at in 0..9 {
        let url = "https://slow.example.org/".to_owned();
        let way = Way::Webhook { url };
        let name = format!("slow-{at}");
        stage.add_in("team", &name, way, &["key.create"]).await;
    }
    stage.webhook("pager", &["key.create"]).await;
    engine.start_jobs();
    for at in 0..5 {
        let name = format!("theirs-{at}");
        let theirs = KeyRef {
            namespace: "team",
            ..common::at(&name)
        };
        let spec = NewKeySpec {
            algorithm: Some(Algorithm::Aes256Gcm),
            ..NewKeySpec::default()
        };
        engine.create_key(root, theirs, spec).await.unwrap();
    }
    let until = async |done: &dyn Fn() -> bool| {
        for _ in 0..6000 {
            if done() {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("nothing more is delivered");
    };
    let hanging = || stage.post.hanging.load(Ordering::SeqCst);
    until(&|| hanging() >= 8).await;
    stage.make_key("ours").await;
    // What the root namespace is told of is all that happened.
    let came = Mutex::new(0);
    until(&|| {
        let mut came = came.lock().unwrap();
        *came += stage.post.came().len();
        *came == 6
    })
    .await;
    assert_eq!(hanging(), 8);
    let tried = engine.test_channel(root, "team", "slow-0").await;
    assert!(matches!(tried, Err(Error::Busy)));
    let tried = engine.test_channel(root, ROOT_NAMESPACE, "pager").await;
    assert!(tried.unwrap().taken);
}
