//! An issuer's revocation lists: what goes into which, planned and signed. One
//! complete list for each shard, and for each the difference since all were
//! made, where certificates point at that.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_keys::{RevocationReason, UnixSeconds};
use skms_pki::crl::Reason;
use skms_pki::issue::Serial;
use skms_pki::issue::authority::expand;
use skms_pki::issue::crl::{List, ListEntry};

use super::issuing::moment;
use super::published::{Document, Lists};
use super::signer::Signer;
use super::{Authority, Issuer, Revocation};
use crate::error::Result;
use crate::gate::Entry;

/// Entries up to which a complete list is made anew with each change. Longer
/// ones wait for their time, and the difference tells meanwhile.
const SHORT: usize = 20_000;

/// How much earlier than a list a revocation may have been asked for that is
/// not on it: twice as long as an answer may take. Such a one is in the
/// difference too.
const LATE_SECONDS: i64 = 120;

/// RFC 5280's reason as lists write it.
pub(crate) const fn reason(reason: RevocationReason) -> Reason {
    use RevocationReason as Key;
    match reason {
        Key::Unspecified => Reason::Unspecified,
        Key::KeyCompromise => Reason::KeyCompromise,
        Key::CaCompromise => Reason::CaCompromise,
        Key::AffiliationChanged => Reason::AffiliationChanged,
        Key::Superseded => Reason::Superseded,
        Key::CessationOfOperation => Reason::CessationOfOperation,
        Key::CertificateHold => Reason::CertificateHold,
        Key::RemoveFromCrl => Reason::RemoveFromCrl,
        Key::PrivilegeWithdrawn => Reason::PrivilegeWithdrawn,
        Key::AaCompromise => Reason::AaCompromise,
    }
}

/// What lists are made from.
pub(crate) struct Making<'a> {
    pub(crate) entry: &'a Entry,
    pub(crate) authority: &'a Authority,
    pub(crate) issuer: &'a Arc<Issuer>,
    pub(crate) signer: &'a Signer,
    /// The number of these lists: above that of every list before.
    pub(crate) number: u64,
}

impl Making<'_> {
    /// Makes every list anew; `epoch` is that of what is known.
    pub(crate) async fn all(&self, epoch: u64) -> Result<Lists> {
        let base = (self.number, self.entry.now());
        let mut lists = Lists {
            number: self.number,
            base,
            epoch,
            complete: Vec::new(),
            deltas: Vec::new(),
        };
        for shard in 0..self.authority.rules.crl_shards {
            lists
                .complete
                .push(self.complete(shard, self.number).await?);
        }
        if self.has_deltas() {
            lists.number += 1;
            for shard in 0..self.authority.rules.crl_shards {
                let delta = self.delta(shard, lists.number, base).await?;
                lists.deltas.push(delta);
            }
        }
        Ok(lists)
    }

    /// Makes those anew whose certificates are among the changed ones.
    pub(crate) async fn changed(
        &self,
        before: &Lists,
        changed: &BTreeSet<Serial>,
        epoch: u64,
    ) -> Result<Lists> {
        let shards = self.authority.rules.crl_shards;
        let mut lists = before.clone();
        lists.number = self.number;
        lists.epoch = epoch;
        let mut touched: Vec<u32> = changed.iter().map(|serial| serial.shard(shards)).collect();
        touched.sort_unstable();
        touched.dedup();
        for shard in touched {
            let Ok(at) = usize::try_from(shard) else {
                continue;
            };
            let deltas = self.has_deltas();
            if !deltas || self.issuer.revoked.len() / shards as usize <= SHORT {
                let list = self.complete(shard, self.number).await?;
                if let Some(place) = lists.complete.get_mut(at) {
                    *place = list;
                }
            }
            if deltas && let Some(place) = lists.deltas.get_mut(at) {
                *place = self.delta(shard, self.number, before.base).await?;
            }
        }
        Ok(lists)
    }

    fn has_deltas(&self) -> bool {
        !self.issuer.pki.published.deltas.is_empty()
    }

    async fn complete(&self, shard: u32, number: u64) -> Result<Arc<Document>> {
        let (from, until) = self.span();
        let published = &self.issuer.pki.published;
        let mut list = List::complete(number, moment(from), moment(until));
        if self.authority.rules.crl_shards > 1 {
            list.point = expand(&published.crls, shard);
        }
        list.freshest = expand(&published.deltas, shard);
        // A revocation stays on one list after its certificate's end.
        let oldest = from.0.saturating_sub(self.seconds());
        let choose = move |entry: &Revocation| {
            let counts = entry.stands() && entry.not_after.0 >= oldest;
            counts.then(|| reason(entry.reason))
        };
        self.sign(list, shard, choose).await
    }

    async fn delta(
        &self,
        shard: u32,
        number: u64,
        base: (u64, UnixSeconds),
    ) -> Result<Arc<Document>> {
        let (from, until) = self.span();
        let mut list = List::complete(number, moment(from), moment(until));
        list.base = Some(base.0);
        if self.authority.rules.crl_shards > 1 {
            list.point = expand(&self.issuer.pki.published.crls, shard);
        }
        // A revocation has the time at which it was asked for, and may have come
        // too late for the base all the same.
        let since = UnixSeconds(base.1.0.saturating_sub(LATE_SECONDS));
        let base_at = base.1;
        let choose = move |entry: &Revocation| {
            if entry.changed_at < since {
                None
            } else if entry.stands() {
                Some(reason(entry.reason))
            } else {
                // Only who reads the list before has to hear of its end.
                (entry.at <= base_at).then_some(Reason::RemoveFromCrl)
            }
        };
        self.sign(list, shard, choose).await
    }

    fn seconds(&self) -> i64 {
        i64::try_from(self.authority.rules.crl_seconds).unwrap_or(i64::MAX)
    }

    /// First and last moment of a list; not beyond the issuer's own end.
    fn span(&self) -> (UnixSeconds, UnixSeconds) {
        let from = self.entry.now();
        (from, UnixSeconds(from.0.saturating_add(self.seconds())))
    }

    async fn sign(
        &self,
        list: List,
        shard: u32,
        choose: impl Fn(&Revocation) -> Option<Reason> + Send + 'static,
    ) -> Result<Arc<Document>> {
        let (issuer, shards) = (Arc::clone(self.issuer), self.authority.rules.crl_shards);
        let (from, until) = (list.this_update, list.next_update);
        // A million entries take a while.
        let planned = self
            .entry
            .rooms
            .slow
            .run(move || {
                let entries = issuer.revoked.collect(|serial, entry| {
                    if serial.shard(shards) != shard {
                        return None;
                    }
                    Some(ListEntry {
                        serial: *serial,
                        date: moment(entry.at),
                        reason: Some(choose(entry)?),
                        invalidity: entry.invalid_since.map(moment),
                    })
                });
                list.plan(&issuer.pki, entries)
            })
            .await??;
        let signature = self.signer.sign(self.entry, planned.tbs()).await?;
        Ok(Arc::new(Document::new(
            planned.signed(&signature)?,
            UnixSeconds(from.0),
            UnixSeconds(until.0),
        )))
    }
}
