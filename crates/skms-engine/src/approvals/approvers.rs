//! Whose approval counts, now: the signature is checked again, and the
//! credential it was given by, and what its principal may.

use std::sync::Arc;

use skms_keys::UnixSeconds;
use skms_policy::{
    Action, Approver, Context, Mark, Principal, PrincipalKind, Request, ResourceRef,
};
use skms_store::Kind;

use super::facts::{Facts, Who};
use super::statement::{open_attested, open_own};
use crate::engine::Rooms;
use crate::error::{Error, Result};
use crate::places::SYSTEM_SCOPE;
use crate::records;
use crate::records::approval::{GivenRecord, MarkRecord};
use crate::records::token::TokenRecord;
use crate::sessions;
use crate::signing;

/// An approval that counts.
pub(crate) struct Counting {
    pub(crate) who: Who,
    principal: Arc<Principal>,
    own: bool,
}

impl Counting {
    /// Whether it counts for a mark.
    pub(crate) fn fulfils(&self, mark: &Mark) -> bool {
        (self.own || !mark.signed()) && mark.accepts(&self.principal)
    }

    /// As [`Counting::fulfils`], for a mark as a request remembers it.
    pub(crate) fn fulfils_known(&self, mark: &MarkRecord) -> bool {
        let is = Approver::of(&self.principal);
        let mut is = is.iter().map(Approver::text);
        (self.own || !mark.signed)
            && (mark.approvers.is_empty() || is.any(|one| mark.approvers.contains(&one)))
    }
}

/// The approvals of a request that count now, each principal's once, and why the
/// others do not.
pub(crate) async fn counting(
    rooms: &Arc<Rooms>,
    facts: &Facts,
    given: &[GivenRecord],
) -> Result<(Vec<Counting>, Vec<String>)> {
    let (mut all, mut others): (Vec<Counting>, Vec<String>) = (Vec::new(), Vec::new());
    for one in given {
        match counts(rooms, facts, one).await {
            Ok(found) if all.iter().any(|known| known.who.is(&found.who)) => {}
            Ok(found) => all.push(found),
            Err(Error::ApprovalRefused(why)) => {
                others.push(format!("{}: {why}", one.by.path()));
            }
            Err(error) => return Err(error),
        }
    }
    Ok((all, others))
}

/// Whether one does.
async fn counts(rooms: &Arc<Rooms>, facts: &Facts, given: &GivenRecord) -> Result<Counting> {
    let refused = |why: &str| Err(Error::ApprovalRefused(why.to_owned()));
    let now = rooms.clock.now();
    let statement = if given.own {
        let (statement, chain) = open_own(&given.statement)?;
        if chain.iter().ne(given.chain.iter().map(|der| &der.0)) {
            return refused("another certificate signed it");
        }
        statement
    } else {
        let key = signing::public_key(rooms).await?;
        open_attested(&given.statement, &key.pem)?
    };
    statement.is_for(facts)?;
    if statement.approver != given.by || statement.expires_at != given.expires_at {
        return refused("it says something else than its record");
    }
    if statement.expires_at < now.0 {
        return refused("it has expired");
    }
    if statement.approver.is(&facts.requester) {
        return refused("nobody approves of what they asked for themselves");
    }
    let principal = standing(rooms, given, now).await?;
    let circumstances = Circumstances {
        source: given.source,
        tls: given.tls,
    };
    if !may_approve(rooms, &principal, &facts.namespace, circumstances) {
        return refused("its giver may not approve any more");
    }
    Ok(Counting {
        who: given.by.clone(),
        principal,
        own: given.own,
    })
}

/// Under what circumstances an approval was given.
#[derive(Clone, Copy)]
pub(crate) struct Circumstances {
    pub(crate) source: Option<std::net::IpAddr>,
    pub(crate) tls: bool,
}

/// Whether policy lets a principal approve what belongs to a namespace.
pub(crate) fn may_approve(
    rooms: &Rooms,
    principal: &Arc<Principal>,
    namespace: &str,
    circumstances: Circumstances,
) -> bool {
    let resource = ResourceRef::namespace(namespace);
    let context = Context {
        now_unix: rooms.clock.now().0,
        source_ip: circumstances.source,
        tls: circumstances.tls,
        certificate: principal.kind() == PrincipalKind::Certificate,
    };
    let decision = rooms.policies.load().decide(&Request {
        principal,
        action: Action::ApprovalApprove,
        resource: &resource,
        context: &context,
    });
    decision.allowed
}

/// The principal behind an approval as it is now, if the credential that it was
/// given by is still good: not revoked, not expired, and its principal not
/// suspended.
async fn standing(
    rooms: &Arc<Rooms>,
    given: &GivenRecord,
    now: UnixSeconds,
) -> Result<Arc<Principal>> {
    let gone = || Error::ApprovalRefused("the credential it was given by counts no more".into());
    let found = match &given.token {
        Some(id) => by_token(rooms, id, now).await?.ok_or_else(gone)?,
        None => {
            let chain: Vec<Vec<u8>> = given.chain.iter().map(|der| der.0.clone()).collect();
            let session = sessions::by_certificate(rooms, &chain, &given.by.namespace).await;
            match session {
                Ok(session) => Arc::clone(&session.principal),
                Err(
                    Error::Unauthenticated
                    | Error::PrincipalSuspended { .. }
                    | Error::CertificateRefused { .. },
                ) => {
                    return Err(gone());
                }
                Err(error) => return Err(error),
            }
        }
    };
    rooms.suspended.check(&found).map_err(|_| gone())?;
    let who = who(&found);
    if who != given.by {
        return Err(gone());
    }
    Ok(found)
}

async fn by_token(rooms: &Rooms, id: &str, now: UnixSeconds) -> Result<Option<Arc<Principal>>> {
    let Ok(id) = id.parse() else {
        return Ok(None);
    };
    let Some(stored) = rooms.store.get(SYSTEM_SCOPE, Kind::Token, id).await? else {
        return Ok(None);
    };
    let record: TokenRecord = records::decode(stored.plaintext.expose())?;
    if record.expires_at.is_some_and(|end| now.0 >= end) {
        return Ok(None);
    }
    let principal = Principal::new(PrincipalKind::Token, record.namespace, record.principal)?;
    Ok(Some(Arc::new(principal.with_groups(record.groups)?)))
}

/// A principal, as approvals name it.
pub(crate) fn who(principal: &Principal) -> Who {
    Who {
        kind: principal.kind().name().to_owned(),
        namespace: principal.namespace().to_owned(),
        name: principal.id().to_owned(),
    }
}
