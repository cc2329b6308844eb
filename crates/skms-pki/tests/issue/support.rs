//! Authorities with real keys, for the tests of issuing.

use std::sync::atomic::{AtomicU8, Ordering};

use skms_crypto::{Algorithm, KeyMaterial, Message, OpenKey};
use skms_pki::Moment;
use skms_pki::issue::{
    Authority, IssueError, Profile, ProfileKind, Published, Request, Serial, SigningScheme,
    ToBeSigned,
};

/// 2026-11-29T12:00:00Z.
pub const NOW: Moment = Moment(1_795_953_600);

/// A key pair of this algorithm.
pub fn key(algorithm: Algorithm) -> OpenKey {
    OpenKey::open(&KeyMaterial::generate(algorithm).unwrap()).unwrap()
}

/// A key's SubjectPublicKeyInfo.
pub fn spki(key: &OpenKey) -> Vec<u8> {
    key.public_key().unwrap().spki_der().to_vec()
}

/// A serial number that no other certificate of the run has.
pub fn serial() -> Serial {
    static NEXT: AtomicU8 = AtomicU8::new(1);
    Serial::from_random([NEXT.fetch_add(1, Ordering::Relaxed); 20])
}

/// Signs what was planned.
pub fn sign(planned: &ToBeSigned, key: &OpenKey) -> Vec<u8> {
    let signature = key
        .sign(
            Message::Raw(planned.tbs()),
            &planned.scheme().sign_options(),
        )
        .unwrap();
    planned.signed(&signature).unwrap()
}

/// An authority and its key, at a moment.
pub struct Ca {
    pub authority: Authority,
    pub key: OpenKey,
    pub now: Moment,
}

pub fn published(name: &str) -> Published {
    let url = |file: &str| vec![format!("http://pki.skms.invalid/{name}/{file}")];
    Published {
        ocsp: url("ocsp"),
        ca_issuers: url("ca.crt"),
        crls: url("{shard}.crl"),
        deltas: Vec::new(),
        shards: 16,
    }
}

impl Ca {
    /// A root with a new key.
    pub fn root(algorithm: Algorithm) -> Self {
        Self::root_at(algorithm, NOW)
    }

    pub fn root_at(algorithm: Algorithm, now: Moment) -> Self {
        let key = key(algorithm);
        let subject = format!("C=DE, O=Example, CN=Root {algorithm}");
        let request = Request::new(subject.parse().unwrap(), spki(&key));
        let scheme = SigningScheme::for_key(algorithm).unwrap();
        let maker = Authority::root(&request, scheme).unwrap();
        let profile = ProfileKind::Root.profile();
        let planned = profile.plan(&maker, &request, serial(), now).unwrap();
        Self::of(vec![sign(&planned, &key)], key, scheme, now)
    }

    pub fn of(chain: Vec<Vec<u8>>, key: OpenKey, scheme: SigningScheme, now: Moment) -> Self {
        let mut authority = Authority::from_chain(chain, scheme).unwrap();
        authority.published = published("ca");
        Self {
            authority,
            key,
            now,
        }
    }

    /// An authority below this one, in this profile.
    pub fn below(&self, profile: &Profile, algorithm: Algorithm) -> Self {
        let key = key(algorithm);
        let subject = format!("C=DE, O=Example, CN=Issuing {algorithm}");
        let request = Request::new(subject.parse().unwrap(), spki(&key));
        let der = self.issue(profile, &request).unwrap();
        let mut chain = vec![der];
        chain.extend(self.authority.chain.clone());
        let scheme = SigningScheme::for_key(algorithm).unwrap();
        Self::of(chain, key, scheme, self.now)
    }

    /// A root and an intermediate below it, keys of one algorithm.
    pub fn issuing(algorithm: Algorithm) -> Self {
        Self::root(algorithm).below(&ProfileKind::Intermediate.profile(), algorithm)
    }

    pub fn issue(&self, profile: &Profile, request: &Request) -> Result<Vec<u8>, IssueError> {
        let planned = profile.plan(&self.authority, request, serial(), self.now)?;
        Ok(sign(&planned, &self.key))
    }
}

/// A request that a built-in profile lets through.
pub fn good_request(kind: ProfileKind, spki: Vec<u8>) -> Request {
    let (subject, names): (&str, &[&str]) = match kind {
        ProfileKind::TlsServer | ProfileKind::TlsMutual => (
            "CN=www.example.org",
            &["dns:www.example.org", "dns:*.example.org", "ip:192.0.2.1"],
        ),
        ProfileKind::TlsServerWeb => ("", &["dns:www.skms-demo.org", "ip:9.9.9.9"]),
        ProfileKind::TlsClient => ("O=Example, CN=client 7", &[]),
        ProfileKind::SMime => ("CN=Ann", &["email:ann@example.org"]),
        ProfileKind::Principal => ("", &["uri:skms://team-a/user/0192f5c7"]),
        _ => ("C=DE, O=Example, CN=Somebody", &[]),
    };
    let mut request = Request::new(subject.parse().unwrap(), spki);
    for name in names {
        request.names.push(name.parse().unwrap());
    }
    request
}
