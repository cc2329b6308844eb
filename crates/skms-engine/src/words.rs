//! Texts that callers write and people are shown: in events, reports, mails. So
//! that none of them is taken for something else, they have no characters that
//! are none to be seen.

/// Whether a character is no part of a text that is shown: it controls the
/// terminal, changes the direction of the text around it (Unicode Standard
/// Annex 9), or breaks its line.
#[must_use]
pub fn hides(one: char) -> bool {
    let turns = matches!(
        one,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    one.is_control() || turns
}

/// Whether a text is shown as it is.
pub(crate) fn is_plain(text: &str) -> bool {
    !text.chars().any(hides)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_hides_or_turns_text_round_is_not_plain() {
        for good in [
            "",
            "seit gestern \u{201e}weg\u{201c}",
            "\u{5d0}\u{5d1}",
            "a b",
        ] {
            assert!(is_plain(good), "{good}");
        }
        for bad in [
            "\n",
            "\u{1b}[2J",
            "\u{9b}",
            "\u{202e}",
            "\u{2066}",
            "\u{61c}",
            "\u{2028}",
        ] {
            assert!(!is_plain(bad), "{}", bad.escape_unicode());
        }
    }
}
