//! Orders with their authorizations and challenges.

use skms_crypto::rand;
use skms_evidence::{DetailKey, Outcome};
use skms_keys::UnixSeconds;
use skms_pki::acme::{
    AuthorizationStatus, ChallengeKind, ChallengeStatus, Identifier, OrderStatus,
};
use skms_store::{Change, Kind, RecordId};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::certificates::usable;
use super::entering::{Entrant, open};
use super::{Failed, Opening, Order, Place, Refusal, damaged, later, renewal};
use crate::authority::Authority;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::acme::{AuthorizationRecord, ChallengeRecord, OrderRecord, ProblemRecord};

/// The most identifiers of an order.
const IDENTIFIERS_MAX: usize = 100;
/// How long an order and its authorizations are good, in seconds: a week.
const ORDER_SECONDS: i64 = 7 * 86_400;

/// What is told about an order.
#[derive(Clone, Debug)]
pub struct OrderView {
    /// Its identifier.
    pub id: RecordId,
    /// How far it is.
    pub status: OrderStatus,
    /// When it ends unless it is finalized.
    pub expires_at: UnixSeconds,
    /// What control is to be proved of, in the order of the identifiers.
    pub authorizations: Vec<AuthorizationView>,
    /// Why it failed.
    pub error: Option<Failed>,
    /// The certificate that it takes the place of.
    pub replaces: Option<String>,
}

/// What is told about an authorization.
#[derive(Clone, Debug)]
pub struct AuthorizationView {
    /// The identifier, a wildcard with `*.`.
    pub identifier: Identifier,
    /// How far it is.
    pub status: AuthorizationStatus,
    /// The ways to prove control.
    pub challenges: Vec<ChallengeView>,
}

/// What is told about a challenge.
#[derive(Clone, Debug)]
pub struct ChallengeView {
    /// Its kind.
    pub kind: ChallengeKind,
    /// What the answer is made of.
    pub token: String,
    /// How far it is.
    pub status: ChallengeStatus,
    /// When control was proved.
    pub validated_at: Option<UnixSeconds>,
    /// Why it was not.
    pub error: Option<Failed>,
}

/// An order as it is stored.
pub(super) struct Stored {
    pub(super) id: RecordId,
    pub(super) revision: u64,
    pub(super) record: OrderRecord,
}

impl From<&ProblemRecord> for Failed {
    fn from(record: &ProblemRecord) -> Self {
        Self {
            kind: record.kind.clone(),
            detail: record.detail.clone(),
        }
    }
}

impl AuthorizationRecord {
    pub(super) fn identifier(&self) -> Result<Identifier> {
        Identifier::new(&self.kind, &self.value).map_err(|_| damaged("identifier"))
    }

    fn new(identifier: &Identifier, opening: &Opening) -> Result<Self> {
        let mut challenges = Vec::new();
        for kind in opening
            .challenges
            .iter()
            .filter(|kind| kind.proves(identifier))
        {
            //= https://www.rfc-editor.org/rfc/rfc8555#section-8.3
            //# This value MUST have at least 128 bits of entropy.
            let token: [u8; 32] = rand::array()?;
            challenges.push(ChallengeRecord {
                kind: kind.name().to_owned(),
                token: URL_SAFE_NO_PAD.encode(token),
                status: ChallengeStatus::Pending.name().to_owned(),
                validated_at: None,
                error: None,
            });
        }
        if challenges.is_empty() {
            return Err(Refusal::RejectedIdentifier.because(format!(
                "{identifier}: no way to prove control of it is taken here"
            )));
        }
        Ok(Self {
            kind: identifier.kind().to_owned(),
            value: identifier.to_string(),
            status: AuthorizationStatus::Pending.name().to_owned(),
            challenges,
        })
    }
}

impl OrderView {
    /// What its record says at `now`: what has ended by then is not as it was
    /// written.
    pub(super) fn of(id: RecordId, record: &OrderRecord, now: UnixSeconds) -> Result<Self> {
        let over = now.0 >= record.expires_at;
        let mut status: OrderStatus = record.status.parse().map_err(|_| damaged("status"))?;
        if over && status.may_become(OrderStatus::Invalid) {
            status = OrderStatus::Invalid;
        }
        let authorizations = record.authorizations.iter().map(|one| {
            let mut status: AuthorizationStatus =
                one.status.parse().map_err(|_| damaged("status"))?;
            if over && status.may_become(AuthorizationStatus::Expired) {
                status = AuthorizationStatus::Expired;
            }
            let challenges = one.challenges.iter().map(|challenge| {
                Ok(ChallengeView {
                    kind: challenge.kind.parse().map_err(|_| damaged("challenge"))?,
                    token: challenge.token.clone(),
                    status: challenge.status.parse().map_err(|_| damaged("status"))?,
                    validated_at: challenge.validated_at.map(UnixSeconds),
                    error: challenge.error.as_ref().map(Into::into),
                })
            });
            Ok(AuthorizationView {
                identifier: one.identifier()?,
                status,
                challenges: challenges.collect::<Result<_>>()?,
            })
        });
        Ok(Self {
            id,
            status,
            expires_at: UnixSeconds(record.expires_at),
            authorizations: authorizations.collect::<Result<_>>()?,
            error: record.error.as_ref().map(Into::into),
            replaces: record.replaces.clone(),
        })
    }
}

