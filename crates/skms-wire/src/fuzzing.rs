//! Fuzz targets as plain functions: each takes any bytes and must return.
//!
//! The checks inside are properties that hold for every accepted input.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::acme::{
    Finalize, Jws, KeyChange, NewAccount, NewOrder, RevokeCertificate, UpdateAccount,
    UpdateAuthorization,
};
use crate::native::keys::PublicKeyQuery;
use crate::native::operations::{DecryptRequest, EncryptRequest, SignRequest};
use crate::native::page::PageQuery;
use crate::native::{OneOrBatch, read};
use crate::smtp::{Mailbox, Replies};
use crate::{Bytes, Ciphertext, Moment, SecretB64};

/// A target's name and the function itself.
pub type Target = (&'static str, fn(&[u8]));

/// Every target of this room.
pub const TARGETS: &[Target] = &[
    ("wire_ciphertext", ciphertext),
    ("wire_moment", moment),
    ("wire_base64", base64),
    ("wire_native_request", native_request),
    ("wire_query", query),
    ("wire_acme_jws", acme_jws),
    ("wire_smtp_reply", smtp_reply),
];

/// What parses as a ciphertext prints as the same text.
pub fn ciphertext(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(parsed) = text.parse::<Ciphertext>() {
        assert_eq!(parsed.to_string(), text);
    }
}

/// What parses as an instant prints as one that parses to the same.
pub fn moment(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(parsed) = text.parse::<Moment>() {
        assert_eq!(parsed.to_string().parse(), Ok(parsed));
    }
}

/// The public and the secret decoder agree, and encoding gives the text back.
pub fn base64(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    match (Bytes::from_base64(text), SecretB64::from_base64(text)) {
        (Ok(public), Ok(secret)) => {
            assert_eq!(&public[..], secret.expose());
            assert_eq!(public.to_base64(), text);
        }
        (Err(_), Err(_)) => {}
        (public, secret) => panic!("the decoders disagree: {public:?} {secret:?}"),
    }
}

/// Requests that parse serialise and parse again.
pub fn native_request(data: &[u8]) {
    again::<EncryptRequest>(data);
    again::<DecryptRequest>(data);
    again::<SignRequest>(data);
}

/// Whatever a query is, it is read or refused.
pub fn query(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let _ = read::query::<PageQuery>(text);
    let _ = read::query::<PublicKeyQuery>(text);
}

/// Whoever may ask an ACME server, sends such a request before anybody knows
/// him. What is signed is what is read, and its payload is a message or none.
pub fn acme_jws(data: &[u8]) {
    let Ok(jws) = Jws::parse(data) else {
        return;
    };
    let mut parts = jws.signing_input.split(|byte| *byte == b'.');
    let signed = (parts.next(), parts.next(), parts.next());
    let (Some(protected), Some(payload), None) = signed else {
        panic!("not two parts are signed");
    };
    assert!(URL_SAFE_NO_PAD.decode(protected).is_ok());
    assert_eq!(
        URL_SAFE_NO_PAD.decode(payload).ok(),
        Some(jws.payload.clone())
    );
    let payload = &jws.payload;
    let account = serde_json::from_slice::<NewAccount>(payload).ok();
    if let Some(inner) = account.and_then(|one| one.external_account_binding) {
        let _ = Jws::parse(inner.to_string().as_bytes());
    }
    // A change of keys has another signed message inside.
    let _ = Jws::parse(payload);
    let _ = serde_json::from_slice::<UpdateAccount>(payload);
    let _ = serde_json::from_slice::<NewOrder>(payload);
    let _ = serde_json::from_slice::<Finalize>(payload);
    let _ = serde_json::from_slice::<UpdateAuthorization>(payload);
    let _ = serde_json::from_slice::<RevokeCertificate>(payload);
    let _ = serde_json::from_slice::<KeyChange>(payload);
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(data: &[u8]) {
    if let Ok(request) = serde_json::from_slice::<OneOrBatch<T>>(data) {
        let first = serde_json::to_vec(&request).unwrap_or_default();
        let second = serde_json::from_slice::<OneOrBatch<T>>(&first)
            .and_then(|request| serde_json::to_vec(&request));
        assert_eq!(second.ok().as_deref(), Some(&first[..]));
    }
}

/// Reads bytes as what a mail server says, and as a mailbox.
pub fn smtp_reply(data: &[u8]) {
    let mut replies = Replies::default();
    for byte in data {
        match replies.take(*byte) {
            Ok(Some(reply)) => assert!(reply.code < 1000 && !reply.lines.is_empty()),
            Ok(None) => {}
            Err(_) => break,
        }
    }
    if let Some(mailbox) = std::str::from_utf8(data)
        .ok()
        .and_then(|text| text.parse().ok())
    {
        let mailbox: Mailbox = mailbox;
        assert!(mailbox.as_str().bytes().all(|byte| byte.is_ascii_graphic()));
        assert!(!mailbox.as_str().contains(['<', '>', ',', '"']));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Inputs close to good ones, so that mutation reaches the deep branches.
    const SEEDS: &[&str] = &[
        "skms:v3:AAECAwQFBgc=",
        "2030-01-31T12:00:00.250+01:00",
        "AAECAwQFBgc=",
        r#"{"plaintext":"AA==","associated_data":"AQ=="}"#,
        r#"{"batch":[{"ciphertext":"skms:v1:AA=="}]}"#,
        "limit=5&after=%61%2Fb+c",
        "version=1&format=jwk",
        r#"{"message":"AA==","scheme":"rsa-pss","encoding":"der"}"#,
    ];

    #[test]
    fn seeds_and_their_truncations() {
        for (_, target) in TARGETS {
            for seed in SEEDS {
                for end in 0..=seed.len() {
                    target(&seed.as_bytes()[..end]);
                }
            }
        }
    }

    proptest! {
        #[test]
        fn anything(data in proptest::collection::vec(any::<u8>(), 0..200)) {
            for (_, target) in TARGETS { target(&data); }
        }

        #[test]
        fn mutated(seed in 0..SEEDS.len(), at in 0..64_usize, byte in any::<u8>()) {
            let mut data = SEEDS[seed].as_bytes().to_vec();
            let at = at % data.len();
            data[at] = byte;
            for (_, target) in TARGETS { target(&data); }
        }
    }
}
