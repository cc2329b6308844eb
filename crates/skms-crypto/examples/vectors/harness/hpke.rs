//! HPKE (RFC 9180) and X-Wing vectors in JSON.

use serde_json::Value;
use skms_crypto::hpke::{Aead, Kdf, Kem, Receiver, Suite};
use skms_crypto::raw::hpke::{Authentication, receiver, schedule};
use skms_crypto::symmetric::SymmetricKey;
use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey, PublicKey, raw};

use super::case::{Attempt, Case, Expect, Refusal, not_offered};
use super::product::{private, public};
use super::text::{bytes, list, number};

/// A list of objects with the fields of RFC 9180's vectors.
pub fn vectors(root: &Value) -> Option<Vec<Case>> {
    let list = root.as_array().filter(|list| !list.is_empty())?;
    let ids = ["mode", "kem_id", "kdf_id", "aead_id"];
    if !list
        .iter()
        .all(|one| ids.iter().all(|id| one.get(id).is_some()))
    {
        return None;
    }
    let case = |(index, one): (usize, &Value)| {
        let id = |name: &str| number(one, name).unwrap_or(usize::MAX);
        let [mode, kem, kdf, aead] = ids.map(id);
        let number = index + 1;
        let id = format!("vector {number}: mode {mode}, KEM {kem}, KDF {kdf}, AEAD {aead}");
        match Vector::read(one, kem, kdf, aead) {
            Ok(vector) => Case::new(id, Expect::Valid, move || vector.run()),
            Err(refusal) => Case::decided(id, refusal),
        }
    };
    Some(list.iter().enumerate().map(case).collect())
}

struct Vector {
    suite: Suite,
    private: Vec<u8>,
    /// The sender's public key, in the authenticated modes.
    sender: Option<Vec<u8>>,
    psk: Option<(Vec<u8>, Vec<u8>)>,
    info: Vec<u8>,
    encapsulated: Vec<u8>,
    shared_secret: Vec<u8>,
    key: Vec<u8>,
    base_nonce: Vec<u8>,
    exporter_secret: Vec<u8>,
    encryptions: Vec<Encryption>,
    exports: Vec<Export>,
}

struct Encryption {
    aad: Vec<u8>,
    ciphertext: Vec<u8>,
    nonce: Vec<u8>,
    plaintext: Vec<u8>,
}

struct Export {
    context: Vec<u8>,
    length: usize,
    value: Vec<u8>,
}

impl Vector {
    fn read(one: &Value, kem: usize, kdf: usize, aead: usize) -> Result<Self, Refusal> {
        let id = |id: usize| u16::try_from(id).unwrap_or(0);
        let offered = |what: &str, id: usize| Refusal::NotOffered(format!("{what} {id}"));
        let suite = Suite {
            kem: Kem::from_id(id(kem)).map_err(|_| offered("KEM", kem))?,
            kdf: Kdf::from_id(id(kdf)).map_err(|_| offered("KDF", kdf))?,
            aead: Aead::from_id(id(aead)).map_err(|_| offered("AEAD", aead))?,
        };
        Self::fields(one, suite)
            .ok_or_else(|| Refusal::Refused("the file's vector is not readable".to_owned()))
    }

    fn fields(one: &Value, suite: Suite) -> Option<Self> {
        let optional = |name: &str| bytes(one, name).filter(|value| !value.is_empty());
        let encryption = |one: &Value| {
            Some(Encryption {
                aad: bytes(one, "aad")?,
                ciphertext: bytes(one, "ct")?,
                nonce: bytes(one, "nonce")?,
                plaintext: bytes(one, "pt")?,
            })
        };
        let export = |one: &Value| {
            Some(Export {
                context: bytes(one, "exporter_context")?,
                length: number(one, "L")?,
                value: bytes(one, "exported_value")?,
            })
        };
        Some(Self {
            suite,
            private: bytes(one, "skRm")?,
            sender: optional("pkSm"),
            psk: optional("psk").zip(optional("psk_id")),
            info: bytes(one, "info")?,
            encapsulated: bytes(one, "enc")?,
            shared_secret: bytes(one, "shared_secret")?,
            key: bytes(one, "key").unwrap_or_default(),
            base_nonce: bytes(one, "base_nonce").unwrap_or_default(),
            exporter_secret: bytes(one, "exporter_secret")?,
            encryptions: list(one, "encryptions")
                .iter()
                .map(encryption)
                .collect::<Option<_>>()?,
            exports: list(one, "exports")
                .iter()
                .map(export)
                .collect::<Option<_>>()?,
        })
    }

    fn receiver(
        &self,
        own: &OpenKey,
        sender: Option<&PublicKey>,
        encapsulated: &[u8],
    ) -> skms_crypto::Result<Receiver> {
        // The product's own way is base mode.
        if self.psk.is_none() && sender.is_none() {
            return Receiver::setup(own, self.suite, encapsulated, &self.info);
        }
        receiver(
            own,
            self.suite,
            self.authentication(sender),
            encapsulated,
            &self.info,
        )
    }

    fn authentication<'a>(&'a self, sender: Option<&'a PublicKey>) -> Authentication<'a> {
        let psk = self.psk.as_ref();
        Authentication {
            psk: psk.map(|(psk, id)| (psk.as_slice(), id.as_slice())),
            sender,
        }
    }

