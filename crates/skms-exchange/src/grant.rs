//! What is given: the header of a key, signed and under the MAC.

use skms_crypto::Algorithm;

use crate::cbor::{Fields, Parse, Reader, Writer, plain_text};
use crate::error::{Error, Result};
use crate::request::{
    Agreement, KeyName, Kind, MAX_NAME, NameFields, Request, Uses, is_word, read_positive,
    read_word, write_name,
};

/// Bytes of an agreed key.
const LENGTHS: std::ops::RangeInclusive<u64> = 16..=512;

/// How a distributed key is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFormat {
    /// A symmetric key, as it is.
    Raw,
    /// A private key in unencrypted PKCS #8 (DER).
    Pkcs8,
}

impl KeyFormat {
    const fn name(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Pkcs8 => "pkcs8",
        }
    }

    fn read(reader: &mut Reader<'_>) -> Parse<Self> {
        match reader.text(16)? {
            "raw" => Ok(Self::Raw),
            "pkcs8" => Ok(Self::Pkcs8),
            _ => Err("a format that is not known"),
        }
    }
}

/// What comes along with the two kinds of keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Given {
    /// An agreed key of so many bytes.
    Agreed {
        /// Bytes.
        length: usize,
    },
    /// A sealed key in this format.
    Sealed {
        /// The format.
        format: KeyFormat,
    },
}

/// What is said about the key that is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Its names, which are the request's.
    pub key: KeyName,
    /// Its algorithm, by the registry's name.
    pub algorithm: String,
    /// What it may do.
    pub uses: Uses,
    /// For how many seconds from the answer's time.
    pub lifetime_seconds: Option<u64>,
    /// The version's number, from 1.
    pub version: u64,
    /// The key's identifier on the server.
    pub id: String,
    /// What there is of it.
    pub given: Given,
}

impl Grant {
    /// Which kind of request it answers.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self.given {
            Given::Agreed { .. } => Kind::Agreement,
            Given::Sealed { .. } => Kind::Distribution,
        }
    }

    /// Whether it can be written.
    pub(crate) fn check(&self) -> Result<()> {
        let length = match self.given {
            Given::Agreed { length } => LENGTHS.contains(&(length as u64)),
            Given::Sealed { .. } => true,
        };
        let sound = self.key.is_sound()
            && is_word(&self.algorithm)
            && plain_text(&self.id, MAX_NAME)
            && self.version > 0
            && self.lifetime_seconds != Some(0)
            && length;
        match sound {
            true => Ok(()),
            false => Err(Error::Input("a grant that has no place in a message")),
        }
    }

    /// Whether it is what a request asked for.
    ///
    /// # Errors
    /// [`Error::Grant`].
    pub(crate) fn fits(&self, request: &Request) -> Result<()> {
        if self.kind() != request.kind() {
            return Err(Error::Grant("of another kind"));
        }
        if self.key != *request.key() {
            return Err(Error::Grant("of another name"));
        }
        match request {
            Request::Agreement(wanted) => self.fits_agreement(wanted),
            Request::Distribution(wanted) => match wanted.version {
                Some(version) if version != self.version => Err(Error::Grant("of another version")),
                _ => Ok(()),
            },
        }
    }

    fn fits_agreement(&self, wanted: &Agreement) -> Result<()> {
        if self.algorithm != wanted.algorithm {
            return Err(Error::Grant("for another algorithm"));
        }
        if !wanted.uses.is_empty() && self.uses != wanted.uses {
            return Err(Error::Grant("for other uses"));
        }
        let lasts = match (wanted.lifetime_seconds, self.lifetime_seconds) {
            (None, _) => true,
            (Some(wanted), Some(given)) => given <= wanted,
            (Some(_), None) => false,
        };
        if !lasts {
            return Err(Error::Grant("for longer"));
        }
        // A key shorter than its algorithm's would be a weak one.
        let known = self.algorithm.parse::<Algorithm>().ok();
        match (known.map(|known| known.row().key_bytes), self.given) {
            (Some(None), _) => Err(Error::Grant("for an algorithm whose keys cannot be agreed")),
            (Some(Some(bytes)), Given::Agreed { length }) if bytes != length => {
                Err(Error::Grant("of another length"))
            }
            _ => Ok(()),
        }
    }

    pub(crate) fn write(&self, out: &mut Writer) {
        let mut fields = Fields::default();
        fields.field(1).uint(self.kind().number());
        write_name(&self.key, &mut fields);
        fields.field(5).text(&self.algorithm);
        self.uses.write(fields.field(6));
        if let Some(seconds) = self.lifetime_seconds {
            fields.field(7).uint(seconds);
        }
        fields.field(8).uint(self.version);
        fields.field(9).text(&self.id);
        match self.given {
            Given::Agreed { length } => fields.field(10).uint(length as u64),
            Given::Sealed { format } => fields.field(11).text(format.name()),
        };
        out.raw(&fields.finish());
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Parse<Self> {
        let mut kind = None;
        let mut name = NameFields::default();
        let (mut algorithm, mut uses, mut lifetime) = (None, None, None);
        let (mut version, mut id, mut length, mut format) = (None, None, None, None);
        reader.map(|key, reader| {
            match key {
                1 => kind = Some(Kind::read(reader)?),
                2..=4 => name.read(key, reader)?,
                5 => algorithm = Some(read_word(reader)?),
                6 => uses = Some(Uses::read(reader)?),
                7 => lifetime = Some(read_positive(reader)?),
                8 => version = Some(read_positive(reader)?),
                9 => id = Some(reader.text(MAX_NAME)?.to_owned()),
                10 => length = Some(read_length(reader)?),
                11 => format = Some(KeyFormat::read(reader)?),
                _ => return Err("a field of the grant that is not known"),
            }
            Ok(())
        })?;
        let given = match (kind, length, format) {
            (Some(Kind::Agreement), Some(length), None) => Given::Agreed { length },
            (Some(Kind::Distribution), None, Some(format)) => Given::Sealed { format },
            _ => return Err("fields of the grant that do not go together"),
        };
        match (algorithm, uses, version, id) {
            (Some(algorithm), Some(uses), Some(version), Some(id)) => Ok(Self {
                key: name.finish()?,
                algorithm,
                uses,
                lifetime_seconds: lifetime,
                version,
                id,
                given,
            }),
            _ => Err("a grant that is not whole"),
        }
    }
}

fn read_length(reader: &mut Reader<'_>) -> Parse<usize> {
    let length = reader.uint()?;
    match usize::try_from(length) {
        Ok(bytes) if LENGTHS.contains(&length) => Ok(bytes),
        _ => Err("an agreed key of a length that is not allowed"),
    }
}
