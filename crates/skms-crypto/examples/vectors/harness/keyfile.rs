//! Key files, PEM and DER. There is no verdict file: an import must agree
//! with `openssl pkey` on the public key, or refuse; a file whose name says
//! that it is broken must be refused.

use std::path::{Path, PathBuf};
use std::process::Command;

use skms_crypto::{Error, Format, KeyMaterial, PublicKey};

use super::case::{Case, Outcome, Refusal};
use super::text::{Der, der, der_sequence, pem_blocks};

/// Words in a name that say that a file is broken.
const BROKEN: &[&str] = &[
    "bad",
    "invalid",
    "wrong",
    "garbage",
    "truncated",
    "non-zero-unused-bits",
];

/// The passphrases that the published test keys use.
const PASSPHRASES: &[&str] = &[
    "123456",
    "password",
    "cryptography",
    "a123456",
    "foobar",
    "baz",
];

/// What a file was taken for.
pub enum Recognised {
    /// A key, to be judged.
    Key,
    /// A certificate, for [`super::certificate`].
    Certificate(Vec<u8>),
    /// Something else, in words.
    Other(String),
}

/// Recognises PEM by its labels and DER by its outer structure; `None` when
/// the bytes are neither.
pub fn recognises(bytes: &[u8]) -> Option<Recognised> {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let blocks = pem_blocks(text);
        if !blocks.is_empty() {
            return Some(pem(blocks));
        }
    }
    if bytes.first() != Some(&0x30) {
        return None;
    }
    match der(bytes) {
        Some(element) if element.rest.is_empty() => Some(structure(&element)),
        // Cut short: nothing but an import can tell.
        None if bytes
            .get(1)
            .is_some_and(|&length| matches!(length, 0x81..=0x83)) =>
        {
            Some(Recognised::Key)
        }
        _ => None,
    }
}

fn pem(blocks: Vec<(String, Option<Vec<u8>>)>) -> Recognised {
    let key = |label: &str| label.ends_with("PRIVATE KEY") || label.ends_with("PUBLIC KEY");
    if blocks.iter().any(|(label, _)| key(label)) {
        return Recognised::Key;
    }
    match blocks.into_iter().next() {
        Some((label, Some(body))) if label == "CERTIFICATE" => Recognised::Certificate(body),
        Some((label, _)) => Recognised::Other(format!("PEM {label}, no key")),
        None => Recognised::Other("no PEM".to_owned()),
    }
}

fn structure(element: &Der<'_>) -> Recognised {
    const INTEGER: u8 = 0x02;
    const BIT_STRING: u8 = 0x03;
    const OCTET_STRING: u8 = 0x04;
    const OID: u8 = 0x06;
    const SEQUENCE: u8 = 0x30;
    const PKCS7: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x07];
    let Some(parts) = der_sequence(element.body) else {
        return Recognised::Key;
    };
    let tags: Vec<u8> = parts.iter().map(|part| part.tag).collect();
    let first_of = |index: usize| parts.get(index).and_then(|part| der(part.body));
    let begins_with_oid = first_of(0).is_some_and(|inner| inner.tag == OID);
    match tags[..] {
        [INTEGER, SEQUENCE, ..]
            if first_of(1).is_some_and(|inner| inner.body.starts_with(PKCS7)) =>
        {
            Recognised::Other("PKCS#12 is not one of this crate's formats".to_owned())
        }
        [INTEGER, ..] => Recognised::Key,
        [SEQUENCE, OCTET_STRING | BIT_STRING] if begins_with_oid => Recognised::Key,
        [SEQUENCE, SEQUENCE, BIT_STRING] => match first_of(0).map(|inner| inner.tag) {
            // Certificates of version 2 and 3 begin with [0].
            Some(0xa0) => Recognised::Certificate(element.whole.to_vec()),
            _ => Recognised::Other("a signed DER structure, no key".to_owned()),
        },
        _ => Recognised::Other("a DER structure, no key".to_owned()),
    }
}

/// The case of a key file.
pub fn case(path: &Path, bytes: Vec<u8>) -> Case {
    let path = path.to_owned();
    Case {
        id: "import".to_owned(),
        run: Box::new(move || judge(&path, &bytes)),
    }
}

fn judge(path: &Path, bytes: &[u8]) -> Outcome {
    let imported = import(bytes);
    let name = stem(path).to_ascii_lowercase().replace('_', "-");
    if BROKEN.iter().any(|word| name.contains(word)) {
        return match imported {
            Ok(_) => Outcome::Failed("imported, though its name says that it is broken".to_owned()),
            Err(_) => Outcome::Passed,
        };
    }
    match imported {
        Ok(public) => agrees(path, bytes, &public),
        Err(error) => refused(path, bytes, error),
    }
}

