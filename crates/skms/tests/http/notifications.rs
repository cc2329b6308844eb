//! Webhooks, through the real binary and to a real receiver: signed as the
//! standard says, each event once at least, and nowhere that they should not
//! go.

mod receiver;

use std::{
    collections::BTreeSet,
    io::{BufRead as _, Write as _},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use skms_wire::native::routes::DEFAULT_NAMESPACE;

use crate::{
    describe::Described,
    house::{House, PATIENCE, Server},
};
use receiver::{Answer, Receiver, Request};

const CHANNELS: &str = "/api/v1/notifications/channels";
const KEYS: &str = "/api/v1/keyrings/default/keys";

/// A server that delivers to this machine.
fn serve(house: &House, more: &str) -> Server {
    let path = house.path("skms.toml");
    let text = format!(
        "[notifications]\nallow = ['127.0.0.0/8']\nallow_http = true\ntimeout_seconds = 2\n{more}\n"
    );
    std::fs::write(&path, text).unwrap();
    house.serve_with(&["--config", &path.display().to_string()])
}

fn add(server: &Server, name: &str, receiver: &Receiver, actions: &[&str]) -> Value {
    let url = format!("http://{}/hook?of={name}", receiver.address);
    let new = json!({"name": name, "url": url, "actions": actions});
    server.must("POST", CHANNELS, Some(new))
}

fn make_key(server: &Server, name: &str) {
    let key = json!({"name": name, "algorithm": "AES-256-GCM"});
    server.must("POST", KEYS, Some(key));
}

fn named(request: &Request) -> String {
    let event = request.event();
    let name = event["targets"][0]["name"].as_str().unwrap().to_owned();
    name.rsplit('/').next().unwrap().to_owned()
}

/// Asks until it is so.
fn until(server: &Server, name: &str, is: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let channel = server.must("GET", &format!("{CHANNELS}/{name}"), None);
        if is(&channel) {
            return channel;
        }
        assert!(began.elapsed() < PATIENCE, "{channel}");
        thread::sleep(Duration::from_millis(100));
    }
}

