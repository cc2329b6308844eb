//! The key exchange: its messages, in JSON. Who sends one is said by the
//! message itself.

use skms_engine::acts::exchange::{Agreement, Asked, KeyName, Uses};
use skms_wire::Bytes;
use skms_wire::native::ProblemKind;
use skms_wire::native::exchange::{
    BindKeyRequest, BindKeyResponse, ExchangeConfirmed, ExchangeMessage, ExchangeReply,
};

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

pub async fn bind(call: Call) -> Result<Reply, Failure> {
    let asked: BindKeyRequest = call.json()?;
    let nonce = asked.nonce.into_inner().try_into();
    let nonce = nonce.map_err(|_| Failure::invalid("the nonce has 32 bytes"))?;
    let words = asked.uses.unwrap_or_default();
    let uses = Uses::new(words.iter().map(|word| word.word()));
    let uses = uses.map_err(|why| Failure::invalid(why.to_string()))?;
    let mac = asked.mac.into_inner();
    let asked = Asked {
        wanted: Agreement {
            key: KeyName::new(&call.namespace, &asked.keyring, &asked.name),
            algorithm: asked.algorithm,
            uses,
            lifetime_seconds: asked.lifetime_seconds,
        },
        nonce,
    };
    let channel = call.channel.as_deref();
    let bound = call
        .engine()
        .bind_key(call.caller()?, channel, asked, &mac)
        .await?;
    let length = bound
        .key
        .key()
        .algorithm
        .row()
        .key_bytes
        .unwrap_or_default();
    Reply::json(&BindKeyResponse {
        key: views::snapshot(&bound.key)?,
        version: bound.key.key().newest()?.number.0,
        lifetime_seconds: bound.answered.grant.lifetime_seconds,
        length_bytes: u32::try_from(length).map_err(|_| Failure::internal("a long key"))?,
        nonce: Bytes::new(bound.answered.nonce.to_vec()),
        mac: Bytes::new(bound.mac),
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
