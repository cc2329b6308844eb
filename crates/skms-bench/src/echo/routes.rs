//! The routes: parse, at most one AES-256-GCM operation an item, answer.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use axum::Router;
use axum::body::Bytes;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use std::sync::Arc;

use super::messages::{
    Batch, Create, Created, Decrypt, Decrypted, Encrypt, Encrypted, Item, Key, Results, Sign,
    Signed, Version,
};

/// The form of the product's ciphertexts.
const PREFIX: &str = "skms:v1:";
/// What stands for the 12 bytes of a nonce and the 16 of a tag where nothing is
/// sealed: as long as they are in base64.
const PADDING: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==";
/// An ECDSA signature's length in base64.
const SIGNATURE: &str = "MEUCIQDAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const MOMENT: &str = "2026-01-01T00:00:00Z";

/// How items are done.
#[derive(Clone)]
struct Work(Option<Arc<LessSafeKey>>);

/// The routes, and a ciphertext that `/decrypt` opens.
///
/// # Errors
/// The library refuses the key, which it does not.
pub fn router(seal: bool) -> crate::Result<(Router, String)> {
    // What is sealed here is no secret, and neither is this.
    let key = UnboundKey::new(&AES_256_GCM, &[7; 32]).map_err(|_| "no AES-256-GCM")?;
    let key = Arc::new(LessSafeKey::new(key));
    let sample = Work(Some(Arc::clone(&key)))
        .encrypt(&STANDARD.encode([5; 32]))
        .ok_or("cannot seal")?;
    let work = Work(seal.then_some(key));
    let serve = |answer: fn(&Work, &[u8]) -> Option<Response>| {
        let work = work.clone();
        post(move |body: Bytes| {
            let work = work.clone();
            async move { answer(&work, &body).unwrap_or(StatusCode::BAD_REQUEST.into_response()) }
        })
    };
    let router = Router::new()
        .route("/encrypt", serve(encrypt))
        .route("/batch", serve(batch))
        .route("/decrypt", serve(decrypt))
        .route("/sign", serve(sign))
        .route("/create", serve(create));
    Ok((router, sample))
}

impl Work {
    fn encrypt(&self, plaintext: &str) -> Option<String> {
        let mut text = String::with_capacity(PREFIX.len() + plaintext.len() + PADDING.len());
        text.push_str(PREFIX);
        match &self.0 {
            None => {
                text.push_str(plaintext);
                text.push_str(PADDING);
            }
            Some(key) => {
                let mut nonce = [0; NONCE_LEN];
                aws_lc_rs::rand::fill(&mut nonce).ok()?;
                let mut data = STANDARD.decode(plaintext).ok()?;
                let tag = key
                    .seal_in_place_separate_tag(
                        Nonce::assume_unique_for_key(nonce),
                        Aad::empty(),
                        &mut data,
                    )
                    .ok()?;
                let mut whole = Vec::with_capacity(NONCE_LEN + data.len() + 16);
                whole.extend_from_slice(&nonce);
                whole.extend_from_slice(&data);
                whole.extend_from_slice(tag.as_ref());
                STANDARD.encode_string(&whole, &mut text);
            }
        }
        Some(text)
    }

    fn decrypt(&self, ciphertext: &str) -> Option<String> {
        let body = ciphertext.strip_prefix(PREFIX)?;
        let Some(key) = &self.0 else {
            return body.get(..44).map(str::to_owned);
        };
        let mut whole = STANDARD.decode(body).ok()?;
        let (nonce, data) = whole.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let plaintext = key.open_in_place(nonce, Aad::empty(), data).ok()?;
        Some(STANDARD.encode(plaintext))
    }
}

fn encrypt(work: &Work, body: &[u8]) -> Option<Response> {
    let item: Encrypt<'_> = serde_json::from_slice(body).ok()?;
    json(&Encrypted {
        ciphertext: work.encrypt(item.plaintext)?,
        version: 1,
    })
}

