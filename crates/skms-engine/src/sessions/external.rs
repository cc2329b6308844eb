//! Certificates of external authorities. One is believed because a path leads
//! from it to an anchor of a trust of the namespace, nothing on that path is
//! revoked, and the one name that counts for the trust is bound to a principal:
//! never because the authority signed it.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use skms_keys::UnixSeconds;
use skms_pki::Certificate;
use skms_policy::PrincipalKind;
use skms_store::{Kind, RecordId};

use super::{SYSTEM_SCOPE, TRIES, bound_name, bucket, principal, slot};
use crate::caller::{Authentication, Session};
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::records;
use crate::records::principal::PrincipalRecord;
use crate::trusts::Trust;
use crate::trusts::judge::{Bad, Good, judge};

/// Keeps these credentials apart from the others in the map of sessions.
const EXTERNAL: char = 'x';

/// The session of whoever showed these certificates, its own first.
pub(super) async fn session(
    rooms: &Rooms,
    namespace: &str,
    fingerprint: &str,
    shown: &[Vec<u8>],
) -> Result<Arc<Session>> {
    let slot = slot(EXTERNAL, &format!("{namespace}/{fingerprint}"));
    if let Some(known) = rooms.sessions.known(&slot) {
        if known.check(rooms.clock.now()).is_ok() {
            return Ok(known);
        }
        // A newer revocation list may let it go on.
        rooms.sessions.forget(&slot, &known);
    }
    for _ in 0..TRIES {
        let seen = rooms.sessions.ended.load(Ordering::SeqCst);
        let found = look_up(rooms, namespace, shown).await?;
        let (stands_on, session) = found.session(rooms, namespace, fingerprint)?;
        if let Some(kept) = rooms.sessions.keep(&slot, stands_on, session, seen) {
            return Ok(kept);
        }
    }
    Err(Error::Busy)
}

/// A binding, and what its trust says about the certificate.
struct Found {
    trust: Arc<Trust>,
    binding: RecordId,
    record: PrincipalRecord,
    good: Good,
}

impl Found {
    fn session(
        self,
        rooms: &Rooms,
        namespace: &str,
        fingerprint: &str,
    ) -> Result<(Vec<RecordId>, Session)> {
        let record = &self.record;
        let kind = PrincipalKind::Certificate;
        let principal = principal(kind, namespace, &record.name, &record.groups)?;
        let bucket = bucket(rooms, &principal);
        let until = self.good.until;
        let until = record.expires_at.map_or(until, |end| end.min(until));
        let session = Session::new(
            Arc::new(principal),
            Authentication::Certificate {
                fingerprint: fingerprint.to_owned(),
            },
            Some(UnixSeconds(until)),
            bucket,
        );
        Ok((vec![self.trust.id, self.binding], session))
    }
}

async fn look_up(rooms: &Rooms, namespace: &str, shown: &[Vec<u8>]) -> Result<Found> {
    let leaf = shown.first().ok_or(Error::Unauthenticated)?;
    let mut found: Option<Found> = None;
    let mut refused = Error::Unauthenticated;
    for trust in rooms.trusts.of(namespace) {
        // Who is bound is looked up first: paths of strangers cost more.
        let Some((binding, record)) = bound(rooms, &trust, leaf).await? else {
            continue;
        };
        let name = trust.record.name.clone();
        let good = match judged(rooms, &trust, shown).await? {
            Ok(good) => good,
            Err(bad) => {
                let (why, told) = match bad {
                    Bad::Refused(why) | Bad::Revoked(why) => (why, false),
                    Bad::Unknown(why) => (why, true),
                };
                let why = format!("by the trust {name}: {why}");
                refused = Error::CertificateRefused { why, told };
                continue;
            }
        };
        // What an authority kept here revoked is on none of the trust's lists.
        if rooms.authorities.any_issues_by(&good.keys) {
            refused = Error::CertificateRefused {
                why: format!("by the trust {name}: an authority on its path is kept here"),
                told: false,
            };
            continue;
        }
        // Authorities that certify each other must not stand for each other's
        // principals: who is two is nobody.
        if let Some(other) = &found
            && (&other.record.name, &other.record.groups) != (&record.name, &record.groups)
        {
            let first = &other.trust.record.name;
            return Err(Error::CertificateRefused {
                why: format!("two principals, by the trusts {first} and {name}"),
                told: false,
            });
        }
        found = Some(Found {
            trust,
            binding,
            record,
            good,
        });
    }
    found.ok_or(refused)
}

/// The principal that the certificate's name is bound to.
async fn bound(
    rooms: &Rooms,
    trust: &Trust,
    leaf: &[u8],
) -> Result<Option<(RecordId, PrincipalRecord)>> {
    let Some(identity) = Certificate::from_der(leaf)
        .ok()
        .and_then(|leaf| trust.identity.of(&leaf))
    else {
        return Ok(None);
    };
    let id = trust.id_text();
    let name = bound_name(&trust.namespace_name, &id, &identity);
    let found = rooms
        .store
        .find(SYSTEM_SCOPE, Kind::Principal, &name)
        .await?;
    let Some(stored) = found else {
        return Ok(None);
    };
    let record: PrincipalRecord = records::decode(stored.plaintext.expose())?;
    let same = record.namespace == *trust.namespace_name
        && record.trust.as_ref() == Some(&id)
        && record.identity.as_ref() == Some(&identity);
    Ok(same.then_some((stored.id, record)))
}

/// On the slow pool: several signatures, and lists to read. Only a few at a
/// time, for strangers choose what they cost; nobody waits for a place.
async fn judged(
    rooms: &Rooms,
    trust: &Arc<Trust>,
    shown: &[Vec<u8>],
) -> Result<std::result::Result<Good, Bad>> {
    // Held by the work itself, which goes on when whoever asked is gone.
    let place = Arc::clone(&rooms.judging).try_acquire_owned();
    let place = place.map_err(|_| Error::Busy)?;
    let (trust, shown, now) = (Arc::clone(trust), shown.to_vec(), rooms.clock.now().0);
    rooms
        .slow
        .run(move || {
            let _place = place;
            judge(&trust, &shown, now)
        })
        .await
        .flatten()
}
