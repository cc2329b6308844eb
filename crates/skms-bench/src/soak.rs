//! A mixed load that goes on: keys are made, used, rotated, revoked and
//! deleted; tokens are made, used and revoked; lists are read; connections are
//! opened and closed. What it makes it removes, so that whatever grows in the
//! server meanwhile is the server's own doing.
//!
//! It checks the answers too: what was encrypted must decrypt to the same, and
//! what was revoked must do nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use skms_client::wire::native::ProblemKind;
use skms_client::wire::native::keys::{
    CreateKeyRequest, RevokeRequest, RotateRequest, Rules, VersionRequest,
};
use skms_client::wire::native::operations::{
    DecryptRequest, EncryptRequest, SignRequest, VerifyRequest,
};
use skms_client::wire::native::page::PageQuery;
use skms_client::wire::native::terms::{KeyUse, RevocationReason};
use skms_client::wire::native::tokens::CreateTokenRequest;
use skms_client::wire::{Bytes, SecretB64, SecretText};
use skms_client::{Client, Config, Error};

use crate::Result;

const KEYRING: &str = "default";
/// How long the server may take to erase what it was told to destroy.
const PATIENCE: Duration = Duration::from_secs(60);

/// How the server is reached, and for how long.
struct Options {
    address: String,
    authority: Vec<u8>,
    token: String,
    time: Duration,
    workers: u64,
}

impl Options {
    fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            address: String::new(),
            authority: Vec::new(),
            token: String::new(),
            time: Duration::from_secs(600),
            workers: 8,
        };
        let mut rest = arguments.iter();
        while let Some(argument) = rest.next() {
            let value = rest.next().ok_or(format!("{argument} needs a value"))?;
            match argument.as_str() {
                "--address" => options.address.clone_from(value),
                "--ca-file" => options.authority = std::fs::read(value)?,
                "--token-file" => {
                    options.token = std::fs::read_to_string(value)?.trim().to_owned();
                }
                "--seconds" => options.time = Duration::from_secs(value.parse()?),
                "--workers" => options.workers = value.parse()?,
                _ => return Err(format!("no such option: {argument}").into()),
            }
        }
        Ok(options)
    }

    /// A client with connections of its own.
    fn client(&self, token: &str) -> Result<Client> {
        let mut config = Config::new(self.address.parse()?);
        config.ca_pem = Some(self.authority.clone());
        config.token = Some(SecretText::new(token.to_owned()));
        Ok(Client::new(config)?)
    }
}

/// How often each thing was done.
#[derive(Default)]
struct Done {
    lives: AtomicU64,
    calls: AtomicU64,
}

/// Loads the server until the time is over.
///
/// # Errors
/// The server refused what it should do, or did what it should refuse.
pub fn run(arguments: &[String]) -> Result {
    let options = Arc::new(Options::parse(arguments)?);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let (done, stop) = (Arc::new(Done::default()), Arc::new(AtomicBool::new(false)));
        let start = Instant::now();
        let workers: Vec<_> = (0..options.workers)
            .map(|number| {
                let (options, done) = (Arc::clone(&options), Arc::clone(&done));
                let stop = Arc::clone(&stop);
                tokio::spawn(async move {
                    let mut turn = 0;
                    while start.elapsed() < options.time && !stop.load(Ordering::Relaxed) {
                        let name = format!("soak-{number}-{turn}");
                        if let Err(error) = life(&options, &done, &name).await {
                            stop.store(true, Ordering::Relaxed);
                            return Err(format!("{name}: {error}"));
                        }
                        turn += 1;
                    }
                    Ok(())
                })
            })
            .collect();
        for worker in workers {
            worker.await??;
        }
        println!(
            "{} keys lived, {} calls",
            done.lives.load(Ordering::Relaxed),
            done.calls.load(Ordering::Relaxed)
        );
        Ok(())
    })
}

