//! Revocation lists (RFC 5280, section 5): complete, delta, and one for each of
//! many distribution points.
//!
//! A list of a million entries is one buffer: entries are appended as they
//! come, and what stands before them is written into room that was left, once
//! their length is known.

use crate::certificate::KeyUsage;
use crate::crl::{Crl, Reason};
use crate::oid;
use crate::parse::cursor::tag;
use crate::time::Moment;

use super::authority::Authority;
use super::der;
use super::error::{Breaches, Demand, IssueError};
use super::scheme::SigningScheme;
use super::serial::Serial;
use super::write::{authority_key_identifier, distribution_points, point_name};

/// One revoked certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ListEntry {
    /// Which.
    pub serial: Serial,
    /// Since when.
    pub date: Moment,
    /// Why. [`Reason::Unspecified`] is not written (section 5.3.1).
    /// [`Reason::RemoveFromCrl`] stands in delta lists alone.
    pub reason: Option<Reason>,
    /// Since when the key is thought to be compromised (section 5.3.2).
    pub invalidity: Option<Moment>,
}

/// Which certificates a list is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Contents {
    /// All of the authority's.
    #[default]
    All,
    /// Those of users alone: onlyContainsUserCerts.
    Users,
    /// Those of authorities alone: onlyContainsCACerts.
    Authorities,
}

/// A list to be issued, without its entries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// cRLNumber: higher than that of every list before it, of this scope.
    pub number: u64,
    /// For a delta list the number of the complete list that it is the
    /// difference from.
    pub base: Option<u64>,
    /// When it is issued.
    pub this_update: Moment,
    /// By when the next one will be.
    pub next_update: Moment,
    /// The names of the distribution point that it is for, as they stand in
    /// certificates; empty for a list that is not of one point.
    pub point: Vec<String>,
    /// Which certificates.
    pub contents: Contents,
    /// Where the delta list is; not in delta lists themselves.
    pub freshest: Vec<String>,
}

impl List {
    /// A complete list of everything.
    #[must_use]
    pub fn complete(number: u64, this_update: Moment, next_update: Moment) -> Self {
        Self {
            number,
            base: None,
            this_update,
            next_update,
            point: Vec::new(),
            contents: Contents::All,
            freshest: Vec::new(),
        }
    }

    /// Plans the list. Entries come in ascending order of their serial numbers,
    /// each once.
    ///
    /// # Errors
    /// [`IssueError::Refused`] for an authority that may not sign lists;
    /// [`IssueError::Input`] for entries out of order, for removeFromCRL outside
    /// a delta list, and for what contradicts itself.
    pub fn plan(
        &self,
        authority: &Authority,
        entries: impl IntoIterator<Item = ListEntry>,
    ) -> Result<UnsignedList, IssueError> {
        self.check(authority)?;
        let identifier = authority.scheme.identifier();
        let head = [
            &der::integer(1)[..],
            &identifier,
            authority.name.as_der(),
            &der::time(self.this_update)?,
            &der::time(self.next_update)?,
        ]
        .concat();
        let tail = self.extensions(authority);
        // Three headers stand before the entries: of the list, of what is
        // signed, and of the entries themselves.
        let room = head.len() + 3 * MOST_HEADER;
        let mut buffer = vec![0; room];
        let mut writer = Writer {
            delta: self.base.is_some(),
            last: None,
            count: 0,
        };
        for entry in entries {
            writer.push(&mut buffer, &entry)?;
        }
        let mut start = room;
        if writer.count > 0 {
            let length = buffer.len() - room;
            prepend_header(&mut buffer, &mut start, length);
        }
        buffer.extend_from_slice(&tail);
        prepend(&mut buffer, &mut start, &head);
        let length = buffer.len() - start;
        prepend_header(&mut buffer, &mut start, length);
        let planned = UnsignedList {
            buffer,
            start,
            scheme: authority.scheme,
            spki: authority.spki.clone(),
            count: writer.count,
        };
        // The frame is read again without its entries, which are all alike.
        let frame = der::sequence(&[&head, &tail]);
        let frame = der::sequence(&[&frame, &identifier, &der::bit_string(&[])]);
        Crl::from_der(&frame)?;
        Ok(planned)
    }

