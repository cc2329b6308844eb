//! Revokes certificates and keys. There is no way back: lists that are out
//! there only grow.

use std::sync::Arc;

use skms_evidence::{DetailKey, Outcome};
use skms_pki::ssh::PublicKey;
use skms_pki::ssh::role::KEY_ID_MAX;
use skms_store::{Change, Kind, RecordId};

use super::{Revoke, View, refused, serial};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::records;
use crate::records::ssh::{SshRevocationRecord, SshRevoked, certificate_name, revocation_name};
use crate::sessions::hex;
use crate::ssh::SshAuthority;

/// What is revoked at once, at most.
const ONCE_MAX: usize = 1000;

/// What is to be revoked.
#[derive(Clone, Debug)]
pub enum What {
    /// A certificate of the authority, by its serial number in decimal.
    Serial(String),
    /// Its certificates with this key identifier.
    KeyId(String),
    /// A public key, whoever certified it: the line of a `.pub` file.
    Key(String),
}

impl Engine {
    /// Adds to an authority's revocation list. What it names already stays.
    ///
    /// # Errors
    /// [`Error::NotFound`] for a serial number that the authority did not
    /// give; nothing is revoked then.
    pub async fn revoke_ssh(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        name: &str,
        what: Vec<What>,
    ) -> Result<View> {
        let entry = self.enter(caller)?;
        let allowed = entry
            .authorize::<Revoke>(entry.ssh_target(namespace, name))
            .await?;
        let done = async {
            let what = stored(what)?;
            let guard = entry.rooms.lock_changes().await;
            let authority = entry.ssh_authority(namespace, name)?;
            known(&entry.rooms, &authority, &what).await?;
            let mut event = EventDraft::of(&entry, &allowed, Outcome::Success)?.urgent();
            if let [SshRevoked::Serial(text)] = what.as_slice() {
                event = event.detail(DetailKey::Serial, hex(&serial(text)?.to_be_bytes()));
            }
            let by = entry.caller.session.principal.id();
            let (new, changes) =
                additions(&entry.rooms, &authority, what, (entry.now().0, by)).await?;
            event = event.detail(DetailKey::Count, new.len() as u64);
            entry
                .change(guard, changes, event, move |_, _| {
                    authority.revoked.take(&new)?;
                    Ok(View::from(authority.as_ref()))
                })
                .await
        };
        let done = done.await;
        entry.failed(&allowed, done).await
    }
}

/// What was asked for, each once.
fn stored(what: Vec<What>) -> Result<Vec<SshRevoked>> {
    if what.is_empty() {
        return Err(Error::Invalid(
            "say what is to be revoked: serials, key_ids or public_keys".into(),
        ));
    }
    if what.len() > ONCE_MAX {
        return Err(Error::TooLarge {
            what: "the number of things revoked at once",
            limit: ONCE_MAX as u64,
        });
    }
    let mut all = Vec::new();
    for one in what {
        let one = one.stored()?;
        if !all.contains(&one) {
            all.push(one);
        }
    }
    Ok(all)
}

/// Whether the authority gave every serial number among these: one that was
/// mistyped must not pass for revoked.
async fn known(rooms: &Rooms, authority: &SshAuthority, what: &[SshRevoked]) -> Result<()> {
    for one in what {
        if let SshRevoked::Serial(text) = one {
            let place = certificate_name(&authority.id_text(), serial(text)?);
            let scope = authority.namespace.0;
            let found = rooms
                .store
                .find(scope, Kind::SshCertificate, &place)
                .await?;
            if found.is_none() {
                return Err(Error::NotFound {
                    what: "SSH certificate",
                });
            }
        }
    }
    Ok(())
}

/// The records, and the changes that write them, of what an authority's list
/// does not name yet.
pub(crate) async fn additions(
    rooms: &Rooms,
    authority: &SshAuthority,
    what: Vec<SshRevoked>,
    (at, by): (i64, &str),
) -> Result<(Vec<SshRevocationRecord>, Vec<Change>)> {
    let (id, scope) = (authority.id_text(), authority.namespace.0);
    let (mut new, mut changes) = (Vec::new(), Vec::new());
    for what in what {
        let place = revocation_name(&id, &what);
        let found = rooms.store.find(scope, Kind::SshRevocation, &place).await?;
        if found.is_some() {
            continue;
        }
        let record = SshRevocationRecord {
            authority: id.clone(),
            what,
            revoked_at: at,
            revoked_by: by.to_owned(),
        };
        changes.push(Change::Put {
            namespace: scope,
            kind: Kind::SshRevocation,
            id: RecordId::random()?,
            name: Some(place),
            expected: None,
            plaintext: records::encode(&record)?,
        });
        new.push(record);
    }
    Ok((new, changes))
}

impl What {
    fn stored(self) -> Result<SshRevoked> {
        match self {
            Self::Serial(text) => Ok(SshRevoked::Serial(serial(&text)?.to_string())),
            Self::KeyId(text) => {
                let plain =
                    (1..=KEY_ID_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
                match plain {
                    true => Ok(SshRevoked::KeyId(text)),
                    false => Err(Error::Invalid(format!(
                        "a key identifier is text of at most {KEY_ID_MAX} bytes"
                    ))),
                }
            }
            Self::Key(line) => {
                let key = PublicKey::from_line(&line).map_err(refused)?;
                Ok(SshRevoked::Key(hex(&key.sha256())))
            }
        }
    }
}
