//! What the suspension of a key does to its certificates, where their authority
//! says so: they are on hold (certificateHold, RFC 5280, section 5.3.1) until
//! the key is resumed. A hold that somebody else put on one outlasts that.

use std::collections::BTreeSet;

use skms_keys::{RevocationReason, UnixSeconds};
use skms_pki::Certificate;
use skms_pki::issue::{ProfileKind, Serial};
use skms_store::{Change, Kind, RecordId};

use super::revoke::{Reached, put};
use crate::acts::authorities::unreadable;
use crate::authority::issuing::key_name;
use crate::authority::{Authority, Revocation};
use crate::engine::Rooms;
use crate::error::Result;
use crate::records;
use crate::records::certificate::{CertificateRecord, CertifiedKeyRecord, serial_name};

/// A key whose state changes, and when.
#[derive(Clone, Copy)]
pub(crate) struct Suspension<'a> {
    /// The key's identifier.
    pub(crate) key: &'a str,
    /// When it is suspended or resumed.
    pub(crate) at: UnixSeconds,
}

impl Suspension<'_> {
    /// Holds the certificates of a public key, where their authority says so.
    pub(crate) async fn begins(
        self,
        rooms: &Rooms,
        namespace: &str,
        spki: &[u8],
        reached: &mut Reached,
    ) -> Result<()> {
        let decide = |authority: &Authority, one: &Known<'_>| self.held(authority, one);
        self.each((rooms, namespace), spki, (true, decide), reached)
            .await
    }

    /// Ends the holds that suspending the key began, and no others.
    pub(crate) async fn ends(
        self,
        rooms: &Rooms,
        namespace: &str,
        spki: &[u8],
        reached: &mut Reached,
    ) -> Result<()> {
        let decide = |_: &Authority, one: &Known<'_>| self.released(one);
        self.each((rooms, namespace), spki, (false, decide), reached)
            .await
    }

    fn held(self, authority: &Authority, one: &Known<'_>) -> Option<Revocation> {
        // The TLS Baseline Requirements, section 7.2.2, know no holds.
        let web = one.record.profile == ProfileKind::TlsServerWeb.name();
        if !authority.rules.hold_suspended || web || one.ends < self.at {
            return None;
        }
        let Some(before) = one.before.as_ref().filter(|one| one.stands()) else {
            return Some(Revocation {
                reason: RevocationReason::CertificateHold,
                at: self.at,
                invalid_since: None,
                released_at: None,
                changed_at: self.at,
                not_after: one.ends,
                by_keys: BTreeSet::from([self.key.to_owned()]),
                revision: one.before.as_ref().map_or(0, |one| one.revision),
            });
        };
        // Another key with this public half is suspended already.
        let mut hold = before.clone();
        let shared = !hold.by_keys.is_empty() && hold.by_keys.insert(self.key.to_owned());
        shared.then_some(Revocation {
            changed_at: self.at,
            ..hold
        })
    }

    fn released(self, one: &Known<'_>) -> Option<Revocation> {
        let mut hold = one.before.clone().filter(Revocation::stands)?;
        if !hold.by_keys.remove(self.key) {
            return None;
        }
        hold.changed_at = self.at;
        if hold.by_keys.is_empty() {
            hold.released_at = Some(self.at);
        }
        Some(hold)
    }

    /// Adds what `decide` makes of each certificate of a public key, and that the
    /// key is suspended or no longer so: none is issued for it meanwhile.
    async fn each(
        self,
        (rooms, namespace): (&Rooms, &str),
        spki: &[u8],
        (begins, decide): (bool, impl Fn(&Authority, &Known<'_>) -> Option<Revocation>),
        reached: &mut Reached,
    ) -> Result<()> {
        let Some(place) = rooms.places.namespace(namespace) else {
            return Ok(());
        };
        let (store, scope) = (&rooms.store, place.id.0);
        let name = key_name(spki);
        let found = store.find(scope, Kind::CertifiedKey, &name).await?;
        let (id, expected, mut known) = match found {
            Some(stored) => {
                let known: CertifiedKeyRecord = records::decode(stored.plaintext.expose())?;
                (stored.id, Some(stored.revision), known)
            }
            None if begins => (RecordId::random()?, None, CertifiedKeyRecord::default()),
            None => return Ok(()),
        };
        for one in &known.certificates {
            let name = serial_name(&one.authority, one.issuer, &one.serial);
            let Some(found) = store.find(scope, Kind::Certificate, &name).await? else {
                continue;
            };
            let record: CertificateRecord = records::decode(found.plaintext.expose())?;
            let authority = rooms.authorities.by_id(namespace, &record.authority);
            let Some(authority) = authority else { continue };
            let Some(issuer) = authority.issuer(record.issuer) else {
                continue;
            };
            let read = Certificate::from_der(&record.certificate.0).map_err(unreadable)?;
            let serial = Serial::from_contents(read.serial())?;
            let certificate = Known {
                ends: UnixSeconds(read.not_after().0),
                before: issuer.revoked.get(&serial),
                record: &record,
            };
            if let Some(entry) = decide(&authority, &certificate) {
                let of = (issuer, found.id, &record);
                put(rooms, namespace, of, serial, entry, reached).await?;
            }
        }
        match begins {
            true => known.suspended_by.insert(self.key.to_owned()),
            false => known.suspended_by.remove(self.key),
        };
        // Written in any case: a certificate that is issued meanwhile conflicts.
        reached.changes.push(Change::Put {
            namespace: scope,
            kind: Kind::CertifiedKey,
            id,
            name: Some(name),
            expected,
            plaintext: records::encode(&known)?,
        });
        Ok(())
    }
}

/// A certificate, and what became of it so far.
struct Known<'a> {
    record: &'a CertificateRecord,
    ends: UnixSeconds,
    before: Option<Revocation>,
}
