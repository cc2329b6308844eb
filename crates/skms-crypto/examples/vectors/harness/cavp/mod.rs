//! "Name = value" record files: NIST CAVP responses and the like, told apart
//! by the fields that their records have.

mod ec;
mod pq;
mod rsa;
mod sha;
pub(super) mod symmetric;

use super::case::{Attempt, Case, Expect, Refusal};
use super::records::{Layout, Line, Record, comments, records};

/// What a case does when its turn comes, and what is expected of it.
pub type Prepared = (Expect, Box<dyn FnOnce() -> Attempt + Send>);

/// What kind of records a file has.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Kind {
    AesGcm,
    KeyWrap,
    BotanKeyWrap,
    Hmac,
    Cmac,
    Hash,
    HashMonteCarlo,
    Hkdf,
    EcKeyPair,
    EcPublicKey,
    EcdsaSign,
    EcdsaVerify,
    EcdhPrimitive,
    MlDsa,
    MlKem,
    RsaSignature,
    OaepLabel,
    ModpGroups,
}

impl Kind {
    /// What the file is about.
    pub fn name(self) -> &'static str {
        match self {
            Kind::AesGcm => "CAVP AES-GCM",
            Kind::KeyWrap => "CAVP key wrap",
            Kind::BotanKeyWrap => "key wrap records",
            Kind::Hmac => "HMAC records",
            Kind::Cmac => "CAVP CMAC",
            Kind::Hash => "CAVP hash",
            Kind::HashMonteCarlo => "CAVP hash, Monte Carlo",
            Kind::Hkdf => "HKDF records",
            Kind::EcKeyPair => "CAVP EC key pairs",
            Kind::EcPublicKey => "CAVP EC public keys",
            Kind::EcdsaSign => "CAVP ECDSA signing",
            Kind::EcdsaVerify => "CAVP ECDSA verification",
            Kind::EcdhPrimitive => "CAVP ECDH primitive",
            Kind::MlDsa => "ML-DSA known answers",
            Kind::MlKem => "ML-KEM known answers",
            Kind::RsaSignature => "CAVP RSA signatures",
            Kind::OaepLabel => "RSA-OAEP records",
            Kind::ModpGroups => "MODP group constants",
        }
    }
}

/// Recognises a file by its fields.
pub fn recognises(lines: &[Line]) -> Option<Kind> {
    let has = |name: &str| {
        lines
            .iter()
            .any(|line| matches!(line, Line::Field(field, _) if field.eq_ignore_ascii_case(name)))
    };
    let all = |names: &[&str]| names.iter().all(|name| has(name));
    let section = |text: &str| {
        lines
            .iter()
            .any(|line| matches!(line, Line::Section(section) if section == text))
    };
    let comment = |word: &str| comments(lines).to_ascii_uppercase().contains(word);
    let kinds = [
        (all(&["Hash", "IKM", "OKM"]), Kind::Hkdf),
        (
            all(&["KEY", "RSAPadding", "Input", "Output"]),
            Kind::OaepLabel,
        ),
        (all(&["SHAAlg", "Msg", "S"]), Kind::RsaSignature),
        (has("QCAVSx"), Kind::EcdhPrimitive),
        (all(&["Msg", "Qx", "R", "S", "Result"]), Kind::EcdsaVerify),
        (all(&["Msg", "d", "Qx", "R", "S"]), Kind::EcdsaSign),
        (all(&["Qx", "Qy", "Result"]), Kind::EcPublicKey),
        (all(&["d", "Qx", "Qy"]), Kind::EcKeyPair),
        (all(&["Key", "IV", "CT", "AAD", "Tag"]), Kind::AesGcm),
        (all(&["xi", "pk", "sk", "msg", "sm"]), Kind::MlDsa),
        (all(&["z", "d", "msg", "pk", "sk", "ct", "ss"]), Kind::MlKem),
        (all(&["Klen", "Mlen", "Tlen", "Msg", "Mac"]), Kind::Cmac),
        (
            all(&["KEY", "MESSAGE", "OUTPUT"]) && comment("CMAC"),
            Kind::Cmac,
        ),
        (all(&["Klen", "Tlen", "Key", "Msg", "Mac"]), Kind::Hmac),
        (all(&["Len", "Key", "Msg", "MD"]), Kind::Hmac),
        (all(&["Len", "Msg", "MD"]), Kind::Hash),
        (all(&["Seed", "MD"]), Kind::HashMonteCarlo),
        (
            all(&["Key", "Input", "Output"]) && (section("KW") || section("KWP")),
            Kind::BotanKeyWrap,
        ),
        (
            all(&["COUNT", "K", "C"]) && (has("P") || has("FAIL")),
            Kind::KeyWrap,
        ),
        (all(&["COUNT", "P", "G"]), Kind::ModpGroups),
    ];
    kinds
        .iter()
        .find(|(found, _)| *found)
        .map(|(_, kind)| *kind)
}

