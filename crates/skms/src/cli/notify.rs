//! `skms notify`: where notifications of events go.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_client::Client;
use skms_wire::native::notifications::{
    ChannelSecretResponse, ChannelTested, ChannelView, CreateChannelRequest, DeadLetterView,
    DeadLettersRequest, RotateChannelSecretRequest, UpdateChannelRequest,
};
use skms_wire::native::terms::Outcome;
use zeroize::Zeroizing;

use super::Global;
use super::error::{CliError, Result};
use super::exit::Exit;
use super::output::{self, NewFile};

/// Have events delivered to webhooks and mailboxes.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Add a channel: events are delivered to it from now on
    #[command(subcommand)]
    Add(Add),
    /// List the channels, and how they stand
    List,
    /// Show a channel, and how it stands
    Show {
        /// Its name
        name: String,
    },
    /// Change a channel
    Update(Update),
    /// Delete a channel, with what waits and its dead letters
    Remove {
        /// Its name
        name: String,
    },
    /// Give a webhook another secret; the one before signs beside it for a while
    RotateSecret(RotateSecret),
    /// Send a message now, and say what came of it
    Test {
        /// The channel's name
        name: String,
    },
    /// List the notifications that were given up, of one channel or of all
    DeadLetters {
        /// The channel's name
        name: Option<String>,
    },
    /// Deliver dead letters after all
    Retry(Which),
    /// Let dead letters go; their events stay in the record
    Discard(Which),
}

/// Which kind of channel.
#[derive(Debug, Subcommand)]
pub enum Add {
    /// Each event as a signed request to a web server
    Webhook(Webhook),
    /// Events by mail, those of a minute in one message
    Email(Email),
}

/// Which events.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Only these actions: key.revoke, or key.* for all that begin so; all if
    /// left out
    #[arg(long = "on", value_name = "ACTION", value_delimiter = ',')]
    actions: Vec<String>,
    /// Only those that ended so: success, denied, failed
    #[arg(long = "outcome", value_name = "OUTCOME", value_delimiter = ',')]
    outcomes: Vec<Outcome>,
    /// Only these targets, by their whole names (team/default/orders) or the
    /// last part; * stands for any characters, ? for one
    #[arg(long = "target", value_name = "NAME", value_delimiter = ',')]
    targets: Vec<String>,
    /// Do not deliver yet
    #[arg(long)]
    disabled: bool,
}

/// Each event as a signed request to a web server.
#[derive(Debug, Args)]
#[command(
    after_help = "Example:\n  skms notify add webhook pager --url https://hooks.example.org/skms \\\n    --on 'key.revoke,token.*' --secret-out pager.secret"
)]
pub struct Webhook {
    /// The channel's name
    name: String,
    /// The server's address
    #[arg(long)]
    url: String,
    /// Write the secret to this file (mode 0600) instead of showing it
    #[arg(long, value_name = "FILE")]
    secret_out: Option<PathBuf>,
    #[command(flatten)]
    wanted: Wanted,
}

/// Events by mail, those of a minute in one message.
#[derive(Debug, Args)]
pub struct Email {
    /// The channel's name
    name: String,
    /// A mailbox; may be repeated
    #[arg(long, value_name = "MAILBOX", required = true)]
    to: Vec<String>,
    #[command(flatten)]
    wanted: Wanted,
}

/// Change a channel.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true))]
pub struct Update {
    /// The channel's name
    name: String,
    /// Another address, of a webhook
    #[arg(long, group = "what")]
    url: Option<String>,
    /// Other mailboxes; may be repeated
    #[arg(long, value_name = "MAILBOX", group = "what")]
    to: Vec<String>,
    /// Other actions; '*' for all
    #[arg(
        long = "on",
        value_name = "ACTION",
        value_delimiter = ',',
        group = "what"
    )]
    actions: Vec<String>,
    /// Other outcomes
    #[arg(
        long = "outcome",
        value_name = "OUTCOME",
        value_delimiter = ',',
        group = "what"
    )]
    outcomes: Vec<Outcome>,
    /// Other targets; '*' for all
    #[arg(
        long = "target",
        value_name = "NAME",
        value_delimiter = ',',
        group = "what"
    )]
    targets: Vec<String>,
    /// Deliver, what is done from now on
    #[arg(long, group = "what", conflicts_with = "disable")]
    enable: bool,
    /// Deliver nothing
    #[arg(long, group = "what")]
    disable: bool,
}

