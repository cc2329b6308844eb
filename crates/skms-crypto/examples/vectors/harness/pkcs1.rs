//! RSA Laboratories' texts for OAEP, PSS and PKCS#1 v1.5: keys and examples
//! as headings, each followed by lines of hex.

use std::collections::HashMap;

use skms_crypto::{
    EncryptOptions, Format, Hash, KeyMaterial, Message, OpenKey, SignOptions, SignatureScheme,
};

use super::case::{Attempt, Case, Expect, Refusal, Shared, verdict};
use super::product::{hash, public, rsa_pkcs1};
use super::text::{der_integer, der_wrap, hex};

/// What the headings read so far say.
struct Reader {
    cases: Vec<Case>,
    /// The latest value under each heading.
    values: HashMap<String, Vec<u8>>,
    /// The scheme, from the latest heading that names one.
    scheme: Option<Scheme>,
    /// The latest heading that is not a value's.
    title: String,
    key: Option<Shared<OpenKey>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Scheme {
    Oaep,
    Pss,
    V15,
}

/// The cases of such a text, if it is one.
pub fn cases(text: &str) -> Option<Vec<Case>> {
    if !text.contains("# Modulus:") {
        return None;
    }
    let mut reader = Reader {
        cases: Vec::new(),
        values: HashMap::new(),
        scheme: None,
        title: String::new(),
        key: None,
    };
    reader.heading(text.lines().next().unwrap_or_default());
    let mut name: Option<String> = None;
    let mut digits = String::new();
    for line in text.lines().chain(["#"]) {
        let line = line.trim();
        let Some(heading) = line.strip_prefix('#') else {
            if line.chars().all(|c| c.is_ascii_hexdigit() || c == ' ') {
                digits.push_str(line);
            }
            continue;
        };
        if let Some(name) = name.take() {
            if digits.replace(' ', "").len() % 2 == 1 {
                digits.insert(0, '0');
            }
            if let Some(bytes) = hex(&digits) {
                reader.value(name, bytes);
            }
        }
        digits.clear();
        let heading = heading.trim();
        match heading.strip_suffix(':') {
            Some(value) => name = Some(value.trim().to_owned()),
            None => reader.heading(heading),
        }
    }
    (!reader.cases.is_empty()).then_some(reader.cases)
}

impl Reader {
    fn heading(&mut self, heading: &str) {
        let upper = heading.to_ascii_uppercase();
        let named = [
            ("OAEP", Scheme::Oaep),
            ("PSS", Scheme::Pss),
            ("PKCS#1 V1.5", Scheme::V15),
        ];
        if let Some((_, scheme)) = named.iter().find(|(word, _)| upper.contains(word)) {
            self.scheme = Some(*scheme);
            heading.clone_into(&mut self.title);
        }
    }

    fn value(&mut self, name: String, bytes: Vec<u8>) {
        match name.as_str() {
            "Encryption" | "Ciphertext, the RSA encryption of EM" => self.decryption(bytes),
            "Signature" | "Signature, the RSA decryption of EM" => self.verification(bytes),
            _ => {
                let key_ends = name == "Coefficient";
                self.values.insert(name, bytes);
                if key_ends {
                    self.key = self.private_key();
                }
            }
        }
    }

    fn get(&self, names: &[&str]) -> Option<Vec<u8>> {
        names
            .iter()
            .find_map(|name| self.values.get(*name))
            .cloned()
    }

    fn private_key(&self) -> Option<Shared<OpenKey>> {
        let mut body = der_integer(&[0]);
        for names in [
            &["Modulus"][..],
            &["Public exponent"],
            &["Private exponent", "Exponent"],
            &["Prime 1"],
            &["Prime 2"],
            &["Prime exponent 1"],
            &["Prime exponent 2"],
            &["Coefficient"],
        ] {
            body.extend(der_integer(&self.get(names)?));
        }
        let der = der_wrap(0x30, &body);
        Some(Shared::new(move || {
            let material = KeyMaterial::import(&der, Format::Pkcs1Der, None, None)?;
            Ok(OpenKey::open(&material)?)
        }))
    }

    /// `alg=sha256 mgf1=sha256` in the heading; SHA-1 where it says nothing.
    fn hash(&self, word: &str) -> Result<Hash, Refusal> {
        let named = self
            .title
            .split_whitespace()
            .find_map(|part| part.strip_prefix(word));
        hash(named.unwrap_or("SHA-1"))
    }

    fn push(&mut self, attempt: impl FnOnce() -> Attempt + Send + 'static) {
        let id = format!("{} ({})", self.title, self.cases.len() + 1);
        self.cases.push(Case::new(id, Expect::Valid, attempt));
    }

    fn decryption(&mut self, ciphertext: Vec<u8>) {
        let message = self.get(&["Message to be encrypted", "Message"]);
        let (Some(message), Some(key)) = (message, self.key.clone()) else {
            return;
        };
        let (oaep, digest, mask) = (
            self.scheme == Some(Scheme::Oaep),
            self.hash("alg="),
            self.hash("mgf1="),
        );
        self.push(move || {
            let key = key.get()?;
            if !oaep {
                let why = "no PKCS#1 v1.5 decryption (padding oracles)".to_owned();
                return Err(Refusal::Policy(why));
            }
            let options = EncryptOptions {
                oaep_hash: Some(digest?),
                oaep_mgf_hash: Some(mask?),
                ..EncryptOptions::default()
            };
            Ok(key.decrypt(&ciphertext, &[], &options)?.expose() == message)
        });
    }

    fn verification(&mut self, signature: Vec<u8>) {
        let message = self.get(&["Message to be signed", "Message"]);
        let numbers = (self.get(&["Modulus"]), self.get(&["Public exponent"]));
        let (Some(message), (Some(modulus), Some(exponent))) = (message, numbers) else {
            return;
        };
        let pss = self.scheme == Some(Scheme::Pss);
        let salt_length = self.get(&["Salt", "salt"]).map(|salt| salt.len());
        let digest = self.hash("alg=");
        self.push(move || {
            let key = public(&rsa_pkcs1(&modulus, &exponent), Format::Pkcs1Der, None)?;
            let scheme = if pss {
                SignatureScheme::RsaPss
            } else {
                SignatureScheme::RsaPkcs1v15
            };
            let options = SignOptions {
                scheme: Some(scheme),
                hash: Some(digest?),
                salt_length: salt_length.filter(|_| pss),
                ..SignOptions::default()
            };
            verdict(key.verify(Message::Raw(&message), &signature, &options)?)
        });
    }
}
