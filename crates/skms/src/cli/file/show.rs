//! `skms file show`.

use clap::Args;
use serde::Serialize;
use skms_client::file::{SealedFile, Wrapped};

use super::{In, explain, open};
use crate::cli::error::Result;
use crate::cli::{Global, output};

/// Say who can open a file. Nothing of it is authenticated by that, and no
/// server is asked.
#[derive(Debug, Args)]
pub struct Show {
    #[command(flatten)]
    input: In,
}

#[derive(Serialize)]
struct Row {
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<u32>,
}

impl Show {
    /// Shows.
    pub fn run(self, global: &Global) -> Result<()> {
        let path = self.input.path();
        let (source, _) = open(path)?;
        let sealed = SealedFile::read(source).map_err(|error| explain(error, path))?;
        let mut rows = Vec::new();
        for stanza in sealed.stanzas() {
            let wrapped = Wrapped::read(stanza).map_err(|error| explain(error, path))?;
            rows.push(Row {
                kind: stanza.tag.clone(),
                key_id: wrapped.as_ref().map(|one| one.key.to_string()),
                version: wrapped.map(|one| one.ciphertext.version),
            });
        }
        global.show(&rows, |rows| {
            let lines: Vec<_> = rows
                .iter()
                .map(|row| {
                    vec![
                        row.kind.clone(),
                        row.key_id.clone().unwrap_or_default(),
                        row.version.map(|n| n.to_string()).unwrap_or_default(),
                    ]
                })
                .collect();
            output::table(&["RECIPIENT", "KEY", "VERSION"], &lines)
        })
    }
}
