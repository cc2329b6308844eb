//! `skms notify` and `skms log tail --follow` on the command line, with a
//! receiver that does or does not take what comes.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::support::{Server, is_private};

/// The longest that anything here is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// A web server on this machine that keeps what it is sent.
struct Receiver {
    address: SocketAddr,
    takes: Arc<AtomicBool>,
    came: mpsc::Receiver<Value>,
}

impl Receiver {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let takes = Arc::new(AtomicBool::new(true));
        let (send, came) = mpsc::channel();
        let taking = Arc::clone(&takes);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = BufReader::new(stream.unwrap());
                let mut length = 0;
                loop {
                    let mut line = String::new();
                    stream.read_line(&mut line).unwrap();
                    let line = line.trim_end().to_ascii_lowercase();
                    if let Some(value) = line.strip_prefix("content-length:") {
                        length = value.trim().parse().unwrap();
                    }
                    if line.is_empty() {
                        break;
                    }
                }
                let mut body = vec![0; length];
                stream.read_exact(&mut body).unwrap();
                let taken = taking.load(Ordering::SeqCst);
                let status = if taken { "204 Taken" } else { "503 No" };
                let answer = format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n");
                stream.get_mut().write_all(answer.as_bytes()).unwrap();
                if taken && send.send(serde_json::from_slice(&body).unwrap()).is_err() {
                    return;
                }
            }
        });
        Self {
            address,
            takes,
            came,
        }
    }

    fn next(&self) -> Value {
        self.came.recv_timeout(PATIENCE).unwrap()
    }
}

/// A throw-away server that may deliver to this machine.
fn serve() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("skms.toml");
    let text = "[notifications]\nallow = ['127.0.0.0/8']\nallow_http = true\ntimeout_seconds = 2\n";
    fs::write(&config, text).unwrap();
    let config = config.to_str().unwrap().to_owned();
    let server = Server::start(&["--dev", "--config", &config], folder, "http");
    server.file("token", b"the-root-token-of-the-tests\n");
    server
}

#[test]
fn a_channel_is_made_tried_changed_and_removed() {
    let server = serve();
    let receiver = Receiver::start();
    let url = format!("http://{}/hook", receiver.address);
    let add = |name: &str, url: &str, out: &str| {
        let add = [
            "notify",
            "add",
            "webhook",
            name,
            "--url",
            url,
            "--on",
            "key.create",
        ];
        server.run(&[&add[..], &["--secret-out", out]].concat())
    };
    // What cannot be kept is not asked for.
    add("pager", &url, "no/such/folder").fails(2, "cannot write");
    add("pager", "ftp://example.org/", "secret").fails(2, "http");
    assert!(!server.path("secret").exists());
    assert_eq!(server.json(&["notify", "list"]), serde_json::json!([]));

    let made = add("pager", &url, "secret").ok();
    let secret = fs::read_to_string(server.path("secret")).unwrap();
    assert!(secret.starts_with("whsec_") && is_private(&server.path("secret")));
    assert!(!made.text().contains("whsec_"), "{}", made.text());
    assert!(made.text().contains("whpk_"), "{}", made.text());
    add("pager", &url, "other").fails(4, "exists already");
    assert!(!server.path("other").exists());

    server.run(&["key", "create", "orders"]).ok();
    let event = receiver.next();
    assert_eq!(event["action"], "key.create");
    assert_eq!(event["targets"][0]["name"], "root/default/orders");

    let tried = server.text(&["notify", "test", "pager"]);
    assert!(tried.starts_with("taken: "), "{tried}");
    assert_eq!(receiver.next()["action"], "notification.manage");
    receiver.takes.store(false, Ordering::SeqCst);
    let tried = server.run(&["notify", "test", "pager"]);
    let tried = tried.fails(1, "not taken");
    assert!(tried.text().contains("503"), "{}", tried.text());
    receiver.takes.store(true, Ordering::SeqCst);

    let rotate = ["notify", "rotate-secret", "pager", "--overlap", "0"];
    let lost = [&rotate[..], &["--secret-out", "no/such/folder"]].concat();
    server.run(&lost).fails(2, "cannot write");
    let kept = [&rotate[..], &["--secret-out", "secret"]].concat();
    server.run(&kept).ok();
    assert_ne!(fs::read_to_string(server.path("secret")).unwrap(), secret);

    server
        .run(&["notify", "update", "pager"])
        .fails(2, "required");
    let update = [
        "notify",
        "update",
        "pager",
        "--target",
        "bills",
        "--disable",
    ];
    server.run(&update).ok();
    let shown = server.json(&["notify", "show", "pager"]);
    assert_eq!(shown["status"], "disabled");
    assert_eq!(shown["targets"], serde_json::json!(["bills"]));
    server.run(&["key", "create", "bills"]).ok();
    server.run(&["notify", "update", "pager", "--enable"]).ok();
    server.run(&["key", "create", "cards"]).ok();
    let list = server.text(&["notify", "list"]);
    assert!(list.contains("pager") && list.contains(&url), "{list}");

    assert_eq!(
        server.json(&["notify", "dead-letters"]),
        serde_json::json!([])
    );
    server.run(&["notify", "discard", "none"]).fails(3, "");
    server.run(&["notify", "remove", "pager"]).ok();
    server.run(&["notify", "show", "pager"]).fails(3, "");
    // Neither what was done while it was disabled nor other targets came.
    assert!(receiver.came.try_recv().is_err());
}

#[test]
fn the_record_is_followed_as_it_grows() {
    let server = Server::dev();
    server.run(&["key", "create", "before"]).ok();
    let follow = [
        "--json",
        "log",
        "tail",
        "--follow",
        "-l",
        "1",
        "--action",
        "key.create",
    ];
    let mut child = server
        .command(&follow)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let (send, lines) = mpsc::channel();
    thread::spawn(move || out.lines().try_for_each(|line| send.send(line.unwrap())));
    let next = || -> Value {
        let line = lines.recv_timeout(PATIENCE).unwrap();
        serde_json::from_str(&line).unwrap()
    };
    assert_eq!(next()["targets"][0]["name"], "root/default/before");
    for name in ["one", "two"] {
        server.run(&["key", "create", name]).ok();
        server.run(&["key", "rotate", name]).ok();
    }
    // The rotations between them are not asked for.
    let names = [next(), next()].map(|event| event["targets"][0]["name"].clone());
    assert_eq!(names, ["root/default/one", "root/default/two"]);
    assert!(child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}
