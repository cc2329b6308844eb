//! `skms init`: a new store on this machine.

mod mutual;

use std::fs::DirBuilder;
use std::io::{IsTerminal as _, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Args;
use serde::Serialize;
use skms_crypto::SecretBytes;
use skms_engine::{Engine, Initialised};
use skms_store::NewSeal;
use skms_store::sealed::key_file;
use skms_wire::SecretText;

use super::Global;
use super::error::{CliError, Result, with_causes};
use super::exit::Exit;
use super::output::{self, NewFile};
use super::{input, progress, serve};
use crate::config::DatabaseUrl;
use crate::net::listener;

/// Set up a new store on this machine: its seals, the root namespace, the
/// built-in policies, a first token, and mutual TLS: an authority for the
/// server's own certificate and one for administrators, with a certificate for
/// the first of them. Any one seal opens the store.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  skms init --data-dir /var/lib/skms --shamir 3/5 \
    --shares-dir shares --token-out root.token"
)]
pub struct Init {
    /// The server's configuration file (TOML)
    #[arg(long, short = 'c', env = "SKMS_SERVER_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    /// Where the store and the journal will be
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// A PostgreSQL database for the store, such as postgres://skms@host/skms;
    /// the journal stays in the data directory
    #[arg(long, value_name = "URL")]
    database: Option<DatabaseUrl>,
    /// Seal with the passphrase in this file
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
    /// Seal with a passphrase read from standard input, or asked for
    #[arg(long, conflicts_with = "passphrase_file")]
    passphrase_stdin: bool,
    /// Seal with shares, THRESHOLD of SHARES of which open it, such as 3/5
    #[arg(long, value_name = "THRESHOLD/SHARES")]
    shamir: Option<Shamir>,
    /// Write the shares into this folder, one file each, instead of showing them
    #[arg(long, value_name = "DIR", requires = "shamir")]
    shares_dir: Option<PathBuf>,
    /// Seal with a new key file, made here (mode 0600)
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Write the first token to this file (mode 0600) instead of showing it
    #[arg(long, value_name = "FILE")]
    token_out: Option<PathBuf>,
    /// Write the first administrator's certificate and key to this file (PEM,
    /// mode 0600), and beside it settings for the command line that name it; by
    /// default beside the token's file, or in the data directory
    #[arg(long, value_name = "FILE")]
    admin_out: Option<PathBuf>,
    /// A name or address for the server's certificate, beyond localhost; may be
    /// repeated
    #[arg(long, value_name = "NAME")]
    tls_name: Vec<String>,
}

/// How many shares, and how many of them are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shamir {
    /// Needed.
    pub threshold: u8,
    /// Made.
    pub shares: u8,
}

impl FromStr for Shamir {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let parsed = text
            .split_once('/')
            .and_then(|(threshold, shares)| Some((threshold.parse().ok()?, shares.parse().ok()?)));
        match parsed {
            Some((threshold, shares)) if threshold >= 2 && threshold <= shares => {
                Ok(Self { threshold, shares })
            }
            _ => Err(
                "write it as THRESHOLD/SHARES, such as 3/5, with a threshold of at least 2".into(),
            ),
        }
    }
}

/// What is shown once and kept nowhere.
#[derive(Serialize)]
struct Report {
    data_dir: PathBuf,
    #[serde(skip_serializing_if = "Option::is_none")]
    root_token: Option<SecretText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    token_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    shares: Vec<SecretText>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    share_files: Vec<PathBuf>,
    /// The first administrator's certificate with its key, and settings for
    /// the command line that name it.
    #[serde(skip_serializing_if = "Option::is_none")]
    admin_file: Option<PathBuf>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client_settings: Option<PathBuf>,
}

