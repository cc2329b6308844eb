//! Opening an authority to EST, and what everybody may read of an open one.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_pki::Certificate;
use skms_pki::issue::{SigningScheme, csr_attributes};

use super::{Label, Manage, Opening, open};
use crate::acts::authorities::{Read, put, unreadable};
use crate::authority::doors::Door;
use crate::authority::{Authority, Issuer};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};

impl Engine {
    /// Opens an authority to EST, or changes how it is open; `None` closes it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for profiles that the authority does not issue by,
    /// for none, and for an algorithm whose keys do not sign.
    pub async fn est_open(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        opening: Option<Opening>,
    ) -> Result<Option<Opening>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let authority = entry.authority(namespace, name)?;
            if let Some(opening) = &opening {
                check(opening, &authority)?;
            }
            let mut record = authority.record.clone();
            record.est = opening.as_ref().map(Into::into);
            let changed = match opening {
                Some(_) => "opened to EST",
                None => "closed to EST",
            };
            let mut event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Changed, changed);
            if let Some(record) = &record.est {
                event = event.detail(DetailKey::Profile, record.profiles.join(" "));
            }
            put(&entry, guard, &authority, record, Vec::new(), event).await?;
            Ok(opening)
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// How an authority is open to EST, if it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent authority and one not visible.
    pub async fn est_read(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
    ) -> Result<Option<Opening>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.authority_target(namespace, name))
            .await?;
        let found = entry.authority(namespace, name);
        let authority = entry.failed(&allowed, found).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry.record(event).await?;
        let record = authority.record.est.as_ref();
        record.map(Opening::try_from).transpose()
    }

    /// How an authority is open, for whoever asks at its door.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is not open for this profile;
    /// [`Error::Sealed`].
    pub fn est_opening(&self, label: Label<'_>) -> Result<Opening> {
        Ok(open(&*self.rooms()?, label)?.opening)
    }

    /// The certificates of an open authority and of those above it (DER): of
    /// all its keys whose certificates are neither revoked nor at their end,
    /// cross-certificates too.
    ///
    /// # Errors
    /// As [`Self::est_opening`].
    pub fn est_authorities(&self, label: Label<'_>) -> Result<Vec<Vec<u8>>> {
        let rooms = self.rooms()?;
        let authority = open(&rooms, label)?.authority;
        let now = rooms.clock.now().0;
        let mut all = Vec::new();
        let withdrawn = |issuer: &Arc<Issuer>| rooms.authorities.is_withdrawn(issuer);
        for issuer in authority.issuers.iter().filter(|one| !withdrawn(one)) {
            for der in issuer.pki.chain.iter().chain(&issuer.cross) {
                let read = Certificate::from_der(der).map_err(unreadable)?;
                if read.not_after().0 >= now {
                    all.push(der.clone());
                }
            }
        }
        Ok(all)
    }

    /// What an open authority's clients are told to ask for: CsrAttrs (DER).
    ///
    /// # Errors
    /// As [`Self::est_opening`].
    pub fn est_attributes(&self, label: Label<'_>) -> Result<Vec<u8>> {
        let open = open(&*self.rooms()?, label)?;
        csr_attributes(&open.profile, open.opening.key_algorithm)
            .ok_or(Error::Internal("an opening to EST whose keys do not sign"))
    }
}

fn check(opening: &Opening, authority: &Authority) -> Result<()> {
    if opening.profiles.is_empty() {
        return Err(Error::Invalid("name at least one profile".into()));
    }
    for choice in &opening.profiles {
        authority.profile_at(Door::Est, choice)?;
    }
    if SigningScheme::for_key(opening.key_algorithm).is_none() {
        return Err(Error::Invalid(
            "certificates are made for keys that sign".into(),
        ));
    }
    Ok(())
}
