//! The tree's growing edge (RFC 6962): enough of it to append and to know the
//! root, whatever the size.
//!
//! A tree of n leaves is a row of perfect trees, one for each bit of n, the
//! largest first. Their roots are all that is kept: at most 63 hashes.

use crate::error::{Error, Result};
use crate::leaf::{HASH_LEN, Hash, node_hash};
use skms_crypto::hash::sha256;

/// The edge of an append-only tree.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of the perfect trees, largest first; one for each bit of `size`.
    roots: Vec<Hash>,
}

/// The most leaves a tree can have.
const MAX_SIZE: u64 = 1 << 63;
/// Length of the size at the start of the stored form, in bytes.
const SIZE_LEN: usize = 8;

impl Frontier {
    /// An empty tree.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            size: 0,
            roots: Vec::new(),
        }
    }

    /// How many leaves the tree has.
    #[must_use]
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf, and gives its index.
    ///
    /// # Errors
    /// [`Error::TreeFull`] after 2^63 leaves.
    pub fn append(&mut self, leaf: Hash) -> Result<u64> {
        if self.size >= MAX_SIZE {
            return Err(Error::TreeFull);
        }
        let index = self.size;
        let mut root = leaf;
        // Each trailing one of the size is a perfect tree that this leaf
        // doubles.
        for _ in 0..index.trailing_ones() {
            if let Some(left) = self.roots.pop() {
                root = node_hash(&left, &root);
            }
        }
        self.roots.push(root);
        self.size += 1;
        Ok(index)
    }

    /// The Merkle tree hash of everything appended.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut smallest_first = self.roots.iter().rev();
        let Some(&smallest) = smallest_first.next() else {
            //= https://www.rfc-editor.org/rfc/rfc6962#section-2.1
            //# The hash of an empty list is the hash of an empty string:
            //# MTH({}) = SHA-256().
            return sha256(&[]);
        };
        smallest_first.fold(smallest, |right, left| node_hash(left, &right))
    }

    /// The edge as bytes: the size, eight bytes big-endian, then the roots.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = self.size.to_be_bytes().to_vec();
        bytes.extend_from_slice(self.roots.as_flattened());
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote.
    ///
    /// # Errors
    /// [`Error::MalformedFrontier`] when sizes do not agree. That the hashes
    /// are the right ones cannot be seen from here; compare the root.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let (size, rest) = bytes
            .split_first_chunk::<SIZE_LEN>()
            .ok_or(Error::MalformedFrontier("too short"))?;
        let size = u64::from_be_bytes(*size);
        let (roots, leftover) = rest.as_chunks::<HASH_LEN>();
        if size > MAX_SIZE || !leftover.is_empty() || roots.len() != size.count_ones() as usize {
            return Err(Error::MalformedFrontier("size and hashes disagree"));
        }
        Ok(Self {
            size,
            roots: roots.to_vec(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::leaf::entry_hash;

    /// MTH as RFC 6962, section 2.1, defines it.
    fn merkle_tree_hash(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => sha256(&[]),
            [leaf] => *leaf,
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                let (left, right) = leaves.split_at(k);
                node_hash(&merkle_tree_hash(left), &merkle_tree_hash(right))
            }
        }
    }

    fn leaves(count: u32) -> Vec<Hash> {
        (0..count).map(|n| entry_hash(&n.to_be_bytes())).collect()
    }

    #[test]
    fn the_root_is_that_of_the_definition_at_every_size() {
        let leaves = leaves(300);
        let mut frontier = Frontier::new();
        assert_eq!(frontier.root(), merkle_tree_hash(&[]));
        for (index, leaf) in leaves.iter().enumerate() {
            assert_eq!(frontier.append(*leaf).unwrap(), index as u64);
            assert_eq!(frontier.size(), index as u64 + 1);
            assert_eq!(frontier.root(), merkle_tree_hash(&leaves[..=index]));
        }
    }

    /// The eight leaves and roots that certificate-transparency code has been
    /// tested with since its first version; the transparency-dev/merkle test
    /// data (Apache-2.0) is built on the same tree.
    #[test]
    fn published_roots_come_out() {
        let entries: [&[u8]; 8] = [
            b"",
            b"\x00",
            b"\x10",
            b"\x20\x21",
            b"\x30\x31",
            b"\x40\x41\x42\x43",
            b"\x50\x51\x52\x53\x54\x55\x56\x57",
            b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
        ];
        let roots = [
            "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
            "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
            "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
            "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
            "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
            "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
            "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
        ];
        let hex = |hash: Hash| hash.map(|byte| format!("{byte:02x}")).concat();
        let mut frontier = Frontier::new();
        assert_eq!(
            hex(frontier.root()),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        for (entry, root) in entries.into_iter().zip(roots) {
            frontier.append(entry_hash(entry)).unwrap();
            assert_eq!(hex(frontier.root()), root);
        }
    }

    #[test]
    fn stored_and_read_it_grows_the_same() {
        let mut kept = Frontier::new();
        for leaf in leaves(70) {
            let mut read = Frontier::from_bytes(&kept.to_bytes()).unwrap();
            assert_eq!(read, kept);
            kept.append(leaf).unwrap();
            read.append(leaf).unwrap();
            assert_eq!(read.root(), kept.root());
        }
    }

    #[test]
    fn what_is_not_a_frontier_is_refused() {
        let mut frontier = Frontier::new();
        for leaf in leaves(7) {
            frontier.append(leaf).unwrap();
        }
        let good = frontier.to_bytes();
        for end in 0..good.len() {
            assert!(Frontier::from_bytes(&good[..end]).is_err());
        }
        let mut longer = good.clone();
        longer.extend_from_slice(&[0; 32]);
        assert!(Frontier::from_bytes(&longer).is_err());
        let mut other_size = good.clone();
        other_size[7] = 8;
        assert!(Frontier::from_bytes(&other_size).is_err());
        let mut altered = good;
        altered[20] ^= 1;
        assert_ne!(
            Frontier::from_bytes(&altered).unwrap().root(),
            frontier.root()
        );
    }

    #[test]
    fn a_full_tree_takes_no_more() {
        let mut bytes = MAX_SIZE.to_be_bytes().to_vec();
        bytes.extend_from_slice(&[5; HASH_LEN]);
        let mut full = Frontier::from_bytes(&bytes).unwrap();
        assert!(matches!(full.append([1; 32]), Err(Error::TreeFull)));
        bytes[7] = 1;
        bytes.extend_from_slice(&[5; HASH_LEN]);
        assert!(Frontier::from_bytes(&bytes).is_err());
    }
}