impl Init {
    /// Sets it up, and hands out what opens it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let mut settings = serve::settings(self.config.as_deref())?;
        settings.data_dir = self.data_dir.clone().or(settings.data_dir);
        settings.database = self.database.clone().or(settings.database);
        if !self.tls_name.is_empty() {
            settings.tls.names = Some(self.tls_name.clone());
        }
        let config = settings
            .resolve()
            .map_err(|error| CliError::usage(error.to_string()))?;
        let mut engine = skms_engine::Config::new(&config.data_dir);
        engine.postgres.clone_from(&config.database);
        engine.rsa_stock = 0;
        if engine.database().exists() {
            return Err(explain(
                &skms_engine::Error::AlreadyInitialised,
                &config.data_dir,
            ));
        }
        let files = self.files(&config.data_dir)?;
        let passphrase = self.passphrase()?;
        make_folder(&config.data_dir)?;
        if let Some(folder) = &self.shares_dir {
            make_folder(folder)?;
        }
        // Begun before there is a token, so that a full disk cannot lose it.
        let token_file = self.token_out.as_deref().map(NewFile::create).transpose()?;
        let seals = self.seals(passphrase)?;
        let made = progress::wait("Setting up the store", Engine::begin(&engine, seals)).await;
        let (engine, made) = match made {
            Ok(made) => made,
            Err(error) => {
                if let Some(path) = &self.key_file {
                    // Made a moment ago, and it opens nothing.
                    let _ = std::fs::remove_file(path);
                }
                return Err(explain(&error, &config.data_dir));
            }
        };
        let caller = mutual::caller(&engine, made.root_token.expose()).await;
        // What opens the store is safe before anything more is made.
        let mut report = self.hand_out(made, config.data_dir.clone(), token_file)?;
        let names = listener::names(&config.tls.names);
        let certified = async { mutual::set_up(&engine, &caller?, names).await }.await;
        let shut = engine.shut().await;
        let certified = certified
            .and_then(|made| shut.map(|()| made))
            .map_err(|error| CliError::failure(with_causes(&error)))
            .and_then(|made| files.write(&made, &config));
        if certified.is_ok() {
            report.admin_file = Some(files.identity);
            report.client_settings = Some(files.settings);
        }
        global.show(&report, print)?;
        certified.map_err(|mut error| {
            error.message = format!(
                "the store is set up, but not its certificates: {}",
                error.message
            );
            error.hint("the token works; the server makes itself a certificate")
        })
    }

    /// Where the first administrator's files go; nothing that is there is
    /// overwritten.
    fn files(&self, data_dir: &Path) -> Result<mutual::Files> {
        let (asked, token) = (self.admin_out.as_deref(), self.token_out.as_deref());
        let files = mutual::Files::new(asked, token, data_dir);
        let ours = [files.identity.clone(), files.settings.clone()];
        let named = [&self.token_out, &self.key_file].into_iter().flatten();
        for path in named.clone().chain(&ours) {
            if path.exists() {
                return Err(CliError::usage(format!(
                    "{} exists already",
                    path.display()
                )));
            }
        }
        let taken = named.clone().any(|path| ours.contains(path));
        if taken || ours[0] == ours[1] {
            return Err(CliError::usage(format!(
                "{} and {} are for the first administrator's certificate and settings",
                ours[0].display(),
                ours[1].display()
            ))
            .hint("choose another name with --admin-out FILE.pem"));
        }
        Ok(files)
    }

    fn passphrase(&self) -> Result<Option<SecretText>> {
        if let Some(path) = &self.passphrase_file {
            return input::secret_file(path).map(Some);
        }
        if self.passphrase_stdin {
            return match std::io::stdin().is_terminal() {
                true => input::prompt_new("passphrase").map(Some),
                false => input::secret_stdin("passphrase").map(Some),
            };
        }
        if self.shamir.is_some() || self.key_file.is_some() {
            return Ok(None);
        }
        if std::io::stdin().is_terminal() {
            output::note("No seal was chosen, so the store is sealed with a passphrase.")?;
            return input::prompt_new("passphrase").map(Some);
        }
        Err(CliError::usage("no seal was chosen").hint(
            "add --passphrase-file, --shamir 3/5 or --key-file FILE; several may go together",
        ))
    }

    fn seals(&self, passphrase: Option<SecretText>) -> Result<Vec<NewSeal>> {
        let mut seals = Vec::new();
        if let Some(text) = passphrase {
            let bytes = SecretBytes::new(text.into_exposed().into_bytes());
            seals.push(NewSeal::passphrase("passphrase", bytes));
        }
        if let Some(Shamir { threshold, shares }) = self.shamir {
            seals.push(NewSeal::Shamir {
                name: "shamir".to_owned(),
                threshold,
                shares,
            });
        }
        if let Some(path) = &self.key_file {
            let key =
                key_file::create(path).map_err(|error| CliError::usage(with_causes(&error)))?;
            seals.push(NewSeal::KeyFile {
                name: "key-file".to_owned(),
                key,
            });
        }
        Ok(seals)
    }

    fn hand_out(
        &self,
        made: Initialised,
        data_dir: PathBuf,
        token_file: Option<NewFile>,
    ) -> Result<Report> {
        // Shown to the operator who sets the server up: this is what init is for.
        let token = SecretText::new(
            String::from_utf8(made.root_token.into_public())
                .map_err(|_| CliError::failure("the first token is not text"))?,
        );
        let mut report = Report {
            data_dir,
            root_token: None,
            token_file: self.token_out.clone(),
            key_file: self.key_file.clone(),
            shares: Vec::new(),
            share_files: Vec::new(),
            admin_file: None,
            client_settings: None,
        };
        match token_file {
            Some(mut file) => {
                writeln!(file, "{}", token.expose())?;
                file.finish()?;
            }
            None => report.root_token = Some(token),
        }
        for share in made.shares.iter().flat_map(|set| &set.shares) {
            let text = SecretText::new(share.to_text().expose().to_owned());
            match &self.shares_dir {
                Some(folder) => {
                    let path = folder.join(format!("share-{}", share.index()));
                    write_secret(&path, text.expose())?;
                    report.share_files.push(path);
                }
                None => report.shares.push(text),
            }
        }
        Ok(report)
    }
}

