//! What must hold after every start, whatever happened before it.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use skms_crypto::EncryptOptions;
use skms_engine::acts::decrypt::{self, Decrypt};
use skms_engine::acts::events::Recorded;
use skms_engine::{Error, MAX_PAGE, Page};
use skms_evidence::Outcome;
use skms_keys::{KeyState, VersionNumber};

use crate::machine::Up;
use crate::workload::{
    Act, Answer, Asked, KEYS, POLICIES, at, key_name, plaintext, policy_name, policy_text,
    request_id,
};

/// How many of the latest ciphertexts are decrypted again.
const DECRYPTED: usize = 4;

/// What clients were told, and so what must be.
#[derive(Default)]
pub struct Known {
    pub asked: Vec<Asked>,
    /// Answered uses by key and version.
    uses: BTreeMap<(u64, u32), u64>,
}

/// What a key must look like.
#[derive(Debug, PartialEq, Eq)]
struct ExpectedKey {
    versions: usize,
    newest: KeyState,
}

/// What the events say was done.
#[derive(Default)]
struct Expected {
    keys: BTreeMap<u64, ExpectedKey>,
    tokens: BTreeSet<String>,
    policies: BTreeMap<u64, String>,
    storage_rotations: u32,
}

fn stopped(error: Error) -> String {
    format!("the check was stopped: {error}")
}

impl Known {
    pub fn tokens(&self) -> Vec<skms_store::RecordId> {
        self.asked
            .iter()
            .filter_map(|asked| match asked.answer {
                Ok(Answer::Token(id)) => Some(id),
                _ => None,
            })
            .collect()
    }

    pub fn learn(&mut self, asked: Asked) {
        if let (Act::Encrypt(key), Ok(Answer::Encrypted { version, .. })) =
            (&asked.act, &asked.answer)
        {
            *self.uses.entry((*key, *version)).or_default() += 1;
        }
        self.asked.push(asked);
    }

    /// Checks everything there is against it.
    pub async fn check(&self, up: &Up) -> Result<(), String> {
        let events = read_events(up).await?;
        let done = self.check_events(&events)?;
        let expected = self.fold(&done)?;
        self.check_keys(up, &expected).await?;
        check_tokens(up, &expected).await?;
        check_policies(up, &expected).await?;
        self.check_ciphertexts(up).await?;
        let verified = up
            .engine
            .verify_storage(&up.caller("check"))
            .await
            .map_err(stopped)?;
        if !verified.store.is_sound() {
            return Err(format!("the heads do not match: {:?}", verified.store));
        }
        verified
            .journal
            .map_err(|error| format!("the journal does not verify: {error}"))?;
        let status = up
            .engine
            .storage_status(&up.caller("check"))
            .await
            .map_err(stopped)?;
        let term = status.terms.iter().map(|term| term.term).max().unwrap_or(0);
        if term != expected.storage_rotations + 1 {
            return Err(format!(
                "the storage key is of term {term}, and {} rotations left an event",
                expected.storage_rotations
            ));
        }
        Ok(())
    }

    /// Every event once, and one for every answered act. Which acts were
    /// done, with the identifier of what they were done to.
    fn check_events(&self, events: &[Recorded]) -> Result<HashMap<u64, String>, String> {
        let mut ids = BTreeSet::new();
        let mut by_request: HashMap<&str, Vec<&Recorded>> = HashMap::new();
        for recorded in events {
            if !ids.insert(recorded.event.id) {
                return Err(format!("event {} is there twice", recorded.event.id));
            }
            if recorded.event.outcome == Outcome::Success {
                by_request
                    .entry(recorded.event.request_id.as_str())
                    .or_default()
                    .push(recorded);
            }
        }
        let mut done = HashMap::new();
        for asked in &self.asked {
            let name = request_id(asked.number);
            let found = by_request.get(name.as_str()).map_or(&[][..], Vec::as_slice);
            match (&asked.answer, found) {
                (Ok(_), []) => {
                    return Err(format!(
                        "{name} {:?} was answered and left no event",
                        asked.act
                    ));
                }
                (_, []) => {}
                (_, [one]) => {
                    let target = one.event.targets.first();
                    done.insert(
                        asked.number,
                        target.map_or_else(String::new, |target| {
                            target.name.as_str().trim_start_matches("root/").to_owned()
                        }),
                    );
                }
                (_, more) => {
                    return Err(format!("{name} {:?} left {} events", asked.act, more.len()));
                }
            }
        }
        Ok(done)
    }

    /// What must be, if exactly these acts were done.
    fn fold(&self, done: &HashMap<u64, String>) -> Result<Expected, String> {
        let mut expected = Expected::default();
        for asked in &self.asked {
            let Some(target) = done.get(&asked.number) else {
                continue;
            };
            match &asked.act {
                Act::Create(key) => {
                    let made = ExpectedKey {
                        versions: 1,
                        newest: KeyState::Active,
                    };
                    if expected.keys.insert(*key, made).is_some() {
                        return Err(format!("key-{key} was created twice"));
                    }
                }
                Act::Rotate(key) | Act::Suspend(key) | Act::Resume(key) | Act::Revoke(key) => {
                    let known = expected
                        .keys
                        .get_mut(key)
                        .ok_or(format!("key-{key} was changed before it was created"))?;
                    change(known, &asked.act);
                }
                Act::IssueToken => {
                    expected.tokens.insert(target.clone());
                }
                Act::RevokeToken(_) => {
                    expected.tokens.remove(target);
                }
                Act::WritePolicy(policy) => {
                    expected.policies.insert(*policy, policy_text(asked.number));
                }
                Act::DeletePolicy(policy) => {
                    expected.policies.remove(policy);
                }
                Act::RotateStorageKey => expected.storage_rotations += 1,
                Act::Encrypt(_) => {}
            }
        }
        Ok(expected)
    }

