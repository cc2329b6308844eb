//! Server-sent events (HTML, section 9.2): bytes as they come in, messages as
//! they are whole.

/// The most bytes of one line, and of one message's data.
const LINE_MAX: usize = 4 << 20;

/// What a stream says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Message {
    /// The kind; `None` for an ordinary message.
    pub kind: Option<String>,
    /// What it says; none where only the place moved on.
    pub data: Option<String>,
    /// The place to come back with, if it was said.
    pub id: Option<String>,
    /// When to come back, in milliseconds, if it was said.
    pub retry: Option<u64>,
}

/// Reads a stream.
#[derive(Default)]
pub(crate) struct Parser {
    line: Vec<u8>,
    /// A carriage return was the last byte: a line feed after it is its own.
    returned: bool,
    begun: bool,
    next: Message,
}

impl Parser {
    /// Takes bytes; gives the messages that they make whole.
    ///
    /// # Errors
    /// A line or message without end, or one that is not UTF-8.
    pub fn take(&mut self, bytes: &[u8]) -> Result<Vec<Message>, &'static str> {
        let mut messages = Vec::new();
        for byte in bytes {
            let follows = std::mem::replace(&mut self.returned, *byte == b'\r');
            match byte {
                b'\n' if follows => {}
                b'\n' | b'\r' => messages.extend(self.end_of_line()?),
                other if self.line.len() < LINE_MAX => self.line.push(*other),
                _ => return Err("a line without end"),
            }
        }
        Ok(messages)
    }

    fn end_of_line(&mut self) -> Result<Option<Message>, &'static str> {
        let bytes = std::mem::take(&mut self.line);
        let line = String::from_utf8(bytes).map_err(|_| "it is not UTF-8")?;
        let line = match std::mem::replace(&mut self.begun, true) {
            true => line.as_str(),
            false => line.strip_prefix('\u{feff}').unwrap_or(&line),
        };
        if line.is_empty() {
            let message = std::mem::take(&mut self.next);
            return Ok((message != Message::default()).then_some(message));
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => self.next.kind = Some(value.to_owned()),
            "data" => match &mut self.next.data {
                None => self.next.data = Some(value.to_owned()),
                Some(data) if data.len() + value.len() < LINE_MAX => {
                    data.push('\n');
                    data.push_str(value);
                }
                Some(_) => return Err("a message without end"),
            },
            "id" if !value.contains('\0') => self.next.id = Some(value.to_owned()),
            "retry" if value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.next.retry = value.parse().ok();
            }
            // A comment has no name; what is not known is passed over.
            _ => {}
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<Message> {
        Parser::default().take(text.as_bytes()).unwrap()
    }

    fn data(text: &str) -> Message {
        Message {
            data: Some(text.to_owned()),
            ..Message::default()
        }
    }

    #[test]
    fn messages_are_as_the_standard_says() {
        assert_eq!(all("data: a\n\n"), [data("a")]);
        assert_eq!(all("data:a\r\ndata:  b\r\n\r\n"), [data("a\n b")]);
        assert_eq!(all("\u{feff}data: a\r\r"), [data("a")]);
        assert_eq!(all("data\n\n"), [data("")]);
        assert_eq!(all(": quiet\n\n"), []);
        assert_eq!(all("data: cut off\n"), []);
        let whole = all("retry: 20\nid: 7\nevent: end\ndata: x\nother: y\n\n");
        let wanted = Message {
            kind: Some("end".into()),
            id: Some("7".into()),
            retry: Some(20),
            ..data("x")
        };
        assert_eq!(whole, [wanted]);
        assert_eq!(all("id: a\0b\nretry: 1x\n\n"), []);
        let place = all("id: 8\n\n");
        assert_eq!((place[0].id.as_deref(), &place[0].data), (Some("8"), &None));
    }

    #[test]
    fn it_does_not_matter_where_the_pieces_break() {
        let text = "id: 1\r\ndata: é\r\n\r\n: x\n\ndata: b\n\n".as_bytes();
        let whole = Parser::default().take(text).unwrap();
        for at in 0..=text.len() {
            let mut parser = Parser::default();
            let mut parts = parser.take(&text[..at]).unwrap();
            parts.extend(parser.take(&text[at..]).unwrap());
            assert_eq!(parts, whole, "{at}");
        }
    }

    #[test]
    fn what_has_no_end_is_refused() {
        let long = vec![b'x'; LINE_MAX + 1];
        assert!(Parser::default().take(&long).is_err());
        let mut parser = Parser::default();
        let line = format!("data: {}\n", "x".repeat(LINE_MAX / 2));
        assert!(parser.take(line.as_bytes()).is_ok());
        assert!(parser.take(line.as_bytes()).is_err());
        assert!(Parser::default().take(b"data: \xff\n").is_err());
    }
}
