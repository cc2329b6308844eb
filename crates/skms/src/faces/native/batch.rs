//! One item or a batch of them: each with its own result, in order.

use serde::{Serialize, de::DeserializeOwned};
use skms_engine::operate::{KeyOperation, MAX_BATCH};
use skms_wire::native::{
    BatchItem, OneOrBatch, OneOrResults, ProblemKind,
    written::{self, Written},
};

use super::{answer::Reply, call::Call, error::Failure};

/// Runs an operation on one item or on each of a batch. An item that cannot
/// be read as the operation's has its own problem; the others go on.
pub async fn run<O, Wire, Answer>(
    call: &Call,
    body: OneOrBatch<Wire>,
    request: impl Fn(Wire) -> Result<O::Request, Failure>,
    answer: impl Fn(O::Response) -> Answer,
) -> Result<OneOrResults<Answer>, Failure>
where
    O: KeyOperation,
{
    let items = match body {
        OneOrBatch::One(item) => {
            let done = call
                .engine()
                .operate_one::<O>(call.caller()?, call.key(), request(item)?)
                .await?;
            return Ok(OneOrResults::One(answer(done)));
        }
        OneOrBatch::Batch(items) => items,
    };
    let (slots, requests) = sort(items, request)?;
    let done = call
        .engine()
        .operate::<O>(call.caller()?, call.key(), requests)
        .await?;
    merge(slots, done, answer)
}

/// The items that can be run, and for every item its place among them or its
/// problem.
pub type Sorted<T> = (Vec<Option<Failure>>, Vec<T>);

/// Sorts what can be run from what cannot.
///
/// # Errors
/// A malformed request for an empty batch, a batch too large.
pub fn sort<Wire, T>(
    items: Vec<Wire>,
    request: impl Fn(Wire) -> Result<T, Failure>,
) -> Result<Sorted<T>, Failure> {
    if items.is_empty() {
        return Err(Failure::malformed("the batch is empty"));
    }
    if items.len() > MAX_BATCH {
        return Err(Failure::with(
            ProblemKind::BatchTooLarge,
            format!("a batch has at most {MAX_BATCH} items"),
        ));
    }
    let mut requests = Vec::with_capacity(items.len());
    let slots = items
        .into_iter()
        .map(|item| match request(item) {
            Ok(request) => {
                requests.push(request);
                None
            }
            Err(failure) => Some(failure),
        })
        .collect();
    Ok((slots, requests))
}

/// Puts results and problems back into the batch's order.
///
/// # Errors
/// A defect: fewer results than items that were run.
pub fn merge<T, Answer>(
    slots: Vec<Option<Failure>>,
    done: Vec<skms_engine::Result<T>>,
    answer: impl Fn(T) -> Answer,
) -> Result<OneOrResults<Answer>, Failure> {
    let mut done = done.into_iter();
    let results = slots
        .into_iter()
        .map(|slot| {
            let failure = match slot {
                Some(failure) => failure,
                None => match done.next() {
                    Some(Ok(response)) => return Ok(BatchItem::Ok(answer(response))),
                    Some(Err(error)) => error.into(),
                    None => return Err(Failure::internal("an item without a result")),
                },
            };
            Ok(BatchItem::Problem(failure.problem()))
        })
        .collect::<Result<Vec<_>, _>>()?;
    Ok(OneOrResults::Results(results))
}

/// As [`serve`], for the answers that there are most of.
pub async fn serve_written<O, Wire, Answer>(
    call: Call,
    request: impl Fn(Wire) -> Result<O::Request, Failure>,
    answer: impl Fn(O::Response) -> Answer,
) -> Result<Reply, Failure>
where
    O: KeyOperation,
    Wire: DeserializeOwned,
    Answer: Written,
{
    let body = call.json()?;
    let answer = run::<O, Wire, Answer>(&call, body, request, answer).await?;
    written::to_json(&answer)
        .map(Reply::Json)
        .map_err(|_| Failure::internal("an answer that has no JSON"))
}

/// [`run`], from the body's bytes to the answer's.
pub async fn serve<O, Wire, Answer>(
    call: Call,
    request: impl Fn(Wire) -> Result<O::Request, Failure>,
    answer: impl Fn(O::Response) -> Answer,
) -> Result<Reply, Failure>
where
    O: KeyOperation,
    Wire: DeserializeOwned,
    Answer: Serialize,
{
    let body = call.json()?;
    Reply::json(&run::<O, Wire, Answer>(&call, body, request, answer).await?)
}
