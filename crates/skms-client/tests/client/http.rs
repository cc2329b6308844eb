//! The client against a server on plain HTTP: what is sent, what is made of
//! the answers, and when a call is made again.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::support::{HEALTHY, Script, Server, broken, json, problem};
use skms_client::{Client, Config, Error, Retry};
use skms_wire::native::namespaces::CreateNamespaceRequest;
use skms_wire::native::operations::EncryptRequest;
use skms_wire::native::{BatchItem, ProblemKind};
use skms_wire::{SecretB64, SecretText};

async fn start(
    script: impl Fn(usize) -> hyper::Response<http_body_util::Full<hyper::body::Bytes>>
    + Send
    + Sync
    + 'static,
) -> (Server, Client) {
    let script: Script = Arc::new(script);
    let server = Server::start(None, script).await;
    let mut config = Config::new(format!("http://{}", server.address).parse().unwrap());
    config.token = Some(SecretText::new("the-token".into()));
    config.namespace = "team-a".into();
    config.retry = Retry {
        attempts: 3,
        first_delay: Duration::ZERO,
        longest_delay: Duration::ZERO,
    };
    let client = Client::new(config).unwrap();
    (server, client)
}

fn item(byte: u8) -> EncryptRequest {
    EncryptRequest {
        plaintext: SecretB64::new(vec![byte]),
        ..Default::default()
    }
}

#[tokio::test]
async fn sends_identity_namespace_and_body_over_one_connection() {
    let (server, client) = start(|_| json(r#"{"ciphertext":"skms:v2:AA==","version":2}"#)).await;
    for _ in 0..3 {
        let answer = client.encrypt("default", "orders", &item(1)).await.unwrap();
        assert_eq!(answer.ciphertext.to_string(), "skms:v2:AA==");
    }
    let seen = server.seen();
    assert_eq!(seen.len(), 3);
    assert_eq!(seen[0].method, "POST");
    assert_eq!(seen[0].path, "/api/v1/keyrings/default/keys/orders/encrypt");
    assert_eq!(seen[0].authorization.as_deref(), Some("Bearer the-token"));
    assert_eq!(seen[0].namespace.as_deref(), Some("team-a"));
    assert_eq!(seen[0].body, br#"{"plaintext":"AQ=="}"#);
    assert_eq!(server.connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_batch_gives_each_item_its_result() {
    let (server, client) = start(|_| {
        let mut body =
            br#"{"results":[{"ok":{"ciphertext":"skms:v1:AA==","version":1}},{"problem":"#.to_vec();
        body.extend(
            serde_json::to_vec(&skms_wire::native::Problem::new(ProblemKind::UseLimit)).unwrap(),
        );
        body.extend(b"}]}");
        json(std::str::from_utf8(&body).unwrap())
    })
    .await;
    let answer = client
        .encrypt_batch("default", "orders", &[item(1), item(2)])
        .await
        .unwrap();
    assert!(matches!(&answer.results[0], BatchItem::Ok(one) if one.version == 1));
    assert!(
        matches!(&answer.results[1], BatchItem::Problem(p) if p.kind() == Some(ProblemKind::UseLimit))
    );
    assert_eq!(
        server.seen()[0].body,
        br#"{"batch":[{"plaintext":"AQ=="},{"plaintext":"Ag=="}]}"#
    );
}

#[tokio::test]
async fn problems_are_typed_and_not_tried_again() {
    let (server, client) = start(|_| problem(ProblemKind::Sealed)).await;
    let error = client.health().await.unwrap_err();
    assert_eq!(error.problem_kind(), Some(ProblemKind::Sealed));
    assert!(error.to_string().contains("as the test wants"));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn what_was_not_done_is_tried_again_and_only_so_often() {
    let (server, client) = start(|count| match count {
        0 | 1 => problem(ProblemKind::Unavailable),
        _ => json(r#"{"ciphertext":"skms:v1:AA==","version":1}"#),
    })
    .await;
    client.encrypt("default", "orders", &item(1)).await.unwrap();
    assert_eq!(server.seen().len(), 3);

    let (server, client) = start(|_| problem(ProblemKind::Unavailable)).await;
    assert!(client.health().await.is_err());
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_create_goes_out_once_more_under_its_key_when_the_connection_breaks() {
    let request = CreateNamespaceRequest { name: "n".into() };
    let made = r#"{"id":"1","name":"n","created_at":"2026-01-01T00:00:00Z"}"#;
    let (server, client) = start(move |count| match count {
        0 => broken(),
        _ => json(made),
    })
    .await;
    client.create_namespace(&request).await.unwrap();
    client.create_namespace(&request).await.unwrap();
    let keys: Vec<_> = server
        .seen()
        .into_iter()
        .map(|seen| seen.idempotency_key.unwrap())
        .collect();
    let [first, again, other] = keys.as_slice() else {
        panic!("{keys:?}");
    };
    assert_eq!(first, again);
    assert_ne!(first, other);
    let unquoted = skms_wire::native::idempotency::key(first.as_bytes());
    assert_eq!(unquoted.map(|key| key.len()), Some(32));

    let (server, client) = start(|_| broken()).await;
    let failed = client.create_namespace(&request).await;
    assert!(matches!(failed, Err(Error::Broken { .. })));
    assert_eq!(server.seen().len(), 2);
}

#[tokio::test]
async fn what_may_have_been_done_is_not_sent_again_without_a_key() {
    let (server, client) = start(|_| broken()).await;
    let failed = client.encrypt("default", "orders", &item(1)).await;
    assert!(matches!(failed, Err(Error::Broken { .. })));
    let seen = server.seen();
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].idempotency_key, None);
}

#[tokio::test]
async fn a_connection_closed_by_the_server_is_replaced() {
    let (server, client) = start(|_| {
        let mut answer = json(HEALTHY);
        answer
            .headers_mut()
            .insert("connection", "close".parse().unwrap());
        answer
    })
    .await;
    client.health().await.unwrap();
    client.health().await.unwrap();
    assert_eq!(server.connections.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn answers_that_are_not_as_documented_are_errors() {
    let (_server, client) = start(|_| json(r#"{"status":"ok"}"#)).await;
    assert!(matches!(
        client.health().await,
        Err(Error::Unexpected { .. })
    ));
    let (_server, client) = start(|_| {
        let mut answer = json("<html>secret token</html>");
        *answer.status_mut() = ::http::StatusCode::BAD_GATEWAY;
        answer
    })
    .await;
    let error = client.health().await.unwrap_err();
    assert!(error.to_string().contains("502"), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

#[tokio::test]
async fn nobody_there_is_its_own_error() {
    let gone = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let mut config = Config::new(format!("http://{gone}").parse().unwrap());
    config.retry = Retry::NEVER;
    let error = Client::new(config).unwrap().health().await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn silence_ends_in_a_timeout() {
    // Accepted by the system, answered by nobody.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let mut config = Config::new(
        format!("http://{}", listener.local_addr().unwrap())
            .parse()
            .unwrap(),
    );
    config.timeout = Duration::from_millis(1);
    let error = Client::new(config).unwrap().health().await.unwrap_err();
    assert!(matches!(error, Error::Timeout { .. }), "{error}");
}

#[test]
fn credentials_that_no_header_can_carry_are_refused_without_being_shown() {
    let mut config = Config::new("http://localhost".parse().unwrap());
    config.token = Some(SecretText::new("two\nlines".into()));
    let error = Client::new(config).err().unwrap();
    assert!(!error.to_string().contains("lines"), "{error}");
}
