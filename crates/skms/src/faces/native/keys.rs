//! Keys and their versions: making, bringing, showing, changing, handing out.

use skms_crypto::Format;
use skms_engine::KeyRef;
use skms_engine::acts::{
    create_key::NewKeySpec,
    export_key,
    import_key::{Incoming, WrappedWith},
    reencryption::Evidence,
};
use skms_keys::{KeyId, KeyUpdate, Revoke, Rules, Version, VersionNumber, Versions};
use skms_store::RecordId;
use skms_wire::{
    Bytes,
    native::{
        Page, ProblemKind,
        keys::{
            CreateKeyRequest, ExportRequest, ExportResponse, ImportKeyRequest, PublicKeyQuery,
            PublicKeyResponse, RecoveryGrantRequest, RevokeRequest, RotateRequest,
            UpdateKeyRequest, VersionRequest, WrappingKey,
        },
        terms::KeyFormat,
    },
};

use super::{
    answer::Reply,
    call::Call,
    convert::{self, exposed, secret, secret_text},
    error::Failure,
    paging, views,
};

/// What a request says about a new key.
pub(super) struct Said {
    pub(super) algorithm: Option<String>,
    pub(super) uses: Option<Vec<skms_wire::native::terms::KeyUse>>,
    pub(super) exportable: Option<bool>,
    pub(super) owner: Option<String>,
    pub(super) tags: std::collections::BTreeMap<String, String>,
    pub(super) rules: Option<skms_wire::native::keys::Rules>,
}

impl Said {
    pub(super) async fn spec(self, call: &Call) -> Result<NewKeySpec, Failure> {
        let (rules, activate_at) = match &self.rules {
            None => (None, None),
            Some(rules) => {
                let leader = leader(call, rules).await?;
                let (rules, activate_at) = convert::rules(rules, Rules::default(), leader)?;
                (Some(rules), activate_at)
            }
        };
        Ok(NewKeySpec {
            algorithm: self
                .algorithm
                .as_deref()
                .map(convert::algorithm)
                .transpose()?,
            uses: self.uses.as_deref().map(convert::uses),
            owner: self.owner,
            tags: self.tags,
            exportable: self.exportable,
            rules,
            activate_at,
        })
    }
}

/// The key that another one is to rotate with.
async fn leader(
    call: &Call,
    said: &skms_wire::native::keys::Rules,
) -> Result<Option<KeyId>, Failure> {
    let Some(name) = &said.rotate_with else {
        return Ok(None);
    };
    if let Ok(id) = name.parse() {
        return Ok(Some(id));
    }
    let Some((keyring, name)) = name.split_once('/') else {
        return Err(Failure::invalid(
            "rotate_with is KEYRING/NAME or a key's identifier",
        ));
    };
    let at = KeyRef {
        namespace: &call.namespace,
        keyring,
        name,
    };
    let found = call.engine().read_key(call.caller()?, at).await?;
    Ok(Some(found.key().id))
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = paging::records(&call.page()?)?;
    let ring = call.param("keyring");
    let (keys, next) = call
        .engine()
        .list_keys(call.caller()?, &call.namespace, ring, &page)
        .await?;
    let items = keys
        .iter()
        .map(|key| views::key(key, &call.namespace, ring))
        .collect::<Result<Vec<_>, _>>()?;
    Reply::json(&paging::page(items, next))
}

pub async fn create(call: Call) -> Result<Reply, Failure> {
    let request: CreateKeyRequest = call.json()?;
    let spec = Said {
        algorithm: request.algorithm,
        uses: request.uses,
        exportable: request.exportable,
        owner: request.owner,
        tags: request.tags,
        rules: request.rules,
    }
    .spec(&call)
    .await?;
    let mut at = call.key();
    at.name = &request.name;
    let made = call.engine().create_key(call.caller()?, at, spec).await?;
    Reply::json(&views::change(&made, |_| true)?)
}

pub async fn import(call: Call) -> Result<Reply, Failure> {
    let request: ImportKeyRequest = call.json()?;
    let incoming = Incoming {
        bytes: secret(request.key),
        format: request.format.map_or(Format::Auto, convert::format),
        passphrase: request.passphrase.map(secret_text),
        wrapped_with: request.wrapped_with.map(wrapped_with).transpose()?,
    };
    let spec = Said {
        algorithm: request.algorithm,
        uses: request.uses,
        exportable: request.exportable,
        owner: request.owner,
        tags: request.tags,
        rules: request.rules,
    }
    .spec(&call)
    .await?;
    let mut at = call.key();
    at.name = &request.name;
    let made = call
        .engine()
        .import_key(call.caller()?, at, spec, incoming)
        .await?;
    Reply::json(&views::change(&made, |_| true)?)
}

