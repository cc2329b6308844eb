//! Text in events: bounded, and cheap to pass on.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

/// The most bytes of one text in an event.
pub const MAX_TEXT_LEN: usize = 256;
/// What a text that was cut ends with.
const CUT: char = '…';

/// A text of at most 256 bytes.
///
/// A longer one is cut at a character and ends with "…": what a caller sends
/// cannot swell the log. Control characters stay and are escaped where the
/// event is encoded.
#[derive(Clone)]
pub struct Text(Inner);

#[derive(Clone)]
enum Inner {
    Fixed(&'static str),
    Shared(Arc<str>),
    Owned(Box<str>),
}

impl Text {
    /// A text of our own, which nobody needs to copy.
    ///
    /// # Panics
    /// At compile time in a constant, if it is over 256 bytes.
    #[must_use]
    pub const fn fixed(text: &'static str) -> Self {
        assert!(text.len() <= MAX_TEXT_LEN, "a fixed text is too long");
        Self(Inner::Fixed(text))
    }

    /// A text that is shared with whoever holds it; copied only to cut it.
    #[must_use]
    pub fn shared(text: &Arc<str>) -> Self {
        match bounded(text) {
            Cow::Borrowed(_) => Self(Inner::Shared(Arc::clone(text))),
            Cow::Owned(cut) => Self(Inner::Owned(cut.into())),
        }
    }

    /// A copy of a text, cut if it is too long.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(Inner::Owned(bounded(text).into()))
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Inner::Fixed(text) => text,
            Inner::Shared(text) => text,
            Inner::Owned(text) => text,
        }
    }
}

/// The text itself if it fits, else as much of it as fits with the mark.
pub(crate) fn bounded(text: &str) -> Cow<'_, str> {
    if text.len() <= MAX_TEXT_LEN {
        return Cow::Borrowed(text);
    }
    let room = MAX_TEXT_LEN - CUT.len_utf8();
    let end = (0..=room).rev().find(|&at| text.is_char_boundary(at));
    let mut cut = text.get(..end.unwrap_or(0)).unwrap_or_default().to_owned();
    cut.push(CUT);
    Cow::Owned(cut)
}

impl Default for Text {
    fn default() -> Self {
        Self::fixed("")
    }
}

impl From<&str> for Text {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Text {
    fn from(text: String) -> Self {
        match bounded(&text) {
            Cow::Borrowed(_) => Self(Inner::Owned(text.into_boxed_str())),
            Cow::Owned(cut) => Self(Inner::Owned(cut.into())),
        }
    }
}

impl AsRef<str> for Text {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl PartialEq for Text {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Text {}

impl PartialEq<str> for Text {
    fn eq(&self, other: &str) -> bool {
        self.as_str() == other
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_character() {
        let fits = "x".repeat(MAX_TEXT_LEN);
        assert_eq!(Text::new(&fits).as_str(), fits);
        for long in [
            "x".repeat(MAX_TEXT_LEN + 1),
            "é".repeat(MAX_TEXT_LEN),
            "🗝".repeat(MAX_TEXT_LEN),
        ] {
            let shared: Arc<str> = long.as_str().into();
            for text in [
                Text::new(&long),
                Text::shared(&shared),
                Text::from(long.clone()),
            ] {
                assert!(text.as_str().len() <= MAX_TEXT_LEN);
                assert!(text.as_str().len() > MAX_TEXT_LEN - 8);
                let kept = text.as_str().strip_suffix(CUT).unwrap();
                assert!(long.starts_with(kept));
            }
        }
    }

    #[test]
    fn however_it_was_made_it_is_the_same_text() {
        let shared: Arc<str> = "key.encrypt".into();
        assert_eq!(Text::fixed("key.encrypt"), Text::shared(&shared));
        assert_eq!(Text::from("key.encrypt"), Text::shared(&shared));
        assert_ne!(Text::from("key.decrypt"), Text::shared(&shared));
        assert_eq!(Text::default().as_str(), "");
    }
}
