//! OCSP responses with real keys.

use skms_crypto::Hash;
use skms_pki::Certificate;

use crate::der::{integer_as, name, oid, sequence, tlv};
use crate::maker::{Maker, Result};

/// What is said about a certificate.
#[derive(Clone, Copy)]
pub enum Says {
    Good,
    Unknown,
    /// With this reason's number.
    Revoked(u32),
}

/// A response to be made.
#[derive(Clone)]
pub struct Response {
    signer: String,
    /// Certificate and issuer, as DER, and what is said.
    entries: Vec<(Vec<u8>, Vec<u8>, Says)>,
    times: (&'static str, &'static str),
    certificates: Vec<Vec<u8>>,
    damaged: bool,
}

fn time(text: &str) -> Vec<u8> {
    tlv(0x18, &[text.as_bytes()])
}

/// The CertID of a certificate.
fn id(certificate: &[u8], issuer: &[u8]) -> Result<Vec<u8>> {
    let (certificate, issuer) = (
        Certificate::from_der(certificate)?,
        Certificate::from_der(issuer)?,
    );
    let sha256 = oid(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1]);
    Ok(sequence(&[
        &sequence(&[&sha256]),
        &tlv(4, &[&Hash::Sha256.digest(issuer.subject().as_der())]),
        &tlv(4, &[&Hash::Sha256.digest(issuer.public_key().key)]),
        &tlv(2, &[certificate.serial()]),
    ]))
}

impl Response {
    /// Signed with the key of this name, by the holder of this name.
    pub fn new(signer: &str) -> Self {
        Self {
            signer: signer.to_owned(),
            entries: Vec::new(),
            times: ("20300610000000Z", "20300620000000Z"),
            certificates: Vec::new(),
            damaged: false,
        }
    }

    pub fn about(mut self, certificate: &[u8], issuer: &[u8], says: Says) -> Self {
        let one = (certificate.to_vec(), issuer.to_vec(), says);
        self.entries.push(one);
        self
    }

    /// thisUpdate and nextUpdate.
    pub fn times(mut self, from: &'static str, until: &'static str) -> Self {
        self.times = (from, until);
        self
    }

    /// With the certificate of its signer.
    pub fn with(mut self, certificate: &[u8]) -> Self {
        self.certificates.push(certificate.to_vec());
        self
    }

    pub fn damaged(mut self) -> Self {
        self.damaged = true;
        self
    }

    pub fn write(&self, maker: &mut Maker) -> Result<Vec<u8>> {
        let mut entries = Vec::new();
        for (certificate, issuer, says) in &self.entries {
            let says = match says {
                Says::Good => tlv(0x80, &[]),
                Says::Unknown => tlv(0x82, &[]),
                Says::Revoked(reason) => {
                    let reason = tlv(0xa0, &[&integer_as(10, *reason)]);
                    tlv(0xa1, &[&time("20300602000000Z"), &reason])
                }
            };
            entries.extend(sequence(&[
                &id(certificate, issuer)?,
                &says,
                &time(self.times.0),
                &tlv(0xa0, &[&time(self.times.1)]),
            ]));
        }
        let tbs = sequence(&[
            &tlv(0xa1, &[&name(&self.signer)]),
            &time(self.times.0),
            &sequence(&[&entries]),
        ]);
        let certificates = match self.certificates.concat().as_slice() {
            [] => Vec::new(),
            all => tlv(0xa0, &[&sequence(&[all])]),
        };
        let basic = maker.sign(&self.signer, &tbs, self.damaged, &certificates)?;
        let kind = oid(&[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1]);
        let bytes = sequence(&[&kind, &tlv(4, &[&basic])]);
        Ok(sequence(&[&integer_as(10, 0), &tlv(0xa0, &[&bytes])]))
    }
}
