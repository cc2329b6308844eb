//! `skms key compromise`.

use std::time::Duration;

use clap::Args;
use skms_wire::Moment;
use skms_wire::native::incidents::{CompromisePlan, CompromiseRequest, IncidentView};
use skms_wire::native::terms::{IncidentReach, IncidentRotation};

use crate::cli::error::Result;
use crate::cli::keyname::KeyName;
use crate::cli::{Global, incident, output, progress};

/// Between two looks at how far it has come.
const LOOK: Duration = Duration::from_millis(250);

/// Mark a key as compromised, with everything that depends on it: when this
/// returns, no use of them succeeds any more. What is left (marking dependents,
/// certificates, tokens, new versions) is done behind it, and a signed report
/// stands at its end.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    skms key compromise master --reason 'backup tape lost' --since 2026-03-01T00:00:00Z --dry-run\n  \
    skms key compromise master --reason 'backup tape lost' --since 2026-03-01T00:00:00Z --wait\n  \
    skms incident show ID --report report.jws")]
pub struct Compromise {
    /// The key: KEYRING/NAME or NAME
    key: KeyName,
    /// Why, in words; kept in the record and the report
    #[arg(long, value_name = "TEXT")]
    reason: String,
    /// The version; all if left out
    #[arg(long, value_name = "NUMBER")]
    version: Option<u32>,
    /// Since when somebody else may have had it (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    since: Option<Moment>,
    /// How far it goes along the lineage: none, direct, all
    #[arg(long, value_name = "REACH")]
    cascade: Option<IncidentReach>,
    /// What is given a new version: none, rule (what has one), all
    #[arg(long, value_name = "WHAT")]
    rotate: Option<IncidentRotation>,
    /// Show what it would touch, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait until everything is done
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
}

impl Compromise {
    /// Marks it, or shows what that would do.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let (keyring, name) = (&self.key.keyring, &self.key.name);
        let request = CompromiseRequest {
            reason: self.reason,
            version: self.version,
            since: self.since,
            cascade: self.cascade,
            rotate: self.rotate,
        };
        if self.dry_run {
            let work = client.plan_compromise(keyring, name, &request);
            let plan = progress::wait("Following the lineage", work).await?;
            return global.show(&plan, print_plan);
        }
        let work = client.compromise_key(keyring, name, &request);
        let mut incident = progress::wait("Compromising", work).await?;
        if self.wait {
            let finish = async {
                while !incident.finished {
                    tokio::time::sleep(LOOK).await;
                    incident = client.incident(&incident.id).await?;
                }
                Ok::<_, crate::cli::error::CliError>(())
            };
            progress::wait("Waiting for the cascade", finish).await?;
        }
        global.show(&incident, print_incident)
    }
}

fn print_incident(incident: &IncidentView) -> Result<()> {
    output::line(in_words(incident))?;
    if incident.finished {
        incident::print(incident)?;
        return output::line(format!(
            "\nWhat to do now: skms incident show {}",
            incident.id
        ));
    }
    incident::print_order(incident)?;
    output::line(format!(
        "\nThe rest is being done. How far it has come, and what to do then: \
         skms incident show {}",
        incident.id
    ))
}

/// What was done, and no more than that.
fn in_words(incident: &IncidentView) -> String {
    let key = format!("{}/{}", incident.keyring, incident.key);
    let versions: Vec<_> = incident.versions.iter().map(u32::to_string).collect();
    let (what, them) = match versions.as_slice() {
        [] => (format!("{key} is compromised"), "it"),
        [one] => (format!("Version {one} of {key} is compromised"), "it"),
        many => {
            let many = many.join(", ");
            (format!("Versions {many} of {key} are compromised"), "them")
        }
    };
    let so = match incident.cascade {
        IncidentReach::None => {
            format!("no use of {them} succeeds any more; what depends on {them} stays in use")
        }
        IncidentReach::Direct => format!(
            "no use of {them} or of what depends on {them} directly succeeds any more; \
             what is further below stays in use"
        ),
        IncidentReach::All => {
            format!("no use of {them} or of what depends on {them} succeeds any more")
        }
    };
    format!("{what}; {so}.")
}

fn print_plan(plan: &CompromisePlan) -> Result<()> {
    output::line("Nothing was changed. This is what would be done:")?;
    incident::print_counts(&plan.incident)?;
    incident::print_touched(&plan.touched)?;
    if plan.report.is_null() {
        return output::line("Names and uses are shown to whoever may read incidents.");
    }
    let shown = u64::try_from(plan.touched.len()).unwrap_or(u64::MAX);
    if plan.incident.touched > shown {
        output::line(format!("... and {} more", plan.incident.touched - shown))?;
    }
    incident::print_report(&plan.report, true)
}
