//! `identity-v1`: age has headers, and wants their file keys.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use skms_client::file::{PluginIdentity, Stanza, Wrapped};

use crate::conversation::{Conversation, Error, Result};
use crate::recipient::only;
use crate::server::Keys;

/// How many stanzas of one file the server is asked about: a header from a
/// stranger must not cause any number of requests.
const ASKED_MAX: usize = 8;

/// A file's stanzas of ours, each with its place among those of all kinds.
type Ours = Vec<(usize, std::result::Result<Wrapped, String>)>;

/// Runs the machine to its end.
pub fn run<R: BufRead, W: Write>(
    talk: &mut Conversation<R, W>,
    keys: &mut impl Keys,
) -> Result<()> {
    let mut identities = Vec::new();
    let mut files: BTreeMap<usize, (usize, Ours)> = BTreeMap::new();
    for message in talk.listen()? {
        match message.tag.as_str() {
            "add-identity" => identities.push(only(&message)?.parse::<PluginIdentity>()),
            "recipient-stanza" => {
                let (file, stanza) = embedded(message)?;
                let (count, ours) = files.entry(file).or_default();
                match Wrapped::read(&stanza) {
                    Ok(Some(wrapped)) => ours.push((*count, Ok(wrapped))),
                    Ok(None) => {}
                    Err(error) => ours.push((*count, Err(error.to_string()))),
                }
                *count += 1;
            }
            // What later versions add is for later versions.
            _ => {}
        }
    }
    for (index, identity) in identities.iter().enumerate() {
        if let Err(error) = identity {
            let index = index.to_string();
            talk.say("error", &["identity", &index], error.to_string().as_bytes())?;
            return talk.done();
        }
    }
    let wanted = |wrapped: &Wrapped| {
        identities.iter().flatten().any(|identity| match identity {
            PluginIdentity::Any => true,
            PluginIdentity::Key(key) => *key == wrapped.key,
        })
    };
    for (file, (_, ours)) in files {
        let file = file.to_string();
        // The structure of stanzas counts before any of them is opened.
        if let Some((place, Err(reason))) = ours.iter().find(|(_, one)| one.is_err()) {
            let place = place.to_string();
            talk.say("error", &["stanza", &file, &place], reason.as_bytes())?;
            continue;
        }
        let mut refusal = None;
        let mine = ours
            .iter()
            .filter_map(|(place, one)| Some((place, one.as_ref().ok()?)))
            .filter(|(_, wrapped)| wanted(wrapped));
        for (place, wrapped) in mine.take(ASKED_MAX) {
            match keys.unwrap(wrapped) {
                Ok(key) => {
                    talk.say("file-key", &[&file], key.expose())?;
                    refusal = None;
                    break;
                }
                Err(reason) => refusal = Some((place.to_string(), reason)),
            }
        }
        if let Some((place, reason)) = refusal {
            talk.say("error", &["stanza", &file, &place], reason.as_bytes())?;
        }
    }
    talk.done()
}

/// The stanza inside a message, and which file it is of.
fn embedded(message: Stanza) -> Result<(usize, Stanza)> {
    const BAD: Error = Error::Protocol("a stanza without its file or type");
    let mut arguments = message.arguments.into_iter();
    let file = arguments.next().and_then(|file| file.parse().ok());
    let tag = arguments.next();
    match (file, tag) {
        (Some(file), Some(tag)) => Ok((
            file,
            Stanza {
                tag,
                arguments: arguments.collect(),
                body: message.body,
            },
        )),
        _ => Err(BAD),
    }
}

#[cfg(test)]
mod tests {
    use crate::tests::{Fake, id, talk};

    const ANY: &str = "AGE-PLUGIN-SKMS-1";

    fn any() -> String {
        use skms_client::file::PluginIdentity;
        let any = PluginIdentity::Any.to_string();
        assert!(any.starts_with(ANY));
        format!("-> add-identity {any}\n\n")
    }

    fn stanza(file: usize, key: u8) -> String {
        // The fake wraps by adding one to each byte.
        let body = "CAgICAgICAgICAgICAgICA";
        format!("-> recipient-stanza {file} skms {} 1\n{body}\n", id(key))
    }

    #[test]
    fn each_file_gets_its_key_with_one_request() {
        let asked = [
            &any(),
            "-> grease-of-another-version x\n\n",
            "-> recipient-stanza 0 X25519 abc\nAAAA\n",
            &stanza(0, 1),
            &stanza(1, 2),
        ]
        .concat();
        let mut keys = Fake::default();
        let said = talk(&asked, 2, |talk| super::run(talk, &mut keys)).unwrap();
        assert_eq!(
            said,
            "-> file-key 0\nBwcHBwcHBwcHBwcHBwcHBw\n-> file-key 1\nBwcHBwcHBwcHBwcHBwcHBw\n-> done\n\n"
        );
        assert_eq!(keys.asked, 2);
    }

    #[test]
    fn a_refusal_names_the_stanza_and_the_next_one_is_tried() {
        let mut keys = Fake {
            refused: vec![1],
            asked: 0,
        };
        let asked = [any(), "-> recipient-stanza 0 x\n\n".into(), stanza(0, 1)].concat();
        let said = talk(&asked, 1, |talk| super::run(talk, &mut keys)).unwrap();
        assert!(said.starts_with("-> error stanza 0 1\n"), "{said}");
        let asked = [any(), stanza(0, 1), stanza(0, 2)].concat();
        let said = talk(&asked, 1, |talk| super::run(talk, &mut keys)).unwrap();
        assert!(said.starts_with("-> file-key 0\n"), "{said}");
    }

    #[test]
    fn only_the_key_that_the_identity_names_is_asked() {
        use skms_client::file::PluginIdentity;
        let one = PluginIdentity::Key(id(2).parse().unwrap());
        let asked = format!("-> add-identity {one}\n\n{}", stanza(0, 1));
        let mut keys = Fake::default();
        let said = talk(&asked, 0, |talk| super::run(talk, &mut keys)).unwrap();
        assert_eq!(said, "-> done\n\n");
        let asked = asked + &stanza(0, 2);
        let said = talk(&asked, 1, |talk| super::run(talk, &mut keys)).unwrap();
        assert!(said.starts_with("-> file-key 0\n"));
        assert_eq!(keys.asked, 1);
    }

    #[test]
    fn a_stranger_causes_few_requests_and_a_damaged_stanza_none() {
        let refused = (0..100).collect();
        let mut keys = Fake { refused, asked: 0 };
        let many: String = (0..100).map(|key| stanza(0, key)).collect();
        let said = talk(&(any() + &many), 1, |talk| super::run(talk, &mut keys)).unwrap();
        assert!(said.starts_with("-> error stanza 0 7\n"), "{said}");
        assert_eq!(keys.asked, 8);
        let damaged = [
            &any(),
            &stanza(0, 1),
            "-> recipient-stanza 0 skms x\nAAAA\n",
        ]
        .concat();
        let said = talk(&damaged, 1, |talk| super::run(talk, &mut keys)).unwrap();
        assert!(said.starts_with("-> error stanza 0 1\n"), "{said}");
        assert_eq!(keys.asked, 8);
        for broken in [
            "-> recipient-stanza x skms\n\n",
            "-> recipient-stanza 0\n\n",
        ] {
            assert!(talk(broken, 0, |talk| super::run(talk, &mut keys)).is_err());
        }
    }
}
