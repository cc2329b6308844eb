//! What the kernel says about processes, from /proc.

use std::fs;
use std::time::Duration;

use crate::Result;

/// Ticks a second in /proc: `sysconf(_SC_CLK_TCK)`, 100 on every Linux that
/// this runs on.
const TICKS: u32 = 100;

/// CPU time that a process and its threads have used.
///
/// # Errors
/// There is no such process.
pub fn cpu(process: u32) -> Result<Duration> {
    ticks(&stat(&process.to_string())?, &[14, 15])
}

/// The same, in its own code and in the kernel's.
///
/// # Errors
/// There is no such process.
pub fn cpu_apart(process: u32) -> Result<(Duration, Duration)> {
    let stat = stat(&process.to_string())?;
    Ok((ticks(&stat, &[14])?, ticks(&stat, &[15])?))
}

/// CPU time of this process's children that have ended.
///
/// # Errors
/// /proc cannot be read.
pub fn cpu_of_children() -> Result<Duration> {
    ticks(&stat("self")?, &[16, 17])
}

/// How much of a process is in memory, in bytes.
///
/// # Errors
/// There is no such process.
pub fn resident(process: u32) -> Result<u64> {
    status(process, "VmRSS:").map(|kilobytes| kilobytes * 1024)
}

/// How many threads a process has.
///
/// # Errors
/// There is no such process.
pub fn threads(process: u32) -> Result<u64> {
    status(process, "Threads:")
}

/// How many descriptors a process has open.
///
/// # Errors
/// There is no such process, or it is somebody else's.
pub fn descriptors(process: u32) -> Result<u64> {
    let count = fs::read_dir(format!("/proc/{process}/fd"))?.count();
    Ok(count.try_into()?)
}

fn stat(process: &str) -> Result<String> {
    fs::read_to_string(format!("/proc/{process}/stat"))
        .map_err(|error| format!("no process {process}: {error}").into())
}

/// The sum of fields of proc(5)'s stat, which are numbered from 1. The second
/// holds the program's name and may hold anything, blanks and brackets too.
fn ticks(stat: &str, fields: &[usize]) -> Result<Duration> {
    let (_, rest) = stat.rsplit_once(')').ok_or("an odd stat")?;
    let values: Vec<&str> = rest.split_whitespace().collect();
    let mut sum = 0;
    for field in fields {
        let value = values.get(field - 3).ok_or("a short stat")?;
        sum += value.parse::<u32>()?;
    }
    Ok(Duration::from_secs(1) / TICKS * sum)
}

fn status(process: u32, name: &str) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{process}/status"))
        .map_err(|error| format!("no process {process}: {error}"))?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(name))
        .ok_or(format!("no {name} in its status"))?;
    let number = line.split_whitespace().next().unwrap_or_default();
    Ok(number.parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_counted_after_the_name() {
        let stat = "7 (a b) c) S 1 2 3 4 5 6 7 8 9 10 150 50 7 3 20 0";
        assert_eq!(ticks(stat, &[14, 15]).unwrap(), Duration::from_secs(2));
        assert_eq!(ticks(stat, &[16, 17]).unwrap(), Duration::from_millis(100));
        assert!(ticks("7 (a) S 1", &[14, 15]).is_err());
    }

    #[test]
    fn this_process_can_be_read() {
        let me = std::process::id();
        assert!(resident(me).unwrap() > 100_000);
        assert!(threads(me).unwrap() >= 1);
        assert!(descriptors(me).unwrap() >= 3);
        cpu(me).unwrap();
        cpu_of_children().unwrap();
        assert!(resident(u32::MAX).is_err());
    }
}
