//! Shamir's secret sharing over GF(2^8): any `threshold` of the shares give
//! the secret back, fewer give nothing.
//!
//! Arithmetic is branchless and without tables, so that its time does not
//! depend on the secret. Shares by themselves do not prove the secret right:
//! who combines them opens something authenticated with the result.

use std::fmt;

use crate::error::{Error, Result};
use crate::hash::sha256;
use crate::secret::{SecretBytes, SecretText};

/// Longest secret that can be shared, in bytes.
pub const SECRET_MAX: usize = 1024;

const PREFIX: &str = "skms-share-";
const FORMAT: u8 = 1;
const HEADER_LEN: usize = 7;
const CHECKSUM_LEN: usize = 4;
const GROUP: usize = 5;
/// RFC 4648, section 6, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// One holder's part of a secret.
pub struct Share {
    set: [u8; 4],
    threshold: u8,
    index: u8,
    data: SecretBytes,
}

/// Splits a secret into `shares` parts of which any `threshold` suffice.
///
/// # Errors
/// [`Error::Shares`] unless 2 ≤ threshold ≤ shares and the secret has 1 to
/// [`SECRET_MAX`] bytes; [`Error::Library`] without randomness.
pub fn split(secret: &[u8], threshold: u8, shares: u8) -> Result<Vec<Share>> {
    if threshold < 2 || shares < threshold {
        return Err(Error::Shares("2 <= threshold <= shares must hold"));
    }
    if secret.is_empty() || secret.len() > SECRET_MAX {
        return Err(Error::Shares("a secret of 1 to 1024 bytes is needed"));
    }
    let set = crate::rand::array()?;
    // Row k holds, for every byte of the secret, the coefficient of x^(k+1).
    let coefficients = (1..threshold)
        .map(|_| crate::rand::secret(secret.len()))
        .collect::<Result<Vec<_>>>()?;
    Ok((1..=shares)
        .map(|index| {
            let data = SecretBytes::with_len(secret.len(), |out| {
                // Horner's rule, from the highest coefficient down.
                for row in coefficients.iter().rev() {
                    for (value, coefficient) in out.iter_mut().zip(row.expose()) {
                        *value = multiply(*value ^ coefficient, index);
                    }
                }
                for (value, byte) in out.iter_mut().zip(secret) {
                    *value ^= byte;
                }
            });
            Share {
                set,
                threshold,
                index,
                data,
            }
        })
        .collect())
}

/// Puts a secret together from at least its threshold of shares.
///
/// # Errors
/// [`Error::Shares`] when there are too few, one comes twice, or they are
/// not of one set.
pub fn combine(shares: &[Share]) -> Result<SecretBytes> {
    let first = shares.first().ok_or(Error::Shares("none given"))?;
    if shares
        .iter()
        .any(|share| share.set != first.set || share.threshold != first.threshold)
    {
        return Err(Error::Shares("not all of one set"));
    }
    if shares
        .iter()
        .any(|share| share.data.len() != first.data.len())
    {
        return Err(Error::Shares("lengths differ"));
    }
    let mut seen = [false; 256];
    for share in shares {
        if std::mem::replace(&mut seen[usize::from(share.index)], true) {
            return Err(Error::Shares("one was given twice"));
        }
    }
    if shares.len() < usize::from(first.threshold) {
        return Err(Error::Shares("too few given"));
    }
    Ok(SecretBytes::with_len(first.data.len(), |secret| {
        for share in shares {
            // Lagrange's basis polynomial at zero; indexes are public.
            let weight = shares
                .iter()
                .filter(|other| other.index != share.index)
                .fold(1, |weight, other| {
                    multiply(
                        weight,
                        multiply(other.index, invert(other.index ^ share.index)),
                    )
                });
            for (value, byte) in secret.iter_mut().zip(share.data.expose()) {
                *value ^= multiply(*byte, weight);
            }
        }
    }))
}

impl Share {
    /// Which share of its set, from 1.
    #[must_use]
    pub fn index(&self) -> u8 {
        self.index
    }

    /// How many shares give the secret back.
    #[must_use]
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// Marks the shares of one splitting; not secret.
    #[must_use]
    pub fn set(&self) -> [u8; 4] {
        self.set
    }

    /// As text to be printed or typed: `skms-share-`, then groups of five
    /// letters and digits (base32), a checksum among them.
    #[must_use]
    pub fn to_text(&self) -> SecretText {
        let body = self.to_bytes();
        let mut text = String::with_capacity(PREFIX.len() + body.len() * 2 + GROUP);
        text.push_str(PREFIX);
        let symbols = (body.len() * 8).div_ceil(5);
        for position in 0..symbols {
            if position > 0 && position % GROUP == 0 {
                text.push('-');
            }
            text.push(char::from(symbol_at(body.expose(), position)));
        }
        SecretText::new(text)
    }