    fn check(&self, authority: &Authority) -> Result<(), IssueError> {
        if self.next_update <= self.this_update {
            return Err(IssueError::Input("a list without time"));
        }
        if self.base.is_some_and(|base| base >= self.number) {
            return Err(IssueError::Input("a delta list older than its base"));
        }
        if self.base.is_some() && !self.freshest.is_empty() {
            //= https://www.rfc-editor.org/rfc/rfc5280#section-5.2.6
            //# This extension MUST NOT appear in delta CRLs.
            return Err(IssueError::Input("freshestCRL in a delta list"));
        }
        let mut breaches = Breaches::default();
        let fits = authority.scheme_fits();
        breaches.require(
            fits,
            Demand::Authority,
            "its key does not sign by its scheme",
        );
        let chain = authority.certificates()?;
        let Some(own) = chain.first() else {
            return Err(IssueError::Input("an authority without a certificate"));
        };
        let usage = own.extensions().key_usage;
        breaches.require(
            usage.is_none_or(|usage| usage.contains(KeyUsage::CRL_SIGN)),
            Demand::Authority,
            "cRLSign is not set",
        );
        breaches.require(
            (own.not_before()..=own.not_after()).contains(&self.this_update),
            Demand::Authority,
            "its certificate is not valid at the list's moment",
        );
        breaches.outcome()
    }

    /// crlExtensions (section 5.2).
    fn extensions(&self, authority: &Authority) -> Vec<u8> {
        let mut all = vec![
            der::extension(
                oid::AUTHORITY_KEY_IDENTIFIER,
                false,
                &authority_key_identifier(&authority.key_id),
            ),
            der::extension(oid::CRL_NUMBER, false, &der::integer(self.number)),
        ];
        if let Some(base) = self.base {
            let value = der::integer(base);
            all.push(der::extension(oid::DELTA_CRL_INDICATOR, true, &value));
        }
        if !self.point.is_empty() || self.contents != Contents::All {
            let name = match self.point.as_slice() {
                [] => Vec::new(),
                urls => point_name(urls),
            };
            let value = der::sequence(&[
                &name,
                &der::flag(tag::context(1), self.contents == Contents::Users),
                &der::flag(tag::context(2), self.contents == Contents::Authorities),
            ]);
            //= https://www.rfc-editor.org/rfc/rfc5280#section-5.2.5
            //# The issuing distribution point is a critical CRL extension
            all.push(der::extension(
                oid::ISSUING_DISTRIBUTION_POINT,
                true,
                &value,
            ));
        }
        if !self.freshest.is_empty() {
            let value = distribution_points(&self.freshest);
            all.push(der::extension(oid::FRESHEST_CRL, false, &value));
        }
        der::constructed(0, &[&der::sequence_of(all)])
    }
}

/// Tag, and a length of at most eight bytes.
const MOST_HEADER: usize = 10;

/// Writes `bytes` into the room before `start`, and moves it.
fn prepend(buffer: &mut [u8], start: &mut usize, bytes: &[u8]) {
    let end = *start;
    *start = end.saturating_sub(bytes.len());
    if let Some(room) = buffer.get_mut(*start..end)
        && room.len() == bytes.len()
    {
        room.copy_from_slice(bytes);
    }
}

fn prepend_header(buffer: &mut [u8], start: &mut usize, length: usize) {
    let mut header = Vec::with_capacity(MOST_HEADER);
    der::header(&mut header, tag::SEQUENCE, length);
    prepend(buffer, start, &header);
}

/// Appends entries.
struct Writer {
    delta: bool,
    last: Option<Serial>,
    count: u64,
}

