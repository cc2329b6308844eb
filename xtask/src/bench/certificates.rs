//! Certificates: issuing and OCSP beside OpenBao, and what the library takes for
//! validation and revocation lists.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::document::{or_nothing, tenths, thousandths, whole};
use super::goals::{Goal, at_least, at_most};
use super::load::{self, Request};
use super::openbao::OpenBao;
use super::options::Options;
use super::ours::Ours;
use super::results::Who;
use super::server::{Echo, answer, free_address};
use super::{CONNECTIONS, Measured, Stage, case, disk};
use crate::Result;
use crate::command::{cargo, run, say, target_folder};

/// A cell, what it is, and how it is sent.
const CELLS: [(&str, &str); 2] = [
    (
        "issue-new-tls",
        "issue, with a new P-256 key that is handed out",
    ),
    ("ocsp-http", "OCSP by GET over plain HTTP, signed before"),
];

/// The criterion benchmarks of the library, by what the document calls them.
const LIBRARY: [(&str, &str); 4] = [
    (
        "validate",
        "three P-256 certificates/parsing and validation",
    ),
    ("checks", "three P-256 certificates/signature checks alone"),
    (
        "million",
        "revocation lists, signed with P-256/a million entries",
    ),
    (
        "shard",
        "revocation lists, signed with P-256/one shard of a thousand entries",
    ),
];

/// Where a server's authority is, and what it is asked.
struct Target {
    who: Who,
    process: u32,
    token: Option<String>,
    /// Address, path and body of each cell; none where there is no such thing.
    cells: [Option<(String, String, String)>; 2],
}

impl Stage {
    /// Issuing and OCSP, of servers in turn.
    pub fn measure_certificates(&mut self, options: &Options) -> Result {
        let folder = self.folder.join("certificates");
        fs::create_dir_all(&folder)?;
        let (ours, target) = ours(&folder)?;
        let mut targets = vec![target];
        let echo = Echo::start(&folder, "echo-http", None, false)?;
        targets.push(bare(&echo)?);
        if let Ok(openbao) = &self.openbao {
            targets.push(theirs(openbao, &folder)?);
        }
        for round in 1..=options.rounds {
            for (at, (cell, what)) in CELLS.iter().enumerate() {
                say(&format!("round {round} of {}: {what}", options.rounds));
                self.results.add_sync(cell, disk::sync_us(&ours.data())?);
                for target in &targets {
                    let Some((origin, path, body)) = &target.cells[at] else {
                        continue;
                    };
                    let request = Request {
                        origin,
                        path,
                        body,
                        token: target.token.as_deref(),
                        process: target.process,
                        // Of what is cached, nothing is sent.
                        method: if body.is_empty() { "GET" } else { "POST" },
                        names: None,
                    };
                    let figures = load::run(&request, options.pressure(CONNECTIONS), &self.folder)?;
                    self.results.add(cell, target.who, figures);
                }
            }
        }
        Ok(())
    }
}

/// The path of a request for a certificate's status, after the responder's.
fn status(folder: &Path, who: &str, issuer: &Path, certificate: &Path) -> Result<String> {
    let path = folder.join(format!("{who}.ocsp"));
    answer(
        Command::new("openssl")
            .args(["ocsp", "-no_nonce", "-issuer"])
            .arg(issuer)
            .arg("-cert")
            .arg(certificate)
            .arg("-reqout")
            .arg(&path),
    )?;
    let text = answer(
        Command::new("openssl")
            .args(["base64", "-A", "-in"])
            .arg(&path),
    )?;
    let escaped = |one: char| match one {
        '+' => "%2B".to_owned(),
        '/' => "%2F".to_owned(),
        '=' => "%3D".to_owned(),
        other => other.to_string(),
    };
    Ok(text.chars().map(escaped).collect())
}

