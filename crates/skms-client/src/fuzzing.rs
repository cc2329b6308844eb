//! Fuzz targets as plain functions: each takes any bytes and must return.

use std::io;

use crate::file::{
    FileError, FileKey, Header, PluginIdentity, SealedFile, Wrapped, X25519Identity,
};
use crate::sse::Parser;

/// Reads bytes as an encrypted file, armored or not. What parses must not open
/// under a key that did not make it, and must be written the same way again.
pub fn file_header(data: &[u8]) {
    let key = FileKey::from_bytes(&[0x5a; FileKey::LENGTH]).expect("the length is right");
    let Ok(sealed) = SealedFile::read(data) else {
        return;
    };
    for stanza in sealed.stanzas() {
        if let Ok(Some(wrapped)) = Wrapped::read(stanza) {
            assert_eq!(&wrapped.stanza(), stanza);
        }
    }
    let again = Header::write(sealed.stanzas(), &key).expect("it was read");
    // All but the line of the MAC, which is another key's.
    let covered = again.len() - 44;
    if data.starts_with(b"age") {
        assert_eq!(data.get(..covered), again.get(..covered));
    }
    let opened = sealed.open(&key, &mut io::sink(), 1, &|_| ());
    assert!(matches!(opened, Err(FileError::HeaderAltered)));
}

/// Reads bytes as an identity of age's or of its plugin's.
pub fn file_identity(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    if let Ok(identity) = text.parse::<PluginIdentity>() {
        assert_eq!(identity.to_string(), text.to_uppercase());
    }
    if let Ok(identity) = text.parse::<X25519Identity>() {
        let recipient = identity.recipient().to_string();
        assert!(
            recipient
                .parse()
                .is_ok_and(|again| identity.recipient() == again)
        );
    }
}

/// Reads bytes as a stream of events. Where its pieces break does not matter.
pub fn event_stream(data: &[u8]) {
    let whole = Parser::default().take(data);
    let (first, second) = data.split_at(data.len() / 2);
    let mut parser = Parser::default();
    let parts = parser.take(first).and_then(|mut messages| {
        messages.extend(parser.take(second)?);
        Ok(messages)
    });
    assert_eq!(whole, parts);
}

#[cfg(test)]
mod tests {
    use skms_wire::Ciphertext;

    use super::*;
    use crate::file::{Armor, seal};

    #[test]
    fn a_real_file_cut_and_flipped() {
        let wrapped = Wrapped {
            key: "0198f2c4-7d1e-7abc-8def-00112233ff99".parse().unwrap(),
            ciphertext: Ciphertext::new(1, vec![3; 50]),
        };
        let key = FileKey::from_bytes(&[1; 16]).unwrap();
        let (mut file, mut armor) = (Vec::new(), Armor::new(Vec::new()).unwrap());
        let stanzas = [wrapped.stanza()];
        seal(&key, &stanzas, &mut &b"data"[..], &mut file, 1, &|_| ()).unwrap();
        seal(&key, &stanzas, &mut &b"data"[..], &mut armor, 1, &|_| ()).unwrap();
        for file in [file, armor.finish().unwrap()] {
            for at in 0..file.len() {
                file_header(&file[..at]);
                let mut flipped = file.clone();
                flipped[at] ^= 0x20;
                file_header(&flipped);
            }
        }
    }

    #[test]
    fn identities_in_any_case() {
        for text in [
            PluginIdentity::Any.to_string(),
            "AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0".into(),
        ] {
            file_identity(text.as_bytes());
            file_identity(text.to_lowercase().as_bytes());
            file_identity(&text.as_bytes()[1..]);
        }
    }
}
