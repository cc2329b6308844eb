//! The event of a call that used a key and worked: the commonest there is,
//! so it goes from what is in memory straight to the journal's bytes.

use skms_crypto::rand;
use skms_evidence::{EventId, UseEvent};
use skms_keys::VersionNumber;
use skms_store::Entry as JournalEntry;

use crate::act::Act;
use crate::error::Result;
use crate::gate::{Authorized, Entry, KeyTarget};
use crate::opened::KeySnapshot;
use crate::target::TargetKind;

/// Bytes that nearly every such event fits in.
const USUAL: usize = 640;

/// Encodes the event of a use of one version, all of whose `items` worked.
pub(crate) fn encode<A: Act>(
    entry: &Entry,
    authorized: &Authorized<A, KeyTarget>,
    snapshot: &KeySnapshot,
    version: Option<VersionNumber>,
    items: usize,
) -> Result<JournalEntry> {
    // One draw for both: a name that is never repeated, and the leaf's salt.
    let drawn = rand::array::<48>()?;
    let (id, salt) = split(&drawn);
    let mut policies = String::new();
    for name in authorized.policies() {
        if !policies.is_empty() {
            policies.push(' ');
        }
        name.write_to(&mut policies);
    }
    let session = &entry.caller.session;
    let mut bytes = Vec::with_capacity(USUAL);
    UseEvent {
        id: EventId(id),
        at_millis: entry.now_ms,
        namespace: snapshot.at().namespace,
        principal: session.principal.id(),
        principal_namespace: session.namespace_beside(snapshot.at().namespace),
        authentication: session.label(),
        source: entry.caller.source,
        action: A::ACTION.name(),
        kind: TargetKind::Key.word(),
        target_id: snapshot.id_text(),
        target_name: snapshot.path(),
        version: version.map(|version| version.0),
        request_id: &entry.caller.request_id,
        items: u32::try_from(items).ok().filter(|items| *items != 1),
        policies: &policies,
    }
    .encode(&mut bytes);
    Ok(JournalEntry {
        id,
        salt,
        bytes,
        commit: None,
    })
}

fn split(drawn: &[u8; 48]) -> ([u8; 16], [u8; 32]) {
    let (mut id, mut salt) = ([0; 16], [0; 32]);
    id.copy_from_slice(&drawn[..16]);
    salt.copy_from_slice(&drawn[16..]);
    (id, salt)
}