/// Give a webhook another secret.
#[derive(Debug, Args)]
pub struct RotateSecret {
    /// The channel's name
    name: String,
    /// For how many seconds the one before signs beside it; a day if left out
    #[arg(long, value_name = "SECONDS")]
    overlap: Option<u64>,
    /// Write the secret to this file (mode 0600) instead of showing it
    #[arg(long, value_name = "FILE")]
    secret_out: Option<PathBuf>,
}

/// Which dead letters.
#[derive(Debug, Args)]
pub struct Which {
    /// The channel's name
    name: String,
    /// Their identifiers; all of the channel's if left out
    ids: Vec<String>,
}

impl Which {
    fn request(&self) -> DeadLettersRequest {
        DeadLettersRequest {
            ids: Some(self.ids.clone()).filter(|ids| !ids.is_empty()),
        }
    }
}

impl Notify {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        match self {
            Self::Add(add) => {
                let (request, out) = add.request();
                let out = out.as_deref().map(NewFile::create).transpose()?;
                hand_out(client.create_channel(&request).await?, out, global)
            }
            Self::List => {
                let all = super::every(async |page| client.channels(&page).await).await?;
                global.show(&all, |all| {
                    let rows: Vec<_> = all.iter().map(row).collect();
                    let columns = ["NAME", "KIND", "STATUS", "WAITING", "DEAD", "TO"];
                    output::table(&columns, &rows)
                })
            }
            Self::Show { name } => global.show(&client.channel(&name).await?, print),
            Self::Update(update) => {
                let (name, request) = update.request();
                global.show(&client.update_channel(&name, &request).await?, print)
            }
            Self::Remove { name } => {
                client.delete_channel(&name).await?;
                global.show(&serde_json::json!({ "deleted": name }), |_| {
                    output::line("The channel is deleted.")
                })
            }
            Self::RotateSecret(rotate) => {
                let request = RotateChannelSecretRequest {
                    overlap_seconds: rotate.overlap,
                };
                let out = rotate.secret_out.as_deref().map(NewFile::create);
                let out = out.transpose()?;
                let made = client.rotate_channel_secret(&rotate.name, &request).await?;
                hand_out(made, out, global)
            }
            Self::Test { name } => tested(&client.test_channel(&name).await?, global),
            Self::DeadLetters { name } => dead_letters(&client, name, global).await,
            Self::Retry(which) => {
                let request = which.request();
                let done = client.retry_dead_letters(&which.name, &request).await?;
                global.show(&done, |done| {
                    output::line(format!("{} are to be delivered.", done.count))
                })
            }
            Self::Discard(which) => {
                let request = which.request();
                let done = client.discard_dead_letters(&which.name, &request).await?;
                global.show(&done, |done| {
                    output::line(format!("{} are gone.", done.count))
                })
            }
        }
    }
}

fn words(outcomes: &[Outcome]) -> Vec<String> {
    outcomes.iter().map(Outcome::to_string).collect()
}

impl Add {
    fn request(self) -> (CreateChannelRequest, Option<PathBuf>) {
        let (name, url, to, wanted, out) = match self {
            Self::Webhook(one) => (
                one.name,
                Some(one.url),
                Vec::new(),
                one.wanted,
                one.secret_out,
            ),
            Self::Email(one) => (one.name, None, one.to, one.wanted, None),
        };
        let request = CreateChannelRequest {
            name,
            url,
            to,
            actions: wanted.actions,
            outcomes: words(&wanted.outcomes),
            targets: wanted.targets,
            enabled: !wanted.disabled,
        };
        (request, out)
    }
}

impl Update {
    fn request(self) -> (String, UpdateChannelRequest) {
        let some = |list: Vec<String>| Some(list).filter(|list| !list.is_empty());
        let enabled = match (self.enable, self.disable) {
            (true, _) => Some(true),
            (_, true) => Some(false),
            _ => None,
        };
        let request = UpdateChannelRequest {
            url: self.url,
            to: some(self.to),
            actions: some(self.actions),
            outcomes: some(words(&self.outcomes)),
            targets: some(self.targets),
            enabled,
        };
        (self.name, request)
    }
}

