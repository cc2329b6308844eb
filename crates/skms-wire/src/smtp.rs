//! What is said to a mail server (RFC 5321) and in a message (RFC 5322): as
//! much as a server needs that sends short notes of plain text and takes none.

use std::fmt::Write as _;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest line of a reply, and the most lines of one.
const LINE_MAX: usize = 1024;
const LINES_MAX: usize = 100;
/// Base64 in a line of a message.
const COLUMNS: usize = 76;

/// Why something is no mailbox or no reply.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

/// A mailbox: what mail is sent to. Only the plain form, without names, quotes
/// and comments, so that nothing in it can mean anything else anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox(String);

impl Mailbox {
    /// As it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What is after the at sign.
    pub fn domain(&self) -> &str {
        self.0.rsplit('@').next().unwrap_or_default()
    }
}

impl FromStr for Mailbox {
    type Err = Malformed;

    fn from_str(text: &str) -> Result<Self, Malformed> {
        let wrong = Malformed("a mailbox is written as name@example.org");
        let (local, domain) = text.split_once('@').ok_or_else(|| wrong.clone())?;
        let atom = |part: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~".contains(&b);
            !part.is_empty() && part.bytes().all(plain)
        };
        let label = |part: &str| {
            let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
            (1..=63).contains(&part.len())
                && part.bytes().all(plain)
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        let fits = (1..=64).contains(&local.len()) && (1..=253).contains(&domain.len());
        match fits && local.split('.').all(atom) && domain.split('.').all(label) {
            true => Ok(Self(text.to_owned())),
            false => Err(wrong),
        }
    }
}

/// What a server replies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Three digits.
    pub code: u16,
    /// The texts of its lines.
    pub lines: Vec<String>,
}

impl Reply {
    /// Whether a server that was greeted says that it can do this, and for
    /// `AUTH` by this way.
    pub fn offers(&self, what: &str, way: Option<&str>) -> bool {
        self.lines.iter().skip(1).any(|line| {
            let mut words = line.split(' ');
            let named = words
                .next()
                .is_some_and(|word| word.eq_ignore_ascii_case(what));
            named && way.is_none_or(|way| words.any(|word| word.eq_ignore_ascii_case(way)))
        })
    }
}

/// Puts replies together.
#[derive(Debug, Default)]
pub struct Replies {
    line: Vec<u8>,
    so_far: Option<Reply>,
}

impl Replies {
    /// Takes one byte; gives the reply that it ends.
    ///
    /// # Errors
    /// [`Malformed`] for what is no reply, or one without end.
    pub fn take(&mut self, byte: u8) -> Result<Option<Reply>, Malformed> {
        if byte != b'\n' {
            self.line.push(byte);
            return match self.line.len() > LINE_MAX {
                true => Err(Malformed("a line without end")),
                false => Ok(None),
            };
        }
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let odd = || Malformed("no reply of a mail server");
        let digits = line.get(..3).ok_or_else(odd)?;
        let code = std::str::from_utf8(digits).map_err(|_| odd())?;
        let digits = code.bytes().all(|byte| byte.is_ascii_digit());
        let code = code.parse().ok().filter(|_| digits).ok_or_else(odd)?;
        let more = match line.get(3) {
            None | Some(b' ') => false,
            Some(b'-') => true,
            Some(_) => return Err(odd()),
        };
        let text = String::from_utf8_lossy(line.get(4..).unwrap_or_default()).into_owned();
        let reply = self.so_far.get_or_insert_with(|| Reply {
            code,
            lines: Vec::new(),
        });
        if reply.code != code || reply.lines.len() >= LINES_MAX {
            return Err(odd());
        }
        reply.lines.push(text);
        match more {
            true => Ok(None),
            false => Ok(self.so_far.take()),
        }
    }

    /// Whether nothing was begun: after that, what comes is another speaker's.
    pub fn is_between(&self) -> bool {
        self.line.is_empty() && self.so_far.is_none()
    }
}

/// A note of plain text.
#[derive(Debug, Clone)]
pub struct Note<'a> {
    /// From whom.
    pub from: &'a Mailbox,
    /// To whom.
    pub to: &'a [Mailbox],
    /// When, as RFC 5322 has it.
    pub date: &'a str,
    /// What names it, before the at sign: letters and digits.
    pub id: &'a str,
    /// What it is about. What is not plain ASCII is replaced.
    pub subject: &'a str,
    /// What it says.
    pub text: &'a str,
}

