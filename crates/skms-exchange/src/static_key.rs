//! Keys that a Diffie-Hellman key which stays with its owner agrees on with a
//! peer's: docs/agreement.md. What is derived is bound to both parties, both
//! public keys, and the one key that it becomes.

use skms_crypto::{Hash, SecretBytes, hkdf};

use crate::cbor::{Writer, plain_text};
use crate::error::{Error, Result, own};
use crate::request::{KeyName, MAX_NAME};

const LABEL: &str = "skms-agree-v1 key";
/// What every FixedInfo has, and each in the one form.
const ITEMS: usize = 9;

/// A party and the public key that it agrees with.
#[derive(Clone, Copy, Debug)]
pub struct Share<'a> {
    /// Who it is.
    pub party: &'a str,
    /// Its public key in the raw form: a SEC 1 uncompressed point, the 32 bytes
    /// of X25519, y padded to the length of the prime.
    pub public_key: &'a [u8],
}

/// A key that is agreed on.
#[derive(Clone, Copy, Debug)]
pub struct StaticKey<'a> {
    /// The registry's name of the algorithm that agrees.
    pub group: &'a str,
    /// Both parties, in any order.
    pub between: [Share<'a>; 2],
    /// What the key is called.
    pub key: &'a KeyName,
    /// The registry's name of its algorithm.
    pub algorithm: &'a str,
    /// Its bytes.
    pub length: usize,
}

impl StaticKey<'_> {
    /// What is bound into the key, the same for both parties.
    ///
    /// # Errors
    /// [`Error::Input`] for parties that cannot be told apart, or have no
    /// proper names.
    pub fn fixed_info(&self) -> Result<Vec<u8>> {
        let [mut first, mut second] = self.between;
        if !is_party(first.party) || !is_party(second.party) || first.party == second.party {
            return Err(Error::Input("the names of the parties"));
        }
        if second.party.as_bytes() < first.party.as_bytes() {
            (first, second) = (second, first);
        }
        let mut out = opening();
        out.text(self.group);
        for share in [first, second] {
            out.array(2).text(share.party).bytes(share.public_key);
        }
        let key = self.key;
        out.text(&key.namespace).text(&key.keyring).text(&key.name);
        out.text(self.algorithm).uint(self.length as u64);
        Ok(out.finish())
    }

    /// The key, of the secret that both share.
    ///
    /// # Errors
    /// As [`StaticKey::fixed_info`]; [`Error::Own`] for a hash that HKDF is
    /// not made with.
    pub fn derive(&self, hash: Hash, shared: &SecretBytes, salt: &[u8]) -> Result<SecretBytes> {
        hkdf(
            hash,
            shared.expose(),
            salt,
            &self.fixed_info()?,
            self.length,
        )
        .map_err(own)
    }
}

/// Whether a text names a party: 1 to 255 bytes, no control characters.
#[must_use]
pub fn is_party(name: &str) -> bool {
    plain_text(name, MAX_NAME)
}

/// Whether `info` begins as every [`StaticKey::fixed_info`] does. Whoever may
/// derive bytes of the same secret must not do so with one of these, or the
/// keys would be no secret to them.
#[must_use]
pub fn is_kept_back(info: &[u8]) -> bool {
    info.starts_with(&opening().finish())
}

fn opening() -> Writer {
    let mut out = Writer::default();
    out.array(ITEMS).text(LABEL);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(one: (&str, &[u8]), other: (&str, &[u8]), name: &str, length: usize) -> Vec<u8> {
        let share = |(party, public_key)| Share { party, public_key };
        StaticKey {
            group: "X25519",
            between: [share(one), share(other)],
            key: &KeyName::new("team", "default", name),
            algorithm: "AES-256-GCM",
            length,
        }
        .fixed_info()
        .unwrap()
    }

    #[test]
    fn both_sides_write_the_same_and_every_part_counts() {
        let (alice, bob): ((_, &[u8]), (_, &[u8])) = (("alice", &[1; 32]), ("bob", &[2; 32]));
        let one = info(alice, bob, "k", 32);
        assert_eq!(one, info(bob, alice, "k", 32));
        for other in [
            info(("alicf", &[1; 32]), bob, "k", 32),
            info(("alice", &[3; 32]), bob, "k", 32),
            info(("alice", &[2; 32]), ("bob", &[1; 32]), "k", 32),
            info(alice, ("bo", &[2; 32]), "k", 32),
            info(alice, bob, "l", 32),
            info(alice, bob, "k", 16),
        ] {
            assert_ne!(one, other);
        }
    }

    #[test]
    fn the_example_of_the_paper() {
        let written = info(("alice", &[0xaa; 2]), ("bob", &[0xbb; 2]), "orders", 32);
        let expected = [
            b"\x89\x71skms-agree-v1 key\x66X25519".as_slice(),
            b"\x82\x65alice\x42\xaa\xaa\x82\x63bob\x42\xbb\xbb",
            b"\x64team\x67default\x66orders\x6bAES-256-GCM\x18\x20",
        ];
        assert_eq!(written, expected.concat());
    }

    #[test]
    fn nothing_else_begins_so() {
        let written = info(("a", &[1]), ("b", &[2]), "k", 32);
        assert!(is_kept_back(&written));
        assert!(
            !is_kept_back(&written[1..]) && !is_kept_back(b"") && !is_kept_back(LABEL.as_bytes())
        );
    }

    #[test]
    fn parties_have_names_that_differ() {
        let named = |one: &str, other: &str| {
            let share = |party| Share {
                party,
                public_key: &[1],
            };
            let key = KeyName::new("team", "default", "k");
            let wanted = StaticKey {
                group: "X25519",
                between: [share(one), share(other)],
                key: &key,
                algorithm: "AES-256-GCM",
                length: 32,
            };
            wanted.fixed_info().is_ok()
        };
        let long = "a".repeat(256);
        assert!(named("a", "b") && named(&long[..255], "b"));
        for (one, other) in [("a", "a"), ("", "b"), ("a", "b\n"), (&long, "b")] {
            assert!(!named(one, other) && !named(other, one));
        }
    }
}
