//! `skms approval`: what waits for the approval of others.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use skms_engine::approvals::{Facts, Statement, Thing, Who, open_attested, open_own};
use skms_wire::Moment;
use skms_wire::native::ProblemKind;
use skms_wire::native::approvals::{
    ApprovalGiven, ApprovalMark, ApprovalTarget, ApprovalView, ApprovalWho, ApproveRequest,
    RejectApprovalRequest,
};

use super::error::{CliError, Result};
use super::exit::Exit;
use super::{Global, every, input, output};

/// The longest request and key that are read, in bytes.
const REQUEST_MAX: u64 = 8 << 20;
const KEY_MAX: u64 = 64 << 10;

/// See what waits for approval, approve of it and reject it.
#[derive(Debug, Subcommand)]
pub enum Approval {
    /// List the requests for approval, newest first
    List {
        /// Also those that were used, rejected or have expired
        #[arg(long)]
        all: bool,
    },
    /// Show what is to be approved, and who approved
    Show {
        /// The request
        request: String,
    },
    /// Approve of a request
    Approve(Approve),
    /// Reject a request: nothing is done by it any more
    Reject {
        /// The request
        request: String,
        /// Why
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Print the public key by which the server signs for approvers
    Key {
        /// Where to write it; standard output if left out
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Check a request and its approvals; needs no server
    Verify(Verify),
}

/// Approve of a request.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    skms approval show 0192f0c1-...            # what is it?\n  \
    skms approval approve 0192f0c1-... --hash 5f70bf...\n  \
    skms approval approve 0192f0c1-... --sign --client-cert me.pem --client-key me.key")]
pub struct Approve {
    /// The request
    request: String,
    /// The hash that `skms approval show` showed: what is approved must be just
    /// that. Left out, it is computed from what the server shows now
    #[arg(long)]
    hash: Option<String>,
    /// Sign the approval by one's own certified key (--client-cert, --client-key)
    #[arg(long)]
    sign: bool,
    /// How long the approval counts, as in 30m or 8h
    #[arg(long, value_name = "TIME")]
    valid_for: Option<String>,
}

/// Check a request and its approvals.
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  \
    skms approval key -o approvals.pem         # before anything is approved\n  \
    skms --json approval show ID > request.json\n  \
    skms approval verify request.json --key approvals.pem")]
pub struct Verify {
    /// The request, as `skms --json approval show` wrote it
    request: PathBuf,
    /// The server's public key, for approvals that it signed
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Approval {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        match self {
            Self::Verify(command) => verify(global, &command),
            Self::List { all } => {
                let client = global.client()?;
                let mut found = every(async |page| client.approvals(&page).await).await?;
                found.retain(|one| all || one.state == "pending");
                global.show(&found, |found| {
                    let rows: Vec<_> = found.iter().map(row).collect();
                    let columns = [
                        "ID",
                        "ACTION",
                        "TARGET",
                        "BY",
                        "APPROVALS",
                        "UNTIL",
                        "STATE",
                    ];
                    output::table(&columns, &rows)
                })
            }
            Self::Show { request } => {
                let found = global.client()?.approval(&request).await?;
                is_what_it_says(&found)?;
                global.show(&found, print)
            }
            Self::Approve(command) => approve(global, &command).await,
            Self::Reject { request, reason } => {
                let request_body = RejectApprovalRequest { reason };
                let client = global.client()?;
                let done = client.reject_approval(&request, &request_body).await?;
                global.show(&done, |done| {
                    output::line(format!("The request {} is rejected.", done.id))
                })
            }
            Self::Key { out } => {
                let key = global.client()?.approval_key().await?;
                match out {
                    Some(path) => output::write_file(&path, key.public_key.as_bytes()),
                    None => global.show(&key, |key| output::line(key.public_key.trim_end())),
                }
            }
        }
    }
}

async fn approve(global: &Global, command: &Approve) -> Result<()> {
    let client = global.client()?;
    let found = client.approval(&command.request).await?;
    // What is signed is what is shown here, not what a server calls its hash.
    let facts = is_what_it_says(&found)?;
    if let Some(hash) = &command.hash
        && !hash.eq_ignore_ascii_case(&found.hash)
    {
        return Err(CliError::new(
            Exit::Verification,
            "the request is not the one that has this hash: look at it again",
        ));
    }
    let valid_seconds = (command.valid_for.as_deref())
        .map(super::duration::seconds)
        .transpose()
        .map_err(CliError::usage)?;
    let statement = match command.sign {
        false => None,
        true => Some(sign(global, &facts, valid_seconds).await?),
    };
    let request = ApproveRequest {
        hash: found.hash.clone(),
        valid_seconds: valid_seconds.filter(|_| statement.is_none()),
        statement,
    };
    let done = client.approve(&command.request, &request).await;
    let done = done.map_err(|error| twice(error.into()))?;
    global.show(&done, |done| {
        output::line(format!("Approved: {}.", done.words))?;
        print_standing(done)
    })
}

/// A second approval is no name that is taken.
fn twice(error: CliError) -> CliError {
    let kind = error.problem.as_ref().and_then(|problem| problem.kind());
    match kind == Some(ProblemKind::AlreadyExists) {
        true => CliError {
            message: "you have approved of this request already, and that counts still".to_owned(),
            hint: None,
            ..error
        },
        false => error,
    }
}

/// A statement signed by the caller's certified key.
async fn sign(global: &Global, facts: &Facts, valid_seconds: Option<u64>) -> Result<String> {
    let (certificates, key) = global.identity_files()?.ok_or_else(|| {
        CliError::usage("a signed approval needs a client certificate and its key")
            .hint("--client-cert and --client-key; `skms cert issue --principal` makes one")
    })?;
    let certificates = input::read_text(&certificates, KEY_MAX)?;
    let key = input::read(&key, KEY_MAX)?;
    let own = global.client()?.token_self().await?;
    let approver = Who {
        kind: "certificate".to_owned(),
        namespace: own.namespace,
        name: own.principal,
    };
    let now = time::OffsetDateTime::now_utc().unix_timestamp();
    let valid = valid_seconds.and_then(|all| i64::try_from(all).ok());
    let ends = valid.map_or(facts.expires_at, |valid| now.saturating_add(valid));
    let ends = ends.min(facts.expires_at);
    Statement::new(facts, approver, (now, ends))
        .sign_by(&certificates, &key)
        .map_err(|error| CliError::usage(error.to_string()))
}

fn who(who: &ApprovalWho) -> Who {
    Who {
        kind: who.kind.clone(),
        namespace: who.namespace.clone(),
        name: who.name.clone(),
    }
}

fn thing(target: &ApprovalTarget) -> Thing {
    Thing {
        action: target.action.clone(),
        kind: target.kind.clone(),
        name: target.name.clone(),
        id: target.id.clone(),
        standing: target.standing.clone(),
    }
}

/// What a request says, if that has the hash that it claims.
fn is_what_it_says(view: &ApprovalView) -> Result<Facts> {
    let parameters = view.parameters.iter();
    let facts = Facts {
        id: view.id.clone(),
        install: view.install.clone(),
        namespace: view.namespace.clone(),
        namespace_id: view.namespace_id.clone(),
        target: thing(&view.target),
        beside: view.beside.iter().map(thing).collect(),
        operation: view.operation.clone(),
        parameters: parameters
            .map(|one| (one.name.clone(), one.value.clone()))
            .collect(),
        secrets: view.secrets.clone(),
        requester: who(&view.requester),
        reason: view.reason.clone(),
        requested_at: view.requested_at.unix_seconds(),
        expires_at: view.expires_at.unix_seconds(),
    };
    let hash: String = facts
        .hash()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    match hash == view.hash {
        true => Ok(facts),
        false => Err(CliError::new(
            Exit::Verification,
            "what is shown does not have the hash that it comes with: do not approve of it",
        )),
    }
}

fn verify(global: &Global, command: &Verify) -> Result<()> {
    let text = input::read_text(&command.request, REQUEST_MAX)?;
    let view: ApprovalView = serde_json::from_str(&text)
        .map_err(|error| CliError::usage(format!("not a request for approval: {error}")))?;
    let facts = is_what_it_says(&view)?;
    let key = match &command.key {
        Some(path) => Some(input::read(path, KEY_MAX)?),
        None => None,
    };
    // What was used counted when it was used; anything else has to count now.
    let used = (view.state == "used").then_some(view.ended_at).flatten();
    let at = used.map_or_else(
        || time::OffsetDateTime::now_utc().unix_timestamp(),
        |at| at.unix_seconds(),
    );
    let mut rows: Vec<Checked> = Vec::new();
    for given in &view.approvals {
        let refused = |why: String| {
            let who = who(&given.by).path();
            CliError::new(Exit::Verification, format!("the approval of {who}: {why}"))
        };
        let (statement, by) = match given.own_key {
            true => {
                let opened = open_own(&given.statement);
                let (statement, chain) = opened.map_err(|error| refused(error.to_string()))?;
                let certificate = chain.first().map(Vec::as_slice).unwrap_or_default();
                let digest = skms_crypto::hash::sha256(&[certificate]);
                let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                (statement, format!("the certificate {digest}"))
            }
            false => {
                let key = key.as_ref().ok_or_else(|| {
                    CliError::usage("an approval was signed by the server: give its --key")
                })?;
                let opened = open_attested(&given.statement, key);
                let statement = opened.map_err(|error| refused(error.to_string()))?;
                (statement, "the server".to_owned())
            }
        };
        statement
            .is_for(&facts)
            .map_err(|error| refused(error.to_string()))?;
        if statement.approver != who(&given.by) {
            return Err(refused("somebody else's statement".to_owned()));
        }
        let why_not = match &given.void {
            _ if statement.expires_at < at => Some(format!(
                "it expired at {}",
                Moment::from_unix_seconds(statement.expires_at)
            )),
            _ if statement.approver.is(&facts.requester) => {
                Some("it is the requester's own".to_owned())
            }
            _ if rows.iter().any(|one| one.by.is(&statement.approver)) => {
                Some("it is a second one".to_owned())
            }
            void => void.clone().filter(|_| used.is_none()),
        };
        rows.push(Checked {
            by: statement.approver,
            signed_by: by,
            own: given.own_key,
            why_not,
        });
    }
    let marks: Vec<_> = view
        .marks
        .iter()
        .map(|mark| standing(mark, &rows))
        .collect();
    // A rejection or an end ends what was approved, too.
    let ended = (used.is_none() && view.state != "pending") || facts.expires_at < at;
    let approved = !marks.is_empty() && marks.iter().all(|(have, of)| have >= of) && !ended;
    let told = in_words(&view, &marks, (approved, ended));
    let result = serde_json::json!({
        "hash": view.hash,
        "words": facts.in_words(),
        "approved": approved,
        "marks": marks.iter().map(|(have, of)| serde_json::json!({"approvals": have, "of": of}))
            .collect::<Vec<_>>(),
        "approvals": rows.iter().map(|one| serde_json::json!({
            "by": one.by.path(), "signed_by": one.signed_by, "void": one.why_not,
        })).collect::<Vec<_>>(),
    });
    global.show(&result, |_| {
        output::line(facts.in_words())?;
        for one in &rows {
            let (who, by) = (one.by.path(), &one.signed_by);
            output::line(match &one.why_not {
                None => format!("Approved by {who}, signed by {by}."),
                Some(why) => format!("Does not count, of {who}, signed by {by}: {why}."),
            })?;
        }
        if approved {
            output::line(format!("{told}."))?;
        }
        output::line(
            "Whose a certificate is, whether it was revoked, and whether the mark accepts the \
             approver is not looked at here.",
        )
    })?;
    match approved {
        true => Ok(()),
        false => Err(CliError::new(Exit::Verification, told)),
    }
}

/// An approval whose signature holds.
struct Checked {
    by: Who,
    signed_by: String,
    own: bool,
    why_not: Option<String>,
}

/// How many approvals a mark has, and needs.
fn standing(mark: &ApprovalMark, rows: &[Checked]) -> (u64, u64) {
    let counting = rows.iter().filter(|one| one.why_not.is_none());
    let have = counting.filter(|one| one.own || !mark.signed).count();
    (have as u64, mark.approvals.max(1))
}

/// "0 of 2: not approved".
fn in_words(view: &ApprovalView, marks: &[(u64, u64)], (approved, ended): (bool, bool)) -> String {
    let counts: Vec<_> = marks
        .iter()
        .map(|(have, of)| format!("{have} of {of}"))
        .collect();
    let counts = match counts.is_empty() {
        true => "no mark".to_owned(),
        false => counts.join(", "),
    };
    match (approved, ended, view.state.as_str()) {
        (true, ..) => format!("{counts}: approved"),
        (false, true, "pending") => format!("{counts}: the request has expired"),
        (false, true, state) => format!("{counts}: the request is {state}"),
        (false, false, _) => format!("{counts}: not approved"),
    }
}

fn row(view: &ApprovalView) -> Vec<String> {
    vec![
        view.id.clone(),
        view.target.action.clone(),
        view.target.name.clone(),
        who(&view.requester).path(),
        counts(&view.approvals, &view.marks),
        view.expires_at.to_string(),
        view.state.clone(),
    ]
}

/// "1 of 2": as far as that can be told from outside.
fn counts(given: &[ApprovalGiven], marks: &[ApprovalMark]) -> String {
    let counting = given.iter().filter(|one| one.void.is_none()).count();
    let wanted = marks.iter().map(|mark| mark.approvals).max().unwrap_or(0);
    format!("{counting} of {wanted}")
}

fn print(view: &ApprovalView) -> Result<()> {
    let requester = who(&view.requester).path();
    output::line(format!("Request    {} ({})", view.id, view.state))?;
    output::line(format!("Asked by   {requester} ({})", view.requester.kind))?;
    output::line(format!("Asked at   {}", view.requested_at))?;
    output::line(format!("Until      {}", view.expires_at))?;
    for thing in std::iter::once(&view.target).chain(&view.beside) {
        output::line(format!(
            "To do      {} on the {} {}",
            thing.action, thing.kind, thing.name
        ))?;
        if let Some(id) = &thing.id {
            output::line(format!("           which is {id} ({})", thing.standing))?;
        }
    }
    output::line(format!("By         {}", view.operation))?;
    for one in &view.parameters {
        output::line(format!("With       {}", parameter(&one.name, &one.value)))?;
    }
    if view.secrets.is_some() {
        output::line("With       secrets that are not shown")?;
    }
    if let Some(reason) = &view.reason {
        output::line(format!("Because    {reason}"))?;
    }
    output::line(format!("Hash       {}", view.hash))?;
    print_standing(view)
}

/// A parameter as people read it. What is no text, could be taken for something
/// else than a text, or would move the cursor, stays as JSON has it.
fn parameter(name: &str, value: &str) -> String {
    let name = match (name.strip_prefix(':'), name.strip_prefix('?')) {
        (Some(name), _) => format!("{name} (of the path)"),
        (_, Some(name)) => format!("{name} (of the query)"),
        _ => name.to_owned(),
    };
    let text = serde_json::from_str::<String>(value).ok().filter(|text| {
        let strange = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
        !text.trim().is_empty()
            && !text.chars().any(strange)
            && serde_json::from_str::<serde_json::Value>(text).is_err()
    });
    match text {
        // Texts with lines, such as policies, are read as they are written.
        Some(text) if text.contains('\n') => {
            let lines: Vec<_> = text.trim_end().lines().collect();
            format!("{name} =\n  | {}", lines.join("\n  | "))
        }
        Some(text) => format!("{name} = {text}"),
        None => format!("{name} = {value}"),
    }
}

fn print_standing(view: &ApprovalView) -> Result<()> {
    for mark in &view.marks {
        let of = match mark.approvers.as_slice() {
            [] => "anybody who may approve".to_owned(),
            some => some.join(", "),
        };
        let signed = if mark.signed {
            ", signed by their own keys"
        } else {
            ""
        };
        output::line(format!(
            "Needs      {} of {of}{signed} ({})",
            mark.approvals, mark.policy
        ))?;
    }
    for given in &view.approvals {
        let by = if given.own_key { "own key" } else { "server" };
        let void = given
            .void
            .as_deref()
            .map(|why| format!("; does not count: {why}"));
        output::line(format!(
            "Approved   {} at {}, until {}, signed by: {by}{}",
            who(&given.by).path(),
            given.at,
            given.expires_at,
            void.unwrap_or_default()
        ))?;
    }
    if let (Some(by), Some(at)) = (&view.ended_by, view.ended_at) {
        let why = view.why.as_deref().map(|why| format!(": {why}"));
        let why = why.unwrap_or_default();
        output::line(format!("Ended      {} by {by} at {at}{why}", view.state))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_read_as_they_are_and_taken_for_nothing_else() {
        for (name, value, shown) in [
            (":namespace", "\"root\"", "namespace (of the path) = root"),
            ("?force", "true", "force (of the query) = true"),
            ("version", "2", "version = 2"),
            ("text", "\"2\"", "text = \"2\""),
            ("text", "\"\"", "text = \"\""),
            ("text", "\"a\\u001bb\"", "text = \"a\\u001bb\""),
            ("policy", "\"a\\nWith b\\n\"", "policy =\n  | a\n  | With b"),
        ] {
            assert_eq!(parameter(name, value), shown);
        }
    }
}
