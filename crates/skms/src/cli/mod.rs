//! The command line: one file for each group of commands. It parses, calls the
//! server through [`skms_client`], and prints; it decides nothing.

mod acme;
mod algorithms;
mod approval;
mod backup;
mod bench;
mod ca;
mod cert;
mod completion;
mod connect;
mod crypt;
mod datakey;
mod demo;
mod derive;
mod document;
mod duration;
mod error;
mod est;
mod exchange;
mod exit;
mod file;
mod group;
mod incident;
mod init;
mod input;
mod job;
mod kem;
mod key;
mod keyname;
mod keyring;
mod limits;
mod log;
mod mac;
mod message;
mod migrate;
mod namespace;
mod notify;
mod output;
mod policy;
mod principal;
mod progress;
mod random;
mod restore;
mod rule;
mod seals;
mod secrets;
mod serve;
mod sign;
mod size;
mod ssh;
mod storage;
mod target;
mod timestamp;
mod token;
mod trust;
mod tsa;
mod unseal;
mod verdict;
mod weak;
mod wrap;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use serde::Serialize;
use skms_client::Client;
use skms_wire::native::Page;
use skms_wire::native::page::PageQuery;

use error::{CliError, Result};
use exit::Exit;

/// A build on the FIPS module says so; which one it is, its status tells.
const VERSION: &str = if cfg!(feature = "fips") {
    concat!(env!("CARGO_PKG_VERSION"), " (FIPS build)")
} else {
    env!("CARGO_PKG_VERSION")
};

/// A key management system: keys are generated, kept encrypted, used, rotated
/// and revoked by the server; they leave it only if made exportable.
#[derive(Debug, Parser)]
#[command(name = "skms", version = VERSION, arg_required_else_help = true)]
#[command(
    after_help = "Secrets are never arguments: they come from files, standard input, \
    SKMS_TOKEN or a prompt.\nKeys are named KEYRING/NAME, or NAME in the keyring `default`."
)]
#[command(after_long_help = long_help())]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

/// Options of every command.
#[derive(Debug, Default, Args)]
pub struct Global {
    #[command(flatten)]
    connection: connect::Connection,
    /// Print results (and errors) as JSON
    #[arg(long, global = true)]
    pub json: bool,
}

impl Global {
    /// A client of the server that is meant.
    pub fn client(&self) -> Result<Client> {
        self.connection.client()
    }

    /// A client for keys that are bound to its connection.
    pub fn exchange_client(&self) -> Result<Client> {
        self.connection.exchange_client()
    }

    /// The client certificate with those above it, its private key, and the
    /// server's authority, for the key exchange.
    pub fn exchange_identity(&self) -> Result<connect::ExchangeFiles> {
        self.connection.exchange_identity()
    }

    /// The files of the client certificate and of its key, if they are named.
    pub fn identity_files(&self) -> Result<Option<(PathBuf, PathBuf)>> {
        self.connection.identity_files()
    }

    /// Whether the call comes with approvals.
    pub const fn has_approval(&self) -> bool {
        self.connection.approval.is_some()
    }

    /// The namespace that is meant.
    pub fn namespace(&self) -> Result<String> {
        self.connection.namespace()
    }

    /// The same, with connections of its own, that tries everything once.
    pub fn client_without_retries(&self) -> Result<Client> {
        self.connection.client_without_retries()
    }

