//! Key revocation lists (PROTOCOL.krl): certificates of one authority by
//! serial number and key identifier, and keys by the hash of their encoding,
//! whoever certified them.
//!
//! They are not signed: OpenSSH never read the signatures that the format has
//! room for. Whoever fetches a list has to trust where it comes from.

use std::collections::BTreeSet;

use super::error::{Error, Result};
use super::public::PublicKey;
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
    pub serials: BTreeSet<u64>,
    /// Key identifiers of the authority's certificates.
    pub key_ids: BTreeSet<String>,
    /// SHA-256 of keys' encodings.
    pub keys: BTreeSet<[u8; 32]>,
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

    /// Reads version and what is revoked back from a list of one authority.
    ///
    /// # Errors
    /// [`Error::Malformed`] for what [`Krl::encode`] does not write.
    pub fn decode(bytes: &[u8]) -> Result<(u64, Revoked)> {
        let mut reader = Reader::new(bytes);
        if reader.u64()? != MAGIC || reader.u32()? != VERSION {
            return Err(Error::Malformed("it is no key revocation list"));
        }
        let version = reader.u64()?;
        reader.u64()?;
        reader.u64()?;
        reader.string()?;
        reader.string()?;
        let mut revoked = Revoked::default();
        while !reader.is_empty() {
            let kind = reader.u8()?;
            let mut section = Reader::new(reader.string()?);
            match kind {
                SECTION_CERTIFICATES => {
                    section.string()?;
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
        Ok((version, revoked))
    }
}

/// Single numbers as a list, runs of them as ranges.
fn write_serials(section: &mut Writer, serials: &BTreeSet<u64>) {
    let mut single = Writer::default();
    let mut runs: Vec<(u64, u64)> = Vec::new();
    for &serial in serials {
        match runs.last_mut() {
            Some((_, last)) if last.checked_add(1) == Some(serial) => *last = serial,
            _ => runs.push((serial, serial)),
        }
    }
    for (first, last) in runs.iter().copied() {
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
                    revoked.serials.insert(body.u64()?);
                }
            }
            SERIAL_RANGE => {
                let (first, last) = (body.u64()?, body.u64()?);
                body.end()?;
                if first > last || last - first > 1 << 20 {
                    return Err(Error::Malformed("a range is reversed or too wide"));
                }
                revoked.serials.extend(first..=last);
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
