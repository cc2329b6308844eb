//! How an act's event comes together: who and what from the gate, details
//! under the evidence room's closed list of keys.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_crypto::hash::sha256;
use skms_crypto::rand;
use skms_evidence::{
    DetailKey, DetailValue, Details, Event, EventId, Outcome, Target as EventTarget, Text,
};
use skms_keys::{Key, Transition, VersionNumber};
use skms_pki::issue::Serial;
use skms_policy::ROOT_NAMESPACE;
use skms_store::RecordId;

use crate::act::Act;
use crate::approvals::Claims;
use crate::authority::Authority;
use crate::authority::issuing::Draft;
use crate::error::Result;
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::groups::Group;
use crate::opened::KeySnapshot;
use crate::records::incident::Touched;
use crate::sessions::hex;
use crate::target::{Target, TargetKind};

/// An event that is still being written.
pub(crate) struct EventDraft {
    event: Event,
    urgent: bool,
    /// The approvals that the act it is about uses up.
    claims: Option<Arc<Claims>>,
}

/// An event as it is to be kept, with the approvals that its batch uses up.
pub(crate) struct Final {
    pub(crate) event: Event,
    pub(crate) claims: Option<Arc<Claims>>,
}

impl Final {
    /// The event of what no policy was asked about.
    pub(crate) fn plain(event: Event) -> Self {
        Self {
            event,
            claims: None,
        }
    }
}

impl EventDraft {
    /// The event of an authorised act on anything but a key.
    pub(crate) fn of<A: Act>(
        entry: &Entry,
        authorized: &Authorized<A, Target>,
        outcome: Outcome,
    ) -> Result<Self> {
        let draft = Self::new::<A>(entry, authorized.target(), outcome)?;
        Ok(draft.policies(authorized))
    }

    /// The event of an authorised act on a key.
    pub(crate) fn of_key<A: Act>(
        entry: &Entry,
        authorized: &Authorized<A, KeyTarget>,
        outcome: Outcome,
    ) -> Result<Self> {
        let target = Target::of_key(&authorized.target().snapshot());
        let draft = Self::new::<A>(entry, &target, outcome)?;
        Ok(draft.policies(authorized))
    }

    /// The event of an act that the gate refused.
    pub(crate) fn refused<A: Act>(entry: &Entry, target: &Target, reason: &str) -> Result<Self> {
        Self::new::<A>(entry, target, Outcome::denied(reason))
    }

    /// The event of a request for approval: about what is to be approved.
    pub(crate) fn for_request<A: Act>(entry: &Entry, target: &Target) -> Result<Self> {
        let mut draft = Self::new::<A>(entry, target, Outcome::Success)?;
        draft.claims = None;
        Ok(draft)
    }

    /// Leaves the call's approvals to the event of the act that they are for.
    pub(crate) fn beside(mut self) -> Self {
        self.claims = None;
        self
    }

    fn new<A: Act>(entry: &Entry, target: &Target, outcome: Outcome) -> Result<Self> {
        let caller = &entry.caller;
        let namespace = match target.kind {
            TargetKind::System => None,
            _ => Some(Text::from(target.namespace.as_str())),
        };
        let named = EventTarget {
            kind: target.kind_word().into(),
            id: target
                .id
                .map_or_else(Text::default, |id| RecordId(id).to_string().into()),
            name: target.path().into(),
            version: None,
        };
        let of_event = namespace
            .as_ref()
            .map_or(ROOT_NAMESPACE, |name| name.as_str());
        let whose = caller.session.namespace_beside(of_event);
        let mut details = Details::new();
        if !whose.is_empty() {
            details.set(DetailKey::PrincipalNamespace, whose);
        }
        let claims =
            (outcome == Outcome::Success && entry.claims.any()).then(|| Arc::clone(&entry.claims));
        if let Some(claims) = &claims {
            let (requests, approvers) = claims.in_words();
            details.set(DetailKey::Approval, requests);
            details.set(DetailKey::Approvers, approvers);
        }
        Ok(Self {
            event: Event {
                id: EventId(rand::array()?),
                at_millis: entry.now_ms,
                namespace,
                principal: caller.session.principal.id().into(),
                authentication: caller.session.label().into(),
                source: caller.source,
                action: A::ACTION.name().into(),
                targets: vec![named],
                outcome,
                request_id: caller.request_id.as_str().into(),
                items: None,
                details,
            },
            urgent: false,
            claims,
        })
    }

