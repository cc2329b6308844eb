//! Agreement: the secret is answered with, or becomes a key here.

use skms_crypto::{Format, Hash};
use skms_engine::acts::{agree, agree_key::NewAgreement};
use skms_wire::Bytes;
use skms_wire::native::keys::{AgreeKeyRequest, AgreeKeyResponse};
use skms_wire::native::operations::{AgreeRequest, AgreeResponse};

use super::{
    answer::Reply,
    batch,
    call::Call,
    convert::{self, exposed, optional, version},
    error::Failure,
    keys::Said,
    operations::LENGTH_DEFAULT,
    views,
};

pub async fn agree(call: Call) -> Result<Reply, Failure> {
    let answer = |done: agree::Agreed| AgreeResponse {
        secret: exposed(done.secret),
        version: done.version.0,
    };
    let body = call.json()?;
    Reply::json(&batch::run::<agree::Agree, _, _>(&call, body, agreement, answer).await?)
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

pub async fn agree_key(call: Call) -> Result<Reply, Failure> {
    let asked: AgreeKeyRequest = call.json()?;
    let said = Said {
        algorithm: asked.algorithm,
        uses: asked.uses,
        exportable: asked.exportable,
        owner: asked.owner,
        tags: asked.tags,
        rules: asked.rules,
    };
    let wanted = NewAgreement {
        peer: asked.peer_public_key.into_inner(),
        format: asked.peer_format.map_or(Format::Auto, convert::format),
        peer_party: asked.peer_party,
        own_party: asked.own_party,
        hash: convert::hash(asked.hash.as_deref())?.unwrap_or(Hash::Sha256),
        salt: optional(asked.salt),
        version: version(asked.version)?,
        spec: said.spec(&call).await?,
    };
    let mut at = call.key();
    at.name = &asked.name;
    if let Some(keyring) = &asked.keyring {
        at.keyring = keyring;
    }
    let made = call
        .engine()
        .agree_on_key(call.caller()?, call.key(), at, wanted)
        .await?;
    Reply::json(&AgreeKeyResponse {
        key: views::snapshot(&made.key)?,
        version: made.version.0,
        own_party: made.own_party,
        fixed_info: Bytes::new(made.fixed_info),
    })
}
