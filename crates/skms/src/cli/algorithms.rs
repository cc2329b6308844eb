//! `skms algorithms`.

use clap::{Args, Subcommand};
use skms_wire::Moment;
use skms_wire::native::health::{WithdrawAlgorithmRequest, WithdrawnAlgorithm};

use super::Global;
use super::error::Result;
use super::{every, output};

/// List the algorithms on offer, and withdraw those that are to be used no more.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Algorithms {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make no new key or version of an algorithm, and let none protect
    Withdraw(Withdraw),
    /// Take a withdrawal back
    Readmit {
        /// The algorithm
        algorithm: String,
    },
    /// List the withdrawn algorithms
    Withdrawn,
}

/// Withdraw an algorithm in all namespaces.
#[derive(Debug, Args)]
struct Withdraw {
    /// The algorithm
    algorithm: String,
    /// Why, for the record and for whoever is refused
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// Let its keys protect up to this time (RFC 3339); not any more if left
    /// out
    #[arg(long, value_name = "TIME")]
    after: Option<Moment>,
    /// What is to be used instead
    #[arg(long, value_name = "ALGORITHM")]
    successor: Option<String>,
    /// Only say which keys it would reach
    #[arg(long)]
    dry_run: bool,
}

impl Algorithms {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self.command {
            None => list(global).await,
            Some(Command::Withdraw(command)) => withdraw(global, command).await,
            Some(Command::Readmit { algorithm }) => {
                global.client()?.readmit_algorithm(&algorithm).await?;
                output::line(format!("{algorithm} is readmitted."))
            }
            Some(Command::Withdrawn) => {
                let client = global.client()?;
                let all = every(async |page| client.withdrawn_algorithms(&page).await).await?;
                global.show(&all, |all| {
                    let heading = ["NAME", "SINCE", "PROTECTS UNTIL", "SUCCESSOR", "REASON"];
                    output::table(&heading, &all.iter().map(row).collect::<Vec<_>>())
                })
            }
        }
    }
}

fn row(one: &WithdrawnAlgorithm) -> Vec<String> {
    vec![
        one.algorithm.clone(),
        one.withdrawn_at.to_string(),
        one.protects_until.to_string(),
        one.successor.clone().unwrap_or_else(|| "-".to_owned()),
        one.reason.clone(),
    ]
}

async fn withdraw(global: &Global, command: Withdraw) -> Result<()> {
    let request = WithdrawAlgorithmRequest {
        reason: command.reason,
        protects_until: command.after,
        successor: command.successor,
        dry_run: command.dry_run.then_some(true),
    };
    let client = global.client()?;
    let done = client
        .withdraw_algorithm(&command.algorithm, &request)
        .await?;
    global.show(&done, |done| {
        let one = &done.withdrawal;
        match command.dry_run {
            true => output::line("Nothing was changed.")?,
            false => output::line(format!(
                "{} is withdrawn; its keys protect until {}.",
                one.algorithm, one.protects_until
            ))?,
        }
        output::line(format!("{} keys of it could protect.", done.keys))?;
        for name in &done.named {
            match done.rotating.contains(name) {
                true => output::line(format!("{name} rotates by itself"))?,
                false => output::line(name)?,
            }
        }
        Ok(())
    })
}

async fn list(global: &Global) -> Result<()> {
    let answer = global.client()?.algorithms().await?;
    global.show(&answer, |answer| {
        let yes = |value: bool| if value { "yes" } else { "-" }.to_owned();
        let rows: Vec<_> = answer
            .items
            .iter()
            .map(|one| {
                let uses: Vec<_> = one.uses.iter().map(|one| one.word()).collect();
                vec![
                    one.name.clone(),
                    one.strength_bits.to_string(),
                    yes(one.post_quantum),
                    yes(one.fips),
                    yes(one.fips_module),
                    uses.join(","),
                ]
            })
            .collect();
        output::table(
            &["NAME", "BITS", "POST-QUANTUM", "FIPS", "MODULE", "USES"],
            &rows,
        )
    })
}
