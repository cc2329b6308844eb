//! The throw-away server: plain HTTP on this machine, under its own names.

use serde_json::json;

use crate::house::Server;

fn start(more: &[&str]) -> Result<Server, String> {
    let mut arguments: Vec<String> = ["serve", "--dev", "--log", "debug"]
        .map(str::to_owned)
        .into();
    if !more.contains(&"--listen") {
        arguments.extend(["--listen".to_owned(), "127.0.0.1:0".to_owned()]);
    }
    arguments.extend(more.iter().map(|&argument| argument.to_owned()));
    Server::start(&arguments).map_err(|(status, said)| {
        assert!(!status.success());
        said
    })
}

#[test]
fn it_is_unsealed_and_lets_the_chosen_token_in() {
    let mut server = start(&["--dev-root-token", "my.token-1"]).unwrap();
    server.token = "my.token-1".to_owned();
    let own = server.must("GET", "/api/v1/tokens/self", None);
    assert_eq!(own["principal"], "root");
    server.must(
        "POST",
        "/api/v1/keyrings/default/keys",
        Some(json!({"name": "k", "algorithm": "AES-256-GCM"})),
    );
    for wrong in ["my.token-2", "my.token-", "my.token-11", ""] {
        let answer = server.ask_as(wrong, "GET", "/api/v1/tokens/self", None);
        assert_eq!(answer.status, 401, "{wrong}");
    }
    let (status, log) = server.stop();
    assert!(status.success());
    assert!(!log.contains("my.token-1"));
}

#[test]
fn foreign_host_names_are_refused() {
    let server = start(&["--dev-root-token", "t"]).unwrap();
    let port = server.address.port();
    let ask = |host: &str, path: &str| {
        let headers = [("Host", host), ("Authorization", "Bearer t")];
        server.connect().send("GET", path, None, &headers).unwrap()
    };
    for host in [
        "localhost".to_owned(),
        format!("localhost:{port}"),
        format!("127.0.0.1:{port}"),
        format!("[::1]:{port}"),
    ] {
        assert_eq!(ask(&host, "/api/v1/tokens/self").status, 200, "{host}");
    }
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example:8200",
        "127.0.0.2",
        "localhost@evil.example",
        "",
    ] {
        for path in ["/api/v1/tokens/self", "/api/v1/health", "/nonesuch"] {
            let answer = ask(host, path);
            assert_eq!(answer.status, 421, "{host:?} {path}");
            assert_eq!(answer.problem(), "misdirected-request");
        }
    }
    let absolute = ask("localhost", "http://evil.example/api/v1/health");
    assert_eq!(absolute.status, 421);
}

#[test]
fn plain_http_stays_on_this_machine() {
    for address in ["0.0.0.0:0", "[::]:0"] {
        let said = start(&["--listen", address]).err().unwrap();
        assert!(said.contains("loopback"), "{said}");
    }
    for token in ["", "a b", "a\nb"] {
        assert!(start(&["--dev-root-token", token]).is_err(), "{token:?}");
    }
}
