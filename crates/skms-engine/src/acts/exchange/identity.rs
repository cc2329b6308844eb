//! The server's own identity in key exchanges: a key that is made when the
//! first one comes after unsealing, lives in memory alone, and is certified by
//! the authority of the server's listener.

use std::sync::Arc;

use skms_crypto::{Algorithm, Format, KeyMaterial, Message, OpenKey};
use skms_exchange::{Identity, ServerName};
use skms_pki::Certificate;
use skms_pki::issue::{AltName, SigningScheme};
use tokio::sync::Mutex;

use crate::authority::{Authority, Issuer};
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};

/// The kind of key. It says who the server is for the length of one unsealing.
const ALGORITHM: Algorithm = Algorithm::EcP256;

/// What there is of it.
#[derive(Default)]
pub(crate) struct Identities(Mutex<Option<Arc<OwnIdentity>>>);

/// The server, as clients of the exchange see it.
pub(super) struct OwnIdentity {
    /// Its certificate and how its key signs.
    pub(super) identity: Identity,
    /// What it answers to.
    pub(super) names: Vec<ServerName>,
    /// Its certificate, then those above it (DER).
    chain: Vec<Vec<u8>>,
    certified: Vec<AltName>,
    key: OpenKey,
}

impl OwnIdentity {
    /// Signs for the protocol.
    pub(super) fn sign(&self, tbs: &[u8], scheme: SigningScheme) -> Result<Vec<u8>> {
        Ok(self.key.sign(Message::Raw(tbs), &scheme.sign_options())?)
    }

    /// The authorities here that issued its certificate and those above.
    fn certified_by(&self, rooms: &Rooms) -> Vec<Arc<Authority>> {
        let names: Vec<Vec<u8>> = (self.chain.iter())
            .filter_map(|der| Certificate::from_der(der).ok())
            .map(|read| read.issuer().as_der().to_vec())
            .collect();
        let named = |issuer: &Arc<Issuer>| {
            let name = issuer.pki.name.as_der();
            names.iter().any(|one| one == name)
        };
        let mut all = rooms.authorities.all();
        all.retain(|authority| authority.issuers.iter().any(named));
        all
    }

    /// Their revocation lists, as far as they are published.
    pub(super) fn lists(&self, rooms: &Rooms) -> Vec<Vec<u8>> {
        let mut lists = Vec::new();
        for authority in self.certified_by(rooms) {
            for issuer in &authority.issuers {
                let known = issuer.published.lists();
                let complete = known.iter().flat_map(|known| &known.complete);
                lists.extend(complete.map(|list| list.der.clone()));
            }
        }
        lists
    }
}

impl Engine {
    /// The identity for these names, made or renewed where it is due.
    ///
    /// # Errors
    /// [`Error::NotFound`] where no authority certifies the listener.
    pub(super) async fn own_identity(&self, names: &[AltName]) -> Result<Arc<OwnIdentity>> {
        let rooms = self.rooms()?;
        let mut known = rooms.identities.0.lock().await;
        if let Some(own) = &*known
            && own.certified == names
            && !self.listener_is_due(Some(own.identity.certificate()), names)?
        {
            return Ok(Arc::clone(own));
        }
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
        let own = Arc::new(OwnIdentity {
            identity: Identity::new(made.chain.clone(), scheme)?,
            names: names.iter().filter_map(server_name).collect(),
            chain: made.chain,
            certified: names.to_vec(),
            key: OpenKey::open(&material)?,
        });
        // Its clients want to know that it is not revoked.
        for authority in own.certified_by(&rooms) {
            self.publish_first(&authority).await?;
        }
        *known = Some(Arc::clone(&own));
        Ok(own)
    }
}

fn server_name(name: &AltName) -> Option<ServerName> {
    match name {
        AltName::Dns(host) => ServerName::host(host).ok(),
        AltName::Ip(address) => Some(ServerName::ip(*address)),
        _ => None,
    }
}
