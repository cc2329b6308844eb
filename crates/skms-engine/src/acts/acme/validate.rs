//! Looking whether control is proved: begun by the client, done by the server
//! itself, a few times if need be, and taken up again after a restart.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use skms_evidence::{DetailKey, Outcome};
use skms_pki::acme::{
    AccountKey, AuthorizationStatus, ChallengeKind, ChallengeStatus, Identifier, KeyAuthorization,
    OrderStatus, answers, dns_name,
};
use skms_store::RecordId;

use super::entering::{Entrant, by_id, open};
use super::orders::{self, OrderView, own};
use super::{Order, Place, Refusal, damaged};
use crate::acts::acme::Failed;
use crate::authority::Authority;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::probe::{ProbeError, Prober};
use crate::records::acme::ProblemRecord;
use crate::target::Target;

/// Seconds before each look; what fails at the last one has failed.
const LOOKS: [u64; 4] = [0, 2, 4, 8];
/// Times that a result is written again over somebody else's change.
const ATTEMPTS: usize = 8;

/// A challenge: its order, the place of its authorization, and its kind.
pub(super) type At = (RecordId, usize, ChallengeKind);

/// What is being looked for.
#[derive(Default)]
pub(crate) struct Validations {
    running: Mutex<HashSet<(RecordId, usize)>>,
}

/// One of them, until it is dropped.
struct Running {
    engine: Arc<Engine>,
    which: (RecordId, usize),
}

