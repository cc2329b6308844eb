//! Accounts: made, changed, given up, moved to another key.

use skms_evidence::{DetailKey, Outcome};
use skms_keys::UnixSeconds;
use skms_pki::acme::{AccountKey, AccountStatus};
use skms_store::{Change, Kind, RecordId};

use super::binding::{self, Binding};
use super::entering::{Entrant, Known, by_thumbprint, open};
use super::{Account, Opening, Place, Refusal, damaged};
use crate::authority::Authority;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records;
use crate::records::acme::AccountRecord;
use crate::records::der::Der;

/// The most contacts of an account, and the longest one in bytes.
const CONTACTS_MAX: usize = 8;
const CONTACT_MAX: usize = 256;

/// What is said about a new account.
#[derive(Default)]
pub struct NewAccount<'a> {
    /// Addresses of its holder.
    pub contact: Vec<String>,
    /// Whether its holder agrees to the terms.
    pub terms_agreed: bool,
    /// Whether none is to be made.
    pub only_existing: bool,
    /// What binds it to a key of the operator's.
    pub binding: Option<Binding<'a>>,
}

/// What is told about an account.
#[derive(Clone, Debug)]
pub struct AccountView {
    /// Its identifier.
    pub id: RecordId,
    /// Whether it may ask.
    pub status: AccountStatus,
    /// Addresses of its holder.
    pub contact: Vec<String>,
    /// Whether its holder agreed to the terms.
    pub terms_agreed: bool,
    /// When it was made.
    pub created_at: UnixSeconds,
}

impl AccountView {
    pub(super) fn of(id: RecordId, record: &AccountRecord) -> Result<Self> {
        Ok(Self {
            id,
            status: record.status.parse().map_err(|_| damaged("status"))?,
            contact: record.contact.clone(),
            terms_agreed: record.terms_agreed,
            created_at: UnixSeconds(record.created_at),
        })
    }
}

impl Engine {
    /// Makes an account for the key that signed, or finds the one it has
    /// (RFC 8555, section 7.3). Says whether it was made.
    ///
    /// # Errors
    /// [`Refusal::NoAccount`] where only an existing one was asked for;
    /// [`Refusal::TermsNotAgreed`], [`Refusal::ExternalAccountRequired`],
    /// [`Refusal::Unauthorized`] for a binding that does not hold, and for an
    /// account that is not valid any more; [`Error::RateLimited`].
    pub async fn acme_new_account(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        new: NewAccount<'_>,
    ) -> Result<(AccountView, bool)> {
        let entry = self.enter(&entrant.caller)?;
        let authority = open(&entry.rooms, place)?;
        let thumbprint = entrant.key.thumbprint();
        if let Some(known) = by_thumbprint(&entry.rooms, &authority, thumbprint).await? {
            if known.record.status != AccountStatus::Valid.name() {
                return Err(Refusal::Unauthorized.because("the account is not valid any more"));
            }
            return Ok((AccountView::of(known.id, &known.record)?, false));
        }
        if new.only_existing {
            return Err(Refusal::NoAccount.because("no account has this key"));
        }
        if new.binding.is_none() {
            self.acme_traffic()
                .new_account(entry.caller.source, entry.now_ms)?;
        }
        let allowed = entry.authorize_as_account::<Account>(&authority).await?;
        let done = make(&entry, &authority, entrant, new);
        let done = done.await;
        let (id, record, changes) = entry.failed(&allowed, done).await?;
        let event = EventDraft::of(&entry, &allowed, Outcome::Success)?
            .principal(&super::entering::principal_of(&id.to_string()));
        let committed = entry.change((), changes, event, |_, _| Ok(())).await;
        match committed {
            Ok(()) => Ok((AccountView::of(id, &record)?, true)),
            // Another request of this key was first, or of this binding.
            Err(Error::Conflict) => {
                match by_thumbprint(&entry.rooms, &authority, thumbprint).await? {
                    Some(known) => Ok((AccountView::of(known.id, &known.record)?, false)),
                    None => Err(Error::Conflict),
                }
            }
            Err(error) => Err(error),
        }
    }

    /// The account that signed.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if none did.
    pub fn acme_account(&self, entrant: &Entrant) -> Result<AccountView> {
        let known = entrant.account()?;
        AccountView::of(known.id, &known.record)
    }

    /// The account that has a key, if one has.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an authority that is not open to ACME.
    pub async fn acme_account_of(
        &self,
        place: Place<'_>,
        key: &AccountKey,
    ) -> Result<Option<RecordId>> {
        let rooms = self.rooms()?;
        let authority = open(&rooms, place)?;
        let found = by_thumbprint(&rooms, &authority, key.thumbprint()).await?;
        Ok(found.map(|known| known.id))
    }

    /// Changes contacts, or gives the account up for good (RFC 8555, sections
    /// 7.3.2 and 7.3.6).
    ///
    /// # Errors
    /// [`Refusal::InvalidContact`], [`Refusal::UnsupportedContact`].
    pub async fn acme_update_account(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        contact: Option<Vec<String>>,
        deactivate: bool,
    ) -> Result<AccountView> {
        let known = entrant.account()?;
        self.change_account(place, entrant, known, |record| {
            if let Some(contact) = contact {
                check_contacts(&contact)?;
                record.contact = contact;
            }
            if deactivate {
                AccountStatus::Deactivated
                    .name()
                    .clone_into(&mut record.status);
            }
            Ok(if deactivate { "status" } else { "contact" })
        })
        .await
    }

