//! Algorithms that are withdrawn.

use skms_engine::acts::withdraw_algorithm::{Order, View};
use skms_wire::native::health::{
    AlgorithmWithdrawal, WithdrawAlgorithmRequest, WithdrawnAlgorithm,
};

use super::{
    answer::Reply,
    call::Call,
    convert::{self, moment},
    error::Failure,
    paging,
};

fn view(view: View) -> WithdrawnAlgorithm {
    WithdrawnAlgorithm {
        algorithm: view.algorithm,
        withdrawn_at: moment(view.at),
        by: view.by,
        reason: view.reason,
        protects_until: moment(view.protects_until),
        successor: view.successor,
    }
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let query = call.page()?;
    let all = call.engine().list_withdrawn(call.caller()?).await?;
    let all = all.into_iter().map(view).collect();
    Reply::json(&paging::sorted(all, &query, |one: &WithdrawnAlgorithm| {
        &one.algorithm
    })?)
}

pub async fn withdraw(call: Call) -> Result<Reply, Failure> {
    let asked: WithdrawAlgorithmRequest = call.json()?;
    let order = Order {
        algorithm: call.param("algorithm").to_owned(),
        reason: asked.reason,
        protects_until: asked.protects_until.map(convert::seconds),
        successor: asked.successor,
        dry_run: asked.dry_run.unwrap_or(false),
    };
    let done = call
        .engine()
        .withdraw_algorithm(call.caller()?, order)
        .await?;
    Reply::json(&AlgorithmWithdrawal {
        withdrawal: view(done.view),
        keys: done.keys,
        named: done.named,
        rotating: done.rotating,
    })
}

pub async fn readmit(call: Call) -> Result<Reply, Failure> {
    call.no_body()?;
    let algorithm = call.param("algorithm");
    call.engine()
        .readmit_algorithm(call.caller()?, algorithm)
        .await?;
    Ok(Reply::Empty)
}
