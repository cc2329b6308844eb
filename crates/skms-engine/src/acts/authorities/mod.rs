//! Certificate authorities: make, read, change, renew, certify each other.

mod certify;
mod create;
mod install;
mod profiles;
mod read;
mod renew;
mod update;

use std::sync::Arc;

use skms_keys::UnixSeconds;
use skms_pki::Certificate;
use skms_pki::issue::{NameBuf, Profile, ProfileKind, Subtree};
use skms_store::RecordId;

use crate::act::{Act, act};
use crate::authority::{Authority, Issuer};
use crate::caller::Authentication;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::records::authority::{ExtentRecord, SigningKeyRecord};
use crate::target::Target;

pub use crate::authority::named::NamedProfile;
pub use crate::authority::{Rules, end_entities};
pub use certify::Subject;
pub use create::{Foundation, NewAuthority};
pub(crate) use create::{spki, waiting};
pub(crate) use install::put;
pub use update::RulesChange;

act!(Create, AuthorityCreate, "Makes a certificate authority.");
act!(Read, AuthorityRead, "Reads a certificate authority.");
act!(List, AuthorityList, "Lists the certificate authorities.");
act!(
    Update,
    AuthorityUpdate,
    "Changes how a certificate authority issues and publishes."
);
act!(Renew, AuthorityUpdate, "Certifies an authority's key anew.");
act!(
    Install,
    AuthorityUpdate,
    "Gives an authority a certificate from elsewhere."
);
act!(Delete, AuthorityDelete, "Deletes a certificate authority.");
act!(Certify, AuthorityCertify, "Certifies another authority.");

/// What an authority's certificate is to be like.
#[derive(Clone, Debug, Default)]
pub struct Extent {
    /// How long it lasts, in seconds; the profile's usual time by default.
    pub lifetime_seconds: Option<u64>,
    /// How many authorities may stand between it and an end entity.
    pub path_length: Option<u8>,
    /// Names that it may issue for, form by form.
    pub permitted: Vec<Subtree>,
    /// Names that it may not issue for.
    pub excluded: Vec<Subtree>,
}

impl From<&Extent> for ExtentRecord {
    fn from(extent: &Extent) -> Self {
        let texts = |all: &[Subtree]| all.iter().map(Subtree::to_string).collect();
        Self {
            path_length: extent.path_length,
            permitted: texts(&extent.permitted),
            excluded: texts(&extent.excluded),
        }
    }
}

impl TryFrom<ExtentRecord> for Extent {
    type Error = Error;

    fn try_from(record: ExtentRecord) -> Result<Self> {
        let read = |all: Vec<String>| {
            all.iter()
                .map(|text| text.parse().map_err(unreadable))
                .collect::<Result<_>>()
        };
        Ok(Self {
            lifetime_seconds: None,
            path_length: record.path_length,
            permitted: read(record.permitted)?,
            excluded: read(record.excluded)?,
        })
    }
}

/// What is told about an authority.
#[derive(Clone, Debug)]
pub struct View {
    /// Its identifier.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// The keyring of its newest key.
    pub keyring: String,
    /// Its newest key.
    pub key: String,
    /// Its distinguished name.
    pub subject: String,
    /// How it issues and publishes.
    pub rules: Rules,
    /// Profiles of its own, by name.
    pub named: Vec<NamedProfile>,
    /// Oldest first; the last one issues.
    pub issuers: Vec<IssuerView>,
    /// A request for a certificate from elsewhere (DER), while it waits.
    pub request: Option<Vec<u8>>,
    /// When it was made.
    pub created_at: UnixSeconds,
}

/// What is told about a certified key of an authority.
#[derive(Clone, Debug)]
pub struct IssuerView {
    /// Its number, from 1.
    pub number: u32,
    /// The keyring of the key.
    pub keyring: String,
    /// The key.
    pub key: String,
    /// The version of the key.
    pub version: u32,
    /// Its certificate and those above it (DER), nearest first.
    pub chain: Vec<Vec<u8>>,
    /// Other certificates of its name and key (DER).
    pub cross: Vec<Vec<u8>>,
    /// Its certificate's serial number.
    pub serial: Vec<u8>,
    /// Its first valid second.
    pub not_before: UnixSeconds,
    /// Its last valid second.
    pub not_after: UnixSeconds,
    /// How many of its certificates are revoked or on hold.
    pub revoked: usize,
}

impl TryFrom<&Authority> for View {
    type Error = Error;

