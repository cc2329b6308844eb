//! Publishing: making revocation lists and OCSP responses is an act of the
//! server itself, or of who asks for it; serving them is none.

mod delegate;
mod ocsp;
mod presign;

use std::sync::Arc;

use skms_crypto::Family;
use skms_evidence::{DetailKey, Outcome};
use skms_store::{Change, Kind, RecordId};
use tokio::sync::OwnedMutexGuard;

use crate::act::{Act, act};
use crate::acts::authorities::View;
use crate::authority::lists::Making;
use crate::authority::published::Lists;
use crate::authority::signer::Signer;
use crate::authority::{Authority, Issuer};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::records;
use crate::records::authority::SigningKeyRecord;
use crate::records::publication::PublicationRecord;

pub use crate::authority::published::Document;
pub use ocsp::OcspAnswer;

act!(
    Publish,
    AuthorityPublish,
    "Makes a certificate authority's revocation lists and responses."
);

/// How long the keys of issuers take for a signature. Lists of the slow ones are
/// made by themselves, so that nobody else's wait for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Milliseconds.
    Quick,
    /// Up to seconds: SLH-DSA.
    Slow,
}

impl Pace {
    fn of(issuer: &Issuer) -> Self {
        match issuer.pki.scheme.algorithm().row().family {
            Family::SlhDsa => Self::Slow,
            _ => Self::Quick,
        }
    }
}

impl Engine {
    /// Makes the lists of an authority anew, of all its issuers whose keys
    /// still sign.
    ///
    /// # Errors
    /// [`Error::StateForbids`] if the newest key does not sign.
    pub async fn publish_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Publish>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let authority = entry.authority(namespace, name)?;
            let newest = authority.current().map(|issuer| issuer.number);
            for issuer in &authority.issuers {
                let key = entry
                    .authority_key::<Publish>(&authority, &issuer.key)
                    .await?;
                match make(&entry, &key, (&authority, issuer), true).await {
                    // An old issuer's key may be gone; then so are its lists.
                    Err(_) if Some(issuer.number) != newest => {}
                    other => other?,
                }
            }
            View::try_from(authority.as_ref())
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Makes the lists that are due of issuers whose keys sign at that pace: of
    /// certificates that changed, and those half of whose time is over. Returns
    /// how many issuers' it made.
    ///
    /// # Errors
    /// [`Error::Sealed`]; the first that an issuer's lists ran into, after every
    /// other issuer had its turn. One whose key does not sign is passed over:
    /// its last lists stay.
    pub async fn publish_due(&self, pace: Pace) -> Result<usize> {
        let entry = self.enter(&Caller::system("publisher")?)?;
        let mut made = 0;
        let mut trouble = None;
        for authority in entry.rooms.authorities.all() {
            for issuer in &authority.issuers {
                if Pace::of(issuer) != pace {
                    continue;
                }
                match publish_issuer(&entry, &authority, issuer).await {
                    Ok(count) => made += count,
                    Err(Error::StateForbids { .. } | Error::Key(_) | Error::Pki(_)) => {}
                    Err(Error::Sealed) => return Err(Error::Sealed),
                    Err(other) => trouble = trouble.or(Some(other)),
                }
            }
        }
        trouble.map_or(Ok(made), Err)
    }

