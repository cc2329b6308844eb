//! The protocol's messages: stanzas as in a header, one after the other, each
//! of ours answered by age.

use std::io::{self, BufRead, Write};

use skms_client::file::{FileError, Stanza};

/// The most messages that age may send before it is done: what it sends is
/// kept, and most of it comes from a file's header.
const MESSAGES_MAX: usize = 10_000;

/// Why a conversation ended early.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// age went away.
    #[error("age cannot be talked to: {0}")]
    Io(#[from] io::Error),
    /// age sent something that is no message.
    #[error("age sent what is no message: {0}")]
    Message(#[from] FileError),
    /// age sent a message that breaks the protocol's rules.
    #[error("age does not keep to the protocol: {0}")]
    Protocol(&'static str),
}

/// The result of a step.
pub type Result<T> = std::result::Result<T, Error>;

/// One conversation with age.
pub struct Conversation<R, W> {
    input: R,
    output: W,
}

impl<R: BufRead, W: Write> Conversation<R, W> {
    /// Over these two.
    pub fn new(input: R, output: W) -> Self {
        Self { input, output }
    }

    /// What age has to say, up to `done`.
    pub fn listen(&mut self) -> Result<Vec<Stanza>> {
        let mut messages = Vec::new();
        loop {
            let message = Stanza::read(&mut self.input)?;
            if message.tag == "done" {
                return Ok(messages);
            }
            if messages.len() == MESSAGES_MAX {
                return Err(Error::Protocol("too many messages"));
            }
            messages.push(message);
        }
    }

    /// Says something and waits for the answer, which is not heeded: what
    /// cannot be done without age's help is nothing that this plugin asks for.
    pub fn say(&mut self, command: &str, arguments: &[&str], body: &[u8]) -> Result<()> {
        self.send(command, arguments, body)?;
        Stanza::read(&mut self.input)?;
        Ok(())
    }

    /// Says that there is no more.
    pub fn done(&mut self) -> Result<()> {
        self.send("done", &[], b"")
    }

    fn send(&mut self, command: &str, arguments: &[&str], body: &[u8]) -> Result<()> {
        let message = Stanza {
            tag: command.to_owned(),
            arguments: arguments.iter().map(|&one| one.to_owned()).collect(),
            body: body.to_vec(),
        };
        let mut bytes = Vec::new();
        message.write(&mut bytes)?;
        self.output.write_all(&bytes)?;
        Ok(self.output.flush()?)
    }
}
