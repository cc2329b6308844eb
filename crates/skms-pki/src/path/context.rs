//! What all searches of one validation share: the evidence, the budget, and
//! what has been worked out already.

use std::collections::HashMap;

use crate::certificate::{Certificate, Name, PublicKeyInfo, Signed};
use crate::crl::{Crl, Entry};
use crate::ocsp::CertId;
use crate::signature::SignatureFault;

use super::budget::{Budget, steps};
use super::rule::{Checked, Rule, fail};
use super::{Evidence, Options};

/// How deep a revocation check may lead to another: the certificate of a
/// list's or a response's signer has its own revocation.
pub(crate) const MAX_NESTING: usize = 6;

pub(crate) struct Context<'o, 'r, 'a> {
    pub(crate) evidence: Evidence<'r, 'a>,
    pub(crate) options: &'o Options<'o>,
    pub(crate) budget: Budget,
    /// Certificates whose own status hangs on the answer that is being looked
    /// for, as DER: they may not vouch for themselves.
    pub(crate) open: Vec<&'a [u8]>,
    /// How many checks of revocation led to this one.
    pub(crate) nesting: usize,
    /// Signatures already checked, by where message and key begin.
    signatures: HashMap<(usize, usize), Result<(), SignatureFault>>,
    /// Entries already looked for, by where list and certificate begin.
    entries: HashMap<(usize, usize), Option<Entry<'a>>>,
    /// Lists already looked through for serial numbers that come twice.
    doubles: HashMap<usize, bool>,
    /// Whether an issuer has these hashes, by where it and they begin.
    issuers: HashMap<(usize, usize), bool>,
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
            open: Vec::new(),
            nesting: 0,
            signatures: HashMap::new(),
            entries: HashMap::new(),
            doubles: HashMap::new(),
            issuers: HashMap::new(),
        }
    }

    /// Checks a signature, once.
    pub(crate) fn signature(&mut self, key: &PublicKeyInfo<'a>, signed: &Signed<'a>) -> Checked {
        let which = (place(signed.message), place(key.der));
        self.budget.step(1)?;
        let found = match self.signatures.get(&which) {
            Some(found) => *found,
            None => {
                self.budget.signature()?;
                self.budget.step(steps(signed.message.len()))?;
                let found = self.options.verifier.verify(key, signed);
                self.signatures.insert(which, found);
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

    /// As [`Self::signature`]; an error is only that the work is used up.
    pub(crate) fn is_signed(
        &mut self,
        key: &PublicKeyInfo<'a>,
        signed: &Signed<'a>,
    ) -> Checked<bool> {
        match self.signature(key, signed) {
            Ok(()) => Ok(true),
            Err(fault) if fault.rule == Rule::WorkLimit => Err(fault),
            Err(_) => Ok(false),
        }
    }

    /// Compares two names.
    pub(crate) fn same_name(&mut self, left: &Name<'_>, right: &Name<'_>) -> Checked<bool> {
        self.budget.step(left.weight().min(right.weight()))?;
        Ok(left.matches(right))
    }

    /// A certificate's entry in a list, looked for once.
    pub(crate) fn entry(
        &mut self,
        list: &Crl<'a>,
        certificate: &Certificate<'a>,
    ) -> Checked<Option<Entry<'a>>> {
        let which = (place(list.as_der()), place(certificate.as_der()));
        if let Some(found) = self.entries.get(&which) {
            return Ok(*found);
        }
        let issuer = certificate.issuer();
        self.budget.step(list.search_steps(issuer))?;
        let found = list.find(issuer, certificate.serial());
        self.entries.insert(which, found);
        Ok(found)
    }

    /// Whether a serial number comes twice in a list.
    pub(crate) fn has_doubles(&mut self, list: &Crl<'a>) -> Checked<bool> {
        let which = place(list.as_der());
        if let Some(found) = self.doubles.get(&which) {
            return Ok(*found);
        }
        // Each serial number is hashed and kept: dearer than looking at it.
        self.budget
            .step(list.search_steps(list.issuer()).saturating_mul(4))?;
        let found = list.has_doubles();
        self.doubles.insert(which, found);
        Ok(found)
    }

    /// Whether an OCSP entry speaks of this certificate of this issuer.
    pub(crate) fn is_of(
        &mut self,
        id: &CertId<'a>,
        certificate: &Certificate<'_>,
        issuer: &Certificate<'_>,
    ) -> Checked<bool> {
        if id.serial != certificate.serial() {
            return Ok(false);
        }
        let which = (place(issuer.as_der()), place(id.issuer_name_hash));
        if let Some(found) = self.issuers.get(&which) {
            return Ok(*found);
        }
        let hashed = issuer.subject().as_der().len() + issuer.public_key().key.len();
        self.budget.step(1 + steps(hashed))?;
        let found = id.names_issuer(issuer) == Some(true);
        self.issuers.insert(which, found);
        Ok(found)
    }
}
