//! Revokes certificates, holds them, and ends holds. A status is known to OCSP
//! before the call returns; lists follow within a second.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_keys::{RevocationReason, UnixSeconds};
use skms_pki::Certificate;
use skms_pki::issue::{ProfileKind, Serial};
use skms_store::{Change, Kind, RecordId};

use super::compromise::Revoking;
use super::read::find;
use super::{Revoke, View};
use crate::acts::authorities::unreadable;
use crate::authority::issuing::key_name;
use crate::authority::{Issuer, Link, Revocation};
use crate::caller::Caller;
use crate::change::to_the_end;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::records;
use crate::records::certificate::{
    CertificateRecord, CertifiedKeyRecord, RevocationRecord, SubjectKeyRecord, serial_name,
};
use crate::sessions::hex;
use crate::target::Target;

/// Revocations that go into a batch, and what memory learns with it.
#[derive(Default)]
pub(crate) struct Reached {
    /// To be committed.
    pub(crate) changes: Vec<Change>,
    entries: Vec<Entered>,
    /// Which they are, by the place of their issuer's revocations.
    places: HashSet<(usize, Serial)>,
    /// Keys kept here that the certificates were for, changed or not.
    kept: Vec<SubjectKeyRecord>,
}

/// One certificate whose status changes.
struct Entered {
    issuer: Arc<Issuer>,
    serial: Serial,
    /// The certificate's record, which sessions stand on.
    certificate: RecordId,
    /// What it is for: on an authority's, others' sessions stand.
    profile: Option<ProfileKind>,
    entry: Revocation,
}

impl Reached {
    /// Brings memory up to date once the batch is committed; `revisions` are
    /// those of its changes.
    pub(crate) fn put_in_force(self, rooms: &Rooms, revisions: &[u64]) {
        for (at, mut one) in self.entries.into_iter().enumerate() {
            one.entry.revision = revisions.get(at).copied().unwrap_or_default();
            let stands = one.entry.stands();
            one.issuer.revoked.put(one.serial, one.entry);
            one.issuer.published.forget(&one.serial);
            if stands {
                // Whoever authenticated with it is cut off.
                rooms.sessions.end(one.certificate);
            }
            if one.profile == Some(ProfileKind::OcspSigner) {
                // What it signed is not handed out again.
                one.issuer.published.forget_all();
            }
            if stands && one.profile == Some(ProfileKind::Intermediate) {
                // And whomever the authority vouches for.
                let link = Link {
                    issuer: one.issuer.pki.name.as_der().to_vec(),
                    serial: one.serial,
                };
                for below in rooms.authorities.below(&link) {
                    rooms.sessions.end(below);
                }
            }
        }
    }

    /// Keys kept here that the certificates were for.
    pub(crate) fn kept(&self) -> &[SubjectKeyRecord] {
        &self.kept
    }

