//! What all searches of one validation share: the evidence, the budget, and
//! what has been worked out already.

use crate::certificate::{PublicKeyInfo, Signed};
use crate::signature::SignatureFault;

use super::budget::Budget;
use super::rule::{Checked, Rule, fail};
use super::{Evidence, Options};

/// How deep a revocation check may lead to another: the certificate of a
/// list's signer has its own revocation.
pub(crate) const MAX_NESTING: usize = 6;

pub(crate) struct Context<'o, 'r, 'a> {
    pub(crate) evidence: Evidence<'r, 'a>,
    pub(crate) options: &'o Options<'o>,
    pub(crate) budget: Budget,
    /// Certificates whose revocation is being looked for further out: they
    /// may not vouch for themselves. By where their DER begins.
    pub(crate) asked: Vec<usize>,
    /// Signatures already checked, by where message and key begin.
    signatures: Vec<(usize, usize, Result<(), SignatureFault>)>,
}

/// Where borrowed bytes begin: tells inputs apart without comparing them.
pub(crate) fn place(bytes: &[u8]) -> usize {
    bytes.as_ptr() as usize
}

impl<'o, 'r, 'a> Context<'o, 'r, 'a> {
    pub(crate) fn new(evidence: Evidence<'r, 'a>, options: &'o Options<'o>) -> Self {
        Self {
            evidence,
            options,
            budget: Budget::new(options.limits),
            asked: Vec::new(),
            signatures: Vec::new(),
        }
    }

    /// Checks a signature, once.
    pub(crate) fn signature(&mut self, key: &PublicKeyInfo<'_>, signed: &Signed<'_>) -> Checked {
        let (message, by) = (place(signed.message), place(key.der));
        let known = self
            .signatures
            .iter()
            .find(|(m, k, _)| *m == message && *k == by)
            .map(|(_, _, found)| *found);
        let found = match known {
            Some(found) => found,
            None => {
                self.budget.signature()?;
                let found = self.options.verifier.verify(key, signed);
                self.signatures.push((message, by, found));
                found
            }
        };
        let rule = match found {
            Ok(()) => return Ok(()),
            Err(SignatureFault::WeakAlgorithm) => Rule::WeakSignature,
            Err(SignatureFault::UnknownAlgorithm) => Rule::UnknownSignature,
            Err(SignatureFault::BadKey) => Rule::Key,
            Err(SignatureFault::Mismatch) => Rule::Signature,
        };
        let why = found
            .err()
            .map(|fault| fault.to_string())
            .unwrap_or_default();
        fail(rule, why)
    }
}
