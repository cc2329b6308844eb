//! Agrees on a key with a peer by Diffie-Hellman. The private share stays here,
//! and so does what comes of it: a key with a name, bound to both parties and
//! to its place as docs/agreement.md says.

use std::sync::Arc;

use skms_crypto::{Algorithm, Family, Format, Hash, KeyMaterial, OpenKey, PublicKey, SecretBytes};
use skms_evidence::Outcome;
use skms_exchange::KeyName;
use skms_exchange::static_key::{Share, StaticKey, is_party};
use skms_keys::{Key, Operation, Origin, VersionNumber};

use super::agree::Agree;
use super::create_key::{
    CreateKey, NewKeySpec, again, check_leader, describe, keyring, led_from, same_ring, store_as,
    target,
};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::{Authorized, Entry, KeyRef, KeyTarget};
use crate::idempotency::Once;
use crate::opened::{InUse, KeySnapshot, Spend};

/// A key that is to be agreed on.
pub struct NewAgreement {
    /// The peer's public key.
    pub peer: Vec<u8>,
    /// Its format.
    pub format: Format,
    /// Who the peer is.
    pub peer_party: String,
    /// Who we are; by default `skms:` and the full name of the key that agrees.
    pub own_party: Option<String>,
    /// The hash under HKDF.
    pub hash: Hash,
    /// HKDF's salt; may be empty.
    pub salt: Vec<u8>,
    /// The version to use; the newest active one by default.
    pub version: Option<VersionNumber>,
    /// What the key is to be; of a symmetric algorithm.
    pub spec: NewKeySpec,
}

/// A key that was agreed on.
pub struct AgreedKey {
    /// The key.
    pub key: Arc<KeySnapshot>,
    /// The version whose private share was used.
    pub version: VersionNumber,
    /// Who we are.
    pub own_party: String,
    /// What was bound into it. The peer derives with the same bytes.
    pub fixed_info: Vec<u8>,
}

impl Engine {
    /// Agrees on a key by the key `with`, and keeps it as `at`. Both are
    /// authorised: `key.agree` on the one, `key.create` on the other.
    ///
    /// # Errors
    /// [`Error::Crypto`] for a public key that is none, or our own;
    /// [`Error::Invalid`] for parties, hashes and algorithms that cannot be;
    /// the rest as for using a key and for creating one.
    pub async fn agree_on_key(
        &self,
        caller: &Arc<Caller>,
        with: KeyRef<'_>,
        at: KeyRef<'_>,
        wanted: NewAgreement,
    ) -> Result<AgreedKey> {
        let entry = self.enter(caller)?;
        let named = entry.named(with).await?;
        let called = with;
        let with = named.as_ref().map_or(with, |named| named.at(with));
        // In the same keyring, whatever that was called.
        let at = match at.keyring == called.keyring {
            true => KeyRef {
                keyring: with.keyring,
                ..at
            },
            false => at,
        };
        let using = entry.authorize_key::<Agree>(with).await?;
        let found = entry.rooms.places.ring(at.namespace, at.keyring);
        let defaults = found.as_ref().map(|(_, ring)| ring.ring.defaults);
        let defaults = defaults.unwrap_or_default();
        let algorithm = wanted.spec.algorithm.unwrap_or(defaults.algorithm);
        let made_of = |spec: &_| target(&entry, at, spec, algorithm, defaults.exportable);
        let allowed = entry.authorize::<CreateKey>(made_of(&wanted.spec)).await?;
        let made = async {
            let ring = keyring(&entry, at)?;
            let claim = match entry.once(ring.namespace.0).await? {
                Once::First(claim) => claim,
                Once::Again(id, record) => {
                    let key = again(&entry, &allowed, at, ring.namespace, id, record).await?;
                    return self.agreed_before(&using, at, key, &wanted).await;
                }
            };
            let plan = Plan::of(&using.target().snapshot(), at, algorithm, &wanted)?;
            let (derived, in_use) = {
                let done = self.derive_here(&entry, &using, plan, &wanted).await;
                entry.failed_key(&using, done).await?
            };
            // Only now, since whoever changes a policy or suspends a principal
            // waits for it, and a large group takes its time. What was found
            // and allowed before may not hold any more.
            let shared = entry.rooms.share_changes().await;
            same_ring(&entry, at, found.as_ref())?;
            entry.authorize::<CreateKey>(made_of(&wanted.spec)).await?;
            let version = in_use.version();
            let by = using.target().snapshot();
            let party = wanted.peer_party.as_str();
            let event = EventDraft::of_key(&entry, &using, Outcome::Success)?
                .versions([version])
                .agreed_with(party, &derived.peer);
            entry.record(event).await?;
            let material =
                KeyMaterial::import(derived.key.expose(), Format::Raw, Some(algorithm), None)?;
            let origin = Origin::Agreed {
                key: by.key().id,
                version,
                peer: derived.peer,
            };
            let led = check_leader(&entry, &ring, &wanted.spec).await?;
            let described = describe(
                &entry,
                &ring,
                at.name,
                wanted.spec,
                algorithm,
                origin,
                &material,
            )?;
            let described = led_from(&entry, described, led)?;
            let event = EventDraft::of(&entry, &allowed, Outcome::Success)?.agreed_by(
                &by,
                version,
                (party, &derived.peer),
            );
            // Whoever revokes the key that agreed waits until this one is kept.
            let batch = ((shared, in_use), claim, Vec::new());
            let key = store_as(&entry, event, at, described, material, batch).await?;
            Ok(AgreedKey {
                key,
                version,
                own_party: derived.own_party,
                fixed_info: derived.fixed_info,
            })
        };
        let made = made.await;
        entry.failed(&allowed, made).await
    }

