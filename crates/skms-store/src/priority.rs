//! Threads that give way to those that answer callers.
//!
//! A thread that gives way is now and then stopped for many milliseconds, with
//! whatever lock it holds. So it holds none that the others need for longer
//! than it takes to push or pop something.

/// Steps of `nice` for slow work on behalf of a key in use: whoever revokes
/// the key waits for it.
pub const SLOW_WORK: i32 = 5;

/// Steps of `nice` for work that takes so long that nobody minds how long, and
/// for work that nobody waits for.
pub const IDLE_WORK: i32 = 19;

/// Lowers the calling thread's priority by so many steps of `nice`. Linux
/// counts them by thread, not by process. Where it cannot be done the thread
/// goes on as it is.
pub fn give_way(steps: i32) {
    let _ = rustix::process::nice(steps);
}
