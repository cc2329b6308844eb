//! Certificates, lists and cases with real keys, written as files.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use skms_crypto::{Algorithm, Hash, KeyMaterial, Message, OpenKey, SignOptions, SignatureScheme};

use crate::der::{
    Extension, basic_constraints, crl_number, extension, integer, key_usage, name, oid, sequence,
    time, tlv,
};

pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The AlgorithmIdentifier of an algorithm's signatures.
fn identifier(algorithm: Algorithm) -> Result<Vec<u8>> {
    const ECDSA: [u8; 7] = [0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3];
    const NIST: [u8; 8] = [0x60, 0x86, 0x48, 1, 0x65, 3, 4, 3];
    let below = |arc: &[u8], last: u8| sequence(&[&tlv(6, &[arc, &[last]])]);
    Ok(match algorithm {
        Algorithm::EcP256 => below(&ECDSA, 2),
        Algorithm::EcP384 => below(&ECDSA, 3),
        Algorithm::EcP521 => below(&ECDSA, 4),
        Algorithm::Ed25519 => below(&[0x2b, 0x65], 0x70),
        Algorithm::MlDsa44 => below(&NIST, 17),
        Algorithm::MlDsa65 => below(&NIST, 18),
        Algorithm::MlDsa87 => below(&NIST, 19),
        Algorithm::SlhDsaSha2_128s => below(&NIST, 20),
        Algorithm::SlhDsaShake128s => below(&NIST, 26),
        Algorithm::Rsa2048 => {
            let oid = oid(&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11]);
            sequence(&[&oid, &tlv(5, &[])])
        }
        _ => return Err(format!("no identifier for {algorithm}").into()),
    })
}

/// The moment that all cases are asked about.
pub const NOW: &str = "2030-06-15T12:00:00Z";

/// A certificate to be made. What is not set is as an ordinary authority, or
/// an ordinary leaf, has it.
pub struct Cert {
    file: String,
    subject: Vec<u8>,
    issuer: Vec<u8>,
    key: String,
    signer: String,
    version: u32,
    serial: Vec<u8>,
    validity: (&'static str, &'static str),
    extensions: Vec<Extension>,
    damaged: bool,
}

impl Cert {
    fn new(file: &str, issuer: &str) -> Self {
        // A serial number of its own, from its name.
        let mut serial = Hash::Sha256.digest(file.as_bytes());
        serial.truncate(8);
        serial[0] = serial[0] & 0x3f | 0x40;
        Self {
            file: file.to_owned(),
            subject: name(file),
            issuer: name(issuer),
            key: file.to_owned(),
            signer: issuer.to_owned(),
            version: 3,
            serial,
            validity: ("250101000000Z", "401231235959Z"),
            extensions: Vec::new(),
            damaged: false,
        }
    }

    /// An authority that may sign certificates and lists.
    pub fn ca(file: &str, issuer: &str) -> Self {
        Self::new(file, issuer)
            .with(basic_constraints(true, None))
            .with(key_usage(&[5, 6]))
    }

    /// A leaf.
    pub fn leaf(file: &str, issuer: &str) -> Self {
        Self::new(file, issuer).with(key_usage(&[0]))
    }

    /// Adds an extension, or puts it in the place of one of its type.
    pub fn with(mut self, one: Extension) -> Self {
        self.extensions.retain(|(id, ..)| *id != one.0);
        self.extensions.push(one);
        self
    }

    /// Without the extension of this type.
    pub fn without(mut self, one: Extension) -> Self {
        self.extensions.retain(|(id, ..)| *id != one.0);
        self
    }

    pub fn subject(mut self, subject: &str) -> Self {
        self.subject = name(subject);
        self
    }

    pub fn issuer_der(mut self, issuer: Vec<u8>) -> Self {
        self.issuer = issuer;
        self
    }

    /// Signed with the key of this name.
    pub fn signer(mut self, signer: &str) -> Self {
        signer.clone_into(&mut self.signer);
        self
    }

