//! Errors that say what to do next.

use std::fmt;
use std::io;

use skms_client::Error as ClientError;
use skms_wire::native::{Problem, ProblemKind};

use super::exit::Exit;

/// The result of a command.
pub type Result<T> = std::result::Result<T, CliError>;

/// Why a command did not do what was asked.
#[derive(Debug)]
pub struct CliError {
    /// How the process ends.
    pub exit: Exit,
    /// What went wrong, in a sentence without a full stop.
    pub message: String,
    /// What to do next.
    pub hint: Option<String>,
    /// What the server said, when it did.
    pub problem: Option<Box<Problem>>,
}

impl CliError {
    /// An error with a code and a message.
    pub fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self {
            exit,
            message: message.into(),
            hint: None,
            problem: None,
        }
    }

    /// The command line, a file or the configuration is at fault.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// A failure without a code of its own.
    pub fn failure(message: impl Into<String>) -> Self {
        Self::new(Exit::Failure, message)
    }

    /// Says what to do next.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Whether the reader of our output went away, which is no error.
    pub fn is_broken_pipe(&self) -> bool {
        self.message == BROKEN_PIPE
    }
}

const BROKEN_PIPE: &str = "nobody reads the output any more";

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Errors of writing to standard output.
impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::failure(BROKEN_PIPE),
            _ => Self::failure(format!("cannot write the output: {error}")),
        }
    }
}

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> Self {
        let exit = Exit::of_call(&error);
        let hint = hint(&error);
        let message = with_causes(&error);
        let problem = match error {
            ClientError::Problem(problem) => Some(problem),
            _ => None,
        };
        Self {
            exit,
            message,
            hint,
            problem,
        }
    }
}

/// An error and what caused it, in one line.
pub fn with_causes(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        cause = error.source();
    }
    message
}

fn hint(error: &ClientError) -> Option<String> {
    let text = match error {
        ClientError::Unreachable { .. } => {
            "is the server running? Start it with `skms serve`, or point SKMS_ADDR at it"
        }
        ClientError::Tls { .. } => {
            "point SKMS_CACERT at the authority that issued the server's certificate; \
             a server with its own certificate keeps it in <data-dir>/ca.pem"
        }
        ClientError::Timeout { .. } | ClientError::Broken { .. } => {
            "it is not known whether the act was done; look before you repeat it"
        }
        ClientError::Problem(problem) if is_compromised(problem) => {
            "what it protected opens again, for a while, under a recovery grant: `skms key grant`"
        }
        ClientError::Problem(problem) => return problem_hint(problem),
        _ => return None,
    };
    Some(text.to_owned())
}

/// Whether a version's state forbids what was asked for because it is
/// compromised.
fn is_compromised(problem: &Problem) -> bool {
    let detail = problem.detail.as_deref().unwrap_or_default();
    problem.kind() == Some(ProblemKind::WrongState) && detail.contains("is compromised")
}

fn problem_hint(problem: &Problem) -> Option<String> {
    use ProblemKind as P;
    let text = match problem.kind()? {
        P::Sealed => "unseal it with `skms unseal`",
        P::Uninitialized => "set the store up with `skms init` on the server's machine",
        P::Unauthenticated => {
            "set SKMS_TOKEN, or give --token-file or a client certificate; \
             a token may also have lapsed or been revoked"
        }
        P::Forbidden => "ask for a policy that permits it; `skms token self` shows who you are",
        P::ApprovalRequired => {
            let id = problem.approval.as_deref()?;
            return Some(approval_hint(id, arguments()));
        }
        P::ApprovalRefused => "`skms approval show` says how the request stands",
        P::NotFound => {
            "check the name and the namespace (--namespace); \
             what no policy lets you see looks absent too"
        }
        P::WrongState => "`skms key show --versions` shows each version's state",
        P::UseLimit => "rotate the key with `skms key rotate`",
        P::DecryptionFailed => "is it the right key, and the same --aad as when encrypting?",
        P::NotExportable => "keys leave only if created with --exportable",
        P::PayloadTooLarge => "encrypt large data with `skms encrypt --age`",
        P::AlreadyExists if says(problem, "of that name") => "choose another name",
        P::Internal | P::StorageCorrupt => "the server's log has the cause under the same request",
        P::Unavailable | P::TooManyRequests | P::IdempotencyKeyInUse => "try again shortly",
        P::QuotaExceeded => "remove what is not needed, or have it raised with `skms limits set`",
        P::SecretAlreadyGiven => {
            "the first answer had the token and is gone: \
             `skms token revoke` it by that identifier, and make a new one"
        }
        _ => return None,
    };
    Some(text.to_owned())
}

