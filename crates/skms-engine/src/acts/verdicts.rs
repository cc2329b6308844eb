//! Verdicts: what another part of the system, or another system, thinks of a
//! principal or a key. A verdict does nothing by itself; the rules of the
//! namespace answer it before the call returns.

use std::sync::Arc;

use skms_evidence::{DetailKey, EventId, Outcome};
use skms_keys::UnixSeconds;
use skms_policy::rule::{About, Asked, Occasion, Question, Trigger};
use skms_store::RecordId;

use crate::act::act;
use crate::acts::rules::ActView;
use crate::acts::suspension::principal;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::opened::KeySnapshot;
use crate::rules::PART;
use crate::rules::answer::{Intent, act_key};
use crate::rules::judge::{Claim, doubt, remembered};
use crate::rules::question::facts;
use crate::rules::roster::Roster;
use crate::target::Target;
use crate::words::is_plain;

act!(Submit, VerdictSubmit, "Hands in a verdict.");

/// The highest score.
pub const SCORE_MAX: u16 = 1000;

/// The longest reason, in bytes.
const REASON_MAX: usize = 1024;

/// The most events that a verdict names.
const EVIDENCE_MAX: usize = 64;

/// Whom or what a verdict is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// A principal of the namespace.
    Principal(String),
    /// A key of the namespace.
    Key {
        /// Its keyring.
        keyring: String,
        /// Its name.
        name: String,
    },
}

/// A verdict.
#[derive(Clone, Debug)]
pub struct NewVerdict {
    /// Whom or what it is about.
    pub subject: Subject,
    /// How sure and how bad, from 0 to 1000.
    pub score: u16,
    /// Why, in words.
    pub reason: String,
    /// The events that it rests on.
    pub evidence: Vec<EventId>,
    /// After this nothing is done by it any more.
    pub expires_at: Option<UnixSeconds>,
}

/// What became of a verdict.
#[derive(Clone, Debug)]
pub struct Answered {
    /// What it is known by: its event's identifier.
    pub id: EventId,
    /// What the rules did.
    pub acts: Vec<ActView>,
}

/// A subject that was found and may be judged.
enum Judged {
    Principal(Box<Authorized<Submit, Target>>),
    Key(Authorized<Submit, KeyTarget>),
}

impl Engine {
    /// Hands in a verdict. The rules have answered it when this returns.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a subject that is absent or not visible;
    /// [`Error::Invalid`] for a score, reason or date that cannot be.
    pub async fn submit_verdict(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        verdict: NewVerdict,
    ) -> Result<Answered> {
        let entry = self.enter(caller)?;
        let judged = match &verdict.subject {
            Subject::Principal(name) => {
                let target = principal(&entry.rooms, namespace, name).await?;
                Judged::Principal(Box::new(entry.authorize::<Submit>(target).await?))
            }
            Subject::Key { keyring, name } => {
                let at = KeyRef {
                    namespace,
                    keyring,
                    name,
                };
                Judged::Key(entry.authorize_key::<Submit>(at).await?)
            }
        };
        self.answer_verdict(&entry, judged, namespace, verdict)
            .await
    }

    /// Hands in a verdict of a part of the server itself, by its name: of the
    /// one that watches how principals behave, say.
    ///
    /// # Errors
    /// As for [`Engine::submit_verdict`].
    pub async fn hand_in_verdict(
        &self,
        part: &'static str,
        namespace: &str,
        verdict: NewVerdict,
    ) -> Result<Answered> {
        let entry = self.enter(&Caller::system(part)?)?;
        let judged = match &verdict.subject {
            Subject::Principal(name) => {
                let target = principal(&entry.rooms, namespace, name).await?;
                Judged::Principal(Box::new(
                    entry.authorize_target_as_system::<Submit>(target)?,
                ))
            }
            Subject::Key { keyring, name } => {
                let at = KeyRef {
                    namespace,
                    keyring,
                    name,
                };
                let found = entry.rooms.keys.resolve(&entry.rooms, at).await?;
                let cell = found.ok_or(Error::NotFound { what: "key" })?;
                Judged::Key(entry.authorize_as_system::<Submit>(&cell)?)
            }
        };
        self.answer_verdict(&entry, judged, namespace, verdict)
            .await
    }

