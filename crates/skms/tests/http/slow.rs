//! Clients that are slow, silent or greedy get no more than their share.

use serde_json::json;

use crate::{
    house::{House, Server},
    wire::Connection,
};

const LIMITS: &str = "connections = 4\nbody_bytes = 4096\nhandshake_timeout_seconds = 1\n\
    header_timeout_seconds = 1\nbody_timeout_seconds = 1\nidle_timeout_seconds = 2\n\
    drain_timeout_seconds = 1";

fn still_well(server: &Server) {
    assert_eq!(server.must("GET", "/api/v1/health", None)["status"], "ok");
}

#[test]
fn a_silent_or_dripping_client_is_let_go() {
    let house = House::new();
    let server = house.serve_limited(LIMITS);
    // Each of these reads until the server closes, and would never end if it
    // did not.
    let mut no_handshake = Connection::open(server.address, None).unwrap();
    assert!(no_handshake.until_closed().is_empty());
    let mut half_handshake = Connection::open(server.address, None).unwrap();
    half_handshake
        .write(&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01])
        .unwrap();
    half_handshake.until_closed();
    let mut no_request = server.connect();
    assert!(no_request.until_closed().is_empty());
    let mut half_head = server.connect();
    half_head
        .write(b"GET /api/v1/health HTTP/1.1\r\nHost: loc")
        .unwrap();
    half_head.until_closed();
    let mut second = server.connect();
    second.ask("", "GET", "/api/v1/health", None, &[]);
    assert!(second.until_closed().is_empty());
    still_well(&server);
}

#[test]
fn a_body_that_does_not_come_is_a_timeout() {
    let house = House::new();
    let server = house.serve_limited(LIMITS);
    let mut connection = server.connect();
    let head = format!(
        "POST /api/v1/random HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{{",
        server.token
    );
    connection.write(head.as_bytes()).unwrap();
    let answer = connection.answer().unwrap();
    assert_eq!(
        (answer.status, answer.problem()),
        (408, "request-timeout".into())
    );
    still_well(&server);
}

#[test]
fn heads_and_bodies_that_are_too_large_are_refused() {
    let house = House::new();
    let server = house.serve_limited(LIMITS);
    let long = "x".repeat(64 * 1024);
    let mut connection = server.connect();
    let head = format!("GET /api/v1/health HTTP/1.1\r\nHost: localhost\r\nX: {long}\r\n\r\n");
    let _ = connection.write(head.as_bytes());
    // The head is over the limit before there is anything to name a problem
    // by; the status says it.
    if let Ok(answer) = connection.answer() {
        assert_eq!(answer.status, 431);
    }
    // Announced, and refused before any of it is sent.
    let mut connection = server.connect();
    let head = format!(
        "POST /api/v1/random HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 4097\r\n\r\n",
        server.token
    );
    connection.write(head.as_bytes()).unwrap();
    let answer = connection.answer().unwrap();
    assert_eq!(
        (answer.status, answer.problem()),
        (413, "payload-too-large".into())
    );
    let fits = json!({"data": "A".repeat(2048)});
    server.must("POST", "/api/v1/hash", Some(fits));
    still_well(&server);
}

