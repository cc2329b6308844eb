//! What clients ask for, and what they were told.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use skms_crypto::{Algorithm, EncryptOptions, SecretBytes};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::encrypt::{self, Encrypt};
use skms_engine::acts::tokens::NewToken;
use skms_engine::{Caller, Engine, KeyRef, Result};
use skms_keys::{RevocationReason, Revoke, Rules, Versions};
use skms_store::RecordId;
use skms_store::simulation::Random;

/// Keys that are worked with.
pub const KEYS: u64 = 4;
/// Policies that are.
pub const POLICIES: u64 = 2;

/// Counted, so that blocks of uses are reserved all the time: three at once.
const ROTATE_AFTER_USES: u64 = 192;

/// Something a client asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    Create(u64),
    Encrypt(u64),
    Rotate(u64),
    Suspend(u64),
    Resume(u64),
    Revoke(u64),
    IssueToken,
    RevokeToken(RecordId),
    WritePolicy(u64),
    DeletePolicy(u64),
    RotateStorageKey,
}

/// What it was told, if it worked.
#[derive(Debug)]
pub enum Answer {
    Done,
    Token(RecordId),
    Encrypted { version: u32, ciphertext: Vec<u8> },
}

/// An act that was asked for.
#[derive(Debug)]
pub struct Asked {
    pub number: u64,
    pub act: Act,
    pub answer: std::result::Result<Answer, String>,
}

pub fn key_name(key: u64) -> String {
    format!("key-{key}")
}

pub fn at(name: &str) -> KeyRef<'_> {
    KeyRef {
        namespace: "root",
        keyring: "default",
        name,
    }
}

pub fn policy_name(policy: u64) -> String {
    format!("policy-{policy}")
}

/// What an act writes into a policy.
pub fn policy_text(number: u64) -> String {
    format!("permit(principal == Principal::\"root/nobody-{number}\", action, resource);")
}

/// What an act encrypts.
pub fn plaintext(number: u64) -> Vec<u8> {
    format!("plaintext {number}").into_bytes()
}

pub fn request_id(number: u64) -> String {
    format!("act-{number}")
}

/// What is asked for together: never two acts on one thing, so that their
/// order is that of their numbers.
pub fn draw(random: &mut Random, tokens: &[RecordId]) -> Vec<Act> {
    if random.one_in(10) {
        // By themselves: the first ends what others hold, the others compile
        // on a thread of their own.
        let policy = random.below(POLICIES);
        return vec![match random.below(3) {
            0 => Act::RotateStorageKey,
            1 => Act::WritePolicy(policy),
            _ => Act::DeletePolicy(policy),
        }];
    }
    let mut acts: HashMap<u64, Act> = HashMap::new();
    let mut order = Vec::new();
    for _ in 0..=random.below(4) {
        let key = random.below(KEYS + 1);
        if acts.contains_key(&key) {
            continue;
        }
        let act = if key == KEYS {
            match tokens {
                [] => Act::IssueToken,
                _ if random.one_in(2) => Act::IssueToken,
                known => Act::RevokeToken(*random.pick(known)),
            }
        } else {
            match random.below(16) {
                0..3 => Act::Create(key),
                3..10 => Act::Encrypt(key),
                10..12 => Act::Rotate(key),
                12 => Act::Suspend(key),
                13 | 14 => Act::Resume(key),
                _ => Act::Revoke(key),
            }
        };
        order.push(key);
        acts.insert(key, act);
    }
    order.iter().filter_map(|key| acts.remove(key)).collect()
}

/// Does an act.
pub async fn perform(
    engine: &Arc<Engine>,
    caller: &Arc<Caller>,
    number: u64,
    act: &Act,
) -> Result<Answer> {
    match act {
        Act::Create(key) => {
            let spec = NewKeySpec {
                algorithm: Some(Algorithm::Aes256Gcm),
                rules: Some(Rules {
                    rotate_after_uses: Some(ROTATE_AFTER_USES),
                    warn_at_percent: Some(0),
                    ..Rules::default()
                }),
                ..NewKeySpec::default()
            };
            engine.create_key(caller, at(&key_name(*key)), spec).await?;
        }
        Act::Encrypt(key) => {
            let request = encrypt::Request {
                plaintext: SecretBytes::new(plaintext(number)),
                associated_data: Vec::new(),
                version: None,
                options: EncryptOptions::default(),
            };
            let name = key_name(*key);
            let done = engine
                .operate_one::<Encrypt>(caller, at(&name), request)
                .await?;
            return Ok(Answer::Encrypted {
                version: done.version.0,
                ciphertext: done.ciphertext,
            });
        }
        Act::Rotate(key) => {
            engine.rotate_key(caller, at(&key_name(*key)), None).await?;
        }
        Act::Suspend(key) => {
            engine
                .suspend_key(caller, at(&key_name(*key)), Versions::All)
                .await?;
        }
        Act::Resume(key) => {
            engine
                .resume_key(caller, at(&key_name(*key)), Versions::All)
                .await?;
        }
        Act::Revoke(key) => {
            let revoke = Revoke {
                versions: Versions::All,
                reason: RevocationReason::KeyCompromise,
                message: String::new(),
                compromise_occurred_at: None,
            };
            engine
                .revoke_key(caller, at(&key_name(*key)), revoke)
                .await?;
        }
        Act::IssueToken => {
            let new = NewToken {
                principal: "someone".into(),
                groups: BTreeSet::new(),
                ttl_seconds: Some(3600),
                description: String::new(),
            };
            let issued = engine.create_token(caller, "root", new).await?;
            return Ok(Answer::Token(issued.view.id));
        }
        Act::RevokeToken(id) => engine.revoke_token(caller, "root", *id).await?,
        Act::WritePolicy(policy) => {
            engine
                .write_policy(caller, "root", &policy_name(*policy), &policy_text(number))
                .await?;
        }
        Act::DeletePolicy(policy) => {
            engine
                .delete_policy(caller, "root", &policy_name(*policy))
                .await?;
        }
        Act::RotateStorageKey => {
            engine.rotate_storage_key(caller).await?;
        }
    }
    Ok(Answer::Done)
}