    pub fn validity(mut self, from: &'static str, until: &'static str) -> Self {
        self.validity = (from, until);
        self
    }

    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self.extensions.clear();
        self
    }

    /// With the key of this name, not one of its own.
    pub fn key(mut self, key: &str) -> Self {
        key.clone_into(&mut self.key);
        self
    }

    /// With a bit of the signature turned.
    pub fn damaged(mut self) -> Self {
        self.damaged = true;
        self
    }
}

/// A revocation list to be made.
pub struct List {
    file: String,
    issuer: Vec<u8>,
    signer: String,
    times: (&'static str, &'static str),
    entries: Vec<(String, Vec<Extension>)>,
    extensions: Vec<Extension>,
    damaged: bool,
}

impl List {
    /// Of this issuer, signed with the key of the same name.
    pub fn new(file: &str, issuer: &str) -> Self {
        Self {
            file: file.to_owned(),
            issuer: name(issuer),
            signer: issuer.to_owned(),
            times: ("300601000000Z", "300701000000Z"),
            entries: Vec::new(),
            extensions: vec![crl_number(10)],
            damaged: false,
        }
    }

    /// Lists the certificate of this file.
    pub fn revoke(self, file: &str) -> Self {
        self.revoke_with(file, Vec::new())
    }

    pub fn revoke_with(mut self, file: &str, extensions: Vec<Extension>) -> Self {
        self.entries.push((file.to_owned(), extensions));
        self
    }

    /// Adds an extension, or puts it in the place of one of its type.
    pub fn with(mut self, one: Extension) -> Self {
        self.extensions.retain(|(id, ..)| *id != one.0);
        self.extensions.push(one);
        self
    }

    pub fn signer(mut self, signer: &str) -> Self {
        signer.clone_into(&mut self.signer);
        self
    }

    pub fn times(mut self, from: &'static str, until: &'static str) -> Self {
        self.times = (from, until);
        self
    }

    pub fn damaged(mut self) -> Self {
        self.damaged = true;
        self
    }
}

/// The name of a file: without spaces.
fn file_name(name: &str) -> String {
    name.replace(' ', "-")
}

/// What a case asks beside its certificates.
#[derive(Clone, Copy, Default)]
pub struct Inputs {
    pub policies: &'static [u8],
    pub explicit: bool,
    pub no_mapping: bool,
    pub no_any: bool,
}

pub struct Maker {
    folder: PathBuf,
    keys: BTreeMap<String, OpenKey>,
    /// Keys that are not P-256's.
    algorithms: BTreeMap<String, Algorithm>,
    serials: BTreeMap<String, Vec<u8>>,
    used: BTreeSet<String>,
    cases: Vec<Value>,
    /// Steps and the cases that cover them, in order.
    steps: Vec<(String, Vec<String>)>,
}

impl Maker {
    pub fn new(folder: &Path) -> Result<Self> {
        for kind in ["certs", "crls"] {
            let path = folder.join(kind);
            if path.exists() {
                std::fs::remove_dir_all(&path)?;
            }
            std::fs::create_dir_all(&path)?;
        }
        Ok(Self::without_folder(folder))
    }