    /// Reads [`Share::to_text`] back; case, spaces and hyphens do not matter.
    ///
    /// # Errors
    /// [`Error::Malformed`] for anything else, a mistyped letter included.
    pub fn from_text(text: &str) -> Result<Self> {
        const BAD: Error = Error::Malformed("share");
        // The longest share is under 2 KiB of text; spaces may double it.
        if text.len() > 8 * SECRET_MAX {
            return Err(BAD);
        }
        let mut symbols = SecretBytes::new(Vec::with_capacity(text.len()));
        let plain = text
            .bytes()
            .filter(|byte| !byte.is_ascii_whitespace() && *byte != b'-');
        let mut plain = plain.map(|byte| byte.to_ascii_lowercase());
        for expected in PREFIX.bytes().filter(|byte| *byte != b'-') {
            if plain.next() != Some(expected) {
                return Err(BAD);
            }
        }
        for byte in plain {
            let value = match byte {
                b'a'..=b'z' => byte - b'a',
                b'2'..=b'7' => byte - b'2' + 26,
                _ => return Err(BAD),
            };
            symbols.push(value);
        }
        let body = unpack(symbols.expose()).ok_or(BAD)?;
        Self::from_bytes(body.expose()).ok_or(BAD)
    }

    fn to_bytes(&self) -> SecretBytes {
        let len = HEADER_LEN + self.data.len() + CHECKSUM_LEN;
        let mut body = SecretBytes::new(Vec::with_capacity(len));
        body.extend(&[FORMAT]);
        body.extend(&self.set);
        body.extend(&[self.threshold, self.index]);
        body.extend(self.data.expose());
        let checksum = checksum(body.expose());
        body.extend(&checksum);
        body
    }

    fn from_bytes(body: &[u8]) -> Option<Self> {
        let (body, found) = body.split_last_chunk::<CHECKSUM_LEN>()?;
        if checksum(body) != *found {
            return None;
        }
        let (header, data) = body.split_first_chunk::<HEADER_LEN>()?;
        let [format, set @ .., threshold, index] = *header;
        if format != FORMAT
            || threshold < 2
            || index == 0
            || data.is_empty()
            || data.len() > SECRET_MAX
        {
            return None;
        }
        Some(Self {
            set,
            threshold,
            index,
            data: SecretBytes::new(data.to_vec()),
        })
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share(index {}, <redacted>)", self.index)
    }
}

fn checksum(body: &[u8]) -> [u8; CHECKSUM_LEN] {
    let [a, b, c, d, ..] = sha256(&[b"skms share", body]);
    [a, b, c, d]
}

/// The base32 symbol at a position; bits past the end are zero.
fn symbol_at(body: &[u8], position: usize) -> u8 {
    let (byte, bit) = (position * 5 / 8, position * 5 % 8);
    let high = u16::from(body.get(byte).copied().unwrap_or(0));
    let low = u16::from(body.get(byte + 1).copied().unwrap_or(0));
    let value = (((high << 8) | low) >> (11 - bit)) & 31;
    ALPHABET[usize::from(value)]
}

/// Base32 symbols to bytes; `None` when bits are left over that are not zero
/// padding, so that each share has one text only.
fn unpack(symbols: &[u8]) -> Option<SecretBytes> {
    let len = symbols.len() * 5 / 8;
    if (len * 8).div_ceil(5) != symbols.len() {
        return None;
    }
    let mut bytes = SecretBytes::new(Vec::with_capacity(len));
    let (mut window, mut bits) = (0u16, 0);
    for &symbol in symbols {
        window = (window << 5) | u16::from(symbol);
        bits += 5;
        if bits >= 8 {
            bits -= 8;
            bytes.push((window >> bits) as u8);
            window &= (1 << bits) - 1;
        }
    }
    (window == 0).then_some(bytes)
}

/// Multiplies in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1, without branches.
fn multiply(a: u8, b: u8) -> u8 {
    let (mut a, mut product) = (a, 0);
    for bit in 0..8 {
        product ^= a & 0u8.wrapping_sub((b >> bit) & 1);
        let carry = 0u8.wrapping_sub(a >> 7);
        a = (a << 1) ^ (carry & 0x1b);
    }
    product
}

