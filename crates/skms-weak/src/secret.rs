//! Secrets that nobody drew at random: repeated bytes, counters, words.
//!
//! Every sign that is looked for has a bound on how often a random secret of that
//! length has it, and is left out where that is more often than once in 2^45;
//! all of them together are below 2^-40, which the tests add up. What is not
//! found is not random for that: the hash of a password passes.
//!
//! The time taken depends on the length alone: nothing branches on a byte, and
//! nothing is looked up by one. That there is a finding is no secret: the caller
//! is told.

use crate::finding::{Detector, Finding};

/// Minus the logarithm of how often a single sign may be wrong.
const RARELY: f64 = 45.0;

/// The shortest secret that is looked at: shorter ones are no keys.
pub const SHORTEST: usize = 16;

/// Of longer ones the beginning is looked at.
pub const LONGEST: usize = 512;

/// A sign that a secret was not drawn at random.
struct Sign {
    words: &'static str,
    /// Minus the logarithm to base 2 of how often, at most, a random secret of
    /// so many bytes has it.
    rarity: fn(f64) -> f64,
    has: fn(&[u8]) -> bool,
}

const SIGNS: &[Sign] = &[
    Sign {
        words: "it repeats itself",
        rarity: |length| 8.0 * (length / 2.0).ceil() - 1.0,
        has: repeats,
    },
    Sign {
        words: "it has very few different bytes",
        rarity: |_| RARELY,
        has: |bytes| different(bytes) <= fewest(bytes.len()),
    },
    Sign {
        words: "one byte follows itself eight times or more",
        rarity: |length| 56.0 - length.log2(),
        has: |bytes| bytes.windows(8).fold(false, |any, run| any | equal(run)),
    },
    Sign {
        words: "nine bytes or more go up or down in equal steps",
        rarity: |length| 56.0 - length.log2(),
        has: |bytes| bytes.windows(9).fold(false, |any, run| any | steps(run)),
    },
    Sign {
        words: "it is a counter in words of several bytes",
        rarity: |length| 8.0 * length - if length < 24.0 { 67.0 } else { 131.0 },
        has: counts,
    },
    Sign {
        words: "nearly all of its bits are zeros, or ones",
        rarity: |_| RARELY,
        has: unbalanced,
    },
    Sign {
        words: "all of its bytes begin with the same four bits",
        rarity: |length| 4.0 * (length - 1.0),
        has: |bytes| {
            let first = bytes.first().copied().unwrap_or(0);
            bytes.iter().fold(0, |all, byte| all | (byte ^ first)) & 0xf0 == 0
        },
    },
    Sign {
        words: "it is a word with a capital",
        rarity: |length| rarity_of(36, length - 1.0) + rarity_of(26, 1.0),
        has: |bytes| {
            let first = bytes.first().is_some_and(|first| upper(*first));
            first & all(bytes.get(1..).unwrap_or_default(), |b| lower(b) | digit(b))
        },
    },
];

