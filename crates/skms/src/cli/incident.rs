//! `skms incident`: compromises, and their signed reports.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::Value;
use skms_crypto::{Hash, Hasher};
use skms_engine::acts::compromise::verify_report;
use skms_wire::native::incidents::{IncidentView, TouchedView};

use super::error::{CliError, Result};
use super::exit::Exit;
use super::{Global, every, input, output};

/// The longest report, key or list that is read, in bytes.
const REPORT_MAX: u64 = 8 << 20;
const KEY_MAX: u64 = 64 << 10;
const LIST_MAX: u64 = 1 << 30;

/// Compromises of keys, what they touched, and their signed reports.
#[derive(Debug, Subcommand)]
pub enum Incident {
    /// List the incidents
    List,
    /// Show an incident
    Show(Show),
    /// List what an incident touched
    Touched(Touched),
    /// Print the public key by which reports are checked
    Key {
        /// Where to write it; standard output if left out
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check a report; needs no server
    Verify(Verify),
}

/// Show an incident.
#[derive(Debug, Args)]
pub struct Show {
    /// Its identifier
    incident: String,
    /// Write the signed report to this file
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
}

/// List what an incident touched.
#[derive(Debug, Args)]
pub struct Touched {
    /// Its identifier
    incident: String,
    /// Write it to this file, one line of JSON each, as the report's digest is
    /// over
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Check a report's signature, and that it is about a list of what was touched.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    skms incident key -o incident.pem          # before anything happens\n  \
    skms incident show ID --report report.jws\n  \
    skms incident touched ID -o touched.jsonl\n  \
    skms incident verify report.jws --key incident.pem --touched touched.jsonl")]
pub struct Verify {
    /// The report
    report: PathBuf,
    /// The server's public key for reports
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// What was touched, as `skms incident touched -o` wrote it
    #[arg(long, value_name = "FILE")]
    touched: Option<PathBuf>,
}

impl Incident {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Verify(command) => verify(global, &command),
            Self::List => {
                let client = global.client()?;
                let all = every(async |page| client.incidents(&page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    output::table(
                        &["ID", "KEY", "SINCE", "EFFECTIVE", "TOUCHED", "STATE"],
                        &rows,
                    )
                })
            }
            Self::Show(command) => show(global, &command).await,
            Self::Touched(command) => touched(global, &command).await,
            Self::Key { out } => {
                let key = global.client()?.incident_key().await?;
                match out {
                    Some(path) => output::write_file(&path, key.public_key.as_bytes()),
                    None => global.show(&key, |key| output::line(key.public_key.trim_end())),
                }
            }
        }
    }
}

fn row(incident: &IncidentView) -> Vec<String> {
    vec![
        incident.id.clone(),
        format!("{}/{}", incident.keyring, incident.key),
        incident
            .since
            .map_or_else(|| "-".to_owned(), |since| since.to_string()),
        incident.effective_at.to_string(),
        incident.touched.to_string(),
        state(incident),
    ]
}

fn state(incident: &IncidentView) -> String {
    match (incident.finished_at, &incident.trouble) {
        (Some(at), _) => format!("finished {at}"),
        (None, None) => "cascading".to_owned(),
        (None, Some(trouble)) => format!("held up, and tried again: {trouble}"),
    }
}

/// Prints an incident, with how much it has touched.
pub fn print(incident: &IncidentView) -> Result<()> {
    print_order(incident)?;
    print_counts(incident)
}

/// Prints what was ordered, and how that stands.
pub fn print_order(incident: &IncidentView) -> Result<()> {
    let versions: Vec<_> = incident.versions.iter().map(u32::to_string).collect();
    output::fields(&[
        ("incident", incident.id.clone()),
        ("key", format!("{}/{}", incident.keyring, incident.key)),
        ("versions", versions.join(", ")),
        ("reason", incident.reason.clone()),
        (
            "since",
            incident
                .since
                .map_or_else(String::new, |since| since.to_string()),
        ),
        ("effective", incident.effective_at.to_string()),
        ("by", incident.by.clone()),
        ("state", state(incident)),
    ])
}