    /// Prints a result as JSON if that is wanted, as text otherwise.
    pub fn show<T: Serialize>(
        &self,
        result: &T,
        text: impl FnOnce(&T) -> Result<()>,
    ) -> Result<()> {
        if self.json {
            output::json(result)
        } else {
            text(result)
        }
    }
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server
    Serve(Box<serve::Serve>),
    /// Set up a new store on this machine, with its seals and a first token
    Init(init::Init),
    /// Move a store between a file and a PostgreSQL database
    Migrate(migrate::Migrate),
    /// Give the server a passphrase, a share or a key file to open its store with
    Unseal(unseal::Unseal),
    /// Make the server forget every key until it is unsealed again
    Seal(unseal::Seal),
    /// Show how the server is
    Status(unseal::Status),
    /// List, add and remove seals
    #[command(subcommand)]
    Seals(seals::Seals),
    /// Make, bring, list, change, rotate, revoke and destroy keys
    #[command(subcommand)]
    Key(key::Key),
    /// Manage keyrings
    #[command(subcommand)]
    Keyring(keyring::Keyring),
    /// Manage namespaces
    #[command(subcommand)]
    Namespace(namespace::Namespace),
    /// Encrypt a file or standard input
    Encrypt(crypt::Encrypt),
    /// Decrypt what encrypt made
    Decrypt(crypt::Decrypt),
    /// Move a ciphertext to the key's newest version
    Rewrap(crypt::Rewrap),
    /// Encrypt and decrypt files of any size in the age format
    #[command(subcommand)]
    File(file::File),
    /// Make a data key, in clear and encrypted
    Datakey(datakey::DataKey),
    /// Wrap key bytes under a wrapping key
    Wrap(wrap::Wrap),
    /// Unwrap key bytes
    Unwrap(wrap::Unwrap),
    /// Sign a file or standard input
    Sign(sign::Sign),
    /// Verify a signature
    Verify(sign::Verify),
    /// Sign documents with certificates, and verify such signatures
    #[command(subcommand)]
    Document(document::Document),
    /// Stamp files with the time, and verify such stamps (RFC 3161)
    #[command(subcommand)]
    Timestamp(timestamp::Timestamp),
    /// Make or verify a MAC
    Mac(mac::Mac),
    /// Derive key bytes (HKDF)
    Derive(derive::Derive),
    /// Agree on a secret with the holder of another key (Diffie-Hellman)
    Agree(derive::Agree),
    /// Agree on keys with the server, or fetch them, end to end
    #[command(subcommand)]
    Exchange(exchange::Exchange),
    /// Seal messages to other clients, and open theirs; the server never sees them
    #[command(subcommand)]
    Message(message::Message),
    /// Make a shared secret and its encapsulation (KEM)
    Encapsulate(kem::Encapsulate),
    /// Open an encapsulation (KEM)
    Decapsulate(kem::Decapsulate),
    /// Draw random bytes
    Random(random::Random),
    /// Hash a file or standard input
    Hash(random::Hash),
    /// List the algorithms on offer
    Algorithms(algorithms::Algorithms),
    /// Make, list, show and revoke tokens
    #[command(subcommand)]
    Token(token::Token),
    /// List, show, write and delete policies
    #[command(subcommand)]
    Policy(policy::Policy),
    /// Manage principals known by client certificates
    #[command(subcommand)]
    Principal(principal::Principal),
    /// See what waits for approval, approve of it and reject it
    #[command(subcommand)]
    Approval(approval::Approval),
    /// Let rules suspend, revoke, compromise and rotate by themselves
    #[command(subcommand)]
    Rule(rule::Rule),
    /// Hand in verdicts, for rules to answer
    #[command(subcommand)]
    Verdict(verdict::Verdict),
    /// Trust external authorities to say who principals are
    #[command(subcommand)]
    Trust(trust::Trust),
    /// Let groups of principals share keys
    #[command(subcommand)]
    Group(group::Group),
    /// Show compromises of keys, and check their signed reports
    #[command(subcommand)]
    Incident(incident::Incident),
    /// Show re-encryption jobs, go on with them, and check their signed reports
    #[command(subcommand)]
    Job(job::Job),
    /// Have events delivered to webhooks and mailboxes
    #[command(subcommand)]
    Notify(notify::Notify),
    /// Make, show, renew and certify certificate authorities
    #[command(subcommand)]
    Ca(ca::Ca),
    /// Let clients enrol by ACME
    #[command(subcommand)]
    Acme(acme::Acme),
    /// Let clients enrol by EST
    #[command(subcommand)]
    Est(est::Est),
    /// Issue, list, show, renew, revoke and validate certificates
    #[command(subcommand)]
    Cert(cert::Cert),
    /// Certify SSH keys, and revoke them
    #[command(subcommand)]
    Ssh(ssh::Ssh),
    /// Let anybody have stamps of the time (RFC 3161)
    #[command(subcommand)]
    Tsa(tsa::Tsa),
    /// Find keys that are known to be compromised, or weak
    #[command(subcommand)]
    Weak(weak::Weak),
    /// Show and set how much a namespace's members may have and ask for
    #[command(subcommand)]
    Limits(limits::Limits),
    /// Rotate the keys beneath the store, and verify it
    #[command(subcommand)]
    Storage(storage::Storage),
    /// Make and verify backups
    #[command(subcommand)]
    Backup(backup::Backup),
    /// Put a backup in the place of a lost or damaged store
    Restore(restore::Restore),
    /// Read the record of what was done
    #[command(subcommand)]
    Log(log::Log),
    /// Measure the server: throughput, time to the answer, its CPU time
    Bench(bench::Bench),
    /// Print a completion script for a shell
    Completion(completion::Completion),
    /// Show the main job on a real server and a real file, with proofs
    Demo(demo::Demo),
    /// Explain the exit codes
    #[command(after_help = exit::help())]
    ExitCodes,
}

