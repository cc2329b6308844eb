//! `recipient-v1`: age has file keys, and wants them wrapped.

use std::io::{BufRead, Write};

use skms_client::file::{FileKey, KeyId, PluginIdentity, Stanza, Wrapped};

use crate::conversation::{Conversation, Error, Result};
use crate::server::Keys;

/// For whom, and where age said so.
struct Asked {
    kind: &'static str,
    index: usize,
    key: std::result::Result<KeyId, String>,
}

/// Runs the machine to its end.
pub fn run<R: BufRead, W: Write>(
    talk: &mut Conversation<R, W>,
    keys: &mut impl Keys,
) -> Result<()> {
    let (mut asked, mut files) = (Vec::new(), Vec::new());
    let (mut recipients, mut identities) = (0, 0);
    for message in talk.listen()? {
        match message.tag.as_str() {
            "add-recipient" => {
                let key = KeyId::from_recipient(only(&message)?);
                asked.push(Asked {
                    kind: "recipient",
                    index: recipients,
                    key: key.map_err(|error| error.to_string()),
                });
                recipients += 1;
            }
            "add-identity" => {
                let key = match only(&message)?.parse() {
                    Ok(PluginIdentity::Key(key)) => Ok(key),
                    Ok(PluginIdentity::Any) => {
                        Err("name a key: this identity stands for any".to_owned())
                    }
                    Err(error) => Err(error.to_string()),
                };
                asked.push(Asked {
                    kind: "identity",
                    index: identities,
                    key,
                });
                identities += 1;
            }
            "wrap-file-key" => files.push(FileKey::from_bytes(&message.body)?),
            // What later versions add is for later versions.
            _ => {}
        }
    }
    let mut stanzas = Vec::new();
    for (file, file_key) in files.iter().enumerate() {
        for asked in &asked {
            let wrapped = match &asked.key {
                Ok(key) => keys.wrap(*key, file_key),
                Err(reason) => Err(reason.clone()),
            };
            match wrapped {
                Ok(wrapped) => stanzas.push((file, wrapped)),
                Err(reason) => {
                    // All or none: a file that some cannot open is no success.
                    let index = asked.index.to_string();
                    talk.say("error", &[asked.kind, &index], reason.as_bytes())?;
                    return talk.done();
                }
            }
        }
    }
    for (file, wrapped) in stanzas {
        hand_over(talk, file, &wrapped)?;
    }
    talk.done()
}

fn hand_over<R: BufRead, W: Write>(
    talk: &mut Conversation<R, W>,
    file: usize,
    wrapped: &Wrapped,
) -> Result<()> {
    let stanza = wrapped.stanza();
    let file = file.to_string();
    let mut arguments = vec![file.as_str(), stanza.tag.as_str()];
    arguments.extend(stanza.arguments.iter().map(String::as_str));
    talk.say("recipient-stanza", &arguments, &stanza.body)
}

/// The one argument that a message has.
pub(crate) fn only(message: &Stanza) -> Result<&str> {
    match message.arguments.as_slice() {
        [one] => Ok(one),
        _ => Err(Error::Protocol(
            "a message with another number of arguments",
        )),
    }
}

#[cfg(test)]
mod tests {
    use skms_client::file::PluginIdentity;

    use super::*;
    use crate::tests::{Fake, id, talk};

    const FILE_KEY: &str = "-> wrap-file-key\nBwcHBwcHBwcHBwcHBwcHBw\n";

    fn recipient(key: u8) -> String {
        let key: KeyId = id(key).parse().unwrap();
        format!("-> add-recipient {}\n\n", key.recipient())
    }

    #[test]
    fn each_file_is_wrapped_to_each_recipient() {
        let identity = PluginIdentity::Key(id(2).parse().unwrap());
        let asked = [
            recipient(1),
            format!("-> add-identity {identity}\n\n"),
            "-> extension-labels\n\n".into(),
            FILE_KEY.repeat(2),
        ]
        .concat();
        let mut keys = Fake::default();
        let said = talk(&asked, 4, |talk| run(talk, &mut keys)).unwrap();
        let wrapped = "CAgICAgICAgICAgICAgICA";
        let mut expected = String::new();
        for file in [0, 1] {
            for key in [1, 2] {
                let id = id(key);
                expected += &format!("-> recipient-stanza {file} skms {id} 1\n{wrapped}\n");
            }
        }
        assert_eq!(said, expected + "-> done\n\n");
        assert_eq!(keys.asked, 4);
    }

    #[test]
    fn one_that_cannot_be_wrapped_to_is_an_error_and_nothing_is_handed_over() {
        let refused = vec![2];
        let mut keys = Fake { refused, asked: 0 };
        let asked = [recipient(1), recipient(2), FILE_KEY.into()].concat();
        let said = talk(&asked, 1, |talk| run(talk, &mut keys)).unwrap();
        assert!(said.starts_with("-> error recipient 1\n"), "{said}");
        assert!(!said.contains("recipient-stanza"));
        let any = PluginIdentity::Any;
        let asked = format!("-> add-identity {any}\n\n{FILE_KEY}");
        let said = talk(&asked, 1, |talk| run(talk, &mut keys)).unwrap();
        assert!(said.starts_with("-> error identity 0\n"), "{said}");
        let short = "-> wrap-file-key\nBwc\n";
        assert!(talk(short, 0, |talk| run(talk, &mut keys)).is_err());
    }
}