/// Prints how much was touched.
pub fn print_counts(incident: &IncidentView) -> Result<()> {
    let counts = &incident.counts;
    output::fields(&[
        ("cascade", incident.cascade.to_string()),
        ("compromised", counts.compromised.to_string()),
        ("already", counts.already.to_string()),
        ("spared", counts.spared.to_string()),
        ("failed", counts.failed.to_string()),
        ("certificates", counts.certificates.to_string()),
        ("ssh certificates", counts.ssh_certificates.to_string()),
        ("authorities", counts.authorities.to_string()),
        ("exchanges", counts.exchanges.to_string()),
        ("tokens", counts.tokens.to_string()),
        ("recipients", counts.recipients.to_string()),
        ("rotated", counts.rotated.to_string()),
    ])
}

/// Prints what was touched.
pub fn print_touched(touched: &[TouchedView]) -> Result<()> {
    let rows: Vec<_> = touched
        .iter()
        .map(|one| {
            vec![
                one.kind.clone(),
                one.name.clone(),
                one.version
                    .map_or_else(String::new, |version| version.to_string()),
                one.how.clone().unwrap_or_default(),
                one.outcome.clone(),
            ]
        })
        .collect();
    output::table(&["KIND", "NAME", "VERSION", "HOW", "OUTCOME"], &rows)
}

/// Prints what a report says of who used the key, what must be encrypted anew
/// and who must be told. One of a `dry` run has no commands: they name an
/// incident that there will never be.
pub fn print_report(report: &Value, dry: bool) -> Result<()> {
    let list = |path: &str| report.pointer(path).and_then(Value::as_array);
    for (heading, path) in [
        ("uses of the key", "/uses/of_key"),
        ("uses of what depends on it", "/uses/of_dependents"),
    ] {
        let rows: Vec<_> = (list(path).into_iter().flatten())
            .map(|row| {
                let names = ["principal", "source", "action", "calls", "first", "last"];
                names.iter().map(|name| text(row, name)).collect()
            })
            .collect();
        if !rows.is_empty() {
            output::line(format!("\n{heading}:"))?;
            output::table(
                &["PRINCIPAL", "FROM", "ACTION", "CALLS", "FIRST", "LAST"],
                &rows,
            )?;
        }
    }
    print_reencrypt(report, dry)?;
    let rows: Vec<_> = (list("/tell/holders").into_iter().flatten())
        .map(|row| {
            ["namespace", "name", "key", "version"]
                .map(|name| text(row, name))
                .to_vec()
        })
        .collect();
    if !rows.is_empty() {
        output::line("\nto be told:")?;
        output::table(&["NAMESPACE", "NAME", "KEY", "VERSION"], &rows)?;
    }
    let rows: Vec<_> = (list("/tell/recipients").into_iter().flatten())
        .map(|row| {
            let names = [
                "namespace",
                "name",
                "key",
                "version",
                "what",
                "count",
                "last_at",
            ];
            names.map(|name| text(row, name)).to_vec()
        })
        .collect();
    if !rows.is_empty() {
        output::line("\nwho has secrets that it gave:")?;
        let heads = [
            "NAMESPACE",
            "NAME",
            "KEY",
            "VERSION",
            "WHAT",
            "COUNT",
            "LAST",
        ];
        output::table(&heads, &rows)?;
    }
    let names = |path: &str| list(path).into_iter().flatten().map(output::plain);
    for (heading, path) in [
        ("members of groups that share it:", "/tell/members"),
        (
            "who was issued certificates that are revoked:",
            "/tell/certified",
        ),
    ] {
        let names: Vec<_> = names(path).collect();
        if !names.is_empty() {
            output::line(format!("\n{heading}"))?;
            names
                .iter()
                .try_for_each(|name| output::line(format!("  {name}")))?;
        }
    }
    let rows: Vec<_> = (list("/tell/owners").into_iter().flatten())
        .map(|row| ["owner", "keys"].map(|name| text(row, name)).to_vec())
        .collect();
    if !rows.is_empty() {
        output::line("\nwho answers for touched keys:")?;
        output::table(&["OWNER", "KEYS"], &rows)?;
    }
    print_more(report, "/tell/more", "to be told")
}

/// A member of an object in a report.
fn text(value: &Value, name: &str) -> String {
    value.get(name).map(output::plain).unwrap_or_default()
}

