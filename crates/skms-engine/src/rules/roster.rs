//! Who there is: every principal with a live token or registration.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use skms_policy::rule::Whom;
use skms_policy::{PrincipalKind, ROOT_NAMESPACE};
use skms_store::Kind;

use crate::engine::Rooms;
use crate::error::Result;
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::principal::PrincipalRecord;
use crate::records::token::TokenRecord;
use crate::sessions::registration_name;
use crate::suspended::{Who, credentials};

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
#[derive(Default)]
pub(crate) struct Roster(BTreeMap<Who, Known>);

impl Roster {
    /// Reads it.
    pub(crate) async fn load(rooms: &Rooms) -> Result<Self> {
        let mut all: BTreeMap<Who, Known> = BTreeMap::new();
        for one in credentials(rooms).await? {
            let known = all.entry(one.who.clone()).or_default();
            known.who = one.who;
            known.kind = match one.kind {
                PrincipalKind::Certificate => "certificate",
                _ => "token",
            };
            known.groups.extend(one.groups);
            (known.exists, known.certain) = (true, true);
        }
        Ok(Self(all))
    }

    /// The principal that a name in a namespace means: one of the namespace, or
    /// else one of the root namespace. Where there are both it is not clear.
    pub(crate) fn named(&self, namespace: &str, name: &str) -> Known {
        let at = |place: &str| self.0.get(&(place.to_owned(), name.to_owned()));
        let (own, root) = (at(namespace), at(ROOT_NAMESPACE));
        let certain = namespace == ROOT_NAMESPACE || own.is_none() || root.is_none();
        match own.or(root) {
            Some(known) => Known {
                certain,
                ..known.clone()
            },
            None => Known {
                who: (namespace.to_owned(), name.to_owned()),
                kind: "unknown",
                groups: BTreeSet::new(),
                exists: false,
                certain: true,
            },
        }
    }

    /// The principal of exactly that namespace.
    pub(crate) fn exactly(&self, namespace: &str, name: &str) -> Known {
        let who = (namespace.to_owned(), name.to_owned());
        self.0.get(&who).cloned().unwrap_or_else(|| Known {
            who,
            kind: "unknown",
            certain: true,
            ..Known::default()
        })
    }
}

/// Principals by the credentials that events name.
#[derive(Default)]
pub(crate) struct Labels(HashMap<(String, String), Known>);

impl Labels {
    /// Who did what an event says: by the credential's record where that is
    /// still there, else by name.
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
            Some(known) if known.who.1 == principal => known,
            // The credential is gone, or vouched for by an authority.
            _ => Roster::load(rooms).await?.named(namespace, principal),
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
            for place in [namespace, ROOT_NAMESPACE] {
                let name = registration_name(place, fingerprint);
                let found = rooms
                    .store
                    .find(SYSTEM_SCOPE, Kind::Principal, &name)
                    .await?;
                let Some(stored) = found else {
                    continue;
                };
                let record: PrincipalRecord = records::decode(stored.plaintext.expose())?;
                let who = (record.namespace, record.name);
                return Ok(Some(known(who, "certificate", record.groups)));
            }
            Ok(None)
        }
        _ => Ok(None),
    }
}
