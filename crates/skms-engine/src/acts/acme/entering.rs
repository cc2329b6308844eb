//! From a signed request to whoever signed it.

use std::net::IpAddr;
use std::sync::Arc;

use skms_pki::acme::{AccountKey, AccountStatus, SignatureAlgorithm};
use skms_policy::{Principal, PrincipalKind};
use skms_store::{Kind, RecordId};

use super::{ACCOUNT, Place, Refusal, damaged};
use crate::authority::Authority;
use crate::caller::{Authentication, Caller, Session};
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::records;
use crate::records::acme::AccountRecord;

/// By which key a request is signed.
pub enum SignedBy {
    /// One that came along.
    Key(AccountKey),
    /// An account's.
    Account(RecordId),
}

/// A signed request, not checked yet.
pub struct Signed<'a> {
    /// By which key.
    pub by: SignedBy,
    /// By which algorithm.
    pub algorithm: SignatureAlgorithm,
    /// What is signed.
    pub input: &'a [u8],
    /// The signature.
    pub signature: &'a [u8],
    /// Where the request came from.
    pub source: Option<IpAddr>,
    /// Whether it came over TLS.
    pub tls: bool,
    /// The request's identifier.
    pub request_id: &'a str,
}

/// Whoever signed a request: the signature holds.
pub struct Entrant {
    /// Its calls.
    pub(super) caller: Arc<Caller>,
    /// The key that signed.
    pub(super) key: AccountKey,
    /// Its account, where it has one.
    pub(super) account: Option<Known>,
}

/// An account as it is stored.
pub(super) struct Known {
    pub(super) id: RecordId,
    pub(super) revision: u64,
    pub(super) record: AccountRecord,
}

impl Engine {
    /// A nonce for a request.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn acme_nonce(&self) -> Result<String> {
        self.rooms()?;
        self.acme_nonces().give()
    }

    /// Takes a request's nonce; `false` if it is not good (any more).
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn acme_take_nonce(&self, nonce: &str) -> Result<bool> {
        self.rooms()?;
        self.acme_nonces().take(nonce)
    }

    /// Checks a request's signature.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] for a signature that does not hold;
    /// [`Refusal::NoAccount`]; [`Refusal::Unauthorized`] for an account that is
    /// not valid any more; [`Error::NotFound`] for an authority that is not
    /// open to ACME; [`Error::RateLimited`].
    pub async fn acme_enter(&self, place: Place<'_>, signed: Signed<'_>) -> Result<Entrant> {
        let rooms = self.rooms()?;
        let authority = open(&rooms, place)?;
        let (key, account) = match &signed.by {
            SignedBy::Key(key) => (key.clone(), None),
            SignedBy::Account(id) => {
                let known = by_id(&rooms, &authority, *id).await?;
                let key = AccountKey::from_spki(&known.record.spki.0)
                    .map_err(|_| damaged("account key"))?;
                (key, Some(known))
            }
        };
        if !key.verifies(signed.algorithm, signed.input, signed.signature) {
            return Err(Refusal::Malformed.because("the signature does not hold"));
        }
        if let Some(known) = &account
            && known.record.status != AccountStatus::Valid.name()
        {
            return Err(Refusal::Unauthorized.because("the account is not valid any more"));
        }
        let who = match &account {
            Some(known) => known.id.to_string(),
            None => key.thumbprint().to_owned(),
        };
        let caller = caller(&rooms, &authority, &who, &signed)?;
        self.admit(&caller.session, false)?;
        Ok(Entrant {
            caller,
            key,
            account,
        })
    }
}

impl Entrant {
    /// Its account.
    ///
    /// # Errors
    /// [`Refusal::Malformed`] if it signed by a key alone.
    pub(super) fn account(&self) -> Result<&Known> {
        self.account
            .as_ref()
            .ok_or_else(|| Refusal::Malformed.because("sign with the account: kid, not jwk"))
    }

    /// The key that signed.
    #[must_use]
    pub fn key(&self) -> &AccountKey {
        &self.key
    }
}

/// The authority, if it is open to ACME.
pub(super) fn open(rooms: &Rooms, (namespace, name): Place<'_>) -> Result<Arc<Authority>> {
    rooms
        .authorities
        .find(namespace, name)
        .filter(|authority| authority.record.acme.is_some())
        .ok_or(Error::NotFound { what: "authority" })
}

/// An account of this authority.
pub(super) async fn by_id(rooms: &Rooms, authority: &Authority, id: RecordId) -> Result<Known> {
    let scope = authority.namespace.0;
    let missing = || Refusal::NoAccount.because("there is no such account here");
    let stored = rooms
        .store
        .get(scope, Kind::AcmeAccount, id)
        .await?
        .ok_or_else(missing)?;
    let record: AccountRecord = records::decode(stored.plaintext.expose())?;
    if record.authority != authority.id_text() {
        return Err(missing());
    }
    Ok(Known {
        id,
        revision: stored.revision,
        record,
    })
}

/// The account of a key, if it has one.
pub(super) async fn by_thumbprint(
    rooms: &Rooms,
    authority: &Authority,
    thumbprint: &str,
) -> Result<Option<Known>> {
    let name = AccountRecord::name(&authority.id_text(), thumbprint);
    let found = rooms
        .store
        .find(authority.namespace.0, Kind::AcmeAccount, &name)
        .await?;
    found
        .map(|stored| {
            Ok(Known {
                id: stored.id,
                revision: stored.revision,
                record: records::decode(stored.plaintext.expose())?,
            })
        })
        .transpose()
}

/// The calls of an account, or of a key that has none.
fn caller(
    rooms: &Rooms,
    authority: &Authority,
    who: &str,
    signed: &Signed<'_>,
) -> Result<Arc<Caller>> {
    let namespace = &*authority.namespace_name;
    let principal = Principal::new(PrincipalKind::Account, namespace, principal_of(who))?;
    let limits = rooms.limits(namespace);
    let bucket = rooms.limiter.bucket(&principal, limits.as_deref());
    let authentication = Authentication::Account {
        authority: authority.id_text(),
        id: who.to_owned(),
    };
    Ok(Arc::new(Caller {
        session: Arc::new(Session::new(
            Arc::new(principal),
            authentication,
            None,
            bucket,
        )),
        source: signed.source,
        request_id: signed.request_id.to_owned(),
        tls: signed.tls,
        idempotency: None,
        calling: crate::approvals::Calling::default(),
    }))
}

/// The name of an account's principal.
pub(super) fn principal_of(account: &str) -> String {
    format!("{ACCOUNT}{account}")
}