    /// Takes the key that agrees into use, and derives.
    async fn derive_here(
        &self,
        entry: &Entry,
        using: &Authorized<Agree, KeyTarget>,
        plan: Plan,
        wanted: &NewAgreement,
    ) -> Result<(Derived, InUse)> {
        let in_use = using.take(entry, wanted.version, Spend::ONE_USE).await?;
        let key = Arc::clone(in_use.key());
        let derived = if in_use.is_slow(Operation::Agree) {
            self.slow().run(move || plan.derive(&key)).await??
        } else {
            plan.derive(&key)?
        };
        if !in_use.still_live() {
            return Err(in_use.refusal(Operation::Agree));
        }
        Ok((derived, in_use))
    }

    /// What is answered again under an idempotency key.
    async fn agreed_before(
        &self,
        using: &Authorized<Agree, KeyTarget>,
        at: KeyRef<'_>,
        key: Arc<KeySnapshot>,
        wanted: &NewAgreement,
    ) -> Result<AgreedKey> {
        let first = key.key().version(VersionNumber::FIRST)?;
        let Origin::Agreed { version, .. } = first.origin else {
            return Err(Error::Internal("an agreed key of another origin"));
        };
        let by = using.target().snapshot();
        let algorithm = key.key().algorithm_of(VersionNumber::FIRST);
        let plan = Plan::of(&by, at, algorithm, wanted)?;
        let spki = by.key().version(version)?.public_spki.clone();
        let spki = spki.ok_or(Error::Internal("a key pair without a public key"))?;
        let group = by.key().algorithm_of(version);
        let own = move || -> Result<(String, Vec<u8>)> {
            let peer = plan.peer(group)?;
            let own = PublicKey::import(&spki, Format::SpkiDer, Some(group))?;
            let fixed_info = plan.bound(&own, &peer)?.fixed_info;
            Ok((plan.own_party, fixed_info))
        };
        let (own_party, fixed_info) = self.slow().run(own).await??;
        Ok(AgreedKey {
            key,
            version,
            own_party,
            fixed_info,
        })
    }
}

/// What is to be derived; all that can be refused without the key is.
struct Plan {
    /// Our public keys (SubjectPublicKeyInfo), of every version.
    own: Vec<Vec<u8>>,
    own_party: String,
    peer: Vec<u8>,
    format: Format,
    peer_party: String,
    hash: Hash,
    salt: Vec<u8>,
    key: KeyName,
    algorithm: Algorithm,
    length: usize,
}

/// What was derived.
struct Derived {
    key: SecretBytes,
    own_party: String,
    fixed_info: Vec<u8>,
    /// SHA-256 of the peer's public key.
    peer: [u8; 32],
}

/// Both shares as they are bound into the key.
struct Bound {
    group: Algorithm,
    own: Vec<u8>,
    peer: Vec<u8>,
    fixed_info: Vec<u8>,
}

impl Plan {
    fn of(
        by: &KeySnapshot,
        at: KeyRef<'_>,
        algorithm: Algorithm,
        wanted: &NewAgreement,
    ) -> Result<Self> {
        let invalid = |why: &str| Err(Error::Invalid(why.to_owned()));
        let Some(length) = algorithm.row().key_bytes else {
            return invalid("a key for a symmetric algorithm can be agreed on, and no other");
        };
        if !matches!(wanted.hash, Hash::Sha256 | Hash::Sha384 | Hash::Sha512) {
            return invalid("the hash is SHA-256, SHA-384 or SHA-512");
        }
        let own_party = match &wanted.own_party {
            Some(given) => given.clone(),
            None => default_party(by.at()),
        };
        if !is_party(&own_party) || !is_party(&wanted.peer_party) {
            return invalid("a party's name is 1 to 255 bytes without control characters");
        }
        if own_party == wanted.peer_party {
            return invalid("the two parties need names that differ");
        }
        Ok(Self {
            own: public_keys(by.key()),
            own_party,
            peer: wanted.peer.clone(),
            format: wanted.format,
            peer_party: wanted.peer_party.clone(),
            hash: wanted.hash,
            salt: wanted.salt.clone(),
            key: KeyName::new(at.namespace, at.keyring, at.name),
            algorithm,
            length,
        })
    }

