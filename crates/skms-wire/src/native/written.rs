//! The answers that there are most of, written straight into one buffer of
//! the right size: base64 needs no escaping, so nothing is gone through
//! twice, and a buffer that never grows leaves no copy behind.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use zeroize::Zeroizing;

use super::operations::{DecryptResponse, EncryptResponse, MacResponse, SignResponse};
use super::{BatchItem, OneOrResults};
use crate::secret;

/// A message that can write its own JSON: the same bytes as its serialiser.
pub trait Written: Serialize {
    /// Bytes that it takes, at most.
    fn room(&self) -> usize;

    /// Appends it.
    fn write(&self, out: &mut Vec<u8>);
}

/// A single result or those of a batch, as JSON.
///
/// # Errors
/// As [`secret::to_json`], for a batch that has problems in it.
pub fn to_json<T: Written>(
    answer: &OneOrResults<T>,
) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
    const ITEM: usize = "{\"ok\":},".len();
    match answer {
        OneOrResults::One(result) => {
            let mut out = Zeroizing::new(Vec::with_capacity(result.room()));
            result.write(&mut out);
            Ok(out)
        }
        OneOrResults::Results(results) => {
            let good = || {
                results.iter().map(|item| match item {
                    BatchItem::Ok(result) => Some(result),
                    BatchItem::Problem(_) => None,
                })
            };
            let room = good().try_fold(ITEM * 4, |room, result| Some(room + result?.room() + ITEM));
            let Some(room) = room else {
                return secret::to_json(answer);
            };
            let mut out = Zeroizing::new(Vec::with_capacity(room));
            out.extend_from_slice(b"{\"results\":[");
            for (at, result) in good().flatten().enumerate() {
                out.extend_from_slice(if at == 0 {
                    b"{\"ok\":".as_slice()
                } else {
                    b",{\"ok\":"
                });
                result.write(&mut out);
                out.push(b'}');
            }
            out.extend_from_slice(b"]}");
            Ok(out)
        }
    }
}

/// The most digits of a version.
const DIGITS: usize = 10;

fn room(around: usize, bytes: usize) -> usize {
    around + bytes.div_ceil(3) * 4 + 2 * DIGITS
}

fn base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The slice is exactly as long as the encoding: nothing fails.
    let _ = STANDARD.encode_slice(bytes, out.get_mut(start..).unwrap_or_default());
}

fn number(out: &mut Vec<u8>, mut number: u32) {
    let mut digits = [0; DIGITS];
    let mut from = DIGITS;
    loop {
        from -= 1;
        digits[from] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(from..).unwrap_or_default());
}

/// `{"name":"before<base64>","version":N}`
fn value_and_version(out: &mut Vec<u8>, before: &[u8], bytes: &[u8], version: u32) {
    out.extend_from_slice(before);
    base64(out, bytes);
    out.extend_from_slice(b"\",\"version\":");
    number(out, version);
    out.push(b'}');
}

impl Written for EncryptResponse {
    fn room(&self) -> usize {
        room(64, self.ciphertext.bytes.len())
    }

    fn write(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"{\"ciphertext\":\"skms:v");
        number(out, self.ciphertext.version);
        value_and_version(out, b":", &self.ciphertext.bytes, self.version);
    }
}

impl Written for DecryptResponse {
    fn room(&self) -> usize {
        room(48, self.plaintext.len())
    }

    fn write(&self, out: &mut Vec<u8>) {
        value_and_version(
            out,
            b"{\"plaintext\":\"",
            self.plaintext.expose(),
            self.version,
        );
    }
}

impl Written for SignResponse {
    fn room(&self) -> usize {
        room(48, self.signature.len())
    }

    fn write(&self, out: &mut Vec<u8>) {
        value_and_version(out, b"{\"signature\":\"", &self.signature, self.version);
    }
}

impl Written for MacResponse {
    fn room(&self) -> usize {
        room(48, self.mac.len())
    }

    fn write(&self, out: &mut Vec<u8>) {
        value_and_version(out, b"{\"mac\":\"", &self.mac, self.version);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::native::{Problem, ProblemKind};
    use crate::{Bytes, Ciphertext, SecretB64};

    fn same<T: Written>(answer: &OneOrResults<T>) {
        let written = to_json(answer).unwrap();
        let serialised = serde_json::to_vec(answer).unwrap();
        assert_eq!(*written, serialised);
    }

    fn everywhere<T: Written>(make: impl Fn(Vec<u8>, u32) -> T) {
        for length in [0_usize, 1, 2, 3, 4, 31, 32, 33, 4096] {
            for version in [1, 9, 10, 4_294_967_295] {
                let bytes = vec![0xfb; length];
                let one = make(bytes.clone(), version);
                let mut alone = Vec::with_capacity(one.room());
                one.write(&mut alone);
                assert!(alone.len() <= one.room(), "a buffer would grow");
                same(&OneOrResults::One(one));
                for items in [0, 1, 3, 1000] {
                    let results = (0..items)
                        .map(|_| BatchItem::Ok(make(vec![7; length.min(40)], version)))
                        .collect();
                    let batch = OneOrResults::Results(results);
                    let written = to_json(&batch).unwrap();
                    assert_eq!(*written, serde_json::to_vec(&batch).unwrap());
                }
            }
        }
    }

    #[test]
    fn what_is_written_is_what_the_serialiser_writes() {
        everywhere(|bytes, version| EncryptResponse {
            ciphertext: Ciphertext::new(version, bytes),
            version,
        });
        everywhere(|bytes, version| DecryptResponse {
            plaintext: SecretB64::new(bytes),
            version,
        });
        everywhere(|bytes, version| SignResponse {
            signature: Bytes::new(bytes),
            version,
        });
        everywhere(|bytes, version| MacResponse {
            mac: Bytes::new(bytes),
            version,
        });
    }

    #[test]
    fn a_batch_with_a_problem_is_whole_too() {
        same(&OneOrResults::Results(vec![
            BatchItem::Ok(SignResponse {
                signature: Bytes::new(vec![1; 64]),
                version: 1,
            }),
            BatchItem::Problem(Problem::new(ProblemKind::NotFound)),
        ]));
    }

    #[test]
    fn a_buffer_does_not_grow() {
        let results = (0..1000_u32)
            .map(|number| {
                BatchItem::Ok(DecryptResponse {
                    plaintext: SecretB64::new(vec![3; 32]),
                    version: number,
                })
            })
            .collect();
        let json = to_json(&OneOrResults::Results(results)).unwrap();
        // Grown by doubling it would be far larger than its content.
        assert!(json.capacity() < json.len() + json.len() / 2);
    }
}
