//! The directory of sealing keys, in JSON.

use skms_engine::Error as Engine;
use skms_engine::acts::directory::{Status, View};
use skms_wire::Bytes;
use skms_wire::native::ProblemKind;
use skms_wire::native::directory::{
    DirectoryCrls, DirectoryCrlsRequest, LookUpStatementRequest, LookedUpStatement, OwnStatements,
    PublishStatementRequest, StatementStatus, StatementView,
};

use super::{answer::Reply, call::Call, convert::moment, error::Failure};

pub async fn publish(call: Call) -> Result<Reply, Failure> {
    let request: PublishStatementRequest = call.json()?;
    let statement = request.statement.into_inner();
    let done = call.engine().publish_statement(call.caller()?, statement);
    Reply::json(&view(done.await.map_err(refused)?)?)
}

pub async fn own(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let all = call.engine().own_statements(call.caller()?).await?;
    let statements = all.into_iter().map(view).collect::<Result<_, _>>()?;
    Reply::json(&OwnStatements { statements })
}

pub async fn withdraw(call: Call) -> Result<Reply, Failure> {
    call.no_body()?;
    let done = call.engine().withdraw_statement(call.caller()?).await?;
    Reply::json(&view(done)?)
}

pub async fn look_up(call: Call) -> Result<Reply, Failure> {
    let request: LookUpStatementRequest = call.json()?;
    let nonce = request.nonce.into_inner();
    let nonce = <[u8; 32]>::try_from(nonce);
    let nonce = nonce.map_err(|_| Failure::invalid("the nonce is 32 random bytes"))?;
    let (names, who) = (&call.app.names, (&*call.namespace, &*request.principal));
    let engine = call.engine();
    let found = engine.look_up_statement(call.caller()?, names, who, &nonce);
    let found = found.await?;
    Reply::json(&LookedUpStatement {
        statement: Bytes::new(found.statement),
        status: Bytes::new(found.status),
        crls: found.lists.into_iter().map(Bytes::new).collect(),
    })
}

pub async fn crls(call: Call) -> Result<Reply, Failure> {
    let request: DirectoryCrlsRequest = call.json()?;
    let certificates = request.certificates.into_iter().map(Bytes::into_inner);
    let certificates: Vec<_> = certificates.collect();
    let engine = call.engine();
    let lists = engine.directory_lists(call.caller()?, &call.namespace, &certificates);
    Reply::json(&DirectoryCrls {
        crls: lists.await?.into_iter().map(Bytes::new).collect(),
    })
}

/// A statement that is refused is no message of an exchange.
fn refused(error: Engine) -> Failure {
    match error {
        Engine::Exchange { .. } => Failure::with(ProblemKind::StatementRefused, error.to_string()),
        other => other.into(),
    }
}

fn view(view: View) -> Result<StatementView, Failure> {
    Ok(StatementView {
        hash: view.hash.iter().map(|byte| format!("{byte:02x}")).collect(),
        statement: view.statement.map(Bytes::new),
        algorithm: view.algorithm.map(str::to_owned),
        status: status(view.status)?,
        published_at: moment(view.published_at),
        not_after: moment(view.not_after),
        withdrawn_at: view.withdrawn_at.map(moment),
    })
}

fn status(status: Status) -> Result<StatementStatus, Failure> {
    Ok(match status {
        Status::Good => StatementStatus::Good,
        Status::Superseded => StatementStatus::Superseded,
        Status::Withdrawn => StatementStatus::Withdrawn,
        Status::Expired => StatementStatus::Expired,
        Status::CertificateOnHold => StatementStatus::CertificateOnHold,
        Status::CertificateRevoked => StatementStatus::CertificateRevoked,
        Status::CertificateExpired => StatementStatus::CertificateExpired,
        Status::Unregistered => StatementStatus::PrincipalUnknown,
        // The room's statuses are open to growth.
        _ => return Err(Failure::internal("a status that the face does not know")),
    })
}
