//! The certificate that a server makes for itself when it is given none and no
//! authority of its store certifies its listener (`listener.rs`): a small
//! authority kept under the data directory, and a short-lived server
//! certificate that lives in memory and is made anew at every start, every
//! reload and every day.

use std::{
    fs::{self, DirBuilder, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, PublicKeyData as _,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use x509_cert::{
    Certificate,
    der::{DecodePem as _, Encode as _},
};

/// How long the authority is good for, in days.
const AUTHORITY_DAYS: u64 = 3650;
/// How long a server certificate is good for, in days.
const SERVER_DAYS: u64 = 30;
/// Clocks of clients may be behind by this.
const SKEW: Duration = Duration::from_secs(300);
/// The names that every server's certificate is for.
pub const LOCAL: [&str; 3] = ["localhost", "127.0.0.1", "::1"];
const DAY: Duration = Duration::from_secs(86_400);

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The authority's files cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// The cause.
        source: io::Error,
    },
    /// The authority's certificate is not for its key.
    #[error("{} is not the certificate of {}", certificate.display(), key.display())]
    Apart {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// The key's file holds none, or a name is none.
    #[error("cannot make a certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// Where the authority's certificate is, for clients to trust.
pub fn authority_path(data_dir: &Path) -> PathBuf {
    data_dir.join("ca.pem")
}

/// Where the authority's key is.
pub fn key_path(data_dir: &Path) -> PathBuf {
    data_dir.join("ca-key.pem")
}

/// A server certificate for the local names and `names`, by the authority of
/// `data_dir`, which is made if there is none.
///
/// # Errors
/// [`Error`], when the files cannot be used.
pub fn issue(
    data_dir: &Path,
    names: &[String],
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), Error> {
    let authority = authority(data_dir)?;
    let mut all: Vec<String> = LOCAL.map(str::to_owned).into();
    for name in names {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    let key = KeyPair::generate()?;
    let mut params = CertificateParams::new(all)?;
    params
        .distinguished_name
        .push(DnType::CommonName, "SKMS server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    valid_for(&mut params, SERVER_DAYS);
    let certificate = params.signed_by(&key, &authority)?;
    Ok((
        vec![certificate.der().clone()],
        PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
    ))
}

fn valid_for(params: &mut CertificateParams, days: u64) {
    let now = SystemTime::now();
    params.not_before = (now - SKEW).into();
    params.not_after = (now + DAY * u32::try_from(days).unwrap_or(u32::MAX)).into();
}

fn authority(data_dir: &Path) -> Result<Issuer<'static, KeyPair>, Error> {
    let (certificate_path, key_path) = (authority_path(data_dir), key_path(data_dir));
    let read = |path: &Path| match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(Error::File {
            path: path.to_owned(),
            source,
        }),
    };
    // The certificate is written last, so without it the key is a leftover.
    if let (Some(certificate), Some(key)) = (read(&certificate_path)?, read(&key_path)?) {
        let key = KeyPair::from_pem(&key)?;
        if !belong_together(&certificate, &key) {
            return Err(Error::Apart {
                certificate: certificate_path,
                key: key_path,
            });
        }
        return Ok(Issuer::new(authority_params()?, key));
    }
    let key = KeyPair::generate()?;
    let params = authority_params()?;
    let certificate = params.self_signed(&key)?;
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(data_dir)
        .map_err(|source| Error::File {
            path: data_dir.to_owned(),
            source,
        })?;
    write(&key_path, &key.serialize_pem(), 0o600)?;
    write(&certificate_path, &certificate.pem(), 0o644)?;
    Ok(Issuer::new(params, key))
}

/// What the authority is; the same each time, so that its name and its key are
/// enough to issue with.
fn authority_params() -> Result<CertificateParams, Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params
        .distinguished_name
        .push(DnType::CommonName, "SKMS self-made authority");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    valid_for(&mut params, AUTHORITY_DAYS);
    Ok(params)
}

/// Whether the certificate is for that key.
fn belong_together(pem: &str, key: &KeyPair) -> bool {
    let certified = Certificate::from_pem(pem).ok().and_then(|found| {
        found
            .tbs_certificate()
            .subject_public_key_info()
            .to_der()
            .ok()
    });
    certified.is_some_and(|spki| spki == key.subject_public_key_info())
}

/// Writes a file whole or not at all.
///
/// # Errors
/// [`Error::File`].
pub fn write(path: &Path, text: &str, mode: u32) -> Result<(), Error> {
    let partial = path.with_extension("partial");
    let write = || -> io::Result<()> {
        match fs::remove_file(&partial) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&partial)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&partial, path)
    };
    write().map_err(|source| Error::File {
        path: path.to_owned(),
        source,
    })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_authority_stays_and_its_key_is_private() {
        let dir = tempfile::tempdir().unwrap();
        let data_dir = dir.path().join("data");
        let (first, _) = issue(&data_dir, &[]).unwrap();
        let ca = fs::read(authority_path(&data_dir)).unwrap();
        let (second, _) = issue(&data_dir, &["kms.example".to_owned()]).unwrap();
        assert_eq!(fs::read(authority_path(&data_dir)).unwrap(), ca);
        assert_ne!(first, second);
        let mode = fs::metadata(key_path(&data_dir))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn damaged_files_are_an_error_and_not_replaced() {
        let dir = tempfile::tempdir().unwrap();
        issue(dir.path(), &[]).unwrap();
        fs::write(key_path(dir.path()), "not a key").unwrap();
        assert!(issue(dir.path(), &[]).is_err());
        assert_eq!(fs::read(key_path(dir.path())).unwrap(), b"not a key");
        let other = KeyPair::generate().unwrap().serialize_pem();
        fs::write(key_path(dir.path()), other).unwrap();
        assert!(matches!(issue(dir.path(), &[]), Err(Error::Apart { .. })));
    }
}
