//! How much work one validation may do.

use super::rule::{Checked, Rule, fail};

/// Limits of one validation, revocation included. What goes over one is
/// refused with [`Rule::WorkLimit`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Signature checks.
    pub signatures: u32,
    /// Comparisons of a name with a name constraint.
    pub comparisons: u64,
    /// Certificates tried as the issuer of another.
    pub candidates: u32,
    /// Certificates in a path, without the anchor.
    pub depth: usize,
    /// Everything else that evidence can make long: names compared, lists and
    /// responses searched, bytes hashed, certificates looked through. A step
    /// is about 64 bytes looked at, or one thing picked up.
    pub steps: u64,
}

/// What a validation took, in the units of [`Limits`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Signature checks.
    pub signatures: u32,
    /// Comparisons of a name with a name constraint.
    pub comparisons: u64,
    /// Certificates tried as the issuer of another.
    pub candidates: u32,
    /// Everything else.
    pub steps: u64,
}

impl Default for Limits {
    /// 128 signatures, 2^20 comparisons, 20,000 candidates, 24 certificates,
    /// 2^23 steps.
    fn default() -> Self {
        Self {
            signatures: 128,
            comparisons: 1 << 20,
            candidates: 20_000,
            depth: 24,
            steps: 1 << 23,
        }
    }
}

/// How many steps it takes to look at this many bytes.
pub(crate) fn steps(bytes: usize) -> u64 {
    1 + bytes as u64 / 64
}

/// What is left of the limits.
pub(crate) struct Budget {
    limits: Limits,
    left: Limits,
}

/// Takes `amount`; what is over the limit takes all, so that nothing is left
/// for whoever asks again.
macro_rules! take {
    ($left:expr, $amount:expr, $what:literal) => {
        match $left.checked_sub($amount) {
            Some(left) => {
                $left = left;
                Ok(())
            }
            None => {
                $left = 0;
                fail(Rule::WorkLimit, $what)
            }
        }
    };
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            left: limits,
        }
    }

    pub(crate) fn depth(&self) -> usize {
        self.limits.depth
    }

    pub(crate) fn signature(&mut self) -> Checked {
        take!(self.left.signatures, 1, "too many signatures to check")
    }

    pub(crate) fn compare(&mut self, weight: u64) -> Checked {
        take!(
            self.left.comparisons,
            weight,
            "too many comparisons with name constraints"
        )
    }

    pub(crate) fn candidate(&mut self) -> Checked {
        take!(self.left.candidates, 1, "too many certificates to try")
    }

    pub(crate) fn step(&mut self, count: u64) -> Checked {
        take!(self.left.steps, count, "too much evidence to search")
    }

    /// What was taken so far.
    pub(crate) fn work(&self) -> Work {
        Work {
            signatures: self.limits.signatures - self.left.signatures,
            comparisons: self.limits.comparisons - self.left.comparisons,
            candidates: self.limits.candidates - self.left.candidates,
            steps: self.limits.steps - self.left.steps,
        }
    }
}