/// The inverse in GF(2^8): a^254. Zero gives zero.
fn invert(a: u8) -> u8 {
    let mut power = a;
    let mut product = 1;
    for _ in 0..7 {
        power = multiply(power, power);
        product = multiply(product, power);
    }
    product
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pick(shares: &[Share], indexes: &[usize]) -> Vec<Share> {
        indexes
            .iter()
            .map(|&index| Share::from_text(shares[index].to_text().expose()).unwrap())
            .collect()
    }

    #[test]
    fn the_field_is_aess() {
        // FIPS 197, section 4.2: {57} x {83} = {c1}.
        assert_eq!(multiply(0x57, 0x83), 0xc1);
        for a in 1..=255 {
            assert_eq!(multiply(a, invert(a)), 1, "{a}");
        }
        assert_eq!(invert(0), 0);
    }

    #[test]
    fn every_quorum_agrees_and_every_smaller_one_is_refused() {
        let secret = [0x42; 32];
        let shares = split(&secret, 3, 5).unwrap();
        for subset in 0u8..32 {
            let indexes: Vec<usize> = (0..5).filter(|i| subset >> i & 1 == 1).collect();
            let combined = combine(&pick(&shares, &indexes));
            if indexes.len() >= 3 {
                assert!(combined.unwrap().ct_eq(&secret), "{indexes:?}");
            } else {
                assert!(combined.is_err(), "{indexes:?}");
            }
        }
    }

    #[test]
    fn too_few_shares_say_nothing() {
        // With two of three shares every secret stays possible: forging the
        // threshold gives bytes that have nothing to do with it.
        let shares = split(&[0; 32], 3, 3).unwrap();
        let mut few = pick(&shares, &[0, 1]);
        for share in &mut few {
            share.threshold = 2;
        }
        assert!(!combine(&few).unwrap().ct_eq(&[0; 32]));
    }

    #[test]
    fn strangers_and_twins_are_refused() {
        let shares = split(b"secret", 2, 3).unwrap();
        let others = split(b"secret", 2, 3).unwrap();
        let mixed = [pick(&shares, &[0]), pick(&others, &[1])].concat_shares();
        assert!(matches!(
            combine(&mixed),
            Err(Error::Shares("not all of one set"))
        ));
        let twins = pick(&shares, &[1, 1]);
        assert!(matches!(
            combine(&twins),
            Err(Error::Shares("one was given twice"))
        ));
        assert!(combine(&[]).is_err());
    }

    trait Concat {
        fn concat_shares(self) -> Vec<Share>;
    }

    impl Concat for [Vec<Share>; 2] {
        fn concat_shares(self) -> Vec<Share> {
            self.into_iter().flatten().collect()
        }
    }

    #[test]
    fn silly_splits_are_refused() {
        for (threshold, shares) in [(0, 0), (1, 3), (4, 3), (2, 1)] {
            assert!(
                split(b"x", threshold, shares).is_err(),
                "{threshold} of {shares}"
            );
        }
        assert!(split(b"", 2, 3).is_err());
        assert!(split(&[0; SECRET_MAX + 1], 2, 3).is_err());
        assert_eq!(split(&[0; SECRET_MAX], 2, 255).unwrap().len(), 255);
    }

    #[test]
    fn every_mistyped_letter_is_noticed() {
        let shares = split(&[7; 16], 2, 2).unwrap();
        let text = shares[0].to_text().into_public();
        assert!(Share::from_text(&format!(" {}\n", text.to_uppercase().replace('-', " "))).is_ok());
        for (position, letter) in text.char_indices() {
            let mut bad = text.clone();
            let other = if letter == 'q' { "z" } else { "q" };
            bad.replace_range(position..position + 1, other);
            assert!(Share::from_text(&bad).is_err(), "{bad}");
            assert!(Share::from_text(&text[..position]).is_err());
        }
        assert!(Share::from_text(&format!("{text}a")).is_err());
        assert!(Share::from_text("skms-share-").is_err());
        assert!(Share::from_text(&"a".repeat(100_000)).is_err());
    }

    #[test]
    fn debug_hides_the_share() {
        let shares = split(&[7; 16], 2, 2).unwrap();
        assert_eq!(format!("{:?}", shares[0]), "Share(index 1, <redacted>)");
    }

    proptest! {
        #[test]
        fn split_then_combine(secret in proptest::collection::vec(any::<u8>(), 1..80), threshold in 2u8..6, extra in 0u8..4) {
            let shares = split(&secret, threshold, threshold + extra).unwrap();
            let from = usize::from(extra);
            let quorum: Vec<usize> = (from..from + usize::from(threshold)).rev().collect();
            prop_assert!(combine(&pick(&shares, &quorum)).unwrap().ct_eq(&secret));
        }

        #[test]
        fn any_text_is_read_or_refused(text in "(skms-share-)?[a-z2-7\\- ]{0,120}") {
            if let Ok(share) = Share::from_text(&text) {
                prop_assert!(Share::from_text(share.to_text().expose()).is_ok());
            }
        }
    }
}
