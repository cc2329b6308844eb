//! One test case: what is expected, what happened, and the verdict.

use std::sync::{Arc, LazyLock};

use skms_crypto::Error;

/// What a vector says about an operation.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Expect {
    /// Must succeed and give exactly the stated output.
    Valid,
    /// Must be refused.
    Invalid,
    /// May be refused; if it succeeds, the output must be the stated one.
    Acceptable,
}

impl Expect {
    /// `Valid` for true, `Invalid` for false.
    pub fn when(valid: bool) -> Self {
        if valid {
            Expect::Valid
        } else {
            Expect::Invalid
        }
    }
}

/// Why the library would not do what a case asks.
#[derive(Clone, Debug)]
pub enum Refusal {
    /// It could, and the project's policy forbids it.
    Policy(String),
    /// It does not offer this algorithm, parameter or mode.
    NotOffered(String),
    /// It answered with an error, or a signature or tag was found wrong.
    Refused(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        match error {
            Error::RefusedByPolicy(why) => Refusal::Policy(why.to_owned()),
            Error::WeakKey(why) => Refusal::Policy(why.to_owned()),
            Error::Unsupported { .. } => Refusal::NotOffered(error.to_string()),
            other => Refusal::Refused(other.to_string()),
        }
    }
}

/// What the library did: it succeeded and the output was as stated (`true`)
/// or another (`false`), or it refused.
pub type Attempt = Result<bool, Refusal>;

/// A refusal because this project does not have the algorithm at all.
pub fn not_offered<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::NotOffered(what.into()))
}

/// A verdict of a verification: `false` counts as refused.
pub fn verdict(accepted: bool) -> Attempt {
    if accepted {
        Ok(true)
    } else {
        Err(Refusal::Refused("found to be wrong".to_owned()))
    }
}

/// How a case went.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// As the vector wants it.
    Passed,
    /// Not as the vector wants it.
    Failed(String),
    /// Valid, and refused by policy: neither a pass nor a failure.
    RefusedByPolicy(String),
    /// Not something this library does.
    NotApplicable(String),
}

/// Holds what happened against what was expected.
pub fn judge(expect: Expect, attempt: Attempt) -> Outcome {
    match (expect, attempt) {
        (Expect::Valid | Expect::Acceptable, Ok(true)) => Outcome::Passed,
        (Expect::Valid | Expect::Acceptable, Ok(false)) => {
            Outcome::Failed("succeeded with another output than stated".to_owned())
        }
        (Expect::Invalid, Ok(_)) => Outcome::Failed("accepted, though invalid".to_owned()),
        (_, Err(Refusal::NotOffered(what))) => Outcome::NotApplicable(what),
        (Expect::Invalid, Err(_)) => Outcome::Passed,
        (Expect::Acceptable, Err(_)) => Outcome::Passed,
        (Expect::Valid, Err(Refusal::Policy(why))) => Outcome::RefusedByPolicy(why),
        (Expect::Valid, Err(Refusal::Refused(why))) => {
            Outcome::Failed(format!("refused, though valid: {why}"))
        }
    }
}

/// A case, not yet run.
pub struct Case {
    /// How the vector file names it.
    pub id: String,
    /// Runs it.
    pub run: Box<dyn FnOnce() -> Outcome + Send>,
}

impl Case {
    /// A case that attempts something and is judged by `expect`.
    pub fn new(
        id: impl ToString,
        expect: Expect,
        attempt: impl FnOnce() -> Attempt + Send + 'static,
    ) -> Self {
        Self {
            id: id.to_string(),
            run: Box::new(move || judge(expect, attempt())),
        }
    }

    /// A case whose outcome is known without running anything.
    pub fn decided(id: impl ToString, refusal: Refusal) -> Self {
        Self {
            id: id.to_string(),
            run: Box::new(move || match refusal {
                Refusal::Policy(why) => Outcome::RefusedByPolicy(why),
                Refusal::NotOffered(what) => Outcome::NotApplicable(what),
                Refusal::Refused(why) => Outcome::Failed(why),
            }),
        }
    }
}

/// Something costly that several cases share, made by the first that needs
/// it: an imported RSA key, for instance.
pub struct Shared<T>(Arc<LazyLock<Fallible<T>, Maker<T>>>);

type Fallible<T> = Result<T, Refusal>;
type Maker<T> = Box<dyn FnOnce() -> Fallible<T> + Send>;

impl<T: Send + Sync + 'static> Shared<T> {
    /// To be made by `make`, once.
    pub fn new(make: impl FnOnce() -> Fallible<T> + Send + 'static) -> Self {
        let make: Maker<T> = Box::new(make);
        Self(Arc::new(LazyLock::new(make)))
    }

    /// The thing, or why it could not be made.
    pub fn get(&self) -> Result<&T, Refusal> {
        match &**self.0 {
            Ok(thing) => Ok(thing),
            Err(refusal) => Err(refusal.clone()),
        }
    }
}

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}
