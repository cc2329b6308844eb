//! A quiet connection gives its buffers back after two seconds. Nothing that
//! is on its way may be lost by that; each test waits for longer.

use std::{thread, time::Duration};

use crate::house::House;

const QUIET: Duration = Duration::from_millis(3_500);
const HEALTH: &str = "GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\n\r\n";

#[test]
fn a_connection_is_as_good_after_a_rest() {
    let house = House::new();
    let server = house.serve();
    let mut connection = server.connect();
    for _ in 0..2 {
        for _ in 0..2 {
            let answer = connection.ask("", "GET", "/api/v1/health", None, &[]);
            assert_eq!(
                (answer.status, &answer.json()["status"]),
                (200, &"ok".into())
            );
        }
        thread::sleep(QUIET);
    }
    let random = serde_json::json!({ "length_bytes": 32 });
    let answer = connection.ask(&server.token, "POST", "/api/v1/random", Some(&random), &[]);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

/// The second request begins in the same write as the first, so that it waits
/// in the server's buffer, and ends after a rest.
#[test]
fn half_a_request_outlasts_a_rest() {
    let house = House::new();
    let server = house.serve();
    let mut connection = server.connect();
    let (begin, end) = HEALTH.split_at(30);
    connection
        .write(format!("{HEALTH}{begin}").as_bytes())
        .unwrap();
    assert_eq!(connection.answer().unwrap().status, 200);
    thread::sleep(QUIET);
    connection.write(end.as_bytes()).unwrap();
    assert_eq!(connection.answer().unwrap().status, 200);
}

/// More answers than the sockets between the two hold, and nobody reads them
/// for a while.
#[test]
fn answers_that_nobody_reads_yet_outlast_a_rest() {
    const ANSWERS: usize = 100;
    let house = House::new();
    let server = house.serve();
    let mut connection = server.connect();
    let alone = connection.ask("", "GET", "/api/v1/openapi.json", None, &[]);
    let mut requests =
        "GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(ANSWERS);
    requests.push_str(&HEALTH.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n"));
    connection.write(requests.as_bytes()).unwrap();
    thread::sleep(QUIET);
    let all = connection.until_closed();
    let mut rest = all.as_slice();
    for number in 0..ANSWERS {
        let at = rest
            .windows(4)
            .position(|four| four == b"\r\n\r\n")
            .unwrap()
            + 4;
        let end = at + alone.body.len();
        assert!(rest.get(at..end) == Some(&alone.body), "answer {number}");
        rest = &rest[end..];
    }
    assert!(rest.starts_with(b"HTTP/1.1 200") && rest.ends_with(b"}"));
}
