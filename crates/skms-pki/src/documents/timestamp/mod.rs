//! Time-stamps (RFC 3161): requests, tokens and responses, made and checked.

mod query;
mod response;
mod token;

pub use query::{Query, QueryBuf};
pub use response::{Failure, Response, granted, refused};
pub use token::{Stamp, Stamping, UnsignedToken, is_for_stamps, plan, verify};

use crate::certificate::AlgorithmId;
use crate::issue::der;
use crate::oid::{self, Oid};
use crate::parse::cursor::{Cursor, tag};

use super::error::DocumentError;
use super::hash;

/// The type of a token's content: id-ct-TSTInfo.
pub const TST_INFO: Oid<'static> = oid::TST_INFO;

/// A MessageImprint (RFC 3161, section 2.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Imprint<'a> {
    algorithm: AlgorithmId<'a>,
    digest: &'a [u8],
}

impl<'a> Imprint<'a> {
    fn read(cursor: &mut Cursor<'a>) -> crate::error::Parse<Self> {
        let mut body = cursor.sequence()?;
        let found = Self {
            algorithm: AlgorithmId::read(&mut body)?,
            digest: body.take(tag::OCTET_STRING)?.value,
        };
        body.end()?;
        Ok(found)
    }

    fn hash(&self) -> Result<skms_crypto::Hash, DocumentError> {
        let hash = hash::read(&self.algorithm)?;
        if self.digest.len() == hash.output_len() {
            Ok(hash)
        } else {
            Err(DocumentError::Input("a digest of another length"))
        }
    }
}

fn imprint(hash: skms_crypto::Hash, digest: &[u8]) -> Result<Vec<u8>, DocumentError> {
    if digest.len() != hash.output_len() {
        return Err(DocumentError::Input("a digest of another length"));
    }
    Ok(der::sequence(&[&hash::write(hash)?, &der::octets(digest)]))
}
