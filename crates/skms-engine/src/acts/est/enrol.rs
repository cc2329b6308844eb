//! Enrolling, renewing, and enrolling with a key that is made here.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use skms_crypto::ct_eq;
use skms_pki::certificate::GeneralName;
use skms_pki::issue::{AltName, NameBuf};
use skms_pki::{Certificate, Csr, oid};
use skms_store::Change;

use super::holder::{Held, gone, of_key, shown};
use super::{Label, Open, Opening, open};
use crate::acts::authorities::unreadable;
use crate::acts::certificates::{
    Beside, Issue, Issued, NewCertificate, ProfileChoice, SubjectKey, issue,
};
use crate::authority::Authority;
use crate::authority::doors::Door;
use crate::authority::issuing::Draft;
use crate::caller::{Authentication, Caller};
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish<'a> {
    /// A certificate (RFC 7030, section 4.2.1).
    Enrol,
    /// One in the place of another that it has (section 4.2.2): of that which
    /// it showed (DER), or else one of the request's own key.
    Renew(Option<&'a [u8]>),
    /// One with a key that is made here (section 4.4).
    ServerKey,
}

/// The certificate that is renewed, if one is.
struct Renewed(Option<Held>);

impl Beside for Renewed {
    /// The authority may be closed by now, or no longer open by this profile;
    /// and one of its own may say something else.
    fn admits(&self, authority: &Authority, profile: &ProfileChoice) -> Result<()> {
        let closed = || Error::NotFound { what: "authority" };
        let record = authority.record.est.as_ref().ok_or_else(closed)?;
        let opening = Opening::try_from(record)?;
        if !opening.profiles.contains(profile) {
            return Err(closed());
        }
        authority.profile_at(Door::Est, profile).map(drop)
    }

    /// Looks once more, right before the batch: it may have been revoked while
    /// its successor was made.
    fn changes(&self, _: &Draft) -> Result<Vec<Change>> {
        match &self.0 {
            Some(held) if !held.is_good() => Err(gone()),
            _ => Ok(Vec::new()),
        }
    }

    fn event(&self, event: EventDraft) -> EventDraft {
        event
    }
}

impl Engine {
    /// Issues a certificate to a client of EST. It is durable when this
    /// returns, and nobody has seen it before. The request (PKCS #10, DER) is
    /// decoded after the caller was authorised; `binding` is that of the TLS
    /// connection it came by (RFC 9266).
    ///
    /// # Errors
    /// [`Error::Pki`] for a request that cannot be read, that its own key did
    /// not sign, or that profile or authority do not allow;
    /// [`Error::Invalid`] for one that is bound to another connection, and for
    /// a renewal of nothing or under other names; [`Error::NotFound`] where
    /// the authority is not open for this profile.
    pub async fn est_enrol(
        &self,
        caller: &Arc<Caller>,
        label: Label<'_>,
        wish: Wish<'_>,
        binding: Option<&[u8]>,
        decode: impl FnOnce() -> Result<Vec<u8>> + Send,
    ) -> Result<Issued> {
        let entry = self.enter(caller)?;
        let open = open(&entry.rooms, label)?;
        let authority = &open.authority;
        let place = (label.namespace, label.authority);
        let allowed = match &caller.session.authentication {
            // A certificate alone renews itself, and nothing else.
            Authentication::Holder { fingerprint, .. } => {
                if !matches!(wish, Wish::Renew(Some(der)) if is(fingerprint, der)) {
                    return Err(Error::Unauthenticated);
                }
                self.acme_traffic()
                    .renewal(entry.caller.source, entry.now_ms)?;
                entry.authorize_as_holder::<Issue>(authority).await?
            }
            _ => {
                let target = entry.authority_target(label.namespace, label.authority);
                entry.authorize::<Issue>(target).await?
            }
        };
        let done = async {
            let der = decode()?;
            let (new, renewed) = {
                let csr = Csr::from_der(&der).map_err(unreadable)?;
                bound(&csr, binding)?;
                let wanted = Wanted { wish, open: &open };
                wanted.plan(&entry.rooms, &csr).await?
            };
            issue(&entry, &allowed, place, new, &Renewed(renewed)).await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// One request, in its surroundings.
struct Wanted<'a> {
    wish: Wish<'a>,
    open: &'a Open,
}

impl Wanted<'_> {
    async fn plan(&self, rooms: &Rooms, csr: &Csr<'_>) -> Result<(NewCertificate, Option<Held>)> {
        let mut new = NewCertificate {
            profile: self.open.choice.clone(),
            key: SubjectKey::Request(csr.as_der().to_vec()),
            subject: None,
            names: Vec::new(),
            lifetime_seconds: None,
        };
        match self.wish {
            Wish::Enrol => Ok((new, None)),
            Wish::Renew(certificate) => {
                // Before anything is looked up for it; issuing does so again.
                csr.verify().map_err(unreadable)?;
                let asked = Asked::by(csr)?;
                let held = self.renewed(rooms, csr, certificate).await?;
                let mut found = None;
                for one in held {
                    let read = Certificate::from_der(&one.der).map_err(unreadable)?;
                    let names = Asked::of(&read)?;
                    if asked.is_for(&names) {
                        found = Some((names, one));
                        break;
                    }
                }
                let (names, held) = found.ok_or_else(|| {
                    Error::Invalid(
                        "subject and names are not those of the certificate to be renewed".into(),
                    )
                })?;
                // As they stand there, down to the kind of string.
                (new.subject, new.names) = (Some(names.subject), names.names);
                new.lifetime_seconds = self.lasted(&held)?;
                Ok((new, Some(held)))
            }
            Wish::ServerKey => {
                let encrypted = [oid::DECRYPT_KEY_ID, oid::ASYMMETRIC_DECRYPT_KEY_ID];
                if encrypted.iter().any(|kind| csr.has_attribute(*kind)) {
                    return Err(Error::Invalid(
                        "keys are protected by TLS alone, not encrypted besides".into(),
                    ));
                }
                //= https://www.rfc-editor.org/rfc/rfc7030#section-4.4.1
                //# [...] the server MUST ignore the public key values and
                //# signature in the CSR.
                let asked = Asked::by(csr)?;
                new.key = SubjectKey::New(self.open.opening.key_algorithm);
                (new.subject, new.names) = (Some(asked.subject), asked.names);
                Ok((new, None))
            }
        }
    }

    /// How long the certificate lasted, if that is less than is usual: its
    /// renewal gives no more than was given.
    fn lasted(&self, held: &Held) -> Result<Option<u64>> {
        let read = Certificate::from_der(&held.der).map_err(unreadable)?;
        let lasted = read.not_after().0.saturating_sub(read.not_before().0) + 1;
        let usual = self.open.profile.lifetime.default_seconds;
        Ok(u64::try_from(lasted).ok().filter(|_| lasted < usual))
    }

    /// What may be renewed: the certificate that was shown, or else those of
    /// the request's own key.
    async fn renewed(
        &self,
        rooms: &Rooms,
        csr: &Csr<'_>,
        certificate: Option<&[u8]>,
    ) -> Result<Vec<Held>> {
        if let Some(der) = certificate
            && let Some(held) = shown(rooms, self.open, der).await?
        {
            return Ok(vec![held]);
        }
        let all = of_key(rooms, self.open, csr.public_key().der).await?;
        match all.is_empty() {
            false => Ok(all),
            true => Err(Error::Invalid(
                "there is no certificate to renew: show it as the client certificate, or keep its \
                 key"
                .into(),
            )),
        }
    }
}

/// Whom a certificate is for.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    subject: NameBuf,
    names: Vec<AltName>,
}

