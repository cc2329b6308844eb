//! Bearer tokens: create, list, read, revoke, and what a caller is told
//! about itself.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_crypto::{SecretBytes, rand};
use skms_evidence::Outcome;
use skms_keys::UnixSeconds;
use skms_policy::{Action, Principal, PrincipalKind};
use skms_store::{Change, Kind, RecordId};

use crate::act::act;
use crate::caller::{Authentication, Caller, Session};
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::idempotency::Once;
use crate::page::Page;
use crate::places::SYSTEM_SCOPE;
use crate::quotas;
use crate::records;
use crate::records::token::TokenRecord;
use crate::sessions::{TOKEN_PREFIX, token_digest};
use crate::target::Target;

act!(Create, TokenCreate, "Issues a token.");
act!(List, TokenList, "Lists a namespace's tokens.");
act!(Read, TokenRead, "Reads a token's record.");
act!(Revoke, TokenRevoke, "Revokes a token.");
act!(
    OwnSelf,
    TokenSelf,
    "Reads what the server knows about the caller."
);

/// Random bytes in a token.
const TOKEN_BYTES: usize = 32;

/// What token is wanted.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// The principal it authenticates.
    pub principal: String,
    /// The groups that policies will see it in.
    pub groups: BTreeSet<String>,
    /// Seconds until it ends; `None` for one that has to be revoked.
    pub ttl_seconds: Option<u64>,
    /// A note for the operator.
    pub description: String,
}

/// A token that was just made: the only time its text exists outside the
/// caller's hands.
pub struct IssuedToken {
    /// The token.
    pub token: SecretBytes,
    /// Its record.
    pub view: View,
    /// Whether its principal is suspended: then it opens nothing until that is over.
    pub suspended: bool,
}

/// What is told about a token. Never the token.
#[derive(Clone, Debug)]
pub struct View {
    /// Its public identifier.
    pub id: RecordId,
    /// The principal it authenticates.
    pub principal: String,
    /// Its namespace.
    pub namespace: String,
    /// Its groups.
    pub groups: BTreeSet<String>,
    /// The operator's note.
    pub description: String,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// By which principal.
    pub created_by: String,
    /// When it ends.
    pub expires_at: Option<UnixSeconds>,
}

/// What a caller is told about itself.
#[derive(Clone, Debug)]
pub struct SelfView {
    /// The principal's name.
    pub principal: String,
    /// Its namespace.
    pub namespace: String,
    /// Its groups.
    pub groups: BTreeSet<String>,
    /// How it authenticated: kind and public identifier.
    pub authentication: String,
    /// The token's record, where a token was used.
    pub token: Option<View>,
}

impl View {
    fn of(id: RecordId, record: TokenRecord) -> Self {
        Self {
            id,
            principal: record.principal,
            namespace: record.namespace,
            groups: record.groups,
            description: record.description,
            created_at: UnixSeconds(record.created_at),
            created_by: record.created_by,
            expires_at: record.expires_at.map(UnixSeconds),
        }
    }

    fn target(&self, revision: u64) -> Target {
        Target::token(
            &self.namespace,
            &self.id.to_string(),
            &self.principal,
            self.groups.clone(),
        )
        .stored(self.id.0, revision)
    }
}

