//! One ciphertext on its way to the newest version.

use std::sync::Arc;

use skms_crypto::EncryptOptions;
use skms_crypto::hash::sha256;
use skms_keys::{KeyState, Operation, VersionNumber, counted_bytes};

use crate::acts::reencrypt::Reencrypt;
use crate::error::{Error, Result as Done};
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::opened::{InUse, Spend, take_for};
use crate::records::der::Der;
use crate::records::reencryption::Became;

/// One item of a list.
#[derive(Clone, Debug)]
pub struct Item {
    /// What the client calls it.
    pub id: Option<String>,
    /// What it is.
    pub content: Content,
}

/// What an item is.
#[derive(Clone, Debug)]
pub enum Content {
    /// A ciphertext.
    Ciphertext {
        /// As it was encrypted.
        ciphertext: Vec<u8>,
        /// The version that made it.
        version: VersionNumber,
        /// What is bound to it, before and after.
        associated_data: Vec<u8>,
        /// The algorithm's choices, before and after.
        options: EncryptOptions,
    },
    /// Something in the list that the client cannot read as one: it counts
    /// among those that could not be moved.
    Unreadable {
        /// SHA-256 of it.
        sha256: [u8; 32],
        /// What is wrong with it.
        why: String,
    },
}

/// What became of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Result {
    /// It is encrypted anew.
    Moved {
        /// The new ciphertext.
        ciphertext: Vec<u8>,
        /// The version that made it.
        version: VersionNumber,
    },
    /// It is at the newest version, and opens.
    Newest {
        /// That version.
        version: VersionNumber,
    },
    /// It could not be moved.
    Failed {
        /// Why.
        why: String,
    },
}

impl From<&Became> for Result {
    fn from(became: &Became) -> Self {
        match became {
            Became::Moved {
                version,
                ciphertext,
            } => Self::Moved {
                ciphertext: ciphertext.0.clone(),
                version: VersionNumber(*version),
            },
            Became::Newest { version } => Self::Newest {
                version: VersionNumber(*version),
            },
            Became::Failed { why } => Self::Failed { why: why.clone() },
        }
    }
}

impl Item {
    /// The version that it says it is of.
    pub(super) const fn version(&self) -> Option<VersionNumber> {
        match &self.content {
            Content::Ciphertext { version, .. } => Some(*version),
            Content::Unreadable { .. } => None,
        }
    }

    /// How many bytes of ciphertext it has.
    pub(super) const fn len(&self) -> usize {
        match &self.content {
            Content::Ciphertext { ciphertext, .. } => ciphertext.len(),
            Content::Unreadable { .. } => 0,
        }
    }

    /// What encrypting it anew takes of what is counted. The plaintext is shorter
    /// than this by tag and nonce.
    fn spends(&self) -> Spend {
        let bound = match &self.content {
            Content::Ciphertext {
                associated_data, ..
            } => associated_data.len(),
            Content::Unreadable { .. } => 0,
        };
        Spend {
            uses: 1,
            bytes: counted_bytes(self.len()).saturating_add(counted_bytes(bound)),
        }
    }

    /// What the digest over all items takes of it.
    fn digest(&self) -> [u8; 32] {
        match &self.content {
            Content::Ciphertext {
                ciphertext,
                version,
                ..
            } => of(version.0, ciphertext),
            Content::Unreadable { sha256, .. } => *sha256,
        }
    }

    /// The digest over all items, with this one and what became of it.
    pub(super) fn chain(&self, before: &[u8; 32], became: &Became) -> [u8; 32] {
        let read = self.digest();
        let made = match became {
            Became::Moved {
                version,
                ciphertext,
            } => of(*version, &ciphertext.0),
            // It stays as it was.
            Became::Newest { .. } | Became::Failed { .. } => read,
        };
        sha256(&[before, &read, &made])
    }

    /// Everything about it, to be told from any other.
    pub(super) fn asked(&self, into: &mut Vec<u8>) {
        let mut part = |bytes: &[u8]| {
            into.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
            into.extend_from_slice(bytes);
        };
        part(self.id.as_deref().unwrap_or_default().as_bytes());
        match &self.content {
            Content::Ciphertext {
                ciphertext,
                version,
                associated_data,
                options,
            } => {
                part(&[1]);
                part(&version.0.to_be_bytes());
                part(ciphertext);
                part(associated_data);
                for hash in [options.oaep_hash, options.oaep_mgf_hash] {
                    part(hash.map_or("", |hash| hash.name()).as_bytes());
                }
            }
            Content::Unreadable { sha256, why } => {
                part(&[0]);
                part(sha256);
                part(why.as_bytes());
            }
        }
    }
}

