//! Binding accounts to keys that the operator hands out (RFC 8555, section
//! 7.3.4). A key binds one account.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use skms_crypto::{Algorithm, Format, KeyMaterial, OpenKey, SecretText};
use skms_evidence::{DetailKey, Outcome};
use skms_keys::UnixSeconds;
use skms_pki::acme::AccountKey;
use skms_store::sealed::Record as Stored;
use skms_store::{Change, Kind, RecordId};
use zeroize::Zeroizing;

use super::entering::{Entrant, open};
use super::{Manage, Place, Refusal};
use crate::authority::Authority;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::page::Page;
use crate::records;
use crate::records::acme::{BindingKeyRecord, SecretField};

/// The longest description of a key, in bytes.
const DESCRIPTION_MAX: usize = 256;

/// What binds a new account to a key: the inner signed message.
pub struct Binding<'a> {
    /// The key's identifier, as the message names it.
    pub key_id: &'a str,
    /// Its algorithm, as the message names it.
    pub algorithm: &'a str,
    /// What is authenticated.
    pub input: &'a [u8],
    /// The MAC.
    pub mac: &'a [u8],
    /// The account key that it carries.
    pub account_key: AccountKey,
}

/// What is told about a key.
#[derive(Clone, Debug)]
pub struct BindingKeyView {
    /// Its identifier.
    pub id: RecordId,
    /// What it is for.
    pub description: String,
    /// When it was made.
    pub created_at: UnixSeconds,
    /// By whom.
    pub created_by: String,
    /// The account that is bound to it.
    pub account: Option<String>,
}

/// A key that was just made.
pub struct NewBindingKey {
    /// The key, in base64url: given once.
    pub secret: SecretText,
    /// What is kept about it.
    pub view: BindingKeyView,
}

impl BindingKeyView {
    fn of(id: RecordId, record: &BindingKeyRecord) -> Self {
        Self {
            id,
            description: record.description.clone(),
            created_at: UnixSeconds(record.created_at),
            created_by: record.created_by.clone(),
            account: record.account.clone(),
        }
    }
}

impl Engine {
    /// Makes a key that one account can be bound to.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an authority that is not open to ACME.
    pub async fn acme_create_key(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): Place<'_>,
        description: String,
    ) -> Result<NewBindingKey> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let authority = open(&entry.rooms, (namespace, name))?;
            if description.len() > DESCRIPTION_MAX {
                return Err(Error::TooLarge {
                    what: "the description",
                    limit: DESCRIPTION_MAX as u64,
                });
            }
            let material = KeyMaterial::generate(Algorithm::HmacSha256)?;
            let raw = material.export(Format::Raw, None)?;
            let secret = Zeroizing::new(URL_SAFE_NO_PAD.encode(raw.expose()));
            let record = BindingKeyRecord {
                authority: authority.id_text(),
                secret: SecretField(secret.clone()),
                description,
                created_at: entry.now().0,
                created_by: entry.caller.session.principal.id().to_owned(),
                account: None,
            };
            let id = RecordId::at(entry.now_ms)?;
            let view = BindingKeyView::of(id, &record);
            let change = put(&authority, id, None, &record)?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Changed, "key created");
            entry.change((), vec![change], event, |_, _| Ok(())).await?;
            Ok(NewBindingKey {
                secret: SecretText::new(secret.to_string()),
                view,
            })
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }

    /// The keys of an authority, in the order in which they were made.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent authority and one not visible.
    pub async fn acme_list_keys(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): Place<'_>,
        page: &Page,
    ) -> Result<(Vec<BindingKeyView>, Option<RecordId>)> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.authority_target(namespace, name))
            .await?;
        let found = entry.authority(namespace, name);
        let authority = entry.failed(&allowed, found).await?;
        let of = authority.id_text();
        let scope = authority.namespace.0;
        let listed = page
            .collect(&entry.rooms.store, scope, Kind::AcmeKey, |stored| {
                let record: BindingKeyRecord = records::decode(stored.plaintext.expose())?;
                Ok((record.authority == of).then(|| BindingKeyView::of(stored.id, &record)))
            })
            .await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?;
        entry.record(event).await?;
        Ok(listed)
    }

    /// Takes a key away: no account is bound to it any more. One that is
    /// already goes on.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn acme_revoke_key(
        &self,
        caller: &Arc<Caller>,
        (namespace, name): Place<'_>,
        id: &str,
    ) -> Result<()> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Manage>(entry.authority_target(namespace, name))
            .await?;
        let done = async {
            let authority = entry.authority(namespace, name)?;
            let missing = || Error::NotFound { what: "ACME key" };
            let id: RecordId = id.parse().map_err(|_| missing())?;
            let found = find(&entry, &authority, id).await?;
            let (stored, _) = found.ok_or_else(missing)?;
            let gone = Change::Delete {
                namespace: authority.namespace.0,
                kind: Kind::AcmeKey,
                id,
                expected: stored.revision,
            };
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
                .detail(DetailKey::Changed, "key revoked");
            entry.change((), vec![gone], event, |_, _| Ok(())).await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// Checks what binds an account that is about to be made, and uses the key up.
/// Gives the key's identifier and the change.
pub(super) async fn bind(
    entry: &Entry,
    authority: &Authority,
    entrant: &Entrant,
    bound: &Binding<'_>,
    account: RecordId,
) -> Result<(String, Change)> {
    // One answer for all: who guesses learns nothing about which keys exist.
    let refused = || Refusal::Unauthorized.because("the external account binding does not hold");
    if bound.algorithm != "HS256" || bound.account_key.thumbprint() != entrant.key.thumbprint() {
        return Err(refused());
    }
    let id: RecordId = bound.key_id.parse().map_err(|_| refused())?;
    let (stored, mut record) = find(entry, authority, id).await?.ok_or_else(refused)?;
    let raw = URL_SAFE_NO_PAD
        .decode(record.secret.0.as_bytes())
        .map(Zeroizing::new)
        .map_err(|_| super::damaged("key"))?;
    let material = KeyMaterial::import(&raw, Format::Raw, Some(Algorithm::HmacSha256), None)?;
    let holds = OpenKey::open(&material)?.mac_verify(bound.input, bound.mac)?;
    if !holds || record.account.is_some() {
        return Err(refused());
    }
    record.account = Some(account.to_string());
    let change = put(authority, id, Some(stored.revision), &record)?;
    Ok((id.to_string(), change))
}

async fn find(
    entry: &Entry,
    authority: &Authority,
    id: RecordId,
) -> Result<Option<(Stored, BindingKeyRecord)>> {
    let scope = authority.namespace.0;
    let Some(stored) = entry.rooms.store.get(scope, Kind::AcmeKey, id).await? else {
        return Ok(None);
    };
    let record: BindingKeyRecord = records::decode(stored.plaintext.expose())?;
    Ok((record.authority == authority.id_text()).then_some((stored, record)))
}

fn put(
    authority: &Authority,
    id: RecordId,
    expected: Option<u64>,
    record: &BindingKeyRecord,
) -> Result<Change> {
    Ok(Change::Put {
        namespace: authority.namespace.0,
        kind: Kind::AcmeKey,
        id,
        name: None,
        expected,
        plaintext: records::encode(record)?,
    })
}