impl Writer {
    fn push(&mut self, out: &mut Vec<u8>, entry: &ListEntry) -> Result<(), IssueError> {
        if self.last.is_some_and(|last| last >= entry.serial) {
            return Err(IssueError::Input("entries that are not in ascending order"));
        }
        if entry.reason == Some(Reason::RemoveFromCrl) && !self.delta {
            //= https://www.rfc-editor.org/rfc/rfc5280#section-5.3.1
            //# The removeFromCRL (8) reasonCode value may only appear in delta CRLs
            return Err(IssueError::Input("removeFromCRL outside a delta list"));
        }
        self.last = Some(entry.serial);
        self.count += 1;
        // An entry is under 128 bytes, so that its length is one byte, which is
        // filled in when it is known.
        let start = out.len();
        out.extend_from_slice(&[tag::SEQUENCE, 0]);
        let serial = entry.serial.as_bytes();
        der::header(out, tag::INTEGER, serial.len());
        out.extend_from_slice(serial);
        der::push_time(out, entry.date)?;
        push_extensions(out, entry)?;
        close(out, start);
        Ok(())
    }
}

/// Fills in the length of a short value that began at `start`.
fn close(out: &mut [u8], start: usize) {
    let length = out.len().saturating_sub(start + 2);
    if let (Some(place), Ok(length)) = (out.get_mut(start + 1), u8::try_from(length)) {
        *place = length;
    }
}

/// crlEntryExtensions (section 5.3); neither is critical.
fn push_extensions(out: &mut Vec<u8>, entry: &ListEntry) -> Result<(), IssueError> {
    /// Extension { id-ce-cRLReasons, OCTET STRING { ENUMERATED .. } }.
    const REASON: [u8; 11] = [0x30, 10, 6, 3, 0x55, 0x1d, 21, 4, 3, 0x0a, 1];
    /// Extension { id-ce-invalidityDate, OCTET STRING { GeneralizedTime .. } }.
    const INVALIDITY: [u8; 9] = [0x30, 24, 6, 3, 0x55, 0x1d, 24, 4, 17];
    //= https://www.rfc-editor.org/rfc/rfc5280#section-5.3.1
    //# the reason code CRL entry extension SHOULD be absent instead of using
    //# the unspecified (0) reasonCode value.
    let reason = entry.reason.filter(|reason| *reason != Reason::Unspecified);
    if reason.is_none() && entry.invalidity.is_none() {
        return Ok(());
    }
    let start = out.len();
    out.extend_from_slice(&[tag::SEQUENCE, 0]);
    if let Some(reason) = reason {
        out.extend_from_slice(&REASON);
        out.push(reason.number());
    }
    if let Some(moment) = entry.invalidity {
        out.extend_from_slice(&INVALIDITY);
        der::push_generalized(out, moment)?;
    }
    close(out, start);
    Ok(())
}

/// A TBSCertList. Sign [`Self::tbs`] with the authority's key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
#[derive(Clone, PartialEq, Eq)]
pub struct UnsignedList {
    buffer: Vec<u8>,
    /// Where what is to be signed begins; before it is room for a header.
    start: usize,
    scheme: SigningScheme,
    spki: Vec<u8>,
    count: u64,
}

impl std::fmt::Debug for UnsignedList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UnsignedList({} entries)", self.count)
    }
}

impl UnsignedList {
    /// The bytes to be signed, as they stand.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or(&[])
    }

    /// How they are to be signed.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.scheme
    }

    /// How many entries there are.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }

    /// The list's DER, once the signature is there; it is checked.
    ///
    /// # Errors
    /// [`IssueError::Signature`] if it is not the authority's over these bytes.
    pub fn signed(mut self, signature: &[u8]) -> Result<Vec<u8>, IssueError> {
        self.scheme.check(&self.spki, self.tbs(), signature)?;
        self.buffer.extend_from_slice(&self.scheme.identifier());
        self.buffer.extend_from_slice(&der::bit_string(signature));
        let length = self.buffer.len() - self.start;
        prepend_header(&mut self.buffer, &mut self.start, length);
        self.buffer.drain(..self.start);
        Ok(self.buffer)
    }
}