fn wrapped_with(key: WrappingKey) -> Result<WrappedWith, Failure> {
    Ok(WrappedWith {
        options: convert::encrypt_options(
            key.oaep_hash.as_deref(),
            key.oaep_mgf_hash.as_deref(),
            key.mode,
        )?,
        version: convert::version(key.version)?,
        keyring: key.keyring,
        name: key.name,
    })
}

pub async fn read(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let found = call.engine().read_key(call.caller()?, call.key()).await?;
    Reply::json(&views::snapshot(&found)?)
}

pub async fn update(call: Call) -> Result<Reply, Failure> {
    let request: UpdateKeyRequest = call.json()?;
    let (rules, rules_before) = match &request.rules {
        None => (None, None),
        // Rules that are not mentioned stay, so the present ones are needed.
        Some(said) => {
            let leader = leader(&call, said).await?;
            let present = call.engine().read_key(call.caller()?, call.key()).await?;
            let present = present.key().rules;
            match convert::rules(said, present, leader)? {
                (rules, None) => (Some(rules), Some(present)),
                (_, Some(_)) => {
                    return Err(Failure::invalid("activate_at is for new versions only"));
                }
            }
        }
    };
    let evidence = match (&request.from_job, request.force) {
        (Some(_), Some(true)) => {
            return Err(Failure::invalid("from_job and force exclude each other"));
        }
        (_, Some(true)) => Some(Evidence::Insisted),
        (Some(job), _) => Some(Evidence::Job(job.parse().unwrap_or(RecordId([0; 16])))),
        (None, _) => None,
    };
    let update = KeyUpdate {
        owner: request.owner,
        tags: request.tags,
        rules,
        rules_before,
        exportable: None,
    };
    let changed = call
        .engine()
        .update_key(
            call.caller()?,
            call.key(),
            update,
            convert::version(request.minimum_decrypt_version)?,
            convert::version(request.minimum_encrypt_version)?,
            evidence,
        )
        .await?;
    Reply::json(&views::change(&changed, |_| false)?)
}

pub async fn delete(call: Call) -> Result<Reply, Failure> {
    call.engine().delete_key(call.caller()?, call.key()).await?;
    Ok(Reply::Empty)
}

pub async fn versions(call: Call) -> Result<Reply, Failure> {
    let query = call.page()?;
    let limit = paging::limit(&query)?;
    let after: u32 = match &query.after {
        None => 0,
        Some(text) => text.parse().map_err(|_| paging::bad_cursor())?,
    };
    let found = call.engine().read_key(call.caller()?, call.key()).await?;
    let mut rest = found
        .key()
        .versions
        .iter()
        .filter(|version| version.number.0 > after);
    let view = |version| views::version(found.key(), version);
    let items: Vec<_> = rest.by_ref().take(limit).map(view).collect();
    let next = match (items.last(), rest.next()) {
        (Some(last), Some(_)) => Some(last.version.to_string()),
        _ => None,
    };
    Reply::json(&Page { items, next })
}

pub async fn version(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    let missing = || Failure::with(ProblemKind::NotFound, "no such version of the key");
    let number: u32 = call.param("version").parse().map_err(|_| missing())?;
    let found = call.engine().read_key(call.caller()?, call.key()).await?;
    let version = found
        .key()
        .version(VersionNumber(number))
        .map_err(|_| missing())?;
    Reply::json(&views::version(found.key(), version))
}

pub async fn public(call: Call) -> Result<Reply, Failure> {
    let query: PublicKeyQuery = call.query()?;
    let word = query.format.unwrap_or(KeyFormat::SpkiPem);
    let half = call
        .engine()
        .public_key(
            call.caller()?,
            call.key(),
            convert::version(query.version)?,
            convert::format(word),
        )
        .await?;
    Reply::json(&PublicKeyResponse {
        public_key: Bytes::new(half.bytes),
        format: word,
        algorithm: half.algorithm.name().to_owned(),
        version: half.version.0,
        fingerprint: views::hex(&half.fingerprint),
    })
}