impl Engine {
    /// Issues a token in a namespace.
    ///
    /// # Errors
    /// [`Error::Invalid`] for names that cannot be and for an end beyond
    /// reckoning.
    pub async fn create_token(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        new: NewToken,
    ) -> Result<IssuedToken> {
        let entry = self.enter(caller)?;
        let id = RecordId::random()?;
        let allowed = entry
            .authorize::<Create>(Target::token(
                namespace,
                &id.to_string(),
                &new.principal,
                new.groups.clone(),
            ))
            .await?;
        let shared = entry.rooms.share_changes().await;
        // Whoever takes its credential back afterwards finds what it made.
        entry.caller.session.check(entry.now())?;
        let place = entry.rooms.places.namespace(namespace);
        let claim = match &place {
            Some(place) => match entry.once::<()>(place.id.0).await {
                Ok(Once::First(claim)) => Ok(claim),
                Ok(Once::Again(id, ())) => Err(Error::SecretGiven { id: id.to_string() }),
                Err(error) => Err(error),
            },
            None => Err(Error::NotFound { what: "namespace" }),
        };
        let claim = entry.failed(&allowed, claim).await?;
        let by = Maker::of(&entry.caller.session);
        let minted = mint(namespace, new, by, entry.now());
        let (token, record) = entry.failed(&allowed, minted).await?;
        let room = match &place {
            Some(place) => {
                let now = entry.now().0;
                quotas::room_for_token(&entry.rooms, place.id, id, &record, now).await
            }
            None => Ok(None),
        };
        let room = entry.failed(&allowed, room).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .principal(&record.principal)
            .groups(&record.groups);
        let mut changes = vec![put(id, &record)?];
        changes.extend(claim.remember(id, &())?);
        entry
            .change((shared, claim), changes, event, move |rooms, _| {
                if let Some(room) = room {
                    room.settle(&Ok(()));
                }
                Ok(IssuedToken {
                    token,
                    suspended: rooms.suspended.has(&record.namespace, &record.principal),
                    view: View::of(id, record),
                })
            })
            .await
    }

    /// The tokens of a namespace that the caller may read, in order of their
    /// identifiers.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the caller may not list them.
    pub async fn list_tokens(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        page: &Page,
    ) -> Result<(Vec<View>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<List>(Target::namespace(namespace))
            .await?;
        let listed = page
            .collect(&entry.rooms.store, SYSTEM_SCOPE, Kind::Token, |record| {
                let revision = record.revision;
                let decoded = records::decode::<TokenRecord>(record.plaintext.expose())?;
                let view = View::of(record.id, decoded);
                let target = view.target(revision);
                let visible = view.namespace == namespace
                    && entry.may_see(Action::TokenRead, &target.resource());
                Ok(visible.then_some(view))
            })
            .await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(listed)
    }

    /// A token's record.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn read_token(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        id: RecordId,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let found = load(&entry.rooms, namespace, id).await?;
        let target = match &found {
            Some((view, revision)) => view.target(*revision),
            None => Target::token(namespace, &id.to_string(), "", BTreeSet::new()),
        };
        let allowed = entry.authorize::<Read>(target).await?;
        let outcome = match &found {
            Some(_) => Outcome::Success,
            None => Outcome::failed("absent"),
        };
        entry
            .record(EventDraft::of(&entry, &allowed, outcome)?)
            .await?;
        found
            .map(|(view, _)| view)
            .ok_or(Error::NotFound { what: "token" })
    }

    /// Revokes a token: its record goes, and every call with it is refused
    /// from here on.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent one and one not visible.
    pub async fn revoke_token(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        id: RecordId,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let found = load(&entry.rooms, namespace, id).await?;
        let target = match &found {
            Some((view, revision)) => view.target(*revision),
            None => Target::token(namespace, &id.to_string(), "", BTreeSet::new()),
        };
        let allowed = entry.authorize::<Revoke>(target).await?;
        let Some((view, revision)) = found else {
            return entry
                .failed(&allowed, Err(Error::NotFound { what: "token" }))
                .await;
        };
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?.principal(&view.principal);
        let change = Change::Delete {
            namespace: SYSTEM_SCOPE,
            kind: Kind::Token,
            id,
            expected: revision,
        };
        entry
            .change((), vec![change], event.urgent(), move |rooms, _| {
                rooms.sessions.end(id);
                if let Some(place) = rooms.places.namespace(&view.namespace) {
                    rooms.quotas.gone(place.id, id);
                }
                Ok(())
            })
            .await
    }

    /// What the server knows about the caller.
    ///
    /// # Errors
    /// [`Error::NotFound`] when no policy lets the caller ask.
    pub async fn read_self(&self, caller: &Arc<Caller>) -> Result<SelfView> {
        let entry = self.enter(caller)?;
        let session = Arc::clone(&entry.caller.session);
        let principal = &session.principal;
        let mut token = None;
        if let Authentication::Token { id } = &session.authentication
            && let Ok(id) = id.parse()
        {
            token = load(&entry.rooms, principal.namespace(), id).await?;
        }
        let target = match &token {
            Some((view, revision)) => view.target(*revision),
            None => Target::token(
                principal.namespace(),
                "self",
                principal.id(),
                principal.groups().clone(),
            ),
        };
        let allowed = entry.authorize::<OwnSelf>(target).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(SelfView {
            principal: principal.id().to_owned(),
            namespace: principal.namespace().to_owned(),
            groups: principal.groups().clone(),
            authentication: session.authentication.label(),
            token: token.map(|(view, _)| view),
        })
    }
}

