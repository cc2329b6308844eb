//! The gate: the only place where a caller, a policy decision and a target
//! meet, and so the only place that makes an [`Authorized`].

mod member;

use std::marker::PhantomData;
use std::sync::Arc;

use skms_crypto::Algorithm;
use skms_keys::UnixSeconds;
use skms_policy::{Action, Context, Decision, PolicyName, Request, ResourceRef};

use crate::act::{AccountAct, Act, HolderAct};
use crate::approvals::{Aim, Claims};
use crate::authority::Authority;
use crate::caller::{Authentication, Caller};
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::opened::{KeyCell, KeySnapshot};
use crate::target::Target;

pub(crate) use member::Membership;

/// Where a key is: names, not yet looked up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyRef<'a> {
    /// The namespace's name.
    pub namespace: &'a str,
    /// The keyring's name.
    pub keyring: &'a str,
    /// The key's name.
    pub name: &'a str,
}

/// Proof that policy permits act `A` on one target. Only the gate makes one,
/// and every step that touches a target asks for it:
///
/// ```compile_fail,E0451
/// use skms_engine::{Authorized, acts::encrypt::Encrypt};
/// // The fields are private and there is no constructor.
/// let forged: Authorized<Encrypt, ()> = Authorized {
///     target: (),
///     decision: None,
///     act: std::marker::PhantomData,
/// };
/// ```
///
/// Nor does an authorisation for one act serve for another:
///
/// ```compile_fail,E0308
/// use skms_engine::{Authorized, KeyTarget, acts::{decrypt::Decrypt, encrypt::Encrypt}};
/// fn needs_decrypt(_: &Authorized<Decrypt, KeyTarget>) {}
/// fn has_encrypt(authorized: &Authorized<Encrypt, KeyTarget>) {
///     needs_decrypt(authorized);
/// }
/// ```
pub struct Authorized<A, T> {
    target: T,
    decision: Option<Arc<Decision>>,
    act: PhantomData<fn() -> A>,
}

/// A key that was resolved: what [`Authorized`] holds for acts on keys.
pub type KeyTarget = Arc<KeyCell>;

impl<A, T> Authorized<A, T> {
    /// What the act was authorised on.
    pub fn target(&self) -> &T {
        &self.target
    }

    /// The policies that decided; none for a part of the server itself.
    pub fn policies(&self) -> &[PolicyName] {
        self.decision
            .as_ref()
            .map_or(&[], |decision| &decision.policies)
    }
}

/// One call that has passed the door: unsealed, and by a live session.
#[derive(Clone)]
pub struct Entry {
    pub(crate) rooms: Arc<Rooms>,
    pub(crate) caller: Arc<Caller>,
    pub(crate) now_ms: i64,
    /// What the call was let do so far, and the approvals that it uses.
    pub(crate) claims: Arc<Claims>,
}

impl Engine {
    /// Lets a call in.
    ///
    /// # Errors
    /// [`Error::Sealed`]; [`Error::Unauthenticated`] when the session has
    /// ended since it was made.
    pub(crate) fn enter(&self, caller: &Arc<Caller>) -> Result<Entry> {
        let rooms = self.rooms()?;
        let now_ms = rooms.clock.now_ms();
        caller.session.check(rooms.clock.now())?;
        rooms.suspended.check(&caller.session.principal)?;
        rooms.stock.begun();
        Ok(Entry {
            rooms,
            caller: Arc::clone(caller),
            now_ms,
            claims: Arc::default(),
        })
    }
}

impl Engine {
    /// Whether a call may have to wait for approval: one that does this action,
    /// or any call.
    pub fn minds_approvals(&self, action: Option<&str>) -> bool {
        let Ok(rooms) = self.rooms() else {
            return false;
        };
        let policies = rooms.policies.load();
        let action = action.and_then(|name| name.parse::<Action>().ok());
        match action {
            Some(action) => policies.may_mark(action),
            None => policies.has_marks(),
        }
    }
}

