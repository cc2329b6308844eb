//! Reading a backup, chunk by chunk, with its checksum.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

use skms_crypto::{Hasher, ct_eq};

use super::format::{
    BackupReport, CHUNK_HEAD, CHUNK_MAX, FORMAT, MAGIC, Manifest, Part, Sort, Summary, finish,
    hasher, rows,
};
use crate::error::{Error, Result};
use crate::sealed::SealInfo;
use crate::sealed::header::Header;
use crate::sealed::status::seal_infos;
use crate::store::Row;

/// What comes out of a backup next.
pub(super) enum Item {
    Manifest(Manifest),
    Header(Vec<u8>),
    Rows(Vec<Row>),
    Segment(Part),
    Summary(Summary),
    /// The keyed digest, and the digest that it is over.
    Digest {
        keyed: [u8; 32],
        over: [u8; 32],
    },
    /// The checksum was right, and the file ends.
    End {
        bytes: u64,
    },
}

/// Reads a backup once, from the front.
pub(super) struct BackupReader<R> {
    input: R,
    hasher: Hasher,
    offset: u64,
    last: Option<Sort>,
    began: bool,
}

/// Opens a file to be read as a backup.
pub(super) fn open(path: &Path) -> Result<BackupReader<BufReader<File>>> {
    let file =
        File::open(path).map_err(|error| Error::io(format!("backup {}", path.display()), error))?;
    Ok(BackupReader::new(BufReader::with_capacity(1 << 20, file)))
}

impl<R: Read> BackupReader<R> {
    pub(super) fn new(input: R) -> Self {
        Self {
            input,
            hasher: hasher(),
            offset: 0,
            last: None,
            began: false,
        }
    }

    /// How far it has read, in bytes.
    pub(super) const fn offset(&self) -> u64 {
        self.offset
    }

    fn damaged(&self, what: &'static str) -> Error {
        Error::BackupDamaged {
            offset: self.offset,
            what,
        }
    }

    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        let failed = |offset| {
            move |error: std::io::Error| match error.kind() {
                std::io::ErrorKind::UnexpectedEof => Error::BackupDamaged {
                    offset,
                    what: "it ends too early",
                },
                _ => Error::io("backup", error),
            }
        };
        self.input.read_exact(bytes).map_err(failed(self.offset))
    }

    /// Reads so many bytes, in no more memory than has arrived.
    fn payload(&mut self, len: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(len.min(super::format::CHUNK_FULL));
        let read = (&mut self.input)
            .take(len as u64)
            .read_to_end(&mut bytes)
            .map_err(|error| Error::io("backup", error))?;
        if read < len {
            return Err(self.damaged("it ends too early"));
        }
        Ok(bytes)
    }

    fn begin(&mut self) -> Result<()> {
        let mut start = [0; 8];
        self.fill(&mut start)?;
        if !start.starts_with(MAGIC) {
            return Err(self.damaged("it is no backup of SKMS"));
        }
        let format = start[7];
        if format > FORMAT {
            return Err(Error::Newer {
                what: "the backup",
                found: format.into(),
                supported: FORMAT.into(),
            });
        }
        if format != FORMAT {
            return Err(self.damaged("it is no backup of SKMS"));
        }
        self.hasher.update(&start);
        self.offset = 8;
        self.began = true;
        Ok(())
    }

    /// The next item. Nothing before [`Item::End`] is vouched for.
    pub(super) fn next(&mut self) -> Result<Item> {
        if !self.began {
            self.begin()?;
        }
        let mut head = [0; CHUNK_HEAD];
        self.fill(&mut head)?;
        let [number, len @ ..] = head;
        let sort = Sort::from_number(number)
            .filter(|sort| sort.may_follow(self.last))
            .ok_or(self.damaged("a chunk that does not belong here"))?;
        let len = usize::try_from(u32::from_be_bytes(len)).unwrap_or(usize::MAX);
        let fits = match sort {
            Sort::Digest | Sort::Checksum => len == 32,
            _ => (1..=CHUNK_MAX).contains(&len),
        };
        if !fits {
            return Err(self.damaged("a chunk of a length that none has"));
        }
        let payload = self.payload(len)?;
        let before = self.hasher.clone();
        self.hasher.update(&head);
        self.hasher.update(&payload);
        let item = self.item(sort, payload, before)?;
        self.offset += (CHUNK_HEAD + len) as u64;
        self.last = Some(sort);
        if let Item::End { .. } = &item {
            return self.end();
        }
        Ok(item)
    }

    fn item(&self, sort: Sort, payload: Vec<u8>, before: Hasher) -> Result<Item> {
        let malformed = |_| self.damaged("a chunk that does not parse");
        Ok(match sort {
            Sort::Manifest => Item::Manifest(
                serde_json::from_slice(&payload)
                    .map_err(|_| self.damaged("a chunk that does not parse"))?,
            ),
            Sort::Summary => Item::Summary(
                serde_json::from_slice(&payload)
                    .map_err(|_| self.damaged("a chunk that does not parse"))?,
            ),
            Sort::Header => Item::Header(payload),
            Sort::Rows => Item::Rows(rows(&payload).map_err(malformed)?),
            Sort::Segment => Item::Segment(Part::parse(&payload).map_err(malformed)?),
            Sort::Digest => Item::Digest {
                keyed: payload.try_into().unwrap_or_default(),
                over: finish(before),
            },
            Sort::Checksum => {
                if !ct_eq(&payload, &finish(before)) {
                    return Err(self.damaged("its checksum is not that of its bytes"));
                }
                Item::End { bytes: 0 }
            }
        })
    }

    fn end(&mut self) -> Result<Item> {
        let mut more = [0; 1];
        match self.input.read(&mut more) {
            Ok(0) => Ok(Item::End { bytes: self.offset }),
            Ok(_) => Err(self.damaged("something follows its end")),
            Err(error) => Err(Error::io("backup", error)),
        }
    }
}