/// What the whole file says, for its records.
pub struct File {
    comments: String,
    /// Whether key wrap's plaintexts show that the file pads.
    pads: bool,
}

/// The cases of a file.
pub fn cases(kind: Kind, lines: &[Line]) -> Vec<Case> {
    let layout = match kind {
        Kind::RsaSignature => Layout {
            above: &["n", "p", "q"],
            first: Some("SHAAlg"),
        },
        _ => Layout::default(),
    };
    let records = records(lines, layout);
    let file = File {
        comments: comments(lines),
        pads: symmetric::pads(&records),
    };
    if kind == Kind::HashMonteCarlo {
        return vec![sha::monte_carlo(&file, &records)];
    }
    let mut cases = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let id = match record.text("COUNT") {
            Some(count) => format!("{} COUNT {count}", record.sections.join(" ")),
            None => format!("{} record {}", record.sections.join(" "), index + 1),
        };
        cases.push(match prepare(kind, &file, record) {
            Ok((expect, action)) => Case::new(id, expect, action),
            Err(refusal) => Case::decided(id, refusal),
        });
    }
    cases
}

fn prepare(kind: Kind, file: &File, record: &Record) -> Result<Prepared, Refusal> {
    match kind {
        Kind::AesGcm => symmetric::gcm(record),
        Kind::KeyWrap => symmetric::key_wrap(file, record),
        Kind::BotanKeyWrap => symmetric::botan(record),
        Kind::Hmac => symmetric::hmac(file, record),
        Kind::Cmac => symmetric::cmac(record),
        Kind::Hkdf => symmetric::hkdf(record),
        Kind::Hash => sha::message(file, record),
        Kind::EcKeyPair => ec::key_pair(record),
        Kind::EcPublicKey => ec::public_key(record),
        Kind::EcdsaSign => ec::sign(record),
        Kind::EcdsaVerify => ec::verify(record),
        Kind::EcdhPrimitive => ec::agree(record),
        Kind::MlDsa => pq::mldsa(record),
        Kind::MlKem => pq::mlkem(record),
        Kind::RsaSignature => rsa::signature(file, record),
        Kind::OaepLabel => rsa::oaep_label(record),
        Kind::ModpGroups => {
            super::case::not_offered("groups of RFC 3526: only RFC 7919's are offered")
        }
        Kind::HashMonteCarlo => super::case::not_offered("Monte Carlo as single records"),
    }
}

/// The bytes of a field that must be there.
fn need(record: &Record, field: &str) -> Result<Vec<u8>, Refusal> {
    record
        .bytes(field)
        .ok_or_else(|| Refusal::Refused(format!("the file's field {field} is not readable")))
}

/// `Result = P` or `Result = F (reason)`; absent means that it must succeed.
fn expect(record: &Record) -> Expect {
    let result = record.text("Result").unwrap_or("P");
    let failed = record.has("FAIL") || result.to_ascii_lowercase().starts_with('f');
    Expect::when(!failed)
}
