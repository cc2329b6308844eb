//! Unsealing, sealing, and the seals themselves.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use skms_crypto::{SecretArray, SecretText as DomainText};
use skms_engine::UnsealProgress;
use skms_store::{
    NewSeal, RecordId, SealInput,
    sealed::{InitialShares, SealInfo, SealKind, key_file},
};
use skms_wire::{
    SecretB64, SecretText,
    native::{
        ProblemKind,
        seals::{
            AddSealRequest, AddSealResponse, SealProgress, SealStatus, SealView, UnsealRequest,
        },
        terms,
    },
};
use zeroize::Zeroizing;

use super::{
    answer::Reply,
    call::Call,
    convert::{secret, secret_text},
    error::Failure,
    paging,
};

fn view(seal: &SealInfo) -> SealView {
    let (kind, threshold, shares) = match seal.kind {
        SealKind::Shamir { threshold, shares } => {
            (terms::SealKind::Shamir, Some(threshold), Some(shares))
        }
        SealKind::KeyFile => (terms::SealKind::KeyFile, None, None),
        // The store's kinds are open to growth; the wire has three.
        _ => (terms::SealKind::Passphrase, None, None),
    };
    SealView {
        id: seal.id.to_string(),
        kind,
        threshold: threshold.map(u32::from),
        shares: shares.map(u32::from),
        created_at: None,
    }
}

async fn standing(call: &Call) -> Result<SealStatus, Failure> {
    let status = call.engine().seal_status().await?;
    let of = status
        .seals
        .iter()
        .find(|seal| matches!(seal.kind, SealKind::Shamir { .. }));
    Ok(SealStatus {
        initialized: true,
        sealed: status.sealed,
        progress: match (status.shares, of) {
            (Some((provided, threshold)), Some(seal)) => vec![SealProgress {
                seal: seal.id.to_string(),
                provided: provided.into(),
                threshold: threshold.into(),
            }],
            _ => Vec::new(),
        },
        seals: status.seals.iter().map(view).collect(),
    })
}

pub async fn status(call: Call) -> Result<Reply, Failure> {
    call.no_query()?;
    Reply::json(&standing(&call).await?)
}

pub async fn unseal(call: Call) -> Result<Reply, Failure> {
    let request: UnsealRequest = call.json()?;
    if !call.engine().is_sealed() {
        return Err(Failure::new(ProblemKind::AlreadyUnsealed));
    }
    let input = match (request.passphrase, request.share, request.key_file) {
        (Some(passphrase), None, None) => SealInput::Passphrase(secret_text(passphrase)),
        (None, Some(share), None) => {
            let text = Zeroizing::new(share.into_exposed());
            SealInput::Share(DomainText::new(text.trim().to_owned()))
        }
        (None, None, Some(contents)) => {
            SealInput::KeyFile(key_file::parse(secret(contents).expose())?)
        }
        _ => {
            return Err(Failure::invalid(
                "give exactly one of passphrase, share and key_file",
            ));
        }
    };
    let progress = call.engine().unseal(input).await?;
    if progress == UnsealProgress::Unsealed {
        call.app.log.info("unsealed", &[]);
    }
    Reply::json(&standing(&call).await?)
}

pub async fn seal(call: Call) -> Result<Reply, Failure> {
    call.engine().seal(call.caller()?).await?;
    call.app.log.info("sealed", &[]);
    Reply::json(&standing(&call).await?)
}

pub async fn list(call: Call) -> Result<Reply, Failure> {
    let page = call.page()?;
    let status = call.engine().storage_status(call.caller()?).await?;
    let mut items: Vec<SealView> = status.seals.iter().map(view).collect();
    items.sort_by(|one, other| one.id.cmp(&other.id));
    Reply::json(&paging::sorted(items, &page, |item: &SealView| &item.id)?)
}

pub async fn add(call: Call) -> Result<Reply, Failure> {
    let request: AddSealRequest = call.json()?;
    let name = request.kind.word();
    let shamir = (request.threshold, request.shares);
    let (new, contents) = match (request.kind, request.passphrase, shamir) {
        (terms::SealKind::Passphrase, Some(passphrase), (None, None)) => {
            (NewSeal::passphrase(name, secret_text(passphrase)), None)
        }
        (terms::SealKind::Shamir, None, (Some(threshold), Some(shares))) => (
            NewSeal::Shamir {
                name: name.to_owned(),
                threshold,
                shares,
            },
            None,
        ),
        (terms::SealKind::KeyFile, None, (None, None)) => {
            let key = random_key()?;
            let mut contents = Zeroizing::new(String::with_capacity(64));
            STANDARD.encode_string(key.expose(), &mut contents);
            let name = name.to_owned();
            (NewSeal::KeyFile { name, key }, Some(contents))
        }
        _ => {
            return Err(Failure::invalid(
                "a passphrase seal takes passphrase, a shamir seal threshold and shares, \
                 a key-file seal neither",
            ));
        }
    };
    let (id, shares) = call.engine().add_seal(call.caller()?, new).await?;
    let status = call.engine().seal_status().await?;
    let seal = status
        .seals
        .iter()
        .find(|seal| seal.id == id)
        .ok_or_else(|| Failure::internal("a new seal that is not there"))?;
    Reply::json(&AddSealResponse {
        seal: view(seal),
        shares: shares.map(texts).unwrap_or_default(),
        key_file: contents.map(|text| SecretB64::new(text.as_bytes().to_vec())),
    })
}

fn random_key() -> Result<SecretArray<32>, Failure> {
    SecretArray::random().map_err(|error| Failure::internal(error.to_string()))
}

/// The shares' texts, for the one answer that holds them.
fn texts(made: InitialShares) -> Vec<SecretText> {
    made.shares
        .iter()
        .map(|share| SecretText::new(share.to_text().into_public()))
        .collect()
}

pub async fn remove(call: Call) -> Result<Reply, Failure> {
    let id: RecordId = call
        .param("seal")
        .parse()
        .map_err(|_| Failure::with(ProblemKind::NotFound, "no such seal, or not visible to you"))?;
    call.engine().remove_seal(call.caller()?, id).await?;
    Ok(Reply::Empty)
}
