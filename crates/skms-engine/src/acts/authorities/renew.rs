//! Certifies an authority anew: on a new key, which makes a new issuer beside
//! the old one, or on the same key for another lifetime. The old issuer goes on
//! publishing for what it issued, for as long as its key is active.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_pki::Certificate;
use skms_pki::issue::{self, NameBuf, ProfileKind, Request, Serial};
use skms_pki::signature::{Standard, Verify as _};
use skms_store::Change;

use super::create::{check_rules, signing_key, spki, waiting};
use super::{Certify, Extent, Renew, View, install, profile, span};
use crate::authority::issuing::{self, Wanted};
use crate::authority::signer::Signer;
use crate::authority::{Authority, Issuer, load};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::records::authority::{AuthorityRecord, SigningKeyRecord};
use crate::records::der::Der;

/// What there is to work with.
struct Renewal<'a> {
    entry: &'a Entry,
    authority: &'a Arc<Authority>,
    before: &'a Issuer,
    key: &'a Authorized<Renew, KeyTarget>,
    /// The key that is to be certified.
    signing: SigningKeyRecord,
    request: Request,
    extent: Extent,
}

/// What came of it, not committed yet.
struct Renewed {
    record: AuthorityRecord,
    changes: Vec<Change>,
    event: EventDraft,
    signers: Vec<Signer>,
}

