//! Whose certificates count in a key exchange: those that authorities of ours
//! issued, and what is known here of their revocation the moment it is known.
//! As whom somebody is known is looked up afterwards, by namespace.

use std::sync::Arc;

use skms_exchange::{Identity, Received, Responder, Standing, Trust};
use skms_keys::RevocationReason;
use skms_pki::issue::Serial;
use skms_pki::{Certificate, Evidence, Moment, ValidPath};

use crate::authority::Issuer;
use crate::engine::Rooms;
use crate::trusts::judge::STRANGERS;

/// The issuers that may have certified the client, and whether their own
/// certificates are revoked.
pub(super) struct Anchored(Vec<(Arc<Issuer>, bool)>);

impl Anchored {
    pub(super) fn of(rooms: &Rooms) -> Self {
        let mut issuers = Vec::new();
        for authority in rooms.authorities.all() {
            for issuer in &authority.issuers {
                let withdrawn = rooms.authorities.is_withdrawn(issuer);
                issuers.push((Arc::clone(issuer), withdrawn));
            }
        }
        Self(issuers)
    }

    /// Judges message 1 by them.
    pub(super) fn receive(
        &self,
        responder: &Responder,
        message: &[u8],
        identity: &Identity,
        now: Moment,
    ) -> skms_exchange::Result<Received> {
        let chains: Vec<&Vec<Vec<u8>>> = self.0.iter().map(|(one, _)| &one.pki.chain).collect();
        let read = |der| Certificate::from_der(der).ok();
        let tops = chains.iter().filter_map(|chain| chain.last());
        let anchors: Vec<_> = tops.filter_map(|der| read(der)).collect();
        let between = chains.iter().copied().flatten();
        let intermediates: Vec<_> = between.filter_map(|der| read(der)).collect();
        let standing = |path: &ValidPath<'_, '_>| self.standing(path);
        let mut trust = Trust::new(Evidence {
            anchors: &anchors,
            intermediates: &intermediates,
            ..Evidence::default()
        })
        .told(&standing);
        trust.options.limits = STRANGERS;
        responder.receive(message, identity, &trust, now)
    }

    /// What is known here of a client's certificate. Nothing is known of one
    /// whose issuer is not kept here.
    fn standing(&self, path: &ValidPath<'_, '_>) -> Standing {
        let mut certificates = path.certificates.iter();
        let (Some(own), Some(above)) = (certificates.next(), certificates.next()) else {
            return Standing::Unknown;
        };
        let Ok(serial) = Serial::from_contents(own.serial()) else {
            return Standing::Unknown;
        };
        let key = above.public_key().der;
        let by = (self.0.iter()).find(|(issuer, _)| issuer.pki.spki == key);
        let Some((issuer, withdrawn)) = by else {
            return Standing::Unknown;
        };
        let revoked = issuer.revoked.get(&serial).filter(|one| one.stands());
        match (withdrawn, revoked.map(|one| one.reason)) {
            (true, _) => Standing::Revoked,
            (false, None) => Standing::Good,
            (false, Some(RevocationReason::CertificateHold)) => Standing::OnHold,
            (false, Some(_)) => Standing::Revoked,
        }
    }
}
