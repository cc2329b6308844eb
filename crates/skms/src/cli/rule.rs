//! `skms rule`: rules that suspend, revoke, compromise and rotate by themselves.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_wire::native::rules::{
    PutRuleRequest, ReleaseRuleRequest, RuleActView, RuleTrial, RuleView, TestRuleRequest,
};

use super::Global;
use super::error::Result;
use super::{input, output};

/// The longest rule read, in bytes.
const RULE_MAX: u64 = 512 * 1024;

/// Let rules suspend, revoke, compromise and rotate by themselves.
#[derive(Debug, Subcommand)]
pub enum Rule {
    /// Write a rule, new or in place of the one so named
    Put(Put),
    /// List the rules
    List,
    /// Print a rule's text
    Show {
        /// The rule's name
        name: String,
    },
    /// Say what a rule would do now, without writing it
    Test {
        /// The name that it would have
        name: String,
        /// Its text; `-` for standard input
        #[arg(default_value = "-")]
        file: PathBuf,
    },
    /// List what rules did, newest first
    Acts {
        /// Only this rule's
        #[arg(long, value_name = "NAME")]
        rule: Option<String>,
    },
    /// Undo what a rule did, where there is a way back
    Undo {
        /// The act, as `skms rule acts` lists it
        act: String,
    },
    /// Let go the acts that a rule holds because it is over its limit
    Release {
        /// The rule's name
        name: String,
        /// Drop them in place of doing them
        #[arg(long)]
        discard: bool,
    },
    /// Delete a rule; what it did stays done
    Delete {
        /// The rule's name
        name: String,
    },
}

/// Write a rule, new or in place of the one so named.
#[derive(Debug, Args)]
#[command(after_help = "Example, in unused.cedar:\n  \
    @answer(\"suspend\") @limit(\"5 per day\")\n  \
    permit (principal, action == SKMS::Action::\"rule.time\", resource)\n  \
    when { resource.state == \"active\" && resource.unused_seconds > 7776000 };\n\n  \
    skms rule test unused unused.cedar\n  skms rule put unused unused.cedar")]
pub struct Put {
    /// The rule's name
    name: String,
    /// Its text; `-` for standard input
    #[arg(default_value = "-")]
    file: PathBuf,
    /// It only reports what it would do
    #[arg(long)]
    dry_run: bool,
    /// It is written and not asked
    #[arg(long)]
    disabled: bool,
}

impl Rule {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Put(put) => {
                let request = PutRuleRequest {
                    rule: input::read_text(&put.file, RULE_MAX)?,
                    enabled: !put.disabled,
                    dry_run: put.dry_run,
                };
                let written = client.put_rule(&put.name, &request).await?;
                global.show(&written, |written| {
                    output::line(format!(
                        "The rule {} is written (edition {}).",
                        written.rule.name, written.rule.edition
                    ))?;
                    print_trial(&written.trial)
                })
            }
            Self::List => {
                let rules = super::every(async |page| client.rules(&page).await).await?;
                global.show(&rules, |rules| {
                    let rows: Vec<_> = rules.iter().map(row).collect();
                    output::table(&["NAME", "ON", "ANSWER", "LIMIT", "HELD", "STATE"], &rows)
                })
            }
            Self::Show { name } => global.show(&client.rule(&name).await?, |rule| {
                output::line(rule.rule.as_deref().unwrap_or_default().trim_end())
            }),
            Self::Test { name, file } => {
                let request = TestRuleRequest {
                    name,
                    rule: input::read_text(&file, RULE_MAX)?,
                };
                global.show(&client.test_rule(&request).await?, print_trial)
            }
            Self::Acts { rule } => {
                let mut acts = super::every(async |page| client.rule_acts(&page).await).await?;
                acts.retain(|act| rule.as_ref().is_none_or(|name| act.rule == *name));
                global.show(&acts, |acts| print_acts(acts))
            }
            Self::Undo { act } => {
                let undone = client.undo_rule_act(&act).await?;
                global.show(&undone, |act| {
                    output::line(format!("Undone: {} of {}.", act.answer, subject(act)))
                })
            }
            Self::Release { name, discard } => {
                let request = ReleaseRuleRequest { discard };
                let released = client.release_rule(&name, &request).await?;
                global.show(&released, |released| {
                    output::line(match discard {
                        true => format!("{} acts are dropped.", released.acts),
                        false => format!("{} acts are released.", released.acts),
                    })
                })
            }
            Self::Delete { name } => {
                client.delete_rule(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The rule is deleted; what it did stays done.")
                })
            }
        }
    }
}

fn row(rule: &RuleView) -> Vec<String> {
    let state = match (rule.enabled, rule.dry_run) {
        (false, _) => "disabled",
        (true, true) => "dry run",
        (true, false) => "in force",
    };
    vec![
        rule.name.clone(),
        rule.triggers.join(","),
        rule.answer.clone(),
        rule.limit.clone(),
        rule.held.to_string(),
        state.to_owned(),
    ]
}

fn print_trial(trial: &RuleTrial) -> Result<()> {
    output::line(format!(
        "It would touch {} of {} keys now; its limit is {}.",
        trial.would_touch, trial.keys, trial.limit
    ))?;
    if trial.would_reach > 0 {
        output::line(format!(
            "It would compromise {} keys that depend on those with them (counted no further \
             than to what is over the limit).",
            trial.would_reach
        ))?;
    }
    if trial.would_hold {
        output::line(
            "That is over its limit: it does nothing until somebody runs `skms rule release`.",
        )?;
    }
    if trial.events_looked_at > 0 {
        output::line(format!(
            "{} of the latest {} events would have matched.",
            trial.events_matched, trial.events_looked_at
        ))?;
    }
    if trial.events_behind > 0 {
        output::line(format!(
            "{} events are not read yet: some of these keys may be in use.",
            trial.events_behind
        ))?;
    }
    for doubt in &trial.doubts {
        output::line(format!("Doubtful: {doubt}"))?;
    }
    let rows: Vec<_> = trial
        .some
        .iter()
        .map(|one| {
            vec![
                one.name.clone(),
                one.matched.clone(),
                one.kept_off.clone().unwrap_or_default(),
            ]
        })
        .collect();
    match rows.is_empty() {
        true => Ok(()),
        false => output::table(&["WOULD TOUCH", "BECAUSE", "KEPT OFF"], &rows),
    }
}

/// Prints acts of rules.
pub fn print_acts(acts: &[RuleActView]) -> Result<()> {
    let rows: Vec<_> = acts
        .iter()
        .map(|act| {
            vec![
                act.id.clone(),
                act.at.to_string(),
                act.rule.clone(),
                act.answer.clone(),
                subject(act),
                act.state.clone(),
                because(act),
            ]
        })
        .collect();
    let columns = ["ACT", "AT", "RULE", "ANSWER", "ABOUT", "STATE", "BECAUSE"];
    output::table(&columns, &rows)
}

fn because(act: &RuleActView) -> String {
    match (&act.why, &act.incident) {
        (Some(why), _) => why.clone(),
        (None, Some(incident)) => format!("{} (incident {incident})", act.matched),
        (None, None) => act.matched.clone(),
    }
}

fn subject(act: &RuleActView) -> String {
    match (&act.keyring, &act.key, &act.principal) {
        (Some(keyring), Some(key), _) => format!("{keyring}/{key}"),
        (_, _, Some(principal)) => principal.clone(),
        _ => String::new(),
    }
}
