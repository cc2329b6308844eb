//! Profiles of an authority's own: written, changed and taken away.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};

use super::{Update, View, install};
use crate::authority::named::NamedProfile;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};

/// The most profiles of an authority's own.
const PROFILES_MAX: usize = 64;

impl Engine {
    /// Writes a profile of an authority's own; what was issued by an earlier
    /// one of the name stays as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a profile that cannot be, or would add to the one
    /// that it is based on; [`Error::TooLarge`] for more than 64.
    pub async fn put_authority_profile(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        profile: NamedProfile,
    ) -> Result<View> {
        let written = profile.name.clone();
        let change = move |all: &mut Vec<NamedProfile>| {
            profile.profile()?;
            all.retain(|one| one.name != profile.name);
            if all.len() >= PROFILES_MAX {
                return Err(Error::TooLarge {
                    what: "the number of an authority's profiles",
                    limit: PROFILES_MAX as u64,
                });
            }
            all.push(profile);
            all.sort_by(|a, b| a.name.cmp(&b.name));
            Ok(())
        };
        self.change_profiles(caller, (namespace, name), &written, change)
            .await
    }

    /// Takes a profile of an authority's own away.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn remove_authority_profile(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        profile: &str,
    ) -> Result<View> {
        let change = |all: &mut Vec<NamedProfile>| {
            let before = all.len();
            all.retain(|one| one.name != profile);
            match all.len() < before {
                true => Ok(()),
                false => Err(Error::NotFound { what: "profile" }),
            }
        };
        self.change_profiles(caller, (namespace, name), profile, change)
            .await
    }

    async fn change_profiles(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): (&str, &str),
        profile: &str,
        change: impl FnOnce(&mut Vec<NamedProfile>) -> Result<()>,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Update>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let authority = entry.authority(namespace, name)?;
            let mut record = authority.record.clone();
            change(&mut record.named)?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Changed, "profiles")
                .detail(DetailKey::Profile, profile);
            install::put(&entry, guard, &authority, record, Vec::new(), event).await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}
