//! Changes an authority's rules, and deletes authorities.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_pki::issue::ProfileKind;
use skms_store::{Change, Kind};

use super::create::{check_listener, check_rules, ocsp_signer};
use super::{Delete, Update, View, install};
use crate::authority::Rules;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::records;
use crate::records::authority::AuthorityRulesRecord;
use crate::records::certificate::CertificateRecord;

/// What is to change; the rest stays.
#[derive(Clone, Debug, Default)]
pub struct RulesChange {
    /// The profiles it issues by.
    pub profiles: Option<Vec<ProfileKind>>,
    /// The longest lifetime in seconds.
    pub max_lifetime_seconds: Option<u64>,
    /// Where what it publishes is found; `Some(None)` for nowhere any more.
    pub publish_url: Option<Option<String>>,
    /// For how many seconds a revocation list is good.
    pub crl_seconds: Option<u64>,
    /// Into how many lists its certificates are divided.
    pub crl_shards: Option<u32>,
    /// For how many seconds an OCSP response is good.
    pub ocsp_seconds: Option<u64>,
    /// The key that signs OCSP responses, by keyring and name, in its newest
    /// version; `Some(None)` for the authority's own again.
    pub ocsp_signer: Option<Option<(String, String)>>,
    /// Whether OCSP responses are signed before anybody asks.
    pub ocsp_presign: Option<bool>,
    /// Whether certificates are on hold while their key is suspended.
    pub hold_suspended: Option<bool>,
    /// Whether the server's own listener is certified by it.
    pub listener: Option<bool>,
}

impl RulesChange {
    /// The rules with what is to change.
    #[must_use]
    pub fn apply(self, rules: &Rules) -> Rules {
        Rules {
            profiles: self.profiles.unwrap_or_else(|| rules.profiles.clone()),
            max_lifetime_seconds: self.max_lifetime_seconds.or(rules.max_lifetime_seconds),
            publish_url: self
                .publish_url
                .unwrap_or_else(|| rules.publish_url.clone()),
            crl_seconds: self.crl_seconds.unwrap_or(rules.crl_seconds),
            crl_shards: self.crl_shards.unwrap_or(rules.crl_shards),
            ocsp_seconds: self.ocsp_seconds.unwrap_or(rules.ocsp_seconds),
            ocsp_signer: self
                .ocsp_signer
                .unwrap_or_else(|| rules.ocsp_signer.clone()),
            ocsp_presign: self.ocsp_presign.unwrap_or(rules.ocsp_presign),
            hold_suspended: self.hold_suspended.unwrap_or(rules.hold_suspended),
            listener: self.listener.unwrap_or(rules.listener),
        }
    }

    fn names(&self) -> String {
        let named = [
            ("profiles", self.profiles.is_some()),
            ("max_lifetime_seconds", self.max_lifetime_seconds.is_some()),
            ("publish_url", self.publish_url.is_some()),
            ("crl_seconds", self.crl_seconds.is_some()),
            ("crl_shards", self.crl_shards.is_some()),
            ("ocsp_seconds", self.ocsp_seconds.is_some()),
            ("ocsp_signer", self.ocsp_signer.is_some()),
            ("ocsp_presign", self.ocsp_presign.is_some()),
            ("hold_suspended", self.hold_suspended.is_some()),
            ("listener", self.listener.is_some()),
        ];
        let set: Vec<&str> = named
            .iter()
            .filter(|(_, set)| *set)
            .map(|(name, _)| *name)
            .collect();
        set.join(" ")
    }
}

impl Engine {
    /// Changes an authority's rules.
    ///
    /// # Errors
    /// [`Error::Invalid`] for rules that cannot be. The number of shards stays
    /// once certificates point at them.
    pub async fn update_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        change: RulesChange,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Update>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let authority = entry.authority(namespace, name)?;
            let changed = change.names();
            let signer_changes = change.ocsp_signer.is_some();
            let rules = change.apply(&authority.rules);
            let named = !authority.record.named.is_empty();
            check_rules(&rules, &authority.record.key, named)?;
            check_listener(&entry, namespace, name, &rules)?;
            if rules.crl_shards != authority.rules.crl_shards
                && !authority.issuers.is_empty()
                && authority.rules.publish_url.is_some()
            {
                return Err(Error::Invalid(
                    "certificates point at the shards that there are: their number stays".into(),
                ));
            }
            let mut record = authority.record.clone();
            let signer = match signer_changes {
                true => ocsp_signer::<Update>(&entry, namespace, &rules).await?,
                false => record.rules.ocsp_signer.take(),
            };
            if signer_changes {
                // The key that is set, be it the same, is certified anew.
                for issuer in &mut record.issuers {
                    issuer.ocsp = None;
                }
            }
            record.rules = AuthorityRulesRecord::new(&rules, signer);
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Changed, changed);
            install::put(&entry, guard, &authority, record, Vec::new(), event).await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Deletes an authority none of whose certificates still counts.
    ///
    /// # Errors
    /// [`Error::NotEmpty`] while one does.
    pub async fn delete_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Delete>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let authority = entry.authority(namespace, name)?;
            let scope = authority.namespace.0;
            let (id, now) = (authority.id_text(), entry.now().0);
            let mut after = None;
            loop {
                let page = entry
                    .rooms
                    .store
                    .scan(scope, Kind::Certificate, after, 256)
                    .await?;
                after = page.last().map(|record| record.id);
                if after.is_none() {
                    break;
                }
                for stored in page {
                    let record: CertificateRecord = records::decode(stored.plaintext.expose())?;
                    if record.authority == id && record.ends()? >= now {
                        return Err(Error::NotEmpty(
                            "certificates of this authority have not ended yet",
                        ));
                    }
                }
            }
            let gone = Change::Delete {
                namespace: scope,
                kind: Kind::Authority,
                id: authority.id,
                expected: authority.revision,
            };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
            let (namespace, name) = (namespace.to_owned(), name.to_owned());
            entry
                .change(guard, vec![gone], event, move |rooms, _| {
                    rooms.authorities.remove(&namespace, &name);
                    Ok(())
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}