/// The life of one key, over a connection of its own.
async fn life(options: &Options, done: &Done, name: &str) -> Result {
    let client = options.client(&options.token)?;
    let count = |calls| done.calls.fetch_add(calls, Ordering::Relaxed);
    let aes = new(name, "AES-256-GCM", &[KeyUse::Encrypt, KeyUse::Decrypt]);
    client.create_key(KEYRING, &aes).await?;
    let mut ciphertexts = Vec::new();
    for at in 0..10 {
        let request = encrypt(at);
        ciphertexts.push((at, client.encrypt(KEYRING, name, &request).await?));
        if at == 5 {
            client
                .rotate_key(KEYRING, name, &RotateRequest::default())
                .await?;
        }
    }
    for (at, made) in ciphertexts {
        let request = DecryptRequest {
            ciphertext: made.ciphertext,
            associated_data: None,
            oaep_hash: None,
            oaep_mgf_hash: None,
        };
        let opened = client.decrypt(KEYRING, name, &request).await?;
        if opened.plaintext.expose() != plaintext(at) {
            return Err("it decrypted to something else".into());
        }
    }
    count(22);
    let signer = format!("{name}-signer");
    sign(&client, &signer).await?;
    client.keys(KEYRING, &page()).await?;
    client.events(&page()).await?;
    count(5);
    token(options, &client, name).await?;
    count(4);

    let revoke = RevokeRequest {
        reason: RevocationReason::CessationOfOperation,
        version: None,
        message: None,
        occurred_at: None,
    };
    client.revoke_key(KEYRING, name, &revoke).await?;
    let refused = client.encrypt(KEYRING, name, &encrypt(0)).await;
    expect(refused.map(drop), ProblemKind::WrongState)?;
    for key in [name, &signer] {
        remove(&client, key).await?;
    }
    count(6);
    done.lives.fetch_add(2, Ordering::Relaxed);
    Ok(())
}

async fn sign(client: &Client, name: &str) -> Result {
    let key = new(name, "EC-P256", &[KeyUse::Sign, KeyUse::Verify]);
    client.create_key(KEYRING, &key).await?;
    let message = Some(Bytes::new(plaintext(1)));
    let request = SignRequest {
        message: message.clone(),
        ..SignRequest::default()
    };
    let signed = client.sign(KEYRING, name, &request).await?;
    let request = VerifyRequest {
        message,
        signature: signed.signature,
        ..VerifyRequest::default()
    };
    match client.verify(KEYRING, name, &request).await?.valid {
        true => Ok(()),
        false => Err("its own signature is invalid".into()),
    }
}

/// A token that is used over a connection of its own, and revoked.
async fn token(options: &Options, client: &Client, name: &str) -> Result {
    let request = CreateTokenRequest {
        principal: Some(name.to_owned()),
        ttl_seconds: Some(3600),
        ..CreateTokenRequest::default()
    };
    let made = client.create_token(&request).await?;
    let holder = options.client(made.token.expose())?;
    holder.token_self().await?;
    client.revoke_token(&made.info.id).await?;
    // On the connection that remembers it.
    let refused = holder.token_self().await;
    expect(refused.map(drop), ProblemKind::Unauthenticated)
}

async fn remove(client: &Client, name: &str) -> Result {
    let all = VersionRequest::default();
    client.destroy_key(KEYRING, name, &all).await?;
    let start = Instant::now();
    loop {
        match client.delete_key(KEYRING, name).await {
            // Its window has no length, but erasing is the server's job.
            Err(Error::Problem(problem))
                if problem.kind() == Some(ProblemKind::NotEmpty) && start.elapsed() < PATIENCE =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            result => return Ok(result?),
        }
    }
}

fn expect(result: skms_client::Result<()>, kind: ProblemKind) -> Result {
    match result {
        Err(Error::Problem(problem)) if problem.kind() == Some(kind) => Ok(()),
        Err(error) => Err(error.into()),
        Ok(()) => Err(format!("it was done, and {kind:?} was expected").into()),
    }
}

fn new(name: &str, algorithm: &str, uses: &[KeyUse]) -> CreateKeyRequest {
    CreateKeyRequest {
        name: name.to_owned(),
        algorithm: Some(algorithm.to_owned()),
        uses: Some(uses.to_vec()),
        rules: Some(Rules {
            destroy_window_seconds: Some(0),
            ..Rules::default()
        }),
        ..CreateKeyRequest::default()
    }
}

fn plaintext(at: u8) -> Vec<u8> {
    vec![at; 64 * usize::from(at + 1)]
}

fn encrypt(at: u8) -> EncryptRequest {
    EncryptRequest {
        plaintext: SecretB64::new(plaintext(at)),
        ..EncryptRequest::default()
    }
}

fn page() -> PageQuery {
    PageQuery {
        limit: Some(20),
        after: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_need_values() {
        let words = |text: &str| -> Vec<String> { text.split(' ').map(str::to_owned).collect() };
        assert!(Options::parse(&words("--seconds 5 --workers 2")).is_ok());
        for bad in ["--seconds", "--seconds x", "--hours 5"] {
            assert!(Options::parse(&words(bad)).is_err(), "{bad}");
        }
    }
}
