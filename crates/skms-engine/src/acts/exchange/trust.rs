//! Whose certificates count in a key exchange: those that authorities of ours
//! issued, and what is known here of their revocation the moment it is known;
//! and those of external authorities that the key's namespace trusts, or the
//! root namespace, by the lists that were imported for them. As whom somebody is
//! known is looked up afterwards, by namespace.

use std::sync::Arc;

use skms_exchange::{Identity, Received, Responder, Standing, Trust};
use skms_keys::RevocationReason;
use skms_pki::issue::Serial;
use skms_pki::{Certificate, Evidence, Moment, ValidPath};
use skms_policy::ROOT_NAMESPACE;

use crate::authority::Issuer;
use crate::engine::Rooms;
use crate::trusts::judge::{Bad, STRANGERS, judge_by};
use crate::trusts::{Checking, Trust as External};

fn read(der: &[u8]) -> Option<Certificate<'_>> {
    Certificate::from_der(der).ok()
}

/// A namespace and the root namespace, each once.
fn with_root(namespace: &str) -> impl Iterator<Item = &str> {
    let other = (namespace != ROOT_NAMESPACE).then_some(namespace);
    [ROOT_NAMESPACE].into_iter().chain(other)
}

/// Who may have certified a client.
pub(crate) struct Anchored {
    /// Issuers that are kept here, and whether their own certificates are
    /// revoked.
    issuers: Vec<(Arc<Issuer>, bool)>,
    /// External authorities.
    trusts: Vec<Arc<External>>,
}

impl Anchored {
    /// Those who count for this message.
    pub(super) fn of(rooms: &Rooms, message: &[u8]) -> Self {
        // What cannot be read is refused by its name later.
        let namespace = Responder::asked_for(message).map(|key| key.namespace);
        let namespace = namespace.as_deref().unwrap_or(ROOT_NAMESPACE);
        let mut counting = Self::kept(rooms, namespace);
        for of in with_root(namespace) {
            counting.trusts.extend(rooms.trusts.of(of));
        }
        counting
    }

    /// The authorities of the namespace and of the root namespace alone. Those
    /// of other tenants may be as many as they like and have the names of these:
    /// they neither count nor cost anything here.
    pub(crate) fn kept(rooms: &Rooms, namespace: &str) -> Self {
        let mut issuers = Vec::new();
        for of in with_root(namespace) {
            for authority in rooms.authorities.of(of) {
                for issuer in &authority.issuers {
                    let withdrawn = rooms.authorities.is_withdrawn(issuer);
                    issuers.push((Arc::clone(issuer), withdrawn));
                }
            }
        }
        Self {
            issuers,
            trusts: Vec::new(),
        }
    }

    /// Judges message 1 by them.
    pub(super) fn receive(
        &self,
        responder: &Responder,
        message: &[u8],
        identity: &Identity,
        now: Moment,
    ) -> skms_exchange::Result<Received> {
        self.trusting(now, |trust| {
            responder.receive(message, identity, trust, now)
        })
    }

    /// Calls with a trust in them.
    pub(crate) fn trusting<T>(&self, now: Moment, call: impl FnOnce(&Trust<'_, '_, '_>) -> T) -> T {
        let chains = self.issuers.iter().map(|(one, _)| &one.pki.chain);
        let tops = chains.clone().filter_map(|chain| chain.last());
        let mut anchors: Vec<_> = tops.filter_map(|der| read(der)).collect();
        let between = chains.flatten();
        let mut intermediates: Vec<_> = between.filter_map(|der| read(der)).collect();
        for trust in &self.trusts {
            let own = trust.record.anchors.iter();
            anchors.extend(own.filter_map(|der| read(&der.0)));
            let below = trust.record.intermediates.iter();
            intermediates.extend(below.filter_map(|der| read(&der.0)));
        }
        let standing = |path: &ValidPath<'_, '_>| self.standing(path, now);
        let mut trust = Trust::new(Evidence {
            anchors: &anchors,
            intermediates: &intermediates,
            ..Evidence::default()
        })
        .told(&standing);
        trust.options.limits = STRANGERS;
        call(&trust)
    }

    /// What is known here of a client's certificate. Nothing is known of one
    /// whose issuer is neither kept here nor below an anchor of a trust.
    fn standing(&self, path: &ValidPath<'_, '_>, now: Moment) -> Standing {
        let mut certificates = path.certificates.iter();
        let (Some(own), Some(above)) = (certificates.next(), certificates.next()) else {
            return Standing::Unknown;
        };
        let Ok(serial) = Serial::from_contents(own.serial()) else {
            return Standing::Unknown;
        };
        let key = above.public_key().der;
        let by = (self.issuers.iter()).find(|(issuer, _)| issuer.pki.spki == key);
        let Some((issuer, withdrawn)) = by else {
            return self.by_trusts(path, now);
        };
        let revoked = issuer.revoked.get(&serial).filter(|one| one.stands());
        match (withdrawn, revoked.map(|one| one.reason)) {
            (true, _) => Standing::Revoked,
            (false, None) => Standing::Good,
            (false, Some(RevocationReason::CertificateHold)) => Standing::OnHold,
            (false, Some(_)) => Standing::Revoked,
        }
    }

    /// What the trusts say whose anchor the path ends at. Whatever they ask for
    /// elsewhere, an exchange wants every certificate but the anchor to be good
    /// by a list that is up to date: no news is a refusal.
    fn by_trusts(&self, path: &ValidPath<'_, '_>, now: Moment) -> Standing {
        let shown = path.certificates.iter().map(|one| one.as_der().to_vec());
        let shown: Vec<Vec<u8>> = shown.collect();
        let Some(top) = shown.last() else {
            return Standing::Unknown;
        };
        let mut known = Standing::Unknown;
        for trust in &self.trusts {
            if !trust.record.anchors.iter().any(|anchor| anchor.0 == *top) {
                continue;
            }
            match judge_by(trust, Checking::Path, &shown, now.0) {
                Ok(Ok(_good)) => known = Standing::Good,
                // One of them that knows better is enough.
                Ok(Err(Bad::Revoked(_))) => return Standing::Revoked,
                Ok(Err(Bad::Refused(_) | Bad::Unknown(_))) | Err(_) => {}
            }
        }
        known
    }
}