    fn run(&self) -> Attempt {
        let algorithm = Some(self.suite.kem.algorithm());
        let own = private(&self.private, Format::Raw, algorithm)?;
        let sender = self
            .sender
            .as_deref()
            .map(|key| public(key, Format::Raw, algorithm));
        let sender = sender.transpose()?;
        let sender = sender.as_ref();

        let authentication = self.authentication(sender);
        let inside = schedule(
            &own,
            self.suite,
            authentication,
            &self.encapsulated,
            &self.info,
        )?;
        if inside.shared_secret.expose() != self.shared_secret
            || inside.key.expose() != self.key
            || inside.base_nonce.expose() != self.base_nonce
            || inside.exporter_secret.expose() != self.exporter_secret
        {
            return Ok(false);
        }

        let mut context = self.receiver(&own, sender, &self.encapsulated)?;
        for export in &self.exports {
            let value = context.export(&export.context, export.length)?;
            if value.expose() != export.value {
                return Ok(false);
            }
        }
        Ok(self.opens(&mut context)? && self.notices_another_encapsulation(&own, sender)?)
    }

    /// Opens every message in its turn; altered ones must not open. Where the
    /// file leaves numbers out, messages are made to pass over them.
    fn opens(&self, context: &mut Receiver) -> Attempt {
        let mut next = 0;
        for message in &self.encryptions {
            let sequence = self.sequence(&message.nonce);
            while next < sequence {
                context.open(b"", &self.filler(next)?)?;
                next += 1;
            }
            next += 1;
            let bit = 1 << (sequence % 8);
            let mut altered = message.ciphertext.clone();
            let place = usize::try_from(sequence).unwrap_or(0) % altered.len().max(1);
            altered[place] ^= bit;
            let mut other = message.aad.clone();
            match other.first_mut() {
                Some(first) => *first ^= bit,
                None => other.push(bit),
            }
            if context.open(&message.aad, &altered).is_ok()
                || context.open(&other, &message.ciphertext).is_ok()
            {
                return Ok(false);
            }
            let opened = context.open(&message.aad, &message.ciphertext)?;
            if opened.expose() != message.plaintext {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The sequence number that a nonce is for (RFC 9180, section 5.2).
    fn sequence(&self, nonce: &[u8]) -> u64 {
        let pairs = nonce.iter().zip(&self.base_nonce);
        pairs.fold(0, |number, (one, base)| number << 8 | u64::from(one ^ base))
    }

    fn filler(&self, sequence: u64) -> Result<Vec<u8>, Refusal> {
        let algorithm = match self.suite.aead {
            Aead::Aes128Gcm => Algorithm::Aes128Gcm,
            Aead::Aes256Gcm => Algorithm::Aes256Gcm,
            Aead::ChaCha20Poly1305 => Algorithm::ChaCha20Poly1305,
            other => return not_offered(format!("sealing with {other:?}")),
        };
        let mut nonce = self.base_nonce.clone();
        for (place, digit) in nonce
            .iter_mut()
            .rev()
            .zip(sequence.to_be_bytes().iter().rev())
        {
            *place ^= digit;
        }
        let key = SymmetricKey::new(algorithm, &self.key)?;
        let sealed = key.encrypt_with_known_nonce(&nonce, b"", b"")?;
        Ok(sealed[nonce.len()..].to_vec())
    }

    /// With any bit of the encapsulated key flipped, nothing comes out right.
    fn notices_another_encapsulation(&self, own: &OpenKey, sender: Option<&PublicKey>) -> Attempt {
        for place in [0, self.encapsulated.len() / 2, self.encapsulated.len() - 1] {
            let mut other = self.encapsulated.clone();
            other[place] ^= 1;
            let Ok(mut context) = self.receiver(own, sender, &other) else {
                continue;
            };
            if let Some(message) = self.encryptions.first()
                && context.open(&message.aad, &message.ciphertext).is_ok()
            {
                return Ok(false);
            }
            if let Some(export) = self.exports.first()
                && context.export(&export.context, export.length)?.expose() == export.value
            {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// A list of objects with `seed`, `eseed`, `ss`, `pk`, `ct`.
pub fn x_wing(root: &Value) -> Option<Vec<Case>> {
    let list = root.as_array().filter(|list| !list.is_empty())?;
    let mut cases = Vec::new();
    for (index, one) in list.iter().enumerate() {
        let field = |name: &str| bytes(one, name);
        let (seed, randomness) = (field("seed")?, field("eseed")?);
        let (secret, key, ciphertext) = (field("ss")?, field("pk")?, field("ct")?);
        cases.push(Case::new(
            format!("vector {}", index + 1),
            Expect::Valid,
            move || x_wing_vector(&seed, &randomness, &secret, &key, &ciphertext),
        ));
    }
    Some(cases)
}

fn x_wing_vector(
    seed: &[u8],
    randomness: &[u8],
    secret: &[u8],
    key: &[u8],
    ciphertext: &[u8],
) -> Attempt {
    let algorithm = Algorithm::XWing;
    let material = KeyMaterial::import(seed, Format::Raw, Some(algorithm), None)?;
    let open = OpenKey::open(&material)?;
    let half = open
        .public_key()
        .map(|key| key.export(Format::Raw))
        .transpose()?;
    let (made, shared) = raw::encapsulate(&public(key, Format::Raw, Some(algorithm))?, randomness)?;
    let found = open.decapsulate(ciphertext)?;
    Ok(half.as_deref() == Some(key)
        && made == ciphertext
        && shared.expose() == secret
        && found.expose() == secret)
}
