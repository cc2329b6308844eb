//! Hash records: short and long messages, and Monte Carlo chains.

use skms_crypto::Hash;

use super::super::case::{Case, Expect, Refusal, not_offered};
use super::super::product;
use super::super::records::Record;
use super::{File, Prepared, need};

/// The hash: named in the comments, or by the digest's length in `[L = n]`,
/// which SHA-2's files give in bytes and SHA-3's in bits.
fn hash(file: &File, record: &Record) -> Result<Hash, Refusal> {
    let comments = file.comments.to_ascii_uppercase();
    let named = comments
        .split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '/' | '_')))
        .find(|word| word.starts_with("SHA-") || word.starts_with("SHA3-"));
    match (named, record.section_number("L")) {
        (Some(name), _) => product::hash(name),
        (None, Some(32)) => Ok(Hash::Sha256),
        (None, Some(48)) => Ok(Hash::Sha384),
        (None, Some(64)) => Ok(Hash::Sha512),
        (None, Some(256)) => Ok(Hash::Sha3_256),
        (None, Some(384)) => Ok(Hash::Sha3_384),
        (None, Some(512)) => Ok(Hash::Sha3_512),
        (None, Some(20)) => product::hash("SHA-1"),
        (None, other) => not_offered(format!("a hash of length {other:?}")),
    }
}

/// `*ShortMsg.rsp` and `*LongMsg.rsp`.
pub fn message(file: &File, record: &Record) -> Result<Prepared, Refusal> {
    let hash = hash(file, record)?;
    let (mut message, digest) = (need(record, "Msg")?, need(record, "MD")?);
    match record.number("Len") {
        Some(bits) if bits % 8 != 0 => return not_offered("messages of a part of a byte"),
        Some(bits) => message.truncate(bits / 8),
        None => {}
    }
    Ok((
        Expect::Valid,
        Box::new(move || Ok(hash.digest(&message) == digest)),
    ))
}

/// `*Monte.rsp`: a hundred checkpoints of a thousand hashes each, every hash
/// of the three digests before it (SHA-3: of the one before).
pub fn monte_carlo(file: &File, records: &[Record]) -> Case {
    let id = "Monte Carlo";
    let seed = records.iter().find_map(|record| record.bytes("Seed"));
    let (Some(first), Some(seed)) = (records.first(), seed) else {
        return Case::decided(id, Refusal::Refused("the file has no seed".to_owned()));
    };
    let hash = match hash(file, first) {
        Ok(hash) => hash,
        Err(refusal) => return Case::decided(id, refusal),
    };
    let digests: Vec<Vec<u8>> = records
        .iter()
        .filter_map(|record| record.bytes("MD"))
        .collect();
    Case::new(id, Expect::Valid, move || {
        let mut seed = seed;
        for digest in digests {
            seed = chain(hash, seed);
            if seed != digest {
                return Ok(false);
            }
        }
        Ok(true)
    })
}

fn chain(hash: Hash, seed: Vec<u8>) -> Vec<u8> {
    let depth = match hash {
        Hash::Sha3_256 | Hash::Sha3_384 | Hash::Sha3_512 => 1,
        _ => 3,
    };
    let mut last = vec![seed; depth];
    for _ in 0..1000 {
        let next = hash.digest(&last.concat());
        last.remove(0);
        last.push(next);
    }
    last.pop().unwrap_or_default()
}