/// Text: what it is called, of how many characters, and whether a byte is one.
type Text = (&'static str, u32, fn(u8) -> bool);

const TEXTS: &[Text] = &[
    ("decimal digits", 10, digit),
    ("hexadecimal text", 16, |b| digit(b) | within(b, b'a', b'f')),
    ("hexadecimal text", 16, |b| digit(b) | within(b, b'A', b'F')),
    ("lower-case text", 27, |b| lower(b) | is(b, b' ')),
    ("upper-case text", 27, |b| upper(b) | is(b, b' ')),
    ("lower-case text with digits", 36, |b| lower(b) | digit(b)),
    ("upper-case text with digits", 36, |b| upper(b) | digit(b)),
    ("text of letters and digits", 62, alphanumeric),
    ("text in base64", 65, |b| {
        alphanumeric(b) | is(b, b'+') | is(b, b'/') | is(b, b'=')
    }),
    ("text in base64url", 65, |b| {
        alphanumeric(b) | is(b, b'-') | is(b, b'_') | is(b, b'=')
    }),
    ("printable text", 95, |b| within(b, b' ', b'~')),
];

/// Looks at a secret: a symmetric key, a seed, or a private number.
#[must_use]
pub fn check(secret: &[u8]) -> Option<Finding> {
    let looked_at = secret.get(..LONGEST).unwrap_or(secret);
    if looked_at.len() < SHORTEST {
        return None;
    }
    let length = length_of(looked_at.len());
    let mut words = None;
    // All of them are looked for, whichever is found.
    for sign in SIGNS {
        let has = (sign.has)(looked_at) & ((sign.rarity)(length) >= RARELY);
        words = words.or(has.then(|| sign.words.to_owned()));
    }
    for (name, characters, is_one) in TEXTS {
        let has = all(looked_at, *is_one) & (rarity_of(*characters, length) >= RARELY);
        words = words.or(has.then(|| format!("it is {name}")));
    }
    words.map(|words| {
        Finding::weak(
            Detector::LowEntropy,
            format!("the secret was not drawn at random: {words}"),
        )
    })
}

/// A length as a number to compute with: it is at most [`LONGEST`].
fn length_of(bytes: usize) -> f64 {
    f64::from(u32::try_from(bytes).unwrap_or(u32::MAX))
}

/// How rarely random bytes are of so many characters only.
fn rarity_of(characters: u32, length: f64) -> f64 {
    length * (256.0 / f64::from(characters)).log2()
}

fn within(byte: u8, low: u8, high: u8) -> bool {
    byte.wrapping_sub(low) <= high - low
}

fn is(byte: u8, other: u8) -> bool {
    byte == other
}

fn digit(byte: u8) -> bool {
    within(byte, b'0', b'9')
}

fn lower(byte: u8) -> bool {
    within(byte, b'a', b'z')
}

fn upper(byte: u8) -> bool {
    within(byte, b'A', b'Z')
}

fn alphanumeric(byte: u8) -> bool {
    lower(byte) | upper(byte) | digit(byte)
}

fn all(bytes: &[u8], is_one: fn(u8) -> bool) -> bool {
    bytes
        .iter()
        .fold(true, |so_far, byte| so_far & is_one(*byte))
}

fn equal(bytes: &[u8]) -> bool {
    let pairs = bytes.iter().zip(bytes.iter().skip(1));
    pairs.fold(0, |all, (a, b)| all | (a ^ b)) == 0
}

fn steps(bytes: &[u8]) -> bool {
    let difference = |at: usize| bytes[at + 1].wrapping_sub(bytes[at]);
    let first = difference(0);
    (1..bytes.len() - 1).fold(0, |all, at| all | (difference(at) ^ first)) == 0
}

/// Whether it has a period of up to half of its length.
fn repeats(bytes: &[u8]) -> bool {
    (1..=bytes.len() / 2).fold(false, |any, period| {
        let shifted = bytes.iter().zip(bytes.iter().skip(period));
        any | (shifted.fold(0, |all, (a, b)| all | (a ^ b)) == 0)
    })
}

/// How many different bytes there are.
fn different(bytes: &[u8]) -> usize {
    (0..bytes.len())
        .map(|at| {
            let before = bytes[..at].iter();
            let seen = before.fold(false, |any, byte| any | (*byte == bytes[at]));
            usize::from(!seen)
        })
        .sum()
}

/// The largest number of different bytes that is too few: there are
/// `C(256, n)` choices of n bytes, and each has all of them with (n/256)^length.
fn fewest(length: usize) -> usize {
    let length = length_of(length);
    let mut choices = 0.0;
    let mut fewest = 0;
    for count in 1..=255_u32 {
        choices += (f64::from(257 - count) / f64::from(count)).log2();
        if rarity_of(count, length) - choices < RARELY {
            break;
        }
        fewest += 1;
    }
    fewest
}

/// Whether there are far more zeros than ones, or the other way round
/// (Hoeffding: further than k from half of n with at most 2·exp(-2k²/n)).
fn unbalanced(bytes: &[u8]) -> bool {
    let all = length_of(bytes.len()) * 8.0;
    let ones: u32 = bytes.iter().map(|byte| byte.count_ones()).sum();
    let far = (all * (RARELY + 1.0) * std::f64::consts::LN_2 / 2.0).sqrt();
    (f64::from(ones) - all / 2.0).abs() >= far
}

/// Whether it is words of 2, 4 or 8 bytes, each as much more than the one before.
fn counts(bytes: &[u8]) -> bool {
    [2, 4, 8].into_iter().fold(false, |any, width| {
        if !bytes.len().is_multiple_of(width) || bytes.len() / width < 3 {
            return any;
        }
        any | progression(bytes, width, false) | progression(bytes, width, true)
    })
}

fn progression(bytes: &[u8], width: usize, big_endian: bool) -> bool {
    let mask = u64::MAX >> (64 - 8 * width);
    let word = |at: usize| {
        let word = &bytes[at * width..(at + 1) * width];
        let shifted = |value: u64, byte: &u8| (value << 8) | u64::from(*byte);
        match big_endian {
            true => word.iter().fold(0, shifted),
            false => word.iter().rev().fold(0, shifted),
        }
    };
    let difference = |at: usize| word(at + 1).wrapping_sub(word(at)) & mask;
    let first = difference(0);
    (1..bytes.len() / width - 1).fold(0, |all, at| all | (difference(at) ^ first)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Gravity;

    fn found(secret: &[u8]) -> bool {
        check(secret).is_some_and(|one| one.gravity == Gravity::Weak)
    }

    /// Numbers that are random enough to be no secret at all.
    fn random(state: &mut u64) -> u64 {
        *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = *state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn bytes(length: usize, state: &mut u64) -> Vec<u8> {
        (0..length)
            .map(|_| random(state).to_le_bytes()[0])
            .collect()
    }

    #[test]
    fn all_signs_together_are_wrong_less_than_once_in_2_to_the_40() {
        for length in SHORTEST..=LONGEST {
            let length = length_of(length);
            let signs = SIGNS.iter().map(|sign| (sign.rarity)(length));
            let texts = TEXTS.iter().map(|(_, count, _)| rarity_of(*count, length));
            let wrong: f64 = signs
                .chain(texts)
                .filter(|rarity| *rarity >= RARELY)
                .map(|rarity| (-rarity).exp2())
                .sum();
            assert!(wrong < (-40.0_f64).exp2(), "{length}: 2^{}", wrong.log2());
        }
        assert_eq!(fewest(16), 6);
    }

    #[test]
    fn the_bound_of_a_text_counts_its_characters() {
        for (name, characters, is_one) in TEXTS {
            let count = (0..=255).filter(|byte| is_one(*byte)).count();
            assert_eq!(count, usize::try_from(*characters).unwrap(), "{name}");
        }
    }

    #[test]
    fn what_people_type_is_found() {
        let mut mirrored = *b"0123456789abcdef0123456789abcdef";
        mirrored[31] = b'!';
        let mut one = [0; 32];
        one[31] = 1;
        let mut counter = Vec::new();
        (1..=4_u32).for_each(|n| counter.extend(n.to_be_bytes()));
        let mut steps = bytes(32, &mut 7);
        (0..9).for_each(|at| steps[at + 11] = 200_u8.wrapping_add(7 * u8::try_from(at).unwrap()));
        let mut padded = bytes(24, &mut 8);
        padded.extend([0; 8]);
        let half = bytes(16, &mut 9);
        let lists: &[&[u8]] = &[
            &[0; 16],
            &[0xff; 32],
            &[0xab; 24],
            &one,
            &mirrored,
            &counter,
            &steps,
            &padded,
            &[&half[..], &half[..]].concat(),
            &(0..16).collect::<Vec<u8>>(),
            &(0..32).rev().collect::<Vec<u8>>(),
            b"0123456789012345",
            b"correct horse battery staple!!!!",
            b"Summer2024summer",
            b"hunter2hunter2hu",
            b"PASSWORDPASSWORD",
            b"dGhpcyBpcyBhIHBhc3N3b3Jk",
            b"9f86d081884c7d659a2feaa0c55ad015",
            &[1, 2, 1, 3, 1, 2, 2, 3, 1, 1, 2, 3, 3, 1, 2, 2],
        ];
        for secret in lists {
            assert!(found(secret), "{secret:02x?}");
        }
    }

    #[test]
    fn random_ones_are_not() {
        let state = &mut 1;
        for length in [16, 24, 32, 48, 64, 128, 600] {
            for _ in 0..3000 {
                let secret = bytes(length, state);
                assert_eq!(check(&secret), None, "{secret:02x?}");
            }
        }
        // Too short to say anything.
        assert_eq!(check(&[0; 15]), None);
        assert_eq!(check(&[]), None);
        // Sixteen letters of both cases are too likely to be chance.
        assert_eq!(check(b"qWeRtYuIoPaSdFgH"), None);
    }
}