/// The file is begun before the secret is asked for: a secret is shown once, and
/// one that cannot be written would be lost.
fn hand_out(made: ChannelSecretResponse, out: Option<NewFile>, global: &Global) -> Result<()> {
    let Some((mut file, secret)) = out.zip(made.secret.as_ref()) else {
        return global.show(&made, |made| {
            print(&made.channel)?;
            match &made.secret {
                Some(secret) => output::fields(&[("secret", secret.expose().to_owned())]),
                None => Ok(()),
            }
        });
    };
    let line = Zeroizing::new(format!("{}\n", secret.expose()));
    file.put(line.as_bytes())?;
    file.finish()?;
    global.show(&made.channel, print)
}

/// That it was not taken is a failure of the command too.
fn tested(tested: &ChannelTested, global: &Global) -> Result<()> {
    global.show(tested, |tested| {
        let how = if tested.taken { "taken" } else { "not taken" };
        output::line(format!(
            "{how}: {} ({} ms)",
            tested.said, tested.milliseconds
        ))
    })?;
    match tested.taken {
        true => Ok(()),
        false => Err(CliError::new(Exit::Failure, "the message was not taken")),
    }
}

async fn dead_letters(client: &Client, name: Option<String>, global: &Global) -> Result<()> {
    let names = match name {
        Some(name) => vec![name],
        None => {
            let all = super::every(async |page| client.channels(&page).await).await?;
            let with = all.into_iter().filter(|one| one.dead_letters > 0);
            with.map(|one| one.name).collect()
        }
    };
    let mut found: Vec<(String, DeadLetterView)> = Vec::new();
    for name in names {
        let of = super::every(async |page| client.dead_letters(&name, &page).await).await?;
        found.extend(of.into_iter().map(|one| (name.clone(), one)));
    }
    global.show(&found, |found| {
        let rows: Vec<_> = found
            .iter()
            .map(|(channel, one)| {
                vec![
                    channel.clone(),
                    one.id.clone(),
                    one.sequence.to_string(),
                    one.action.clone(),
                    one.attempts.to_string(),
                    one.died_at.to_string(),
                    one.reason.clone(),
                ]
            })
            .collect();
        let columns = [
            "CHANNEL", "ID", "EVENT", "ACTION", "TRIES", "GIVEN UP", "WHY",
        ];
        output::table(&columns, &rows)
    })
}

fn address(one: &ChannelView) -> String {
    one.url.clone().unwrap_or_else(|| one.to.join(", "))
}

fn row(one: &ChannelView) -> Vec<String> {
    vec![
        one.name.clone(),
        one.kind.clone(),
        one.status.clone(),
        one.waiting.to_string(),
        one.dead_letters.to_string(),
        address(one),
    ]
}

fn print(one: &ChannelView) -> Result<()> {
    let list = |list: &[String]| match list.is_empty() {
        true => "all".to_owned(),
        false => list.join(", "),
    };
    let mut fields = vec![
        ("name", one.name.clone()),
        ("id", one.id.clone()),
        ("namespace", one.namespace.clone()),
        ("kind", one.kind.clone()),
        ("to", address(one)),
        ("actions", list(&one.actions)),
        ("outcomes", list(&one.outcomes)),
        ("targets", list(&one.targets)),
        ("status", one.status.clone()),
        ("delivered", one.delivered.to_string()),
        ("waiting", one.waiting.to_string()),
        ("dead letters", one.dead_letters.to_string()),
    ];
    let more = [
        ("failing since", one.failing_since.map(|at| at.to_string())),
        ("last error", one.last_error.clone()),
        (
            "last delivery",
            one.last_delivered_at.map(|at| at.to_string()),
        ),
        ("public key", one.public_key.clone()),
    ];
    fields.extend(
        more.into_iter()
            .filter_map(|(name, value)| Some((name, value?))),
    );
    fields.push(("created", one.created_at.to_string()));
    output::fields(&fields)
}
