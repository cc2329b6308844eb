//! `skms weak blocklist`: lists of known keys.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Deserialize;
use skms_crypto::hash::sha256;
use skms_weak::Blocklist;
use skms_weak::blocklist::{self, Scheme};
use skms_wire::Bytes;
use skms_wire::native::weak::{BlocklistView, ImportBlocklistRequest};

use super::check::{LIST_MAX, read};
use crate::cli::Global;
use crate::cli::error::{CliError, Result};
use crate::cli::{input, output};

/// Entries of a part, in bytes: its request is below what servers take unless
/// they are told otherwise.
const PART: usize = 512 << 10;

/// Make a list's file of keys, of hashes, or of others' lists.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  skms weak blocklist build --name leaked --from keys --out leaked.list \
    leaked/*.pem\n  skms weak blocklist build --name debian-2008 --from openssl-blacklist --out \
    debian.list blacklist.RSA-2048\n  skms weak blocklist build --name badkeys --from badkeys \
    --sources ~/.cache/badkeys/badkeysdata.json --out badkeys.list ~/.cache/badkeys/blocklist.dat"
)]
pub struct Build {
    /// The list's name
    #[arg(long)]
    name: String,
    /// What the files are
    #[arg(long)]
    from: From,
    /// badkeysdata.json: the names of badkeys' sources, and the digest of its list
    #[arg(long, value_name = "FILE")]
    sources: Option<PathBuf>,
    /// Where the list goes; - for the standard output
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// The files
    #[arg(required = true)]
    files: Vec<PathBuf>,
}

/// What a list is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum From {
    /// Keys, certificates and requests, as `skms weak check` reads them
    Keys,
    /// Lines of SHA-256 of SubjectPublicKeyInfo
    SpkiHashes,
    /// The files of Debian's package openssl-blacklist
    OpensslBlacklist,
    /// The blocklist.dat of badkeys
    Badkeys,
}

/// What is of use in badkeysdata.json.
#[derive(Deserialize)]
struct BadkeysData {
    bkformat: u32,
    blocklist_sha256: String,
    blocklists: Vec<BadkeysSource>,
}

#[derive(Deserialize)]
struct BadkeysSource {
    id: u8,
    name: String,
}

fn refused(error: impl std::fmt::Display) -> CliError {
    CliError::usage(error.to_string())
}

impl Build {
    /// Makes it.
    pub fn run(self, global: &Global) -> Result<()> {
        let list = self.list()?;
        output::write_file(&self.out, &list.to_file())?;
        let made = serde_json::json!({
            "name": list.name(),
            "hash": list.scheme().name(),
            "entries": list.len(),
        });
        global.show(&made, |_| {
            output::line(format!("The list has {} entries.", list.len()))
        })
    }

    fn list(&self) -> Result<Blocklist> {
        let mut text = String::new();
        let mut entries = Vec::new();
        for path in &self.files {
            match self.from {
                From::Keys => {
                    let file = input::read(path, LIST_MAX)?;
                    for found in read(&file)? {
                        entries.extend(found.key.and_then(|key| key.spki_entry()));
                    }
                }
                From::SpkiHashes | From::OpensslBlacklist => {
                    text.push_str(&input::read_text(path, LIST_MAX)?);
                    text.push('\n');
                }
                From::Badkeys => return self.badkeys(path),
            }
        }
        match self.from {
            From::SpkiHashes => blocklist::spki_hashes(&self.name, &text),
            From::OpensslBlacklist => blocklist::openssl_blacklist(&self.name, &text),
            _ => Blocklist::new(&self.name, Scheme::SpkiSha256, Vec::new(), entries),
        }
        .map_err(refused)
    }

    fn badkeys(&self, path: &Path) -> Result<Blocklist> {
        if self.files.len() > 1 {
            return Err(refused("badkeys has one blocklist.dat"));
        }
        let data = input::read(path, LIST_MAX)?;
        let mut sources = Vec::new();
        if let Some(path) = &self.sources {
            let text = input::read_text(path, 1 << 20)?;
            let known: BadkeysData = serde_json::from_str(&text).map_err(refused)?;
            let digest: String = sha256(&[&data])
                .iter()
                .map(|byte| format!("{byte:02x}"))
                .collect();
            if known.bkformat != 0 {
                return Err(refused("only format 0 of badkeys is known"));
            }
            if known.blocklist_sha256 != digest {
                return Err(refused(
                    "the blocklist.dat is not the one that badkeysdata.json is about: it is cut \
                     off, altered or of another day",
                ));
            }
            sources = known
                .blocklists
                .into_iter()
                .map(|one| (one.id, one.name))
                .collect();
            sources.sort();
        }
        blocklist::badkeys(&self.name, &data, sources).map_err(refused)
    }
}

/// Imports a list; a long one in parts, each a list of its own.
pub async fn import(global: &Global, path: &Path) -> Result<()> {
    let file = input::read(path, LIST_MAX)?;
    let list = Blocklist::from_file(&file).map_err(refused)?;
    let client = global.client()?;
    let before = super::super::every(async |page| client.blocklists(&page).await).await?;
    let mut all = Vec::new();
    for part in list.parts(PART) {
        let request = ImportBlocklistRequest {
            file: Bytes::new(part.to_file()),
        };
        all.push(client.import_blocklist(&request).await?);
    }
    // What a longer list of that name left.
    for old in &before {
        let is_part = list.part_number(&old.name);
        if is_part.is_some_and(|number| number > all.len()) {
            client.remove_blocklist(&old.name).await?;
        }
    }
    global.show(&all, |all| show(all))
}

/// Lists the lists.
pub async fn list(global: &Global) -> Result<()> {
    let client = global.client()?;
    let all = super::super::every(async |page| client.blocklists(&page).await).await?;
    global.show(&all, |all| show(all))
}

fn show(all: &[BlocklistView]) -> Result<()> {
    let rows: Vec<_> = all
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.hash.clone(),
                one.entries.to_string(),
                one.imported_at.to_string(),
                one.imported_by.clone(),
            ]
        })
        .collect();
    output::table(&["NAME", "HASH", "ENTRIES", "IMPORTED", "BY"], &rows)
}
