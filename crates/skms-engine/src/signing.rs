//! How the server signs what it says to people: reports of incidents, and
//! approvals that it saw being given. By a key of its own, made with the first
//! of them and kept sealed like any record, as a JWS (RFC 7515) with ES256 whose
//! header says which of them it is. Whoever has the public half checks them
//! with no server.

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
/// The longest JWS that is checked, in bytes.
const JWS_MAX: usize = 8 * 1024 * 1024;

/// What the server says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Said {
    /// What an incident touched.
    Report,
    /// What a re-encryption job moved.
    Job,
    /// That somebody approved.
    Approval,
}

impl Said {
    /// As the header says it.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Report => "skms-incident-report",
            Self::Job => "skms-reencryption-report",
            Self::Approval => "skms-approval",
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Report => "no incident report",
            Self::Job => "no report on a re-encryption job",
            Self::Approval => "no approval that the server signed",
        }
    }
}

/// The public half of what the server signs by.
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

/// The server's key, made where there is none.
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

/// The public half of the server's key.
pub(crate) async fn public_key(rooms: &Rooms) -> Result<SigningKey> {
    let public = public(&key(rooms).await?)?;
    Ok(SigningKey {
        pem: public.export(Format::SpkiPem)?,
        fingerprint: hex(&public.fingerprint()),
    })
}

/// Signs what the server says.
pub(crate) async fn sign(rooms: &Rooms, said: Said, payload: &[u8]) -> Result<String> {
    let material = key(rooms).await?;
    let fingerprint = hex(&public(&material)?.fingerprint());
    let typ = said.name();
    let header = format!(r#"{{"alg":"ES256","typ":"{typ}","kid":"{fingerprint}"}}"#);
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
    let payload = verify(Said::Report, report, key)?;
    serde_json::from_slice(&payload)
        .map_err(|_| Error::Invalid("no incident report: it says no JSON".into()))
}

/// As [`verify_report`], of a report on a re-encryption job.
///
/// # Errors
/// As there.
pub fn verify_job_report(report: &str, key: &[u8]) -> Result<serde_json::Value> {
    let payload = verify(Said::Job, report, key)?;
    serde_json::from_slice(&payload)
        .map_err(|_| Error::Invalid("no report on a re-encryption job: it says no JSON".into()))
}

/// Checks what the server said by its public key (any format), and gives the
/// bytes.
///
/// # Errors
/// As for [`verify_report`].
pub(crate) fn verify(said: Said, jws: &str, key: &[u8]) -> Result<Vec<u8>> {
    let invalid = |why: &str| Error::Invalid(format!("{}: {why}", said.words()));
    let jws = jws.trim();
    if jws.len() > JWS_MAX {
        return Err(invalid("it is too long"));
    }
    let key = PublicKey::import(key, Format::Auto, Some(Algorithm::EcP256))?;
    let (signed, signature) = jws.rsplit_once('.').ok_or_else(|| invalid("no JWS"))?;
    let (header, payload) = signed.split_once('.').ok_or_else(|| invalid("no JWS"))?;
    let decode = |part: &str| {
        let bytes = URL_SAFE_NO_PAD.decode(part);
        bytes.map_err(|_| invalid("not in base64url"))
    };
    let header: serde_json::Value =
        serde_json::from_slice(&decode(header)?).map_err(|_| invalid("its header is no JSON"))?;
    let says = |name: &str| header.get(name).and_then(serde_json::Value::as_str);
    let known = says("alg") == Some("ES256") && says("typ") == Some(said.name());
    if !known || header.get("crit").is_some() {
        return Err(invalid("its header is another"));
    }
    let signature = decode(signature)?;
    if !key.verify(Message::Raw(signed.as_bytes()), &signature, &options())? {
        return Err(Error::Integrity);
    }
    decode(payload)
}
