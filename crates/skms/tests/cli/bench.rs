//! `skms bench` against a real server: what it reports must agree with what
//! the server counted, and it must leave nothing behind. How fast anything is
//! is not tested.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use crate::support::Server;

/// How many good answers of a route the server has counted.
fn counted(server: &Server, route: &str) -> u64 {
    let address = server.address.strip_prefix("http://").unwrap();
    let token = std::fs::read_to_string(server.path("token")).unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET /api/v1/metrics HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\n\
         Connection: close\r\n\r\n",
        token.trim()
    )
    .unwrap();
    let mut metrics = String::new();
    stream.read_to_string(&mut metrics).unwrap();
    let line = format!("skms_requests_total{{route=\"{route}\",status=\"2xx\"}} ");
    let count = metrics.lines().find_map(|text| text.strip_prefix(&line));
    count.unwrap().parse().unwrap()
}

fn keys(server: &Server) -> usize {
    let list = server.json(&["key", "list", "default"]);
    list.as_array().unwrap().len()
}

fn number(report: &Value, name: &str) -> f64 {
    report[name].as_f64().unwrap()
}

#[test]
fn the_report_agrees_with_the_server() {
    let server = Server::dev();
    for (operation, batch) in [
        ("encrypt", "1"),
        ("decrypt", "3"),
        ("verify", "1"),
        ("random", "1"),
    ] {
        let route = operation;
        let before = counted(&server, route);
        let plot = server.path(&format!("{operation}.svg"));
        let report = server.json(&[
            "bench",
            "--operation",
            operation,
            "--batch",
            batch,
            "--concurrency",
            "3",
            "--duration",
            "1s",
            "--plot",
            plot.to_str().unwrap(),
        ]);
        let requests = report["requests"].as_u64().unwrap();
        assert!(requests > 0);
        assert_eq!(counted(&server, route) - before, requests, "{operation}");
        let seconds = number(&report, "seconds");
        assert!(seconds >= 1.0);
        let rate = number(&report, "requests_per_second");
        assert!((rate - requests as f64 / seconds).abs() < 1e-6 * rate);
        let items = number(&report, "items_per_second");
        assert!((items - rate * batch.parse::<f64>().unwrap()).abs() < 1e-6 * items);
        let each: u64 = report["each_second"]
            .as_array()
            .unwrap()
            .iter()
            .map(|count| count.as_u64().unwrap())
            .sum();
        assert_eq!(each, requests);
        let latency = &report["latency_ms"];
        let rising: Vec<f64> = ["p50", "p90", "p99", "p99.9", "max"]
            .iter()
            .map(|name| number(latency, name))
            .collect();
        assert!(rising.is_sorted(), "{rising:?}");
        assert!(number(&report, "server_cpu_us") >= 0.0);
        assert_eq!(report["interrupted"], false);
        let picture = std::fs::read_to_string(&plot).unwrap();
        assert!(picture.starts_with("<svg ") && picture.ends_with("</svg>\n"));
        assert_eq!(keys(&server), 0, "the key of {operation} stayed");
    }
}

#[test]
fn keys_that_were_made_are_removed() {
    let server = Server::dev();
    let report = server.json(&[
        "bench",
        "--operation",
        "create",
        "--concurrency",
        "2",
        "--duration",
        "1s",
    ]);
    assert_eq!(
        counted(&server, "key-create"),
        report["requests"].as_u64().unwrap()
    );
    assert_eq!(keys(&server), 0);
}

#[test]
fn whoever_may_not_read_metrics_still_measures() {
    let server = Server::dev();
    server.file(
        "load.cedar",
        br#"permit(principal == SKMS::Principal::"load", action, resource);
forbid(principal == SKMS::Principal::"load", action == SKMS::Action::"system.metrics", resource);"#,
    );
    let policy = server.path("load.cedar");
    server
        .run(&["policy", "put", "load", policy.to_str().unwrap()])
        .ok();
    let token = server.path("load.token");
    server
        .run(&[
            "token",
            "create",
            "--principal",
            "load",
            "--out",
            token.to_str().unwrap(),
        ])
        .ok();
    let report = server.json(&[
        "bench",
        "--token-file",
        token.to_str().unwrap(),
        "--concurrency",
        "1",
        "--duration",
        "1s",
    ]);
    assert!(report["requests"].as_u64().unwrap() > 0);
    assert_eq!(report["server_cpu_us"], Value::Null);
}

#[test]
fn what_the_server_refuses_is_told_and_leaves_nothing() {
    let server = Server::dev();
    server
        .run(&["bench", "--algorithm", "ROT-13", "--duration", "1s"])
        .fails(2, "unknown algorithm");
    server
        .run(&["bench", "--keyring", "nowhere", "--duration", "1s"])
        .fails(3, "");
    let plot = server.path("no/such/folder.svg");
    server
        .run(&[
            "bench",
            "--duration",
            "1s",
            "--plot",
            plot.to_str().unwrap(),
        ])
        .fails(2, "cannot write");
    assert_eq!(keys(&server), 0);
}

#[test]
fn an_interrupt_ends_it_early_and_its_key_goes_too() {
    let server = Server::dev();
    let child = server
        .command(&["bench", "--duration", "1d", "--concurrency", "2", "--json"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    while counted(&server, "encrypt") == 0 {
        std::thread::yield_now();
    }
    let killed = std::process::Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    let output = child.wait_with_output().unwrap();
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(report["interrupted"], true);
    assert_eq!(keys(&server), 0);
}