/// Imports a private or public key, with each passphrase in turn. Of several
/// refusals the one that is about policy says most.
fn import(bytes: &[u8]) -> Result<PublicKey, Error> {
    let private = |passphrase: Option<&str>| {
        let passphrase = passphrase.map(str::as_bytes);
        let material = KeyMaterial::import(bytes, Format::Auto, None, passphrase)?;
        material
            .public_key()?
            .ok_or(Error::InvalidKey("no public half"))
    };
    let mut refusals = Vec::new();
    match PublicKey::import(bytes, Format::Auto, None) {
        Ok(public) => return Ok(public),
        Err(error) => refusals.push(error),
    }
    for passphrase in [None]
        .into_iter()
        .chain(PASSPHRASES.iter().copied().map(Some))
    {
        match private(passphrase) {
            Ok(public) => return Ok(public),
            Err(error) => refusals.push(error),
        }
    }
    let policy = |error: &Error| matches!(error, Error::RefusedByPolicy(_) | Error::WeakKey(_));
    let place = refusals.iter().position(policy);
    // The first is about public keys; most files are not.
    let labelled = bytes.windows(10).any(|part| part == b"PUBLIC KEY");
    Err(refusals.swap_remove(place.unwrap_or(usize::from(!labelled))))
}

/// What was imported must be what OpenSSL sees, and what the file beside it
/// that has the public key says.
fn agrees(path: &Path, bytes: &[u8], public: &PublicKey) -> Outcome {
    let beside = public_beside(path);
    if let Some(beside) = &beside {
        let stated = std::fs::read(beside).ok();
        let stated = stated.and_then(|bytes| PublicKey::import(&bytes, Format::Auto, None).ok());
        if stated.as_ref().map(PublicKey::spki_der) != Some(public.spki_der()) {
            return Outcome::Failed(format!("another public key than {}", beside.display()));
        }
    }
    match openssl(path, bytes) {
        Openssl::Missing if beside.is_none() => {
            Outcome::NotApplicable("imported, and no openssl to compare with".to_owned())
        }
        Openssl::Public(spki) if spki != public.spki_der() => {
            Outcome::Failed("another public key than openssl reads".to_owned())
        }
        Openssl::Refused if beside.is_none() && !public.algorithm().row().post_quantum => {
            Outcome::Failed("imported, though openssl refuses it".to_owned())
        }
        _ => Outcome::Passed,
    }
}

/// A refusal is right when OpenSSL refuses as well, or when the algorithm is
/// not one of ours. Where OpenSSL reads a key that we could use, the refusal
/// is our policy, and is counted as such.
fn refused(path: &Path, bytes: &[u8], error: Error) -> Outcome {
    match openssl(path, bytes) {
        Openssl::Public(spki) if PublicKey::import(&spki, Format::SpkiDer, None).is_ok() => {
            Outcome::RefusedByPolicy(error.to_string())
        }
        _ => match Refusal::from(error) {
            Refusal::Policy(why) => Outcome::RefusedByPolicy(why),
            _ => Outcome::Passed,
        },
    }
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// `X.pub` beside `X.priv`, `X-seed.priv` and `X.crt`.
pub fn public_beside(path: &Path) -> Option<PathBuf> {
    let stem = stem(path);
    let shorter = stem.rsplit_once('-').map(|(start, _)| start.to_owned());
    [Some(stem), shorter]
        .into_iter()
        .flatten()
        .map(|stem| path.with_file_name(format!("{stem}.pub")))
        .find(|candidate| candidate != path && candidate.is_file())
}

enum Openssl {
    /// The program is not there.
    Missing,
    /// It cannot read the file.
    Refused,
    /// The public key that it reads, as SPKI in DER.
    Public(Vec<u8>),
}

/// What `openssl pkey` makes of the file.
fn openssl(path: &Path, bytes: &[u8]) -> Openssl {
    let form = if bytes.starts_with(&[0x30]) {
        "DER"
    } else {
        "PEM"
    };
    let attempts = PASSPHRASES
        .iter()
        .map(|passphrase| vec!["-passin".to_owned(), format!("pass:{passphrase}")])
        .chain([
            vec!["-pubin".to_owned()],
            vec!["-pubin".to_owned(), "-RSAPublicKey_in".to_owned()],
        ]);
    for attempt in attempts {
        let command = if attempt.len() == 2 && attempt[0] == "-pubin" {
            "rsa"
        } else {
            "pkey"
        };
        let output = Command::new("openssl")
            .args([
                command, "-inform", form, "-pubout", "-outform", "DER", "-in",
            ])
            .arg(path)
            .args(
                attempt
                    .iter()
                    .filter(|word| command != "rsa" || *word != "-pubin"),
            )
            .stdin(std::process::Stdio::null())
            .output();
        match output {
            Err(_) => return Openssl::Missing,
            Ok(output) if output.status.success() && !output.stdout.is_empty() => {
                return Openssl::Public(output.stdout);
            }
            Ok(_) => {}
        }
    }
    Openssl::Refused
}
