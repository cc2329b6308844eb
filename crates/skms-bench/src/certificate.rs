//! An authority and a server certificate in a folder, of the kind that the
//! product makes for itself: ECDSA on P-256.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};

use crate::Result;

/// Writes `ca.pem`, `cert.pem` and `key.pem` into the folder that is named.
///
/// # Errors
/// The folder cannot be written.
pub fn write(arguments: &[String]) -> Result {
    let [folder] = arguments else {
        return Err("usage: skms-bench certificate FOLDER".into());
    };
    let folder = Path::new(folder);
    fs::create_dir_all(folder)?;
    let authority_key = KeyPair::generate()?;
    let mut authority = CertificateParams::new(Vec::new())?;
    authority
        .distinguished_name
        .push(DnType::CommonName, "measurements");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let authority_certificate = authority.self_signed(&authority_key)?;
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate()?;
    let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
    let certificate = CertificateParams::new(names)?.signed_by(&key, &issuer)?;
    fs::write(folder.join("ca.pem"), authority_certificate.pem())?;
    fs::write(folder.join("cert.pem"), certificate.pem())?;
    // The key of a server that holds nothing.
    fs::write(folder.join("key.pem"), key.serialize_pem())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn three_files_are_written() {
        let folder = std::env::temp_dir().join(format!("skms-bench-{}", std::process::id()));
        super::write(&[folder.to_str().unwrap().to_owned()]).unwrap();
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            let text = std::fs::read_to_string(folder.join(name)).unwrap();
            assert!(text.starts_with("-----BEGIN "), "{name}");
        }
        std::fs::remove_dir_all(&folder).unwrap();
        assert!(super::write(&[]).is_err());
    }
}