impl Engine {
    /// Certifies an authority anew, by whoever certified it before: itself or
    /// another authority of the namespace. One that was certified elsewhere
    /// gets a request for its new key, and goes on with the old one until the
    /// certificate is installed.
    ///
    /// # Errors
    /// [`Error::NotFound`] for the new key; [`Error::Pki`] for a certificate
    /// that cannot be.
    pub async fn renew_authority(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        onto: Option<(&str, &str)>,
        lifetime_seconds: Option<u64>,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Renew>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let guard = entry.rooms.lock_changes().await;
            let authority = entry.authority(namespace, name)?;
            let before = authority.current().ok_or_else(|| waiting(&authority))?;
            let record = &authority.record.key;
            let (key, signing) = match onto {
                None => (
                    entry.authority_key::<Renew>(&authority, record).await?,
                    record.clone(),
                ),
                Some((keyring, name)) => {
                    let at = KeyRef {
                        namespace,
                        keyring,
                        name,
                    };
                    let key = entry.authorize_key::<Renew>(at).await?;
                    let signing = signing_key(&key, None)?;
                    check_rules(&authority.rules, &signing, true)?;
                    (key, signing)
                }
            };
            let own = before.certificate()?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .also_key(&key.target().snapshot());
            let renewal = Renewal {
                entry: &entry,
                authority: &authority,
                before,
                request: Request::new(NameBuf::from(own.subject()), spki(&key, &signing)?),
                key: &key,
                signing,
                extent: Extent {
                    lifetime_seconds: Some(lifetime_seconds.unwrap_or_else(|| lasted(&own))),
                    ..authority.record.extent.clone().try_into()?
                },
            };
            let renewed = if own.is_self_issued() {
                renewal.root(event).await?
            } else if let Some(parent) = renewal.parent(namespace, &own) {
                renewal.below(namespace, &parent, event).await?
            } else {
                renewal.elsewhere(event).await?
            };
            install::put(
                &entry,
                (guard, renewed.signers),
                &authority,
                renewed.record,
                renewed.changes,
                renewed.event,
            )
            .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

impl Renewal<'_> {
    /// A root signs itself anew. A new key is also certified by the old one
    /// and the old one by the new (RFC 4210, section 4.4), so that who trusts
    /// either finds a path.
    async fn root(mut self, event: EventDraft) -> Result<Renewed> {
        let scheme = load::scheme(&self.signing)?;
        let profile = profile(ProfileKind::Root, &self.extent);
        let now = self.entry.now();
        (self.request.not_before, self.request.not_after) =
            span(&profile, now, self.extent.lifetime_seconds);
        let root = issue::Authority::root(&self.request, scheme)?;
        let serial = Serial::from_random(skms_crypto::rand::array()?);
        let planned = profile.plan(&root, &self.request, serial, issuing::moment(now))?;
        let signer = Signer::take(self.entry, self.key, &self.signing).await?;
        let signature = signer.sign(self.entry, planned.tbs()).await?;
        let der = planned.signed(&signature)?;
        let mut record = self.authority.record.clone();
        let number = install::add(&mut record, &self.signing, Der(der.clone()), Vec::new());
        record.key = self.signing.clone();
        let mut signers = vec![signer];
        if number != self.before.number {
            let new = issue::Authority::from_chain(vec![der], scheme)?;
            let old = &self.before.pki;
            // The old key may be gone already; then nobody needs its word.
            let old_signer = self.old_signer().await;
            if let (Ok(old_signer), Some(new_signer)) = (old_signer, signers.first()) {
                let new_with_old = self.link(old, &old_signer, &new).await?;
                let old_with_new = self.link(&new, new_signer, old).await?;
                for one in &mut record.issuers {
                    if one.number == number {
                        one.cross.push(Der(new_with_old.clone()));
                    } else if one.number == self.before.number {
                        one.cross.push(Der(old_with_new.clone()));
                    }
                }
                signers.push(old_signer);
            }
        }
        Ok(Renewed {
            record,
            changes: Vec::new(),
            event,
            signers,
        })
    }

    /// One root's key certifies the other's, for as long as both last.
    async fn link(
        &self,
        by: &issue::Authority,
        signer: &Signer,
        of: &issue::Authority,
    ) -> Result<Vec<u8>> {
        let der = of
            .chain
            .first()
            .ok_or(Error::Internal("an authority without a certificate"))?;
        let certificate = Certificate::from_der(der).map_err(super::unreadable)?;
        let mut request = Request::cross(&certificate);
        let ends = by.not_after()?.unwrap_or_else(|| certificate.not_after());
        request.not_after = Some(certificate.not_after().min(ends));
        let mut profile = profile(ProfileKind::Intermediate, &self.extent);
        if let Some(rules) = &mut profile.authority {
            rules.path_len = None;
        }
        profile.lifetime.max_seconds = i64::MAX;
        let serial = Serial::from_random(skms_crypto::rand::array()?);
        let now = issuing::moment(self.entry.now());
        let planned = profile.plan(by, &request, serial, now)?;
        let signature = signer.sign(self.entry, planned.tbs()).await?;
        Ok(planned.signed(&signature)?)
    }

    /// The key before, for its word about the new one.
    async fn old_signer(&self) -> Result<Signer> {
        let before = &self.before.key;
        let key = self
            .entry
            .authority_key::<Renew>(self.authority, before)
            .await?;
        Signer::take(self.entry, &key, before).await
    }

    /// The authority above certifies it anew.
    async fn below(
        mut self,
        namespace: &str,
        parent: &Arc<Authority>,
        event: EventDraft,
    ) -> Result<Renewed> {
        let target = self.entry.authority_target(namespace, &parent.record.name);
        let allowed = self.entry.authorize::<Certify>(target).await?;
        let issuer = parent.current().ok_or_else(|| waiting(parent))?;
        let key = self
            .entry
            .authority_key::<Certify>(parent, &issuer.key)
            .await;
        let key = self.entry.failed(&allowed, key).await?;
        let profile = profile(ProfileKind::Intermediate, &self.extent);
        (self.request.not_before, self.request.not_after) =
            span(&profile, self.entry.now(), self.extent.lifetime_seconds);
        let signer = Signer::take(self.entry, &key, &issuer.key).await?;
        let wanted = Wanted {
            kind: ProfileKind::Intermediate,
            named: None,
            profile: &profile,
            request: &self.request,
            subject_key: Some((&self.signing).into()),
        };
        let draft = issuing::issue(self.entry, (parent, issuer), &signer, wanted).await?;
        let chain = issuer.pki.chain.iter().cloned().map(Der).collect();
        let mut record = self.authority.record.clone();
        let der = draft.record.certificate.clone();
        install::add(&mut record, &self.signing, der, chain);
        record.key = self.signing;
        Ok(Renewed {
            record,
            event: event.certificate(&draft),
            changes: draft.changes,
            signers: vec![signer],
        })
    }

    /// Somebody elsewhere is to certify it: a request is all that can be made.
    async fn elsewhere(self, event: EventDraft) -> Result<Renewed> {
        let signer = Signer::take(self.entry, self.key, &self.signing).await?;
        let planned = self.request.to_csr(load::scheme(&self.signing)?)?;
        let signature = signer.sign(self.entry, planned.tbs()).await?;
        let mut record = self.authority.record.clone();
        record.request = Some(Der(planned.signed(&signature)?));
        record.key = self.signing;
        Ok(Renewed {
            record,
            changes: Vec::new(),
            event,
            signers: vec![signer],
        })
    }

    /// The authority of the namespace that issued a certificate.
    fn parent(&self, namespace: &str, own: &Certificate<'_>) -> Option<Arc<Authority>> {
        let issued = |issuer: &Arc<Issuer>| {
            issuer
                .certificate()
                .is_ok_and(|above| Standard.verify(above.public_key(), own.signed()).is_ok())
        };
        self.entry
            .rooms
            .authorities
            .of(namespace)
            .into_iter()
            .find(|authority| authority.issuers.iter().any(issued))
    }
}

/// How long a certificate lasts, in seconds, first and last one included.
fn lasted(own: &Certificate<'_>) -> u64 {
    let seconds = own.not_after().0.saturating_sub(own.not_before().0);
    u64::try_from(seconds).unwrap_or(0).saturating_add(1)
}