/// Every page of a list.
pub async fn every<T>(
    mut fetch: impl AsyncFnMut(PageQuery) -> skms_client::Result<Page<T>>,
) -> Result<Vec<T>> {
    let mut items = Vec::new();
    let mut after = None;
    loop {
        let limit = Some(PageQuery::LIMIT_MAX);
        let page = fetch(PageQuery { limit, after }).await?;
        items.extend(page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(items),
        }
    }
}

fn long_help() -> String {
    format!(
        "Secrets are never arguments: they come from files, standard input, SKMS_TOKEN or a \
         prompt.\nKeys are named KEYRING/NAME, or NAME in the keyring `default`.\n\n\
         Configuration, each overriding the one before:\n  \
         ~/.config/skms/config.toml (or the file that SKMS_CONFIG names): address, ca_file,\n    \
         exchange_ca_file, token_file, namespace, client_certificate, client_key\n  \
         SKMS_ADDR, SKMS_CACERT, SKMS_EXCHANGE_CACERT, SKMS_TOKEN, SKMS_TOKEN_FILE,\n    \
         SKMS_NAMESPACE, SKMS_CLIENT_CERT, SKMS_CLIENT_KEY\n  \
         the options\n\n{}",
        exit::help()
    )
}

/// Runs the command line and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version go to standard output and are no errors.
            let _ = error.print();
            return match error.use_stderr() {
                true => Exit::Usage.into(),
                false => ExitCode::SUCCESS,
            };
        }
    };
    let json = cli.global.json;
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            report(&error, json);
            error.exit.into()
        }
    }
}

fn run(cli: Cli) -> Result<()> {
    let global = cli.global;
    match cli.command {
        // These bring their own runtimes, or need none.
        Command::Serve(serve) => serve.run(),
        Command::Completion(completion) => completion.run(),
        Command::ExitCodes => output::line(exit::help().trim_end()),
        // Measuring must not wait for its own one core.
        Command::Bench(bench) => tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|error| CliError::failure(format!("cannot start a runtime: {error}")))?
            .block_on(bench.run(&global)),
        command => tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| CliError::failure(format!("cannot start a runtime: {error}")))?
            .block_on(call(command, &global)),
    }
}

async fn call(command: Command, global: &Global) -> Result<()> {
    match command {
        Command::Init(command) => command.run(global).await,
        Command::Migrate(command) => command.run(global).await,
        Command::Unseal(command) => command.run(global).await,
        Command::Seal(command) => command.run(global).await,
        Command::Status(command) => command.run(global).await,
        Command::Seals(command) => command.run(global).await,
        Command::Key(command) => command.run(global).await,
        Command::Keyring(command) => command.run(global).await,
        Command::Namespace(command) => command.run(global).await,
        Command::Encrypt(command) => command.run(global).await,
        Command::Decrypt(command) => command.run(global).await,
        Command::Rewrap(command) => command.run(global).await,
        Command::File(command) => command.run(global).await,
        Command::Datakey(command) => command.run(global).await,
        Command::Wrap(command) => command.run(global).await,
        Command::Unwrap(command) => command.run(global).await,
        Command::Sign(command) => command.run(global).await,
        Command::Verify(command) => command.run(global).await,
        Command::Document(command) => command.run(global).await,
        Command::Timestamp(command) => command.run(global).await,
        Command::Mac(command) => command.run(global).await,
        Command::Derive(command) => command.run(global).await,
        Command::Agree(command) => command.run(global).await,
        Command::Exchange(command) => command.run(global).await,
        Command::Message(command) => command.run(global).await,
        Command::Encapsulate(command) => command.run(global).await,
        Command::Decapsulate(command) => command.run(global).await,
        Command::Random(command) => command.run(global).await,
        Command::Hash(command) => command.run(global).await,
        Command::Algorithms(command) => command.run(global).await,
        Command::Token(command) => command.run(global).await,
        Command::Policy(command) => command.run(global).await,
        Command::Principal(command) => command.run(global).await,
        Command::Rule(command) => command.run(global).await,
        Command::Approval(command) => command.run(global).await,
        Command::Verdict(command) => command.run(global).await,
        Command::Trust(command) => command.run(global).await,
        Command::Incident(command) => command.run(global).await,
        Command::Job(command) => command.run(global).await,
        Command::Group(command) => command.run(global).await,
        Command::Notify(command) => command.run(global).await,
        Command::Acme(command) => command.run(global).await,
        Command::Est(command) => command.run(global).await,
        Command::Ca(command) => command.run(global).await,
        Command::Cert(command) => command.run(global).await,
        Command::Ssh(command) => command.run(global).await,
        Command::Tsa(command) => command.run(global).await,
        Command::Weak(command) => command.run(global).await,
        Command::Limits(command) => command.run(global).await,
        Command::Storage(command) => command.run(global).await,
        Command::Backup(command) => command.run(global).await,
        Command::Restore(command) => command.run(global).await,
        Command::Log(command) => command.run(global).await,
        Command::Demo(command) => command.run(global).await,
        Command::Serve(_) | Command::Bench(_) | Command::Completion(_) | Command::ExitCodes => {
            Ok(())
        }
    }
}

