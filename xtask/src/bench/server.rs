//! The servers under load: each is a process that ends with its owner.

use std::fs::{self, File};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::command::target_folder;

/// How long a server may take to listen.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server's process. It is ended when this is dropped.
pub struct Process {
    child: Child,
    /// Where it writes what it has to say.
    log: PathBuf,
}

impl Process {
    /// Starts it; what it says goes to `log`.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start(command: &mut Command, log: &Path) -> Result<Self> {
        let file = File::create(log)?;
        let child = command
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .map_err(|error| {
                let program = Path::new(command.get_program()).display();
                format!("cannot start {program}: {error}")
            })?;
        Ok(Self {
            child,
            log: log.to_owned(),
        })
    }

    /// Its number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub fn said(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Whether it has ended.
    ///
    /// # Errors
    /// The system does not say.
    pub fn ended(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_some())
    }

    /// Waits for its end; true if it ended well.
    ///
    /// # Errors
    /// The system does not say.
    pub fn succeeded(&mut self) -> Result<bool> {
        Ok(self.child.wait()?.success())
    }

    /// Waits until something is true of it.
    ///
    /// # Errors
    /// It ended, or it took too long; the message holds what it said last.
    pub fn wait(&mut self, what: &str, mut done: impl FnMut(&Self) -> bool) -> Result {
        let start = Instant::now();
        while !done(self) {
            let why = match self.child.try_wait()? {
                Some(status) => format!("it ended ({status})"),
                None if start.elapsed() > PATIENCE => "it takes too long".to_owned(),
                None => {
                    thread::sleep(Duration::from_millis(20));
                    continue;
                }
            };
            let said = self.said();
            let last: Vec<&str> = said.lines().rev().take(5).collect();
            let last: Vec<&str> = last.into_iter().rev().collect();
            return Err(format!("waiting for {what}: {why}\n{}", last.join("\n")).into());
        }
        Ok(())
    }

    /// Waits until it listens there.
    ///
    /// # Errors
    /// As for [`Process::wait`].
    pub fn wait_for_port(&mut self, address: SocketAddr) -> Result {
        self.wait("it to listen", |_| TcpStream::connect(address).is_ok())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An address on this machine that nobody listens at now.
///
/// # Errors
/// The machine has none left.
pub fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

/// Where a program of this workspace lies once it is built for release.
pub fn built(name: &str) -> PathBuf {
    target_folder().join("release").join(name)
}

/// Runs a command to its end and returns what it printed.
///
/// # Errors
/// It could not be started or it failed; the message holds what it said.
pub fn answer(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().map_err(|error| {
        let program = Path::new(command.get_program()).display();
        format!("cannot start {program}: {error}")
    })?;
    if output.status.success() {
        return Ok(String::from_utf8(output.stdout)?.trim_end().to_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?} failed: {complaint}").into())
}

/// One of the bare servers.
pub struct Echo {
    pub process: Process,
    /// Scheme, host and port.
    pub origin: String,
    /// A ciphertext that it can open.
    pub ciphertext: String,
}

impl Echo {
    /// Starts it: with a certificate's folder it speaks TLS.
    ///
    /// # Errors
    /// It does not start.
    pub fn start(folder: &Path, name: &str, tls: Option<&Path>, seal: bool) -> Result<Self> {
        let mut command = Command::new(built("skms-bench"));
        let address = free_address()?;
        command.args(["echo", "--listen", &address.to_string()]);
        if let Some(certificate) = tls {
            command.arg("--tls").arg(certificate);
        }
        if seal {
            command.arg("--seal");
        }
        let mut process = Process::start(&mut command, &folder.join(format!("{name}.log")))?;
        process.wait("the bare server", |process| {
            process.said().contains("listening ")
        })?;
        let ciphertext = process
            .said()
            .lines()
            .find_map(|line| line.strip_prefix("sample ").map(str::to_owned))
            .ok_or("the bare server gave no sample")?;
        let scheme = if tls.is_some() { "https" } else { "http" };
        Ok(Self {
            process,
            origin: format!("{scheme}://{address}"),
            ciphertext,
        })
    }
}

/// Makes the certificate that the other servers show.
///
/// # Errors
/// It cannot be made.
pub fn certificate(folder: &Path) -> Result<PathBuf> {
    let folder = folder.join("certificate");
    answer(
        Command::new(built("skms-bench"))
            .arg("certificate")
            .arg(&folder),
    )?;
    Ok(folder)
}