impl Asked {
    /// As a request has it.
    fn by(csr: &Csr<'_>) -> Result<Self> {
        let extensions = csr.extensions().map_err(unreadable)?;
        let names = extensions.and_then(|all| all.subject_alt_name.as_ref());
        Ok(Self {
            subject: csr.subject().into(),
            names: written(names.into_iter().flat_map(|all| all.iter()))?,
        })
    }

    /// As a certificate has it.
    fn of(certificate: &Certificate<'_>) -> Result<Self> {
        let names = certificate.extensions().subject_alt_name;
        Ok(Self {
            subject: certificate.subject().into(),
            names: written(names.iter().flat_map(|all| all.iter()))?,
        })
    }

    //= https://www.rfc-editor.org/rfc/rfc7030#section-4.2.2
    //# The request Subject field and SubjectAltName extension MUST be
    //# identical to the corresponding fields in the certificate being
    //# renewed/rekeyed.
    fn is_for(&self, other: &Self) -> bool {
        self.subject.as_name().matches(&other.subject.as_name()) && self.names == other.names
    }
}

fn written<'a>(names: impl Iterator<Item = GeneralName<'a>>) -> Result<Vec<AltName>> {
    names
        .map(|name| AltName::from_general(&name).map_err(unreadable))
        .collect()
}

/// Whether a certificate has this fingerprint.
fn is(fingerprint: &str, der: &[u8]) -> bool {
    crate::sessions::hex(&skms_crypto::hash::sha256(&[der])) == fingerprint
}

/// A challenge password binds a request to the connection that it is sent by
/// (RFC 7030, section 3.5). TLS 1.3 has no `tls-unique`, which RFC 7030 names;
/// `tls-exporter` (RFC 9266) is in its place.
fn bound(csr: &Csr<'_>, binding: Option<&[u8]>) -> Result<()> {
    let Some(said) = csr.challenge_password() else {
        return Ok(());
    };
    let known = binding.map(|bytes| STANDARD.encode(bytes));
    match known.is_some_and(|known| ct_eq(known.as_bytes(), said)) {
        true => Ok(()),
        false => Err(Error::Invalid(
            "the challenge password is not this connection's tls-exporter value".into(),
        )),
    }
}
