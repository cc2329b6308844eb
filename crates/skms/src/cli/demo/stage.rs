//! What the acts stand on: folders, the server's process, and this binary's
//! own commands.

use std::ffi::OsStr;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::cli::error::CliError;
use crate::cli::output;

/// How long the server may take to listen.
const START: Duration = Duration::from_secs(30);

/// The file that is worked on when none is given.
const SAMPLE: &[u8] = include_bytes!("sample.txt");

/// Why an act has no proof: a sentence.
#[derive(Debug)]
pub struct Unproved(String);

/// The result of a step of an act.
pub type Result<T> = std::result::Result<T, Unproved>;

impl std::fmt::Display for Unproved {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for Unproved {
    fn from(error: std::io::Error) -> Self {
        Self(error.to_string())
    }
}

/// Fails the act.
pub fn unproved<T>(why: impl Into<String>) -> Result<T> {
    Err(Unproved(why.into()))
}

/// Fails the act unless it holds.
pub fn ensure(holds: bool, otherwise: &str) -> Result<()> {
    if holds { Ok(()) } else { unproved(otherwise) }
}

/// What one of our own commands did.
pub struct Ran {
    /// Its exit code.
    pub code: i32,
    /// What it printed.
    pub out: Vec<u8>,
    /// What it said beside.
    pub said: String,
}

impl Ran {
    /// What it printed, as JSON.
    pub fn json(&self) -> Result<Value> {
        match serde_json::from_slice(&self.out) {
            Ok(value) => Ok(value),
            Err(_) => unproved("a command's --json output is not JSON"),
        }
    }

    /// What it printed, as text without the end of line.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.out).trim().to_owned()
    }

    /// The name of the server's problem, such as `sealed`.
    pub fn problem(&self) -> String {
        let said: Value = serde_json::from_str(self.said.trim()).unwrap_or_default();
        let uri = said["problem"]["type"].as_str().unwrap_or_default();
        uri.rsplit(':').next().unwrap_or_default().to_owned()
    }
}

/// The stage.
pub struct Stage {
    executable: PathBuf,
    folder: PathBuf,
    server: PathBuf,
    /// Holds the server's folder unless it is kept.
    temporary: Option<TempDir>,
    child: Option<Child>,
    address: String,
    file: PathBuf,
    stopped: Arc<AtomicBool>,
}

impl Stage {
    /// Makes the folders and brings the file there.
    pub fn set(
        file: Option<&Path>,
        folder: PathBuf,
        keep: bool,
        stopped: Arc<AtomicBool>,
    ) -> std::result::Result<Self, CliError> {
        let usage = |what: &Path, error: std::io::Error| {
            CliError::usage(format!("{}: {error}", what.display()))
        };
        let executable =
            std::env::current_exe().map_err(|error| usage(Path::new("skms"), error))?;
        fs::create_dir_all(&folder).map_err(|error| usage(&folder, error))?;
        let (server, temporary) = if keep {
            let server = folder.join("server");
            if server.exists() {
                return Err(
                    CliError::usage(format!("{} exists already", server.display())).hint(
                        "it is an earlier demo's store; remove it or choose another --folder",
                    ),
                );
            }
            (server, None)
        } else {
            let temporary = tempfile::Builder::new()
                .prefix("skms-demo-")
                .tempdir()
                .map_err(|error| usage(&std::env::temp_dir(), error))?;
            (temporary.path().join("server"), Some(temporary))
        };
        let name = match file {
            Some(path) => match path.file_name() {
                Some(name) => PathBuf::from(name),
                None => return Err(CliError::usage(format!("{} is not a file", path.display()))),
            },
            None => PathBuf::from("notebook.txt"),
        };
        let target = folder.join(&name);
        match file {
            Some(path) => {
                let same = fs::canonicalize(path).ok() == fs::canonicalize(&target).ok()
                    && target.exists();
                if !same {
                    fs::copy(path, &target).map_err(|error| usage(path, error))?;
                }
            }
            None => fs::write(&target, SAMPLE).map_err(|error| usage(&target, error))?,
        }
        Ok(Self {
            executable,
            folder,
            server,
            temporary,
            child: None,
            address: String::new(),
            file: target,
            stopped,
        })
    }

