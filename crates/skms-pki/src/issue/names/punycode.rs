//! Punycode (RFC 3492): the letters behind an A-label.

const BASE: u32 = 36;
const T_MIN: u32 = 1;
const T_MAX: u32 = 26;
const SKEW: u32 = 38;
const DAMP: u32 = 700;
const FIRST_BIAS: u32 = 72;
const FIRST_LETTER: u32 = 128;

/// RFC 3492, section 6.1.
fn adapt(delta: u32, points: u32, first: bool) -> u32 {
    let mut delta = if first { delta / DAMP } else { delta / 2 };
    delta += delta / points;
    let mut k = 0;
    while delta > (BASE - T_MIN) * T_MAX / 2 {
        delta /= BASE - T_MIN;
        k += BASE;
    }
    k + (BASE - T_MIN + 1) * delta / (delta + SKEW)
}

fn threshold(k: u32, bias: u32) -> u32 {
    k.saturating_sub(bias).clamp(T_MIN, T_MAX)
}

/// Decodes what follows `xn--` (section 6.2); `None` for what is no Punycode.
pub(super) fn decode(text: &str) -> Option<String> {
    let (basic, rest) = text.rsplit_once('-').unwrap_or(("", text));
    let mut letters: Vec<char> = basic.chars().collect();
    if !basic.is_ascii() {
        return None;
    }
    let (mut n, mut i, mut bias) = (FIRST_LETTER, 0u32, FIRST_BIAS);
    let mut digits = rest.bytes();
    while digits.len() > 0 {
        let before = i;
        let (mut weight, mut k) = (1u32, BASE);
        loop {
            let digit = match digits.next()? {
                byte @ b'a'..=b'z' => u32::from(byte - b'a'),
                byte @ b'A'..=b'Z' => u32::from(byte - b'A'),
                byte @ b'0'..=b'9' => u32::from(byte - b'0') + 26,
                _ => return None,
            };
            i = i.checked_add(digit.checked_mul(weight)?)?;
            let t = threshold(k, bias);
            if digit < t {
                break;
            }
            weight = weight.checked_mul(BASE - t)?;
            k += BASE;
        }
        let points = u32::try_from(letters.len()).ok()?.checked_add(1)?;
        bias = adapt(i - before, points, before == 0);
        n = n.checked_add(i / points)?;
        i %= points;
        letters.insert(usize::try_from(i).ok()?, char::from_u32(n)?);
        i += 1;
    }
    Some(letters.into_iter().collect())
}

/// Encodes a label (section 6.3); `None` where a number would overflow.
pub(super) fn encode(text: &str) -> Option<String> {
    let mut out: String = text.chars().filter(char::is_ascii).collect();
    let basic = u32::try_from(out.len()).ok()?;
    if basic > 0 {
        out.push('-');
    }
    let total = u32::try_from(text.chars().count()).ok()?;
    let (mut n, mut delta, mut bias, mut done) = (FIRST_LETTER, 0u32, FIRST_BIAS, basic);
    while done < total {
        let next = text.chars().map(u32::from).filter(|c| *c >= n).min()?;
        delta = delta.checked_add((next - n).checked_mul(done + 1)?)?;
        n = next;
        for letter in text.chars().map(u32::from) {
            if letter < n {
                delta = delta.checked_add(1)?;
            }
            if letter != n {
                continue;
            }
            let (mut q, mut k) = (delta, BASE);
            loop {
                let t = threshold(k, bias);
                if q < t {
                    break;
                }
                out.push(digit(t + (q - t) % (BASE - t)));
                q = (q - t) / (BASE - t);
                k += BASE;
            }
            out.push(digit(q));
            bias = adapt(delta, done + 1, done == basic);
            delta = 0;
            done += 1;
        }
        delta += 1;
        n += 1;
    }
    Some(out)
}

fn digit(value: u32) -> char {
    // Below 36: letters first, then digits.
    let value = value as u8;
    char::from(if value < 26 {
        b'a' + value
    } else {
        b'0' + value - 26
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 3492, section 7.1, in lower case, and three of RFC 5892's kind.
    const SAMPLES: &[(&str, &str)] = &[
        ("ليهمابتكلموشعربي؟", "egbpdaj6bu4bxfgehfvwxn"),
        ("他们为什么不说中文", "ihqwcrb4cv8a8dqg056pqjye"),
        ("Pročprostěnemluvíčesky", "Proprostnemluvesky-uyb24dma41a"),
        (
            "почемужеонинеговорятпорусски",
            "b1abfaaepdrnnbgefbadotcwatmq2g4l",
        ),
        ("3年B組金八先生", "3B-ww4c5e180e575a65lsy2b"),
        ("bücher", "bcher-kva"),
        ("münchen", "mnchen-3ya"),
        ("-> $1.00 <-", "-> $1.00 <--"),
    ];

    #[test]
    fn the_standards_samples_go_both_ways() {
        for (letters, code) in SAMPLES {
            assert_eq!(encode(letters).as_deref(), Some(*code), "{letters}");
            assert_eq!(decode(code).as_deref(), Some(*letters), "{code}");
        }
    }

    #[test]
    fn what_is_no_punycode_is_refused() {
        for bad in ["999999999", "a_b", "kva~", "é", "bcher-kv"] {
            let back = decode(bad).and_then(|text| encode(&text));
            assert_ne!(back.as_deref(), Some(bad), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_label_comes_back(text in "\\PC{1,40}") {
            let code = encode(&text).unwrap();
            prop_assert_eq!(decode(&code), Some(text));
        }

        #[test]
        fn any_bytes_return(text in "[a-z0-9-]{0,63}") {
            let _ = decode(&text);
        }
    }
}
