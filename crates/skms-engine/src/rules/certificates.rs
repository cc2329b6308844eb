//! Certificates of keys kept here that their issuers revoked: those that an
//! imported list names, and those that an authority of this server revoked
//! which the namespace has to do with.

use std::sync::Arc;

use skms_evidence::{DetailKey, Event};
use skms_keys::{Key, NamespaceId, RevocationReason};
use skms_pki::{Certificate, Crl};
use skms_policy::ROOT_NAMESPACE;
use skms_policy::rule::{About, Asked, Occasion, Question, Trigger};
use skms_store::Kind;

use super::AutoRule;
use super::answer::Intent;
use super::events::{namespace_of, text};
use super::judge::Memory;
use super::question::facts;
use super::roster::Roster;
use crate::acts::certificates::find_certificate;
use crate::authority::Authority;
use crate::error::Result;
use crate::gate::Entry;
use crate::places::Namespace;
use crate::records;
use crate::records::key::KeyRecord;
use crate::records::rule::ActKey;
use crate::sessions::hex;
use crate::trusts::list::Link;

/// Keys that one step reads.
const PAGE: usize = 128;

/// A certificate that was revoked, by the key that it is for.
struct Gone {
    spki: Vec<u8>,
    issuer: String,
    issuer_namespace: String,
    serial: String,
    elsewhere: bool,
    reason: String,
}

impl Gone {
    /// Which one it was, for the act's record.
    fn id(&self, version: u32) -> String {
        let (namespace, issuer) = (&self.issuer_namespace, &self.issuer);
        format!("{namespace}/{issuer} {} v{version}", self.serial)
    }
}

/// What the record calls a certificate's revocation by an authority here.
pub(super) const REVOKED: &str = "certificate.revoke";

/// What follows for a namespace's rules about certificates from an event.
pub(super) async fn revoked(
    entry: &Entry,
    memory: &mut Memory,
    (namespace, rules): (&str, &[Arc<AutoRule>]),
    event: &Event,
    place: u64,
) -> Result<Vec<Intent>> {
    if event.outcome.reason().is_some() {
        return Ok(Vec::new());
    }
    let by = namespace_of(event).unwrap_or_default();
    let gone = match event.action.as_str() {
        "trust.import-crl" if by == namespace => on_lists(entry, event)?,
        REVOKED => revoked_here(entry, memory, event, namespace).await?,
        _ => return Ok(Vec::new()),
    };
    let mut intents = Vec::new();
    for one in &gone {
        let Some(place_of) = entry.rooms.places.namespace(namespace) else {
            continue;
        };
        for (key, keyring, version) in keys_with(entry, memory, &place_of, &one.spki).await? {
            let roster = Roster::load(&entry.rooms).await?;
            let owner = roster.named(namespace, &key.owner);
            let last = memory.last_use(&key);
            let Some(facts) = facts(&entry.rooms, &key, &keyring, last, entry.now()) else {
                continue;
            };
            let asked = Asked::new(&Question {
                now: entry.now().0,
                namespace,
                whom: owner.whom(&entry.rooms),
                about: About::Key(facts),
                occasion: Occasion::Certificate {
                    issuer: &one.issuer,
                    issuer_namespace: &one.issuer_namespace,
                    serial: &one.serial,
                    elsewhere: one.elsewhere,
                    reason: &one.reason,
                    version,
                },
            })?;
            for rule in rules.iter().filter(|rule| rule.record.since <= place) {
                let intent = Intent {
                    rule: Arc::clone(rule),
                    key: Some(ActKey {
                        keyring: keyring.clone(),
                        name: key.name.as_str().to_owned(),
                        id: key.id.to_string(),
                    }),
                    principal: Some(owner.who.clone()),
                    trigger: Trigger::Certificate,
                    trigger_id: one.id(version),
                    matched: String::new(),
                    chain: 1,
                    expires_at: None,
                };
                let about = (owner.kind, owner.certain);
                let act = entry.ask(memory, intent, &asked, Some(&key), about).await?;
                intents.extend(act);
            }
        }
    }
    Ok(intents)
}

