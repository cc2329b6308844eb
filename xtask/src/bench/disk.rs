//! How long a write takes to be durable, in the folder where the data lie.

use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use super::median;
use crate::Result;

/// As many syncs as this, if there is time for them.
const COUNT: u64 = 300;
/// No longer than this: slow disks need no precision.
const LIMIT: Duration = Duration::from_millis(600);
const BLOCK: [u8; 4096] = [7; 4096];

/// The median time of writing 4 KiB into a preallocated file and syncing it,
/// in microseconds.
///
/// # Errors
/// The folder cannot be written.
pub fn sync_us(folder: &Path) -> Result<f64> {
    let path = folder.join("sync-probe");
    let file = File::create(&path)?;
    for at in 0..COUNT {
        file.write_all_at(&BLOCK, at * BLOCK.len() as u64)?;
    }
    file.sync_all()?;
    let (start, mut times) = (Instant::now(), Vec::new());
    for at in 0..COUNT {
        let begun = Instant::now();
        file.write_all_at(&BLOCK, at * BLOCK.len() as u64)?;
        file.sync_data()?;
        times.push(begun.elapsed().as_secs_f64() * 1e6);
        if start.elapsed() > LIMIT && times.len() >= 20 {
            break;
        }
    }
    fs::remove_file(&path)?;
    median(&times).ok_or("no sync was made".into())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_sync_takes_time_and_leaves_nothing() {
        let folder = std::env::temp_dir().join(format!("skms-disk-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        assert!(super::sync_us(&folder).unwrap() > 0.0);
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0);
        std::fs::remove_dir(&folder).unwrap();
        assert!(super::sync_us(&folder).is_err());
    }
}
