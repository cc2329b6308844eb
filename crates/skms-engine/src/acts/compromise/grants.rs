//! The recovery grants that an incident's data needs, asked for ahead where a
//! policy has them wait for approval.

use std::sync::Arc;

use skms_policy::{Action, Principal, PrincipalKind, ROOT_NAMESPACE};

use super::cascade::Work;
use super::report::{Reencrypt, instant};
use crate::approvals::Aim;
use crate::approvals::asked::Asked;
use crate::error::{Error, Result};
use crate::gate::KeyRef;

/// The most requests that one incident makes.
const PREPARED: usize = 16;
/// How long the grants that are asked for last.
const LASTING_SECONDS: u64 = 7 * 86_400;
/// The call that grants, by its name in the description of the interface.
const OPERATION: &str = "key-recovery-grant";

/// Asks for the grants of the first keys on behalf of whoever ordered the
/// compromise, who does them once they are approved.
pub(super) async fn prepare(work: &Work<'_>, rows: &mut [Reencrypt]) -> Result<()> {
    let record = &work.ledger.record;
    let kind = match record.authentication.split_once(':') {
        Some(("token", _)) => PrincipalKind::Token,
        Some(("certificate", _)) => PrincipalKind::Certificate,
        // The server itself will not grant.
        _ => return Ok(()),
    };
    let namespace = record.by_namespace.as_deref().unwrap_or(ROOT_NAMESPACE);
    let by = Arc::new(Principal::new(kind, namespace, record.by.as_str())?);
    let until = instant(work.entry.now().plus(LASTING_SECONDS).0);
    let reason = format!("incident {}", work.id());
    for row in rows.iter_mut().take(PREPARED) {
        let mut parts = row.key.splitn(3, '/');
        let (Some(namespace), Some(keyring), Some(name)) =
            (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let at = KeyRef {
            namespace,
            keyring,
            name,
        };
        let Some(cell) = work.entry.rooms.keys.resolve(&work.entry.rooms, at).await? else {
            continue;
        };
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let asked = Asked::new(OPERATION)
            .with(":namespace", &text(namespace))
            .with(":keyring", &text(keyring))
            .with(":key", &text(name))
            .with("reason", &text(&reason))
            .with("until", &text(&until))
            .with_reason(&reason)?;
        let grant = (Action::KeyRecoveryGrant, &Aim::Key(cell));
        let prepared = match work.entry.prepare(&by, grant, &asked).await {
            // The incident does not wait for room: it is asked for by hand.
            Err(Error::QuotaExceeded { .. }) => return Ok(()),
            other => other?,
        };
        if let Some(id) = prepared {
            row.grant = format!(
                "skms key grant {keyring}/{name} --until {until} --reason \"{reason}\" \
                 --approval {id}"
            );
            row.approval = Some(id);
        }
    }
    Ok(())
}
