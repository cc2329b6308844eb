//! Who there is: every principal with a live token or registration.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use skms_policy::rule::Whom;
use skms_policy::{PrincipalKind, ROOT_NAMESPACE};
use skms_store::Kind;

use crate::credentials::Roll;
use crate::engine::Rooms;
use crate::error::Result;
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::principal::PrincipalRecord;
use crate::records::token::TokenRecord;
use crate::sessions::registration_name;
use crate::suspended::Who;

/// Credentials whose principals are remembered.
const LABELS_MAX: usize = 4096;

/// A principal as rules see it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    pub(crate) who: Who,
    pub(crate) kind: &'static str,
    pub(crate) groups: BTreeSet<String>,
    pub(crate) exists: bool,
    /// Whether it is clear which principal it is.
    pub(crate) certain: bool,
}

impl Known {
    /// As rules are asked about it.
    pub(crate) fn whom<'a>(&'a self, rooms: &Rooms) -> Whom<'a> {
        let (namespace, id) = (self.who.0.as_str(), self.who.1.as_str());
        Whom {
            namespace,
            id,
            kind: self.kind,
            groups: &self.groups,
            exists: self.exists,
            suspended: rooms.suspended.has(namespace, id),
        }
    }
}

/// Who there is.
pub(crate) struct Roster {
    roll: Arc<Roll>,
    now: i64,
}

impl Roster {
    /// Reads it.
    pub(crate) async fn load(rooms: &Rooms) -> Result<Self> {
        Ok(Self {
            roll: rooms.credentials.read(&rooms.store).await?,
            now: rooms.clock.now().0,
        })
    }

    fn at(&self, namespace: &str, name: &str) -> Option<Known> {
        let mut known = Known {
            who: (namespace.to_owned(), name.to_owned()),
            certain: true,
            ..Known::default()
        };
        for one in self.roll.of(namespace, name, self.now) {
            known.kind = match one.kind {
                PrincipalKind::Certificate => "certificate",
                _ => "token",
            };
            known.groups.extend(one.groups.iter().cloned());
            known.exists = true;
        }
        known.exists.then_some(known)
    }

    /// The principal that a name in a namespace means: one of the namespace, or
    /// else one of the root namespace. Where there are both it is not clear.
    pub(crate) fn named(&self, namespace: &str, name: &str) -> Known {
        let (own, root) = (self.at(namespace, name), self.at(ROOT_NAMESPACE, name));
        let certain = namespace == ROOT_NAMESPACE || own.is_none() || root.is_none();
        match own.or(root) {
            Some(known) => Known { certain, ..known },
            None => nobody(namespace, name),
        }
    }

    /// The principal of exactly that namespace.
    pub(crate) fn exactly(&self, namespace: &str, name: &str) -> Known {
        let known = self.at(namespace, name);
        known.unwrap_or_else(|| nobody(namespace, name))
    }
}

/// Whoever has no credential that has not ended.
fn nobody(namespace: &str, name: &str) -> Known {
    Known {
        who: (namespace.to_owned(), name.to_owned()),
        kind: "unknown",
        groups: BTreeSet::new(),
        exists: false,
        certain: true,
    }
}

/// Principals by the credentials that events name.
#[derive(Default)]
pub(crate) struct Labels(HashMap<(String, String), Known>);

impl Labels {
    /// Who did what an event says, of the namespace that it says: with what the
    /// credential's record gives them where that is still there, else with what
    /// others of theirs do.
    pub(crate) async fn of(
        &mut self,
        rooms: &Rooms,
        namespace: &str,
        (label, principal): (&str, &str),
    ) -> Result<Known> {
        if label == "system" {
            return Ok(Known {
                who: (ROOT_NAMESPACE.to_owned(), principal.to_owned()),
                kind: "system",
                groups: BTreeSet::new(),
                exists: true,
                certain: true,
            });
        }
        let slot = (namespace.to_owned(), label.to_owned());
        if let Some(known) = self.0.get(&slot) {
            return Ok(known.clone());
        }
        let known = match look_up(rooms, namespace, label).await? {
            Some(known) if known.who == (namespace.to_owned(), principal.to_owned()) => known,
            // The credential is gone, or vouched for by an authority. The name
            // alone would mean others in other namespaces.
            _ => Known {
                certain: label.starts_with("token:") || label.starts_with("certificate:"),
                ..Roster::load(rooms).await?.exactly(namespace, principal)
            },
        };
        if self.0.len() >= LABELS_MAX {
            self.0.clear();
        }
        self.0.insert(slot, known.clone());
        Ok(known)
    }

    /// Forgets them: credentials come and go.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

async fn look_up(rooms: &Rooms, namespace: &str, label: &str) -> Result<Option<Known>> {
    let known = |who: Who, kind, groups| Known {
        who,
        kind,
        groups,
        exists: true,
        certain: true,
    };
    match label.split_once(':') {
        Some(("token", id)) => {
            let Ok(id) = id.parse() else {
                return Ok(None);
            };
            let found = rooms.store.get(SYSTEM_SCOPE, Kind::Token, id).await?;
            let Some(stored) = found else {
                return Ok(None);
            };
            let record: TokenRecord = records::decode(stored.plaintext.expose())?;
            let who = (record.namespace, record.principal);
            Ok(Some(known(who, "token", record.groups)))
        }
        Some(("certificate", fingerprint)) => {
            let name = registration_name(namespace, fingerprint);
            let found = rooms
                .store
                .find(SYSTEM_SCOPE, Kind::Principal, &name)
                .await?;
            let Some(stored) = found else {
                return Ok(None);
            };
            let record: PrincipalRecord = records::decode(stored.plaintext.expose())?;
            let who = (record.namespace, record.name);
            Ok(Some(known(who, "certificate", record.groups)))
        }
        _ => Ok(None),
    }
}