fn says(problem: &Problem, text: &str) -> bool {
    (problem.detail.as_ref()).is_some_and(|detail| detail.contains(text))
}

/// What this process was called with: secrets are never among it.
pub fn arguments() -> Vec<String> {
    let all = std::env::args_os().skip(1);
    all.map(|one| one.to_string_lossy().into_owned()).collect()
}

/// What to do about an act that waits for the approval `id`, and how to call
/// then.
pub fn approval_hint(id: &str, mut arguments: Vec<String>) -> String {
    // It was for this request, which has it now.
    take(&mut arguments, "--approval-reason");
    let approvals = match take(&mut arguments, "--approval") {
        Some(named) if named.split(',').any(|one| one.trim() == id) => named,
        Some(named) => format!("{named},{id}"),
        None => id.to_owned(),
    };
    arguments.extend(["--approval".to_owned(), approvals]);
    let repeated: Vec<_> = arguments.iter().map(|one| quoted(one)).collect();
    format!(
        "others see it with `skms approval show {id}` and approve with `skms approval approve \
         {id}`; then repeat it:\n  skms {}",
        repeated.join(" ")
    )
}

/// Takes an option out of a command line, with its value.
pub fn take(arguments: &mut Vec<String>, option: &str) -> Option<String> {
    let is_with = |one: &String| {
        one.strip_prefix(option)
            .is_some_and(|rest| rest.starts_with('='))
    };
    let at = (arguments.iter()).position(|one| one == option || is_with(one))?;
    let found = arguments.remove(at);
    match found.split_once('=') {
        Some((_, value)) => Some(value.to_owned()),
        None if at < arguments.len() => Some(arguments.remove(at)),
        None => None,
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./:=,@%+".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_keeps_its_words_and_gains_a_hint() {
        let problem = Problem::new(ProblemKind::Sealed).with_detail("nothing can be read");
        let error = CliError::from(ClientError::Problem(Box::new(problem)));
        assert_eq!(error.exit, Exit::Sealed);
        assert!(error.to_string().contains("nothing can be read"));
        assert!(error.hint.unwrap().contains("skms unseal"));
    }

    #[test]
    fn what_is_compromised_leads_to_the_grant() {
        let hint = |detail: &str| {
            let problem = Problem::new(ProblemKind::WrongState).with_detail(detail);
            CliError::from(ClientError::Problem(Box::new(problem)))
                .hint
                .unwrap()
        };
        let compromised = "version 1 is compromised: it may not be used to decrypt";
        assert!(hint(compromised).contains("skms key grant"));
        let suspended = "version 1 is suspended: it may not be used to decrypt";
        assert!(hint(suspended).contains("skms key show"));
    }

    #[test]
    fn what_waits_for_approval_is_repeated_as_it_was() {
        let said = |line: &[&str]| {
            let line = line.iter().map(|&one| one.to_owned()).collect();
            let said = approval_hint("id", line);
            said.rsplit_once("\n  ").unwrap().1.to_owned()
        };
        assert_eq!(
            said(&[
                "key",
                "destroy",
                "k",
                "--approval-reason",
                "it's",
                "-n",
                "a b"
            ]),
            "skms key destroy k -n 'a b' --approval id"
        );
        assert_eq!(said(&["x", "--approval=id"]), "skms x --approval id");
        assert_eq!(
            said(&["--approval", "other", "x", "it's"]),
            r"skms x 'it'\''s' --approval other,id"
        );
    }

    #[test]
    fn causes_are_told_once() {
        let refused = ClientError::Unreachable {
            address: "https://x:1".into(),
            source: io::ErrorKind::ConnectionRefused.into(),
        };
        assert_eq!(
            with_causes(&refused),
            "cannot reach https://x:1: connection refused"
        );
    }
}
