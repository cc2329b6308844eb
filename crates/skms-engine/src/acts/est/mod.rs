//! EST (RFC 7030): enrolment over HTTP for whoever shows a credential.
//!
//! An authority is opened to EST by somebody who may (`est.manage`), for some
//! of its profiles. Whoever enrols is a principal as at every other door, and
//! policy decides whether it may have certificates issued
//! (`certificate.issue`). Where the opening says so, a certificate that the
//! authority issued is enough to renew it, see
//! [`crate::gate::Entry::authorize_as_holder`]. Each certificate comes from
//! the act that issues all of them, [`crate::acts::certificates`].

mod enrol;
mod holder;
mod manage;

use std::sync::Arc;

use skms_crypto::Algorithm;
use skms_pki::issue::{Profile, ProfileKind};

use crate::act::{HolderAct, act};
use crate::acts::certificates::{Issue, ProfileChoice};
use crate::authority::Authority;
use crate::authority::doors::Door;
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::records::authority::EstRecord;
use crate::records::certificate::CertificateRecord;

pub use enrol::Wish;

act!(Manage, EstManage, "Opens or closes an authority to EST.");

impl HolderAct for Issue {}

/// What the label in a client's address names: an authority, and one of the
/// profiles for which it is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label<'a> {
    /// The namespace's name.
    pub namespace: &'a str,
    /// The authority's name.
    pub authority: &'a str,
    /// The profile's name.
    pub profile: &'a str,
}

/// How an authority is open to EST.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opening {
    /// The profiles by which certificates are given.
    pub profiles: Vec<ProfileChoice>,
    /// Whether a certificate alone is enough to renew it.
    pub renewal_by_certificate: bool,
    /// The algorithm of keys that are made here.
    pub key_algorithm: Algorithm,
}

impl From<&Opening> for EstRecord {
    fn from(opening: &Opening) -> Self {
        let profiles = opening.profiles.iter();
        Self {
            profiles: profiles.map(|one| one.name().to_owned()).collect(),
            renewal_by_certificate: opening.renewal_by_certificate,
            key_algorithm: opening.key_algorithm.to_string(),
        }
    }
}

impl TryFrom<&EstRecord> for Opening {
    type Error = Error;

    fn try_from(record: &EstRecord) -> Result<Self> {
        let damaged = |reason: &str| Error::Record {
            kind: "EST",
            reason: reason.to_owned(),
        };
        let profiles = record.profiles.iter();
        Ok(Self {
            profiles: profiles.map(|name| name.as_str().into()).collect(),
            renewal_by_certificate: record.renewal_by_certificate,
            key_algorithm: record
                .key_algorithm
                .parse()
                .map_err(|_| damaged("algorithm"))?,
        })
    }
}

/// An authority as it is open by one of its profiles.
struct Open {
    authority: Arc<Authority>,
    opening: Opening,
    choice: ProfileChoice,
    kind: ProfileKind,
    profile: Profile,
}

impl Open {
    /// Whether a certificate was issued by this profile: an authority's own is
    /// held to less than the one that it is based on, so that neither renews
    /// what the other gave; nor does one that is based on another by now.
    fn gave(&self, record: &CertificateRecord) -> bool {
        let named = match &self.choice {
            ProfileChoice::Builtin(_) => None,
            ProfileChoice::Named(name) => Some(name.as_str()),
        };
        record.named.as_deref() == named && record.profile == self.kind.name()
    }
}

/// The authority of a label and how it is open, if it is for this profile and
/// issues by it.
fn open(rooms: &Rooms, label: Label<'_>) -> Result<Open> {
    let closed = || Error::NotFound { what: "authority" };
    let authority = rooms
        .authorities
        .find(label.namespace, label.authority)
        .ok_or_else(closed)?;
    let record = authority.record.est.as_ref().ok_or_else(closed)?;
    let opening = Opening::try_from(record)?;
    let choice = ProfileChoice::from(label.profile);
    if !opening.profiles.contains(&choice) {
        return Err(closed());
    }
    // What it no longer issues by it is no longer open for.
    let (kind, profile) = authority
        .profile_at(Door::Est, &choice)
        .map_err(|_| closed())?;
    Ok(Open {
        authority,
        opening,
        choice,
        kind,
        profile,
    })
}
