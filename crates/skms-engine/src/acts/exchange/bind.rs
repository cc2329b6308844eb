//! Keys that are bound to the TLS connection that they were asked for on:
//! docs/exchange.md, "Keys bound to a TLS connection".

use std::collections::BTreeMap;
use std::sync::Arc;

use skms_crypto::{Algorithm, Format, KeyMaterial, rand};
use skms_evidence::{DetailKey, Outcome};
use skms_exchange::channel::{Answered, Asked, Channel};
use skms_exchange::{Error as Refusal, Given, Grant};
use skms_keys::{Key, KeyId, Name, NewKey, Origin, VersionNumber};
use skms_store::RecordId;

use super::Bind;
use super::request::{Planned, place};
use crate::acts::create_key::{keyring, new_version, store_as};
use crate::caller::{Authentication, Caller};
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::idempotency::Once;
use crate::opened::KeySnapshot;
use crate::records;
use crate::sessions::hex;
use crate::target::Target;

/// What is answered to whoever asks for a bound key.
pub struct BoundKey {
    /// The key, in use.
    pub key: Arc<KeySnapshot>,
    /// What the client derives it with.
    pub answered: Answered,
    /// The server's MAC.
    pub mac: Vec<u8>,
}

impl Engine {
    /// Makes a key of what the caller's connection exports. `mac` is the
    /// client's.
    ///
    /// The caller's session was judged as for every other request: a
    /// certificate that was revoked since the handshake has none.
    ///
    /// # Errors
    /// [`Error::Exchange`] with `channel` for a connection whose other end it
    /// is not that asks; those of creating a key.
    pub async fn bind_key(
        &self,
        caller: &Arc<Caller>,
        channel: Option<&Channel>,
        asked: Asked,
        mac: &[u8],
    ) -> Result<BoundKey> {
        let entry = self.enter(caller)?;
        let at = place(&asked.wanted.key);
        let shared = entry.rooms.share_changes().await;
        let owner = entry.caller.session.principal.id().to_owned();
        let tags = BTreeMap::new();
        let algorithm = asked.wanted.algorithm.parse::<Algorithm>();
        let named = algorithm.as_ref().map_or("", |known| known.name());
        let target = Target::new_key(at, named, &owner, false, &tags);
        let allowed = entry.authorize::<Bind>(target).await?;
        let made = async {
            let channel = of_caller(&entry, channel)?;
            channel.check_request(&asked, mac)?;
            let ring = keyring(&entry, at)?;
            let Once::First(claim) = entry
                .once::<records::key::KeyRecord>(ring.namespace.0)
                .await?
            else {
                return Err(Error::Internal("a bound key under an idempotency key"));
            };
            let id = KeyId(RecordId::at(entry.now_ms)?.0);
            let planned = Planned::of(&asked.wanted, algorithm?, &ring)?;
            let rules = planned.rules(entry.now());
            let answered = Answered {
                grant: Grant {
                    key: asked.wanted.key.clone(),
                    algorithm: planned.algorithm.name().to_owned(),
                    uses: planned.words.clone(),
                    lifetime_seconds: rules
                        .expires_at
                        .map(|end| end.since(entry.now()))
                        .filter(|seconds| *seconds > 0),
                    version: VersionNumber::FIRST.0.into(),
                    id: id.to_string(),
                    given: Given::Agreed {
                        length: planned.length,
                    },
                },
                nonce: rand::array()?,
            };
            let mac = channel.answer_mac(&asked, &answered)?.to_vec();
            let bytes = channel.key(&asked, &answered)?;
            let algorithm = planned.algorithm;
            let material = KeyMaterial::import(bytes.expose(), Format::Raw, Some(algorithm), None)?;
            let new = NewKey {
                id,
                namespace: ring.namespace,
                keyring: ring.id,
                name: Name::new(at.name)?,
                algorithm,
                uses: planned.uses,
                owner,
                tags,
                // It leaves with nobody but the client, who has it.
                exportable: false,
                rules,
                first: new_version(&material, Origin::Imported, None)?,
            };
            let described = Key::create(new, entry.now())?;
            let fingerprint = skms_crypto::hash::sha256(&[&mac]);
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Exchange, hex(&fingerprint));
            let batch = (shared, claim, Vec::new());
            let key = store_as(&entry, event, at, described, material, batch).await?;
            Ok(BoundKey { key, answered, mac })
        };
        let made = made.await;
        entry.failed(&allowed, made).await
    }
}

/// The caller's own connection: the one on which it proved to hold the key of
/// the certificate by which it is known.
fn of_caller<'a>(entry: &Entry, channel: Option<&'a Channel>) -> Result<&'a Channel> {
    let known = match &entry.caller.session.authentication {
        Authentication::Certificate { fingerprint } => fingerprint,
        _ => return Err(Refusal::Channel.into()),
    };
    channel
        .filter(|channel| hex(channel.client_fingerprint()) == *known)
        .ok_or_else(|| Refusal::Channel.into())
}
