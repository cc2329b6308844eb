//! A private PostgreSQL for the tests: installed where it is missing, made
//! below the target folder, started at a free port, stopped at the end.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Result;
use crate::command::{root, say, succeeds, target_folder};
use crate::machine::{self, Need};

/// How long the server may take to be ready.
const PATIENCE: Duration = Duration::from_secs(60);

const NEED: &[Need] = &[Need::new(
    "PostgreSQL's server",
    "the second store backend is tested against a real one",
    &["postgresql"],
    || programs().is_some(),
)];

/// The folder of the newest PostgreSQL's programs, as Debian lays them out.
fn programs() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .ok()?
        .filter_map(|entry| {
            let path = entry.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .filter(|(_, path)| path.join("initdb").exists())
        .collect();
    found.sort();
    found.pop().map(|(_, path)| path)
}

/// A running server. Dropping it stops it and removes its data.
pub struct Private {
    server: Child,
    folder: PathBuf,
    template: PathBuf,
    port: u16,
}

impl Private {
    /// Starts one. `None`, and a line that says so, where there is no
    /// PostgreSQL and none can be installed.
    ///
    /// # Errors
    /// There is one and it does not start.
    pub fn start(install: bool) -> Result<Option<Self>> {
        if install && let Err(reason) = machine::provide(NEED) {
            say(&format!("{reason}"));
        }
        let Some(programs) = programs() else {
            say("skipped: the tests of the PostgreSQL store, since there is no PostgreSQL here");
            return Ok(None);
        };
        let base = base()?;
        let template = base.join("template");
        if !fits(&template, &programs) {
            script(&["template".as_ref(), template.as_os_str()])
                .status()
                .map_err(|error| format!("postgres.sh: {error}"))?
                .success()
                .then_some(())
                .ok_or("the private PostgreSQL could not be made")?;
        }
        let folder = base.join(format!("run-{}", std::process::id()));
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let number = port.to_string();
        std::fs::create_dir_all(&folder)?;
        let log = std::fs::File::create(folder.join("log"))?;
        let server = script(&["run".as_ref(), template.as_os_str(), folder.as_os_str()])
            .arg(&number)
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        let mut started = Self {
            server,
            folder,
            template,
            port,
        };
        started.wait(&programs)?;
        say(&format!("a private PostgreSQL listens at 127.0.0.1:{port}"));
        Ok(Some(started))
    }

    fn wait(&mut self, programs: &Path) -> Result {
        let begun = Instant::now();
        let port = self.port.to_string();
        while begun.elapsed() < PATIENCE {
            if let Some(status) = self.server.try_wait()? {
                let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                return Err(format!("the private PostgreSQL ended ({status}):\n{log}").into());
            }
            if succeeds(Command::new(programs.join("pg_isready")).args([
                "-q",
                "-h",
                "127.0.0.1",
                "-p",
                &port,
            ])) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        Err("the private PostgreSQL does not get ready".into())
    }

    /// Lets a command's tests know where it is.
    pub fn tell(&self, command: &mut Command) {
        command
            .env(
                "SKMS_TEST_POSTGRES",
                format!("postgres://skms_test:test@127.0.0.1:{}/postgres", self.port),
            )
            .env("SKMS_TEST_POSTGRES_FOLDER", &self.template);
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        // SIGINT: end the connections and stop in good order.
        let id = self.server.id().to_string();
        let asked = succeeds(Command::new("kill").args(["-INT", &id]));
        if !asked {
            let _ = self.server.kill();
        }
        let _ = self.server.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn script(arguments: &[&std::ffi::OsStr]) -> Command {
    let mut command = Command::new("sh");
    command
        .arg(root().join("xtask/postgres.sh"))
        .args(arguments)
        .stdin(Stdio::null());
    command
}

/// Whether the template was made by this version.
fn fits(template: &Path, programs: &Path) -> bool {
    let made = std::fs::read_to_string(template.join("data/PG_VERSION")).unwrap_or_default();
    let version = programs.parent().and_then(Path::file_name);
    version.is_some_and(|version| version.to_str() == Some(made.trim()))
}

/// A folder that whoever runs the server can reach: below the target folder,
/// or, where root's own folders are closed to others, the system's for
/// temporary files.
fn base() -> Result<PathBuf> {
    let base = target_folder().join("postgres");
    std::fs::create_dir_all(&base)?;
    let is_root = Command::new("id").arg("-u").output()?.stdout.trim_ascii() == b"0";
    let reached = !is_root
        || succeeds(
            Command::new("setpriv")
                .args(["--reuid=postgres", "--regid=postgres", "--clear-groups"])
                .args(["test", "-x"])
                .arg(&base),
        );
    if reached {
        return Ok(base);
    }
    let base = std::env::temp_dir().join("skms-test-postgres");
    std::fs::create_dir_all(&base)?;
    Ok(base)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_of_another_version_does_not_fit() {
        let folder = std::env::temp_dir().join(format!("skms-xtask-{}", std::process::id()));
        std::fs::create_dir_all(folder.join("data")).unwrap();
        let programs = Path::new("/usr/lib/postgresql/15/bin");
        assert!(!fits(&folder, programs));
        std::fs::write(folder.join("data/PG_VERSION"), "15\n").unwrap();
        assert!(fits(&folder, programs));
        assert!(!fits(&folder, Path::new("/usr/lib/postgresql/16/bin")));
        std::fs::remove_dir_all(folder).unwrap();
    }
}
