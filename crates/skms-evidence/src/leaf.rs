//! Leaves: what the tree holds of an event.
//!
//! An event is committed to under a random salt that is stored with it and
//! nowhere else. When both are erased the leaf stays, the tree still verifies,
//! and nobody can find out from the leaf what the event was, not even by
//! trying every likely one.

use skms_crypto::hash::sha256;

/// Length of every hash in the tree, in bytes.
pub const HASH_LEN: usize = 32;

/// A hash in the tree.
pub type Hash = [u8; HASH_LEN];

/// The commitment to an event, and the tree's entry for it:
/// SHA-256(salt ‖ event).
///
/// `salt` is 256 bits from the caller's randomness, a new one for each event.
/// Its length is fixed, so where it ends is never in doubt.
#[must_use]
pub fn commitment(salt: &[u8; 32], event: &[u8]) -> Hash {
    sha256(&[salt, event])
}

/// The hash of an entry as a leaf (RFC 6962, section 2.1).
#[must_use]
pub fn entry_hash(entry: &[u8]) -> Hash {
    //= https://www.rfc-editor.org/rfc/rfc6962#section-2.1
    //# MTH({d(0)}) = SHA-256(0x00 || d(0)).
    sha256(&[&[0], entry])
}

/// The leaf of an event: [`entry_hash`] of its [`commitment`].
#[must_use]
pub fn leaf_hash(salt: &[u8; 32], event: &[u8]) -> Hash {
    entry_hash(&commitment(salt, event))
}

/// The hash of an inner node over its two children (RFC 6962, section 2.1).
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    //= https://www.rfc-editor.org/rfc/rfc6962#section-2.1
    //# MTH(D[n]) = SHA-256(0x01 || MTH(D[0:k]) || MTH(D[k:n])),
    sha256(&[&[1], left, right])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_leaf_depends_on_every_bit_of_salt_and_event() {
        let leaf = leaf_hash(&[7; 32], b"event");
        let mut salt = [7; 32];
        salt[31] ^= 1;
        assert_ne!(leaf_hash(&salt, b"event"), leaf);
        assert_ne!(leaf_hash(&[7; 32], b"evens"), leaf);
        assert_ne!(leaf_hash(&[7; 32], b"even"), leaf);
        assert_eq!(leaf_hash(&[7; 32], b"event"), leaf);
    }

    #[test]
    fn leaves_and_nodes_cannot_be_taken_for_each_other() {
        let (left, right) = ([1; 32], [2; 32]);
        let both = [left, right].concat();
        assert_ne!(entry_hash(&both), node_hash(&left, &right));
    }
}