fn write_secret(path: &Path, text: &str) -> Result<()> {
    let line = zeroize::Zeroizing::new(format!("{text}\n"));
    output::write_file(path, line.as_bytes())
}

fn make_folder(path: &Path) -> Result<()> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|error| CliError::usage(format!("cannot make {}: {error}", path.display())))
}

fn explain(error: &skms_engine::Error, data_dir: &Path) -> CliError {
    match error {
        skms_engine::Error::AlreadyInitialised => CliError::new(
            Exit::State,
            format!(
                "{} holds a store already; nothing was touched",
                data_dir.display()
            ),
        )
        .hint("choose another --data-dir, or start the server with `skms serve`"),
        other => CliError::failure(with_causes(other)),
    }
}

fn print(report: &Report) -> Result<()> {
    output::line(format!(
        "The store in {} is set up.",
        report.data_dir.display()
    ))?;
    if !report.shares.is_empty() {
        output::line("\nThe shares, one for each holder, shown this once:")?;
        for share in &report.shares {
            output::line(format!("  {}", share.expose()))?;
        }
    }
    for path in &report.share_files {
        output::line(format!(
            "A share is in {}; give it to its holder.",
            path.display()
        ))?;
    }
    if let Some(path) = &report.key_file {
        output::line(format!(
            "The key file is {}; keep a copy elsewhere.",
            path.display()
        ))?;
    }
    match (&report.root_token, &report.token_file) {
        (Some(token), _) => {
            output::line(format!(
                "\nThe first token, shown this once:\n  {}",
                token.expose()
            ))?;
        }
        (None, Some(path)) => output::line(format!("The first token is in {}.", path.display()))?,
        (None, None) => {}
    }
    if let Some(path) = &report.admin_file {
        output::line(format!(
            "The first administrator's certificate and key are in {}.",
            path.display()
        ))?;
    }
    let data = report.data_dir.display();
    output::line(format!("\nNext:\n  skms serve --data-dir {data}"))?;
    output::line("and from another terminal:")?;
    match (&report.client_settings, &report.token_file) {
        (Some(path), _) => output::line(format!("  export SKMS_CONFIG={}", path.display()))?,
        (None, token) => {
            output::line(format!("  export SKMS_CACERT={data}/ca.pem"))?;
            if let Some(path) = token {
                output::line(format!("  export SKMS_TOKEN_FILE={}", path.display()))?;
            }
        }
    }
    output::line("  skms unseal")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds() {
        assert_eq!(
            "3/5".parse(),
            Ok(Shamir {
                threshold: 3,
                shares: 5
            })
        );
        assert!("2/2".parse::<Shamir>().is_ok());
        for bad in ["", "3", "1/5", "0/0", "5/3", "3/256", "a/b", "3/5/7"] {
            assert!(bad.parse::<Shamir>().is_err(), "{bad}");
        }
    }
}
