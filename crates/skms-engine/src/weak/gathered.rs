//! The RSA moduli that a sweep comes across and that are not known yet, to be
//! held against each other at its end.
//!
//! One public key may be in any number of certificates, and whoever has them
//! issued may bring any number of public keys: so each is kept once, with some
//! of those that have it, and of each namespace only as many as are remembered
//! afterwards.

use std::collections::HashMap;
use std::sync::PoisonError;

use skms_keys::NamespaceId;
use skms_weak::{PublicKey, batch};

use super::sweep::BATCH;
use super::{Subject, SubjectKind, WHOSE_MAX, Weak, take};

/// Something with a modulus that shares a factor: what it is, and the name of its
/// public key.
pub(super) type Sharer = (Subject, [u8; 32]);

/// What was gathered so far.
#[derive(Default)]
pub(super) struct Gathered {
    new: Vec<New>,
    /// By the names of the public keys.
    at: HashMap<[u8; 32], usize>,
    /// Bits of moduli from certificates, by namespace.
    foreign: HashMap<NamespaceId, usize>,
    /// Those that are known, and to share a factor.
    shares: Vec<Sharer>,
    /// How many RSA keys there were.
    pub(super) seen: u64,
}

/// A modulus that is not known.
struct New {
    key: PublicKey,
    name: [u8; 32],
    subjects: Vec<Subject>,
}

impl Gathered {
    /// Adds one: what is known only gets to know whose it is as well.
    pub(super) fn add(&mut self, weak: &Weak, (subject, name): Sharer, key: PublicKey) {
        let Some(bits) = key.modulus_bits() else {
            return;
        };
        self.seen += 1;
        if weak.knows(&key) {
            if weak.remember(subject.clone(), name, &key, false) {
                self.shares.push((subject, name));
            }
            return;
        }
        if let Some(new) = self.at.get(&name).and_then(|at| self.new.get_mut(*at)) {
            if new.subjects.len() < WHOSE_MAX {
                new.subjects.push(subject);
            }
            return;
        }
        let taken = self.foreign.entry(subject.namespace).or_default();
        if subject.kind != SubjectKind::Key && !take(taken, bits) {
            return;
        }
        self.at.insert(name, self.new.len());
        self.new.push(New {
            key,
            name,
            subjects: vec![subject],
        });
    }

    /// Holds the new ones against all, and has them remembered. Gives what shares
    /// a factor; none if it was told to stop.
    pub(super) fn shared(self, weak: &Weak, go_on: batch::GoOn<'_>) -> Option<Vec<Sharer>> {
        let mut sharers = self.shares;
        if self.new.len() < BATCH {
            for new in self.new {
                for subject in new.subjects {
                    if weak.learn(&subject, new.name, &new.key) {
                        sharers.push((subject, new.name));
                    }
                }
            }
            return Some(sharers);
        }
        let (mut numbers, known): (Vec<_>, Vec<u64>) = {
            let known = weak.known.read().unwrap_or_else(PoisonError::into_inner);
            known.moduli.all().unzip()
        };
        numbers.extend(self.new.iter().filter_map(|new| new.key.modulus().cloned()));
        let shares = batch::shared_factors(&numbers, go_on)?;
        drop(numbers);
        let (of_known, of_new) = shares.split_at(known.len().min(shares.len()));
        let suspects = known.iter().zip(of_known).filter(|(_, shares)| **shares);
        let suspects: Vec<u64> = suspects.map(|(number, _)| *number).collect();
        weak.suspect_again(&suspects);
        for (new, shares) in self.new.into_iter().zip(of_new) {
            for subject in new.subjects {
                if weak.remember(subject.clone(), new.name, &new.key, *shares) {
                    sharers.push((subject, new.name));
                }
            }
        }
        Some(sharers)
    }
}
