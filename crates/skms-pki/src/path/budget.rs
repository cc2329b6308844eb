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
}

impl Default for Limits {
    /// 128 signatures, 2^20 comparisons, 20,000 candidates, 24 certificates.
    fn default() -> Self {
        Self {
            signatures: 128,
            comparisons: 1 << 20,
            candidates: 20_000,
            depth: 24,
        }
    }
}

/// What is left of the limits.
pub(crate) struct Budget {
    left: Limits,
}

impl Budget {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { left: limits }
    }

    pub(crate) fn depth(&self) -> usize {
        self.left.depth
    }

    pub(crate) fn signature(&mut self) -> Checked {
        match self.left.signatures.checked_sub(1) {
            Some(left) => self.left.signatures = left,
            None => return fail(Rule::WorkLimit, "too many signatures to check"),
        }
        Ok(())
    }

    pub(crate) fn compare(&mut self, weight: u64) -> Checked {
        match self.left.comparisons.checked_sub(weight) {
            Some(left) => self.left.comparisons = left,
            None => {
                return fail(
                    Rule::WorkLimit,
                    "too many comparisons with name constraints",
                );
            }
        }
        Ok(())
    }

    pub(crate) fn candidate(&mut self) -> Checked {
        match self.left.candidates.checked_sub(1) {
            Some(left) => self.left.candidates = left,
            None => return fail(Rule::WorkLimit, "too many certificates to try"),
        }
        Ok(())
    }
}
