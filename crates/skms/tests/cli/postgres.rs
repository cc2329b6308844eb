//! A store on PostgreSQL: served, restarted, away, slow, moved there and back.
//!
//! Each test runs a PostgreSQL of its own, from the template that `cargo
//! xtask test` makes and names in `SKMS_TEST_POSTGRES_FOLDER`; without it the
//! tests say so and pass.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use skms_store::store::{Batch, Row, Write};
use skms_store::{Kind, RecordId, SqliteStore, Store as _};

use crate::support::{Ran, Server, run, skms};

/// A PostgreSQL that this test may stop.
struct Postgres {
    template: PathBuf,
    folder: tempfile::TempDir,
    port: u16,
    child: Child,
}

fn signal(name: &str, process: u32) {
    let sent = Command::new("kill")
        .args([name, &process.to_string()])
        .status();
    assert!(sent.unwrap().success());
}

impl Postgres {
    fn start() -> Option<Self> {
        let Some(template) = std::env::var_os("SKMS_TEST_POSTGRES_FOLDER") else {
            eprintln!(
                "skipped: SKMS_TEST_POSTGRES_FOLDER names no template (`cargo xtask test` makes one)"
            );
            return None;
        };
        let template = PathBuf::from(template);
        let folder = tempfile::tempdir().unwrap();
        // PostgreSQL's own user has to reach it.
        fs::set_permissions(
            folder.path(),
            std::os::unix::fs::PermissionsExt::from_mode(0o755),
        )
        .unwrap();
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let child = Self::spawn(&template, folder.path(), port);
        let mut started = Self {
            template,
            folder,
            port,
            child,
        };
        started.wait();
        Some(started)
    }