impl Entry {
    /// Resolves a key (metadata only) and asks policy.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent key and for one that the caller may
    /// not see; [`Error::Forbidden`] where it may.
    pub(crate) async fn authorize_key<A: Act>(
        &self,
        at: KeyRef<'_>,
    ) -> Result<Authorized<A, KeyTarget>> {
        let Some(cell) = self.rooms.keys.resolve(&self.rooms, at).await? else {
            let target = Target::absent_key(at);
            self.refuse::<A>(&target, "absent").await?;
            return Err(Error::NotFound { what: "key" });
        };
        let snapshot = cell.snapshot();
        let resource = snapshot.resource();
        let decision = self.evaluate(A::ACTION, &resource);
        if !decision.allowed && decision.marks.is_empty() {
            let reason = "no policy permits it";
            return Err(self.refuse_key::<A>(&snapshot, reason).await?);
        }
        if self.minds_approvals() {
            let aim = Aim::Key(Arc::clone(&cell));
            self.approve::<A>(&decision, aim).await?;
        }
        Ok(Authorized {
            target: Arc::clone(&cell),
            decision: Some(decision),
            act: PhantomData,
        })
    }

    /// Asks policy about an act that gives a key another algorithm: it has been
    /// let do this with the key as it is, and has to be with what that becomes.
    ///
    /// # Errors
    /// As [`Entry::authorize_key`].
    pub(crate) async fn authorize_algorithm<A: Act>(
        &self,
        authorized: &Authorized<A, KeyTarget>,
        algorithm: Algorithm,
    ) -> Result<()> {
        let cell = authorized.target();
        let snapshot = cell.snapshot();
        if algorithm == snapshot.key().algorithm {
            return Ok(());
        }
        let decision = self.evaluate(A::ACTION, &snapshot.resource_of(algorithm));
        if !decision.allowed && decision.marks.is_empty() {
            let reason = "no policy permits it with that algorithm";
            return Err(self.refuse_key::<A>(&snapshot, reason).await?);
        }
        if self.minds_approvals() {
            self.approve::<A>(&decision, Aim::Key(Arc::clone(cell)))
                .await?;
        }
        Ok(())
    }

    /// Asks policy about a target that is not a key.
    ///
    /// # Errors
    /// [`Error::NotFound`] where the caller may not even read the target;
    /// [`Error::Forbidden`] where it may.
    pub(crate) async fn authorize<A: Act>(&self, target: Target) -> Result<Authorized<A, Target>> {
        let (allowed, ()) = self.authorize_checked(target, || Ok(())).await?;
        Ok(allowed)
    }

    /// As [`Entry::authorize`], for a call with something to check: a mistake in
    /// it is told to whoever may make the call, before approval is asked for, so
    /// that nobody approves of what cannot be done.
    ///
    /// # Errors
    /// As there; the mistake.
    pub(crate) async fn authorize_checked<A: Act, T>(
        &self,
        target: Target,
        check: impl FnOnce() -> Result<T>,
    ) -> Result<(Authorized<A, Target>, T)> {
        let resource = target.resource();
        let decision = self.evaluate(A::ACTION, &resource);
        if !decision.allowed && decision.marks.is_empty() {
            let visible = target
                .read_action()
                .is_some_and(|read| self.decide(read, &resource));
            self.refuse::<A>(&target, "no policy permits it").await?;
            return Err(refusal::<A>(visible, target.kind_word(), &target));
        }
        let marked = self.minds_approvals().then(|| Arc::clone(&decision));
        let allowed = Authorized {
            target,
            decision: Some(decision),
            act: PhantomData,
        };
        let checked = self.failed(&allowed, check()).await?;
        if let Some(decision) = marked {
            let aim = Aim::Other(Box::new(allowed.target.clone()));
            self.approve::<A>(&decision, aim).await?;
        }
        Ok((allowed, checked))
    }

    /// Whether any policy marks anything; nearly always none does.
    fn minds_approvals(&self) -> bool {
        self.rooms.policies.load().has_marks()
    }

    /// Notes what the call is let do, once its approvals are there if a policy
    /// marks it: the one place where that is asked.
    async fn approve<A: Act>(&self, decision: &Decision, aim: Aim) -> Result<()> {
        if !decision.marks.is_empty() {
            self.approved::<A>(decision, &aim).await?;
        }
        self.claims.reach(A::ACTION, aim);
        Ok(())
    }

