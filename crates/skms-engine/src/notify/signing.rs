//! Signatures of webhooks, by the Standard Webhooks specification: `v1` is
//! HMAC-SHA-256 under a secret that the receiver has too, `v1a` is Ed25519,
//! whose public half is no secret. A message carries all of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey, SecretText, SignOptions};
use skms_keys::UnixSeconds;
use zeroize::Zeroizing;

use crate::error::{Error, Result};
use crate::records::acme::SecretField;
use crate::records::notification::{SecretRecord, WayRecord};

/// What secrets and keys begin with as they are shown.
const SECRET: &str = "whsec_";
const PUBLIC: &str = "whpk_";
/// The most secrets that sign at once.
const SECRETS_MAX: usize = 3;

/// What signs a channel's messages.
pub struct Signing {
    macs: Vec<OpenKey>,
    key: OpenKey,
}

impl Signing {
    /// From a webhook's record, with the secrets that count at `now`.
    ///
    /// # Errors
    /// [`Error::Record`] for a damaged one.
    pub(crate) fn of(
        secrets: &[SecretRecord],
        key: Option<&SecretField>,
        now: UnixSeconds,
    ) -> Result<Self> {
        let counts = |one: &&SecretRecord| one.until.is_none_or(|until| now.0 < until);
        let macs = secrets.iter().filter(counts).map(|one| {
            let bytes = unbase64(&one.secret)?;
            open(Algorithm::HmacSha256, &bytes)
        });
        let key = key.ok_or_else(|| damaged("key"))?;
        Ok(Self {
            macs: macs.collect::<Result<_>>()?,
            key: open(Algorithm::Ed25519, &unbase64(key)?)?,
        })
    }

    /// The header `webhook-signature` of a message.
    ///
    /// # Errors
    /// The crypto room's.
    pub fn header(&self, id: &str, at: UnixSeconds, body: &[u8]) -> Result<String> {
        let mut signed = format!("{id}.{}.", at.0).into_bytes();
        signed.extend_from_slice(body);
        let mut all = Vec::with_capacity(self.macs.len() + 1);
        for mac in &self.macs {
            all.push(format!("v1,{}", STANDARD.encode(mac.mac(&signed)?)));
        }
        let signature = self
            .key
            .sign(Message::Raw(&signed), &SignOptions::default())?;
        all.push(format!("v1a,{}", STANDARD.encode(signature)));
        Ok(all.join(" "))
    }

    /// The public half that verifies `v1a`, as receivers are given it.
    ///
    /// # Errors
    /// The crypto room's.
    pub(crate) fn public(&self) -> Result<String> {
        let public = self.key.public_key();
        let public = public.ok_or(Error::Internal("a signing key without its public half"))?;
        Ok(format!("{PUBLIC}{}", STANDARD.encode(public.to_raw()?)))
    }
}

/// A new secret, and what is kept of it.
pub(crate) fn new_secret() -> Result<(SecretText, SecretRecord)> {
    let material = KeyMaterial::generate(Algorithm::HmacSha256)?;
    let text = Zeroizing::new(STANDARD.encode(material.to_record().expose()));
    let shown = SecretText::new(format!("{SECRET}{}", text.as_str()));
    let record = SecretRecord {
        secret: SecretField(text),
        until: None,
    };
    Ok((shown, record))
}

/// A new key, as it is kept.
pub(crate) fn new_key() -> Result<SecretField> {
    let material = KeyMaterial::generate(Algorithm::Ed25519)?;
    let text = STANDARD.encode(material.to_record().expose());
    Ok(SecretField(Zeroizing::new(text)))
}

/// Puts a secret in the place of those before, none of which counts for longer
/// than `until`.
pub(crate) fn replace(secrets: &mut Vec<SecretRecord>, new: SecretRecord, now: i64, until: i64) {
    for one in secrets.iter_mut() {
        one.until = Some(one.until.map_or(until, |ends| ends.min(until)));
    }
    secrets.retain(|one| one.until.is_none_or(|ends| now < ends));
    secrets.insert(0, new);
    secrets.truncate(SECRETS_MAX);
}

impl WayRecord {
    /// What signs, if it is a webhook.
    ///
    /// # Errors
    /// As [`Signing::of`].
    pub(crate) fn signing(&self, now: UnixSeconds) -> Result<Option<Signing>> {
        match self {
            Self::Email { .. } => Ok(None),
            Self::Webhook { secrets, key, .. } => Signing::of(secrets, key.as_ref(), now).map(Some),
        }
    }
}

fn open(algorithm: Algorithm, record: &[u8]) -> Result<OpenKey> {
    Ok(OpenKey::open(&KeyMaterial::from_record(
        algorithm, record,
    )?)?)
}

fn unbase64(field: &SecretField) -> Result<Zeroizing<Vec<u8>>> {
    let bytes = STANDARD.decode(field.0.as_bytes());
    bytes.map(Zeroizing::new).map_err(|_| damaged("secret"))
}

fn damaged(reason: &'static str) -> Error {
    Error::Record {
        kind: "notification channel",
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the specification's reference libraries.
    #[test]
    fn signatures_are_the_standard_s() {
        let secret = SecretRecord {
            secret: SecretField(Zeroizing::new("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".into())),
            until: None,
        };
        let signing = Signing::of(&[secret], Some(&new_key().unwrap()), UnixSeconds(0)).unwrap();
        let body = br#"{"test": 2432232314}"#;
        let header = signing
            .header(
                "msg_p5jXN8AQM9LWM0D4loKWxJek",
                UnixSeconds(1_614_265_330),
                body,
            )
            .unwrap();
        let (mac, rest) = header.split_once(' ').unwrap();
        assert_eq!(mac, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
        assert!(rest.starts_with("v1a,"), "{rest}");
        assert!(signing.public().unwrap().starts_with("whpk_"));
    }

    #[test]
    fn a_replaced_secret_signs_for_a_while() {
        let key = new_key().unwrap();
        let (shown, first) = new_secret().unwrap();
        assert!(shown.expose().starts_with("whsec_"));
        let mut secrets = vec![first];
        let signatures = |secrets: &[SecretRecord], now: i64| {
            let signing = Signing::of(secrets, Some(&key), UnixSeconds(now)).unwrap();
            let header = signing.header("x", UnixSeconds(now), b"{}").unwrap();
            header.split(' ').count()
        };
        assert_eq!(signatures(&secrets, 0), 2);
        replace(&mut secrets, new_secret().unwrap().1, 100, 200);
        assert_eq!(signatures(&secrets, 199), 3);
        assert_eq!(signatures(&secrets, 200), 2);
        // Without an overlap all those before end at once.
        replace(&mut secrets, new_secret().unwrap().1, 150, 150);
        assert_eq!(secrets.len(), 1);
        replace(&mut secrets, new_secret().unwrap().1, 300, 400);
        replace(&mut secrets, new_secret().unwrap().1, 301, 400);
        replace(&mut secrets, new_secret().unwrap().1, 302, 400);
        assert_eq!((secrets.len(), signatures(&secrets, 303)), (3, 4));
        assert!(secrets[0].until.is_none());
    }
}
