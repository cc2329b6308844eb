//! What keys do, one item or a batch, and the two acts that need no key.

use serde::{Serialize, de::DeserializeOwned};
use skms_crypto::{Format, Hash, SecretBytes};
use skms_engine::{
    acts::{
        agree, create_key::NewKeySpec, datakey, decapsulate, decrypt, derive, encapsulate, encrypt,
        import_key::Incoming, mac, mac_verify, reencrypt, sign, unwrap, verify, wrap,
    },
    operate::{KeyOperation, MAX_BATCH},
};
use skms_keys::VersionNumber;
use skms_wire::{
    Bytes, Ciphertext,
    native::{BatchItem, OneOrBatch, OneOrResults, ProblemKind, operations::*},
};

use super::{
    answer::Reply,
    call::Call,
    convert::{self, SignatureTerms, exposed, optional, secret, version},
    error::Failure,
    views,
};

/// Bytes of a data key or of an agreement when nobody says.
const LENGTH_DEFAULT: u32 = 32;

/// Runs an operation on one item or on each of a batch. An item that cannot
/// be read as the operation's has its own problem; the others go on.
async fn run<O, Wire, Answer>(
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
type Sorted<T> = (Vec<Option<Failure>>, Vec<T>);

fn sort<Wire, T>(
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

fn merge<T, Answer>(
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

/// [`run`], from the body's bytes to the answer's.
async fn serve<O, Wire, Answer>(
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

fn ciphertext(bytes: Vec<u8>, version: VersionNumber) -> Ciphertext {
    Ciphertext::new(version.0, bytes)
}

pub async fn encrypt(call: Call) -> Result<Reply, Failure> {
    serve::<encrypt::Encrypt, EncryptRequest, _>(
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
    serve::<decrypt::Decrypt, DecryptRequest, _>(
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
    serve::<sign::Sign, SignRequest, _>(
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
    serve::<mac::Mac, MacRequest, _>(
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
        body => Reply::json(&run::<agree::Agree, _, _>(&call, body, request, answer).await?),
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
    let bytes: SecretBytes = call.engine().random(call.caller()?, length).await?;
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
