//! Names an external authority.

use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_evidence::{DetailKey, Outcome};
use skms_keys::Name;
use skms_pki::Identity;
use skms_pki::path::validate;
use skms_pki::{Evidence, Moment, Options};
use skms_store::{Change, Kind, RecordId};

use super::{
    ANCHORS_MAX, Create, INTERMEDIATES_MAX, TRUSTS_MAX, View, authorities, lists, read_lists,
};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry};
use crate::idempotency::Once;
use crate::records;
use crate::records::trust::TrustRecord;
use crate::sessions::hex;
use crate::target::Target;
use crate::trusts::judge::LIMITS;
use crate::trusts::{Checking, Trust, list};

/// What is said about a new trust. Files are DER or PEM with any number of
/// blocks.
#[derive(Clone, Debug)]
pub struct NewTrust {
    /// Its name in the namespace.
    pub name: String,
    /// Whom paths end at.
    pub anchors: Vec<Vec<u8>>,
    /// Certificates that are of use, trusted in nothing.
    pub intermediates: Vec<Vec<u8>>,
    /// Revocation lists.
    pub lists: Vec<Vec<u8>>,
    /// Which name of a certificate says whose it is.
    pub identity: Identity,
    /// How much must be known about revocation; by whether there are lists if
    /// that is not said.
    pub checking: Option<Checking>,
}

impl Engine {
    /// Trusts an external authority to say who principals of the namespace
    /// are. Nobody is one by that yet.
    ///
    /// # Errors
    /// [`Error::Exists`]; [`Error::Invalid`] for certificates that are no
    /// authorities', have ended, or lead to no anchor, for one of an authority
    /// that is kept here, and for lists that are not its own.
    pub async fn create_trust(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        new: NewTrust,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Create>(Target::trust(namespace, &new.name))
            .await?;
        let made = create(&entry, &allowed, namespace, new).await;
        entry.failed(&allowed, made).await
    }
}

async fn create(
    entry: &Entry,
    allowed: &Authorized<Create, Target>,
    namespace: &str,
    new: NewTrust,
) -> Result<View> {
    let guard = entry.rooms.lock_changes().await;
    let place = entry
        .rooms
        .places
        .namespace(namespace)
        .ok_or(Error::NotFound { what: "namespace" })?;
    let claim = match entry.once::<TrustRecord>(place.id.0).await? {
        Once::First(claim) => claim,
        Once::Again(id, record) => {
            entry.record_again(allowed, id).await?;
            let whose = (place.id, Arc::from(namespace));
            let known = entry.rooms.trusts.find(namespace, &record.name);
            return match known.filter(|known| known.id == id) {
                Some(known) => View::of(&known),
                None => View::of(&Trust::new((id, 1), whose, record, Vec::new())?),
            };
        }
    };
    let name = Name::new(&new.name)?;
    let known = entry.rooms.trusts.of(namespace);
    if known.iter().any(|one| one.record.name == name.as_str()) {
        return Err(Error::Exists {
            what: "a trust of that name",
        });
    }
    if known.len() >= TRUSTS_MAX {
        return Err(Error::TooLarge {
            what: "the number of trusts",
            limit: TRUSTS_MAX as u64,
        });
    }
    let record = TrustRecord {
        name: new.name,
        anchors: authorities(&new.anchors, ANCHORS_MAX)?,
        intermediates: authorities(&new.intermediates, INTERMEDIATES_MAX)?,
        identity: new.identity.name().to_owned(),
        checking: new.checking.map(|one| one.name().to_owned()),
        created_at: entry.now().0,
    };
    stands(entry, namespace, &record)?;
    let id = RecordId::random()?;
    let mut trust = Trust::new(
        (id, 1),
        (place.id, Arc::from(namespace)),
        record.clone(),
        Vec::new(),
    )?;
    let mut changes = vec![Change::Put {
        namespace: place.id.0,
        kind: Kind::Trust,
        id,
        name: Some(record.name.clone()),
        expected: None,
        plaintext: records::encode(&record)?,
    }];
    for der in read_lists(&new.lists)? {
        lists::add(entry, &mut trust, der, &mut changes).await?;
    }
    changes.extend(claim.remember(id, &record)?);
    let mut prints = String::new();
    for anchor in &record.anchors {
        prints.push_str(&hex(&sha256(&[&anchor.0])));
        prints.push(' ');
    }
    let event = EventDraft::of(entry, allowed, Outcome::Success)?
        .target_id(id)
        .detail(DetailKey::Fingerprint, prints.trim_end());
    entry
        .change((guard, claim), changes, event, move |rooms, _| {
            let view = View::of(&trust)?;
            rooms.trusts.put(trust);
            Ok(view)
        })
        .await
}

/// Whether the certificates are such that a path can be found by them, and
/// somebody else's.
pub(super) fn stands(entry: &Entry, namespace: &str, record: &TrustRecord) -> Result<()> {
    let anchors = list::read(&record.anchors)?;
    let intermediates = list::read(&record.intermediates)?;
    if anchors.is_empty() {
        return Err(Error::Invalid("a trust has an anchor".into()));
    }
    let now = Moment(entry.now().0);
    for anchor in &anchors {
        if !(anchor.not_before()..=anchor.not_after()).contains(&now) {
            let subject = anchor.subject();
            return Err(Error::Invalid(format!(
                "the anchor {subject} is not valid now"
            )));
        }
    }
    // What an authority kept here issued and revoked is known here, and better
    // than by its lists.
    for authority in entry.rooms.authorities.of(namespace) {
        let ours = |key: &[u8]| authority.issuers.iter().any(|one| one.pki.spki == key);
        let mut all = anchors.iter().chain(&intermediates);
        if all.any(|one| ours(one.public_key().der)) {
            return Err(Error::Invalid(format!(
                "{} is an authority of this namespace: register its principals with it",
                authority.record.name
            )));
        }
    }
    let evidence = Evidence {
        anchors: &anchors,
        intermediates: &intermediates,
        ..Evidence::default()
    };
    for one in &intermediates {
        let options = Options {
            limits: LIMITS,
            ..Options::new(now)
        };
        validate(one, &evidence, &options).map_err(|refusal| {
            Error::Invalid(format!("an intermediate, {}: {refusal}", one.subject()))
        })?;
    }
    Ok(())
}