/// The certificates that a trust's lists name and that are known here: those of
/// authorities of the namespace that were certified elsewhere.
fn on_lists(entry: &Entry, event: &Event) -> Result<Vec<Gone>> {
    let namespace = namespace_of(event).unwrap_or_default();
    let named = event.targets.first().map(|target| target.name.as_str());
    let name = named.and_then(|path| path.split_once('/'));
    let Some((_, name)) = name else {
        return Ok(Vec::new());
    };
    let Some(trust) = entry.rooms.trusts.find(namespace, name) else {
        return Ok(Vec::new());
    };
    let mut gone = Vec::new();
    for authority in entry.rooms.authorities.of(namespace) {
        for issuer in &authority.issuers {
            let own = issuer.pki.chain.iter().chain(&issuer.cross);
            for der in own {
                let Ok(certificate) = Certificate::from_der(der) else {
                    continue;
                };
                let spki = certificate.public_key().der;
                if spki != issuer.pki.spki {
                    continue;
                }
                let link = Link::of(&certificate);
                let naming = trust.lists.iter().find(|list| list.names(&link));
                let Some(list) = naming else {
                    continue;
                };
                gone.push(Gone {
                    spki: spki.to_vec(),
                    issuer: name.to_owned(),
                    issuer_namespace: namespace.to_owned(),
                    serial: hex(&link.serial),
                    elsewhere: true,
                    reason: reason_on(&list.record.list.0, &link.serial),
                });
            }
        }
    }
    Ok(gone)
}

/// Why a list names a certificate.
fn reason_on(list: &[u8], serial: &[u8]) -> String {
    let Ok(list) = Crl::from_der(list) else {
        return String::new();
    };
    let found = list.entries().find(|entry| entry.serial == serial);
    let code = found.and_then(|entry| entry.reason).map(|one| one.number());
    let mut all = RevocationReason::ALL.into_iter();
    let reason = all.find(|reason| Some(reason.code()) == code);
    let reason = reason.unwrap_or(RevocationReason::Unspecified);
    reason.name().to_owned()
}

/// The certificate that an authority here revoked.
async fn revoked_here(
    entry: &Entry,
    memory: &mut Memory,
    event: &Event,
    asked: &str,
) -> Result<Vec<Gone>> {
    let namespace = namespace_of(event).unwrap_or_default();
    let serial = text(event, DetailKey::Serial);
    let named = event.targets.first().map(|target| target.name.as_str());
    let name = named.and_then(|path| path.split_once('/'));
    let Some((_, name)) = name else {
        return Ok(Vec::new());
    };
    let Some(authority) = entry.rooms.authorities.find(namespace, name) else {
        return Ok(Vec::new());
    };
    memory.spent = memory.spent.saturating_add(1);
    if !concerns(entry, asked, &authority) {
        return Ok(Vec::new());
    }
    let Some(der) = find_certificate(&entry.rooms, &authority, &serial).await? else {
        return Ok(Vec::new());
    };
    let Ok(certificate) = Certificate::from_der(&der) else {
        return Ok(Vec::new());
    };
    Ok(vec![Gone {
        spki: certificate.public_key().der.to_vec(),
        issuer: name.to_owned(),
        issuer_namespace: namespace.to_owned(),
        serial,
        elsewhere: false,
        reason: text(event, DetailKey::RevocationReason),
    }])
}

/// Whether a namespace's rules are asked about what an authority revokes: one of
/// its own, one of the root namespace, or one that certified an authority of
/// its own. Anybody can certify a public key and then take that back, under
/// any name.
fn concerns(entry: &Entry, namespace: &str, authority: &Authority) -> bool {
    let of = &*authority.namespace_name;
    if of == namespace || of == ROOT_NAMESPACE {
        return true;
    }
    let by = |der: &Vec<u8>| {
        let above = Certificate::from_der(der);
        above.is_ok_and(|above| {
            let key = above.public_key().der;
            let mut issuers = authority.issuers.iter();
            issuers.any(|issuer| issuer.pki.spki == key)
        })
    };
    let own = entry.rooms.authorities.of(namespace);
    let mut issuers = own.iter().flat_map(|own| &own.issuers);
    issuers.any(|issuer| issuer.pki.chain.iter().any(by))
}

/// The keys of a namespace that have a public key, with their keyrings and the
/// version that it is of.
async fn keys_with(
    entry: &Entry,
    memory: &mut Memory,
    place: &Namespace,
    spki: &[u8],
) -> Result<Vec<(Key, String, u32)>> {
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = entry
            .rooms
            .store
            .scan(place.id.0, Kind::Key, after, PAGE)
            .await?;
        after = page.last().map(|record| record.id);
        let last = page.len() < PAGE;
        // To read a key takes longer than to ask a rule.
        memory.spent = memory.spent.saturating_add(2 * page.len() as u64);
        for stored in page {
            let record: KeyRecord = records::decode(stored.plaintext.expose())?;
            let key = record.into_domain(stored.id, NamespaceId(place.id.0))?;
            let same = |version: &&skms_keys::Version| version.public_spki.as_deref() == Some(spki);
            let Some(number) = key.versions.iter().find(same).map(|one| one.number.0) else {
                continue;
            };
            let mut rings = place.keyrings.values();
            let ring = rings.find(|ring| ring.ring.id == key.keyring);
            if let Some(ring) = ring {
                found.push((key, ring.ring.name.as_str().to_owned(), number));
            }
        }
        if last {
            return Ok(found);
        }
        tokio::task::yield_now().await;
    }
}
