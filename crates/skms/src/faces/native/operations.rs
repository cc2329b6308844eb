//! What keys do, one item or a batch, and the two acts that need no key.

use skms_crypto::Hash;
use skms_engine::acts::{
    datakey, decapsulate, decrypt, derive, encapsulate, encrypt, mac, mac_verify, reencrypt, sign,
    unwrap, verify, wrap,
};
use skms_keys::VersionNumber;
use skms_wire::{
    Bytes, Ciphertext,
    native::{OneOrBatch, operations::*},
};

use super::{
    answer::Reply,
    batch::{merge, serve, serve_written, sort},
    call::Call,
    convert::{self, SignatureTerms, exposed, optional, secret, version},
    error::Failure,
};

/// Bytes of a data key or of an agreement when nobody says.
pub const LENGTH_DEFAULT: u32 = 32;

fn ciphertext(bytes: Vec<u8>, version: VersionNumber) -> Ciphertext {
    Ciphertext::new(version.0, bytes)
}

pub async fn encrypt(call: Call) -> Result<Reply, Failure> {
    serve_written::<encrypt::Encrypt, EncryptRequest, _>(
        call,
        |item| {
            Ok(encrypt::Request {
                plaintext: secret(item.plaintext),
                associated_data: optional(item.associated_data),
                version: None,
                options: convert::encrypt_options(
                    item.oaep_hash.as_deref(),
                    item.oaep_mgf_hash.as_deref(),
                    None,
                )?,
            })
        },
        |done| EncryptResponse {
            ciphertext: ciphertext(done.ciphertext, done.version),
            version: done.version.0,
        },
    )
    .await
}

pub async fn decrypt(call: Call) -> Result<Reply, Failure> {
    serve_written::<decrypt::Decrypt, DecryptRequest, _>(
        call,
        |item| {
            Ok(decrypt::Request {
                version: VersionNumber(item.ciphertext.version),
                ciphertext: item.ciphertext.bytes.into_inner(),
                associated_data: optional(item.associated_data),
                options: convert::encrypt_options(
                    item.oaep_hash.as_deref(),
                    item.oaep_mgf_hash.as_deref(),
                    None,
                )?,
            })
        },
        |done| DecryptResponse {
            plaintext: exposed(done.plaintext),
            version: done.version.0,
        },
    )
    .await
}

pub async fn reencrypt(call: Call) -> Result<Reply, Failure> {
    let request = |item: ReencryptRequest| {
        Ok(reencrypt::Request {
            version: VersionNumber(item.ciphertext.version),
            ciphertext: item.ciphertext.bytes.into_inner(),
            associated_data: optional(item.associated_data),
            to: None,
            options: convert::encrypt_options(
                item.oaep_hash.as_deref(),
                item.oaep_mgf_hash.as_deref(),
                None,
            )?,
        })
    };
    let answer = |done: encrypt::Encrypted| EncryptResponse {
        ciphertext: ciphertext(done.ciphertext, done.version),
        version: done.version.0,
    };
    let (single, items) = match call.json()? {
        OneOrBatch::One(item) => (true, vec![item]),
        OneOrBatch::Batch(items) => (false, items),
    };
    let (mut slots, requests) = sort(items, request)?;
    if single && let Some(Some(failure)) = slots.pop_if(|slot| slot.is_some()) {
        return Err(failure);
    }
    let mut done = call
        .engine()
        .reencrypt(call.caller()?, call.key(), requests)
        .await?;
    if single {
        let result = done
            .pop()
            .ok_or_else(|| Failure::internal("an item without a result"))?;
        return Reply::json(&answer(result?));
    }
    Reply::json(&merge(slots, done, answer)?)
}

pub async fn datakey(call: Call) -> Result<Reply, Failure> {
    serve::<datakey::DataKey, DataKeyRequest, _>(
        call,
        |item| {
            Ok(datakey::Request {
                length: convert::length(item.length_bytes.unwrap_or(LENGTH_DEFAULT))?,
                associated_data: optional(item.associated_data),
                version: None,
                with_plaintext: item.plaintext.unwrap_or(true),
            })
        },
        |done| DataKeyResponse {
            plaintext: done.plaintext.map(exposed),
            ciphertext: ciphertext(done.ciphertext, done.version),
            version: done.version.0,
            key_id: done.key.map(|key| key.to_string()),
        },
    )
    .await
}

pub async fn wrap(call: Call) -> Result<Reply, Failure> {
    serve::<wrap::Wrap, WrapRequest, _>(
        call,
        |item| {
            Ok(wrap::Request {
                key: secret(item.key),
                version: None,
                options: convert::encrypt_options(
                    item.oaep_hash.as_deref(),
                    item.oaep_mgf_hash.as_deref(),
                    item.mode,
                )?,
            })
        },
        |done| WrapResponse {
            wrapped_key: Bytes::new(done.wrapped),
            version: done.version.0,
        },
    )
    .await
}