    /// Whether Ctrl-C was pressed.
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::SeqCst)
    }

    /// The file that is worked on.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Its name alone.
    pub fn file_name(&self) -> String {
        self.file
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }

    /// Its length in bytes.
    pub fn file_length(&self) -> u64 {
        fs::metadata(&self.file)
            .map(|metadata| metadata.len())
            .unwrap_or_default()
    }

    /// A path among the artefacts.
    pub fn artefact(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The folder of the artefacts.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// A path among what belongs to the server and its operators.
    pub fn private(&self, name: &str) -> PathBuf {
        self.server.join(name)
    }

    /// Where the server's store is.
    pub fn data(&self) -> PathBuf {
        self.private("data")
    }

    /// Writes something that belongs to the operators, mode 0600.
    pub fn keep_private(&self, name: &str, bytes: &[u8]) -> Result<PathBuf> {
        let path = self.private(name);
        self.keep(&path, bytes).map(|()| path)
    }

    /// Writes a file, mode 0600.
    pub fn keep(&self, path: &Path, bytes: &[u8]) -> Result<()> {
        output::write_file(path, bytes).map_err(|error| Unproved(error.to_string()))
    }

    /// Runs one of our own commands as the operator.
    pub fn run(&self, arguments: &[&str]) -> Result<Ran> {
        self.run_as(&self.private("root.token"), arguments, &[])
    }

    /// Runs one of our own commands and expects it to succeed.
    pub fn done(&self, arguments: &[&str]) -> Result<Ran> {
        let ran = self.run(arguments)?;
        match ran.code {
            0 => Ok(ran),
            code => unproved(format!(
                "skms {} ended with {code}: {}",
                arguments.join(" "),
                ran.said.trim()
            )),
        }
    }

    /// Runs one of our own commands with a token and standard input.
    pub fn run_as(&self, token: &Path, arguments: &[&str], stdin: &[u8]) -> Result<Ran> {
        if self.is_stopped() {
            return unproved("stopped");
        }
        let mut child = self
            .command(arguments)
            .env("SKMS_ADDR", &self.address)
            .env("SKMS_CACERT", self.data().join("ca.pem"))
            .env("SKMS_TOKEN_FILE", token)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        if let Some(mut pipe) = child.stdin.take() {
            // A command that does not read its input is no failure.
            let _ = pipe.write_all(stdin);
        }
        let Output {
            status,
            stdout,
            stderr,
        } = child.wait_with_output()?;
        Ok(Ran {
            code: status.code().unwrap_or(-1),
            out: stdout,
            said: String::from_utf8_lossy(&stderr).into_owned(),
        })
    }

    /// One of our own commands, without the surroundings' settings.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.executable);
        for (name, _) in std::env::vars_os() {
            if name.as_encoded_bytes().starts_with(b"SKMS_") {
                command.env_remove(name);
            }
        }
        command
            .env("SKMS_CONFIG", "/dev/null")
            .args(arguments.iter().map(OsStr::new));
        command
    }

    /// Starts the server and waits until it listens.
    pub fn start_server(&mut self) -> Result<()> {
        let log = self.private("server.log");
        let sink = fs::File::options().create(true).append(true).open(&log)?;
        let before = fs::metadata(&log)?.len();
        let data = self.data();
        let arguments = [
            "serve",
            "--listen",
            "127.0.0.1:0",
            "--data-dir",
            &data.to_string_lossy(),
        ];
        let child = self
            .command(&arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(sink)
            .spawn()?;
        self.child = Some(child);
        let began = Instant::now();
        while began.elapsed() < START && !self.is_stopped() {
            if let Some(address) = listening(&log, before) {
                self.address = format!("https://{address}");
                return Ok(());
            }
            if let Some(status) = self
                .child
                .as_mut()
                .map(Child::try_wait)
                .transpose()?
                .flatten()
            {
                return unproved(format!(
                    "the server ended with {status}; see {}",
                    log.display()
                ));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        unproved("the server does not listen")
    }

    /// Kills the server as `kill -9` does.
    pub fn kill_server(&mut self) -> Result<()> {
        let Some(mut child) = self.child.take() else {
            return unproved("the server is not running");
        };
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// Stops the server as an operator would, and leaves the stage.
    pub fn close(mut self) -> std::result::Result<PathBuf, CliError> {
        if let Some(child) = self.child.as_mut()
            && child.try_wait().is_ok_and(|status| status.is_none())
        {
            // SIGKILL after the last proof is all the same to the store; a
            // stop by signal needs no more than what the standard library has.
            let _ = child.kill();
            let _ = child.wait();
        }
        self.child = None;
        if let Some(temporary) = self.temporary.take() {
            temporary
                .close()
                .map_err(|error| CliError::failure(format!("cannot remove the store: {error}")))?;
        }
        Ok(self.folder.clone())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Some(child) = self.child.as_mut() {
            // Already gone is as good.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The address of the newest `listening` line of the server's log.
fn listening(log: &Path, from: u64) -> Option<String> {
    let text = fs::read(log).ok()?;
    let fresh = text.get(usize::try_from(from).ok()?..)?;
    String::from_utf8_lossy(fresh)
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .find(|line| line["message"] == "listening")
        .and_then(|line| line["address"].as_str().map(str::to_owned))
}
