//! The listener's certificate from the server's own authority. The authority's
//! key is in the sealed store, and a server that is still sealed has to listen
//! too: so the certificate and its key lie in the data directory, in one file
//! that is replaced whole, and are renewed there while the server is unsealed.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Weak},
    time::Duration,
};

use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _};
use skms_engine::{Engine, acts::listener::ListenerCertificate};
use skms_pki::{issue::AltName, pem};
use x509_cert::der::pem::{LineEnding, encode_string};
use zeroize::Zeroizing;

use super::{
    certificate::{self, Error},
    log::Log,
    peer,
    tls::{self, Tls},
};

/// Between two looks at whether a new certificate is due.
const LOOK: Duration = Duration::from_secs(1);
/// After a failure.
const RETRY: Duration = Duration::from_secs(60);

/// Where the certificate and its key are, PEM in one file.
pub fn path(data_dir: &Path) -> PathBuf {
    data_dir.join("listener.pem")
}

/// The certificate that lies in the data directory with its key, if one does.
///
/// # Errors
/// [`Error::File`] when it is there and cannot be used: it is not replaced.
pub fn read(
    data_dir: &Path,
) -> Result<Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>, Error> {
    let path = path(data_dir);
    let bytes = match fs::read(&path) {
        Ok(bytes) => Zeroizing::new(bytes),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(Error::File { path, source }),
    };
    let bad = |why: String| Error::File {
        path: path.clone(),
        source: io::Error::new(io::ErrorKind::InvalidData, why),
    };
    let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|error| bad(error.to_string()))?;
    let key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| bad(error.to_string()))?;
    if chain.is_empty() {
        return Err(bad("no certificate in it".to_owned()));
    }
    Ok(Some((chain, key)))
}

/// A private key and its certificates as one PEM text.
///
/// # Errors
/// [`Error::File`], naming `path`, for what does not encode.
pub fn bundle(path: &Path, key: &[u8], chain: &[Vec<u8>]) -> Result<Zeroizing<String>, Error> {
    let bad = |_| Error::File {
        path: path.to_owned(),
        source: io::Error::other("the certificate does not encode"),
    };
    let key = Zeroizing::new(encode_string("PRIVATE KEY", LineEnding::LF, key).map_err(bad)?);
    let certificates = certificates(path, chain)?;
    let mut text = Zeroizing::new(String::with_capacity(key.len() + certificates.len()));
    text.push_str(&key);
    text.push_str(&certificates);
    Ok(text)
}

fn certificates(path: &Path, all: &[Vec<u8>]) -> Result<String, Error> {
    all.iter()
        .map(|der| pem::encode(pem::CERTIFICATE, der))
        .collect::<Result<_, _>>()
        .map_err(|error| Error::File {
            path: path.to_owned(),
            source: io::Error::other(error.to_string()),
        })
}

/// Puts a certificate and its key in the data directory.
///
/// # Errors
/// [`Error::File`].
pub fn write(data_dir: &Path, made: &ListenerCertificate) -> Result<(), Error> {
    let path = path(data_dir);
    let text = bundle(&path, made.private_key.expose(), &made.chain)?;
    certificate::write(&path, &text, 0o600)
}

/// Puts what clients are to trust where they are told to find it, and does away
/// with the key of an authority that was there before.
///
/// # Errors
/// [`Error::File`].
pub fn write_anchors(data_dir: &Path, anchors: &[Vec<u8>]) -> Result<(), Error> {
    let path = certificate::authority_path(data_dir);
    let text = certificates(&path, anchors)?;
    if fs::read_to_string(&path).is_ok_and(|there| there == text) {
        return Ok(());
    }
    // The key first: without it, what is left is not taken for an authority.
    let key = certificate::key_path(data_dir);
    match fs::remove_file(&key) {
        Err(source) if source.kind() != io::ErrorKind::NotFound => {
            return Err(Error::File { path: key, source });
        }
        _ => {}
    }
    certificate::write(&path, &text, 0o644)
}

/// The names that a server's certificate is for: the local ones and these.
pub fn names(more: &[String]) -> Vec<AltName> {
    let all = certificate::LOCAL.into_iter().map(str::to_owned);
    let mut names = Vec::new();
    for text in all.chain(more.iter().cloned()) {
        let name = match text.parse().map(AltName::Ip) {
            Ok(address) => address,
            Err(_) => AltName::Dns(text.to_ascii_lowercase()),
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Renews the certificate whenever one is due, for as long as there is an
/// engine, and lets the listener show it from the next connection on.
pub async fn keep(engine: Weak<Engine>, tls: Arc<Tls>, names: Vec<AltName>, log: Log) {
    let mut anchored = Vec::new();
    let mut complaint = String::new();
    loop {
        tokio::time::sleep(LOOK).await;
        let Some(engine) = engine.upgrade() else {
            return;
        };
        match round(&engine, &tls, &names, &mut anchored, log).await {
            Ok(()) | Err(Failure::Engine(skms_engine::Error::Sealed)) => complaint.clear(),
            Err(failure) => {
                drop(engine);
                let why = failure.to_string();
                if why != complaint {
                    log.error(
                        "the listener's certificate was not renewed; the one before stays in use",
                        &[("reason", why.as_str().into())],
                    );
                    complaint = why;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

/// Why a certificate was not renewed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Engine(#[from] skms_engine::Error),
    #[error(transparent)]
    Files(#[from] Error),
    #[error(transparent)]
    Tls(#[from] tls::Error),
}

async fn round(
    engine: &Engine,
    tls: &Tls,
    names: &[AltName],
    anchored: &mut Vec<Vec<u8>>,
    log: Log,
) -> Result<(), Failure> {
    if engine.listener_is_due(tls.leaf().as_deref(), names)? {
        let made = engine.issue_listener_certificate(names.to_vec()).await?;
        write(tls.data_dir(), &made)?;
        tls.reload()?;
        let until = made.chain.first().and_then(|der| peer::ends(der));
        log.info(
            "the listener's certificate was renewed",
            &[("until", until.unwrap_or_default().into())],
        );
    }
    let anchors = engine.listener_anchors().await?;
    if !anchors.is_empty() && anchors != *anchored {
        write_anchors(tls.data_dir(), &anchors)?;
        *anchored = anchors;
    }
    Ok(())
}