    /// Makes the lists of an authority's issuers that have none yet, where
    /// somebody waits for them. An issuer whose key does not sign is passed over.
    ///
    /// # Errors
    /// As [`Engine::publish_due`].
    pub(crate) async fn publish_first(&self, authority: &Authority) -> Result<()> {
        let entry = self.enter(&Caller::system("publisher")?)?;
        for issuer in &authority.issuers {
            if issuer.published.lists().is_some() {
                continue;
            }
            match publish_issuer(&entry, authority, issuer).await {
                Ok(_) | Err(Error::StateForbids { .. } | Error::Key(_) | Error::Pki(_)) => {}
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    /// An issuer's certificate (DER).
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Sealed`].
    pub fn published_certificate(
        &self,
        namespace: &str,
        name: &str,
        number: u32,
    ) -> Result<Vec<u8>> {
        let (_, issuer) = find(&*self.rooms()?, namespace, name, number)?;
        let own = issuer.pki.chain.first().cloned();
        own.ok_or(Error::NotFound { what: "issuer" })
    }

    /// An issuer's revocation list, complete or the difference, of a shard.
    ///
    /// # Errors
    /// [`Error::NotFound`] for none; [`Error::Busy`] while the first one is
    /// being made.
    pub fn published_list(
        &self,
        (namespace, name, number): (&str, &str, u32),
        shard: u32,
        delta: bool,
    ) -> Result<Arc<Document>> {
        let (authority, issuer) = find(&*self.rooms()?, namespace, name, number)?;
        let missing = || Error::NotFound {
            what: "revocation list",
        };
        if shard >= authority.rules.crl_shards {
            return Err(missing());
        }
        let lists = issuer.published.lists().ok_or(Error::Busy)?;
        let of = if delta {
            &lists.deltas
        } else {
            &lists.complete
        };
        let at = usize::try_from(shard).map_err(|_| missing())?;
        of.get(at).cloned().ok_or_else(missing)
    }
}

fn find(
    rooms: &Rooms,
    namespace: &str,
    name: &str,
    number: u32,
) -> Result<(Arc<Authority>, Arc<Issuer>)> {
    let absent = Error::NotFound { what: "issuer" };
    let Some(authority) = rooms.authorities.find(namespace, name) else {
        return Err(absent);
    };
    match authority.issuer(number).cloned() {
        Some(issuer) => Ok((authority, issuer)),
        None => Err(absent),
    }
}

/// Whether an issuer's lists are to be made: all of them (`true`) or what
/// changed.
fn due(entry: &Entry, authority: &Authority, issuer: &Issuer) -> Option<bool> {
    let Some(lists) = issuer.published.lists() else {
        return Some(true);
    };
    let half = i64::try_from(authority.rules.crl_seconds / 2).unwrap_or(i64::MAX);
    let old = entry.now().0 >= lists.base.1.0.saturating_add(half);
    let shards = usize::try_from(authority.rules.crl_shards).unwrap_or(usize::MAX);
    let other = lists.complete.len() != shards
        || lists.deltas.is_empty() != issuer.pki.published.deltas.is_empty();
    if old || other {
        return Some(true);
    }
    (lists.epoch != issuer.revoked.epoch()).then_some(false)
}

/// Makes an issuer's lists if they are due, and before them its OCSP signer's
/// certificate.
async fn publish_issuer(
    entry: &Entry,
    authority: &Authority,
    issuer: &Arc<Issuer>,
) -> Result<usize> {
    // A signer that cannot be certified is no reason to make no lists.
    let provided = match delegate::due(entry, authority, issuer) {
        true => delegate::provide(entry, authority, issuer.number).await,
        false => Ok(()),
    };
    let Some(all) = due(entry, authority, issuer) else {
        return provided.map(|()| 0);
    };
    let Some(key) = key_of(entry, authority, &issuer.key).await? else {
        return provided.map(|()| 0);
    };
    make(entry, &key, (authority, issuer), all).await?;
    provided.map(|()| 1)
}

/// A key of an authority for the server itself; none if it is gone, or another
/// has its name.
async fn key_of(
    entry: &Entry,
    authority: &Authority,
    record: &SigningKeyRecord,
) -> Result<Option<Authorized<Publish, KeyTarget>>> {
    let at = record.at(&authority.namespace_name);
    let Some(cell) = entry.rooms.keys.resolve(&entry.rooms, at).await? else {
        return Ok(None);
    };
    if cell.snapshot().key().id.to_string() != record.id {
        return Ok(None);
    }
    entry.authorize_as_system::<Publish>(&cell).map(Some)
}

/// Makes an issuer's lists. Their numbers are used up before they are signed,
/// so that no two lists ever have the same.
async fn make<A: Act>(
    entry: &Entry,
    key: &Authorized<A, KeyTarget>,
    (authority, issuer): (&Authority, &Arc<Issuer>),
    all: bool,
) -> Result<()> {
    let one = Arc::clone(&issuer.published.making).lock_owned().await;
    let before = issuer.published.lists();
    let signer = Signer::take(entry, key, &issuer.key).await?;
    let name = format!("{}/{}", authority.id_text(), issuer.number);
    let scope = authority.namespace.0;
    let found = entry
        .rooms
        .store
        .find(scope, Kind::Setting, &PublicationRecord::name(&name))
        .await?;
    let (id, expected, record) = match found {
        None => (RecordId::random()?, None, PublicationRecord::default()),
        Some(stored) => (
            stored.id,
            Some(stored.revision),
            records::decode(stored.plaintext.expose())?,
        ),
    };
    let making = Making {
        entry,
        authority,
        issuer,
        signer: &signer,
        number: record.last.saturating_add(1),
    };
    let epoch = issuer.revoked.epoch();
    let changed = issuer.revoked.take_changed();
    let made = match before {
        Some(before) if !all => making.changed(&before, changed.serials(), epoch).await?,
        _ => making.all(epoch).await?,
    };
    let last = made.number;
    commit(
        entry,
        key,
        (authority, issuer),
        ((signer, one), made),
        Change::Put {
            namespace: scope,
            kind: Kind::Setting,
            id,
            name: Some(PublicationRecord::name(&name)),
            expected,
            plaintext: records::encode(&PublicationRecord { last })?,
        },
    )
    .await?;
    changed.are_out();
    Ok(())
}

/// Puts lists out once their numbers are used up.
async fn commit<A: Act>(
    entry: &Entry,
    key: &Authorized<A, KeyTarget>,
    (authority, issuer): (&Authority, &Arc<Issuer>),
    (held, made): ((Signer, OwnedMutexGuard<()>), Lists),
    change: Change,
) -> Result<()> {
    let event = EventDraft::of_key(entry, key, Outcome::Success)?
        .authority(authority)
        .detail(DetailKey::Count, issuer.revoked.len() as u64);
    let issuer = Arc::clone(issuer);
    entry
        .change(held, vec![change], event, move |_, _| {
            issuer.published.put_lists(made);
            Ok(())
        })
        .await
}
