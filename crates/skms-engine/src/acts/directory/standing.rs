//! How a statement stands, at the moment somebody asks: what a sender would
//! find, and what only the server knows.

use std::collections::BTreeSet;
use std::sync::Arc;

use skms_exchange::sealing::{Statement, Status, Wanted};
use skms_exchange::{CertificateFault, Error as Refusal, suite};
use skms_pki::Moment;

use crate::acts::exchange::Anchored;
use crate::engine::{Engine, Rooms};
use crate::error::{Error, Result};
use crate::records::directory::DirectoryRecord;

impl Engine {
    /// Checks a statement as a sender does. `name` is what its owner's
    /// certificates say.
    pub(super) async fn judge_statement(
        &self,
        rooms: &Arc<Rooms>,
        statement: Vec<u8>,
        (namespace, name): (&str, String),
    ) -> Result<std::result::Result<Statement, Refusal>> {
        let known = Anchored::kept(rooms, namespace);
        let now = Moment(rooms.clock.now().0);
        let work = move || {
            let wanted = Wanted {
                name: &name,
                suites: &suite::ALL,
            };
            known.trusting(now, |trust| {
                Statement::receive(&statement, wanted, trust, now)
            })
        };
        self.slow().run(work).await
    }

    /// The groups of a principal, if a certificate is in the store as issued to
    /// it and it is registered.
    pub(super) async fn registered(
        &self,
        chain: &[Vec<u8>],
        (namespace, principal): (&str, &str),
    ) -> Result<Option<BTreeSet<String>>> {
        match self.authenticate_certificate(chain, namespace).await {
            Ok(session) => {
                let found = &session.principal;
                let same = found.namespace() == namespace && found.id() == principal;
                Ok(same.then(|| found.groups().clone()))
            }
            Err(
                Error::Unauthenticated
                | Error::PrincipalSuspended { .. }
                | Error::CertificateRefused { .. },
            ) => Ok(None),
            Err(other) => Err(other),
        }
    }

    /// How a principal's present statement stands. `name` is what its
    /// certificates say.
    pub(super) async fn standing(
        &self,
        rooms: &Arc<Rooms>,
        record: &DirectoryRecord,
        (namespace, name): (&str, &str),
    ) -> Result<Status> {
        // What its owner said comes before what became of it.
        if record.withdrawn_at.is_some() {
            return Ok(Status::Withdrawn);
        }
        let bytes = record.statement.0.clone();
        let judged = self.judge_statement(rooms, bytes, (namespace, name.to_owned()));
        let judged = judged.await?;
        let statement = match judged {
            Ok(statement) => statement,
            Err(why) => return Ok(status_of(&why)),
        };
        let path = statement.owner().peer().path();
        let who = (namespace, record.principal.as_str());
        match self.registered(path, who).await? {
            Some(_) => Ok(Status::Good),
            None => Ok(Status::Unregistered),
        }
    }
}

/// What has become of a statement that was good once.
fn status_of(why: &Refusal) -> Status {
    match why {
        Refusal::StatementExpired | Refusal::StatementNotYetValid => Status::Expired,
        Refusal::Certificate(CertificateFault::Expired) => Status::CertificateExpired,
        Refusal::Certificate(CertificateFault::Revoked) => Status::CertificateRevoked,
        Refusal::Certificate(CertificateFault::OnHold) => Status::CertificateOnHold,
        // Its authority is gone, and with it everybody that it vouched for.
        _ => Status::Unregistered,
    }
}
