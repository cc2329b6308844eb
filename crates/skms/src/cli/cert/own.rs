//! `skms cert renew --own`: the certificate that this command line is known by,
//! anew. The new key is made here and goes nowhere.

use std::io::Write as _;
use std::path::Path;

use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use skms_client::Client;
use skms_pki::{Certificate, pem};
use skms_wire::native::certificates::{CertificateView, IssueCertificateRequest};
use zeroize::Zeroizing;

use super::{issue, print};
use crate::cli::Global;
use crate::cli::error::{CliError, Result};
use crate::cli::output::{self, NewFile};

/// Renews it, and puts it with its key where the one before was.
pub async fn renew(global: &Global, lifetime_seconds: Option<u64>) -> Result<()> {
    let (certificate, key) = global.connection.identity_files()?.ok_or_else(|| {
        CliError::usage("no client certificate is set")
            .hint("set client_certificate and client_key, or SKMS_CLIENT_CERT and SKMS_CLIENT_KEY")
    })?;
    let client = global.client()?;
    let before = find(&client, &read(&certificate)?).await?;
    let failed = |error: rcgen::Error| CliError::failure(format!("cannot make a request: {error}"));
    let new_key = KeyPair::generate().map_err(failed)?;
    // Whom it is for is said beside the request, as it was the first time.
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params
        .serialize_request(&new_key)
        .and_then(|request| request.pem())
        .map_err(failed)?;
    let request = IssueCertificateRequest {
        profile: before.profile.clone(),
        names: before.names.clone(),
        subject: (!before.subject.is_empty()).then(|| before.subject.clone()),
        // As long as the one before, where nothing else is said.
        lifetime_seconds: lifetime_seconds.or_else(|| lasted(&before)),
        request: Some(request),
        ..IssueCertificateRequest::default()
    };
    let made = client
        .issue_certificate(&before.authority, &request)
        .await?;
    let new_key = Zeroizing::new(new_key.serialize_pem());
    store(
        &certificate,
        &key,
        &new_key,
        &issue::bundle(&made.certificate),
    )?;
    global.show(&made.certificate, |view| {
        print(view)?;
        output::line(format!(
            "It is in {}; the one before is good until {}.",
            certificate.display(),
            before.not_after
        ))
    })
}

/// How long a certificate lasts, in seconds.
fn lasted(view: &CertificateView) -> Option<u64> {
    let seconds = view.not_after.unix_seconds() - view.not_before.unix_seconds() + 1;
    u64::try_from(seconds).ok()
}

/// The client certificate's DER.
fn read(path: &Path) -> Result<Vec<u8>> {
    let text = crate::cli::input::read_text(path, crate::cli::ca::PEM_MAX)?;
    pem::decode(pem::CERTIFICATE, &text)
        .ok()
        .and_then(|all| all.into_iter().next())
        .ok_or_else(|| CliError::usage(format!("{} holds no certificate", path.display())))
}

/// What the server knows about it: it is one of an authority of the namespace.
async fn find(client: &Client, der: &[u8]) -> Result<CertificateView> {
    let unknown = || {
        CliError::usage("no authority of this namespace issued the client certificate")
            .hint("its issuer renews it; or name its namespace with -n")
    };
    let own = Certificate::from_der(der).map_err(|_| unknown())?;
    let issuer = own.issuer().to_string();
    let serial = output::hex(own.serial());
    let all = crate::cli::every(async |page| client.authorities(&page).await).await?;
    for authority in all.iter().filter(|one| one.subject == issuer) {
        let Ok(view) = client.certificate(&authority.name, &serial).await else {
            continue;
        };
        let same = view
            .certificate
            .as_deref()
            .and_then(|text| pem::decode(pem::CERTIFICATE, text).ok())
            .is_some_and(|all| all.first().is_some_and(|first| first == der));
        if same {
            return Ok(view);
        }
    }
    Err(unknown())
}

/// Replaces the files; both are written before either is in its place.
fn store(certificate: &Path, key: &Path, new_key: &str, chain: &str) -> Result<()> {
    if certificate == key {
        let text = Zeroizing::new([new_key, chain].concat());
        return output::write_file(certificate, text.as_bytes());
    }
    let mut key = NewFile::create(key)?;
    key.write_all(new_key.as_bytes())?;
    let mut certificate = NewFile::create(certificate)?;
    certificate.write_all(chain.as_bytes())?;
    key.finish()?;
    certificate.finish()
}
