//! Opening an authority to ACME, changing how, and closing it.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};

use super::{Manage, Opening, Place};
use crate::acts::authorities::{Read, put};
use crate::authority::doors::Door;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};

impl Engine {
    /// Opens an authority to ACME, or changes how it is; `None` closes it.
    /// Accounts and their orders stay, and go on when it is opened again.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a profile that the authority does not issue by, or
    /// that nothing is given by to whoever only proved control of names, and for
    /// no way to prove it.
    pub async fn acme_open(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): Place<'_>,
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
                check(opening)?;
                authority.profile_at(Door::Acme, &opening.profile)?;
            }
            let mut record = authority.record.clone();
            record.acme = opening.as_ref().map(Into::into);
            let mut event = EventDraft::of(&entry, &allowed, Outcome::Success)?.detail(
                DetailKey::Changed,
                if opening.is_some() {
                    "opened"
                } else {
                    "closed"
                },
            );
            if let Some(opening) = &opening {
                event = event.detail(DetailKey::Profile, opening.profile.name());
            }
            put(&entry, guard, &authority, record, Vec::new(), event).await?;
            Ok(opening)
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// How an authority is open to ACME, if it is.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent authority and one not visible.
    pub async fn acme_read(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): Place<'_>,
    ) -> Result<Option<Opening>> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Read>(entry.authority_target(namespace, name))
            .await?;
        let found = entry.authority(namespace, name);
        let authority = entry.failed(&allowed, found).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry.record(event).await?;
        authority
            .record
            .acme
            .as_ref()
            .map(Opening::try_from)
            .transpose()
    }

    /// How an authority is open, for whoever asks at its door.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is not; [`Error::Sealed`].
    pub fn acme_opening(&self, place: Place<'_>) -> Result<Opening> {
        let authority = super::entering::open(&*self.rooms()?, place)?;
        let record = authority.record.acme.as_ref();
        Opening::try_from(record.ok_or(Error::NotFound { what: "authority" })?)
    }
}

fn check(opening: &Opening) -> Result<()> {
    if opening.challenges.is_empty() {
        return Err(Error::Invalid("name at least one challenge".into()));
    }
    let terms = opening.terms_of_service.as_deref();
    let good = |url: &str| {
        let web = url.starts_with("https://") || url.starts_with("http://");
        web && url.len() <= 1024 && url.bytes().all(|byte| byte.is_ascii_graphic())
    };
    if terms.is_some_and(|url| !good(url)) {
        return Err(Error::Invalid(
            "the terms of service are a web address".into(),
        ));
    }
    Ok(())
}
