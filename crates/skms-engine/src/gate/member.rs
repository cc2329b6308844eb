//! What the members of a group may do with its key without a policy of their
//! own.

use std::marker::PhantomData;
use std::sync::Arc;

use skms_keys::VersionNumber;
use skms_policy::PrincipalKind;

use super::{Authorized, Entry, KeyRef, KeyTarget};
use crate::act::MemberAct;
use crate::error::{Error, Result};
use crate::groups::Group;
use crate::target::Target;

/// That the caller is a member of the group that shares a key.
pub(crate) struct Membership {
    pub(crate) group: Arc<Group>,
    /// Whether it is what permits the act: no policy does.
    needed: bool,
}

impl Entry {
    /// As [`Entry::authorize_key`], also for the members of the group that
    /// shares the key.
    ///
    /// What permits their acts is that somebody who may (`group.create`,
    /// `group.add`) made them members. It reaches no further than that key and
    /// the acts of [`MemberAct`], with the versions that
    /// [`Entry::still_a_member`] lets pass, and a policy that forbids counts
    /// here as anywhere. Whom a policy permits is held to no version.
    ///
    /// # Errors
    /// As for [`Entry::authorize_key`].
    pub(crate) async fn authorize_key_as_member<A: MemberAct>(
        &self,
        at: KeyRef<'_>,
    ) -> Result<(Authorized<A, KeyTarget>, Option<Membership>)> {
        let Some(cell) = self.rooms.keys.resolve(&self.rooms, at).await? else {
            let target = Target::absent_key(at);
            self.refuse::<A>(&target, "absent").await?;
            return Err(Error::NotFound { what: "key" });
        };
        let snapshot = cell.snapshot();
        let decision = self.evaluate(A::ACTION, &snapshot.resource());
        let group = self.rooms.groups.on_key(at.namespace, snapshot.id_text());
        let group = group.filter(|group| group.member(self.who()).is_some());
        let permitted = decision.allowed;
        // One that does not allow it and names policies is forbidden by them; one
        // that could not be evaluated might be.
        let unasked = decision.policies.is_empty() && decision.errors.is_empty();
        let forbidden = !permitted && !unasked;
        if !decision.marks.is_empty() {
            // Whoever comes this way cannot ask; who is approved comes by another.
            let target = Target::of_key(&snapshot);
            self.refuse::<A>(&target, "it waits for approval").await?;
            return Err(Error::ApprovalRefused(format!(
                "{} on {} waits for approval, which this way of calling cannot ask for",
                A::ACTION,
                target.path()
            )));
        }
        if !permitted && (forbidden || group.is_none()) {
            let reason = match forbidden {
                true => "a policy forbids it",
                false => "no policy permits it, and no group",
            };
            return Err(self.refuse_key::<A>(&snapshot, reason).await?);
        }
        let membership = group.map(|group| Membership {
            group,
            needed: !permitted,
        });
        let allowed = Authorized {
            target: cell,
            decision: permitted.then_some(decision),
            act: PhantomData,
        };
        Ok((allowed, membership))
    }

    /// Whether membership still permits an act with this version of the key:
    /// asked once the version is known, and again under the change lock, when
    /// all is done but the answer.
    ///
    /// # Errors
    /// [`Error::NotFound`] or [`Error::Forbidden`] for who was taken out of the
    /// group meanwhile; [`Error::Forbidden`] for a version from before its time.
    pub(crate) async fn still_a_member<A: MemberAct>(
        &self,
        allowed: &Authorized<A, KeyTarget>,
        membership: Option<&Membership>,
        version: VersionNumber,
    ) -> Result<()> {
        let Some(membership) = membership.filter(|membership| membership.needed) else {
            return Ok(());
        };
        let snapshot = allowed.target().snapshot();
        let namespace = snapshot.at().namespace;
        let now = self.rooms.groups.on_key(namespace, snapshot.id_text());
        let now = now.filter(|now| now.id == membership.group.id);
        let Some(from) = now.and_then(|now| now.member(self.who()).map(|one| one.from)) else {
            let refused = self
                .refuse_key::<A>(&snapshot, "no member any more")
                .await?;
            return Err(refused);
        };
        if version.0 >= from {
            return Ok(());
        }
        let target = Target::of_key(&snapshot);
        let reason = format!("a member from version {from} on");
        self.refuse::<A>(&target, &reason).await?;
        Err(Error::Forbidden {
            action: A::ACTION.name(),
            target: format!("version {version} of {}", target.path()),
        })
    }

    /// The caller's namespace and name; no member's if certificates are not
    /// what it is known by.
    fn who(&self) -> (&str, &str) {
        let principal = &self.caller.session.principal;
        match principal.kind() {
            PrincipalKind::Certificate => (principal.namespace(), principal.id()),
            _ => ("", ""),
        }
    }
}
