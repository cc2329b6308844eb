//! Signers with real keys, for the tests of documents.

use skms_crypto::{Algorithm, Message, OpenKey};
use skms_pki::documents::{Body, DocumentError, SignedBy, Signer, SignerDone, Trust, cms, verify};
use skms_pki::issue::{ProfileKind, SigningScheme};
use skms_pki::path::{Evidence, Options};
use skms_pki::{Certificate, Moment};

use crate::support::{Ca, NOW, good_request, key, spki};

/// Somebody with a key, a certificate and those above it.
pub struct Somebody {
    pub ca: Ca,
    pub key: OpenKey,
    pub chain: Vec<Vec<u8>>,
}

impl Somebody {
    /// With a certificate of this profile, from a new authority.
    pub fn new(algorithm: Algorithm, kind: ProfileKind) -> Self {
        Self::at(algorithm, kind, NOW)
    }

    /// The same, issued at this moment.
    pub fn at(algorithm: Algorithm, kind: ProfileKind, now: Moment) -> Self {
        let ca = Ca::root_at(Algorithm::EcP256, now)
            .below(&ProfileKind::Intermediate.profile(), Algorithm::EcP256);
        Self::of(ca, algorithm, kind)
    }

    /// With a certificate of this authority.
    pub fn of(ca: Ca, algorithm: Algorithm, kind: ProfileKind) -> Self {
        let key = key(algorithm);
        let own = ca
            .issue(&kind.profile(), &good_request(kind, spki(&key)))
            .unwrap();
        let mut chain = vec![own];
        chain.extend(ca.authority.chain.clone());
        Self { ca, key, chain }
    }

    pub fn root(&self) -> &[u8] {
        self.chain.last().unwrap()
    }

    pub fn scheme(&self) -> SigningScheme {
        SigningScheme::for_key(self.key.algorithm()).unwrap()
    }

    /// The signer, with the certificates below the root.
    pub fn signer(&self, scheme: SigningScheme) -> Signer {
        Signer::new(self.chain[..2].to_vec(), scheme).unwrap()
    }

    /// One signature over content of no particular type.
    pub fn done(&self, scheme: SigningScheme, body: &Body<'_>) -> SignerDone {
        let planned = self.signer(scheme).plan(&cms::DATA, body, NOW).unwrap();
        let signature = sign(&self.key, planned.tbs(), scheme);
        planned.signed(&signature).unwrap()
    }

    /// A detached document, or one that holds the content.
    pub fn document(&self, content: &[u8], detached: bool) -> Vec<u8> {
        let done = self.done(self.scheme(), &Body::Whole(content));
        let inside = (!detached).then_some(content);
        cms::assemble(&cms::DATA, inside, &[done], &[]).unwrap()
    }
}

pub fn sign(key: &OpenKey, message: &[u8], scheme: SigningScheme) -> Vec<u8> {
    key.sign(Message::Raw(message), &scheme.sign_options())
        .unwrap()
}

/// What is said of a document by who trusts `root`.
pub fn check(
    document: &[u8],
    detached: Option<Body<'_>>,
    root: &[u8],
    options: Options<'_>,
) -> Result<Vec<SignedBy>, DocumentError> {
    let anchors = [Certificate::from_der(root).unwrap()];
    let trust = Trust {
        evidence: Evidence {
            anchors: &anchors,
            ..Evidence::default()
        },
        options,
    };
    let read = cms::SignedData::from_der(document)?;
    verify(&read, detached, &trust)
}