impl Running {
    fn begin(engine: &Arc<Engine>, which: (RecordId, usize)) -> Option<Self> {
        let running = &engine.acme_validations().running;
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        running.insert(which).then(|| Self {
            engine: Arc::clone(engine),
            which,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let running = &self.engine.acme_validations().running;
        let mut running = running.lock().unwrap_or_else(PoisonError::into_inner);
        running.remove(&self.which);
    }
}

impl Engine {
    /// Begins to look whether a challenge is answered (RFC 8555, section
    /// 7.5.1). The result is in the order later.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Refusal::Malformed`] for an authorization that
    /// has ended.
    pub async fn acme_respond(
        self: &Arc<Self>,
        place: Place<'_>,
        entrant: &Entrant,
        (order, at, kind): (RecordId, usize, ChallengeKind),
    ) -> Result<OrderView> {
        let entry = self.enter(&entrant.caller)?;
        let authority = open(&entry.rooms, place)?;
        let allowed = entry.authorize_as_account::<Order>(&authority).await?;
        let done = async {
            let mut stored = own(&entry, &authority, entrant, order).await?;
            let view = OrderView::of(order, &stored.record, entry.now())?;
            let missing = || Error::NotFound { what: "challenge" };
            let one = view.authorizations.get(at).ok_or_else(missing)?;
            let challenge = one
                .challenges
                .iter()
                .find(|challenge| challenge.kind == kind);
            // Asked for a second time, it is told as it is.
            if challenge.ok_or_else(missing)?.status != ChallengeStatus::Pending {
                return Ok(view);
            }
            if one.status != AuthorizationStatus::Pending {
                return Err(Refusal::Malformed.because("the authorization has ended already"));
            }
            if let Some(challenge) = stored.record.challenge_mut(at, kind) {
                ChallengeStatus::Processing
                    .name()
                    .clone_into(&mut challenge.status);
            }
            let change = orders::put(&authority, order, Some(stored.revision), &stored.record)?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Order, order.to_string())
                .detail(DetailKey::Names, one.identifier.to_string())
                .detail(DetailKey::Challenge, kind.name());
            entry.change((), vec![change], event, |_, _| Ok(())).await?;
            self.look(&authority, (order, at, kind));
            OrderView::of(order, &stored.record, entry.now())
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// Looks for a challenge's answer in a task of its own, unless that is
    /// being done.
    pub(super) fn look(self: &Arc<Self>, authority: &Authority, challenge: At) {
        let Some(running) = Running::begin(self, (challenge.0, challenge.1)) else {
            return;
        };
        let place = (
            authority.namespace_name.to_string(),
            authority.record.name.clone(),
        );
        tokio::spawn(async move {
            let engine = Arc::clone(&running.engine);
            let result = engine.validate((&place.0, &place.1), challenge).await;
            if let Err(error) = result
                && !matches!(error, Error::Sealed | Error::NotFound { .. })
            {
                // It stays as it is, and is taken up again within the hour.
                engine.note_trouble(&error);
            }
        });
    }

    async fn validate(self: &Arc<Self>, place: Place<'_>, challenge: At) -> Result<()> {
        let (order, at, kind) = challenge;
        let (identifier, expected, token, account) = {
            let rooms = self.rooms()?;
            let authority = open(&rooms, place)?;
            let missing = || Error::NotFound { what: "order" };
            let mut stored = orders::find(&rooms, &authority, order)
                .await?
                .ok_or_else(missing)?;
            let account = by_id(&rooms, &authority, super::id(&stored.record.account)?).await?;
            let key = AccountKey::from_spki(&account.record.spki.0)
                .map_err(|_| damaged("account key"))?;
            let authorization = stored.record.authorizations.get(at).ok_or_else(missing)?;
            let identifier = authorization.identifier()?.base();
            let challenge = stored.record.challenge_mut(at, kind).ok_or_else(missing)?;
            let token = challenge.token.clone();
            let expected = KeyAuthorization::new(&token, &key);
            (identifier, expected, token, account.id)
        };
        let prober = Arc::clone(&self.config.prober);
        let mut outcome = Ok(());
        for wait in LOOKS {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            // Room is taken for the look alone, not while it waits for it.
            let look = self.acme_traffic().look(account).await?;
            let answer = ask(&*prober, kind, &identifier, &token, &expected).await;
            drop(look);
            let last = matches!(answer, Ok(()) | Err((_, Again::Never)));
            outcome = answer.map_err(|(failed, _)| failed);
            if last {
                break;
            }
        }
        for _ in 1..ATTEMPTS {
            match self.settle(place, challenge, &outcome).await {
                Err(Error::Conflict) => {}
                other => return other,
            }
        }
        self.settle(place, challenge, &outcome).await
    }

    /// Writes down what a challenge came to, and what follows for its
    /// authorization and its order.
    async fn settle(
        &self,
        (namespace, name): Place<'_>,
        (order, at, kind): At,
        outcome: &std::result::Result<(), Failed>,
    ) -> Result<()> {
        let entry = self.enter(&Caller::system("acme")?)?;
        let authority = open(&entry.rooms, (namespace, name))?;
        let Some(mut stored) = orders::find(&entry.rooms, &authority, order).await? else {
            return Ok(());
        };
        let before = OrderView::of(order, &stored.record, entry.now())?;
        let now = entry.now().0;
        let record = &mut stored.record;
        let Some(challenge) = record.challenge_mut(at, kind) else {
            return Ok(());
        };
        if challenge.status != ChallengeStatus::Processing.name() {
            return Ok(());
        }
        let (status, of_authorization) = match outcome {
            Ok(()) => (ChallengeStatus::Valid, AuthorizationStatus::Valid),
            Err(_) => (ChallengeStatus::Invalid, AuthorizationStatus::Invalid),
        };
        status.name().clone_into(&mut challenge.status);
        let problem = outcome.as_ref().err().map(|failed| ProblemRecord {
            kind: failed.kind.clone(),
            detail: failed.detail.clone(),
        });
        challenge.validated_at = outcome.is_ok().then_some(now);
        challenge.error.clone_from(&problem);
        if let Some(one) = record.authorizations.get_mut(at)
            && one.status == AuthorizationStatus::Pending.name()
        {
            of_authorization.name().clone_into(&mut one.status);
        }
        let all_valid = record
            .authorizations
            .iter()
            .all(|one| one.status == AuthorizationStatus::Valid.name());
        if before.status == OrderStatus::Pending {
            if problem.is_some() {
                OrderStatus::Invalid.name().clone_into(&mut record.status);
                record.error.clone_from(&problem);
            } else if all_valid {
                OrderStatus::Ready.name().clone_into(&mut record.status);
            }
        }
        let target = Target::authority(namespace, name).stored(authority.id.0, authority.revision);
        let allowed = entry.authorize_target_as_system::<Order>(target)?;
        let result = match outcome {
            Ok(()) => Outcome::Success,
            Err(failed) => Outcome::failed(&failed.detail),
        };
        let account = super::entering::principal_of(&stored.record.account);
        let names = stored.record.authorizations.get(at);
        let event = EventDraft::of(&entry, &allowed, result)?
            .principal(&account)
            .detail(DetailKey::Order, order.to_string())
            .detail(DetailKey::Challenge, kind.name())
            .detail(
                DetailKey::Names,
                names.map(|one| one.value.as_str()).unwrap_or_default(),
            );
        let change = orders::put(&authority, order, Some(stored.revision), &stored.record)?;
        entry.change((), vec![change], event, |_, _| Ok(())).await
    }
}

/// Whether another look may find something else.
#[derive(Clone, Copy)]
enum Again {
    Perhaps,
    Never,
}

async fn ask(
    prober: &dyn Prober,
    kind: ChallengeKind,
    identifier: &Identifier,
    token: &str,
    expected: &KeyAuthorization,
) -> std::result::Result<(), (Failed, Again)> {
    let incorrect = |why: &str| (failed(Refusal::IncorrectResponse, why), Again::Perhaps);
    match kind {
        ChallengeKind::Http01 => {
            let body = prober.http(identifier, token).await.map_err(no_answer)?;
            match expected.is_body(&body) {
                true => Ok(()),
                false => Err(incorrect("the file holds something else")),
            }
        }
        ChallengeKind::Dns01 => {
            let name = dns_name(&identifier.to_string());
            let records = prober.txt(&name).await.map_err(no_answer)?;
            match records.iter().any(|record| expected.is_record(record)) {
                true => Ok(()),
                false => Err(incorrect("no TXT record holds the right value")),
            }
        }
        ChallengeKind::TlsAlpn01 => {
            let der = prober.tls_alpn(identifier).await.map_err(no_answer)?;
            answers(&der, identifier, expected).map_err(incorrect)
        }
    }
}

fn no_answer(error: ProbeError) -> (Failed, Again) {
    let (refusal, again) = match &error {
        ProbeError::Dns(_) => (Refusal::Dns, Again::Perhaps),
        ProbeError::Connection(_) => (Refusal::Connection, Again::Perhaps),
        ProbeError::Forbidden(_) => (Refusal::Connection, Again::Never),
        ProbeError::Tls(_) => (Refusal::Tls, Again::Perhaps),
        ProbeError::Incorrect(_) => (Refusal::IncorrectResponse, Again::Perhaps),
    };
    (failed(refusal, &error.to_string()), again)
}

fn failed(refusal: Refusal, detail: &str) -> Failed {
    Failed {
        kind: refusal.name().to_owned(),
        detail: detail.to_owned(),
    }
}
