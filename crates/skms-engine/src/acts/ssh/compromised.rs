//! What becomes of SSH authorities whose key is compromised: their lists name
//! the key, and with it everything that it ever signed, in the batch that
//! revokes it.

use std::sync::Arc;

use skms_keys::{KeyState, Transition, UnixSeconds};
use skms_store::Change;

use super::revoke::additions;
use crate::engine::Rooms;
use crate::error::Result;
use crate::opened::KeySnapshot;
use crate::records::ssh::{SshRevocationRecord, SshRevoked};
use crate::sessions::hex;
use crate::ssh::SshAuthority;

/// What the lists of authorities gain with a change of their key.
#[derive(Default)]
pub(crate) struct Spoilt(Vec<(Arc<SshAuthority>, Vec<SshRevocationRecord>)>);

impl Spoilt {
    /// What a key's transitions mean for authorities on it, and the changes
    /// that write it.
    pub(crate) async fn by(
        rooms: &Rooms,
        key: &KeySnapshot,
        transitions: &[Transition],
        (at, by): (UnixSeconds, &str),
    ) -> Result<(Self, Vec<Change>)> {
        let (mut spoilt, mut changes) = (Vec::new(), Vec::new());
        let id = key.key().id.to_string();
        for authority in rooms.ssh.of(key.at().namespace) {
            let own = &authority.record.key;
            let meant = own.id == id
                && transitions
                    .iter()
                    .any(|one| one.to == KeyState::Compromised && one.version.0 == own.version);
            if meant {
                let named = vec![SshRevoked::Key(hex(&authority.public.sha256()))];
                let (new, more) = additions(rooms, &authority, named, (at.0, by)).await?;
                changes.extend(more);
                spoilt.push((authority, new));
            }
        }
        Ok((Self(spoilt), changes))
    }

    /// Brings memory up to date once the batch is committed. Reading memory
    /// anew keeps what an authority revoked, so that it is not lost there.
    ///
    /// # Errors
    /// [`crate::Error::Record`] for a damaged record.
    pub(crate) fn put_in_force(self) -> Result<()> {
        self.0
            .iter()
            .try_for_each(|(authority, new)| authority.revoked.take(new))
    }
}