/// Which signatures hold, by somebody else's code; `None`, and a visible skip,
/// without a Python.
fn verify(messages: &[Value]) -> Option<Vec<Value>> {
    let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
        eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
        return None;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/webhooks.py");
    let mut child = Command::new(python)
        .arg(script)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let input = serde_json::to_vec(messages).unwrap();
    child.stdin.take().unwrap().write_all(&input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn message(request: &Request, secrets: &[&str], public_key: &str) -> Value {
    let names = ["webhook-id", "webhook-timestamp", "webhook-signature"];
    let headers: serde_json::Map<String, Value> = names
        .iter()
        .map(|name| ((*name).to_owned(), request.header(name).into()))
        .collect();
    json!({"body": request.body, "headers": headers, "secrets": secrets,
        "public_key": public_key})
}

#[test]
fn signed_events_arrive_as_they_are_listed() {
    let house = House::new();
    let server = serve(&house, "");
    let receiver = Receiver::plain(|_| Answer::Status(204));
    let made = add(&server, "pager", &receiver, &["key.create"]);
    let first = made["secret"].as_str().unwrap().to_owned();
    let public_key = made["channel"]["public_key"].as_str().unwrap().to_owned();
    make_key(&server, "orders");
    let request = receiver.next();
    assert_eq!(request.path, "/hook?of=pager");
    assert_eq!(request.header("content-type"), "application/json");
    let event = request.event();
    assert_eq!(request.header("webhook-id"), event["id"].as_str().unwrap());
    let listed = server.must("GET", "/api/v1/events?action=key.create", None);
    assert_eq!(listed["items"], json!([event]));
    // Another secret: both sign for a while, or the new one alone.
    let rotate = format!("{CHANNELS}/pager/secret");
    let rotated = server.must("POST", &rotate, Some(json!({"overlap_seconds": 600})));
    let second = rotated["secret"].as_str().unwrap().to_owned();
    assert_eq!(rotated["channel"]["secrets"], 2);
    make_key(&server, "bills");
    let both = receiver.next();
    let long = server.ask("POST", &rotate, Some(json!({"overlap_seconds": 604_801})));
    assert_eq!(long.problem(), "invalid-argument");
    let rotated = server.must("POST", &rotate, Some(json!({"overlap_seconds": 0})));
    let third = rotated["secret"].as_str().unwrap().to_owned();
    make_key(&server, "cards");
    let last = receiver.next();
    let secrets = [first.as_str(), &second, &third];
    let mut messages: Vec<Value> = [&request, &both, &last]
        .iter()
        .map(|one| message(one, &secrets, &public_key))
        .collect();
    let mut altered = messages[0].clone();
    altered["body"] = altered["body"]
        .as_str()
        .unwrap()
        .replace("orders", "others")
        .into();
    messages.push(altered);
    // No list and no view shows a secret.
    for path in [
        CHANNELS.to_owned(),
        format!("{CHANNELS}/pager"),
        "/api/v1/events?limit=1000".into(),
    ] {
        let text = server.ask("GET", &path, None).text();
        for secret in secrets {
            assert!(
                !text.contains(secret.strip_prefix("whsec_").unwrap()),
                "{path}"
            );
        }
    }
    if let Some(verdicts) = verify(&messages) {
        let wanted = [
            ([true, false, false], true),
            ([true, true, false], true),
            ([false, false, true], true),
            ([false, false, false], false),
        ];
        for (verdict, (secrets, key)) in verdicts.iter().zip(wanted) {
            assert_eq!(verdict, &json!({"secrets": secrets, "key": key}));
        }
    }
    let channel = until(&server, "pager", |channel| channel["delivered"] == 3);
    assert_eq!(channel["status"], "working");
}

#[test]
fn what_is_not_taken_comes_again_and_is_given_up_in_the_end() {
    let house = House::new();
    let server = serve(&house, "");
    let mut times = 0;
    let receiver = Receiver::plain(move |_| {
        times += 1;
        Answer::Status(if times < 3 { 500 } else { 200 })
    });
    add(&server, "flaky", &receiver, &["key.create"]);
    make_key(&server, "orders");
    let began = Instant::now();
    let tries: Vec<Request> = (0..3).map(|_| receiver.next()).collect();
    // After 5 and after 20 seconds, spread by a fifth.
    let took = began.elapsed();
    assert!(
        took > Duration::from_secs(19) && took < Duration::from_secs(60),
        "{took:?}"
    );
    let ids: BTreeSet<&str> = tries.iter().map(|one| one.header("webhook-id")).collect();
    assert_eq!(ids.len(), 1);
    assert!(tries.iter().all(|one| one.body == tries[0].body));
    let channel = until(&server, "flaky", |channel| channel["delivered"] == 1);
    assert_eq!(
        (&channel["waiting"], &channel["last_error"]),
        (&json!(0), &Value::Null)
    );
}

#[test]
fn a_receiver_that_misbehaves_holds_up_nobody_else() {
    let house = House::new();
    let server = serve(&house, "");
    let other = Receiver::plain(|_| panic!("nothing goes here"));
    let inwards = format!("http://{}/inside", other.address);
    let cases = [
        ("hangs", Answer::Hang, "no answer within 2 s"),
        ("drips", Answer::Drip, "no answer within 2 s"),
        ("closes", Answer::Close, "no answer"),
        ("babbles", Answer::Nonsense, "no answer"),
        (
            "redirects",
            Answer::Redirect(inwards),
            "redirects are not followed",
        ),
        ("refuses", Answer::Status(410), "answered 410"),
    ];
    let mut receivers = Vec::new();
    for (name, answer, _) in &cases {
        let answer = answer.clone();
        let receiver = Receiver::plain(move |_| answer.clone());
        add(&server, name, &receiver, &["key.create"]);
        receivers.push(receiver);
    }
    let good = Receiver::plain(|_| Answer::Endless);
    add(&server, "good", &good, &["key.create"]);
    for number in 0..40 {
        make_key(&server, &format!("k{number}"));
    }
    let began = Instant::now();
    let mut seen: BTreeSet<String> = BTreeSet::new();
    while seen.len() < 40 {
        seen.insert(named(&good.next()));
    }
    assert!(
        began.elapsed() < Duration::from_secs(20),
        "{:?}",
        began.elapsed()
    );
    for (name, _, said) in cases {
        let channel = until(&server, name, |channel| channel["last_error"].is_string());
        let error = channel["last_error"].as_str().unwrap();
        assert!(error.contains(said), "{name}: {error}");
        assert!(channel["waiting"].as_u64().unwrap() >= 1);
        // The test says the same, at once.
        let test = server.must("POST", &format!("{CHANNELS}/{name}/test"), None);
        assert_eq!(test["taken"], false, "{test}");
        assert!(test["said"].as_str().unwrap().contains(said), "{test}");
    }
    assert!(other.soon(Duration::ZERO).is_none());
    let channel = until(&server, "good", |channel| channel["delivered"] == 40);
    assert_eq!(channel["status"], "working");
    // Health and the rest go on as before, and deliveries leave no events.
    let events = "/api/v1/events?limit=1000&action=notification.deliver";
    let events = server.must("GET", events, None);
    assert!(events["items"].as_array().unwrap().len() <= cases_failing(&server));
    let text = server.ask("GET", "/api/v1/metrics", None).text();
    assert!(
        text.contains("\nskms_notifications_delivered_total 40\n"),
        "{text}"
    );
}

fn cases_failing(server: &Server) -> usize {
    let all = server.must("GET", CHANNELS, None);
    all["items"].as_array().unwrap().len()
}

#[test]
fn inner_addresses_and_strangers_certificates_are_not_connected_to() {
    let house = House::new();
    let (receiver, pem) = Receiver::secure(&["127.0.0.1", "hooks.example.org"]);
    let (stranger, _) = Receiver::secure(&["127.0.0.1"]);
    let (misnamed, _) = Receiver::secure(&["hooks.example.org"]);
    std::fs::write(house.path("receivers.pem"), &pem).unwrap();
    let ca = format!("ca_file = '{}'", house.path("receivers.pem").display());
    {
        // As the server is set up by default, nothing inside is reached.
        let server = house.serve();
        for url in [
            "https://127.0.0.1/",
            "https://10.1.2.3/",
            "https://169.254.169.254/latest/meta-data",
            "https://[::1]:8200/api/v1/health",
            "https://[::ffff:127.0.0.1]/",
            "http://hooks.example.org/",
            "https://user@hooks.example.org/",
            "file:///etc/passwd",
        ] {
            let new = json!({"name": "inside", "url": url});
            let refused = server.ask("POST", CHANNELS, Some(new));
            assert_eq!(refused.problem(), "invalid-argument", "{url}");
        }
        drop(server.stop());
    }
    let server = serve(&house, &ca);
    let test = |name: &str, address: std::net::SocketAddr| {
        let url = format!("https://{address}/");
        server.must(
            "POST",
            CHANNELS,
            Some(json!({"name": name, "url": url, "enabled": false})),
        );
        server.must("POST", &format!("{CHANNELS}/{name}/test"), None)
    };
    let good = test("good", receiver.address);
    assert_eq!(
        (&good["taken"], &good["said"]),
        (&json!(true), &json!("answered 204"))
    );
    let event = receiver.next().event();
    assert_eq!(event["action"], "notification.manage");
    let listed = "/api/v1/events?limit=1000&action=notification.manage&target=good";
    let listed = server.must("GET", listed, None);
    let items = listed["items"].as_array().unwrap();
    assert_eq!(items.last().unwrap()["id"], event["id"]);
    for (name, address) in [
        ("stranger", stranger.address),
        ("misnamed", misnamed.address),
    ] {
        let bad = test(name, address);
        assert_eq!(bad["taken"], false);
        assert!(
            bad["said"].as_str().unwrap().contains("no trusted TLS"),
            "{bad}"
        );
    }
    assert!(stranger.soon(Duration::ZERO).is_none());
    // Private but for what is allowed.
    let new = json!({"name": "inside", "url": "https://10.1.2.3/"});
    assert_eq!(
        server.ask("POST", CHANNELS, Some(new)).problem(),
        "invalid-argument"
    );
}

#[test]
fn nothing_is_lost_between_commit_and_delivery_when_the_server_is_killed() {
    let house = House::new();
    let receiver = Receiver::plain(|_| Answer::Status(204));
    let mut made: BTreeSet<String> = BTreeSet::new();
    let mut came: Vec<(String, String)> = Vec::new();
    for round in 0..4 {
        let server = serve(&house, "");
        if round == 0 {
            add(&server, "pager", &receiver, &["key.create"]);
        }
        for number in 0..15 + 3 * round {
            let name = format!("r{round}-{number}");
            make_key(&server, &name);
            made.insert(name);
        }
        server.kill();
        while let Some(request) = receiver.soon(Duration::from_millis(200)) {
            came.push((request.header("webhook-id").to_owned(), named(&request)));
        }
    }
    let server = serve(&house, "");
    let seen = |came: &[(String, String)]| -> BTreeSet<String> {
        came.iter().map(|(_, name)| name.clone()).collect()
    };
    while seen(&came) != made {
        let request = receiver.next();
        came.push((request.header("webhook-id").to_owned(), named(&request)));
    }
    // What came twice has one identifier.
    let ids: BTreeSet<&str> = came.iter().map(|(id, _)| id.as_str()).collect();
    assert_eq!(ids.len(), made.len());
    // A server that is stopped writes down how far it is.
    until(&server, "pager", |channel| channel["waiting"] == 0);
    while receiver.soon(Duration::from_millis(500)).is_some() {}
    drop(server.stop());
    let _server = serve(&house, "");
    assert!(receiver.soon(Duration::from_secs(3)).is_none());
}

#[test]
fn channels_are_a_namespace_s_own_and_their_makers_may_read_events() {
    let house = House::new();
    let server = serve(&house, "");
    let receiver = Receiver::plain(|_| Answer::Status(204));
    let url = format!("http://{}/", receiver.address);
    for name in ["team", "other"] {
        server.must("POST", "/api/v1/namespaces", Some(json!({"name": name})));
    }
    let ask = |namespace: &str, token: &str, method: &str, path: &str, body: Value| {
        let headers = [("X-SKMS-Namespace", namespace)];
        server
            .connect()
            .ask(token, method, path, Some(&body), &headers)
    };
    let root = server.token.clone();
    let text = "permit (principal, action == SKMS::Action::\"notification.manage\", resource);";
    let policy = json!({"policy": text});
    assert_eq!(
        ask("team", &root, "PUT", "/api/v1/policies/p", policy).status,
        200
    );
    let made = ask(
        "team",
        &root,
        "POST",
        "/api/v1/tokens",
        json!({"principal": "rita"}),
    );
    let rita = made.json()["token"].as_str().unwrap().to_owned();
    let new = json!({"name": "mine", "url": url});
    // Who may not read events has none sent anywhere.
    let refused = ask("team", &rita, "POST", CHANNELS, new.clone());
    assert_eq!(refused.problem(), "forbidden", "{}", refused.text());
    assert_eq!(ask("team", &root, "POST", CHANNELS, new).status, 201);
    let ring = |name: &str| json!({"name": name});
    for (place, name) in [("other", "theirs"), ("team", "ours")] {
        assert_eq!(
            ask(place, &root, "POST", "/api/v1/keyrings", ring(name)).status,
            201
        );
    }
    let mut names = Vec::new();
    while names.last().is_none_or(|name| name != "ours") {
        let request = receiver.next();
        assert_eq!(request.event()["namespace"], "team", "{}", request.body);
        names.push(named(&request));
    }
    // A namespace with channels is not empty.
    let full = server.ask("DELETE", "/api/v1/namespaces/team", None);
    assert_eq!(full.problem(), "not-empty");
}

/// A mail server that takes mail as it is told to; `None`, and a visible skip,
/// without a Python.
struct MailServer {
    child: std::process::Child,
    lines: std::io::Lines<std::io::BufReader<std::process::ChildStdout>>,
    port: u16,
}

impl MailServer {
    fn start(house: &House, mode: &str) -> Option<Self> {
        let Some(python) = std::env::var_os("SKMS_TEST_PYTHON") else {
            eprintln!("SKIPPED: SKMS_TEST_PYTHON names no interpreter");
            return None;
        };
        let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
        let (certificate, key) = (house.path("mail.pem"), house.path("mail.key"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/smtpd.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(mode)
            .args([certificate, key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        Some(Self { child, lines, port })
    }

    fn next(&mut self) -> Value {
        serde_json::from_str(&self.lines.next().unwrap().unwrap()).unwrap()
    }

    /// The table that has mail go by it.
    fn settings(&self, house: &House, tls: &str, host: &str) -> String {
        let (certificate, password) = (house.path("mail.pem"), house.path("mail.password"));
        std::fs::write(&password, "hunter2 of the tests\n").unwrap();
        let login = match tls {
            "none" => String::new(),
            _ => format!("user = 'skms'\npassword_file = '{}'", password.display()),
        };
        format!(
            "ca_file = '{}'\n[notifications.smtp]\nhost = '{host}'\nport = {}\ntls = '{tls}'\n\
             from = 'skms@example.org'\n{login}",
            certificate.display(),
            self.port
        )
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn mail_goes_by_the_operator_s_server_over_tls() {
    for (mode, tls) in [
        ("implicit", "implicit"),
        ("starttls", "starttls"),
        ("plain", "none"),
    ] {
        let house = House::new();
        let Some(mut mail) = MailServer::start(&house, mode) else {
            return;
        };
        let server = serve(&house, &mail.settings(&house, tls, "localhost"));
        let to = ["ops@example.org", "audit@example.org"];
        let new = json!({"name": "ops", "to": to, "actions": ["key.create"]});
        let made = server.must("POST", CHANNELS, Some(new));
        assert!(
            made["secret"].is_null() && made["channel"]["kind"] == "email",
            "{made}"
        );
        let test = server.must("POST", &format!("{CHANNELS}/ops/test"), None);
        assert_eq!((&test["taken"], mode), (&json!(true), mode), "{test}");
        let message = mail.next();
        assert_eq!(message["from"], "skms@example.org");
        assert_eq!(message["to"], json!(to));
        assert_eq!(
            message["user"],
            if tls == "none" {
                Value::Null
            } else {
                json!("skms")
            }
        );
        let headers = message["headers"].as_array().unwrap();
        let header = |name: &str| {
            let found = headers.iter().find(|one| one[0] == name);
            found.unwrap_or_else(|| panic!("no {name}"))[1]
                .as_str()
                .unwrap()
        };
        let subject = format!("SKMS {DEFAULT_NAMESPACE}/ops: notification.manage");
        assert_eq!(header("Subject"), subject);
        assert_eq!(header("From"), "<skms@example.org>");
        assert_eq!(header("Auto-Submitted"), "auto-generated");
        assert_eq!(headers.len(), 9, "{headers:?}");
        let text = message["text"].as_str().unwrap();
        assert!(text.contains("notification.manage success"), "{text}");
        assert!(!text.contains("hunter2") && !server.log().contains("hunter2"));
    }
}

#[test]
fn events_of_a_minute_come_in_one_mail() {
    let house = House::new();
    let Some(mut mail) = MailServer::start(&house, "implicit") else {
        return;
    };
    let server = serve(&house, &mail.settings(&house, "implicit", "localhost"));
    let new = json!({"name": "ops", "to": ["ops@example.org"], "actions": ["key.create"]});
    server.must("POST", CHANNELS, Some(new));
    // As many as one mail holds are not waited for.
    for number in 0..100 {
        make_key(&server, &format!("k{number}"));
    }
    let message = mail.next();
    let text = message["text"].as_str().unwrap();
    assert_eq!(text.matches("key.create success").count(), 100, "{text}");
    let channel = until(&server, "ops", |channel| channel["delivered"] == 100);
    assert_eq!(channel["status"], "working");
}

#[test]
fn mail_is_not_sent_where_it_is_not_safe() {
    let house = House::new();
    let Some(plain) = MailServer::start(&house, "plain") else {
        return;
    };
    let said = |settings: &str, to: &str| {
        let server = serve(&house, settings);
        let new = json!({"name": "ops", "to": [to], "enabled": false});
        server.must("POST", CHANNELS, Some(new));
        let test = server.must("POST", &format!("{CHANNELS}/ops/test"), None);
        server.must_nothing("DELETE", &format!("{CHANNELS}/ops"));
        drop(server.stop());
        assert_eq!(test["taken"], false, "{test}");
        test["said"].as_str().unwrap().to_owned()
    };
    let to = "ops@example.org";
    let starttls = plain.settings(&house, "starttls", "localhost");
    assert!(said(&starttls, to).contains("no STARTTLS"));
    let implicit = plain.settings(&house, "implicit", "localhost");
    assert!(said(&implicit, to).contains("no trusted TLS"));
    let none = plain.settings(&house, "none", "localhost");
    assert!(said(&none, "x@refused.example").contains("RCPT was answered 550"));
    drop(plain);
    let secure = MailServer::start(&house, "implicit").unwrap();
    // The certificate is for localhost.
    let misnamed = secure.settings(&house, "implicit", "127.0.0.1");
    assert!(said(&misnamed, to).contains("no trusted TLS"));
    let settings = secure.settings(&house, "implicit", "localhost");
    std::fs::write(house.path("mail.password"), "another\n").unwrap();
    let wrong = said(&settings, to);
    assert!(
        wrong.contains("AUTH was answered 535") && !wrong.contains("another"),
        "{wrong}"
    );
    let server = serve(&house, "");
    let new = json!({"name": "ops", "to": [to]});
    assert_eq!(
        server.ask("POST", CHANNELS, Some(new)).problem(),
        "invalid-argument"
    );
    drop(server.stop());
    let server = serve(&house, &settings);
    for bad in [
        "ops",
        "Ops <ops@example.org>",
        "ops@example.org\r\nBcc: x@example.org",
    ] {
        let new = json!({"name": "ops", "to": [bad]});
        let refused = server.ask("POST", CHANNELS, Some(new));
        assert_eq!(refused.problem(), "invalid-argument", "{bad}");
    }
}

/// For the test of every route.
pub fn described(api: &Described<'_>) {
    let url = "https://hooks.example.org/skms";
    let new = json!({"name": "pager", "url": url, "actions": ["key.*"], "outcomes": ["failed"],
        "targets": ["orders"]});
    let made = api.good("notification-channel-create", &[], Some(new.clone()));
    assert!(made["secret"].as_str().unwrap().starts_with("whsec_"));
    assert_eq!(
        api.bad("notification-channel-create", &[], Some(new)),
        "already-exists"
    );
    for bad in [
        json!({"name": "x"}),
        json!({"name": "x", "url": "https://127.0.0.1/"}),
        json!({"name": "x", "url": url, "to": ["a@example.org"]}),
        json!({"name": "x", "url": url, "actions": ["KEY"]}),
        json!({"name": "x", "url": url, "outcomes": ["well"]}),
        json!({"name": "../x", "url": url}),
    ] {
        assert_eq!(
            api.bad("notification-channel-create", &[], Some(bad)),
            "invalid-argument"
        );
    }
    api.good("notification-channel-list", &[], None);
    let read = api.good("notification-channel-read", &["pager"], None);
    assert_eq!(read["status"], "working");
    assert_eq!(
        api.bad("notification-channel-read", &["nobody"], None),
        "not-found"
    );
    let off = json!({"enabled": false, "actions": [], "url": "https://other.example.org/"});
    let changed = api.good("notification-channel-update", &["pager"], Some(off));
    assert_eq!(
        (&changed["status"], &changed["actions"]),
        (&json!("disabled"), &json!([]))
    );
    for bad in [
        json!({}),
        json!({"to": ["a@example.org"]}),
        json!({"targets": [""]}),
    ] {
        let bad = api.bad("notification-channel-update", &["pager"], Some(bad));
        assert_eq!(bad, "invalid-argument");
    }
    api.good("notification-channel-secret", &["pager"], None);
    let tested = api.good("notification-channel-test", &["pager"], None);
    assert_eq!(tested["taken"], false);
    let letters = api.good("dead-letter-list", &["pager"], None);
    assert_eq!(letters["items"], json!([]));
    let id = "6d1f0a52-0000-4000-8000-000000000000";
    for act in ["dead-letter-retry", "dead-letter-discard"] {
        assert_eq!(api.good(act, &["pager"], None)["count"], 0);
        let none = json!({"ids": [id]});
        assert_eq!(api.bad(act, &["pager"], Some(none)), "not-found");
        let none = json!({"ids": ["x"]});
        assert_eq!(api.bad(act, &["pager"], Some(none)), "invalid-argument");
    }
    api.good("notification-channel-delete", &["pager"], None);
    assert_eq!(
        api.bad("notification-channel-delete", &["pager"], None),
        "not-found"
    );
}