    /// Moves the account to another key, whose holder signed for it too
    /// (RFC 8555, section 7.3.5).
    ///
    /// # Errors
    /// [`Error::Exists`] if that key has an account already.
    pub async fn acme_change_key(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        key: &AccountKey,
    ) -> Result<AccountView> {
        let known = entrant.account()?;
        let taken = || Error::Exists {
            what: "an account of this key",
        };
        if self.acme_account_of(place, key).await?.is_some() {
            return Err(taken());
        }
        let changed = self.change_account(place, entrant, known, |record| {
            record.spki = Der(key.spki().to_vec());
            key.thumbprint().clone_into(&mut record.thumbprint);
            Ok("key")
        });
        match changed.await {
            Err(Error::Conflict) if self.acme_account_of(place, key).await?.is_some() => {
                Err(taken())
            }
            other => other,
        }
    }

    async fn change_account(
        &self,
        place: Place<'_>,
        entrant: &Entrant,
        known: &Known,
        change: impl FnOnce(&mut AccountRecord) -> Result<&'static str>,
    ) -> Result<AccountView> {
        let entry = self.enter(&entrant.caller)?;
        let authority = open(&entry.rooms, place)?;
        let allowed = entry.authorize_as_account::<Account>(&authority).await?;
        let mut record = known.record.clone();
        let what = entry.failed(&allowed, change(&mut record)).await?;
        let put = put(&authority, known.id, Some(known.revision), &record)?;
        let event =
            EventDraft::of(&entry, &allowed, Outcome::Success)?.detail(DetailKey::Changed, what);
        entry.change((), vec![put], event, |_, _| Ok(())).await?;
        AccountView::of(known.id, &record)
    }
}

async fn make(
    entry: &Entry,
    authority: &Authority,
    entrant: &Entrant,
    new: NewAccount<'_>,
) -> Result<(RecordId, AccountRecord, Vec<Change>)> {
    let record = authority.record.acme.as_ref();
    let opening = Opening::try_from(record.ok_or(Error::NotFound { what: "authority" })?)?;
    if opening.terms_of_service.is_some() && !new.terms_agreed {
        return Err(Refusal::TermsNotAgreed.because("agree to the terms of service"));
    }
    check_contacts(&new.contact)?;
    let id = RecordId::at(entry.now_ms)?;
    let bound = match (&new.binding, opening.external_account_required) {
        (Some(bound), _) => Some(binding::bind(entry, authority, entrant, bound, id).await?),
        (None, true) => {
            return Err(Refusal::ExternalAccountRequired
                .because("an account here is bound to a key that the operator gives out"));
        }
        (None, false) => None,
    };
    let (bound_to, binding) = bound.unzip();
    let record = AccountRecord {
        authority: authority.id_text(),
        spki: Der(entrant.key.spki().to_vec()),
        thumbprint: entrant.key.thumbprint().to_owned(),
        status: AccountStatus::Valid.name().to_owned(),
        contact: new.contact,
        terms_agreed: new.terms_agreed,
        bound_to,
        created_at: entry.now().0,
    };
    let mut changes = vec![put(authority, id, None, &record)?];
    changes.extend(binding);
    Ok((id, record, changes))
}

fn put(
    authority: &Authority,
    id: RecordId,
    expected: Option<u64>,
    record: &AccountRecord,
) -> Result<Change> {
    Ok(Change::Put {
        namespace: authority.namespace.0,
        kind: Kind::AcmeAccount,
        id,
        name: Some(AccountRecord::name(&record.authority, &record.thumbprint)),
        expected,
        plaintext: records::encode(record)?,
    })
}

/// Contacts are mailboxes (RFC 8555, section 7.3).
fn check_contacts(all: &[String]) -> Result<()> {
    if all.len() > CONTACTS_MAX {
        return Err(Refusal::InvalidContact.because("too many contacts"));
    }
    for one in all {
        let Some(mailbox) = one.strip_prefix("mailto:") else {
            return Err(Refusal::UnsupportedContact.because("contacts are mailto: addresses"));
        };
        let plain = |byte: u8| byte.is_ascii_graphic() && !b",?\"<>\\".contains(&byte);
        let whole = mailbox.split_once('@');
        let good = whole.is_some_and(|(who, at)| !who.is_empty() && at.contains('.'));
        if one.len() > CONTACT_MAX || !good || !mailbox.bytes().all(plain) {
            return Err(Refusal::InvalidContact.because("not one mailbox without header fields"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_single_mailboxes() {
        let check = |text: &str| check_contacts(&[text.to_owned()]);
        assert!(check("mailto:admin@example.org").is_ok());
        for bad in [
            "mailto:a@example.org,b@example.org",
            "mailto:a@example.org?subject=x",
            "mailto:a",
            "mailto:@example.org",
            "tel:+41",
            "mailto:a b@example.org",
        ] {
            assert!(check(bad).is_err(), "{bad}");
        }
        assert!(check_contacts(&vec!["mailto:a@b.c".to_owned(); 9]).is_err());
    }
}
