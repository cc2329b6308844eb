//! The certificate of the server's own listener, from an authority that was
//! told to certify it (`Rules::listener`): whether a new one is due, and
//! issuing it. Where it is kept, so that a sealed server can listen too, is
//! the caller's to know.

use skms_crypto::{Algorithm, SecretBytes};
use skms_pki::Certificate;
use skms_pki::issue::{AltName, ProfileKind, Serial};
use skms_policy::ROOT_NAMESPACE;

use super::authorities::{unreadable, waiting};
use super::certificates::{self, Alone, Issue, NewCertificate, SubjectKey};
use crate::authority::{Authority, Issuer};
use crate::caller::Caller;
use crate::engine::Engine;
use crate::error::{Error, Result};

/// How long a listener's certificate lasts unless its authority says less. It
/// is renewed when two thirds are over, so that a server which stays sealed
/// has sixty days to be unsealed in.
const LIFETIME_SECONDS: u64 = 180 * 86_400;
/// Less than this does not outlast the hour by which it is dated back.
const SHORTEST_SECONDS: u64 = 6 * 3600;

/// What a listener shows, and what others trust it by.
pub struct ListenerCertificate {
    /// Its certificate (DER) and those between it and what is trusted.
    pub chain: Vec<Vec<u8>>,
    /// Its private key (PKCS #8 DER), made for it and not kept here.
    pub private_key: SecretBytes,
}

impl Engine {
    /// Whether the listener needs another certificate than `current` (DER):
    /// two thirds of its time are over, it is revoked, it is none of the
    /// authority's newest issuer, or it lacks one of `names`. Never where no
    /// authority certifies the listener.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub fn listener_is_due(&self, current: Option<&[u8]>, names: &[AltName]) -> Result<bool> {
        let rooms = self.rooms()?;
        let Some(authority) = rooms.authorities.of_listener() else {
            return Ok(false);
        };
        let Some(issuer) = authority.current() else {
            return Ok(false);
        };
        let Some(read) = current.and_then(|der| Certificate::from_der(der).ok()) else {
            return Ok(true);
        };
        Ok(!is_good(&read, issuer, names, rooms.clock.now().0))
    }

    /// Issues the listener a certificate for `names`, on a new key.
    ///
    /// # Errors
    /// [`Error::NotFound`] where no authority certifies the listener; as
    /// [`Engine::issue_certificate`].
    pub async fn issue_listener_certificate(
        &self,
        names: Vec<AltName>,
    ) -> Result<ListenerCertificate> {
        self.issue_server_certificate("listener", Algorithm::EcP256, names)
            .await
    }

    /// Issues a part of the server a certificate for the server's `names`, on a
    /// new key.
    ///
    /// # Errors
    /// As [`Engine::issue_listener_certificate`].
    pub(crate) async fn issue_server_certificate(
        &self,
        part: &'static str,
        algorithm: Algorithm,
        names: Vec<AltName>,
    ) -> Result<ListenerCertificate> {
        let entry = self.enter(&Caller::system(part)?)?;
        let authority = entry
            .rooms
            .authorities
            .of_listener()
            .ok_or(Error::NotFound { what: "authority" })?;
        let issuer = authority.current().ok_or_else(|| waiting(&authority))?;
        let name = authority.record.name.as_str();
        let new = NewCertificate {
            profile: ProfileKind::TlsServer.into(),
            key: SubjectKey::New(algorithm),
            subject: None,
            names,
            lifetime_seconds: Some(lifetime(&authority, issuer, entry.now().0)?),
        };
        // What permits it is that somebody who may made this the listener's
        // authority; it reaches no further than that authority.
        let target = entry.authority_target(ROOT_NAMESPACE, name);
        let allowed = entry.authorize_target_as_system::<Issue>(target)?;
        let made = certificates::issue(&entry, &allowed, (ROOT_NAMESPACE, name), new, &Alone).await;
        let made = entry.failed(&allowed, made).await?;
        let own = made.certificate.chain.into_iter().next();
        let mut chain: Vec<Vec<u8>> = own.into_iter().collect();
        for der in issuer.pki.chain.iter().chain(&issuer.cross) {
            let read = Certificate::from_der(der).map_err(unreadable)?;
            // Roots are trusted, or not, without being shown.
            if read.subject().as_der() != read.issuer().as_der() || crosses(issuer, der) {
                chain.push(der.clone());
            }
        }
        let private_key = made
            .private_key
            .ok_or(Error::Internal("a certificate without its new key"))?;
        Ok(ListenerCertificate { chain, private_key })
    }

    /// What clients trust the listener by (DER): the top of each of its
    /// authority's chains, but for those of keys that are compromised and of
    /// certificates that are revoked. None where no authority certifies the listener.
    ///
    /// # Errors
    /// [`Error::Sealed`].
    pub async fn listener_anchors(&self) -> Result<Vec<Vec<u8>>> {
        let mut anchors: Vec<Vec<u8>> = Vec::new();
        let rooms = self.rooms()?;
        if let Some(authority) = rooms.authorities.of_listener() {
            for issuer in authority.issuers.iter().rev() {
                if rooms.authorities.is_withdrawn(issuer)
                    || issuer.is_compromised(&rooms, ROOT_NAMESPACE).await?
                {
                    continue;
                }
                anchors.extend(issuer.pki.chain.last().cloned());
            }
        }
        Ok(anchors)
    }
}

/// Whether it is a certificate of the issuer's name by another of its keys.
fn crosses(issuer: &Issuer, der: &[u8]) -> bool {
    issuer.pki.chain.first().is_none_or(|own| own != der)
        && issuer.cross.iter().any(|cross| cross == der)
}

fn lifetime(authority: &Authority, issuer: &Issuer, now: i64) -> Result<u64> {
    let longest = authority.rules.max_lifetime_seconds;
    let seconds = longest.map_or(LIFETIME_SECONDS, |most| most.min(LIFETIME_SECONDS));
    // Not beyond the authority's own end.
    let left = issuer.certificate()?.not_after().0.saturating_sub(now);
    let seconds = seconds.min(u64::try_from(left).unwrap_or_default());
    if seconds < SHORTEST_SECONDS {
        return Err(Error::Invalid(
            "the listener's authority allows its certificates less than six hours".into(),
        ));
    }
    Ok(seconds)
}

fn is_good(read: &Certificate<'_>, issuer: &Issuer, names: &[AltName], now: i64) -> bool {
    let (first, last) = (read.not_before().0, read.not_after().0);
    let due = first.saturating_add(last.saturating_sub(first) / 3 * 2);
    let key = read.extensions().authority_key_identifier.as_ref();
    let ours = read.issuer().as_der() == issuer.pki.name.as_der()
        && key.is_some_and(|key| key.key_id == Some(issuer.pki.key_id.as_slice()));
    let revoked = Serial::from_contents(read.serial())
        .ok()
        .and_then(|serial| issuer.revoked.get(&serial))
        .is_some_and(|one| one.stands());
    let certified: Vec<AltName> = read
        .extensions()
        .subject_alt_name
        .iter()
        .flat_map(|all| all.iter())
        .filter_map(|name| AltName::from_general(&name).ok())
        .collect();
    let named = names.iter().all(|name| certified.contains(name));
    ours && !revoked && named && (first..due).contains(&now)
}