fn ours(folder: &Path) -> Result<(Ours, Target)> {
    let folder = folder.join("ours");
    Ours::init(&folder)?;
    let publish = format!("{}", free_address()?);
    let mut ours = Ours::serve_and(&folder, &["--publish", &publish])?;
    ours.set_up()?;
    let publish = format!("http://{publish}");
    answer(
        ours.cli()
            .args(["ca", "create", "root", "--algorithm", "EC-P256"])
            .args(["--subject", "CN=Root", "--publish-url", &publish]),
    )?;
    let (root, leaf) = (folder.join("root.pem"), folder.join("leaf.pem"));
    fs::write(&root, answer(ours.cli().args(["ca", "cert", "root"]))?)?;
    answer(
        ours.cli()
            .args(["cert", "issue", "--ca", "root", "--name", "www.example.org"])
            .arg("--key-out")
            .arg(folder.join("leaf.key"))
            .arg("--out")
            .arg(&leaf),
    )?;
    let status = status(&folder, "ours", &root, &leaf)?;
    let target = Target {
        who: Who::Ours,
        process: ours.process.id(),
        token: Some(ours.token.clone()),
        cells: [
            Some((
                ours.origin.clone(),
                "/api/v1/authorities/root/certificates".to_owned(),
                r#"{"profile":"tls-server","names":["www.example.org"],"new_key":"EC-P256"}"#
                    .to_owned(),
            )),
            Some((
                publish,
                format!("/pki/root/root/1/ocsp/{status}"),
                String::new(),
            )),
        ],
    };
    Ok((ours, target))
}

fn bare(echo: &Echo) -> Result<Target> {
    let encrypt = case::named("encrypt-32").ok_or("no such case")?;
    let cell = (
        echo.origin.clone(),
        encrypt.echo.to_owned(),
        encrypt.ours.body.text(),
    );
    Ok(Target {
        who: Who::Echo,
        process: echo.process.id(),
        token: None,
        cells: [None, Some(cell)],
    })
}

fn theirs(openbao: &OpenBao, folder: &Path) -> Result<Target> {
    let certificates = folder.join("openbao");
    fs::create_dir_all(&certificates)?;
    answer(openbao.cli().args(["secrets", "enable", "pki"]))?;
    let root = answer(openbao.cli().args([
        "write",
        "-field=certificate",
        "pki/root/generate/internal",
        "common_name=Root",
        "key_type=ec",
        "key_bits=256",
        "ttl=8760h",
    ]))?;
    answer(openbao.cli().args([
        "write",
        "pki/roles/leaf",
        "allow_any_name=true",
        "key_type=ec",
        "key_bits=256",
        "ttl=720h",
    ]))?;
    let leaf = answer(openbao.cli().args([
        "write",
        "-field=certificate",
        "pki/issue/leaf",
        "common_name=www.example.org",
    ]))?;
    let write = |name: &str, text: &str| -> Result<PathBuf> {
        let path = certificates.join(name);
        fs::write(&path, text)?;
        Ok(path)
    };
    let (root, leaf) = (write("root.pem", &root)?, write("leaf.pem", &leaf)?);
    let status = status(&certificates, "openbao", &root, &leaf)?;
    Ok(Target {
        who: Who::OpenBao,
        process: openbao.process.id(),
        token: Some(openbao.token.clone()),
        cells: [
            Some((
                openbao.origin.clone(),
                "/v1/pki/issue/leaf".to_owned(),
                r#"{"common_name":"www.example.org"}"#.to_owned(),
            )),
            Some((
                openbao.plain_origin.clone(),
                format!("/v1/pki/ocsp/{status}"),
                String::new(),
            )),
        ],
    })
}

/// What the library takes, in nanoseconds, by criterion.
pub fn library() -> Result<BTreeMap<&'static str, f64>> {
    run(cargo()
        .args(["bench", "--locked", "--package", "skms-pki"])
        .args([
            "--bench",
            "validation",
            "--bench",
            "crl",
            "--",
            "--noplot",
            "--quiet",
        ]))?;
    let mut figures = BTreeMap::new();
    for (name, path) in LIBRARY {
        let file = target_folder()
            .join("criterion")
            .join(path)
            .join("new/estimates.json");
        let text = fs::read_to_string(&file)?;
        let median = number(&text, "median").ok_or("criterion writes something else now")?;
        figures.insert(name, median);
    }
    Ok(figures)
}

