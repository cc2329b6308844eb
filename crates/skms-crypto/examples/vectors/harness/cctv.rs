//! C2SP's CCTV files for ML-KEM: keys with unreduced coefficients, and
//! samples that need unusually much randomness.

use skms_crypto::{Algorithm, Format};

use super::case::{Case, Expect, Refusal, not_offered};
use super::product::{private, public};
use super::records::{Layout, Line, records};
use super::text::hex;
use super::wycheproof::mlkem::encapsulates_to;

fn by_key_length(bytes: usize) -> Option<Algorithm> {
    match bytes {
        800 => Some(Algorithm::MlKem512),
        1184 => Some(Algorithm::MlKem768),
        1568 => Some(Algorithm::MlKem1024),
        _ => None,
    }
}

/// Hex encapsulation keys, one a line: every one has a coefficient of q or
/// more, and must be refused (FIPS 203, section 7.2).
pub fn modulus(text: &str) -> Option<Vec<Case>> {
    let mut cases = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let key = hex(line)?;
        let algorithm = by_key_length(key.len())?;
        cases.push(Case::new(
            format!("line {}", number + 1),
            Expect::Invalid,
            move || public(&key, Format::Raw, Some(algorithm)).map(|_| true),
        ));
    }
    (!cases.is_empty()).then_some(cases)
}

/// `ek`, `dk`, `m`, `K`, `c`: encapsulation and decapsulation.
pub fn sample(lines: &[Line]) -> Option<Vec<Case>> {
    let records = records(lines, Layout::default());
    let mut cases = Vec::new();
    for (index, record) in records.iter().enumerate() {
        let field = |name: &str| record.bytes(name);
        let (ek, dk, message) = (field("ek")?, field("dk")?, field("m")?);
        let (secret, ciphertext) = (field("K")?, field("c")?);
        let number = index + 1;
        let Some(algorithm) = by_key_length(ek.len()) else {
            let refusal: Result<(), Refusal> = not_offered("another ML-KEM");
            cases.extend(refusal.err().map(|refusal| Case::decided(number, refusal)));
            continue;
        };
        let (expected, stated) = (secret.clone(), ciphertext.clone());
        cases.push(Case::new(
            format!("sample {number}, encapsulation"),
            Expect::Valid,
            move || encapsulates_to(algorithm, &ek, &message, &stated, &expected),
        ));
        cases.push(Case::new(
            format!("sample {number}, decapsulation"),
            Expect::Valid,
            move || {
                let key = private(&dk, Format::Raw, Some(algorithm))?;
                Ok(key.decapsulate(&ciphertext)?.expose() == secret)
            },
        ));
    }
    (!cases.is_empty()).then_some(cases)
}