async fn load(rooms: &Rooms, namespace: &str, id: RecordId) -> Result<Option<(View, u64)>> {
    let Some(stored) = rooms.store.get(SYSTEM_SCOPE, Kind::Token, id).await? else {
        return Ok(None);
    };
    let record = records::decode::<TokenRecord>(stored.plaintext.expose())?;
    let view = View::of(id, record);
    Ok((view.namespace == namespace).then_some((view, stored.revision)))
}

/// Who makes a token.
pub(crate) struct Maker {
    principal: String,
    namespace: Option<String>,
    credential: Option<String>,
}

impl Maker {
    fn of(session: &Session) -> Self {
        Self {
            principal: session.principal.id().to_owned(),
            namespace: Some(session.principal.namespace().to_owned()),
            credential: Some(session.label().to_owned()),
        }
    }

    /// Whoever sets the server up.
    pub(crate) fn init() -> Self {
        Self {
            principal: "init".to_owned(),
            namespace: None,
            credential: None,
        }
    }
}

/// Makes a token's text and its record.
pub(crate) fn mint(
    namespace: &str,
    new: NewToken,
    by: Maker,
    now: UnixSeconds,
) -> Result<(SecretBytes, TokenRecord)> {
    // Refuses names that policies could not write down.
    Principal::new(PrincipalKind::Token, namespace, new.principal.as_str())?
        .with_groups(new.groups.iter().cloned())?;
    let token = token_text(&rand::secret(TOKEN_BYTES)?);
    let digest = token_digest(token.expose());
    let record = TokenRecord {
        principal: new.principal,
        namespace: namespace.to_owned(),
        groups: new.groups,
        description: new.description,
        digest,
        created_at: now.0,
        created_by: by.principal,
        created_in: by.namespace,
        created_with: by.credential,
        expires_at: new.ttl_seconds.map(|seconds| now.plus(seconds).0),
    };
    Ok((token, record))
}

/// The change that stores a token's record.
pub(crate) fn put(id: RecordId, record: &TokenRecord) -> Result<Change> {
    Ok(Change::Put {
        namespace: SYSTEM_SCOPE,
        kind: Kind::Token,
        id,
        name: Some(record.digest.clone()),
        expected: None,
        plaintext: records::encode(record)?,
    })
}

/// The prefix and the random bytes in base64url.
fn token_text(random: &SecretBytes) -> SecretBytes {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let length = TOKEN_PREFIX.len() + TOKEN_BYTES.div_ceil(3) * 4;
    let mut text = Vec::with_capacity(length);
    text.extend_from_slice(TOKEN_PREFIX.as_bytes());
    text.resize(length, 0);
    let written = text
        .get_mut(TOKEN_PREFIX.len()..)
        .and_then(|rest| engine.encode_slice(random.expose(), rest).ok())
        .unwrap_or(0);
    text.truncate(TOKEN_PREFIX.len() + written);
    SecretBytes::new(text)
}