    fn try_from(authority: &Authority) -> Result<Self> {
        let record = &authority.record;
        let subject = NameBuf::from_der(&record.subject.0).map_err(unreadable)?;
        Ok(Self {
            id: authority.id,
            name: record.name.clone(),
            keyring: record.key.keyring.clone(),
            key: record.key.key.clone(),
            subject: subject.to_string(),
            rules: authority.rules.clone(),
            named: record.named.clone(),
            issuers: authority
                .issuers
                .iter()
                .map(|issuer| IssuerView::try_from(issuer.as_ref()))
                .collect::<Result<_>>()?,
            request: record.request.as_ref().map(|der| der.0.clone()),
            created_at: UnixSeconds(record.created_at),
        })
    }
}

impl TryFrom<&Issuer> for IssuerView {
    type Error = Error;

    fn try_from(issuer: &Issuer) -> Result<Self> {
        let own = issuer.certificate()?;
        Ok(Self {
            number: issuer.number,
            keyring: issuer.key.keyring.clone(),
            key: issuer.key.key.clone(),
            version: issuer.key.version,
            serial: own.serial().to_vec(),
            not_before: UnixSeconds(own.not_before().0),
            not_after: UnixSeconds(own.not_after().0),
            chain: issuer.pki.chain.clone(),
            cross: issuer.cross.clone(),
            revoked: issuer.revoked.len(),
        })
    }
}

impl Issuer {
    /// Its own certificate.
    pub(crate) fn certificate(&self) -> Result<Certificate<'_>> {
        let der = self
            .pki
            .chain
            .first()
            .ok_or(Error::Internal("an issuer without a certificate"))?;
        Certificate::from_der(der).map_err(unreadable)
    }
}

pub(crate) fn unreadable(error: skms_pki::Error) -> Error {
    Error::Pki(error.into())
}

impl Entry {
    /// The authority as a target: with its revision if there is one.
    pub(crate) fn authority_target(&self, namespace: &str, name: &str) -> Target {
        let target = Target::authority(namespace, name);
        match self.rooms.authorities.find(namespace, name) {
            Some(found) => target.stored(found.id.0, found.revision),
            None => target,
        }
    }

    /// The authority of that name.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub(crate) fn authority(&self, namespace: &str, name: &str) -> Result<Arc<Authority>> {
        self.rooms
            .authorities
            .find(namespace, name)
            .ok_or(Error::NotFound { what: "authority" })
    }

    /// Authorises an act on an authority's key, and makes sure that it is
    /// still the same key.
    ///
    /// # Errors
    /// As [`Entry::authorize_key`].
    pub(crate) async fn authority_key<A: Act>(
        &self,
        authority: &Authority,
        record: &SigningKeyRecord,
    ) -> Result<Authorized<A, KeyTarget>> {
        let at = record.at(&authority.namespace_name);
        let key = match self.caller.session.authentication {
            Authentication::Account { .. } | Authentication::Holder { .. } => {
                self.authorize_key_as_client(authority, at).await?
            }
            Authentication::System => {
                let found = self.rooms.keys.resolve(&self.rooms, at).await?;
                let cell = found.ok_or(Error::NotFound { what: "key" })?;
                self.authorize_as_system(&cell)?
            }
            _ => self.authorize_key::<A>(at).await?,
        };
        let id = key.target().snapshot().key().id.to_string();
        if id != record.id {
            return Err(Error::KeyForbids(
                "the key of that name is not the one that was certified".into(),
            ));
        }
        Ok(key)
    }
}

/// A profile of authorities, as far as `extent` says.
pub(crate) fn profile(kind: ProfileKind, extent: &Extent) -> Profile {
    let mut profile = kind.profile();
    if let Some(rules) = &mut profile.authority {
        rules.path_len = extent.path_length.map(u32::from).or(rules.path_len);
        rules.permitted.clone_from(&extent.permitted);
        rules.excluded.clone_from(&extent.excluded);
    }
    profile
}

/// The first and last second of a certificate that lasts so long, for profiles
/// that count both.
pub(crate) fn span(
    profile: &Profile,
    now: UnixSeconds,
    lifetime_seconds: Option<u64>,
) -> (Option<skms_pki::Moment>, Option<skms_pki::Moment>) {
    let Some(seconds) = lifetime_seconds else {
        return (None, None);
    };
    let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
    let first = now.0.saturating_sub(profile.lifetime.backdate_seconds);
    let last = first.saturating_add(seconds).saturating_sub(1);
    (Some(skms_pki::Moment(first)), Some(skms_pki::Moment(last)))
}
