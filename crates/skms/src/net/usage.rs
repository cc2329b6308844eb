//! What this process uses, as the kernel counts it.

use std::fs;

/// What a process uses. What the kernel does not say is left out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// CPU time of all its threads, in hundredths of a second: the kernel's own
    /// unit in /proc.
    pub cpu_hundredths: Option<u64>,
    /// How much of it is in memory, in bytes.
    pub resident_bytes: Option<u64>,
    /// Open descriptors.
    pub descriptors: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
}

impl Usage {
    /// Asks the kernel.
    pub fn now() -> Self {
        let read = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).ok();
        let descriptors = fs::read_dir("/proc/self/fd").ok();
        Self {
            descriptors: descriptors.and_then(|folder| folder.count().try_into().ok()),
            ..Self::read(
                read("stat").as_deref().unwrap_or_default(),
                read("status").as_deref().unwrap_or_default(),
            )
        }
    }

    /// Reads proc(5)'s `stat` and `status`.
    fn read(stat: &str, status: &str) -> Self {
        // Fields are counted after the program's name, which may hold anything.
        let field = |number: usize| -> Option<u64> {
            let (_, rest) = stat.rsplit_once(')')?;
            rest.split_whitespace().nth(number - 3)?.parse().ok()
        };
        let line = |name: &str| -> Option<u64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Self {
            cpu_hundredths: field(14)
                .zip(field(15))
                .map(|(user, system)| user.saturating_add(system)),
            resident_bytes: line("VmRSS:").map(|kilobytes| kilobytes.saturating_mul(1024)),
            descriptors: None,
            threads: line("Threads:"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_known() {
        let usage = Usage::now();
        assert!(usage.cpu_hundredths.is_some());
        assert!(usage.resident_bytes.is_some_and(|bytes| bytes > 100_000));
        assert!(usage.threads.is_some_and(|threads| threads > 0));
        assert!(usage.descriptors.is_some_and(|open| open > 2));
    }

    #[test]
    fn an_odd_name_does_not_shift_the_fields() {
        let stat = "7 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 7 3 20 0";
        let usage = Usage::read(stat, "Name:\ta\nVmRSS:\t  12 kB\nThreads:\t3\n");
        assert_eq!(usage.cpu_hundredths, Some(200));
        assert_eq!(usage.resident_bytes, Some(12_288));
        assert_eq!(usage.threads, Some(3));
        assert_eq!(Usage::read("", ""), Usage::default());
    }
}