    fn policies<A, T>(mut self, authorized: &Authorized<A, T>) -> Self {
        let mut names = authorized.policies().iter();
        if let Some(first) = names.next() {
            let text = names.fold(first.to_string(), |mut text, name| {
                text.push(' ');
                text.push_str(&name.to_string());
                text
            });
            self.event.details.set(DetailKey::Policies, text);
        }
        self
    }

    /// Revoking and suspending may draw on the reserve when the disk is full.
    pub(crate) fn urgent(mut self) -> Self {
        self.urgent = true;
        self
    }

    pub(crate) fn is_urgent(&self) -> bool {
        self.urgent
    }

    /// The versions of the key that were used.
    pub(crate) fn versions(mut self, versions: impl IntoIterator<Item = VersionNumber>) -> Self {
        let mut numbers = versions.into_iter().map(|version| version.0);
        let Some(first) = numbers.next() else {
            return self;
        };
        let rest: BTreeSet<u32> = numbers.filter(|number| *number != first).collect();
        if rest.is_empty() {
            if let Some(target) = self.event.targets.first_mut() {
                target.version = Some(first);
            }
        } else {
            let mut all = rest;
            all.insert(first);
            let text: Vec<String> = all.iter().map(u32::to_string).collect();
            self.event.details.set(DetailKey::Versions, text.join(" "));
        }
        self
    }

    /// How many items a batch had, and how many of them failed.
    pub(crate) fn items(mut self, items: usize, failed: usize) -> Self {
        if items != 1 {
            self.event.items = u32::try_from(items).ok();
            if failed > 0 {
                let failed = u64::try_from(failed).unwrap_or(u64::MAX);
                self.event.details.set(DetailKey::FailedItems, failed);
            }
        }
        self
    }

    /// Which record the target is.
    pub(crate) fn target_id(mut self, id: RecordId) -> Self {
        if let Some(target) = self.event.targets.first_mut() {
            target.id = id.to_string().into();
        }
        self
    }

    /// The key that was made.
    pub(crate) fn key(mut self, key: &Key) -> Self {
        if let Some(target) = self.event.targets.first_mut() {
            target.id = key.id.to_string().into();
        }
        let details = &mut self.event.details;
        details.set(DetailKey::Algorithm, key.algorithm.name());
        details.set(DetailKey::Exportable, key.exportable);
        let uses: Vec<&str> = key.uses.iter().map(|one| one.name()).collect();
        details.set(DetailKey::Uses, uses.join(" "));
        self
    }

    /// The steps that versions took; the last one's states are spelled out.
    pub(crate) fn transitions(mut self, transitions: &[Transition]) -> Self {
        if let Some(last) = transitions.last() {
            let details = &mut self.event.details;
            details.set(DetailKey::Cause, last.cause.name());
            details.set(DetailKey::FromState, last.from.name());
            details.set(DetailKey::ToState, last.to.name());
        }
        self.versions(transitions.iter().map(|step| step.version))
    }

    /// The principal that a token or registration is for, as a second target.
    pub(crate) fn principal(mut self, name: &str) -> Self {
        self.event.targets.push(EventTarget {
            kind: TargetKind::Principal.word().into(),
            id: Text::default(),
            name: name.into(),
            version: None,
        });
        self
    }

    /// The namespace that an act on the server is about, as a second target.
    pub(crate) fn namespace(mut self, name: &str) -> Self {
        self.event.targets.push(EventTarget {
            kind: TargetKind::Namespace.word().into(),
            id: Text::default(),
            name: name.into(),
            version: None,
        });
        self
    }

    /// A key that the act also needed, as one more target.
    pub(crate) fn also_key(mut self, snapshot: &KeySnapshot) -> Self {
        let target = Target::of_key(snapshot);
        self.event.targets.push(EventTarget {
            kind: target.kind_word().into(),
            id: snapshot.key().id.to_string().into(),
            name: target.path().into(),
            version: None,
        });
        self
    }

