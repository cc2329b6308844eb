//! Project Wycheproof's JSON files, told apart by each group's `type`.

mod aead;
pub(super) mod agreement;
mod ecdsa;
mod jose;
pub(super) mod mac;
mod mldsa;
pub(super) mod mlkem;
mod rsa;

use serde_json::Value;

use super::case::{Attempt, Case, Expect, Refusal};
use super::text::{self, list, string};

/// What a case does when its turn comes.
pub type Action = Box<dyn FnOnce() -> Attempt + Send>;

/// One test, within its group and file.
pub struct Test<'a> {
    /// The file's `algorithm`.
    algorithm: &'a str,
    /// The group: key material and parameters.
    group: &'a Value,
    /// The test itself.
    test: &'a Value,
    /// What is expected of it.
    expect: Expect,
}

impl Test<'_> {
    /// The bytes of a hex field of the test.
    fn bytes(&self, field: &str) -> Result<Vec<u8>, Refusal> {
        text::bytes(self.test, field).ok_or_else(|| unreadable(field))
    }

    /// As [`Test::bytes`], empty when the field is absent.
    fn bytes_or_empty(&self, field: &str) -> Result<Vec<u8>, Refusal> {
        match self.test.get(field) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(_) => self.bytes(field),
        }
    }

    fn has(&self, field: &str) -> bool {
        self.test.get(field).is_some()
    }
}

fn unreadable(field: &str) -> Refusal {
    Refusal::Refused(format!("the file's field {field} is not readable"))
}

/// Whether the file is one of Wycheproof's.
pub fn recognises(root: &Value) -> bool {
    let groups = list(root, "testGroups");
    root.get("numberOfTests").is_some()
        && !groups.is_empty()
        && groups.iter().all(|group| string(group, "type").is_some())
}

/// What the file is about.
pub fn kind(root: &Value) -> String {
    let algorithm = string(root, "algorithm");
    let types = list(root, "testGroups");
    let group = types.first().and_then(|group| string(group, "type"));
    let kind = [algorithm, group].into_iter().flatten().collect::<Vec<_>>();
    format!("Wycheproof {}", kind.join(" "))
}

/// The cases of a file.
pub fn cases(root: &Value) -> Vec<Case> {
    let algorithm = string(root, "algorithm").unwrap_or_default();
    let mut cases = Vec::new();
    for group in list(root, "testGroups") {
        let prepare = prepare(algorithm, group);
        for test in list(group, "tests") {
            cases.push(case(algorithm, group, test, &prepare));
        }
    }
    cases
}

/// What turns a test into an action, for one group.
type Prepare = Box<dyn Fn(&Test<'_>) -> Result<Action, Refusal>>;

fn case(algorithm: &str, group: &Value, test: &Value, prepare: &Prepare) -> Case {
    let id = format!(
        "tcId {} {}",
        test.get("tcId").unwrap_or(&Value::Null),
        string(test, "comment").unwrap_or_default()
    );
    let expect = match string(test, "result") {
        Some("valid") => Expect::Valid,
        Some("invalid") => Expect::Invalid,
        Some("acceptable") => Expect::Acceptable,
        _ => return Case::decided(id, unreadable("result")),
    };
    let test = Test {
        algorithm,
        group,
        test,
        expect,
    };
    match prepare(&test) {
        Ok(action) => Case::new(id, expect, action),
        Err(refusal) => Case::decided(id, refusal),
    }
}

fn prepare(algorithm: &str, group: &Value) -> Prepare {
    match string(group, "type").unwrap_or_default() {
        "AeadTest" => Box::new(aead::aead),
        "KeywrapTest" => Box::new(aead::keywrap),
        "MacTest" => Box::new(mac::mac),
        "HkdfTest" => Box::new(mac::hkdf),
        "EcdhTest" | "EcdhEcpointTest" | "EcdhPemTest" | "EcdhWebcryptoTest" => {
            Box::new(agreement::ecdh)
        }
        "XdhComp" => Box::new(agreement::xdh_raw),
        "XdhAsnComp" | "XdhPemComp" => Box::new(agreement::xdh_encoded),
        "XdhJwkComp" => Box::new(agreement::xdh_jwk),
        "EcdsaVerify" | "EcdsaP1363Verify" => ecdsa::ecdsa(group),
        "EddsaVerify" | "EddsaSign" => ecdsa::eddsa(group),
        "RsassaPkcs1Verify" => rsa::verify_pkcs1(group),
        "RsassaPkcs1Generate" => rsa::generate_pkcs1(group),
        "RsassaPssVerify" | "RsassaPssWithParametersVerify" => rsa::verify_pss(group),
        "RsaesOaepDecrypt" => rsa::decrypt_oaep(group),
        "RsaesPkcs1Decrypt" => decided(Refusal::Policy(
            "no PKCS#1 v1.5 decryption (padding oracles)".to_owned(),
        )),
        "MLKEMTest" => Box::new(mlkem::decapsulate),
        "MLKEMEncapsTest" => Box::new(mlkem::encapsulate),
        "MLKEMKeyGen" => Box::new(mlkem::keygen),
        "MLKEMDecapsValidationTest" => Box::new(mlkem::decapsulate_expanded),
        "MlDsaVerify" => mldsa::verify(group),
        "MlDsaSign" => mldsa::sign(group),
        "JsonWebSignature" | "JsonWebKey" => jose::signature(group),
        "IndCpaTest" => decided(Refusal::Policy(format!(
            "no unauthenticated cipher mode ({algorithm})"
        ))),
        kind => decided(Refusal::NotOffered(format!(
            "algorithm not offered: {algorithm} ({kind})"
        ))),
    }
}

/// Every test of the group has the same outcome.
fn decided(refusal: Refusal) -> Prepare {
    Box::new(move |_| Err(refusal.clone()))
}
