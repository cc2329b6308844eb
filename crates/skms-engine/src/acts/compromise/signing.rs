//! How a report is signed: by a key of the server's own, made with the first
//! report and kept sealed like any record, as a JWS (RFC 7515) with ES256.
//! Whoever has its public half checks a report with no server.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use skms_crypto::{
    Algorithm, EcdsaEncoding, Format, Hash, KeyMaterial, Message, OpenKey, PublicKey, SignOptions,
};
use skms_store::{Change, Kind, RecordId};

use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::places::SYSTEM_SCOPE;
use crate::sessions::hex;

/// What the key is looked up by.
const NAME: &str = "incident-report-key";
/// What the header says a report is.
const TYPE: &str = "skms-incident-report";
/// The longest report that is checked, in bytes.
const REPORT_MAX: usize = 8 * 1024 * 1024;

/// The public half of what reports are signed by.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// As PEM.
    pub pem: Vec<u8>,
    /// SHA-256 of its SubjectPublicKeyInfo, in hex.
    pub fingerprint: String,
}

fn options() -> SignOptions {
    SignOptions {
        hash: Some(Hash::Sha256),
        encoding: EcdsaEncoding::P1363,
        ..SignOptions::default()
    }
}

/// The server's key for reports, made where there is none.
async fn key(rooms: &Rooms) -> Result<KeyMaterial> {
    for _ in 0..2 {
        let found = rooms.store.find(SYSTEM_SCOPE, Kind::Setting, NAME).await?;
        if let Some(stored) = found {
            let record = stored.plaintext.expose();
            return Ok(KeyMaterial::from_record(Algorithm::EcP256, record)?);
        }
        let made = KeyMaterial::generate(Algorithm::EcP256)?;
        let put = Change::Put {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Setting,
            id: RecordId::random()?,
            name: Some(NAME.to_owned()),
            expected: None,
            plaintext: made.to_record(),
        };
        match rooms
            .store
            .commit(vec![put], None)
            .await
            .map_err(Error::from)
        {
            Ok(_) => return Ok(made),
            // Somebody else made it.
            Err(Error::Conflict) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Busy)
}

fn public(material: &KeyMaterial) -> Result<PublicKey> {
    let public = material.public_key()?;
    public.ok_or(Error::Internal("a signing key without a public half"))
}

/// The public half of the server's key for reports.
pub(super) async fn public_key(rooms: &Rooms) -> Result<SigningKey> {
    let public = public(&key(rooms).await?)?;
    Ok(SigningKey {
        pem: public.export(Format::SpkiPem)?,
        fingerprint: hex(&public.fingerprint()),
    })
}

/// Signs a report.
pub(super) async fn sign(rooms: &Rooms, payload: &[u8]) -> Result<String> {
    let material = key(rooms).await?;
    let fingerprint = hex(&public(&material)?.fingerprint());
    let header = format!(r#"{{"alg":"ES256","typ":"{TYPE}","kid":"{fingerprint}"}}"#);
    let signed = format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(header),
        URL_SAFE_NO_PAD.encode(payload)
    );
    let key = OpenKey::open(&material)?;
    let signature = key.sign(Message::Raw(signed.as_bytes()), &options())?;
    Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
}

/// Checks a report by the public key (any format) that the server gave, and
/// gives what it says.
///
/// # Errors
/// [`Error::Invalid`] for what is no such report; [`Error::Integrity`] for one
/// that another key signed, or that was altered; [`Error::Crypto`] for a key that
/// is none.
pub fn verify_report(report: &str, key: &[u8]) -> Result<serde_json::Value> {
    let invalid = |why: &str| Error::Invalid(format!("no incident report: {why}"));
    let report = report.trim();
    if report.len() > REPORT_MAX {
        return Err(invalid("it is too long"));
    }
    let key = PublicKey::import(key, Format::Auto, Some(Algorithm::EcP256))?;
    let (signed, signature) = report.rsplit_once('.').ok_or_else(|| invalid("no JWS"))?;
    let (header, payload) = signed.split_once('.').ok_or_else(|| invalid("no JWS"))?;
    let decode = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part);
        bytes.map_err(|_| invalid("not in base64url"))
    };
    let header: serde_json::Value =
        serde_json::from_slice(&decode(header)?).map_err(|_| invalid("its header is no JSON"))?;
    let says = |name: &str| header.get(name).and_then(serde_json::Value::as_str);
    if says("alg") != Some("ES256") || says("typ") != Some(TYPE) || header.get("crit").is_some() {
        return Err(invalid("its header is another"));
    }
    let signature = decode(signature)?;
    if !key.verify(Message::Raw(signed.as_bytes()), &signature, &options())? {
        return Err(Error::Integrity);
    }
    serde_json::from_slice(&decode(payload)?).map_err(|_| invalid("it says no JSON"))
}
