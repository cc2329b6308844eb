//! A store in a folder of its own, and the real binary serving it.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use rustls::ClientConfig;
use serde_json::Value;
use skms_crypto::SecretArray;
use skms_engine::{Config, Engine, Files};
use skms_store::NewSeal;
use tempfile::TempDir;

use crate::wire::{self, Answer, Connection, Identity};

/// Longer than anything takes that works at all.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// An initialised store that a key file opens.
pub struct House {
    folder: TempDir,
    pub root_token: String,
    pub key: Vec<u8>,
}

impl House {
    pub fn new() -> Self {
        Self::make(tempfile::tempdir().unwrap(), Files::default())
    }

    /// As [`House::new`], somewhere else, with the journal's first segment of
    /// this many bytes.
    pub fn within(folder: &Path, segment_bytes: u64) -> Self {
        let files = Files {
            segment_bytes,
            ..Files::default()
        };
        Self::make(tempfile::tempdir_in(folder).unwrap(), files)
    }

    fn make(folder: TempDir, files: Files) -> Self {
        let key = SecretArray::<32>::random().unwrap();
        let bytes = key.expose().to_vec();
        let data = folder.path().join("data");
        fs::create_dir(&data).unwrap();
        let seal = NewSeal::KeyFile {
            name: "test".to_owned(),
            key,
        };
        let mut config = Config::new(&data);
        config.files = files;
        let made = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .unwrap()
            .block_on(Engine::init(&config, vec![seal]))
            .unwrap();
        let house = Self {
            root_token: String::from_utf8(made.root_token.into_public()).unwrap(),
            key: bytes,
            folder,
        };
        let mut file = fs::OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(house.key_file())
            .unwrap();
        writeln!(file, "{}", wire::hex(&house.key)).unwrap();
        house
    }

    pub fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn key_file(&self) -> PathBuf {
        self.folder.path().join("unseal.key")
    }

    /// A path in the house's folder that is not the server's.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The arguments that serve this house at a port of the system's choice.
    pub fn arguments(&self) -> Vec<String> {
        [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--log",
            "debug",
            "--data-dir",
        ]
        .map(str::to_owned)
        .into_iter()
        .chain([self.data_dir().display().to_string()])
        .collect()
    }

    /// Serves, unsealed.
    pub fn serve(&self) -> Server {
        self.serve_with(&[])
    }

    /// Serves, unsealed, with more arguments.
    pub fn serve_with(&self, more: &[&str]) -> Server {
        let mut arguments = self.arguments();
        arguments.push("--unseal-key-file".to_owned());
        arguments.push(self.key_file().display().to_string());
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        let mut server = Server::start(&arguments).unwrap();
        server.trust(&self.data_dir().join("ca.pem"));
        server.token = self.root_token.clone();
        server
    }

    /// Serves, unsealed, under these limits (the `[limits]` table).
    pub fn serve_limited(&self, limits: &str) -> Server {
        let path = self.path("skms.toml");
        fs::write(&path, format!("[limits]\n{limits}\n")).unwrap();
        self.serve_with(&["--config", &path.display().to_string()])
    }
}

/// The real binary, killed when this is dropped.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub token: String,
    pub tls: Option<Arc<ClientConfig>>,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts the binary and waits until it listens; what it logged if it
    /// ends before.
    pub fn start(arguments: &[String]) -> Result<Self, (ExitStatus, String)> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SKMS_") {
                command.env_remove(name);
            }
        }
        let mut child = command.spawn().unwrap();
        let stderr = child.stderr.take().unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (listening, heard) = mpsc::channel();
        let kept = Arc::clone(&log);
        thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let value: Value = serde_json::from_str(&line).unwrap_or_default();
                kept.lock().unwrap().push_str(&line);
                kept.lock().unwrap().push('\n');
                if value["message"] == "listening" {
                    let address: SocketAddr = value["address"].as_str().unwrap().parse().unwrap();
                    let _ = listening.send(address);
                }
            }
        });
        match heard.recv_timeout(PATIENCE) {
            Ok(address) => Ok(Self {
                child,
                address,
                token: String::new(),
                tls: None,
                log,
            }),
            Err(_) => {
                let _ = child.kill();
                let status = child.wait().unwrap();
                let text = log.lock().unwrap().clone();
                Err((status, text))
            }
        }
    }

    /// Speaks TLS from now on and trusts this authority.
    pub fn trust(&mut self, authority: &Path) {
        self.tls = Some(wire::client_config(authority, None));
    }

    /// As [`Server::trust`], showing a certificate too.
    pub fn trust_as(&mut self, authority: &Path, identity: &Identity) {
        self.tls = Some(wire::client_config(authority, Some(identity)));
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// A fresh connection.
    pub fn connect(&self) -> Connection {
        Connection::open(self.address, self.tls.as_ref()).unwrap()
    }

    /// One request on a connection of its own, as root.
    pub fn ask(&self, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.ask_as(&self.token, method, path, body)
    }

    /// The same with another token; none for an empty one.
    pub fn ask_as(&self, token: &str, method: &str, path: &str, body: Option<Value>) -> Answer {
        self.connect().ask(token, method, path, body.as_ref(), &[])
    }

    /// One request that has to succeed.
    pub fn must(&self, method: &str, path: &str, body: Option<Value>) -> Value {
        let answer = self.ask(method, path, body);
        assert!(
            (200..300).contains(&answer.status),
            "{method} {path}: {} {}",
            answer.status,
            answer.text()
        );
        answer.json()
    }

    /// One request that has to succeed and answers with nothing.
    pub fn must_nothing(&self, method: &str, path: &str) {
        let answer = self.ask(method, path, None);
        assert_eq!(answer.status, 204, "{method} {path}: {}", answer.text());
    }

    /// The process's number.
    pub fn process(&self) -> String {
        self.child.id().to_string()
    }

    /// The process, for signals.
    pub fn signal(&self, signal: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &self.child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Ends the process at once, as a power cut would.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks the process to stop and waits for it.
    pub fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        let status = self.child.wait().unwrap();
        (status, self.log())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
