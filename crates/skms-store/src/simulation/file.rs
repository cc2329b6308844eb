//! One file of a simulated disk: what is seen, what is durable, and what may
//! become so.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use super::disk::SimulatedDisk;
use super::random::Random;

/// Bytes that reach the disk together or not at all.
pub(super) const SECTOR: usize = 512;

/// Bytes that the system writes back together.
const PAGE: usize = 4096;

/// How many contents of a sector between two syncs are remembered.
const VERSIONS: usize = 4;

/// What was written and not synced of one sector.
#[derive(Clone)]
enum Dirty {
    /// Contents it had in turn; any of them may reach the disk, the last will
    /// with a sync.
    #[allow(clippy::vec_box, reason = "sectors move from list to list")]
    Pending(Vec<Box<[u8; SECTOR]>>),
    /// Still seen, but a failed sync forgot to write it.
    Forgotten,
}

/// The contents of a file.
#[derive(Clone, Default)]
pub(super) struct Inode {
    pub(super) now: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeMap<usize, Dirty>,
}

fn sector_of(bytes: &[u8], sector: usize) -> Box<[u8; SECTOR]> {
    let mut out = Box::new([0; SECTOR]);
    let start = (sector * SECTOR).min(bytes.len());
    let end = (start + SECTOR).min(bytes.len());
    out[..end - start].copy_from_slice(&bytes[start..end]);
    out
}

fn put_sector(bytes: &mut Vec<u8>, sector: usize, content: &[u8; SECTOR], len: usize) {
    let start = sector * SECTOR;
    let end = (start + SECTOR).min(len);
    if start >= end {
        return;
    }
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[start..end].copy_from_slice(&content[..end - start]);
}

impl Inode {
    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        if bytes.is_empty() {
            return;
        }
        let end = offset + bytes.len();
        if self.now.len() < end {
            self.now.resize(end, 0);
        }
        self.now[offset..end].copy_from_slice(bytes);
        for sector in offset / SECTOR..end.div_ceil(SECTOR) {
            self.touch(sector);
        }
        // The whole page is written back, with what was forgotten of it.
        let pages = offset / PAGE..end.div_ceil(PAGE);
        let forgotten: Vec<usize> = self
            .dirty
            .range(pages.start * (PAGE / SECTOR)..pages.end * (PAGE / SECTOR))
            .filter(|(_, dirty)| matches!(dirty, Dirty::Forgotten))
            .map(|(sector, _)| *sector)
            .collect();
        for sector in forgotten {
            self.touch(sector);
        }
    }

    fn touch(&mut self, sector: usize) {
        let content = sector_of(&self.now, sector);
        match self.dirty.entry(sector).or_insert(Dirty::Forgotten) {
            Dirty::Pending(versions) => {
                if versions.len() == VERSIONS {
                    versions.remove(0);
                }
                versions.push(content);
            }
            dirty @ Dirty::Forgotten => *dirty = Dirty::Pending(vec![content]),
        }
    }

    pub(super) fn truncate(&mut self, len: usize) {
        self.now.truncate(len);
    }

    /// Makes everything durable but what was forgotten.
    pub(super) fn sync(&mut self) {
        self.durable.resize(self.now.len(), 0);
        let len = self.now.len();
        let now = &self.now;
        let durable = &mut self.durable;
        self.dirty.retain(|sector, dirty| match dirty {
            Dirty::Pending(_) => {
                put_sector(durable, *sector, &sector_of(now, *sector), len);
                false
            }
            Dirty::Forgotten => true,
        });
    }

    /// A sync that fails: each sector is written or forgotten.
    pub(super) fn fail_sync(&mut self, random: &mut Random, mut reached: impl FnMut(usize)) {
        let len = self.now.len();
        if random.one_in(2) {
            self.durable.resize(len, 0);
        }
        let forget_all = random.one_in(2);
        let mut written = Vec::new();
        for (sector, dirty) in &mut self.dirty {
            if matches!(dirty, Dirty::Forgotten) {
                continue;
            }
            if forget_all || random.one_in(2) {
                *dirty = Dirty::Forgotten;
            } else {
                written.push(*sector);
            }
        }
        for sector in written {
            self.dirty.remove(&sector);
            reached(sector);
            put_sector(
                &mut self.durable,
                sector,
                &sector_of(&self.now, sector),
                len,
            );
        }
    }

    /// Power was lost: an arbitrary part of what was pending survives.
    /// `reached` is told the sectors that did.
    pub(super) fn lose_power(&mut self, random: &mut Random, mut reached: impl FnMut(usize)) {
        let (old, new) = (self.durable.len(), self.now.len());
        let (low, high) = (old.min(new), old.max(new));
        let len = match random.below(3) {
            0 => old,
            // A file is cut at once, and grows bit by bit.
            1 => new,
            _ if new < old => new,
            _ => low + usize::try_from(random.below((high - low) as u64 + 1)).unwrap_or_default(),
        };
        // Often all or nothing, else sector by sector.
        let mood = random.below(4);
        let mut survived = std::mem::take(&mut self.durable);
        survived.resize(len.max(old), 0);
        for (sector, dirty) in std::mem::take(&mut self.dirty) {
            let Dirty::Pending(versions) = dirty else {
                continue;
            };
            let survives = match mood {
                0 => false,
                1 => true,
                _ => random.one_in(2),
            };
            if survives && sector * SECTOR < len {
                let version = if mood == 1 {
                    versions.last()
                } else {
                    Some(random.pick(&versions))
                };
                if let Some(content) = version {
                    put_sector(&mut survived, sector, content, len);
                    reached(sector);
                }
            }
        }
        survived.truncate(len);
        self.durable.clone_from(&survived);
        self.now = survived;
    }

    /// The system let go of pages it thought were written: some of what was
    /// forgotten is seen no more.
    pub(super) fn evict(&mut self, random: &mut Random) {
        let mut page_evicted = None;
        let (now, durable) = (&mut self.now, &self.durable);
        self.dirty.retain(|sector, dirty| {
            if !matches!(dirty, Dirty::Forgotten) {
                return true;
            }
            let page = sector / (PAGE / SECTOR);
            let evicted = match page_evicted {
                Some((known, evicted)) if known == page => evicted,
                _ => random.one_in(2),
            };
            page_evicted = Some((page, evicted));
            if evicted {
                let len = now.len();
                put_sector(now, *sector, &sector_of(durable, *sector), len);
            }
            !evicted
        });
    }
}

/// An open file of a simulated disk.
pub(crate) struct SimulatedFile {
    pub(super) disk: Arc<SimulatedDisk>,
    pub(super) inode: u64,
    /// The life of the machine it was opened in.
    pub(super) life: u64,
}

impl SimulatedFile {
    pub(crate) fn len(&self) -> io::Result<u64> {
        self.disk.file_len(self)
    }

    pub(crate) fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let read = self.disk.file_read(self, bytes, offset)?;
        if read < bytes.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        Ok(())
    }

    pub(crate) fn write_all_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.file_write(self, bytes, offset)
    }

    pub(crate) fn sync(&self) -> io::Result<()> {
        self.disk.file_sync(self)
    }

    pub(super) fn truncate(&self, len: u64) -> io::Result<()> {
        self.disk.file_truncate(self, len)
    }
}
