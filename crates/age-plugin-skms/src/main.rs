//! `age-plugin-skms`: lets stock `age` and `rage` encrypt files to keys of an
//! SKMS server, and decrypt them.
//!
//! What it is: the two state machines of the C2SP age-plugin protocol
//! (`recipient-v1`, `identity-v1`) over standard input and output, and a
//! client. One request wraps or unwraps one file key. What it is not: it sees
//! no file, keeps no key, and asks no other server than the one that its
//! settings name; they are those of the `skms` command.
#![forbid(unsafe_code)]
#![cfg_attr(test, allow(clippy::unwrap_used))]

mod conversation;
mod identity;
mod recipient;
mod server;

use std::io::{self, BufReader, Write as _};
use std::process::ExitCode;

use conversation::Conversation;
use server::Server;

const USAGE: &str = "age-plugin-skms is started by age and rage, when a recipient begins with \
age1skms1 or an identity with AGE-PLUGIN-SKMS-1.\nPrint them with `skms file recipient KEY` and \
`skms file identity KEY`.";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let machine = match arguments.as_slice() {
        [one] => one.strip_prefix("--age-plugin="),
        _ => None,
    };
    let mut talk = Conversation::new(BufReader::new(io::stdin()), io::stdout());
    let mut keys = Server::default();
    let ended = match machine {
        Some("recipient-v1") => recipient::run(&mut talk, &mut keys),
        Some("identity-v1") => identity::run(&mut talk, &mut keys),
        Some(_) => return say("age asks for a protocol that this plugin does not know"),
        None => return say(USAGE),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => say(&format!("age-plugin-skms: {error}")),
    }
}

/// Tells whoever started this, and gives the code of a failure.
fn say(text: &str) -> ExitCode {
    // When standard error is gone there is nobody left to tell.
    let _ = writeln!(io::stderr(), "{text}");
    ExitCode::FAILURE
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use skms_client::file::{FileKey, KeyId, Wrapped};
    use skms_client::wire::Ciphertext;

    use crate::conversation::{Conversation, Result};
    use crate::server::{Keys, Reason};

    /// Wraps by adding one to each byte, and refuses some keys.
    #[derive(Default)]
    pub struct Fake {
        pub refused: Vec<u8>,
        pub asked: usize,
    }

    impl Fake {
        fn ask(&mut self, key: KeyId) -> std::result::Result<(), Reason> {
            self.asked += 1;
            let refused = self.refused.iter().any(|one| id(*one) == key.to_string());
            if refused {
                Err("it is suspended".into())
            } else {
                Ok(())
            }
        }
    }

    impl Keys for Fake {
        fn wrap(&mut self, key: KeyId, file_key: &FileKey) -> std::result::Result<Wrapped, Reason> {
            self.ask(key)?;
            let bytes = file_key.expose().iter().map(|byte| byte + 1).collect();
            let ciphertext = Ciphertext::new(1, bytes);
            Ok(Wrapped { key, ciphertext })
        }

        fn unwrap(&mut self, wrapped: &Wrapped) -> std::result::Result<FileKey, Reason> {
            self.ask(wrapped.key)?;
            let bytes: Vec<u8> = wrapped
                .ciphertext
                .bytes
                .iter()
                .map(|byte| byte - 1)
                .collect();
            FileKey::from_bytes(&bytes).map_err(|error| error.to_string())
        }
    }

    pub fn id(key: u8) -> String {
        format!("00000000-0000-7000-8000-0000000000{key:02x}")
    }

    /// What is said when this is asked and so many answers are given.
    pub fn talk(
        asked: &str,
        answers: usize,
        run: impl FnOnce(&mut Conversation<Cursor<String>, &mut Vec<u8>>) -> Result<()>,
    ) -> Result<String> {
        let answers = "-> ok\n\n".repeat(answers);
        let input = format!("{asked}-> done\n\n{answers}");
        let mut said = Vec::new();
        run(&mut Conversation::new(Cursor::new(input), &mut said))?;
        Ok(String::from_utf8(said).unwrap())
    }
}
