//! What is asked for.

use crate::cbor::{Fields, Parse, Reader, Writer, plain_text};
use crate::error::{Error, Result};

/// Bytes of the longest name and identifier.
pub(crate) const MAX_NAME: usize = 255;
/// Bytes of the longest name of an algorithm or a use.
const MAX_WORD: usize = 64;
/// The most uses.
const MAX_USES: usize = 16;

/// Which key of the server's.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeyName {
    /// Its namespace.
    pub namespace: String,
    /// Its keyring.
    pub keyring: String,
    /// Its own name.
    pub name: String,
}

impl KeyName {
    /// A key by its three names.
    #[must_use]
    pub fn new(namespace: &str, keyring: &str, name: &str) -> Self {
        Self {
            namespace: namespace.to_owned(),
            keyring: keyring.to_owned(),
            name: name.to_owned(),
        }
    }

    pub(crate) fn is_sound(&self) -> bool {
        [&self.namespace, &self.keyring, &self.name]
            .into_iter()
            .all(|text| plain_text(text, MAX_NAME))
    }
}

/// What an initiator asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// A new key, agreed upon.
    Agreement(Agreement),
    /// A key that the server has.
    Distribution(Distribution),
}

/// A new key that both sides derive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// What it is to be called.
    pub key: KeyName,
    /// The registry's name of its algorithm; symmetric.
    pub algorithm: String,
    /// What it may do; empty for what is usual.
    pub uses: Uses,
    /// For how many seconds, at least one.
    pub lifetime_seconds: Option<u64>,
}

/// A key that the server is to hand over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// Which one.
    pub key: KeyName,
    /// Which version, from 1; otherwise the newest.
    pub version: Option<u64>,
}

/// What a key may do: words, sorted and none twice.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Uses(Vec<String>);

impl Uses {
    /// These words, in whatever order.
    ///
    /// # Errors
    /// [`Error::Input`] for more than 16, one twice, or one that is no word.
    pub fn new<'w>(words: impl IntoIterator<Item = &'w str>) -> Result<Self> {
        let mut words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        words.sort_unstable();
        let sound = words.len() <= MAX_USES
            && words.iter().all(|word| plain_text(word, MAX_WORD))
            && words.is_sorted_by(|one, next| one < next);
        match sound {
            true => Ok(Self(words)),
            false => Err(Error::Input("uses that are too many, doubled, or no words")),
        }
    }

    /// The words, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        out.array(self.0.len());
        for word in &self.0 {
            out.text(word);
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Parse<Self> {
        let length = reader.array()?;
        if length > MAX_USES {
            return Err("too many uses");
        }
        let mut words: Vec<String> = Vec::with_capacity(length);
        for _ in 0..length {
            let word = reader.text(MAX_WORD)?;
            if words.last().is_some_and(|last| last.as_str() >= word) {
                return Err("a use twice, or uses out of order");
            }
            words.push(word.to_owned());
        }
        Ok(Self(words))
    }
}

/// A request's kind in a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Agreement.
    Agreement,
    /// Distribution.
    Distribution,
}

impl Kind {
    pub(crate) const fn number(self) -> u64 {
        match self {
            Self::Agreement => 1,
            Self::Distribution => 2,
        }
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Parse<Self> {
        match reader.uint()? {
            1 => Ok(Self::Agreement),
            2 => Ok(Self::Distribution),
            _ => Err("a request of a kind that is not known"),
        }
    }
}

impl Request {
    /// Which kind it is of.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Agreement(_) => Kind::Agreement,
            Self::Distribution(_) => Kind::Distribution,
        }
    }

    /// The key it is about.
    #[must_use]
    pub fn key(&self) -> &KeyName {
        match self {
            Self::Agreement(one) => &one.key,
            Self::Distribution(one) => &one.key,
        }
    }

    /// Whether it can be written.
    pub(crate) fn check(&self) -> Result<()> {
        let sound = self.key().is_sound()
            && match self {
                Self::Agreement(one) => {
                    plain_text(&one.algorithm, MAX_WORD) && one.lifetime_seconds != Some(0)
                }
                Self::Distribution(one) => one.version != Some(0),
            };
        match sound {
            true => Ok(()),
            false => Err(Error::Input("a request that has no place in a message")),
        }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        let mut fields = Fields::default();
        fields.field(1).uint(self.kind().number());
        write_name(self.key(), &mut fields);
        match self {
            Self::Agreement(one) => {
                fields.field(5).text(&one.algorithm);
                one.uses.write(fields.field(6));
                if let Some(seconds) = one.lifetime_seconds {
                    fields.field(7).uint(seconds);
                }
            }
            Self::Distribution(one) => {
                if let Some(version) = one.version {
                    fields.field(8).uint(version);
                }
            }
        }
        out.raw(&fields.finish());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Parse<Self> {
        let mut kind = None;
        let mut name = NameFields::default();
        let (mut algorithm, mut uses, mut lifetime, mut version) = (None, None, None, None);
        reader.map(|key, reader| {
            match key {
                1 => kind = Some(Kind::read(reader)?),
                2..=4 => name.read(key, reader)?,
                5 => algorithm = Some(read_word(reader)?),
                6 => uses = Some(Uses::read(reader)?),
                7 => lifetime = Some(read_positive(reader)?),
                8 => version = Some(read_positive(reader)?),
                _ => return Err("a field of the request that is not known"),
            }
            Ok(())
        })?;
        let key = name.finish()?;
        match (kind, algorithm, uses, lifetime, version) {
            (Some(Kind::Agreement), Some(algorithm), Some(uses), lifetime_seconds, None) => {
                Ok(Self::Agreement(Agreement {
                    key,
                    algorithm,
                    uses,
                    lifetime_seconds,
                }))
            }
            (Some(Kind::Distribution), None, None, None, version) => {
                Ok(Self::Distribution(Distribution { key, version }))
            }
            _ => Err("fields of the request that do not go together"),
        }
    }
}

pub(crate) fn write_name(name: &KeyName, fields: &mut Fields) {
    fields.field(2).text(&name.namespace);
    fields.field(3).text(&name.keyring);
    fields.field(4).text(&name.name);
}

/// A name of an algorithm, or another word.
pub(crate) fn read_word(reader: &mut Reader<'_>) -> Parse<String> {
    reader.text(MAX_WORD).map(str::to_owned)
}

pub(crate) fn is_word(text: &str) -> bool {
    plain_text(text, MAX_WORD)
}

/// A number from 1.
pub(crate) fn read_positive(reader: &mut Reader<'_>) -> Parse<u64> {
    match reader.uint()? {
        0 => Err("a zero where there is none"),
        number => Ok(number),
    }
}

/// Fields 2, 3 and 4 of requests and grants.
#[derive(Default)]
pub(crate) struct NameFields([Option<String>; 3]);

impl NameFields {
    pub(crate) fn read(&mut self, key: u64, reader: &mut Reader<'_>) -> Parse<()> {
        let text = reader.text(MAX_NAME)?.to_owned();
        let [namespace, keyring, name] = &mut self.0;
        match key {
            2 => *namespace = Some(text),
            3 => *keyring = Some(text),
            _ => *name = Some(text),
        }
        Ok(())
    }

    pub(crate) fn finish(self) -> Parse<KeyName> {
        match self.0 {
            [Some(namespace), Some(keyring), Some(name)] => Ok(KeyName {
                namespace,
                keyring,
                name,
            }),
            _ => Err("a key's name that is not whole"),
        }
    }
}
