//! Why nothing was issued, in words for whoever asked.

use std::fmt;

use crate::path::Refusal;

use super::lint::Finding;

macro_rules! demands {
    ($($(#[$doc:meta])* $variant:ident $name:literal;)*) => {
        /// A rule of a profile, or of the authority itself, that a request broke.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Demand { $($(#[$doc])* $variant,)* }

        impl Demand {
            /// Every demand, in the order of this list.
            #[must_use]
            pub const fn all() -> &'static [Demand] {
                &[$(Demand::$variant,)*]
            }

            /// Its name, made to be searched for: lower case with hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Demand::$variant => $name,)* }
            }
        }
    };
}

demands! {
    /// A key that is malformed, too weak, or of a kind outside the profile.
    Key "key";
    /// A subject that is missing, or has attributes outside the profile.
    Subject "subject";
    /// A common name that the profile does not let through.
    CommonName "common-name";
    /// No name of a form that must be there.
    NameMissing "name-missing";
    /// A name of a form that the profile does not allow.
    NameForm "name-form";
    /// A name that is none: NUL, letters outside ASCII, bad labels.
    NameSyntax "name-syntax";
    /// An international label that mixes scripts or looks like another.
    Homograph "homograph";
    /// A name outside the suffixes, domains, hosts or ranges of the profile.
    NameScope "name-scope";
    /// A wildcard where none is allowed.
    Wildcard "wildcard";
    /// A name or address that exists in no public network.
    InternalName "internal-name";
    /// More names than the profile allows.
    TooManyNames "too-many-names";
    /// A validity period that is empty, too long, or begins too early or late.
    Lifetime "lifetime";
    /// A validity period that reaches beyond the authority's own.
    AuthorityLifetime "authority-lifetime";
    /// Usages, purposes or constraints that the profile does not give.
    Usage "usage";
    /// No further authority may stand below this one.
    PathLength "path-length";
    /// Name constraints of the authority, or of one above it.
    NameConstraints "name-constraints";
    /// The authority may not issue, or not in this profile.
    Authority "authority";
    /// A serial number that is not the authority's to give.
    Serial "serial";
}

impl fmt::Display for Demand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A broken demand and what broke it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broken {
    /// Which demand.
    pub demand: Demand,
    /// What broke it, in words; it may quote the request.
    pub detail: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.demand, self.detail)
    }
}

/// What is found broken, collected so that one refusal names everything.
#[derive(Debug, Default)]
pub(crate) struct Breaches(Vec<Broken>);

impl Breaches {
    pub(crate) fn add(&mut self, demand: Demand, detail: impl Into<String>) {
        self.0.push(Broken {
            demand,
            detail: detail.into(),
        });
    }

    pub(crate) fn require(&mut self, good: bool, demand: Demand, detail: &str) {
        if !good {
            self.add(demand, detail);
        }
    }

    pub(crate) fn outcome(self) -> Result<(), IssueError> {
        if self.0.is_empty() {
            Ok(())
        } else {
            Err(IssueError::Refused(self.0))
        }
    }
}

/// Why nothing was issued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssueError {
    /// The requester's fault: rules that the request broke, all of them.
    #[error("refused: {}", Listed(.0))]
    Refused(Vec<Broken>),
    /// What was to be signed is malformed: the profile, the authority or this
    /// crate is at fault. Nothing was signed.
    #[error("not fit to be signed: {}", Listed(.0))]
    Unfit(Vec<Finding>),
    /// Our own validation would refuse the result below this authority.
    #[error("would not be valid below its authority: {0}")]
    Invalid(Box<Refusal>),
    /// Bytes that cannot be read.
    #[error(transparent)]
    Unreadable(#[from] crate::Error),
    /// The caller's mistake: a value that has no encoding, or a combination
    /// that makes no sense.
    #[error("cannot be written: {0}")]
    Input(&'static str),
    /// The signature that came back is not the authority's over these bytes.
    #[error("the signature does not hold: {0}")]
    Signature(&'static str),
}

struct Listed<'a, T>(&'a [T]);

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, one) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            one.fmt(f)?;
        }
        Ok(())
    }
}

impl IssueError {
    /// The demands that were broken, where the request was refused.
    #[must_use]
    pub fn demands(&self) -> Vec<Demand> {
        match self {
            Self::Refused(all) => all.iter().map(|broken| broken.demand).collect(),
            _ => Vec::new(),
        }
    }
}