pub async fn unwrap(call: Call) -> Result<Reply, Failure> {
    serve::<unwrap::Unwrap, UnwrapRequest, _>(
        call,
        |item| {
            Ok(unwrap::Request {
                wrapped: item.wrapped_key.into_inner(),
                version: version(item.version)?,
                options: convert::encrypt_options(
                    item.oaep_hash.as_deref(),
                    item.oaep_mgf_hash.as_deref(),
                    item.mode,
                )?,
            })
        },
        |done| UnwrapResponse {
            key: exposed(done.key),
            version: done.version.0,
        },
    )
    .await
}

pub async fn sign(call: Call) -> Result<Reply, Failure> {
    serve_written::<sign::Sign, SignRequest, _>(
        call,
        |item| {
            Ok(sign::Request {
                payload: convert::payload(item.message, item.digest, item.hash.as_deref())?,
                version: None,
                options: SignatureTerms {
                    scheme: item.scheme,
                    hash: item.hash,
                    context: item.context,
                    encoding: item.encoding,
                    salt_length_bytes: item.salt_length_bytes,
                }
                .options()?,
            })
        },
        |done| SignResponse {
            signature: Bytes::new(done.signature),
            version: done.version.0,
        },
    )
    .await
}

pub async fn verify(call: Call) -> Result<Reply, Failure> {
    serve::<verify::Verify, VerifyRequest, _>(
        call,
        |item| {
            Ok(verify::Request {
                payload: convert::payload(item.message, item.digest, item.hash.as_deref())?,
                signature: item.signature.into_inner(),
                version: version(item.version)?,
                options: SignatureTerms {
                    scheme: item.scheme,
                    hash: item.hash,
                    context: item.context,
                    encoding: item.encoding,
                    salt_length_bytes: item.salt_length_bytes,
                }
                .options()?,
            })
        },
        |done| VerifyResponse {
            valid: done.valid,
            version: done.version.0,
        },
    )
    .await
}

pub async fn mac(call: Call) -> Result<Reply, Failure> {
    serve_written::<mac::Mac, MacRequest, _>(
        call,
        |item| {
            Ok(mac::Request {
                data: item.data.into_inner(),
                version: None,
            })
        },
        |done| MacResponse {
            mac: Bytes::new(done.tag),
            version: done.version.0,
        },
    )
    .await
}

pub async fn mac_verify(call: Call) -> Result<Reply, Failure> {
    serve::<mac_verify::MacVerify, MacVerifyRequest, _>(
        call,
        |item| {
            Ok(mac_verify::Request {
                data: item.data.into_inner(),
                tag: item.mac.into_inner(),
                version: version(item.version)?,
            })
        },
        |done| VerifyResponse {
            valid: done.valid,
            version: done.version.0,
        },
    )
    .await
}

pub async fn derive(call: Call) -> Result<Reply, Failure> {
    serve::<derive::Derive, DeriveRequest, _>(
        call,
        |item| {
            Ok(derive::Request {
                salt: optional(item.salt),
                info: optional(item.info),
                length: convert::length(item.length_bytes)?,
                version: version(item.version)?,
            })
        },
        |done| DeriveResponse {
            derived: exposed(done.secret),
            version: done.version.0,
        },
    )
    .await
}

pub async fn encapsulate(call: Call) -> Result<Reply, Failure> {
    serve::<encapsulate::Encapsulate, EncapsulateRequest, _>(
        call,
        |EncapsulateRequest {}| Ok(encapsulate::Request { version: None }),
        |done| EncapsulateResponse {
            ciphertext: Bytes::new(done.ciphertext),
            shared_secret: exposed(done.secret),
            version: done.version.0,
        },
    )
    .await
}

pub async fn decapsulate(call: Call) -> Result<Reply, Failure> {
    serve::<decapsulate::Decapsulate, DecapsulateRequest, _>(
        call,
        |item| {
            Ok(decapsulate::Request {
                ciphertext: item.ciphertext.into_inner(),
                version: version(item.version)?,
            })
        },
        |done| DecapsulateResponse {
            shared_secret: exposed(done.secret),
            version: done.version.0,
        },
    )
    .await
}

pub async fn random(call: Call) -> Result<Reply, Failure> {
    let request: RandomRequest = call.optional_json()?;
    let length = convert::length(request.length_bytes.unwrap_or(LENGTH_DEFAULT))?;
    let bytes = call.engine().random(call.caller()?, length).await?;
    Reply::json(&RandomResponse {
        random: exposed(bytes),
    })
}

pub async fn hash(call: Call) -> Result<Reply, Failure> {
    let request: HashRequest = call.json()?;
    let hash = convert::hash(request.hash.as_deref())?.unwrap_or(Hash::Sha256);
    let digest = call
        .engine()
        .hash(call.caller()?, hash, &request.data)
        .await?;
    Reply::json(&HashResponse {
        digest: Bytes::new(digest),
        hash: hash.name().to_owned(),
    })
}
