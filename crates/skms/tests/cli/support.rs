//! A throw-away server and this binary's commands against it.

use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;

/// The binary under test, without the surroundings' settings.
pub fn skms() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
    for (name, _) in std::env::vars_os() {
        if name.as_encoded_bytes().starts_with(b"SKMS_") {
            command.env_remove(name);
        }
    }
    command.env("SKMS_CONFIG", "/dev/null").env("NO_COLOR", "1");
    command
}

/// What a command did.
pub struct Ran {
    pub code: i32,
    pub out: Vec<u8>,
    pub said: String,
}

impl Ran {
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.out).unwrap().trim_end()
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.out).unwrap()
    }

    /// Panics unless it succeeded.
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{}", self.said);
        self
    }

    /// Panics unless it ended with this code and said this.
    pub fn fails(self, code: i32, said: &str) -> Self {
        assert_eq!(self.code, code, "{}", self.said);
        assert!(
            self.said.contains(said),
            "{said:?} is not in {:?}",
            self.said
        );
        self
    }
}

pub fn run(mut command: Command, input: &[u8]) -> Ran {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut pipe = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A command that does not read its input is no failure.
    let feeder = std::thread::spawn(move || drop(pipe.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap();
    Ran {
        code: output.status.code().unwrap_or(-1),
        out: output.stdout,
        said: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A server and a folder; both go away at the end.
pub struct Server {
    child: Child,
    pub address: String,
    /// Where it publishes over plain HTTP, if it does.
    pub publishing: Option<String>,
    pub folder: tempfile::TempDir,
}

impl Server {
    /// A throw-away server, unsealed.
    pub fn dev() -> Self {
        let server = Self::start(&["--dev"], tempfile::tempdir().unwrap(), "http");
        let dev = server.file("token", b"");
        fs::write(dev, "the-root-token-of-the-tests\n").unwrap();
        server
    }

    /// A server with the given options; its token is expected in `token`.
    pub fn start(options: &[&str], folder: tempfile::TempDir, scheme: &str) -> Self {
        let mut child = skms()
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(options)
            .env(
                "SKMS_DEV_ROOT_TOKEN",
                if options.contains(&"--dev") {
                    "the-root-token-of-the-tests"
                } else {
                    ""
                },
            )
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut publishing = None;
        let address = loop {
            let line = log.next().expect("the server ended early").unwrap();
            let line: Value = serde_json::from_str(&line).unwrap_or_default();
            if line["message"] == "publishing" {
                publishing = line["address"].as_str().map(str::to_owned);
            }
            if line["message"] == "listening" {
                break line["address"].as_str().unwrap().to_owned();
            }
        };
        // The rest is read so that the server never waits for a reader.
        std::thread::spawn(move || log.for_each(drop));
        Self {
            child,
            address: format!("{scheme}://{address}"),
            publishing,
            folder,
        }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file into the folder.
    pub fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, bytes).unwrap();
        path
    }

    /// A command in the folder, as root.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = skms();
        command
            .current_dir(self.folder.path())
            .env("SKMS_ADDR", &self.address)
            .env("SKMS_TOKEN_FILE", "token")
            .args(arguments);
        if self.address.starts_with("https") {
            command.env("SKMS_CACERT", "data/ca.pem");
        }
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Ran {
        run(self.command(arguments), b"")
    }

    pub fn run_with(&self, arguments: &[&str], input: &[u8]) -> Ran {
        run(self.command(arguments), input)
    }

    /// Runs a command that must succeed and gives its text.
    pub fn text(&self, arguments: &[&str]) -> String {
        self.run(arguments).ok().text().to_owned()
    }

    /// Runs a command with `--json` that must succeed.
    pub fn json(&self, arguments: &[&str]) -> Value {
        self.run(&[&["--json"], arguments].concat()).ok().json()
    }

    pub fn kill(mut self) -> tempfile::TempDir {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        std::mem::replace(&mut self.folder, tempfile::tempdir().unwrap())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether a file is readable by its owner only.
pub fn is_private(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).unwrap().permissions().mode() & 0o077 == 0
}