    /// The key and version by which a key was agreed on, as one more target, and
    /// who has the other half.
    pub(crate) fn agreed_by(
        mut self,
        snapshot: &KeySnapshot,
        version: VersionNumber,
        (party, fingerprint): (&str, &[u8; 32]),
    ) -> Self {
        self = self.also_key(snapshot);
        if let Some(target) = self.event.targets.last_mut() {
            target.version = Some(version.0);
        }
        self.detail(DetailKey::Origin, "agreed")
            .agreed_with(party, fingerprint)
    }

    /// The party that a key is agreed on with, and its public key.
    pub(crate) fn agreed_with(self, party: &str, fingerprint: &[u8; 32]) -> Self {
        self.detail(DetailKey::Peer, party)
            .detail(DetailKey::Fingerprint, hex(fingerprint))
    }

    /// The authority that the act is about, as one more target.
    pub(crate) fn authority(mut self, authority: &Authority) -> Self {
        let target = Target::authority(&authority.namespace_name, &authority.record.name);
        self.event.targets.push(EventTarget {
            kind: target.kind_word().into(),
            id: authority.id_text().into(),
            name: target.path().into(),
            version: None,
        });
        self
    }

    /// The group that the act is about or by, as one more target.
    pub(crate) fn group(mut self, group: &Group) -> Self {
        let target = Target::group(&group.namespace_name, &group.record.name);
        self.event.targets.push(EventTarget {
            kind: target.kind_word().into(),
            id: group.id_text().into(),
            name: target.path().into(),
            version: None,
        });
        self
    }

    /// What else the act is about, as one more target.
    pub(crate) fn also(mut self, target: &Target) -> Self {
        self.event.targets.push(EventTarget {
            kind: target.kind_word().into(),
            id: target
                .id
                .map_or_else(Text::default, |id| RecordId(id).to_string().into()),
            name: target.path().into(),
            version: None,
        });
        self
    }

    /// Several more details.
    pub(crate) fn explained(mut self, details: Vec<(DetailKey, DetailValue)>) -> Self {
        for (key, value) in details {
            self.event.details.set(key, value);
        }
        self
    }

    /// What the event is known by.
    pub(crate) fn id(&self) -> EventId {
        self.event.id
    }

    /// The version of a key that the act made, as one more target.
    pub(crate) fn also_version(mut self, snapshot: &KeySnapshot, version: VersionNumber) -> Self {
        self = self.also_key(snapshot);
        if let Some(target) = self.event.targets.last_mut() {
            target.version = Some(version.0);
        }
        self
    }

    /// What an incident touched, as further targets.
    pub(crate) fn touched(mut self, touched: &[Touched]) -> Self {
        let targets = touched.iter().map(|one| EventTarget {
            kind: one.kind.as_str().into(),
            id: one.id.as_str().into(),
            name: one.name.as_str().into(),
            version: one.version,
        });
        self.event.targets.extend(targets);
        self
    }

    /// The certificate that was issued.
    pub(crate) fn certificate(self, draft: &Draft) -> Self {
        let fingerprint = sha256(&[&draft.record.certificate.0]);
        self.serial(&draft.serial)
            .detail(DetailKey::Profile, draft.record.profile.as_str())
            .detail(DetailKey::Fingerprint, hex(&fingerprint))
    }

    /// The serial number of the certificate that the act is about.
    pub(crate) fn serial(self, serial: &Serial) -> Self {
        self.detail(DetailKey::Serial, hex(serial.as_bytes()))
    }

    /// The groups that a credential carries.
    pub(crate) fn groups(mut self, groups: &BTreeSet<String>) -> Self {
        if !groups.is_empty() {
            let text: Vec<&str> = groups.iter().map(String::as_str).collect();
            self.event.details.set(DetailKey::Groups, text.join(" "));
        }
        self
    }

    /// One more detail.
    pub(crate) fn detail(mut self, key: DetailKey, value: impl Into<DetailValue>) -> Self {
        self.event.details.set(key, value);
        self
    }

    /// The event as it is to be kept.
    pub(crate) fn finish(self) -> Final {
        Final {
            event: self.event,
            claims: self.claims,
        }
    }
}
