//! An engine on a throw-away data directory.
#![allow(dead_code)] // Each test program uses its own part of this.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_crypto::{Algorithm, EncryptOptions, SecretArray, SecretBytes};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::tokens::NewToken;
use skms_engine::acts::{decrypt, encrypt};
use skms_engine::{Caller, Clock, Config, Engine, KeyRef, Result, UnsealProgress};
use skms_keys::VersionNumber;
use skms_store::{NewSeal, SealInput};
use tempfile::TempDir;

/// 2026-01-01T00:00:00Z.
pub const START_MS: i64 = 1_767_225_600_000;

pub struct House {
    pub dir: TempDir,
    pub config: Config,
    pub engine: Arc<Engine>,
    pub root_token: String,
    pub root: Arc<Caller>,
    key_file: [u8; 32],
}

impl House {
    pub async fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let mut config = Config::new(dir.path());
        config.clock = Clock::fixed(START_MS);
        let key_file = [7; 32];
        let seal = NewSeal::KeyFile {
            name: "test".into(),
            key: SecretArray::from_slice(&key_file).unwrap(),
        };
        let made = Engine::init(&config, vec![seal]).await.unwrap();
        let root_token = String::from_utf8(made.root_token.into_public()).unwrap();
        let engine = Engine::open(config.clone()).await.unwrap();
        let progress = engine.unseal(input(&key_file)).await.unwrap();
        assert_eq!(progress, UnsealProgress::Unsealed);
        let root = caller(&engine, &root_token).await;
        Self {
            dir,
            config,
            engine,
            root_token,
            root,
            key_file,
        }
    }

    /// Closes the engine and opens another on the same files.
    pub async fn restart(mut self) -> Self {
        self.engine.shut().await.unwrap();
        drop(self.root);
        let nothing = Engine::open(self.config.clone()).await;
        assert!(nothing.is_err(), "two engines on one data directory");
        drop(nothing);
        drop(self.engine);
        let engine = Engine::open(self.config.clone()).await.unwrap();
        engine.unseal(input(&self.key_file)).await.unwrap();
        let root = caller(&engine, &self.root_token).await;
        self.engine = engine;
        self.root = root;
        self
    }

    pub fn key_input(&self) -> SealInput {
        input(&self.key_file)
    }

    pub async fn create(&self, name: &str, algorithm: Algorithm) {
        let spec = NewKeySpec {
            algorithm: Some(algorithm),
            ..NewKeySpec::default()
        };
        self.engine
            .create_key(&self.root, at(name), spec)
            .await
            .unwrap();
    }

    pub async fn encrypt(&self, name: &str, plaintext: &[u8]) -> Result<encrypt::Encrypted> {
        self.engine
            .operate_one::<encrypt::Encrypt>(&self.root, at(name), plain(plaintext))
            .await
    }

    pub async fn decrypt(&self, name: &str, sealed: &encrypt::Encrypted) -> Result<SecretBytes> {
        self.engine
            .operate_one::<decrypt::Decrypt>(
                &self.root,
                at(name),
                opening(&sealed.ciphertext, sealed.version),
            )
            .await
            .map(|decrypted| decrypted.plaintext)
    }

    /// A caller with a token in the root namespace and these groups.
    pub async fn caller_in(&self, principal: &str, groups: &[&str]) -> Arc<Caller> {
        let new = NewToken {
            principal: principal.into(),
            groups: groups
                .iter()
                .map(|&group| group.to_owned())
                .collect::<BTreeSet<_>>(),
            ttl_seconds: Some(3600),
            description: String::new(),
        };
        let issued = self
            .engine
            .create_token(&self.root, "root", new)
            .await
            .unwrap();
        let token = String::from_utf8(issued.token.into_public()).unwrap();
        caller(&self.engine, &token).await
    }
}

pub fn at(name: &str) -> KeyRef<'_> {
    KeyRef {
        namespace: "root",
        keyring: "default",
        name,
    }
}

pub fn plain(plaintext: &[u8]) -> encrypt::Request {
    encrypt::Request {
        plaintext: SecretBytes::new(plaintext.to_vec()),
        associated_data: b"context".to_vec(),
        version: None,
        options: EncryptOptions::default(),
    }
}

pub fn opening(ciphertext: &[u8], version: VersionNumber) -> decrypt::Request {
    decrypt::Request {
        ciphertext: ciphertext.to_vec(),
        associated_data: b"context".to_vec(),
        version,
        options: EncryptOptions::default(),
    }
}

pub async fn caller(engine: &Engine, token: &str) -> Arc<Caller> {
    Arc::new(Caller {
        session: engine.authenticate_token(token).await.unwrap(),
        source: Some([192, 0, 2, 1].into()),
        request_id: "test".into(),
        tls: true,
        idempotency: None,
        calling: skms_engine::approvals::Calling::default(),
    })
}

fn input(key: &[u8; 32]) -> SealInput {
    SealInput::KeyFile(SecretArray::from_slice(key).unwrap())
}
