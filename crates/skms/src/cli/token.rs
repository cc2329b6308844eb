//! `skms token`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_wire::native::tokens::{CreateTokenRequest, CreateTokenResponse, TokenView};
use zeroize::Zeroizing;

use super::Global;
use super::error::Result;
use super::{duration, output};

/// Make, list, show and revoke tokens.
#[derive(Debug, Subcommand)]
pub enum Token {
    /// Make a token; its text is shown this once
    Create(Create),
    /// List the tokens
    List,
    /// Show a token's record
    Show {
        /// The token's identifier (not the token)
        id: String,
    },
    /// Revoke a token
    Revoke {
        /// The token's identifier (not the token)
        id: String,
    },
    /// Show who is asking
    #[command(name = "self")]
    Own,
}

/// Make a token.
#[derive(Debug, Args)]
pub struct Create {
    /// The principal it speaks for
    #[arg(long, value_name = "NAME")]
    principal: Option<String>,
    /// A group its principal is in; may be repeated
    #[arg(long, value_name = "NAME")]
    group: Vec<String>,
    /// How long it is good for, such as 12h or 30d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    ttl: Option<u64>,
    /// What it is for
    #[arg(long, value_name = "TEXT")]
    description: Option<String>,
    /// Write the token to this file (mode 0600) instead of showing it
    #[arg(long, short = 'o', value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Token {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Create(create) => {
                let request = CreateTokenRequest {
                    principal: create.principal,
                    groups: create.group,
                    ttl_seconds: create.ttl,
                    description: create.description,
                };
                let made = client.create_token(&request).await?;
                let principal = made.suspended.then(|| made.info.principal.clone());
                hand_out(made, create.out, global)?;
                match principal {
                    Some(name) => output::note(format!(
                        "skms: {name} is suspended: the token is refused until somebody does \
                         skms principal resume {name}"
                    )),
                    None => Ok(()),
                }
            }
            Self::List => {
                let tokens = super::every(async |page| client.tokens(&page).await).await?;
                global.show(&tokens, |tokens| {
                    let rows: Vec<_> = tokens.iter().map(row).collect();
                    output::table(&["ID", "PRINCIPAL", "GROUPS", "EXPIRES"], &rows)
                })
            }
            Self::Show { id } => global.show(&client.token(&id).await?, print),
            Self::Revoke { id } => {
                client.revoke_token(&id).await?;
                global.show(&serde_json::json!({ "revoked": id }), |_| {
                    output::line("The token is revoked.")
                })
            }
            Self::Own => global.show(&client.token_self().await?, |own| {
                output::fields(&[
                    ("principal", own.principal.clone()),
                    ("known by", own.authentication.clone()),
                    ("groups", own.groups.join(", ")),
                    ("namespace", own.namespace.clone()),
                    (
                        "token",
                        own.token
                            .as_ref()
                            .map(|token| token.id.clone())
                            .unwrap_or_default(),
                    ),
                ])
            }),
        }
    }
}

fn hand_out(answer: CreateTokenResponse, out: Option<PathBuf>, global: &Global) -> Result<()> {
    match out {
        None => global.show(&answer, |answer| output::line(answer.token.expose())),
        Some(path) => {
            let line = Zeroizing::new(format!("{}\n", answer.token.expose()));
            output::write_file(&path, line.as_bytes())?;
            global.show(&answer.info, print)
        }
    }
}

fn row(token: &TokenView) -> Vec<String> {
    let expires = token
        .expires_at
        .map_or("never".to_owned(), |at| at.to_string());
    vec![
        token.id.clone(),
        token.principal.clone(),
        token.groups.join(","),
        expires,
    ]
}

fn print(token: &TokenView) -> Result<()> {
    output::fields(&[
        ("id", token.id.clone()),
        ("principal", token.principal.clone()),
        ("groups", token.groups.join(", ")),
        ("namespace", token.namespace.clone()),
        ("created", token.created_at.to_string()),
        (
            "expires",
            token
                .expires_at
                .map_or("never".to_owned(), |at| at.to_string()),
        ),
        ("created by", token.created_by.clone().unwrap_or_default()),
        ("description", token.description.clone().unwrap_or_default()),
    ])
}
