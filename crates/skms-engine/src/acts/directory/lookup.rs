//! Looks up somebody's sealing key, with how it stands, signed for whoever
//! asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_exchange::sealing::{Status, StatusAnswer, principal_name};
use skms_pki::Moment;
use skms_pki::issue::AltName;

use super::{Read, described, find, text};
use crate::acts::exchange::{certified_by, lists_of};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records::directory::DirectoryRecord;
use crate::target::Target;

/// The most certificates whose lists are asked for at once.
const CERTIFICATES_MAX: usize = 8;

/// What is told about a principal's sealing key.
pub struct Found {
    /// The statement, as its owner signed it.
    pub statement: Vec<u8>,
    /// How it stands, signed by the server for whoever asked.
    pub status: Vec<u8>,
    /// The revocation lists (DER) of those who certified owner and server, as
    /// far as they are published here.
    pub lists: Vec<Vec<u8>>,
}

impl Engine {
    /// Looks up a principal's sealing key. `names` are what the server's
    /// certificate is for; `nonce` is the caller's question.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a principal that published nothing, is not
    /// there, or is not the caller's to see; [`Error::KeyForbids`] where no
    /// authority certifies the server.
    pub async fn look_up_statement(
        &self,
        caller: &Arc<Caller>,
        names: &[AltName],
        (namespace, principal): (&str, &str),
        nonce: &[u8; 32],
    ) -> Result<Found> {
        let entry = self.enter(caller)?;
        let who = (namespace, principal);
        let (known, groups) = self.known(&entry, who).await?;
        let target = Target::principal(namespace, principal, groups);
        let allowed = entry.authorize::<Read>(target).await?;
        let found = async {
            let (record, name) = known.ok_or(Error::NotFound {
                what: "sealing key of that principal",
            })?;
            let who = (namespace, name.as_str());
            let status = self.standing(&entry.rooms, &record, who).await?;
            self.tell(&entry, names, &record, status, nonce).await
        };
        let found = found.await;
        let (found, hash) = entry.failed(&allowed, found).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .detail(DetailKey::Statement, text(&hash));
        entry.record(event).await?;
        Ok(found)
    }

    /// What there is about a principal, with the name in its certificates, and
    /// the principal's groups, which policies may ask about.
    async fn known(
        &self,
        entry: &Entry,
        (namespace, principal): (&str, &str),
    ) -> Result<(Option<(DirectoryRecord, String)>, BTreeSet<String>)> {
        let place = entry.rooms.places.namespace(namespace);
        let (Some(place), Some(name)) = (place, principal_name(namespace, principal)) else {
            return Ok((None, BTreeSet::new()));
        };
        let Some((_, _, record)) = find(&entry.rooms, &place, principal).await? else {
            return Ok((None, BTreeSet::new()));
        };
        let chain = described(&record)?.chain;
        let groups = self.registered(&chain, (namespace, principal)).await?;
        Ok((Some((record, name)), groups.unwrap_or_default()))
    }

    async fn tell(
        &self,
        entry: &Entry,
        names: &[AltName],
        record: &DirectoryRecord,
        status: Status,
        nonce: &[u8; 32],
    ) -> Result<(Found, [u8; 64])> {
        let own = match self.own_identity(names).await {
            Err(Error::NotFound { .. }) => {
                return Err(Error::KeyForbids(
                    "no authority certifies this server, so that it cannot say how a \
                     sealing key stands: see `skms init` and docs/tls.md"
                        .into(),
                ));
            }
            other => other?,
        };
        let read = described(record)?;
        let now = Moment(entry.now().0);
        let planned = StatusAnswer::plan(&own.identity, &read.hash, status, nonce, now)?;
        let signature = own.sign(planned.tbs(), planned.scheme())?;
        let mut lists = self.lists_about(entry, &read.chain).await?;
        for list in own.lists(&entry.rooms) {
            if !lists.contains(&list) {
                lists.push(list);
            }
        }
        let found = Found {
            statement: record.statement.0.clone(),
            status: planned.signed(&signature)?,
            lists,
        };
        Ok((found, read.hash))
    }

    /// The revocation lists (DER) about certificates and those above them, as
    /// far as they are published here: for who has a message, and wants to know
    /// whether its sender's certificate is good.
    ///
    /// # Errors
    /// [`Error::TooLarge`] for more than eight certificates.
    pub async fn directory_lists(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        certificates: &[Vec<u8>],
    ) -> Result<Vec<Vec<u8>>> {
        let entry = self.enter(caller)?;
        let target = Target::namespace(namespace);
        let allowed = entry.authorize::<Read>(target).await?;
        let lists = match certificates.len() <= CERTIFICATES_MAX {
            true => self.lists_about(&entry, certificates).await,
            false => Err(Error::TooLarge {
                what: "the number of certificates",
                limit: CERTIFICATES_MAX as u64,
            }),
        };
        let lists = entry.failed(&allowed, lists).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry.record(event).await?;
        Ok(lists)
    }

    async fn lists_about(&self, entry: &Entry, chain: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
        let authorities = certified_by(&entry.rooms, chain);
        for authority in &authorities {
            match self.publish_first(authority).await {
                Ok(()) => {}
                Err(error @ (Error::Sealed | Error::Busy)) => return Err(error),
                // One that can sign no list has none, which who asks will see.
                Err(_) => {}
            }
        }
        Ok(lists_of(&authorities))
    }
}
