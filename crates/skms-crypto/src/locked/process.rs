//! Process-wide settings: everything locked, no core dumps, not dumpable.

/// What [`lock_process`] achieved, for `status` to report honestly.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Every page of the process is locked, the crypto library's heap
    /// included.
    pub mlockall: bool,
    /// Core dumps are off.
    pub core_disabled: bool,
    /// Other processes of the same user may not attach or read the memory.
    pub not_dumpable: bool,
    /// Pages of a [`super::Slab`] can be locked.
    pub slab_locked: bool,
    /// What is not as it should be, and what would help.
    pub notes: Vec<String>,
}

/// Locks the process down as far as the system permits. Never fails: what
/// did not work is in the report.
#[must_use]
pub fn lock_process() -> Report {
    let mut notes = Vec::new();
    let core_disabled = disable_core();
    if !core_disabled {
        notes.push("core dumps could not be disabled".to_owned());
    }
    let not_dumpable = make_undumpable();
    if !not_dumpable {
        notes.push("the process could not be made undumpable".to_owned());
    }
    let mlockall = match memory_lock_limit() {
        // Locking everything under a limit would make a later allocation
        // fail and take the server down with it.
        Some(limit) if !may_lock_without_limit() => {
            notes.push(format!(
                "memory outside the key slab is not locked: the limit is {limit} bytes; raise \
                 RLIMIT_MEMLOCK to unlimited or grant CAP_IPC_LOCK"
            ));
            false
        }
        _ => {
            let locked = lock_everything();
            if !locked {
                notes.push("memory outside the key slab is not locked: mlockall failed".to_owned());
            }
            locked
        }
    };
    let slab_locked = super::Slab::new(1).is_ok_and(|slab| slab.is_locked());
    if !slab_locked {
        notes.push("the key slab is not locked: raise RLIMIT_MEMLOCK".to_owned());
    }
    Report {
        mlockall,
        core_disabled,
        not_dumpable,
        slab_locked,
        notes,
    }
}

/// Lets the process have at least `wanted` files open, as far as the system
/// permits, and says how many it may have now.
#[must_use]
pub fn raise_open_files(wanted: u64) -> u64 {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a whole, live struct.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 };
    if !known || limit.rlim_cur >= wanted {
        return limit.rlim_cur;
    }
    let raise = |to: libc::rlimit| {
        // SAFETY: the pointer is to a whole, live struct.
        unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &to) == 0 }
    };
    // Beyond the hard limit only with the privilege to raise that too.
    let hard = limit.rlim_max.max(wanted);
    for (rlim_cur, rlim_max) in [(wanted, hard), (limit.rlim_max, limit.rlim_max)] {
        if rlim_cur <= rlim_max && raise(libc::rlimit { rlim_cur, rlim_max }) {
            return rlim_cur;
        }
    }
    limit.rlim_cur
}

fn disable_core() -> bool {
    let none = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a whole, live struct.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &none) == 0 }
}

#[cfg(target_os = "linux")]
fn make_undumpable() -> bool {
    // SAFETY: takes integers only.
    unsafe { libc::prctl(libc::PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn make_undumpable() -> bool {
    false
}

/// The limit on locked memory in bytes; `None` for no limit.
fn memory_lock_limit() -> Option<u64> {
    let mut limit = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: the pointer is to a whole, live struct.
    let known = unsafe { libc::getrlimit(libc::RLIMIT_MEMLOCK, &mut limit) == 0 };
    if known && limit.rlim_cur == libc::RLIM_INFINITY {
        return None;
    }
    Some(if known { limit.rlim_cur } else { 0 })
}

/// Whether the process has CAP_IPC_LOCK, which the limit does not bind.
#[cfg(target_os = "linux")]
fn may_lock_without_limit() -> bool {
    const CAP_IPC_LOCK: u32 = 14;
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let field = status
                .lines()
                .find_map(|line| line.strip_prefix("CapEff:"))?;
            u64::from_str_radix(field.trim(), 16).ok()
        })
        .is_some_and(|effective| effective >> CAP_IPC_LOCK & 1 == 1)
}

#[cfg(not(target_os = "linux"))]
fn may_lock_without_limit() -> bool {
    false
}

/// Locks what is mapped and what will be, each page once it is touched, so
/// that large reservations (thread stacks) cost nothing before their use.
#[cfg(target_os = "linux")]
fn lock_everything() -> bool {
    // SAFETY: takes flags only.
    unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE | libc::MCL_ONFAULT) == 0 }
}

#[cfg(not(target_os = "linux"))]
fn lock_everything() -> bool {
    // SAFETY: takes flags only.
    unsafe { libc::mlockall(libc::MCL_CURRENT | libc::MCL_FUTURE) == 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn the_kernel_agrees_with_the_report() {
        let report = lock_process();
        let mut core = libc::rlimit {
            rlim_cur: 1,
            rlim_max: 1,
        };
        // SAFETY: the pointer is to a whole, live struct; prctl takes integers.
        let dumpable = unsafe {
            assert_eq!(libc::getrlimit(libc::RLIMIT_CORE, &mut core), 0);
            libc::prctl(libc::PR_GET_DUMPABLE, 0, 0, 0, 0)
        };
        assert_eq!(report.core_disabled, core.rlim_cur == 0);
        assert_eq!(report.not_dumpable, dumpable == 0);
        let complete =
            report.mlockall && report.core_disabled && report.not_dumpable && report.slab_locked;
        assert_eq!(report.notes.is_empty(), complete, "{report:?}");
    }
}
