//! Fuzz targets as plain functions: each takes any bytes and must return.

use crate::file::{FileError, SealedFile};

/// Reads bytes as an encrypted file. What parses must not open under a key
/// that did not make it.
pub fn file_header(data: &[u8]) {
    if let Ok(sealed) = SealedFile::read(data) {
        let opened = sealed.open(&[0x5a; 16], &mut Vec::new(), &mut |_| ());
        assert!(matches!(opened, Err(FileError::Altered)));
    }
}

#[cfg(test)]
mod tests {
    use skms_wire::Ciphertext;

    use super::*;
    use crate::file::{Recipient, seal};

    #[test]
    fn a_real_file_cut_and_flipped() {
        let recipient = Recipient {
            key: "default/k".into(),
            data_key: Ciphertext::new(1, vec![3; 50]),
        };
        let mut file = Vec::new();
        seal(
            &[1; 16],
            &recipient,
            &mut &b"data"[..],
            &mut file,
            &mut |_| (),
        )
        .unwrap();
        for at in 0..file.len() {
            file_header(&file[..at]);
            let mut flipped = file.clone();
            flipped[at] ^= 0x20;
            file_header(&flipped);
        }
    }
}
