//! The key exchange: its messages, in JSON. Who sends one is said by the
//! message itself.

use skms_wire::Bytes;
use skms_wire::native::ProblemKind;
use skms_wire::native::exchange::{ExchangeConfirmed, ExchangeMessage, ExchangeReply};

use super::{answer::Reply, call::Call, error::Failure, views};

/// The longest message there is, in bytes: docs/exchange.md, "Encoding".
const MESSAGE_MAX: usize = 65_536;

pub async fn begin(call: Call) -> Result<Reply, Failure> {
    let message = message(&call)?;
    let names = &call.app.names;
    let done = call.engine().exchange(call.sender()?, names, message);
    let replied = done.await?;
    Reply::json(&ExchangeReply {
        message: Bytes::new(replied.message),
        crls: replied.lists.into_iter().map(Bytes::new).collect(),
    })
}

pub async fn confirm(call: Call) -> Result<Reply, Failure> {
    let message = message(&call)?;
    let done = call.engine().confirm_exchange(call.sender()?, &message);
    Reply::json(&ExchangeConfirmed {
        key: views::snapshot(&done.await?.key)?,
    })
}

fn message(call: &Call) -> Result<Vec<u8>, Failure> {
    let asked: ExchangeMessage = call.json()?;
    let message = asked.message.into_inner();
    match message.len() <= MESSAGE_MAX {
        true => Ok(message),
        false => Err(Failure::with(
            ProblemKind::ExchangeRefused,
            format!("too-long: a message of more than {MESSAGE_MAX} bytes"),
        )),
    }
}