pub async fn rotate(call: Call) -> Result<Reply, Failure> {
    let RotateRequest { algorithm } = call.optional_json()?;
    let algorithm = algorithm.as_deref().map(convert::algorithm).transpose()?;
    let changed = call
        .engine()
        .rotate_key_into(call.caller()?, call.key(), algorithm, None)
        .await?;
    let newest = changed.key().newest()?.number;
    // The version before it stopped protecting.
    Reply::json(&views::change(&changed, |version| {
        version.number.0 + 1 >= newest.0
    })?)
}

/// The versions that an act on `versions` may have changed.
fn concerned(versions: Versions) -> impl Fn(&Version) -> bool {
    move |version| match versions {
        Versions::All => true,
        Versions::One(number) => version.number == number,
    }
}

pub async fn suspend(call: Call) -> Result<Reply, Failure> {
    let request: VersionRequest = call.optional_json()?;
    let versions = convert::versions(request.version)?;
    let changed = call
        .engine()
        .suspend_key(call.caller()?, call.key(), versions)
        .await?;
    Reply::json(&views::change(&changed, concerned(versions))?)
}

pub async fn resume(call: Call) -> Result<Reply, Failure> {
    let request: VersionRequest = call.optional_json()?;
    let versions = convert::versions(request.version)?;
    let changed = call
        .engine()
        .resume_key(call.caller()?, call.key(), versions)
        .await?;
    Reply::json(&views::change(&changed, concerned(versions))?)
}

pub async fn revoke(call: Call) -> Result<Reply, Failure> {
    let request: RevokeRequest = call.json()?;
    let versions = convert::versions(request.version)?;
    let revoke = Revoke {
        versions,
        reason: convert::reason(request.reason),
        message: request.message.unwrap_or_default(),
        compromise_occurred_at: request.occurred_at.map(convert::seconds),
    };
    let changed = call
        .engine()
        .revoke_key(call.caller()?, call.key(), revoke)
        .await?;
    Reply::json(&views::change(&changed, concerned(versions))?)
}

pub async fn destroy(call: Call) -> Result<Reply, Failure> {
    let request: VersionRequest = call.optional_json()?;
    let versions = convert::versions(request.version)?;
    let changed = call
        .engine()
        .destroy_key(call.caller()?, call.key(), versions, None)
        .await?;
    Reply::json(&views::change(&changed, concerned(versions))?)
}

pub async fn restore(call: Call) -> Result<Reply, Failure> {
    let request: VersionRequest = call.optional_json()?;
    let versions = convert::versions(request.version)?;
    let changed = call
        .engine()
        .restore_key(call.caller()?, call.key(), versions)
        .await?;
    Reply::json(&views::change(&changed, concerned(versions))?)
}

pub async fn recovery_grant(call: Call) -> Result<Reply, Failure> {
    let request: RecoveryGrantRequest = call.json()?;
    let versions = convert::versions(request.version)?;
    let changed = call
        .engine()
        .grant_recovery(
            call.caller()?,
            call.key(),
            versions,
            convert::seconds(request.until),
            &request.reason,
        )
        .await?;
    Reply::json(&views::change(&changed, concerned(versions))?)
}

pub async fn export(call: Call) -> Result<Reply, Failure> {
    let request: ExportRequest = call.optional_json()?;
    let word = match request.format {
        Some(KeyFormat::Auto) => {
            return Err(Failure::invalid("auto is for import: name the format"));
        }
        Some(word) => word,
        // What suits the key: its family has to be known first.
        None => {
            let found = call.engine().read_key(call.caller()?, call.key()).await?;
            if found.key().algorithm.row().family.is_symmetric() {
                KeyFormat::Raw
            } else {
                KeyFormat::Pkcs8Pem
            }
        }
    };
    let exported = call
        .engine()
        .export_key(
            call.caller()?,
            call.key(),
            export_key::Request {
                version: convert::version(request.version)?,
                format: convert::format(word),
                passphrase: request.passphrase.map(secret_text),
                wrapped_with: request.wrapped_with.map(wrapped_with).transpose()?,
            },
        )
        .await?;
    Reply::json(&ExportResponse {
        key: exposed(exported.bytes),
        format: word,
        algorithm: exported.algorithm.name().to_owned(),
        version: exported.version.0,
    })
}
