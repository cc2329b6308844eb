//! TimeStampResp (RFC 3161, section 2.4.2).

use crate::error::{In, Parse, Result};
use crate::issue::der;
use crate::parse::cursor::{Cursor, bit_string, small, tag};

/// Why a time-stamp is refused: PKIFailureInfo, by the numbers of its bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// The request's hash is not one that is stamped.
    BadAlgorithm = 0,
    /// The request makes no sense.
    BadRequest = 2,
    /// The request does not parse.
    BadDataFormat = 5,
    /// The authority's clock cannot be relied on now.
    TimeNotAvailable = 14,
    /// The policy is none of this authority's.
    UnacceptedPolicy = 15,
    /// An extension is not known.
    UnacceptedExtension = 16,
    /// The authority cannot do it now.
    SystemFailure = 25,
}

/// The response with this token (DER).
#[must_use]
pub fn granted(token: &[u8]) -> Vec<u8> {
    der::sequence(&[&der::sequence(&[&der::integer(0)]), token])
}

/// The response that gives no token.
#[must_use]
pub fn refused(why: Failure) -> Vec<u8> {
    let bit = why as u32;
    let mut bits = vec![0u8; bit as usize / 8 + 1];
    if let Some(last) = bits.last_mut() {
        *last = 0x80 >> (bit % 8);
    }
    let unused = (7 - bit % 8) as u8;
    let failure = der::tlv(tag::BIT_STRING, &[&[unused], &bits]);
    der::sequence(&[&der::sequence(&[&der::integer(2), &failure])])
}

/// A response, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Response<'a> {
    /// A token (DER of its ContentInfo).
    Granted(&'a [u8]),
    /// None, with the number of the status. Unsigned: anybody on the way can
    /// say so.
    Refused(u32),
}

impl<'a> Response<'a> {
    /// Reads a response from DER; nothing may follow it.
    ///
    /// # Errors
    /// [`crate::Error::Malformed`].
    pub fn from_der(der: &'a [u8]) -> Result<Self> {
        Self::parse(der).within("time-stamp response")
    }

    fn parse(der: &'a [u8]) -> Parse<Self> {
        let mut body = Cursor::only(der, tag::SEQUENCE)?;
        let mut info = body.sequence()?;
        let status = small(info.take(tag::INTEGER)?.value)?;
        info.optional(tag::SEQUENCE)?;
        if let Some(failure) = info.optional(tag::BIT_STRING)? {
            bit_string(failure.value)?;
        }
        info.end()?;
        let token = body.optional(tag::SEQUENCE)?;
        body.end()?;
        //= https://www.rfc-editor.org/rfc/rfc3161#section-2.4.2
        //# When the status contains the value zero or one, a TimeStampToken
        //# MUST be present.  When status contains a value other than zero or
        //# one, a TimeStampToken MUST NOT be present.
        match (status, token) {
            (0 | 1, Some(token)) => Ok(Self::Granted(token.whole)),
            (0 | 1, None) => Err("granted without a token"),
            (_, Some(_)) => Err("refused with a token"),
            (status, None) => Ok(Self::Refused(status)),
        }
    }
}
