//! `skms verdict`: what another system thinks of a principal or a key.

use clap::{Args, Subcommand};
use skms_wire::Moment;
use skms_wire::native::rules::SubmitVerdictRequest;

use super::Global;
use super::error::Result;
use super::keyname::KeyName;
use super::{output, rule};

/// Hand in verdicts, for rules to answer.
#[derive(Debug, Subcommand)]
pub enum Verdict {
    /// Hand in a verdict about a principal or a key
    Submit(Submit),
}

/// Hand in a verdict about a principal or a key.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("about").required(true))]
pub struct Submit {
    /// The principal that it is about
    #[arg(long, value_name = "NAME", group = "about")]
    principal: Option<String>,
    /// The key that it is about
    #[arg(long, value_name = "KEY", group = "about")]
    key: Option<KeyName>,
    /// How sure and how bad, from 0 to 1000
    #[arg(long, value_parser = clap::value_parser!(u16).range(0..=1000))]
    score: u16,
    /// Why, in words
    #[arg(long)]
    reason: String,
    /// An event that it rests on; may be repeated
    #[arg(long, value_name = "EVENT")]
    evidence: Vec<String>,
    /// When it ends: nothing is done by it after that
    #[arg(long, value_name = "TIME")]
    expires_at: Option<Moment>,
}

impl Verdict {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let Self::Submit(submit) = self;
        let (keyring, key) = match submit.key {
            Some(key) => (key.keyring, Some(key.name)),
            None => ("default".to_owned(), None),
        };
        let request = SubmitVerdictRequest {
            principal: submit.principal,
            keyring,
            key,
            score: submit.score,
            reason: submit.reason,
            evidence: submit.evidence,
            expires_at: submit.expires_at,
        };
        let answered = global.client()?.submit_verdict(&request).await?;
        global.show(&answered, |answered| {
            output::line(format!("The verdict is event {}.", answered.id))?;
            match answered.acts.is_empty() {
                true => output::line("No rule answers it."),
                false => rule::print_acts(&answered.acts),
            }
        })
    }
}
