//! From a header to the file key: identities in files first, then the server.

use std::path::{Path, PathBuf};

use clap::Args;
use skms_client::Client;
use skms_client::file::{FileKey, SealedFile, Wrapped, X25519Identity, associated_data};
use skms_wire::Bytes;
use skms_wire::native::ProblemKind;
use skms_wire::native::operations::DecryptRequest;
use zeroize::Zeroizing;

use super::{KEYS_MAX, explain};
use crate::cli::error::{CliError, Result};
use crate::cli::exit::Exit;
use crate::cli::keyname::KeyName;
use crate::cli::{Global, input};

/// The longest file of identities that is read, in bytes.
const IDENTITIES_MAX: u64 = 1 << 20;

/// What else may open a file.
#[derive(Debug, Default, Args)]
pub struct Opener {
    /// A file with AGE-SECRET-KEY-1… identities; where one of them fits, no
    /// server is asked
    #[arg(long = "identity", value_name = "FILE")]
    identities: Vec<PathBuf>,
}

impl Opener {
    /// The file key.
    pub async fn key(
        &self,
        sealed: &SealedFile<'_>,
        global: &Global,
        path: &Path,
    ) -> Result<FileKey> {
        for identity in self.identities()? {
            for stanza in sealed.stanzas() {
                let key = identity
                    .unwrap(stanza)
                    .map_err(|error| explain(error, path))?;
                if let Some(key) = key {
                    return Ok(key);
                }
            }
        }
        let wrapped = wrapped(sealed, path)?;
        if wrapped.is_empty() {
            return Err(for_others(path).hint(match self.identities.is_empty() {
                true => "is there an identity file for it? Give it with --identity",
                false => "`skms file show` lists its recipients",
            }));
        }
        let client = global.client()?;
        let mut refusals = Vec::new();
        for wrapped in wrapped {
            let id = wrapped.key.to_string();
            match unwrap(&client, "-", &id, &wrapped, None).await {
                Ok(key) => return Ok(key),
                Err(error) if is_of_this_key(&error) => refusals.push((wrapped, error)),
                Err(error) => return Err(error.into()),
            }
        }
        Err(telling(refusals, path))
    }

    fn identities(&self) -> Result<Vec<X25519Identity>> {
        let mut identities = Vec::new();
        for path in &self.identities {
            let bytes = input::read(path, IDENTITIES_MAX)?;
            let text = std::str::from_utf8(&bytes)
                .map_err(|_| CliError::usage(format!("{} is not text", input::name(path))))?;
            for (number, line) in (1..).zip(text.lines()) {
                let line = line.trim();
                if line.is_empty() || line.starts_with('#') || is_plugins(line) {
                    continue;
                }
                identities.push(line.parse().map_err(|error| {
                    CliError::usage(format!("{}, line {number}: {error}", input::name(path)))
                })?);
            }
        }
        Ok(identities)
    }
}

/// The server's keys need no identity here: their stanzas name them.
fn is_plugins(line: &str) -> bool {
    line.starts_with("AGE-PLUGIN-")
}

/// The file key, by a key that is named, and what was bound besides.
pub async fn open_with_key(
    sealed: &SealedFile<'_>,
    client: &Client,
    key: &KeyName,
    bound: Option<&[u8]>,
    path: &Path,
) -> Result<FileKey> {
    let mut refused = for_others(path);
    for wrapped in wrapped(sealed, path)? {
        match unwrap(client, &key.keyring, &key.name, &wrapped, bound).await {
            Ok(key) => return Ok(key),
            // It may be another of the stanzas; that of another key may also
            // name a version that this one does not have.
            Err(error)
                if matches!(
                    error.problem_kind(),
                    Some(ProblemKind::DecryptionFailed | ProblemKind::NotFound)
                ) =>
            {
                refused = error.into();
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(refused)
}

/// The first of the stanzas that are keys of servers.
fn wrapped(sealed: &SealedFile<'_>, path: &Path) -> Result<Vec<Wrapped>> {
    let mut all = Vec::new();
    for stanza in sealed.stanzas() {
        if let Some(one) = Wrapped::read(stanza).map_err(|error| explain(error, path))? {
            all.push(one);
        }
    }
    all.truncate(KEYS_MAX);
    Ok(all)
}

async fn unwrap(
    client: &Client,
    keyring: &str,
    name: &str,
    wrapped: &Wrapped,
    bound: Option<&[u8]>,
) -> skms_client::Result<FileKey> {
    let request = DecryptRequest {
        ciphertext: wrapped.ciphertext.clone(),
        associated_data: Some(Bytes::new(associated_data(bound))),
        oaep_hash: None,
        oaep_mgf_hash: None,
    };
    let answer = client.decrypt(keyring, name, &request).await?;
    let bytes = Zeroizing::new(answer.plaintext.expose().to_vec());
    FileKey::from_bytes(&bytes).map_err(|_| skms_client::Error::Unexpected {
        address: "the server".to_owned(),
        what: "a file key of another length".to_owned(),
    })
}

/// Whether another of the file's keys may still do what this one did not.
fn is_of_this_key(error: &skms_client::Error) -> bool {
    use ProblemKind as P;
    matches!(
        error.problem_kind(),
        Some(
            P::NotFound
                | P::Forbidden
                | P::WrongState
                | P::UseLimit
                | P::UseNotPermitted
                | P::UnsupportedOperation
                | P::DecryptionFailed
        )
    )
}

/// The refusal that says most: of a key that is known here, if there is one.
fn telling(mut refusals: Vec<(Wrapped, skms_client::Error)>, path: &Path) -> CliError {
    let known = refusals
        .iter()
        .position(|(_, error)| error.problem_kind() != Some(ProblemKind::NotFound));
    let at = known.unwrap_or(0);
    if at >= refusals.len() {
        return for_others(path);
    }
    let (wrapped, error) = refusals.swap_remove(at);
    let kind = error.problem_kind();
    let mut error = CliError::from(error);
    error.message = format!(
        "{}: key {}, version {}: {}",
        input::name(path),
        wrapped.key,
        wrapped.ciphertext.version,
        error.message
    );
    let hint = match kind {
        Some(ProblemKind::NotFound) => {
            "is it a key of this server and of this namespace, and may you see it? \
             Try --namespace, or `skms token self`"
        }
        Some(ProblemKind::DecryptionFailed) => {
            "the header was altered, or something was bound with `skms encrypt --aad`: \
             then `skms decrypt --aad` opens it"
        }
        _ => return error,
    };
    error.hint(hint)
}

fn for_others(path: &Path) -> CliError {
    CliError::new(
        Exit::Usage,
        format!("{}: it is for other recipients alone", input::name(path)),
    )
}
