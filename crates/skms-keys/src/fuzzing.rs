//! Entry points for the fuzz targets: any bytes in, and it returns.

use crate::schedule::Schedule;
use crate::time::UnixSeconds;

/// A schedule and its zone, a line each: what is read goes forward, and is read
/// again from what is shown.
pub fn schedule(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut lines = text.lines();
    let cron = lines.next().unwrap_or_default();
    let Ok(schedule) = Schedule::read(cron, lines.next()) else {
        return;
    };
    let shown = schedule.cron.to_string();
    let again = Schedule::read(&shown, Some(schedule.zone.name()));
    assert_eq!(again, Ok(schedule), "{shown}");
    let mut at = UnixSeconds(1_790_000_000);
    for _ in 0..4 {
        let next = schedule.next_after(at);
        assert!(next > at, "{shown} at {at}");
        at = next;
        if at == UnixSeconds::NEVER {
            return;
        }
    }
}
