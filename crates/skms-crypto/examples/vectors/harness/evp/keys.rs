//! The keys that an `evp_test` file defines by name.

use std::collections::HashMap;

use skms_crypto::{Algorithm, Format, OpenKey, PublicKey};

use super::super::case::{Refusal, Shared, not_offered};
use super::super::product::{private, public};
use super::super::text::{der, der_sequence, hex, pem_blocks, to_hex};

/// Keys by name, and by whether they are private.
pub struct Keys(pub HashMap<(String, bool), EvpKey>);

/// A key as the file has it, imported when first used.
pub struct EvpKey {
    private: Shared<OpenKey>,
    public: Shared<PublicKey>,
}

impl EvpKey {
    /// A PEM block.
    pub fn pem(pem: String) -> Self {
        let other = pem.clone();
        Self {
            private: Shared::new(move || {
                offered(&pem)?;
                private(pem.as_bytes(), Format::Auto, None)
            }),
            public: Shared::new(move || {
                offered(&other)?;
                public(other.as_bytes(), Format::Auto, None)
            }),
        }
    }

    /// `name:algorithm:hex`.
    pub fn raw(definition: &str) -> Option<Self> {
        let mut parts = definition.split(':').skip(1);
        let algorithm = parts.next()?.to_owned();
        let bytes = hex(parts.next()?)?;
        let (name, other) = (algorithm.clone(), bytes.clone());
        let known = |name: &str| {
            name.parse::<Algorithm>()
                .or_else(|_| not_offered(format!("algorithm not offered: {name}")))
        };
        Some(Self {
            private: Shared::new(move || private(&bytes, Format::Raw, Some(known(&algorithm)?))),
            public: Shared::new(move || public(&other, Format::Raw, Some(known(&name)?))),
        })
    }
}

impl Keys {
    /// The private key of that name.
    pub fn private(&self, name: &str) -> Result<Shared<OpenKey>, Refusal> {
        match self.0.get(&(name.to_owned(), true)) {
            Some(key) => Ok(key.private.clone()),
            None => Err(Refusal::Refused(format!(
                "the file has no private key {name}"
            ))),
        }
    }

    /// The public key of that name, or the public half of the private one.
    pub fn public(&self, name: &str) -> Result<Shared<PublicKey>, Refusal> {
        if let Some(key) = self.0.get(&(name.to_owned(), false)) {
            return Ok(key.public.clone());
        }
        let private = self.private(name)?;
        Ok(Shared::new(move || match private.get()?.public_key() {
            Some(public) => Ok(public.clone()),
            None => not_offered("keys without a public half"),
        }))
    }
}

/// Tells keys of algorithms that are not offered from ones that are refused:
/// by the algorithm identifier, and for finite fields by the prime's length.
fn offered(pem: &str) -> Result<(), Refusal> {
    let blocks = pem_blocks(pem);
    let Some((_, Some(bytes))) = blocks.first() else {
        return Ok(());
    };
    let identifier = || {
        let parts = der_sequence(der(bytes)?.body)?;
        let identifier = parts.iter().find(|part| part.tag == 0x30)?;
        let fields = der_sequence(identifier.body)?;
        let oid = to_hex(fields.first()?.body);
        let parameters = fields
            .get(1)
            .map(|field| to_hex(field.body))
            .unwrap_or_default();
        Some((oid, parameters))
    };
    let Some((oid, parameters)) = identifier() else {
        return Ok(());
    };
    let curves = ["2a8648ce3d030107", "2b81040022", "2b81040023", "2b8104000a"];
    let lengths = ["02820101", "02820181", "02820201"];
    let known = match oid.as_str() {
        // id-ecPublicKey
        "2a8648ce3d0201" => curves.contains(&parameters.as_str()),
        // dhKeyAgreement: 2048, 3072 or 4096 bits
        "2a864886f70d010301" => lengths.iter().any(|length| parameters.starts_with(length)),
        // rsaEncryption, Ed25519, X25519
        "2a864886f70d010101" | "2b6570" | "2b656e" => true,
        // ML-DSA, SLH-DSA, ML-KEM
        pq => pq.starts_with("6086480165030403") || pq.starts_with("6086480165030404"),
    };
    if known {
        return Ok(());
    }
    let parameters: String = parameters.chars().take(20).collect();
    not_offered(format!("keys of algorithm {oid} with {parameters}"))
}