/// An error as JSON.
#[derive(Serialize)]
struct Report<'a> {
    error: &'a str,
    hint: Option<&'a str>,
    exit: u8,
    problem: Option<&'a skms_wire::native::Problem>,
}

fn report(error: &CliError, json: bool) {
    // When standard error is gone there is nobody left to tell.
    let _ = if json {
        let report = Report {
            error: &error.message,
            hint: error.hint.as_deref(),
            exit: error.exit.code(),
            problem: error.problem.as_deref(),
        };
        output::note(serde_json::to_string(&report).unwrap_or_default())
    } else {
        let request = error
            .problem
            .as_ref()
            .and_then(|problem| problem.request_id.as_deref());
        let mut text = format!("skms: {}", error.message);
        if let Some(request) = request {
            text.push_str(&format!(" (request {request})"));
        }
        if let Some(hint) = &error.hint {
            text.push_str(&format!("\n  {hint}"));
        }
        output::note(text)
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    fn parse(line: &str) -> std::result::Result<Cli, clap::Error> {
        Cli::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_definition_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_documented_commands_parse() {
        for line in [
            "skms serve --listen 127.0.0.1:0 --data-dir d",
            "skms serve --dev --dev-root-token t --dev-tls --listen 127.0.0.1:0",
            "skms init --data-dir d --shamir 3/5 --key-file k --passphrase-file p",
            "skms unseal --share-file s",
            "skms --json status",
            "skms key create orders --algorithm AES-256-GCM --use encrypt,decrypt --tag a=b",
            "skms key import pay/orders --in k.pem --passphrase-file p",
            "skms key export orders --format pkcs8-pem -o out.pem",
            "skms key list pay",
            "skms key show orders --versions",
            "skms key rotate orders",
            "skms key rotate orders --algorithm XAES-256-GCM",
            "skms key suspend orders --version 2",
            "skms key resume orders",
            "skms key revoke orders --reason keyCompromise --message gone",
            "skms key destroy orders",
            "skms key restore orders",
            "skms key update orders --minimum-decrypt-version 2",
            "skms key grant orders --for 1h --reason recovery",
            "skms encrypt orders file -o out --aad context",
            "skms decrypt orders -",
            "skms rewrap orders",
            "skms datakey orders --length 32 -o key --wrapped-out w",
            "skms wrap kek k -o w",
            "skms unwrap kek w -o k",
            "skms sign signer file -o sig --hash SHA-256",
            "skms verify signer file --signature sig",
            "skms mac m file --verify tag",
            "skms derive d --length 32 --info x",
            "skms agree a --peer p.pem",
            "skms key agree shared --with a --peer p.pem --peer-party b",
            "skms encapsulate k --ciphertext-out c -o s",
            "skms decapsulate k c",
            "skms cert validate c.pem --anchor r.pem --chain i.pem --crl l --ocsp o --profile web \
             --purpose server --name a.example --at 2030-01-01T00:00:00Z --revocation known \
             --policy 2.5.29.32.0 --json",
            "skms ssh authority create hosts --host --algorithm EC-P256",
            "skms ssh role put ops --ca users --principal a --principal *.b --max-lifetime 1d",
            "skms ssh -n team sign k.pub --ca users --role ops --principal a --lifetime 8h -o k",
            "skms ssh revoke --ca users --serial 1 --key-id a/b/1 --key k.pub",
            "skms ssh krl --ca users -o krl",
            "skms random 32 --encoding hex",
            "skms hash file --hash SHA3-256",
            "skms token create --group admin --ttl 30d -o t",
            "skms token list --json",
            "skms policy put p file.cedar",
            "skms principal create p --certificate c.pem --group g",
            "skms principal create p --trust corp --identity spiffe://corp.example/p",
            "skms trust add corp --anchor r.pem --intermediates i.pem --crl l --crl m --identity cn",
            "skms trust add corp --anchor r.pem --identity subject --require-crl if-known",
            "skms trust update corp --require-crl leaf --intermediates i.pem",
            "skms trust crl corp new.crl",
            "skms trust show corp --json",
            "skms group create orders --algorithm AES-256-GCM --member a --member team/b --history",
            "skms group add orders a team/b",
            "skms group remove orders a b --no-rekey",
            "skms group holders orders --json",
            "skms key holders orders",
            "skms key derive orders --from master --from-version 2 --context x -a AES-256-GCM",
            "skms key due --within 7d --limit 10 --json",
            "skms key create orders --rotate-at @monthly --zone UTC --rotate-with a/b --without x",
            "skms key lineage orders --format svg -o f.svg --limit 30",
            "skms key compromise orders --reason lost --since 2026-01-01T00:00:00Z --dry-run",
            "skms key compromise orders --reason lost --cascade direct --rotate all --wait",
            "skms incident list --json",
            "skms incident show id --report f",
            "skms incident touched id -o f",
            "skms incident key -o f",
            "skms incident verify f --key k --touched t",
            "skms key reencrypt orders --from l --to m --complete --aad x",
            "skms key reencrypt orders --from - --job id --more",
            "skms key reencrypt orders --from d --in-place --oaep-hash SHA-256",
            "skms key update orders --min-version 2 --from-job id",
            "skms key update orders --min-version 2 --force",
            "skms job create orders --input l --output m",
            "skms job list --json",
            "skms job resume id --to m --aad x",
            "skms job report id -o f --key-out k",
            "skms job verify f --key k --from l --to m",
            "skms algorithms",
            "skms algorithms withdraw AES-128-GCM --reason x --after 2030-01-01T00:00:00Z \
             --successor AES-256-GCM --dry-run",
            "skms algorithms readmit AES-128-GCM",
            "skms algorithms withdrawn --json",
            "skms limits show",
            "skms limits set --keys 1000 --keyring pay=10 --rate 100/200 --principal-rate a=none",
            "skms storage rotate-key",
            "skms storage verify",
            "skms backup create f",
            "skms backup verify f --share-file a --share-file b",
            "skms restore f --to d --journal old --accept-loss --key-file k",
            "skms migrate --from d --to postgres://skms@h/skms",
            "skms serve --database postgres://skms@h/skms --data-dir d",
            "skms seals add --shamir 2/3",
            "skms log tail --follow",
            "skms completion bash",
            "skms demo --keep --file f --json",
            "skms help exit-codes",
            "skms exit-codes",
        ] {
            if let Err(error) = parse(line) {
                assert!(!error.use_stderr(), "{line}: {error}");
            }
        }
    }

    #[test]
    fn mistakes_are_usage_errors() {
        for line in [
            "skms nonesuch",
            "skms key create",
            "skms key create a/b/c",
            "skms key revoke orders",
            "skms key revoke orders --reason nonesuch",
            "skms init --shamir 5/3",
            "skms init --shamir 1",
            "skms key grant orders --reason x",
            "skms encrypt --token secret orders",
            "skms derive d",
            "skms limits set",
            "skms trust add corp --anchor r.pem",
            "skms trust add corp --identity uri",
            "skms trust update corp",
            "skms principal create p --trust corp",
            "skms principal create p --certificate c.pem --identity x",
            "skms limits set --rate fast",
            "skms group add orders",
            "skms key reencrypt orders",
            "skms key reencrypt orders --from l --to m --in-place",
            "skms key reencrypt orders --from l --complete --more",
            "skms key update orders --min-version 2 --from-job id --force",
            "skms key update orders --force",
            "skms group add orders a/b/c",
            "skms group remove orders",
            "skms ssh sign k.pub --ca users",
            "skms ssh sign k.pub --ca users --role a --extension permit-pty --no-extensions",
            "skms ssh revoke --ca users",
            "skms ssh role put ops --ca users",
            "skms cert validate c.pem",
            "skms cert validate c.pem --anchor r.pem --profile mine",
            "skms cert validate c.pem --anchor r.pem --at yesterday",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
