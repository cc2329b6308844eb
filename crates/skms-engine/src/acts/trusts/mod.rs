//! External authorities that are trusted to say who principals are: name,
//! read, change, import their revocation lists, trust no longer.
//!
//! Who names one becomes nobody by that: a principal is known by it only once
//! somebody who may write that principal binds it to one name
//! ([`crate::acts::principals`]), and what the trust's certificates have to
//! lead to, and by which form of name, never changes afterwards.

mod create;
mod lists;
mod manage;
mod read;

use std::sync::Arc;

use skms_keys::UnixSeconds;
use skms_pki::ask::{CERTIFICATES, LISTS, Seen, blocks};
use skms_pki::{Certificate, Identity};
use skms_store::RecordId;

use crate::act::act;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::records::der::Der;
use crate::target::Target;
use crate::trusts::{Trust, list};

pub use crate::trusts::Checking;
pub use crate::trusts::judge::SENT_MAX;
pub use create::NewTrust;
pub use manage::Changes;

act!(List, TrustList, "Lists the external authorities.");
act!(Read, TrustRead, "Reads an external authority.");
act!(Create, TrustCreate, "Trusts an external authority.");
act!(Update, TrustUpdate, "Changes a trust.");
act!(ImportCrl, TrustImportCrl, "Imports a revocation list.");
act!(Delete, TrustDelete, "Trusts an authority no longer.");

/// The most trusts of a namespace: a stranger's certificate is held against
/// each that its name is bound by.
const TRUSTS_MAX: usize = 64;

/// The most anchors of a trust.
const ANCHORS_MAX: usize = 8;

/// The most intermediates that a trust keeps.
const INTERMEDIATES_MAX: usize = 32;

/// The most lists of a trust.
const LISTS_MAX: usize = 64;

/// The most bytes of lists that a namespace keeps: they are in memory.
const LIST_BYTES_MAX: usize = 32 << 20;

/// What is told about a list.
#[derive(Clone, Debug)]
pub struct ListView {
    /// Who issued it.
    pub issuer: String,
    /// Its number in hexadecimal.
    pub number: Option<String>,
    /// When it was issued.
    pub this_update: UnixSeconds,
    /// By when the next one is due.
    pub next_update: UnixSeconds,
    /// How many certificates it names.
    pub entries: usize,
    /// When it was imported.
    pub imported_at: UnixSeconds,
}

/// What is told about a trust.
#[derive(Clone, Debug)]
pub struct View {
    /// Its identifier.
    pub id: RecordId,
    /// Its name.
    pub name: String,
    /// Which name of a certificate says whose it is.
    pub identity: Identity,
    /// How much must be known about revocation.
    pub checking: Checking,
    /// Whom paths end at.
    pub anchors: Vec<Seen>,
    /// Certificates that are of use, trusted in nothing.
    pub intermediates: Vec<Seen>,
    /// Its revocation lists.
    pub lists: Vec<ListView>,
    /// When it was named.
    pub created_at: UnixSeconds,
}

impl View {
    fn of(trust: &Trust) -> Result<Self> {
        let seen = |ders: &[Der]| -> Result<Vec<Seen>> {
            Ok(list::read(ders)?.iter().map(Seen::new).collect())
        };
        let lists = trust.lists.iter().map(|list| ListView {
            issuer: list.issuer.clone(),
            number: list.number.clone(),
            this_update: UnixSeconds(list.this_update),
            next_update: UnixSeconds(list.next_update),
            entries: list.len(),
            imported_at: UnixSeconds(list.record.imported_at),
        });
        Ok(Self {
            id: trust.id,
            name: trust.record.name.clone(),
            identity: trust.identity,
            checking: trust.checking(),
            anchors: seen(&trust.record.anchors)?,
            intermediates: seen(&trust.record.intermediates)?,
            lists: lists.collect(),
            created_at: UnixSeconds(trust.record.created_at),
        })
    }
}

/// The certificates of files, each DER or PEM with any number of blocks, once
/// each. Every one has to be an authority's.
fn authorities(files: &[Vec<u8>], most: usize) -> Result<Vec<Der>> {
    let mut all: Vec<Der> = Vec::new();
    for file in files {
        let found = blocks(file, CERTIFICATES).map_err(invalid)?;
        for der in found {
            let der = Der(der.into_owned());
            let certificate = Certificate::from_der(&der.0).map_err(invalid)?;
            if !certificate.is_ca() {
                return Err(Error::Invalid(format!(
                    "the certificate of {} is not an authority's",
                    certificate.subject()
                )));
            }
            if !all.contains(&der) {
                all.push(der);
            }
        }
        if all.len() > most {
            return Err(Error::TooLarge {
                what: "the number of certificates",
                limit: most as u64,
            });
        }
    }
    Ok(all)
}

/// The revocation lists of files, likewise.
fn read_lists(files: &[Vec<u8>]) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for file in files {
        let found = blocks(file, LISTS).map_err(invalid)?;
        all.extend(found.into_iter().map(|der| der.into_owned()));
        if all.len() > LISTS_MAX {
            return Err(too_many_lists());
        }
    }
    Ok(all)
}

fn too_many_lists() -> Error {
    Error::TooLarge {
        what: "the number of revocation lists",
        limit: LISTS_MAX as u64,
    }
}

fn invalid(error: skms_pki::Error) -> Error {
    Error::Invalid(error.to_string())
}

impl Entry {
    /// The trust as a target: with its revision if there is one.
    fn trust_target(&self, namespace: &str, name: &str) -> Target {
        let target = Target::trust(namespace, name);
        match self.rooms.trusts.find(namespace, name) {
            Some(found) => target.stored(found.id.0, found.revision),
            None => target,
        }
    }

    /// The trust of that name.
    fn trust(&self, namespace: &str, name: &str) -> Result<Arc<Trust>> {
        let found = self.rooms.trusts.find(namespace, name);
        found.ok_or(Error::NotFound { what: "trust" })
    }
}