impl Note<'_> {
    /// As it is sent after `DATA`, with the end of it.
    pub fn written(&self) -> String {
        let plain = |text: &str| -> String {
            let ascii = |c: char| c == ' ' || c.is_ascii_graphic();
            text.chars()
                .map(|c| if ascii(c) { c } else { '?' })
                .collect()
        };
        let to: Vec<String> = (self.to.iter())
            .map(|one| format!("<{}>", one.as_str()))
            .collect();
        let mut out = format!("From: <{}>\r\n", self.from.as_str());
        // Writing to a string does not fail.
        let _ = write!(
            out,
            "To: {}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{}@{}>\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n\
             Content-Type: text/plain; charset=utf-8\r\n\
             Content-Transfer-Encoding: base64\r\n\r\n",
            to.join(",\r\n "),
            plain(self.subject),
            plain(self.date),
            plain(self.id),
            self.from.domain(),
        );
        let lines = self.text.replace("\r\n", "\n").replace('\n', "\r\n");
        let body = STANDARD.encode(lines);
        for line in body.as_bytes().chunks(COLUMNS) {
            // No line of base64 begins with a dot: none has to be doubled.
            out.push_str(std::str::from_utf8(line).unwrap_or_default());
            out.push_str("\r\n");
        }
        out.push_str(".\r\n");
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replies(text: &[u8]) -> Result<Vec<Reply>, Malformed> {
        let mut reader = Replies::default();
        let each = text.iter().map(|byte| reader.take(*byte));
        each.filter_map(Result::transpose).collect()
    }

    #[test]
    fn mailboxes_are_plain() {
        for good in [
            "ops@example.org",
            "a.b+c@x-1.example",
            "o'neil@example.org",
            "root@localhost",
        ] {
            assert!(good.parse::<Mailbox>().is_ok(), "{good}");
        }
        assert_eq!(
            "a@b.example".parse::<Mailbox>().unwrap().domain(),
            "b.example"
        );
        for bad in [
            "",
            "ops",
            "@example.org",
            "ops@",
            "a@b@example.org",
            "ops@example..org",
            ".ops@example.org",
            "ops.@example.org",
            "ops@-example.org",
            "o ps@example.org",
            "\"ops\"@example.org",
            "Ops <ops@example.org>",
            "ops@example.org>\r\nRCPT TO:<x@example.org",
            "ops@example.org\r\nBcc: x@example.org",
            "ops@[127.0.0.1]",
            "ö@example.org",
        ] {
            assert!(bad.parse::<Mailbox>().is_err(), "{bad}");
        }
        assert!(format!("{}@x", "a".repeat(65)).parse::<Mailbox>().is_err());
    }

    #[test]
    fn replies_are_read_strictly() {
        let read =
            replies(b"250-mail.example.org\r\n250-STARTTLS\r\n250 AUTH LOGIN PLAIN\r\n").unwrap();
        assert_eq!(read.len(), 1);
        assert!(read[0].offers("starttls", None) && read[0].offers("AUTH", Some("plain")));
        assert!(!read[0].offers("AUTH", Some("CRAM-MD5")) && !read[0].offers("SIZE", None));
        // The greeting line offers nothing.
        assert!(!replies(b"250 STARTTLS\r\n").unwrap()[0].offers("STARTTLS", None));
        assert_eq!(replies(b"220\n354 go\n").unwrap().len(), 2);
        for bad in [
            &b"25\r\n"[..],
            b"+50 x\r\n",
            b"2500 x\r\n",
            b"250_x\r\n",
            b"250-a\r\n251 b\r\n",
            b"\r\n",
            b"\xff\xff\xff x\r\n",
        ] {
            assert!(replies(bad).is_err(), "{bad:?}");
        }
        assert!(replies(&[b'2'; LINE_MAX + 1]).is_err());
        assert!(replies(&b"250-x\r\n".repeat(LINES_MAX + 1)).is_err());
        let mut reader = Replies::default();
        assert!(reader.is_between() && reader.take(b'2').unwrap().is_none());
        assert!(!reader.is_between());
    }

    #[test]
    fn a_note_has_the_headers_that_it_is_given_and_no_others() {
        let from = "skms@example.org".parse().unwrap();
        let to = ["a@example.org", "b@example.org"].map(|one| one.parse().unwrap());
        let note = Note {
            from: &from,
            to: &to,
            date: "Thu, 01 Jan 1970 00:00:00 +0000",
            id: "abc1",
            subject: "two\r\nBcc: x@example.org\u{e4}",
            text: ".\r\nline\n.\nhidden: no",
        };
        let written = note.written();
        let (head, body) = written.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains("Subject: two??Bcc: x@example.org?\r\n"),
            "{head}"
        );
        assert!(!head.contains("\r\nBcc"));
        assert_eq!(
            head.lines().filter(|line| !line.starts_with(' ')).count(),
            9
        );
        let body = body.strip_suffix(".\r\n").unwrap();
        assert!(
            body.lines()
                .all(|line| line.len() <= COLUMNS && !line.starts_with('.'))
        );
        let text = STANDARD.decode(body.replace("\r\n", "")).unwrap();
        assert_eq!(text, b".\r\nline\r\n.\r\nhidden: no");
    }
}
