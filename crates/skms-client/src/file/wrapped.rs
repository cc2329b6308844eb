//! The recipient that is a key of the server.

use skms_wire::Ciphertext;

use super::{FileError, KeyId, Result, Stanza};

const TAG: &str = "skms";

/// What is bound to a wrapped file key as associated data, so that no
/// ciphertext that the key made for something else passes for one.
pub const CONTEXT: &[u8] = b"age-encryption.org/v1/skms";

/// The longest wrapped file key that is read, in bytes: RSA-4096 takes 512.
const WRAPPED_MAX: usize = 2048;

/// A file key that a key of the server encrypted.
///
/// Its stanza is `-> skms ID VERSION`, with the key's identifier as a UUID and
/// the key's version in decimal; the body is what the server's `encrypt`
/// answered, as bytes. No name is in it: neither the key's nor the server's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wrapped {
    /// The key that encrypted it.
    pub key: KeyId,
    /// What it made.
    pub ciphertext: Ciphertext,
}

impl Wrapped {
    /// As a header holds it.
    pub fn stanza(&self) -> Stanza {
        Stanza {
            tag: TAG.to_owned(),
            arguments: vec![self.key.to_string(), self.ciphertext.version.to_string()],
            body: self.ciphertext.bytes.to_vec(),
        }
    }

    /// Reads a stanza, if it is one of these.
    ///
    /// # Errors
    /// [`FileError::Malformed`] if it claims to be one and is not.
    pub fn read(stanza: &Stanza) -> Result<Option<Self>> {
        const BAD: FileError = FileError::Malformed("a damaged stanza of skms");
        if stanza.tag != TAG {
            return Ok(None);
        }
        let [key, version] = stanza.arguments.as_slice() else {
            return Err(BAD);
        };
        let number: u32 = version.parse().map_err(|_| BAD)?;
        let long = stanza.body.is_empty() || stanza.body.len() > WRAPPED_MAX;
        if number == 0 || number.to_string() != *version || long {
            return Err(BAD);
        }
        Ok(Some(Self {
            key: key.parse().map_err(|_| BAD)?,
            ciphertext: Ciphertext::new(number, stanza.body.clone()),
        }))
    }
}

/// [`CONTEXT`], and behind a zero byte what the caller binds besides.
pub fn associated_data(more: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = CONTEXT.to_vec();
    if let Some(more) = more {
        bytes.push(0);
        bytes.extend_from_slice(more);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_spelling_is_read() {
        let wrapped = Wrapped {
            key: "0198f2c4-7d1e-7abc-8def-00112233ff99".parse().unwrap(),
            ciphertext: Ciphertext::new(3, vec![9; 44]),
        };
        let stanza = wrapped.stanza();
        assert_eq!(Wrapped::read(&stanza).unwrap(), Some(wrapped));
        let other = Stanza {
            tag: "X25519".into(),
            ..stanza.clone()
        };
        assert_eq!(Wrapped::read(&other).unwrap(), None);
        let id = stanza.arguments[0].clone();
        let with = |arguments: &[&str], body: usize| Stanza {
            arguments: arguments.iter().map(|&a| a.to_owned()).collect(),
            body: vec![1; body],
            ..stanza.clone()
        };
        for bad in [
            with(&[&id], 44),
            with(&[&id, "3", "x"], 44),
            with(&[&id, "0"], 44),
            with(&[&id, "03"], 44),
            with(&[&id, "+3"], 44),
            with(&[&id, "4294967296"], 44),
            with(&[&id.to_uppercase(), "3"], 44),
            with(&["default/orders", "3"], 44),
            with(&[&id, "3"], 0),
            with(&[&id, "3"], 2049),
        ] {
            assert!(Wrapped::read(&bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn what_is_bound_besides_cannot_be_mistaken() {
        assert_eq!(associated_data(None), CONTEXT);
        assert_ne!(associated_data(Some(b"")), CONTEXT);
        assert_ne!(associated_data(Some(b"a")), associated_data(Some(b"b")));
    }
}
