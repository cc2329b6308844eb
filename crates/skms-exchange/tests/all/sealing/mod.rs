//! Sealed messages: alice's sealing key, what bob seals to it, and everybody
//! else.

mod refused;
mod runs;
mod strict;
mod tampered;
mod vectors;

use skms_crypto::{Algorithm, KeyMaterial, rand};
use skms_exchange::sealing::{
    Opened, Opening, Recipient, SealingKey, Statement, Status, StatusAnswer, StatusQuery, Validity,
    Verdict, Wanted, seal, state,
};
use skms_exchange::{Error, ServerName, Standing, Suite, Trust, suite};
use skms_pki::issue::{Profile, ProfileKind, Request};
use skms_pki::{Certificate, Evidence, Moment};

use crate::support::{NOW, Party, Pki, SERVER, sign, spki};

pub const STATEMENT: &str = "skms-sealing-v1 statement";
pub const MESSAGE: &str = "skms-sealing-v1 message";
pub const STATUS: &str = "skms-sealing-v1 status";
pub const ALICE: &str = "skms://team/certificate/alice";
pub const BOB: &str = "skms://team/certificate/bob";
pub const MALLORY: &str = "skms://team/certificate/mallory";
/// What is sealed in tests.
pub const CONTENT: &[u8] = b"planted: for alice and nobody else";
/// How long statements count in tests.
pub const LIFETIME: u32 = 30 * 86_400;

/// Somebody with a name.
pub fn named(pki: &Pki, algorithm: Algorithm, name: &str) -> Party {
    certified(pki, &ProfileKind::Principal.profile(), algorithm, &[name])
}

/// Somebody with a certificate of one's choice.
pub fn certified(pki: &Pki, profile: &Profile, algorithm: Algorithm, names: &[&str]) -> Party {
    let key = crate::support::key(algorithm);
    let mut request = Request::new("O=Example".parse().unwrap(), spki(&key));
    for name in names {
        request = request.with_name(name.parse().unwrap());
    }
    let own = pki.certify(profile, &request);
    let chain = pki.chain(own);
    Party::new(key, chain)
}

/// Two who write to each other, one who would like to be either, a directory,
/// and what all of them believe.
pub struct Post {
    pub pki: Pki,
    pub alice: Party,
    pub bob: Party,
    pub mallory: Party,
    pub server: Party,
    /// Alice's.
    pub key: KeyMaterial,
    pub standing: Standing,
    pub suites: Vec<Suite>,
    pub now: Moment,
}

impl Post {
    pub fn new() -> Self {
        Self::with(Algorithm::X25519, Algorithm::Ed25519)
    }

    pub fn with(sealing: Algorithm, identity: Algorithm) -> Self {
        let pki = Pki::new();
        Self {
            alice: named(&pki, identity, ALICE),
            bob: named(&pki, identity, BOB),
            mallory: named(&pki, identity, MALLORY),
            server: pki.server(identity, SERVER),
            pki,
            key: KeyMaterial::generate(sealing).unwrap(),
            standing: Standing::Good,
            suites: suite::ALL.to_vec(),
            now: NOW,
        }
    }

    pub fn sealing_key(&self) -> SealingKey {
        SealingKey::new(&self.key).unwrap()
    }

    /// Calls with a trust in this world's root.
    pub fn trusting<T>(&self, call: impl FnOnce(&Trust<'_, '_, '_>) -> T) -> T {
        let anchors = [Certificate::from_der(&self.pki.root).unwrap()];
        let evidence = Evidence {
            anchors: &anchors,
            ..Evidence::default()
        };
        let told = |_: &skms_pki::ValidPath<'_, '_>| self.standing;
        call(&Trust::new(evidence).told(&told))
    }

    /// A statement of anybody's that this is their key.
    pub fn stated_by(&self, who: &Party, key: &SealingKey) -> Vec<u8> {
        let validity = Validity::for_seconds(NOW, LIFETIME);
        let unsigned = state(&who.identity, key, validity, NOW, &mut rand::fill).unwrap();
        let signature = sign(&who.key, unsigned.tbs(), unsigned.scheme());
        unsigned.signed(&signature).unwrap()
    }

    pub fn stated(&self) -> Vec<u8> {
        self.stated_by(&self.alice, &self.sealing_key())
    }

    /// Takes a statement as alice's.
    pub fn take(&self, statement: &[u8]) -> Result<Statement, Error> {
        let wanted = Wanted {
            name: ALICE,
            suites: &self.suites,
        };
        self.trusting(|trust| Statement::receive(statement, wanted, trust, self.now))
    }

    /// Seals as anybody.
    pub fn sealed_by(&self, who: &Party, to: &[u8]) -> Vec<u8> {
        let to = self.take(to).unwrap();
        let unsigned = seal(&who.identity, &to, CONTENT, self.now, &mut rand::fill).unwrap();
        let signature = sign(&who.key, unsigned.tbs(), unsigned.scheme());
        unsigned.signed(&signature).unwrap()
    }

    pub fn sealed(&self, to: &[u8]) -> Vec<u8> {
        self.sealed_by(&self.bob, to)
    }

    /// Opens with alice's key and her statements.
    pub fn open(&self, message: &[u8], statements: &[Vec<u8>]) -> Result<Opened, Error> {
        self.open_as(message, statements, Opening::default())
    }

    pub fn open_as(
        &self,
        message: &[u8],
        statements: &[Vec<u8>],
        opening: Opening<'_>,
    ) -> Result<Opened, Error> {
        let recipient = Recipient::new(self.sealing_key(), statements).unwrap();
        self.trusting(|trust| recipient.open(message, opening, trust, self.now))
    }

    /// Why a message is not opened.
    pub fn unopened(&self, message: &[u8], statements: &[Vec<u8>]) -> &'static str {
        self.open(message, statements).unwrap_err().name()
    }

    /// Why a statement is not taken.
    pub fn untaken(&self, statement: &[u8]) -> &'static str {
        self.take(statement).unwrap_err().name()
    }

    /// The directory's word on a statement, for a question.
    pub fn word(&self, query: &StatusQuery, statement: &[u8; 64], status: Status) -> Vec<u8> {
        let identity = &self.server.identity;
        let planned =
            StatusAnswer::plan(identity, statement, status, query.nonce(), self.now).unwrap();
        let signature = sign(&self.server.key, planned.tbs(), planned.scheme());
        planned.signed(&signature).unwrap()
    }

    pub fn heard(
        &self,
        query: StatusQuery,
        answer: &[u8],
        statement: &[u8; 64],
    ) -> Result<Verdict, Error> {
        let server = ServerName::host(SERVER).unwrap();
        self.trusting(|trust| query.receive(answer, statement, &server, trust, self.now))
    }
}

pub fn query() -> StatusQuery {
    StatusQuery::new(&mut rand::fill).unwrap()
}
