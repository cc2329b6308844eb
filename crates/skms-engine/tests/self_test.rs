//! A failed known-answer test stops the server before it opens anything.
//! In a program of its own: the failure stays for the life of the process.
#![allow(clippy::unwrap_used, missing_docs)]

use skms_engine::{Config, Engine, Error};

#[tokio::test]
async fn a_failed_self_test_stops_the_engine() {
    let dir = tempfile::TempDir::new().unwrap();
    let config = Config::new(dir.path());
    skms_crypto::selftest::break_for_tests("AES-256-GCM");
    let refused = Engine::open(config.clone()).await.err().unwrap();
    assert!(
        matches!(refused, Error::Crypto(skms_crypto::Error::SelfTest(_))),
        "{refused}"
    );
    let refused = Engine::init(&config, Vec::new()).await.err().unwrap();
    assert!(matches!(refused, Error::Crypto(_)), "{refused}");
    assert!(!config.database().exists());
}
