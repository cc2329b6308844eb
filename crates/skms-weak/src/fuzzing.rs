//! Fuzz targets as plain functions: each takes any bytes and must return.

use crate::blocklist::{badkeys, openssl_blacklist, spki_hashes};
use crate::{Blocklist, PublicKey, check, secret};

/// A list: what is read is written as the same bytes, and can be looked into.
pub fn blocklist(data: &[u8]) {
    if let Ok(list) = Blocklist::from_file(data) {
        assert_eq!(list.to_file(), data);
    }
    let _ = badkeys("list", data, Vec::new());
    if let Ok(text) = std::str::from_utf8(data) {
        let _ = openssl_blacklist("list", text);
        let _ = spki_hashes("list", text);
    }
}

/// A public key in each of its forms, and everything that is looked for in it.
pub fn public_key(data: &[u8]) {
    let forms = [
        PublicKey::from_spki(data),
        PublicKey::from_pkcs1(data),
        PublicKey::from_rsa_private(data),
    ];
    for key in forms.into_iter().flatten() {
        let _ = check(&key, []);
        let _ = (key.spki_sha256(), key.value_sha256(), key.modulus_sha1());
    }
    if let Ok(line) = std::str::from_utf8(data)
        && let Ok(key) = PublicKey::from_ssh_line(line)
    {
        let _ = check(&key, []);
    }
    let _ = secret::check(data);
}
