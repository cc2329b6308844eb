//! Threads that give way to those that answer callers.

/// For slow work that somebody waits for.
pub(crate) const SLOW_WORK: i32 = 5;

/// For work that nobody waits for.
pub(crate) const IDLE_WORK: i32 = 19;

/// Lowers the calling thread's priority by so many steps of `nice`. Linux
/// counts them by thread, not by process. Where it cannot be done the thread
/// goes on as it is.
pub(crate) fn give_way(steps: i32) {
    let _ = rustix::process::nice(steps);
}