/// That a list of the report names not all.
fn print_more(report: &Value, path: &str, what: &str) -> Result<()> {
    match report.pointer(path).and_then(Value::as_u64) {
        None | Some(0) => Ok(()),
        Some(more) => output::line(format!("... and {more} more {what}")),
    }
}

/// Prints what must be encrypted anew, each with its commands in the order in
/// which they are run.
fn print_reencrypt(report: &Value, dry: bool) -> Result<()> {
    let list = report.get("reencrypt").and_then(Value::as_array);
    let Some(list) = list.filter(|list| !list.is_empty()) else {
        return Ok(());
    };
    output::line("\nto be encrypted anew:")?;
    for row in list {
        let (key, versions) = (text(row, "key"), text(row, "versions"));
        output::line(format!("{key}, of version {}", versions.replace(' ', ", ")))?;
        if dry {
            continue;
        }
        // An approval is for the key as it stands: a new version would end it.
        let order = match row.get("approval").is_some() {
            true => ["grant", "rotate", "command"],
            false => ["rotate", "grant", "command"],
        };
        for command in order.map(|name| text(row, name)) {
            if !command.is_empty() {
                output::line(format!("  {command}"))?;
            }
        }
    }
    print_more(report, "/reencrypt_more", "keys")
}

async fn show(global: &Global, command: &Show) -> Result<()> {
    let incident = global.client()?.incident(&command.incident).await?;
    if let Some(path) = &command.report {
        let Some(report) = &incident.report else {
            return Err(CliError::usage(
                "the incident is not finished: it has no report yet",
            ));
        };
        output::write_file(path, report.as_bytes())?;
    }
    global.show(&incident, |incident| {
        print(incident)?;
        match incident.report.as_deref().and_then(payload) {
            Some(report) => print_report(&report, false),
            None => Ok(()),
        }
    })
}

/// What a report says, unchecked: it comes from the server that is asked.
fn payload(report: &str) -> Option<Value> {
    use base64::Engine as _;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = report.split('.').nth(1)?;
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload).ok()?).ok()
}

async fn touched(global: &Global, command: &Touched) -> Result<()> {
    let client = global.client()?;
    let id = &command.incident;
    let all = every(async |page| client.incident_touched(id, &page).await).await?;
    let Some(path) = &command.out else {
        return global.show(&all, |all| print_touched(all));
    };
    let mut file = output::NewFile::create(path)?;
    for one in &all {
        let line = serde_json::to_string(one)
            .map_err(|error| CliError::failure(format!("an entry cannot be written: {error}")))?;
        writeln!(file, "{line}")?;
    }
    file.finish()
}

fn verify(global: &Global, command: &Verify) -> Result<()> {
    let report = input::read_text(&command.report, REPORT_MAX)?;
    let key = input::read(&command.key, KEY_MAX)?;
    let bad = |error: skms_engine::Error| match error {
        skms_engine::Error::Integrity => CliError::new(
            Exit::Verification,
            "the report was altered, or another server signed it",
        ),
        other => CliError::usage(other.to_string()),
    };
    let report = verify_report(&report, &key).map_err(bad)?;
    if let Some(path) = &command.touched {
        same_list(&report, path)?;
    }
    global.show(&report, |report| {
        output::line("The report is as the server signed it.")?;
        output::line(match command.touched {
            Some(_) => "The list of what was touched is the report's.",
            None => "It was not compared with a list of what was touched (--touched).",
        })?;
        for name in [
            "incident",
            "key",
            "reason",
            "since",
            "effective_at",
            "finished_at",
            "by",
            "counts",
        ] {
            if let Some(value) = report.get(name) {
                output::line(format!("{name}: {}", output::plain(value)))?;
            }
        }
        print_report(report, false)
    })
}

fn same_list(report: &Value, path: &Path) -> Result<()> {
    let list = input::read(path, LIST_MAX)?;
    let mut hash = Hasher::new(Hash::Sha256);
    hash.update(&list);
    let digest = output::hex(&hash.finish());
    if report.pointer("/touched/sha256").and_then(Value::as_str) != Some(digest.as_str()) {
        return Err(CliError::new(
            Exit::Verification,
            format!(
                "{} is not the list that the report is about",
                path.display()
            ),
        ));
    }
    Ok(())
}