#[test]
fn who_is_nobody_yet_is_read_less_of() {
    let house = House::new();
    let server = house.serve();
    for length in [8193, 1024 * 1024] {
        let mut connection = server.connect();
        let head = format!(
            "POST /api/v1/unseal HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        );
        connection.write(head.as_bytes()).unwrap();
        let answer = connection.answer().unwrap();
        assert_eq!(
            (answer.status, answer.problem()),
            (413, "payload-too-large".into()),
            "{length}"
        );
    }
    // The longest that fits is read, and answered for what it says.
    let mut longest = server.connect();
    let head = "POST /api/v1/unseal HTTP/1.1\r\nHost: localhost\r\n\
                Content-Type: application/json\r\nContent-Length: 8192\r\n\r\n";
    longest.write(head.as_bytes()).unwrap();
    longest.write(&[b' '; 8192]).unwrap();
    let answer = longest.answer().unwrap();
    assert_eq!(
        (answer.status, answer.problem()),
        (400, "malformed-request".into())
    );
    // A known sender has the whole limit.
    let large = json!({"data": "A".repeat(1_000_000)});
    server.must("POST", "/api/v1/hash", Some(large));
    still_well(&server);
}

#[test]
fn connections_over_the_limit_wait_for_their_turn() {
    let house = House::new();
    let server = house.serve_limited(LIMITS);
    let held: Vec<Connection> = (0..4)
        .map(|_| Connection::open(server.address, None).unwrap())
        .collect();
    // The fifth gets in when the silent ones have used up their time.
    still_well(&server);
    drop(held);
    let metrics = server.ask("GET", "/api/v1/metrics", None).text();
    assert!(
        metrics.contains("skms_handshakes_failed_total 4\n"),
        "{metrics}"
    );
}

#[test]
fn a_client_that_does_not_read_is_let_go() {
    let house = House::new();
    let server = house.serve_limited(LIMITS);
    let mut greedy = server.connect();
    // More answers than all buffers on the way hold together.
    let one = b"GET /api/v1/openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    greedy.write(&one.repeat(100)).unwrap();
    let gone = |metrics: &str| metrics.contains("skms_connections_open 1\n");
    while !gone(&server.ask("GET", "/api/v1/metrics", None).text()) {
        std::thread::yield_now();
    }
    let whole = server.ask("GET", "/api/v1/openapi.json", None).body.len();
    let got = greedy.until_closed().len();
    assert!(got < 100 * whole, "{got} bytes of answers of {whole}");
}

#[test]
fn a_client_that_drips_is_let_go_although_it_is_never_silent() {
    let house = House::new();
    let server = house.serve_limited(LIMITS);
    // One byte at a time, with a pause that no timeout of silence would mind.
    let drip = |mut connection: Connection, start: &str, rest: &str| {
        connection.write(start.as_bytes()).unwrap();
        for byte in rest.bytes().cycle() {
            std::thread::sleep(std::time::Duration::from_millis(50));
            if connection.write(&[byte]).is_err() {
                break;
            }
        }
        connection.until_closed()
    };
    drip(server.connect(), "GET /api/v1/health HTTP/1.1\r\nX: ", "a");
    let head = format!(
        "POST /api/v1/random HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
         Content-Type: application/json\r\nContent-Length: 4096\r\n\r\n",
        server.token
    );
    drip(server.connect(), &head, " ");
    still_well(&server);
}

#[test]
fn pipelined_requests_are_answered_one_after_the_other() {
    let house = House::new();
    let server = house.serve();
    let mut connection = server.connect();
    let mut all = String::new();
    for number in 0..200 {
        all.push_str(&format!(
            "GET /api/v1/seal-status HTTP/1.1\r\nHost: localhost\r\nX-Request-Id: n{number}\r\n\r\n"
        ));
    }
    connection.write(all.as_bytes()).unwrap();
    let mut read = String::new();
    while read.matches("\r\nx-request-id: ").count() < 200 {
        read.push_str(&String::from_utf8(connection.some().unwrap()).unwrap());
    }
    let named: Vec<&str> = read
        .split("\r\nx-request-id: n")
        .skip(1)
        .map(|rest| rest.split("\r\n").next().unwrap())
        .collect();
    let expected: Vec<String> = (0..200).map(|number| number.to_string()).collect();
    assert_eq!(named, expected);
}

#[test]
fn nonsense_on_the_wire_harms_nobody() {
    let house = House::new();
    let server = house.serve_limited(LIMITS);
    for nonsense in [
        &b"\r\n\r\n\r\n\r\n"[..],
        b"\0\0\0\0\0\0\0\0\0\0",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nContent-Length: x\r\n\r\n",
        b"POST /api/v1/random HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ] {
        let mut plain = Connection::open(server.address, None).unwrap();
        let _ = plain.write(nonsense);
        plain.until_closed();
        let mut inside = server.connect();
        let _ = inside.write(nonsense);
        inside.until_closed();
    }
    still_well(&server);
}