    fn spawn(template: &Path, folder: &Path, port: u16) -> Child {
        Command::new("sh")
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../xtask/postgres.sh"))
            .arg("run")
            .args([template, folder])
            .arg(port.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    fn wait(&mut self) {
        let port = self.port.to_string();
        let ready = || {
            Command::new("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", &port])
                .status()
                .unwrap()
                .success()
        };
        while !ready() {
            let ended = self.child.try_wait().unwrap();
            assert!(ended.is_none(), "PostgreSQL did not start: {ended:?}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn stop(&mut self) {
        signal("-INT", self.child.id());
        self.child.wait().unwrap();
    }

    fn restart(&mut self) {
        self.child = Self::spawn(&self.template, self.folder.path(), self.port);
        self.wait();
    }

    /// Holds or lets go of all of its processes.
    fn signal_all(&self, name: &str) {
        let parent = self.child.id();
        let children = Command::new("pgrep")
            .args(["-P", &parent.to_string()])
            .output()
            .unwrap();
        signal(name, parent);
        for child in String::from_utf8(children.stdout).unwrap().lines() {
            // It may have ended meanwhile.
            let _ = Command::new("kill").args([name, child]).status();
        }
    }

    fn url(&self) -> String {
        format!(
            "postgres://skms_test:test@127.0.0.1:{}/postgres?timeout_seconds=2",
            self.port
        )
    }

    fn ask(&self, sql: &str) -> String {
        let answer = Command::new("psql")
            .env("PGPASSWORD", "test")
            .args(["-h", "127.0.0.1", "-U", "skms_test", "-At", "-p"])
            .arg(self.port.to_string())
            .args(["-c", sql, "postgres"])
            .output()
            .unwrap();
        String::from_utf8(answer.stdout).unwrap().trim().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        let _ = self.child.wait();
    }
}

fn init(folder: &tempfile::TempDir, database: Option<&str>) -> Ran {
    let mut command = skms();
    command
        .current_dir(folder.path())
        .args(["init", "--data-dir", "data", "--key-file", "key"])
        .args(["--token-out", "token"]);
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    run(command, b"")
}

fn serve(folder: tempfile::TempDir, database: Option<&str>) -> Server {
    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, key) = (place("data"), place("key"));
    let mut options = vec!["--data-dir", &data, "--unseal-key-file", &key];
    options.extend(database.iter().flat_map(|url| ["--database", url]));
    Server::start(&options, folder, "https")
}

/// `skms serve` that must not start.
fn refused(folder: &Path, data: &str, database: Option<&str>) -> String {
    let mut command = skms();
    command
        .current_dir(folder)
        .args(["serve", "--listen", "127.0.0.1:0", "--data-dir", data])
        .args(["--unseal-key-file", "key"]);
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    let ran = run(command, b"");
    assert_ne!(ran.code, 0);
    assert!(!ran.said.contains("skms_test:test"), "{}", ran.said);
    ran.said
}

fn create(server: &Server, name: &str) -> Ran {
    server.run(&["--json", "key", "create", name, "-a", "AES-256-GCM"])
}

/// Whether it failed as what needs a database that is away must.
fn is_unavailable(ran: &Ran) -> bool {
    ran.code != 0 && ran.said.contains("\"status\":503")
}

fn create_until_back(server: &Server, name: &str) {
    loop {
        let ran = create(server, name);
        if ran.code == 0 {
            return;
        }
        assert!(is_unavailable(&ran), "{}", ran.said);
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_store_on_postgresql_is_served_restarted_and_kept_to_one_server() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let url = postgres.url();
    let folder = tempfile::tempdir().unwrap();
    let made = init(&folder, Some(&url)).ok();
    assert!(!made.text().contains("skms_test:test"));
    assert!(!folder.path().join("data/skms.db").exists());
    let again = tempfile::tempdir().unwrap();
    init(&again, Some(&url)).fails(4, "nothing was touched");

    let server = serve(folder, Some(&url));
    create(&server, "k").ok();
    let sealed = server.run_with(&["encrypt", "k"], b"kept").ok().out;
    fs::copy(server.path("key"), again.path().join("other")).unwrap();
    fs::rename(again.path().join("other"), again.path().join("key")).unwrap();
    let said = refused(again.path(), "data", Some(&url));
    assert!(said.contains("in use by another server"), "{said}");
    create(&server, "after").ok();

    // Killed, it leaves its lock behind for as long as the kernel needs.
    let server = serve(server.kill(), Some(&url));
    let opened = server.run_with(&["decrypt", "k"], &sealed).ok().out;
    assert_eq!(opened, b"kept");
    assert_eq!(server.json(&["storage", "verify"])["intact"], true);
    assert_eq!(postgres.ask("SELECT count(*) > 70 FROM skms_record"), "t");
    assert!(!server.path("data/skms.db").exists());
}

#[test]
fn while_the_database_is_away_or_stands_still_what_needs_it_fails_and_the_rest_goes_on() {
    let Some(mut postgres) = Postgres::start() else {
        return;
    };
    let url = postgres.url();
    let folder = tempfile::tempdir().unwrap();
    init(&folder, Some(&url)).ok();
    let server = serve(folder, Some(&url));
    create(&server, "k").ok();
    let sealed = server.run_with(&["encrypt", "k"], b"kept").ok().out;

    for round in ["stopped", "standing"] {
        match round {
            "stopped" => postgres.stop(),
            _ => postgres.signal_all("-STOP"),
        }
        // Many at once: all are answered, and with a reason.
        std::thread::scope(|scope| {
            let all: Vec<_> = (0..4)
                .map(|number| {
                    let server = &server;
                    scope.spawn(move || create(server, &format!("{round}-{number}")))
                })
                .collect();
            for ran in all {
                let ran = ran.join().unwrap();
                assert!(is_unavailable(&ran), "{round}: {}", ran.said);
            }
        });
        // What has its key in memory goes on.
        let opened = server.run_with(&["decrypt", "k"], &sealed).ok().out;
        assert_eq!(opened, b"kept", "{round}");
        server.run_with(&["encrypt", "k"], b"more").ok();
        match round {
            "stopped" => postgres.restart(),
            _ => postgres.signal_all("-CONT"),
        }
        create_until_back(&server, &format!("{round}-again"));
        assert_eq!(server.json(&["storage", "verify"])["intact"], true);
    }
    let server = serve(server.kill(), Some(&url));
    let opened = server.run_with(&["decrypt", "k"], &sealed).ok().out;
    assert_eq!(opened, b"kept");
}

fn migrate(folder: &Path, from: &str, to: &str) -> Command {
    let mut command = skms();
    command
        .current_dir(folder)
        .args(["--json", "migrate", "--from", from, "--to", to]);
    command
}

#[test]
fn a_store_moves_to_postgresql_and_back() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let url = postgres.url();
    let folder = tempfile::tempdir().unwrap();
    init(&folder, None).ok();
    let server = serve(folder, None);
    create(&server, "k").ok();
    let sealed = server.run_with(&["encrypt", "k"], b"kept").ok().out;
    // A store that is served is not moved.
    run(migrate(server.folder.path(), "data", &url), b"").fails(1, "in use");
    let folder = server.kill();
    let moved = run(migrate(folder.path(), "data", &url), b"").ok().json();
    assert!(moved["rows_in_all"].as_u64().unwrap() > 65, "{moved}");
    run(migrate(folder.path(), "data", &url), b"").fails(4, "something in the target");

    let server = serve(folder, Some(&url));
    let opened = server.run_with(&["decrypt", "k"], &sealed).ok().out;
    assert_eq!(opened, b"kept");
    assert_eq!(server.json(&["storage", "verify"])["intact"], true);
    create(&server, "there").ok();
    let folder = server.kill();
    // The journal knows that the file is older now.
    let said = refused(folder.path(), "data", None);
    assert!(said.contains("rolled back"), "{said}");

    let back = run(migrate(folder.path(), &url, "back.db"), b"")
        .ok()
        .json();
    assert_eq!(back["install"], moved["install"]);
    fs::remove_file(folder.path().join("data/skms.db")).unwrap();
    fs::rename(
        folder.path().join("back.db"),
        folder.path().join("data/skms.db"),
    )
    .unwrap();
    let server = serve(folder, None);
    let opened = server.run_with(&["decrypt", "k"], &sealed).ok().out;
    assert_eq!(opened, b"kept");
    assert_eq!(server.json(&["storage", "verify"])["intact"], true);
    create(&server, "there").fails(4, "exists");
}

#[test]
fn a_move_that_was_killed_is_seen_to_be_unfinished_and_goes_on() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let url = postgres.url();
    let folder = tempfile::tempdir().unwrap();
    init(&folder, None).ok();
    // Many rows, so that there is a middle: a move does not open them.
    let store = SqliteStore::open(folder.path().join("data/skms.db")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    for thousand in 0..40_u128 {
        let writes = (0..1000)
            .map(|number| Write::Put {
                row: Row {
                    kind: Kind::Job,
                    id: RecordId((thousand * 1000 + number).to_be_bytes()),
                    revision: 1,
                    index: None,
                    scope: None,
                    sealed: vec![7; 200],
                },
                expected: None,
            })
            .collect();
        let batch = Batch {
            writes,
            ..Batch::default()
        };
        runtime.block_on(store.commit(batch)).unwrap();
    }
    drop(store);

    let mut moving = migrate(folder.path(), "data", &url).spawn().unwrap();
    let arrived = "SELECT count(*) FROM skms_record";
    while postgres.ask(arrived).parse::<u64>().unwrap_or(0) == 0 {
        assert!(moving.try_wait().unwrap().is_none(), "it ended too early");
    }
    assert!(moving.try_wait().unwrap().is_none(), "it ended too early");
    moving.kill().unwrap();
    moving.wait().unwrap();

    let said = refused(folder.path(), "data", Some(&url));
    assert!(said.contains("did not finish"), "{said}");
    let moved = run(migrate(folder.path(), "data", &url), b"").ok().json();
    assert!(
        moved["rows_found_in_the_target"].as_u64().unwrap() > 0,
        "{moved}"
    );
    assert_eq!(moved["rows"]["job"], 40_000);
    assert_eq!(postgres.ask(arrived), moved["rows_in_all"].to_string());
}

#[test]
fn a_store_on_postgresql_is_backed_up_and_comes_back_as_a_file() {
    let Some(postgres) = Postgres::start() else {
        return;
    };
    let url = postgres.url();
    let folder = tempfile::tempdir().unwrap();
    init(&folder, Some(&url)).ok();
    let server = serve(folder, Some(&url));
    create(&server, "k").ok();
    let sealed = server.run_with(&["encrypt", "k"], b"kept").ok().out;
    server.run(&["backup", "create", "copy"]).ok();
    create(&server, "later").ok();
    let folder = server.kill();
    let offline = |arguments: &[&str]| {
        let mut command = skms();
        command.current_dir(folder.path()).args(arguments);
        run(command, b"")
    };
    offline(&["backup", "verify", "copy", "--key-file", "key"]).ok();
    let mut torn = fs::read(folder.path().join("copy")).unwrap();
    let middle = torn.len() / 2;
    torn[middle] ^= 1;
    fs::write(folder.path().join("torn"), torn).unwrap();
    offline(&["backup", "verify", "torn", "--key-file", "key"]).fails(5, "damaged");
    fs::rename(folder.path().join("data"), folder.path().join("lost")).unwrap();
    offline(&["restore", "copy", "--to", "data", "--key-file", "key"]).ok();

    let place = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (data, key) = (place("data"), place("key"));
    let server = Server::start(
        &["--data-dir", &data, "--unseal-key-file", &key],
        folder,
        "https",
    );
    let opened = server.run_with(&["decrypt", "k"], &sealed).ok().out;
    assert_eq!(opened, b"kept");
    server.run(&["key", "show", "later"]).fails(3, "key");
    assert_eq!(server.json(&["storage", "verify"])["intact"], true);
}