    async fn check_keys(&self, up: &Up, expected: &Expected) -> Result<(), String> {
        for key in 0..KEYS {
            let name = key_name(key);
            let found = match up.engine.read_key(&up.caller("check"), at(&name)).await {
                Ok(found) => Some(found),
                Err(Error::NotFound { .. }) => None,
                Err(error) => return Err(stopped(error)),
            };
            let seen = match &found {
                Some(found) => Some(ExpectedKey {
                    versions: found.key().versions.len(),
                    newest: found
                        .key()
                        .newest()
                        .map_err(|error| error.to_string())?
                        .state,
                }),
                None => None,
            };
            if seen.as_ref() != expected.keys.get(&key) {
                return Err(format!(
                    "{name} is {seen:?}, and its events say {:?}",
                    expected.keys.get(&key)
                ));
            }
            for ((_, version), uses) in self.uses.range((key, 0)..(key + 1, 0)) {
                let reserved = found
                    .as_ref()
                    .and_then(|found| found.key().version(VersionNumber(*version)).ok())
                    .map_or(0, |version| version.uses_reserved);
                if reserved < *uses {
                    return Err(format!(
                        "{name} version {version}: {uses} uses were answered and {reserved} are counted"
                    ));
                }
            }
        }
        Ok(())
    }

    /// What was encrypted decrypts, where the key's state permits it.
    async fn check_ciphertexts(&self, up: &Up) -> Result<(), String> {
        let encrypted =
            self.asked
                .iter()
                .rev()
                .filter_map(|asked| match (&asked.act, &asked.answer) {
                    (
                        Act::Encrypt(key),
                        Ok(Answer::Encrypted {
                            version,
                            ciphertext,
                        }),
                    ) => Some((asked.number, key, version, ciphertext)),
                    _ => None,
                });
        for (number, key, version, ciphertext) in encrypted.take(DECRYPTED) {
            let request = decrypt::Request {
                ciphertext: ciphertext.clone(),
                associated_data: Vec::new(),
                version: VersionNumber(*version),
                options: EncryptOptions::default(),
            };
            let name = key_name(*key);
            let caller = up.caller("check");
            match up
                .engine
                .operate_one::<Decrypt>(&caller, at(&name), request)
                .await
            {
                Ok(decrypted) if decrypted.plaintext.expose() == plaintext(number) => {}
                Err(Error::StateForbids { .. })
                | Err(Error::Key(_))
                | Err(Error::KeyForbids(_)) => {}
                Ok(_) => return Err(format!("act-{number} decrypts to something else")),
                Err(error) => return Err(format!("act-{number} does not decrypt: {error}")),
            }
        }
        Ok(())
    }
}

/// What an act does to a key, as far as it is looked at.
fn change(key: &mut ExpectedKey, act: &Act) {
    match act {
        Act::Rotate(_) => {
            key.versions += 1;
            key.newest = KeyState::Active;
        }
        Act::Suspend(_) if key.newest == KeyState::Active => key.newest = KeyState::Suspended,
        Act::Resume(_) if key.newest == KeyState::Suspended => key.newest = KeyState::Active,
        Act::Revoke(_) => key.newest = KeyState::Compromised,
        _ => {}
    }
}

async fn read_events(up: &Up) -> Result<Vec<Recorded>, String> {
    let (mut events, mut from) = (Vec::new(), 0);
    loop {
        let (page, next) = up
            .engine
            .read_events(&up.caller("check"), "root", from, MAX_PAGE)
            .await
            .map_err(stopped)?;
        let last = page.len() < MAX_PAGE;
        events.extend(page);
        from = next;
        if last {
            return Ok(events);
        }
    }
}

async fn check_tokens(up: &Up, expected: &Expected) -> Result<(), String> {
    let page = Page::new(MAX_PAGE, None).map_err(stopped)?;
    let (tokens, _) = up
        .engine
        .list_tokens(&up.caller("check"), "root", &page)
        .await
        .map_err(stopped)?;
    let found: BTreeSet<String> = tokens
        .iter()
        .filter(|token| token.principal == "someone")
        .map(|token| token.id.to_string())
        .collect();
    if found == expected.tokens {
        return Ok(());
    }
    Err(format!(
        "tokens without an event {:?}, events without a token {:?}",
        found.difference(&expected.tokens),
        expected.tokens.difference(&found),
    ))
}

async fn check_policies(up: &Up, expected: &Expected) -> Result<(), String> {
    let policies = up
        .engine
        .list_policies(&up.caller("check"), "root")
        .await
        .map_err(stopped)?;
    for policy in 0..POLICIES {
        let name = policy_name(policy);
        let found = policies
            .iter()
            .find(|found| found.name == name)
            .map(|found| &found.text);
        if found != expected.policies.get(&policy) {
            return Err(format!(
                "{name} is {found:?}, and its events say {:?}",
                expected.policies.get(&policy)
            ));
        }
    }
    Ok(())
}