impl Engine {
    /// Places an order (RFC 8555, section 7.4).
    ///
    /// # Errors
    /// [`Refusal::RejectedIdentifier`] for what no challenge proves control of,
    /// and for what the profile does not certify; [`Refusal::AlreadyReplaced`] and [`Refusal::Malformed`] for what it
    /// is to take the place of; [`Error::RateLimited`].
    pub async fn acme_new_order(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        identifiers: &[Identifier],
        replaces: Option<String>,
    ) -> Result<OrderView> {
        let account = entrant.account()?.id;
        let entry = self.enter(&entrant.caller)?;
        let authority = open(&entry.rooms, place)?;
        self.acme_traffic().order(account, entry.now_ms)?;
        let allowed = entry.authorize_as_account::<Order>(&authority).await?;
        let done = async {
            let mut names = identifiers.to_vec();
            names.sort();
            names.dedup();
            if !(1..=IDENTIFIERS_MAX).contains(&names.len()) {
                return Err(Refusal::Malformed.because("an order has 1 to 100 identifiers"));
            }
            let record = authority.record.acme.as_ref();
            let opening = Opening::try_from(record.ok_or(Error::NotFound { what: "authority" })?)?;
            let profile = usable(&authority, &opening.profile)?;
            // Before anybody proves control of what gets no certificate.
            let wanted: Vec<_> = names.iter().map(Identifier::alt_name).collect();
            profile
                .check_names(&wanted)
                .map_err(|why| Refusal::RejectedIdentifier.because(why.to_string()))?;
            let mut changes = Vec::new();
            if let Some(certificate) = &replaces {
                changes
                    .extend(renewal::may_replace(&entry, &authority, account, certificate).await?);
            }
            let record = OrderRecord {
                authority: authority.id_text(),
                account: account.to_string(),
                status: OrderStatus::Pending.name().to_owned(),
                created_at: entry.now().0,
                expires_at: later(entry.now(), ORDER_SECONDS),
                authorizations: names
                    .iter()
                    .map(|one| AuthorizationRecord::new(one, &opening))
                    .collect::<Result<_>>()?,
                error: None,
                certificate: None,
                replaces,
            };
            let id = RecordId::at(entry.now_ms)?;
            changes.push(put(&authority, id, None, &record)?);
            let text: Vec<String> = names.iter().map(Identifier::to_string).collect();
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Order, id.to_string())
                .detail(DetailKey::Names, text.join(" "));
            entry.change((), changes, event, |_, _| Ok(())).await?;
            OrderView::of(id, &record, entry.now())
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// An order of the account that signed.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what is none of its own.
    pub async fn acme_order(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        id: RecordId,
    ) -> Result<OrderView> {
        let entry = self.enter(&entrant.caller)?;
        let authority = open(&entry.rooms, place)?;
        let stored = own(&entry, &authority, entrant, id).await?;
        OrderView::of(id, &stored.record, entry.now())
    }

    /// Gives an authorization up, and with it its order (RFC 8555, section
    /// 7.5.2).
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Refusal::Malformed`] for one that has ended.
    pub async fn acme_deactivate_authorization(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        (order, at): (RecordId, usize),
    ) -> Result<OrderView> {
        let entry = self.enter(&entrant.caller)?;
        let authority = open(&entry.rooms, place)?;
        let allowed = entry.authorize_as_account::<Order>(&authority).await?;
        let done = async {
            let mut stored = own(&entry, &authority, entrant, order).await?;
            let view = OrderView::of(order, &stored.record, entry.now())?;
            let missing = Error::NotFound {
                what: "authorization",
            };
            let one = view.authorizations.get(at).ok_or(missing)?;
            if !one.status.may_become(AuthorizationStatus::Deactivated) {
                return Err(Refusal::Malformed.because("the authorization has ended already"));
            }
            if let Some(one) = stored.record.authorizations.get_mut(at) {
                AuthorizationStatus::Deactivated
                    .name()
                    .clone_into(&mut one.status);
            }
            if view.status.may_become(OrderStatus::Invalid) {
                OrderStatus::Invalid
                    .name()
                    .clone_into(&mut stored.record.status);
            }
            let change = put(&authority, order, Some(stored.revision), &stored.record)?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Order, order.to_string())
                .detail(DetailKey::Changed, "authorization given up");
            entry.change((), vec![change], event, |_, _| Ok(())).await?;
            OrderView::of(order, &stored.record, entry.now())
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// An order of this authority.
pub(super) async fn find(
    rooms: &Rooms,
    authority: &Authority,
    id: RecordId,
) -> Result<Option<Stored>> {
    let scope = authority.namespace.0;
    let Some(stored) = rooms.store.get(scope, Kind::AcmeOrder, id).await? else {
        return Ok(None);
    };
    let record: OrderRecord = records::decode(stored.plaintext.expose())?;
    Ok((record.authority == authority.id_text()).then_some(Stored {
        id,
        revision: stored.revision,
        record,
    }))
}

/// An order of the account that signed; another's looks absent.
pub(super) async fn own(
    entry: &Entry,
    authority: &Authority,
    entrant: &Entrant,
    id: RecordId,
) -> Result<Stored> {
    let account = entrant.account()?.id.to_string();
    find(&entry.rooms, authority, id)
        .await?
        .filter(|stored| stored.record.account == account)
        .ok_or(Error::NotFound { what: "order" })
}

/// The change that writes an order.
pub(super) fn put(
    authority: &Authority,
    id: RecordId,
    expected: Option<u64>,
    record: &OrderRecord,
) -> Result<Change> {
    // What failed leaves the place of its certificate free for another try.
    let replaces = record
        .replaces
        .as_deref()
        .filter(|_| record.status != OrderStatus::Invalid.name());
    Ok(Change::Put {
        namespace: authority.namespace.0,
        kind: Kind::AcmeOrder,
        id,
        name: OrderRecord::name(&record.authority, replaces),
        expected,
        plaintext: records::encode(record)?,
    })
}