/// The point estimate of a statistic in criterion's JSON.
fn number(json: &str, statistic: &str) -> Option<f64> {
    let (_, rest) = json.split_once(&format!("\"{statistic}\""))?;
    let (_, rest) = rest.split_once("\"point_estimate\":")?;
    rest.split([',', '}']).next()?.trim().parse().ok()
}

/// What was asked of certificates.
pub fn goals(goals: &mut Vec<Goal>, measured: &Measured) {
    let results = &measured.results;
    if let Some(ours) = results.of("issue-new-tls", Who::Ours) {
        goals.push(at_least(
            "P-256 certificates issued a second, each durable",
            3000.0,
            ours.rps,
        ));
    }
    if let (Some(ours), Some(echo)) = (
        results.of("ocsp-http", Who::Ours),
        results.of("ocsp-http", Who::Echo),
    ) {
        goals.push(at_least(
            "OCSP answers a second, signed before: 60 % of the bare echo over plain HTTP",
            0.6 * echo.rps,
            ours.rps,
        ));
    }
    let library = |name| measured.extra.library.get(name).copied();
    if let (Some(validate), Some(checks)) = (library("validate"), library("checks")) {
        goals.push(at_most(
            "validation of three P-256 certificates: 1.5 times its signature checks alone",
            1.5 * checks / 1e3,
            validate / 1e3,
            tenths,
            "µs",
        ));
    }
    for (name, what, most) in [
        (
            "million",
            "a revocation list with a million entries",
            5000.0,
        ),
        ("shard", "a shard of a thousand of them", 10.0),
    ] {
        if let Some(took) = library(name) {
            goals.push(at_most(what, most, took / 1e6, thousandths, "ms"));
        }
    }
}

/// The tables.
pub fn write(out: &mut String, measured: &Measured) {
    let results = &measured.results;
    if results.of(CELLS[0].0, Who::Ours).is_some() {
        out.push_str(
            "### Certificates\n\n\
             P-256 authorities and keys, 32 connections. OpenBao stores what it issues, in memory; \
             its OCSP answers are signed for each request.\n\n\
             | | SKMS a second | CPU µs | p99 ms | echo a second | CPU µs | OpenBao a second | CPU µs | SKMS ÷ OpenBao |\n\
             | --- | --: | --: | --: | --: | --: | --: | --: | --: |\n",
        );
        for (cell, what) in CELLS {
            let of = |who| results.of(cell, who);
            let (ours, echo, theirs) = (of(Who::Ours), of(Who::Echo), of(Who::OpenBao));
            let ratio = ours.and_then(|ours| Some(ours.rps / theirs?.rps));
            // Writing to a string does not fail.
            let _ = writeln!(
                out,
                "| {what} | {} | {} | {} | {} | {} | {} | {} | {} |",
                or_nothing(ours.map(|one| one.rps), whole),
                or_nothing(ours.map(|one| one.cpu_us), tenths),
                or_nothing(ours.map(|one| one.p99_ms), thousandths),
                or_nothing(echo.map(|one| one.rps), whole),
                or_nothing(echo.map(|one| one.cpu_us), tenths),
                or_nothing(theirs.map(|one| one.rps), whole),
                or_nothing(theirs.map(|one| one.cpu_us), tenths),
                or_nothing(ratio, |value| format!("{value:.1}")),
            );
        }
        out.push('\n');
    }
    let library = &measured.extra.library;
    if let (Some(validate), Some(checks), Some(million), Some(shard)) = (
        library.get("validate"),
        library.get("checks"),
        library.get("million"),
        library.get("shard"),
    ) {
        let _ = write!(
            out,
            "By the library alone, on one thread (criterion): validating three P-256 certificates \
             takes {} µs, {:.2} times its signature checks; a revocation list with a million \
             entries {} ms, signed; one of a thousand {} ms.\n\n",
            tenths(validate / 1e3),
            validate / checks,
            whole(million / 1e6),
            thousandths(shard / 1e6),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn estimates_are_read() {
        let json = r#"{"mean":{"point_estimate":9.5},"median":{"confidence_interval":{"lower_bound":1.0},"point_estimate":104.25,"standard_error":0.1}}"#;
        assert_eq!(number(json, "median"), Some(104.25));
        assert_eq!(number(json, "slope"), None);
    }
}
