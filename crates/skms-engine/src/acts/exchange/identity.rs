//! The server's own identity in key exchanges: a key that is made when the
//! first one comes after unsealing, lives in memory alone, and is certified by
//! the authority of the server's listener.

use std::sync::Arc;

use skms_crypto::{Algorithm, Format, KeyMaterial, Message, OpenKey};
use skms_exchange::{Identity, ServerName};
use skms_keys::UnixSeconds;
use skms_pki::Certificate;
use skms_pki::issue::{AltName, SigningScheme};
use skms_policy::ROOT_NAMESPACE;
use tokio::sync::Mutex;

use crate::authority::{Authority, Issuer};
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};

/// The kind of key. It says who the server is for the length of one unsealing.
const ALGORITHM: Algorithm = Algorithm::EcP256;

/// After a failure, nobody has the next try made before so many seconds:
/// strangers' messages are what asks for it, and each try leaves an event.
const APART_SECONDS: u64 = 10;

/// What there is of it.
#[derive(Default)]
pub(crate) struct Identities(Mutex<State>);

#[derive(Default)]
struct State {
    own: Option<Arc<OwnIdentity>>,
    /// When the next try may be, if one failed.
    not_before: Option<UnixSeconds>,
}

/// The server, as clients of the exchange see it.
pub(crate) struct OwnIdentity {
    /// Its certificate and how its key signs.
    pub(crate) identity: Identity,
    /// What it answers to.
    pub(crate) names: Vec<ServerName>,
    /// Its certificate, then those above it (DER).
    chain: Vec<Vec<u8>>,
    certified: Vec<AltName>,
    key: OpenKey,
}

impl OwnIdentity {
    /// Signs for the protocol.
    pub(crate) fn sign(&self, tbs: &[u8], scheme: SigningScheme) -> Result<Vec<u8>> {
        Ok(self.key.sign(Message::Raw(tbs), &scheme.sign_options())?)
    }

    /// Its certificate, then those above it (DER).
    pub(crate) fn chain(&self) -> &[Vec<u8>] {
        &self.chain
    }

    /// The revocation lists of those who certified it, as far as they are
    /// published.
    pub(crate) fn lists(&self, rooms: &Rooms) -> Vec<Vec<u8>> {
        lists_of(&self.certified_by(rooms))
    }

    /// The authorities here that issued its certificate and those above: the
    /// root namespace's, as the listener's are. Others may have their names.
    fn certified_by(&self, rooms: &Rooms) -> Vec<Arc<Authority>> {
        let mut all = certified_by(rooms, &self.chain);
        all.retain(|authority| &*authority.namespace_name == ROOT_NAMESPACE);
        all
    }
}

/// The authorities here that issued these certificates (DER), and those above
/// them.
pub(crate) fn certified_by(rooms: &Rooms, chain: &[Vec<u8>]) -> Vec<Arc<Authority>> {
    let issuer = |der: &Vec<u8>| {
        let read = Certificate::from_der(der).ok()?;
        Some(read.issuer().as_der().to_vec())
    };
    let all = rooms.authorities.all();
    let mut names: Vec<Vec<u8>> = chain.iter().filter_map(issuer).collect();
    let mut found: Vec<Arc<Authority>> = Vec::new();
    // Each round looks one step further up, until there is nobody new.
    loop {
        let named = |one: &Arc<Issuer>| names.iter().any(|name| name == one.pki.name.as_der());
        let known = |one: &Arc<Authority>| found.iter().any(|other| other.id == one.id);
        let more: Vec<_> = (all.iter())
            .filter(|one| one.issuers.iter().any(named) && !known(one))
            .cloned()
            .collect();
        if more.is_empty() {
            return found;
        }
        let above = more.iter().flat_map(|one| &one.issuers);
        let above = above.flat_map(|issuer| &issuer.pki.chain);
        names.extend(above.filter_map(issuer));
        found.extend(more);
    }
}

/// Their revocation lists, as far as they are published.
pub(crate) fn lists_of(authorities: &[Arc<Authority>]) -> Vec<Vec<u8>> {
    let mut lists = Vec::new();
    for authority in authorities {
        for issuer in &authority.issuers {
            let known = issuer.published.lists();
            let complete = known.iter().flat_map(|known| &known.complete);
            lists.extend(complete.map(|list| list.der.clone()));
        }
    }
    lists
}

impl Engine {
    /// The identity for these names, made or renewed where it is due.
    ///
    /// # Errors
    /// [`Error::NotFound`] where no authority certifies the listener;
    /// [`Error::Busy`] for a while after it could not be made.
    pub(crate) async fn own_identity(&self, names: &[AltName]) -> Result<Arc<OwnIdentity>> {
        let rooms = self.rooms()?;
        let mut known = rooms.identities.0.lock().await;
        if let Some(own) = &known.own
            && own.certified == names
            && !self.listener_is_due(Some(own.identity.certificate()), names)?
        {
            return Ok(Arc::clone(own));
        }
        let now = rooms.clock.now();
        if known.not_before.is_some_and(|at| now < at) {
            return Err(Error::Busy);
        }
        // Before the try: whoever asked may be gone before it has ended.
        known.not_before = Some(now.plus(APART_SECONDS));
        let own = Arc::new(self.new_identity(names).await?);
        known.own = Some(Arc::clone(&own));
        known.not_before = None;
        drop(known);
        // Its clients want to know that it is not revoked.
        for authority in own.certified_by(&rooms) {
            self.publish_first(&authority).await?;
        }
        Ok(own)
    }

    async fn new_identity(&self, names: &[AltName]) -> Result<OwnIdentity> {
        let made = self
            .issue_server_certificate("exchange", ALGORITHM, names.to_vec())
            .await?;
        let material = KeyMaterial::import(
            made.private_key.expose(),
            Format::Pkcs8Der,
            Some(ALGORITHM),
            None,
        )?;
        let scheme = Identity::scheme_for(ALGORITHM)
            .ok_or(Error::Internal("an identity key that does not sign"))?;
        Ok(OwnIdentity {
            identity: Identity::new(made.chain.clone(), scheme)?,
            names: names.iter().filter_map(server_name).collect(),
            chain: made.chain,
            certified: names.to_vec(),
            key: OpenKey::open(&material)?,
        })
    }
}

fn server_name(name: &AltName) -> Option<ServerName> {
    match name {
        AltName::Dns(host) => ServerName::host(host).ok(),
        AltName::Ip(address) => Some(ServerName::ip(*address)),
        _ => None,
    }
}