    async fn answer_verdict(
        &self,
        entry: &Entry,
        judged: Judged,
        namespace: &str,
        verdict: NewVerdict,
    ) -> Result<Answered> {
        let checked = check(&verdict, entry.now());
        match &judged {
            Judged::Principal(allowed) => entry.failed(allowed, checked).await?,
            Judged::Key(allowed) => entry.failed_key(allowed, checked).await?,
        }
        let (event, key) = match &judged {
            Judged::Principal(allowed) => (EventDraft::of(entry, allowed, Outcome::Success)?, None),
            Judged::Key(allowed) => (
                EventDraft::of_key(entry, allowed, Outcome::Success)?,
                Some(allowed.target().snapshot()),
            ),
        };
        let id = event.id();
        let event = event
            .detail(DetailKey::Score, u32::from(verdict.score))
            .detail(DetailKey::Reason, verdict.reason.as_str())
            .detail(DetailKey::Count, verdict.evidence.len() as u64);
        let named: Vec<String> = verdict.evidence.iter().map(ToString::to_string).collect();
        let event = match named.is_empty() {
            true => event,
            false => event.detail(DetailKey::Evidence, named.join(" ")),
        };
        let event = match verdict.expires_at {
            Some(end) => event.detail(DetailKey::ExpiresAt, end.0.unsigned_abs()),
            None => event,
        };
        // What was said is durable before anything is done about it.
        entry.record(event).await?;
        let system = self.enter(&Caller::system(PART)?)?;
        let by = entry.caller.session.principal.id();
        let asked = (namespace, &verdict, id, by);
        let (ids, decided) = system.ask_verdict(asked, key.as_deref()).await?;
        self.carry_out(&decided).await?;
        let mut guard = system.rooms.judge.0.lock().await;
        let memory = remembered(&system.rooms, &mut guard).await?;
        let acts = ids.iter().filter_map(|id| memory.acts.get(id)).map(|act| {
            let rule = system.rooms.rules.find(namespace, &act.record.rule);
            ActView::of(act, rule.as_deref())
        });
        let mut acts: Vec<ActView> = acts.collect();
        acts.sort_by(|one, other| one.rule.cmp(&other.rule));
        Ok(Answered { id, acts })
    }
}

impl Entry {
    async fn ask_verdict(
        &self,
        (namespace, verdict, id, by): (&str, &NewVerdict, EventId, &str),
        snapshot: Option<&KeySnapshot>,
    ) -> Result<(Vec<RecordId>, Claim)> {
        let judge = Arc::clone(&self.rooms.judge);
        let nothing = || Ok((Vec::new(), judge.claim([])));
        let asking = self.rooms.rules.on(Trigger::Verdict);
        let Some(rules) = asking.get(namespace) else {
            return nothing();
        };
        let roster = Roster::load(&self.rooms).await?;
        let mut guard = judge.0.lock().await;
        let memory = remembered(&self.rooms, &mut guard).await?;
        let key = snapshot.and_then(|snapshot| {
            let last = memory.last_use(snapshot.key());
            facts(
                &self.rooms,
                snapshot.key(),
                snapshot.at().keyring,
                last,
                self.now(),
            )
        });
        let known = match (&verdict.subject, snapshot) {
            (Subject::Principal(name), _) => roster.exactly(namespace, name),
            (Subject::Key { .. }, Some(snapshot)) => roster.named(namespace, &snapshot.key().owner),
            (Subject::Key { .. }, None) => return nothing(),
        };
        let asked = Asked::new(&Question {
            now: self.now().0,
            namespace,
            whom: known.whom(&self.rooms),
            about: key.map_or(About::Namespace, About::Key),
            occasion: Occasion::Verdict {
                score: verdict.score,
                reason: &verdict.reason,
                by,
                evidence: verdict.evidence.len(),
            },
        })?;
        let mut intents = Vec::new();
        for rule in rules {
            let intent = Intent {
                rule: Arc::clone(rule),
                key: snapshot.map(act_key),
                principal: Some(known.who.clone()),
                trigger: Trigger::Verdict,
                trigger_id: id.to_string(),
                matched: String::new(),
                chain: 1,
                expires_at: verdict.expires_at.map(|end| end.0),
            };
            let key = snapshot.map(KeySnapshot::key);
            let about = (known.kind, known.certain);
            intents.extend(self.ask(memory, intent, &asked, key, about).await?);
        }
        let ids = intents.iter().map(Intent::id).collect();
        match self.settle_matches(memory, intents, None).await {
            // By nobody else: they are done when the call returns.
            Ok(acts) => Ok((ids, judge.claim(acts))),
            Err(error) => {
                doubt(&mut guard, &error);
                Err(error)
            }
        }
    }
}

fn check(verdict: &NewVerdict, now: UnixSeconds) -> Result<()> {
    let wrong = |why: &str| Err(Error::Invalid(why.to_owned()));
    if verdict.score > SCORE_MAX {
        return wrong("a score is from 0 to 1000");
    }
    if verdict.reason.is_empty() || verdict.reason.len() > REASON_MAX {
        return wrong("a verdict's reason has from 1 to 1024 bytes");
    }
    // It is shown to people, who must not take it for something else.
    if !is_plain(&verdict.reason) {
        return wrong("a verdict's reason has no control characters, nor any that turn text round");
    }
    if verdict.evidence.len() > EVIDENCE_MAX {
        return Err(Error::TooLarge {
            what: "the number of events that a verdict names",
            limit: EVIDENCE_MAX as u64,
        });
    }
    if verdict.expires_at.is_some_and(|end| end <= now) {
        return wrong("the verdict has ended already");
    }
    Ok(())
}
