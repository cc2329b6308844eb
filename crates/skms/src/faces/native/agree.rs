//! Agreement: the secret is answered with, or becomes a key here.

use skms_crypto::{Format, Hash};
use skms_engine::acts::{agree, create_key::NewKeySpec, import_key::Incoming};
use skms_wire::native::{
    OneOrBatch,
    operations::{AgreeRequest, AgreeResponse, AgreedKey},
};

use super::{
    answer::Reply,
    batch,
    call::Call,
    convert::{self, exposed, optional, version},
    error::Failure,
    operations::LENGTH_DEFAULT,
    views,
};

pub async fn agree(call: Call) -> Result<Reply, Failure> {
    let request = |item: AgreeRequest| {
        if item.into.is_some() {
            return Err(Failure::invalid("a batch cannot make keys: leave out into"));
        }
        agreement(item)
    };
    let answer = |done: agree::Agreed| AgreeResponse {
        secret: Some(exposed(done.secret)),
        key: None,
        version: done.version.0,
    };
    match call.json()? {
        OneOrBatch::One(AgreeRequest {
            into: Some(into), ..
        }) if into.name.is_empty() => Err(Failure::invalid("the agreed key needs a name")),
        OneOrBatch::One(mut item) if item.into.is_some() => {
            let into = item.into.take().unwrap_or_default();
            let done = call
                .engine()
                .operate_one::<agree::Agree>(call.caller()?, call.key(), agreement(item)?)
                .await?;
            keep(&call, into, done).await
        }
        body => Reply::json(&batch::run::<agree::Agree, _, _>(&call, body, request, answer).await?),
    }
}

fn agreement(item: AgreeRequest) -> Result<agree::Request, Failure> {
    Ok(agree::Request {
        peer: item.peer_public_key.into_inner(),
        format: item.peer_format.map_or(Format::Auto, convert::format),
        kdf: agree::Kdf::Hkdf {
            hash: Hash::Sha256,
            salt: optional(item.salt),
            info: optional(item.info),
            length: convert::length(item.length_bytes.unwrap_or(LENGTH_DEFAULT))?,
        },
        version: version(item.version)?,
    })
}

/// Makes what was agreed a key: a second act, with its own permission.
async fn keep(call: &Call, into: AgreedKey, done: agree::Agreed) -> Result<Reply, Failure> {
    let spec = NewKeySpec {
        algorithm: Some(convert::algorithm(&into.algorithm)?),
        uses: into.uses.as_deref().map(convert::uses),
        exportable: into.exportable,
        ..NewKeySpec::default()
    };
    let incoming = Incoming {
        bytes: done.secret,
        format: Format::Raw,
        passphrase: None,
        wrapped_with: None,
    };
    let mut at = call.key();
    at.name = &into.name;
    if let Some(keyring) = &into.keyring {
        at.keyring = keyring;
    }
    let made = call
        .engine()
        .import_key(call.caller()?, at, spec, incoming)
        .await?;
    Reply::json(&AgreeResponse {
        secret: None,
        key: Some(views::snapshot(&made)?),
        version: done.version.0,
    })
}