    /// Keys and what they sign, without a place to write anything to.
    pub fn without_folder(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            keys: BTreeMap::new(),
            algorithms: BTreeMap::new(),
            serials: BTreeMap::new(),
            used: BTreeSet::new(),
            cases: Vec::new(),
            steps: Vec::new(),
        }
    }

    /// Says that the key of this name, not made yet, is for another algorithm.
    pub fn algorithm(&mut self, name: &str, algorithm: Algorithm) {
        self.algorithms.insert(name.to_owned(), algorithm);
    }

    fn key(&mut self, name: &str) -> Result<&OpenKey> {
        if !self.keys.contains_key(name) {
            let algorithm = self
                .algorithms
                .get(name)
                .copied()
                .unwrap_or(Algorithm::EcP256);
            let key = OpenKey::open(&KeyMaterial::generate(algorithm)?)?;
            self.keys.insert(name.to_owned(), key);
        }
        Ok(&self.keys[name])
    }

    fn spki(&mut self, name: &str) -> Result<Vec<u8>> {
        let key = self
            .key(name)?
            .public_key()
            .ok_or("a key without a public half")?;
        Ok(key.spki_der().to_vec())
    }

    fn key_id(&mut self, name: &str) -> Result<Vec<u8>> {
        let mut id = Hash::Sha256.digest(&self.spki(name)?);
        id.truncate(20);
        Ok(id)
    }

    /// The AlgorithmIdentifier of a key's signatures.
    fn identifier(&mut self, key: &str) -> Result<Vec<u8>> {
        identifier(self.key(key)?.algorithm())
    }

    /// Frame and signature around a message, and what follows the signature.
    pub fn sign(&mut self, key: &str, tbs: &[u8], damaged: bool, after: &[u8]) -> Result<Vec<u8>> {
        let algorithm = self.identifier(key)?;
        let mut options = SignOptions::default();
        if self.key(key)?.algorithm() == Algorithm::Rsa2048 {
            options.scheme = Some(SignatureScheme::RsaPkcs1v15);
        }
        let mut signature = self.key(key)?.sign(Message::Raw(tbs), &options)?;
        if damaged && let Some(last) = signature.last_mut() {
            *last ^= 1;
        }
        let signature = tlv(3, &[&[0], &signature]);
        Ok(sequence(&[tbs, &algorithm, &signature, after]))
    }

    fn write(&mut self, kind: &str, file: &str, ending: &str, der: &[u8]) -> Result<()> {
        let place = format!("{kind}/{}.{ending}", file_name(file));
        if !self.used.insert(place.clone()) {
            return Err(format!("{place} is made twice").into());
        }
        std::fs::write(self.folder.join(place), der)?;
        Ok(())
    }

    /// Makes a certificate; gives the name of its file.
    pub fn cert(&mut self, cert: Cert) -> Result<String> {
        let der = self.cert_der(&cert)?;
        self.write("certs", &cert.file, "crt", &der)?;
        Ok(cert.file)
    }

    /// Makes a certificate; gives its DER.
    pub fn cert_der(&mut self, cert: &Cert) -> Result<Vec<u8>> {
        let spki = self.spki(&cert.key)?;
        let mut extensions = Vec::new();
        if cert.version == 3 {
            let own = tlv(4, &[&self.key_id(&cert.key)?]);
            let above = sequence(&[&tlv(0x80, &[&self.key_id(&cert.signer)?])]);
            extensions.extend(extension(&(&[0x55, 0x1d, 14], false, own)));
            extensions.extend(extension(&(&[0x55, 0x1d, 35], false, above)));
            extensions.extend(cert.extensions.iter().flat_map(extension));
        }
        let version = match cert.version {
            1 => Vec::new(),
            version => tlv(0xa0, &[&integer(version - 1)]),
        };
        let extensions = match extensions.as_slice() {
            [] => Vec::new(),
            all => tlv(0xa3, &[&sequence(&[all])]),
        };
        let algorithm = self.identifier(&cert.signer)?;
        let tbs = sequence(&[
            &version,
            &tlv(2, &[&cert.serial]),
            &algorithm,
            &cert.issuer,
            &sequence(&[&time(cert.validity.0), &time(cert.validity.1)]),
            &cert.subject,
            &spki,
            &extensions,
        ]);
        self.serials.insert(cert.file.clone(), cert.serial.clone());
        self.sign(&cert.signer, &tbs, cert.damaged, &[])
    }

    /// Makes an authority and an empty list of its own, of the same name.
    pub fn authority(&mut self, cert: Cert) -> Result<String> {
        let mut list = List::new(&cert.file, "");
        list.issuer.clone_from(&cert.subject);
        list.signer.clone_from(&cert.key);
        self.list(list)?;
        self.cert(cert)
    }

    /// Makes a list; gives the name of its file.
    pub fn list(&mut self, list: List) -> Result<String> {
        let der = self.list_der(&list)?;
        self.write("crls", &list.file, "crl", &der)?;
        Ok(list.file)
    }

    /// Makes a list; gives its DER.
    pub fn list_der(&mut self, list: &List) -> Result<Vec<u8>> {
        let mut entries = Vec::new();
        for (file, extensions) in &list.entries {
            let serial = self
                .serials
                .get(file)
                .ok_or_else(|| format!("{file} is not made yet"))?;
            let extensions: Vec<u8> = extensions.iter().flat_map(extension).collect();
            let extensions = match extensions.as_slice() {
                [] => Vec::new(),
                all => sequence(&[all]),
            };
            let date = time("300602000000Z");
            entries.extend(sequence(&[&tlv(2, &[serial]), &date, &extensions]));
        }
        let entries = match entries.as_slice() {
            [] => Vec::new(),
            all => sequence(&[all]),
        };
        let above = sequence(&[&tlv(0x80, &[&self.key_id(&list.signer)?])]);
        let mut extensions = extension(&(&[0x55, 0x1d, 35], false, above));
        extensions.extend(list.extensions.iter().flat_map(extension));
        let algorithm = self.identifier(&list.signer)?;
        let tbs = sequence(&[
            &integer(1),
            &algorithm,
            &list.issuer,
            &time(list.times.0),
            &time(list.times.1),
            &entries,
            &tlv(0xa0, &[&sequence(&[&extensions])]),
        ]);
        self.sign(&list.signer, &tbs, list.damaged, &[])
    }

    /// A case with the lists that its authorities come with.
    pub fn case(&mut self, step: &str, id: &str, certs: &[&str], good: bool) -> Result<()> {
        self.ask(step, id, certs, good, Inputs::default())
    }

    /// As [`Self::case`], with inputs.
    pub fn ask(
        &mut self,
        step: &str,
        id: &str,
        certs: &[&str],
        good: bool,
        inputs: Inputs,
    ) -> Result<()> {
        let above = certs
            .split_last()
            .map(|(_, above)| above)
            .unwrap_or_default();
        let crls: Vec<&str> = above
            .iter()
            .copied()
            .filter(|file| self.used.contains(&format!("crls/{}.crl", file_name(file))))
            .collect();
        self.full(step, id, certs, &crls, good, inputs)
    }

    /// A case with lists of its own.
    pub fn revocation(
        &mut self,
        step: &str,
        id: &str,
        certs: &[&str],
        crls: &[&str],
        good: bool,
    ) -> Result<()> {
        self.full(step, id, certs, crls, good, Inputs::default())
    }

    fn full(
        &mut self,
        step: &str,
        id: &str,
        certs: &[&str],
        crls: &[&str],
        good: bool,
        inputs: Inputs,
    ) -> Result<()> {
        let policies: Vec<String> = inputs
            .policies
            .iter()
            .map(|number| match number {
                0 => "2.5.29.32.0".to_owned(),
                _ => format!("2.999.{number}"),
            })
            .collect();
        self.cases.push(json!({
            "id": id,
            "certs": certs.iter().map(|file| file_name(file)).collect::<Vec<_>>(),
            "crls": crls.iter().map(|file| file_name(file)).collect::<Vec<_>>(),
            "initial_policy_set": policies,
            "initial_explicit_policy": inputs.explicit,
            "initial_policy_mapping_inhibit": inputs.no_mapping,
            "initial_inhibit_any_policy": inputs.no_any,
            "time": NOW,
            "should_validate": good,
        }));
        match self.steps.iter_mut().find(|(known, _)| known == step) {
            Some((_, cases)) => cases.push(id.to_owned()),
            None => self.steps.push((step.to_owned(), vec![id.to_owned()])),
        }
        Ok(())
    }

    /// Writes the cases and the table of steps.
    pub fn finish(self) -> Result<()> {
        let mut text = String::from("[\n");
        for (index, case) in self.cases.iter().enumerate() {
            let comma = if index + 1 < self.cases.len() {
                ","
            } else {
                ""
            };
            text.push_str(&format!("{case}{comma}\n"));
        }
        text.push_str("]\n");
        std::fs::write(self.folder.join("expected.json"), text)?;
        let mut table = String::new();
        for (step, cases) in &self.steps {
            let cases: Vec<String> = cases.iter().map(|case| format!("`{case}`")).collect();
            table.push_str(&format!("| {step} | {} |\n", cases.join(", ")));
        }
        let paper = include_str!("README.in.md").replace("TABLE\n", &table);
        std::fs::write(self.folder.join("README.md"), paper)?;
        Ok(())
    }
}