    /// Authorises a part of the server itself, which needs no policy: its
    /// acts follow from rules that were authorised when they were set.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for any caller that came from outside.
    pub(crate) fn authorize_as_system<A: Act>(
        &self,
        cell: &KeyTarget,
    ) -> Result<Authorized<A, KeyTarget>> {
        if self.caller.session.authentication != Authentication::System {
            return Err(Error::Unauthenticated);
        }
        Ok(Authorized {
            target: Arc::clone(cell),
            decision: None,
            act: PhantomData,
        })
    }

    /// As [`Entry::authorize_as_system`], for what is not a key.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn authorize_target_as_system<A: Act>(
        &self,
        target: Target,
    ) -> Result<Authorized<A, Target>> {
        if self.caller.session.authentication != Authentication::System {
            return Err(Error::Unauthenticated);
        }
        Ok(Authorized {
            target,
            decision: None,
            act: PhantomData,
        })
    }

    /// Authorises an account of ACME on the authority it is one of.
    ///
    /// Accounts make themselves, so that no policy can name them beforehand.
    /// What permits their acts is that somebody who may (`acme.manage`) opened
    /// the authority to ACME: by one profile, and for names whose control is
    /// proved. It reaches no further than that authority and the acts of
    /// [`AccountAct`], and a policy that forbids counts here as anywhere.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for whoever is no account of this authority;
    /// [`Error::NotFound`] where it is not open to ACME; [`Error::Forbidden`].
    pub(crate) async fn authorize_as_account<A: AccountAct>(
        &self,
        authority: &Authority,
    ) -> Result<Authorized<A, Target>> {
        self.is_account_of(authority)?;
        self.authorize_as_client(authority).await
    }

    /// Authorises the holder of a certificate on the authority that issued it.
    ///
    /// Holders need not be principals, so that no policy can name them
    /// beforehand. What permits their acts is that somebody who may
    /// (`est.manage`) opened the authority to EST and to renewal by the
    /// certificate alone. It reaches no further than that authority and the
    /// acts of [`HolderAct`], and a policy that forbids counts here as
    /// anywhere.
    ///
    /// # Errors
    /// [`Error::Unauthenticated`] for whoever holds no certificate of this
    /// authority; [`Error::NotFound`] where it is not open so;
    /// [`Error::Forbidden`].
    pub(crate) async fn authorize_as_holder<A: HolderAct>(
        &self,
        authority: &Authority,
    ) -> Result<Authorized<A, Target>> {
        self.is_holder_of(authority)?;
        self.authorize_as_client(authority).await
    }

    /// For those only whom the caller of this has found to be a client of this
    /// authority's.
    async fn authorize_as_client<A: Act>(
        &self,
        authority: &Authority,
    ) -> Result<Authorized<A, Target>> {
        let target = Target::authority(&authority.namespace_name, &authority.record.name)
            .stored(authority.id.0, authority.revision);
        self.unless_forbidden::<A>(&target.resource(), &target)
            .await?;
        Ok(Authorized {
            target,
            decision: None,
            act: PhantomData,
        })
    }

    /// As [`Entry::authorize_as_account`] and [`Entry::authorize_as_holder`],
    /// on a key of that authority.
    ///
    /// # Errors
    /// As there; [`Error::NotFound`] where the key is gone.
    pub(crate) async fn authorize_key_as_client<A: Act>(
        &self,
        authority: &Authority,
        at: KeyRef<'_>,
    ) -> Result<Authorized<A, KeyTarget>> {
        match &self.caller.session.authentication {
            Authentication::Holder { .. } => self.is_holder_of(authority)?,
            _ => self.is_account_of(authority)?,
        }
        let cell = self
            .rooms
            .keys
            .resolve(&self.rooms, at)
            .await?
            .ok_or(Error::NotFound { what: "key" })?;
        let snapshot = cell.snapshot();
        let target = Target::of_key(&snapshot);
        self.unless_forbidden::<A>(&snapshot.resource(), &target)
            .await?;
        Ok(Authorized {
            target: cell,
            decision: None,
            act: PhantomData,
        })
    }

    /// Whether a policy forbids the server to do by itself what would follow,
    /// and names it: what is forbidden to callers on the whole is no reason
    /// here, and that nothing permits it neither.
    pub(crate) fn is_forbidden<A: Act>(&self, target: &Target) -> bool {
        let resource = target.resource();
        self.asks(A::ACTION, &resource, |request| {
            self.rooms.policies.load().forbids_by_name(request)
        })
    }

    /// Leaves the event of a refusal, and gives what is answered.
    async fn refuse_key<A: Act>(&self, snapshot: &KeySnapshot, reason: &str) -> Result<Error> {
        let visible = self.decide(Action::KeyRead, &snapshot.resource());
        let target = Target::of_key(snapshot);
        self.refuse::<A>(&target, reason).await?;
        Ok(refusal::<A>(visible, "key", &target))
    }

    fn is_account_of(&self, authority: &Authority) -> Result<()> {
        match &self.caller.session.authentication {
            Authentication::Account { authority: of, .. } if *of == authority.id_text() => {}
            _ => return Err(Error::Unauthenticated),
        }
        match authority.record.acme {
            Some(_) => Ok(()),
            None => Err(Error::NotFound { what: "authority" }),
        }
    }

    fn is_holder_of(&self, authority: &Authority) -> Result<()> {
        match &self.caller.session.authentication {
            Authentication::Holder { authority: of, .. } if *of == authority.id_text() => {}
            _ => return Err(Error::Unauthenticated),
        }
        match &authority.record.est {
            Some(opening) if opening.renewal_by_certificate => Ok(()),
            _ => Err(Error::NotFound { what: "authority" }),
        }
    }

    /// Whether a policy forbids it outright; that none permits it is no
    /// reason here.
    async fn unless_forbidden<A: Act>(
        &self,
        resource: &ResourceRef<'_>,
        target: &Target,
    ) -> Result<()> {
        let decision = self.evaluate(A::ACTION, resource);
        if decision.allowed || decision.policies.is_empty() {
            return Ok(());
        }
        self.refuse::<A>(target, "a policy forbids it").await?;
        Err(refusal::<A>(true, target.kind_word(), target))
    }

    /// The time of the call.
    pub(crate) fn now(&self) -> UnixSeconds {
        UnixSeconds(self.now_ms.div_euclid(1000))
    }

    /// Leaves the act's event and waits until it is durable.
    pub(crate) async fn record(&self, event: EventDraft) -> Result<()> {
        self.rooms.recorder.append(&event.finish()).await
    }

    /// Uses up the call's approvals by themselves, for acts whose change or
    /// answer is in no batch of ours: better used for nothing, if the server
    /// stops in between, than used twice.
    pub(crate) async fn spend_ahead(&self) -> Result<()> {
        if !self.claims.any() {
            return Ok(());
        }
        let changes = self.claims.spending(None, self.now().0)?;
        if !changes.is_empty() {
            self.rooms.store.commit(changes, None).await?;
            self.claims.spent();
        }
        Ok(())
    }

    /// Whether policy would permit `action`, without leaving an event: for
    /// filtering lists, whose own act was authorised.
    pub(crate) fn may_see(&self, action: Action, resource: &ResourceRef<'_>) -> bool {
        self.decide(action, resource)
    }

    fn decide(&self, action: Action, resource: &ResourceRef<'_>) -> bool {
        self.evaluate(action, resource).allowed
    }

    fn evaluate(&self, action: Action, resource: &ResourceRef<'_>) -> Arc<Decision> {
        self.asks(action, resource, |request| {
            self.rooms
                .decisions
                .decide(&self.rooms.policies.load(), request)
        })
    }

    fn asks<T>(
        &self,
        action: Action,
        resource: &ResourceRef<'_>,
        whom: impl FnOnce(&Request<'_>) -> T,
    ) -> T {
        let context = Context {
            now_unix: self.now_ms.div_euclid(1000),
            source_ip: self.caller.source,
            tls: self.caller.tls,
            certificate: self.caller.session.by_certificate(),
        };
        let request = Request {
            principal: &self.caller.session.principal,
            action,
            resource,
            context: &context,
        };
        whom(&request)
    }

    /// Leaves the event of a refusal.
    async fn refuse<A: Act>(&self, target: &Target, reason: &str) -> Result<()> {
        let event = EventDraft::refused::<A>(self, target, reason)?;
        self.record(event).await
    }
}

fn refusal<A: Act>(visible: bool, what: &'static str, target: &Target) -> Error {
    if visible {
        Error::Forbidden {
            action: A::ACTION.name(),
            target: target.path(),
        }
    } else {
        Error::NotFound { what }
    }
}
