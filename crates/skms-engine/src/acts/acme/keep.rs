//! What goes on by itself: orders whose time is long over are forgotten, and
//! answers that were being looked for when the server stopped are looked for
//! again.

use std::sync::Arc;

use skms_pki::acme::{ChallengeKind, ChallengeStatus};
use skms_store::{Change, Kind};

use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::records;
use crate::records::acme::{ChallengeRecord, OrderRecord};

/// How long an order is kept after its end, in seconds: ninety days, in which
/// its certificate can be fetched again.
const KEPT_SECONDS: i64 = 90 * 86_400;
/// The same of an order that no certificate came of: a day.
const KEPT_WITHOUT_SECONDS: i64 = 86_400;
/// Orders that one step reads.
const STEP: usize = 256;

impl OrderRecord {
    /// A challenge of one of its authorizations.
    pub(super) fn challenge_mut(
        &mut self,
        at: usize,
        kind: ChallengeKind,
    ) -> Option<&mut ChallengeRecord> {
        let one = self.authorizations.get_mut(at)?;
        one.challenges
            .iter_mut()
            .find(|challenge| challenge.kind == kind.name())
    }
}

impl Engine {
    /// Walks over every order: forgets those that ended long ago, and takes up
    /// what is not finished. Returns how many it forgot.
    ///
    /// # Errors
    /// [`Error::Sealed`]; what the store refuses.
    pub async fn keep_acme_orders(self: &Arc<Self>) -> Result<usize> {
        let rooms = self.rooms()?;
        let now = rooms.clock.now().0;
        let mut forgotten = 0;
        for authority in rooms.authorities.all() {
            if authority.record.acme.is_none() {
                continue;
            }
            let scope = authority.namespace.0;
            let mut after = None;
            loop {
                let page = rooms
                    .store
                    .scan(scope, Kind::AcmeOrder, after, STEP)
                    .await?;
                after = page.last().map(|stored| stored.id);
                if after.is_none() {
                    break;
                }
                let mut gone = Vec::new();
                for stored in page {
                    let order: OrderRecord = records::decode(stored.plaintext.expose())?;
                    if order.authority != authority.id_text() {
                        continue;
                    }
                    let kept = match order.certificate {
                        Some(_) => KEPT_SECONDS,
                        None => KEPT_WITHOUT_SECONDS,
                    };
                    if now.saturating_sub(order.expires_at) > kept {
                        gone.push(Change::Delete {
                            namespace: scope,
                            kind: Kind::AcmeOrder,
                            id: stored.id,
                            expected: stored.revision,
                        });
                        continue;
                    }
                    for (at, one) in order.authorizations.iter().enumerate() {
                        for challenge in &one.challenges {
                            if challenge.status == ChallengeStatus::Processing.name()
                                && let Ok(kind) = challenge.kind.parse()
                            {
                                self.look(&authority, (stored.id, at, kind));
                            }
                        }
                    }
                }
                forgotten += gone.len();
                if !gone.is_empty() {
                    match rooms.store.commit(gone, None).await {
                        Ok(_) | Err(skms_store::Error::Conflict { .. }) => {}
                        Err(error) => return Err(Error::from(error)),
                    }
                }
                tokio::task::yield_now().await;
            }
        }
        Ok(forgotten)
    }
}
