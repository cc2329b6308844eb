//! From one state to the next: rotate, suspend, resume, revoke, grant,
//! destroy, restore, delete.

use std::time::{SystemTime, UNIX_EPOCH};

use clap::Args;
use skms_wire::Moment;
use skms_wire::native::keys::{RecoveryGrantRequest, RevokeRequest, RotateRequest, VersionRequest};
use skms_wire::native::terms::RevocationReason;

use super::show;
use crate::cli::error::{self, CliError, Result};
use crate::cli::keyname::KeyName;
use crate::cli::{Global, duration, output, progress};

/// Add a version.
#[derive(Debug, Args)]
pub struct Rotate {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The algorithm of the new version and those after it, which has to do
    /// all that the key is for; the key's own by default
    #[arg(long, value_name = "ALGORITHM")]
    algorithm: Option<String>,
}

impl Rotate {
    /// Rotates.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let request = RotateRequest {
            algorithm: self.algorithm,
        };
        let work = client.rotate_key(&self.key.keyring, &self.key.name, &request);
        let change = progress::wait("Generating the new version", work).await?;
        global.show(&change, show::print_change)
    }
}

/// A key, and one version of it or all.
#[derive(Debug, Args)]
pub struct Which {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// The version; all that fit if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
}

/// Writes the acts that take a key and perhaps a version.
macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident calls $method:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Args)]
        pub struct $name {
            #[command(flatten)]
            which: Which,
        }

        impl $name {
            /// Does it.
            pub async fn run(self, global: &Global) -> Result<()> {
                let Which { key, version } = self.which;
                let client = global.client()?;
                let request = VersionRequest { version };
                let change = client.$method(&key.keyring, &key.name, &request).await?;
                global.show(&change, show::print_change)
            }
        }
    )+};
}

acts! {
    /// Stop all use for now; resume undoes it.
    Suspend calls suspend_key;
    /// Undo suspend.
    Resume calls resume_key;
    /// Begin the wait before the material is destroyed; restore cancels it.
    Destroy calls destroy_key;
    /// Cancel a destruction that still waits.
    Restore calls restore_key;
}

/// Revoke for good, with a reason. A compromise ends decryption and
/// verification too; see `skms key grant`.
#[derive(Debug, Args)]
pub struct Revoke {
    #[command(flatten)]
    which: Which,
    /// Why (RFC 5280): keyCompromise, superseded, cessationOfOperation, ...
    #[arg(long, value_name = "REASON")]
    reason: RevocationReason,
    /// A note for the record
    #[arg(long, value_name = "TEXT")]
    message: Option<String>,
    /// When a compromise is thought to have happened (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    occurred_at: Option<Moment>,
}

impl Revoke {
    /// Revokes.
    pub async fn run(self, global: &Global) -> Result<()> {
        let Which { key, version } = self.which;
        let request = RevokeRequest {
            reason: self.reason,
            version,
            message: self.message,
            occurred_at: self.occurred_at,
        };
        let client = global.client()?;
        let work = client.revoke_key(&key.keyring, &key.name, &request);
        let change = progress::wait("Revoking", work).await?;
        global.show(&change, show::print_change)
    }
}

/// Permit decryption with a compromised version for a while, to save its data.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("end").required(true))]
pub struct Grant {
    #[command(flatten)]
    which: Which,
    /// For how long, such as 1h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration::seconds, group = "end")]
    lasting: Option<u64>,
    /// Until when (RFC 3339)
    #[arg(long, value_name = "INSTANT", group = "end")]
    until: Option<Moment>,
    /// Why; kept in the record
    #[arg(long, value_name = "TEXT")]
    reason: String,
}

impl Grant {
    /// Grants.
    pub async fn run(self, global: &Global) -> Result<()> {
        let Which { key, version } = self.which;
        let until = match (self.until, self.lasting) {
            (Some(until), _) => until,
            (None, lasting) => from_now(lasting.unwrap_or_default())?,
        };
        if self.lasting.is_some() && global.has_approval() {
            return Err(
                CliError::usage("--for is counted from now, and so not what was approved")
                    .hint("give --until, as `skms approval show` has it"),
            );
        }
        let request = RecoveryGrantRequest {
            version,
            until,
            reason: self.reason,
        };
        let client = global.client()?;
        let granted = client.grant_recovery(&key.keyring, &key.name, &request);
        let change = granted
            .await
            .map_err(|error| lasting(error.into(), until))?;
        global.show(&change, show::print_change)
    }
}

/// Where the grant waits for approval, it is repeated with the end that it was
/// asked for with.
fn lasting(error: CliError, until: Moment) -> CliError {
    let approval = error
        .problem
        .as_ref()
        .and_then(|problem| problem.approval.clone());
    let Some(id) = approval else {
        return error;
    };
    let mut arguments = error::arguments();
    if error::take(&mut arguments, "--for").is_some() {
        arguments.extend(["--until".to_owned(), until.to_string()]);
    }
    error.hint(error::approval_hint(&id, arguments))
}

fn from_now(seconds: u64) -> Result<Moment> {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_err(|_| CliError::failure("this machine's clock is before 1970"))?;
    let end = now.as_secs().saturating_add(seconds);
    Ok(Moment::from_unix_seconds(
        i64::try_from(end).unwrap_or(i64::MAX),
    ))
}

/// Delete the record of a key whose versions are all destroyed.
#[derive(Debug, Args)]
pub struct Delete {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
}

impl Delete {
    /// Deletes.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        client.delete_key(&self.key.keyring, &self.key.name).await?;
        global.show(
            &serde_json::json!({ "deleted": self.key.to_string() }),
            |_| output::line("The key's record is deleted."),
        )
    }
}