    /// The peer's public key in our version's group, after every check of its
    /// kind, and not ours.
    fn peer(&self, group: Algorithm) -> Result<PublicKey> {
        let peer = PublicKey::import(&self.peer, self.format, Some(group))?;
        let ours = |own: &Vec<u8>| is_same_share(group, own, peer.spki_der());
        if self.own.iter().any(ours) {
            let why = "the peer's public key is the key's own";
            return Err(skms_crypto::Error::InvalidKey(why).into());
        }
        Ok(peer)
    }

    fn bound(&self, own: &PublicKey, peer: &PublicKey) -> Result<Bound> {
        let mut bound = Bound {
            group: own.algorithm(),
            own: own.to_raw()?,
            peer: peer.to_raw()?,
            fixed_info: Vec::new(),
        };
        bound.fixed_info = self.terms(&bound).fixed_info()?;
        Ok(bound)
    }

    fn terms<'a>(&'a self, bound: &'a Bound) -> StaticKey<'a> {
        let share = |party, public_key| Share { party, public_key };
        StaticKey {
            group: bound.group.name(),
            between: [
                share(&self.own_party, &bound.own),
                share(&self.peer_party, &bound.peer),
            ],
            key: &self.key,
            algorithm: self.algorithm.name(),
            length: self.length,
        }
    }

    fn derive(self, key: &OpenKey) -> Result<Derived> {
        let peer = self.peer(key.algorithm())?;
        let own = key.public_key();
        let own = own.ok_or(Error::Internal("a key pair without a public key"))?;
        let bound = self.bound(own, &peer)?;
        let shared = key.agree(&peer)?;
        Ok(Derived {
            key: self.terms(&bound).derive(self.hash, &shared, &self.salt)?,
            peer: peer.fingerprint(),
            fixed_info: bound.fixed_info,
            own_party: self.own_party,
        })
    }
}

/// Who we are unless somebody says otherwise.
fn default_party(by: KeyRef<'_>) -> String {
    format!("skms:{}/{}/{}", by.namespace, by.keyring, by.name)
}

fn public_keys(key: &Key) -> Vec<Vec<u8>> {
    let spki = key.versions.iter().map(|one| one.public_spki.clone());
    spki.flatten().collect()
}

/// Whether two public keys, in the form that this program writes, lead to the
/// same secrets: on a curve those of a point and of its inverse are the same,
/// and X25519 takes no notice of the highest bit.
fn is_same_share(group: Algorithm, one: &[u8], other: &[u8]) -> bool {
    /// Bytes of an X25519 public key.
    const U: usize = 32;
    let tail = |spki: &[u8], length: usize| {
        let start = spki.len().checked_sub(length)?;
        spki.get(start..).map(<[u8]>::to_vec)
    };
    match group.family() {
        Family::Montgomery => {
            let share = |spki| {
                let mut u = tail(spki, U)?;
                *u.last_mut()? &= 0x7f;
                Some(u)
            };
            share(one) == share(other)
        }
        Family::Ec => {
            // The last bytes are y; before them all is the same but for x.
            let (x, other_x) = match group {
                Algorithm::EcP384 => (without(one, 48), without(other, 48)),
                Algorithm::EcP521 => (without(one, 66), without(other, 66)),
                _ => (without(one, 32), without(other, 32)),
            };
            x == other_x
        }
        _ => one == other,
    }
}

fn without(spki: &[u8], y: usize) -> &[u8] {
    let end = spki.len().saturating_sub(y);
    spki.get(..end).unwrap_or(spki)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spki(algorithm: Algorithm) -> (Vec<u8>, PublicKey) {
        let made = KeyMaterial::generate(algorithm).unwrap();
        let public = made.public_key().unwrap().unwrap();
        (public.spki_der().to_vec(), public)
    }

    #[test]
    fn one_s_own_share_is_known_in_every_dress() {
        for algorithm in [
            Algorithm::EcP256,
            Algorithm::EcP384,
            Algorithm::EcP521,
            Algorithm::X25519,
            Algorithm::Ffdhe2048,
        ] {
            let (own, public) = spki(algorithm);
            let (other, _) = spki(algorithm);
            assert!(is_same_share(algorithm, &own, &own));
            assert!(!is_same_share(algorithm, &own, &other));
            let mut raw = public.to_raw().unwrap();
            match algorithm.family() {
                // A compressed point with the other sign of y.
                Family::Ec => {
                    let odd = raw.last().unwrap() & 1;
                    raw.truncate(1 + (raw.len() - 1) / 2);
                    raw[0] = 3 - odd;
                }
                Family::Montgomery => *raw.last_mut().unwrap() |= 0x80,
                _ => continue,
            }
            let dressed = PublicKey::import(&raw, Format::Raw, Some(algorithm)).unwrap();
            assert_ne!(dressed.spki_der(), own, "{algorithm}");
            assert!(
                is_same_share(algorithm, &own, dressed.spki_der()),
                "{algorithm}"
            );
        }
    }
}