fn of(version: u32, ciphertext: &[u8]) -> [u8; 32] {
    sha256(&[&version.to_be_bytes(), ciphertext])
}

/// Guards of the versions in use, one for each.
pub(super) type Held = Vec<InUse>;

fn hold(held: &mut Held, in_use: InUse) {
    if held.iter().all(|other| other.version() != in_use.version()) {
        held.push(in_use);
    }
}

/// Moves an item; what comes back as an error says nothing about the item, and
/// the whole batch is to come again.
pub(super) async fn one(
    entry: &Entry,
    allowed: &Authorized<Reencrypt, KeyTarget>,
    item: &Arc<[Item]>,
    at: usize,
    held: &mut Held,
) -> Done<Became> {
    let failed = |why: String| Became::Failed { why };
    let Some(one) = item.get(at) else {
        return Err(Error::Internal("an item outside its batch"));
    };
    let version = match &one.content {
        Content::Unreadable { why, .. } => return Ok(failed(why.clone())),
        Content::Ciphertext { version, .. } => *version,
    };
    let newest = newest(entry, allowed)?;
    let from = match take_for(
        entry,
        allowed,
        Operation::Decrypt,
        Some(version),
        Spend::ONE_USE,
    )
    .await
    {
        Ok(from) => from,
        Err(error) => return judged(allowed, error).map(failed),
    };
    let to = match version < newest {
        // The newest by now, should there be a newer one than a moment ago.
        true => Some(take_for(entry, allowed, Operation::Encrypt, None, one.spends()).await?),
        false => None,
    };
    let old = Arc::clone(from.key());
    let new = to.as_ref().map(|to| (Arc::clone(to.key()), to.version()));
    let slow = from.is_slow(Operation::Decrypt);
    let items = Arc::clone(item);
    let work = move || -> Done<Became> {
        let Some(Content::Ciphertext {
            ciphertext,
            associated_data,
            options,
            ..
        }) = items.get(at).map(|item| &item.content)
        else {
            return Err(Error::Internal("an item that changed"));
        };
        let plaintext = old.decrypt(ciphertext, associated_data, options)?;
        let Some((new, to)) = new else {
            return Ok(Became::Newest { version: version.0 });
        };
        let moved = new.encrypt(plaintext.expose(), associated_data, options)?;
        Ok(Became::Moved {
            version: to.0,
            ciphertext: Der(moved),
        })
    };
    let done = match slow {
        true => entry.rooms.slow.run(work).await?,
        false => work(),
    };
    hold(held, from);
    if let Some(to) = to {
        hold(held, to);
    }
    done.or_else(|error| judged(allowed, error).map(failed))
}

/// The version that protects now.
///
/// # Errors
/// Where none does: nothing can be moved then.
fn newest(entry: &Entry, allowed: &Authorized<Reencrypt, KeyTarget>) -> Done<VersionNumber> {
    let snapshot = allowed.target().snapshot();
    let permit = snapshot.key().permit(Operation::Encrypt, None, entry.now());
    match permit.map_err(Error::from) {
        Ok(permit) => Ok(permit.version),
        Err(Error::StateForbids {
            version,
            state: KeyState::Compromised,
            ..
        }) => Err(Error::NeedsRotation {
            key: format!("{}/{}", snapshot.at().keyring, snapshot.at().name),
            version,
        }),
        Err(error) => Err(error),
    }
}

/// Whether an error is the item's own, and then why; or one that can pass, which
/// is the batch's.
fn judged(allowed: &Authorized<Reencrypt, KeyTarget>, error: Error) -> Done<String> {
    match error {
        Error::StateForbids {
            version,
            state: KeyState::Compromised,
            operation: "decrypt",
        } => {
            let at = allowed.target().snapshot();
            Err(Error::NeedsGrant {
                key: format!("{}/{}", at.at().keyring, at.at().name),
                version,
            })
        }
        // These can pass: a key is resumed, restored, its dates come.
        Error::StateForbids {
            state: KeyState::Suspended | KeyState::PreActivation | KeyState::Compromised,
            ..
        }
        | Error::AncestorCompromised { .. }
        | Error::Key(skms_keys::Error::PendingDestruction { .. }) => Err(error),
        Error::StateForbids { .. }
        | Error::Integrity
        | Error::NotFound { .. }
        | Error::Invalid(_)
        | Error::KeyForbids(_)
        | Error::Key(_)
        | Error::Crypto(_)
        | Error::TooLarge { .. } => Ok(error.to_string()),
        other => Err(other),
    }
}