    /// How many certificates' status changes.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

/// What is to become of certificates.
#[derive(Clone, Copy)]
pub(crate) struct Verdict {
    pub(crate) reason: RevocationReason,
    pub(crate) at: UnixSeconds,
    pub(crate) invalid_since: Option<UnixSeconds>,
}

impl Engine {
    /// Revokes a certificate, or holds it. A compromised key takes with it
    /// every other certificate of that key in the namespace, and the key
    /// itself where it is kept here.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Invalid`] for a certificate that is
    /// revoked already, unless the reason becomes a compromise.
    pub async fn revoke_certificate(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        authority: &str,
        serial: &str,
        reason: RevocationReason,
        invalid_since: Option<UnixSeconds>,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Revoke>(entry.authority_target(namespace, authority))
            .await?;
        let done = async {
            let serial = super::serial(serial)?;
            let place = (namespace, authority);
            self.revoke_as(&entry, &allowed, place, serial, (reason, invalid_since))
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Revokes a certificate for whoever was authorised to.
    pub(crate) async fn revoke_as(
        &self,
        entry: &Entry,
        allowed: &Authorized<Revoke, Target>,
        (namespace, authority): (&str, &str),
        serial: Serial,
        (reason, invalid_since): (RevocationReason, Option<UnixSeconds>),
    ) -> Result<View> {
        check(reason, invalid_since, entry.now())?;
        let authority = entry.authority(namespace, authority)?;
        let event = EventDraft::of(entry, allowed, Outcome::Success)?
            .serial(&serial)
            .detail(DetailKey::RevocationReason, reason.name());
        let verdict = Verdict {
            reason,
            at: entry.now(),
            invalid_since,
        };
        let revoking = Revoking {
            entry: entry.clone(),
            system: self.enter(&Caller::system("certificates")?)?,
            authority,
            serial,
            verdict,
        };
        // To the end, even when the caller goes: a compromised certificate's
        // key does not stay active.
        to_the_end(revoking.run(event)).await
    }

    /// Ends a certificate's hold.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a certificate that is not on hold.
    pub async fn release_certificate(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        authority: &str,
        serial: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Revoke>(entry.authority_target(namespace, authority))
            .await?;
        let done = async {
            let authority = entry.authority(namespace, authority)?;
            let serial = super::serial(serial)?;
            let guard = entry.rooms.lock_revocations().await;
            let (stored, record) = find(&entry.rooms, &authority, &serial).await?;
            let issuer = authority
                .issuer(record.issuer)
                .ok_or(Error::Internal("a certificate of no issuer"))?;
            let hold = issuer
                .revoked
                .get(&serial)
                .filter(|one| one.stands() && one.reason == RevocationReason::CertificateHold);
            let Some(mut hold) = hold else {
                return Err(Error::Invalid("the certificate is not on hold".into()));
            };
            hold.by_keys.clear();
            hold.released_at = Some(entry.now());
            hold.changed_at = entry.now();
            let mut reached = Reached::default();
            put(
                &entry.rooms,
                namespace,
                (issuer, stored.id, &record),
                serial,
                hold,
                &mut reached,
            )
            .await?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .serial(&serial)
                .detail(
                    DetailKey::RevocationReason,
                    RevocationReason::RemoveFromCrl.name(),
                );
            let changes = std::mem::take(&mut reached.changes);
            entry
                .change(guard, changes, event, move |rooms, revisions| {
                    reached.put_in_force(rooms, revisions);
                    Ok(())
                })
                .await?;
            View::of(&authority, &record)
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

fn check(reason: RevocationReason, since: Option<UnixSeconds>, now: UnixSeconds) -> Result<()> {
    if reason == RevocationReason::RemoveFromCrl {
        return Err(Error::Invalid(
            "removeFromCRL is no revocation: release the hold instead".into(),
        ));
    }
    if since.is_some_and(|since| since > now) {
        return Err(Error::Invalid("invalid_since lies in the future".into()));
    }
    Ok(())
}

/// Every certificate of the namespace that has this public key. With a
/// compromise nothing is issued for the key any more.
pub(crate) async fn revoke_key_of(
    rooms: &Rooms,
    namespace: &str,
    spki: &[u8],
    verdict: Verdict,
    reached: &mut Reached,
) -> Result<()> {
    let Some(place) = rooms.places.namespace(namespace) else {
        return Ok(());
    };
    let name = key_name(spki);
    let found = rooms
        .store
        .find(place.id.0, Kind::CertifiedKey, &name)
        .await?;
    let (id, expected, mut known) = match found {
        Some(stored) => {
            let known: CertifiedKeyRecord = records::decode(stored.plaintext.expose())?;
            (stored.id, Some(stored.revision), known)
        }
        None if verdict.reason.is_compromise() => {
            (RecordId::random()?, None, CertifiedKeyRecord::default())
        }
        None => return Ok(()),
    };
    for one in &known.certificates {
        let name = serial_name(&one.authority, one.issuer, &one.serial);
        let found = rooms
            .store
            .find(place.id.0, Kind::Certificate, &name)
            .await?;
        if let Some(stored) = found {
            let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
            let certificate = (stored.id, &record);
            revoke_one(rooms, namespace, certificate, verdict, reached).await?;
        }
    }
    known.compromised |= verdict.reason.is_compromise();
    // Written in any case: a certificate that is issued meanwhile conflicts.
    reached.changes.push(Change::Put {
        namespace: place.id.0,
        kind: Kind::CertifiedKey,
        id,
        name: Some(name),
        expected,
        plaintext: records::encode(&known)?,
    });
    Ok(())
}

/// Adds a certificate's revocation, unless it is revoked already. A hold
/// becomes a revocation, and any reason may become a compromise; a hold for the
/// suspension of its key becomes one that outlasts that.
pub(crate) async fn revoke_one(
    rooms: &Rooms,
    namespace: &str,
    (id, record): (RecordId, &CertificateRecord),
    verdict: Verdict,
    reached: &mut Reached,
) -> Result<()> {
    if let Some(kept) = &record.subject_key
        && !reached.kept.contains(kept)
    {
        reached.kept.push(kept.clone());
    }
    let authority = rooms.authorities.by_id(namespace, &record.authority);
    let issuer = authority
        .as_ref()
        .and_then(|authority| authority.issuer(record.issuer));
    let Some(issuer) = issuer else {
        // Its authority is gone, and with it everybody who trusted it.
        return Ok(());
    };
    let certificate = Certificate::from_der(&record.certificate.0).map_err(unreadable)?;
    let serial = Serial::from_contents(certificate.serial())?;
    let place = (Arc::as_ptr(&issuer.revoked) as usize, serial);
    let twice = reached.places.contains(&place);
    let before = issuer.revoked.get(&serial);
    let stands = before.as_ref().filter(|one| one.stands());
    let stays = stands.is_some_and(|one| {
        let hold = one.reason == RevocationReason::CertificateHold;
        let worse = verdict.reason.is_compromise() && !one.reason.is_compromise();
        let other = verdict.reason != RevocationReason::CertificateHold || !one.by_keys.is_empty();
        !(worse || hold && other)
    });
    if twice || stays {
        return Ok(());
    }
    let entry = Revocation {
        reason: verdict.reason,
        // What was revoked stays revoked since then; a hold too.
        at: stands.map_or(verdict.at, |one| one.at),
        invalid_since: verdict.invalid_since,
        released_at: None,
        changed_at: verdict.at,
        not_after: UnixSeconds(certificate.not_after().0),
        by_keys: BTreeSet::new(),
        revision: before.map_or(0, |one| one.revision),
    };
    put(
        rooms,
        namespace,
        (issuer, id, record),
        serial,
        entry,
        reached,
    )
    .await
}

pub(super) async fn put(
    rooms: &Rooms,
    namespace: &str,
    (issuer, certificate, record): (&Arc<Issuer>, RecordId, &CertificateRecord),
    serial: Serial,
    entry: Revocation,
    reached: &mut Reached,
) -> Result<()> {
    let place = rooms
        .places
        .namespace(namespace)
        .ok_or(Error::NotFound { what: "namespace" })?;
    let text = hex(serial.as_bytes());
    let name = serial_name(&record.authority, record.issuer, &text);
    let known = rooms
        .store
        .find(place.id.0, Kind::Revocation, &name)
        .await?;
    let (id, expected) = match known {
        Some(stored) => (stored.id, Some(stored.revision)),
        None => (RecordId::random()?, None),
    };
    let revocation = RevocationRecord {
        authority: record.authority.clone(),
        issuer: record.issuer,
        serial: text,
        reason: entry.reason.name().to_owned(),
        revoked_at: entry.at.0,
        invalid_since: entry.invalid_since.map(|at| at.0),
        released_at: entry.released_at.map(|at| at.0),
        changed_at: entry.changed_at.0,
        not_after: entry.not_after.0,
        by_keys: entry.by_keys.iter().cloned().collect(),
    };
    // Entries and their changes stand in one order, before any other change.
    let at = reached.entries.len();
    reached.changes.insert(
        at,
        Change::Put {
            namespace: place.id.0,
            kind: Kind::Revocation,
            id,
            name: Some(name),
            expected,
            plaintext: records::encode(&revocation)?,
        },
    );
    reached
        .places
        .insert((Arc::as_ptr(&issuer.revoked) as usize, serial));
    reached.entries.push(Entered {
        issuer: Arc::clone(issuer),
        serial,
        certificate,
        profile: record.profile.parse().ok(),
        entry,
    });
    Ok(())
}
