//! Answers a request for a time-stamp from whoever asks. What is not stamped is
//! told before a key is touched, and leaves nothing behind.

use std::net::IpAddr;
use std::sync::Arc;

use skms_crypto::{Hash, rand};
use skms_evidence::{DetailKey, Outcome};
use skms_pki::Moment;
use skms_pki::documents::timestamp::{Failure, Query, Stamping, granted, plan, refused};
use skms_pki::issue::Serial;
use skms_pki::oid::OidBuf;

use super::Stamp;
use crate::acts::sign_document;
use crate::authority::signer::Signer;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::target::Target;
use crate::tsa::Tsa;

impl Engine {
    /// Whether an authority may have that name: while the server is sealed,
    /// any may.
    pub fn may_have_tsa(&self, (namespace, name): (&str, &str)) -> bool {
        let Ok(rooms) = self.rooms() else {
            return true;
        };
        rooms.tsas.find(namespace, name).is_some()
    }

    /// Answers a request (TimeStampReq, DER) with a TimeStampResp. The stamp is
    /// durable in the journal when this returns it.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an authority that does not exist;
    /// [`Error::RateLimited`] and [`Error::Busy`] where there is to be less.
    /// Everything else is an answer.
    pub async fn tsa_answer(
        &self,
        (namespace, name): (&str, &str),
        request: &[u8],
        source: Option<IpAddr>,
    ) -> Result<Vec<u8>> {
        let Ok(rooms) = self.rooms() else {
            return Ok(refused(Failure::SystemFailure));
        };
        let tsa = rooms.tsas.find(namespace, name).ok_or(Error::NotFound {
            what: "time-stamping authority",
        })?;
        let wanted = match Wanted::read(request, &tsa) {
            Ok(wanted) => wanted,
            Err(why) => return Ok(refused(why)),
        };
        // What may be stamped costs the key a use and the journal an event.
        let now_ms = rooms.clock.now_ms();
        let _place = tsa.flow.place()?;
        let traffic = self.acme_traffic();
        let _slot = traffic.stamp(source, now_ms)?;
        tsa.flow.take(tsa.record.per_second, now_ms)?;
        match wanted.stamp(self, &tsa, source).await {
            Ok(answer) => Ok(answer),
            Err(Error::Busy) => Err(Error::Busy),
            Err(_) => Ok(refused(Failure::SystemFailure)),
        }
    }
}

/// A request that can be stamped.
struct Wanted<'a> {
    query: Query<'a>,
    hash: Hash,
    policy: OidBuf,
}

impl<'a> Wanted<'a> {
    fn read(request: &'a [u8], tsa: &Tsa) -> std::result::Result<Self, Failure> {
        let query = Query::from_der(request).map_err(|_| Failure::BadDataFormat)?;
        let hash = match query.digest() {
            Ok((hash, _)) => hash,
            Err(skms_pki::documents::DocumentError::Input(_)) => {
                return Err(Failure::BadDataFormat);
            }
            Err(_) => return Err(Failure::BadAlgorithm),
        };
        let policy = match query.policy {
            None => tsa.policies.first(),
            Some(asked) => tsa.policies.iter().find(|one| one.as_oid() == asked),
        };
        let policy = policy.ok_or(Failure::UnacceptedPolicy)?.clone();
        //= https://www.rfc-editor.org/rfc/rfc3161#section-2.4.1
        //# If an extension, whether it is marked critical or not critical, is
        //# used by a requester but is not recognized by a time-stamping
        //# server, the server SHALL not issue a token and SHALL return a
        //# failure (unacceptedExtension).
        if query.extensions {
            return Err(Failure::UnacceptedExtension);
        }
        Ok(Self {
            query,
            hash,
            policy,
        })
    }

    /// Stamps it, as the server itself.
    async fn stamp(&self, engine: &Engine, tsa: &Tsa, source: Option<IpAddr>) -> Result<Vec<u8>> {
        let entry = engine.enter(&Caller::system_for("tsa", source)?)?;
        let target = Target::tsa(&tsa.namespace_name, &tsa.record.name);
        let allowed =
            entry.authorize_target_as_system::<Stamp>(target.stored(tsa.id.0, tsa.revision))?;
        let done = self.signed(&entry, tsa, &allowed).await;
        match &done {
            Err(_) if !tsa.flow.tells_failure(entry.now()) => done,
            _ => entry.failed(&allowed, done).await,
        }
    }

    async fn signed(
        &self,
        entry: &Entry,
        tsa: &Tsa,
        allowed: &Authorized<Stamp, Target>,
    ) -> Result<Vec<u8>> {
        certified(entry, tsa)?;
        let key = key_of(entry, tsa).await?;
        let at_ms = match tsa.record.ordering {
            false => Some(entry.now_ms),
            true => tsa.flow.next_ms(entry.now_ms),
        };
        let Some(at_ms) = at_ms else {
            return Ok(refused(Failure::TimeNotAvailable));
        };
        let signer = Signer::take(entry, &key, &tsa.record.key).await?;
        let stamping = Stamping {
            policy: self.policy.clone(),
            serial: Serial::from_random(rand::array()?),
            at: Moment(at_ms.div_euclid(1_000)),
            milliseconds: match tsa.record.ordering {
                true => u16::try_from(at_ms.rem_euclid(1_000)).unwrap_or_default(),
                false => 0,
            },
            accuracy_seconds: tsa.record.accuracy_seconds,
            ordering: tsa.record.ordering,
        };
        let planned = plan(&self.query, &tsa.signer, &stamping).map_err(sign_document::refused)?;
        let signature = signer.sign(entry, planned.tbs()).await?;
        let token = planned.signed(&signature).map_err(sign_document::refused)?;
        let event = EventDraft::of(entry, allowed, Outcome::Success)?
            .also_key(&key.target().snapshot())
            .serial(&stamping.serial)
            .detail(DetailKey::Hash, self.hash.to_string());
        entry.record(event).await?;
        // Withdrawn meanwhile: nobody sees it. A revocation of the key waits
        // for the signer, and returns after this was told.
        certified(entry, tsa)?;
        signer.still_live()?;
        Ok(granted(&token))
    }
}

fn certified(entry: &Entry, tsa: &Tsa) -> Result<()> {
    match tsa.is_certified(&entry.rooms.authorities, entry.rooms.clock.now()) {
        true => Ok(()),
        false => Err(Error::KeyForbids(
            "a certificate of the authority is revoked, on hold or at its end".into(),
        )),
    }
}

/// The key of an authority for the server itself.
async fn key_of(entry: &Entry, tsa: &Tsa) -> Result<Authorized<Stamp, KeyTarget>> {
    let rooms: &Arc<Rooms> = &entry.rooms;
    let at = tsa.record.key.at(&tsa.namespace_name);
    let cell = rooms.keys.resolve(rooms, at).await?;
    let cell = cell.ok_or(Error::NotFound { what: "key" })?;
    let id = cell.snapshot().key().id.to_string();
    if id != tsa.record.key.id {
        return Err(Error::NotFound { what: "key" });
    }
    rooms.signs_for_nobody_else(&tsa.namespace_name, &id)?;
    entry.authorize_as_system::<Stamp>(&cell)
}