/// What a file says about itself, once its checksum was found right.
#[derive(Clone, Debug)]
pub struct Inspected {
    /// Its beginning and end.
    pub report: BackupReport,
    /// The seals that open it.
    pub seals: Vec<SealInfo>,
}

/// Gathers what a backup says while its items go by.
#[derive(Default)]
pub(super) struct Gathered {
    manifest: Option<Manifest>,
    pub(super) summary: Option<Summary>,
    pub(super) header: Option<Header>,
    rows: std::collections::BTreeMap<String, u64>,
    segment: Option<(u64, u64)>,
}

impl Gathered {
    /// Takes note of an item; refuses what does not agree with what came
    /// before.
    pub(super) fn see(&mut self, item: &Item, offset: u64) -> Result<()> {
        let damaged = |what| Error::BackupDamaged { offset, what };
        match item {
            Item::Manifest(manifest) => self.manifest = Some(manifest.clone()),
            Item::Header(bytes) => {
                let header = Header::parse(bytes)?;
                let install = crate::hex::encode(&header.install);
                if self
                    .manifest
                    .as_ref()
                    .is_some_and(|manifest| manifest.install != install)
                {
                    return Err(damaged("its header is another install's"));
                }
                self.header = Some(header);
            }
            Item::Rows(rows) => {
                for row in rows {
                    *self.rows.entry(row.kind.name().to_owned()).or_default() += 1;
                }
            }
            Item::Segment(part) => {
                let fits = match self.segment {
                    None => part.number == 1 && part.offset == 0,
                    Some((number, end)) => {
                        (part.number == number && part.offset == end)
                            || (part.number == number + 1 && part.offset == 0)
                    }
                };
                if !fits {
                    return Err(damaged("a part of the journal is missing"));
                }
                let end = part.offset.saturating_add(part.bytes.len() as u64);
                self.segment = Some((part.number, end));
            }
            Item::Summary(summary) => {
                let segments = self.segment.map_or(0, |(number, _)| number);
                if summary.rows != self.rows || summary.segments != segments {
                    return Err(damaged("it does not hold what it says it holds"));
                }
                self.summary = Some(summary.clone());
            }
            Item::Digest { .. } | Item::End { .. } => {}
        }
        Ok(())
    }

    pub(super) fn finish(self, bytes: u64) -> Result<Inspected> {
        let incomplete = Error::BackupDamaged {
            offset: bytes,
            what: "a part of it is missing",
        };
        let (Some(manifest), Some(summary), Some(header)) =
            (self.manifest, self.summary, self.header)
        else {
            return Err(incomplete);
        };
        Ok(Inspected {
            report: BackupReport {
                manifest,
                summary,
                bytes,
            },
            seals: seal_infos(&header.public),
        })
    }
}

/// Hands every item to `each`, and says in the end what the backup is.
pub(super) fn walk<R: Read>(
    mut reader: BackupReader<R>,
    mut each: impl FnMut(Item) -> Result<()>,
) -> Result<Inspected> {
    let mut gathered = Gathered::default();
    loop {
        let at = reader.offset;
        let item = reader.next()?;
        gathered.see(&item, at)?;
        if let Item::End { bytes } = item {
            return gathered.finish(bytes);
        }
        each(item)?;
    }
}

/// Reads a whole file and checks its structure and its checksum; takes no
/// secret. What someone may have changed on purpose, checksum included, only
/// [`super::BackupKeys::verify`] and the next unsealing find.
///
/// # Errors
/// [`Error::BackupDamaged`], [`Error::Newer`], [`Error::Io`].
pub fn inspect(path: &Path) -> Result<Inspected> {
    walk(open(path)?, |_| Ok(()))
}

#[cfg(any(test, feature = "fuzzing"))]
/// For the fuzz target: reads bytes as a backup.
pub(crate) fn fuzz_reader(bytes: &[u8]) -> bool {
    walk(BackupReader::new(bytes), |_| Ok(())).is_ok()
}