fn batch(work: &Work, body: &[u8]) -> Option<Response> {
    let items: Batch<'_> = serde_json::from_slice(body).ok()?;
    let results = items
        .batch
        .iter()
        .map(|item| {
            Some(Item {
                ok: Encrypted {
                    ciphertext: work.encrypt(item.plaintext)?,
                    version: 1,
                },
            })
        })
        .collect::<Option<_>>()?;
    json(&Results { results })
}

fn decrypt(work: &Work, body: &[u8]) -> Option<Response> {
    let item: Decrypt<'_> = serde_json::from_slice(body).ok()?;
    json(&Decrypted {
        plaintext: work.decrypt(item.ciphertext)?,
        version: 1,
    })
}

fn sign(work: &Work, body: &[u8]) -> Option<Response> {
    let item: Sign<'_> = serde_json::from_slice(body).ok()?;
    let signature = match &work.0 {
        None => SIGNATURE.to_owned(),
        Some(_) => work.encrypt(item.message)?,
    };
    json(&Signed {
        signature,
        version: 1,
    })
}

fn create(work: &Work, body: &[u8]) -> Option<Response> {
    let item: Create<'_> = serde_json::from_slice(body).ok()?;
    let sealed = match &work.0 {
        None => String::new(),
        Some(_) => work.encrypt("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")?,
    };
    json(&Created {
        key: Key {
            id: sealed
                .get(..36)
                .unwrap_or("00000000-0000-0000-0000-000000000000"),
            namespace: "root",
            keyring: "default",
            name: item.name,
            algorithm: item.algorithm,
            uses: ["encrypt", "decrypt"],
            state: "active",
            latest_version: 1,
            minimum_decrypt_version: 1,
            minimum_encrypt_version: 1,
            exportable: false,
            owner: "root",
            created_at: MOMENT,
        },
        versions: [Version {
            version: 1,
            state: "active",
            origin: "generated",
            created_at: MOMENT,
            activated_at: MOMENT,
        }],
    })
}

fn json(message: &impl Serialize) -> Option<Response> {
    let body = serde_json::to_vec(message).ok()?;
    Some(([(header::CONTENT_TYPE, "application/json")], body).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAINTEXT: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    fn works() -> [Work; 2] {
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &[7; 32]).unwrap());
        [Work(None), Work(Some(Arc::new(key)))]
    }

    #[test]
    fn echo_and_seal_answer_with_as_many_bytes() {
        let [echo, seal] = works();
        let (echoed, sealed) = (
            echo.encrypt(PLAINTEXT).unwrap(),
            seal.encrypt(PLAINTEXT).unwrap(),
        );
        // Base64 rounds up in one place here and in two there.
        assert!(echoed.len().abs_diff(sealed.len()) <= 4);
        assert_eq!(seal.decrypt(&sealed).unwrap(), PLAINTEXT);
        assert_eq!(echo.decrypt(&echoed).unwrap(), PLAINTEXT);
        assert!(seal.decrypt(&echoed).is_none(), "it is really opened");
    }

    #[test]
    fn every_route_answers_and_refuses_what_it_cannot_read() {
        let (_, sample) = router(true).unwrap();
        let batch_body = format!(r#"{{"batch":[{{"plaintext":"{PLAINTEXT}"}}]}}"#);
        for work in works() {
            for (answer, body) in [
                (
                    encrypt as fn(&Work, &[u8]) -> Option<Response>,
                    format!(r#"{{"plaintext":"{PLAINTEXT}"}}"#),
                ),
                (batch, batch_body.clone()),
                (decrypt, format!(r#"{{"ciphertext":"{sample}"}}"#)),
                (sign, format!(r#"{{"message":"{PLAINTEXT}"}}"#)),
                (
                    create,
                    r#"{"name":"a","algorithm":"AES-256-GCM"}"#.to_owned(),
                ),
            ] {
                assert!(answer(&work, body.as_bytes()).is_some(), "{body}");
                assert!(answer(&work, b"{}").is_none(), "{body}");
            }
        }
    }
}
