//! Key revocation lists (PROTOCOL.krl): certificates of one authority by
//! serial number and key identifier, and keys by the hash of their encoding,
//! whoever certified them.
//!
//! They are not signed: OpenSSH never read the signatures that the format has
//! room for. Whoever fetches a list has to trust where it comes from.

use std::collections::BTreeSet;

use super::error::{Error, Result};
use super::public::PublicKey;
use super::serials::Serials;
use super::wire::{Reader, Writer};

//= PROTOCOL.krl, section 1
//# #define KRL_MAGIC  0x5353484b524c0a00ULL  /* "SSHKRL\n\0" */
const MAGIC: u64 = 0x5353_484b_524c_0a00;
const VERSION: u32 = 1;

const SECTION_CERTIFICATES: u8 = 1;
const SECTION_SHA256: u8 = 5;
const SERIAL_LIST: u8 = 0x20;
const SERIAL_RANGE: u8 = 0x21;
const KEY_ID: u8 = 0x23;

/// What is revoked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Revoked {
    /// Serial numbers of the authority's certificates; never zero, which
    /// OpenSSH takes for none.
    pub serials: Serials,
    /// Key identifiers of the authority's certificates.
    pub key_ids: BTreeSet<String>,
    /// SHA-256 of keys' encodings.
    pub keys: BTreeSet<[u8; 32]>,
}

impl Revoked {
    /// Whether it names a certificate of the authority: by its number, by its
    /// key identifier or by its key.
    #[must_use]
    pub fn names(&self, serial: u64, key_id: &str, key: &PublicKey) -> bool {
        self.serials.contains(serial)
            || self.key_ids.contains(key_id)
            || self.keys.contains(&key.sha256())
    }
}

/// A list that was read. What is in it is bounded by its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KrlRead {
    /// The encoding of the authority's key; none where no certificate is named.
    pub authority: Option<Vec<u8>>,
    /// Rises with every list.
    pub version: u64,
    /// When it was made, in seconds since 1970.
    pub generated_at: u64,
    /// What people may read in it.
    pub comment: String,
    /// What is revoked.
    pub revoked: Revoked,
}

/// A list that is to be written.
#[derive(Clone, Copy, Debug)]
pub struct Krl<'a> {
    /// The authority's key.
    pub authority: &'a PublicKey,
    /// Rises with every list.
    pub version: u64,
    /// When it was made, in seconds since 1970.
    pub generated_at: u64,
    /// What people may read in it.
    pub comment: &'a str,
    /// What is revoked.
    pub revoked: &'a Revoked,
}

impl Krl<'_> {
    /// The list's encoding.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer
            .u64(MAGIC)
            .u32(VERSION)
            .u64(self.version)
            .u64(self.generated_at)
            .u64(0)
            .string(&[])
            .string(self.comment.as_bytes());
        let Revoked {
            serials,
            key_ids,
            keys,
        } = self.revoked;
        if !serials.is_empty() || !key_ids.is_empty() {
            let mut section = Writer::default();
            section.string(self.authority.blob()).string(&[]);
            write_serials(&mut section, serials);
            if !key_ids.is_empty() {
                let mut names = Writer::default();
                for name in key_ids {
                    names.string(name.as_bytes());
                }
                section.u8(KEY_ID).string(&names.finish());
            }
            writer.u8(SECTION_CERTIFICATES).string(&section.finish());
        }
        if !keys.is_empty() {
            let mut hashes = Writer::default();
            for hash in keys {
                hashes.string(hash);
            }
            writer.u8(SECTION_SHA256).string(&hashes.finish());
        }
        writer.finish()
    }

    /// Reads a list of one authority back.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what [`Krl::encode`] does not write: other
    /// sections, a second authority, the number zero.
    pub fn decode(bytes: &[u8]) -> Result<KrlRead> {
        let mut reader = Reader::new(bytes);
        if reader.u64()? != MAGIC || reader.u32()? != VERSION {
            return Err(Error::Malformed("it is no key revocation list"));
        }
        let (version, generated_at) = (reader.u64()?, reader.u64()?);
        // Flags and what is reserved, neither of which means anything yet.
        reader.u64()?;
        reader.string()?;
        let comment = reader.text()?.to_owned();
        let mut authority = None;
        let mut revoked = Revoked::default();
        while !reader.is_empty() {
            let kind = reader.u8()?;
            let mut section = Reader::new(reader.string()?);
            match kind {
                SECTION_CERTIFICATES if authority.is_none() => {
                    authority = Some(section.string()?.to_vec());
                    section.string()?;
                    read_certificates(section, &mut revoked)?;
                }
                SECTION_SHA256 => {
                    while !section.is_empty() {
                        let hash = section.string()?.try_into();
                        revoked
                            .keys
                            .insert(hash.map_err(|_| Error::Malformed("a hash has 32 bytes"))?);
                    }
                }
                _ => return Err(Error::Malformed("a section is of another kind")),
            }
        }
        Ok(KrlRead {
            authority,
            version,
            generated_at,
            comment,
            revoked,
        })
    }
}

/// Single numbers as a list, runs of them as ranges.
fn write_serials(section: &mut Writer, serials: &Serials) {
    let mut single = Writer::default();
    for (first, last) in serials.runs() {
        if first == last {
            single.u64(first);
        } else {
            let range = Writer::default().u64(first).u64(last).finish();
            section.u8(SERIAL_RANGE).string(&range);
        }
    }
    let single = single.finish();
    if !single.is_empty() {
        section.u8(SERIAL_LIST).string(&single);
    }
}

fn read_certificates(mut section: Reader<'_>, revoked: &mut Revoked) -> Result<()> {
    while !section.is_empty() {
        let kind = section.u8()?;
        let mut body = Reader::new(section.string()?);
        match kind {
            SERIAL_LIST => {
                while !body.is_empty() {
                    let serial = body.u64()?;
                    if serial == 0 {
                        return Err(Error::Malformed("no certificate has the number zero"));
                    }
                    revoked.serials.insert(serial);
                }
            }
            SERIAL_RANGE => {
                let (first, last) = (body.u64()?, body.u64()?);
                body.end()?;
                if first == 0 || first > last {
                    return Err(Error::Malformed(
                        "a range is reversed or has the number zero",
                    ));
                }
                revoked.serials.insert_run(first, last);
            }
            KEY_ID => {
                while !body.is_empty() {
                    revoked.key_ids.insert(body.text()?.to_owned());
                }
            }
            _ => return Err(Error::Malformed("a section is of another kind")),
        }
    }
    Ok(())
}
