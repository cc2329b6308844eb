//! Who has a credential: every token and registration, read once and again only
//! after one of them was written. To be asked about a principal so costs
//! whoever asks the same, however many there are.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use skms_policy::PrincipalKind;
use skms_store::SealedStore;

use crate::error::Result;
use crate::places::{self, SYSTEM_SCOPE};
use crate::records::principal::PrincipalRecord;
use crate::records::token::TokenRecord;
use crate::suspended::Who;

/// What somebody is let in by.
#[derive(Debug)]
pub(crate) struct Credential {
    pub(crate) who: Who,
    pub(crate) kind: PrincipalKind,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) ends: i64,
}

/// All of them, by principal.
#[derive(Default)]
pub(crate) struct Roll(HashMap<Who, Vec<Credential>>);

/// What was read last, and how much had been written then.
#[derive(Default)]
pub(crate) struct Credentials {
    last: Mutex<Option<(u64, Arc<Roll>)>>,
    /// One reads, and the others take what it read.
    reading: tokio::sync::Mutex<()>,
}

impl Credentials {
    fn known(&self, store: &SealedStore) -> Option<Arc<Roll>> {
        let last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let (written, roll) = last.as_ref()?;
        (*written == store.credentials_written()).then(|| Arc::clone(roll))
    }

    /// Those that there are, ended ones too.
    ///
    /// # Errors
    /// What the store refuses.
    pub(crate) async fn read(&self, store: &SealedStore) -> Result<Arc<Roll>> {
        if let Some(roll) = self.known(store) {
            return Ok(roll);
        }
        let _one = self.reading.lock().await;
        if let Some(roll) = self.known(store) {
            return Ok(roll);
        }
        // Before anything is read: what is written meanwhile is read again.
        let written = store.credentials_written();
        let tokens = places::all::<TokenRecord>(store, SYSTEM_SCOPE).await?;
        let registered = places::all::<PrincipalRecord>(store, SYSTEM_SCOPE).await?;
        let tokens = tokens.into_iter().map(|(_, _, record)| Credential {
            who: (record.namespace, record.principal),
            kind: PrincipalKind::Token,
            groups: record.groups,
            ends: record.expires_at.unwrap_or(i64::MAX),
        });
        let registered = registered.into_iter().map(|(_, _, record)| Credential {
            who: (record.namespace, record.name),
            kind: PrincipalKind::Certificate,
            groups: record.groups,
            ends: record.expires_at.unwrap_or(i64::MAX),
        });
        let mut roll = Roll::default();
        for one in tokens.chain(registered) {
            roll.0.entry(one.who.clone()).or_default().push(one);
        }
        let roll = Arc::new(roll);
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = Some((written, Arc::clone(&roll)));
        Ok(roll)
    }
}

impl Roll {
    /// The credentials of a principal that have not ended.
    pub(crate) fn of(
        &self,
        namespace: &str,
        name: &str,
        now: i64,
    ) -> impl Iterator<Item = &Credential> {
        let own = self.0.get(&(namespace.to_owned(), name.to_owned()));
        let own = own.into_iter().flatten();
        own.filter(move |one| one.ends > now)
    }

    /// All of them.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Credential> {
        self.0.values().flatten()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use skms_crypto::SecretArray;
    use skms_store::{NewSeal, SealInput};

    use super::*;
    use crate::acts::tokens::NewToken;
    use crate::caller::Caller;
    use crate::engine::{Config, Engine};

    fn key() -> SecretArray<32> {
        SecretArray::from_slice(&[7; 32]).unwrap()
    }

    async fn caller(engine: &Engine, token: &str) -> Arc<Caller> {
        Arc::new(Caller {
            session: engine.authenticate_token(token).await.unwrap(),
            source: None,
            request_id: "test".into(),
            tls: true,
            idempotency: None,
            calling: crate::approvals::Calling::default(),
        })
    }

    #[tokio::test]
    async fn they_are_read_when_one_was_written_and_not_when_somebody_asks() {
        let dir = tempfile::TempDir::new().unwrap();
        let config = Config::new(dir.path());
        let seal = NewSeal::KeyFile {
            name: "test".into(),
            key: key(),
        };
        let made = Engine::init(&config, vec![seal]).await.unwrap();
        let engine = Engine::open(config).await.unwrap();
        engine.unseal(SealInput::KeyFile(key())).await.unwrap();
        let token = String::from_utf8(made.root_token.into_public()).unwrap();
        let root = caller(&engine, &token).await;
        let rooms = engine.rooms().unwrap();
        let read = async || rooms.credentials.read(&rooms.store).await.unwrap();
        let before = read().await;
        assert_eq!(before.of("root", "eve", 0).count(), 0);
        let new = NewToken {
            principal: "eve".into(),
            groups: BTreeSet::from(["readers".to_owned()]),
            ttl_seconds: None,
            description: String::new(),
        };
        let issued = engine.create_token(&root, "root", new).await.unwrap();
        let after = read().await;
        assert_eq!(after.of("root", "eve", 0).count(), 1);
        assert_eq!(after.of("other", "eve", 0).count(), 0);
        // Whoever may not has nothing read.
        let token = String::from_utf8(issued.token.into_public()).unwrap();
        let eve = caller(&engine, &token).await;
        let refused = engine
            .suspend_principal(&eve, ("root", "root"), ("", false))
            .await;
        assert!(refused.is_err());
        assert!(Arc::ptr_eq(&after, &read().await));
        engine
            .revoke_token(&root, "root", issued.view.id)
            .await
            .unwrap();
        assert_eq!(read().await.of("root", "eve", 0).count(), 0);
    }
}
