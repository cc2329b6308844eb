//! The server that this is all about, set up as a user would: its own store on
//! the disk, TLS, a token of a plain principal and a policy for it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::server::{Process, answer, built, free_address};
use crate::Result;

/// What the load may do; it is nobody's administrator.
const POLICY: &str = r#"permit(principal == SKMS::Principal::"load", action, resource);
"#;

/// The product, running.
pub struct Ours {
    pub process: Process,
    /// Scheme, host and port.
    pub origin: String,
    /// The load's token.
    pub token: String,
    /// A ciphertext that the key `aes` can open.
    pub ciphertext: String,
    folder: PathBuf,
}

impl Ours {
    /// A new store in `folder`, a server on it, and keys to work with.
    ///
    /// # Errors
    /// It does not start, or refuses what it is told.
    pub fn start(folder: &Path) -> Result<Self> {
        Self::init(folder)?;
        let mut ours = Self::serve(folder)?;
        ours.set_up()?;
        Ok(ours)
    }

    /// A new store.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn init(folder: &Path) -> Result {
        fs::create_dir_all(folder)?;
        answer(
            Command::new(built("skms"))
                .args(["init", "--data-dir"])
                .arg(folder.join("data"))
                .arg("--key-file")
                .arg(folder.join("unseal.key"))
                .arg("--token-out")
                .arg(folder.join("root.token")),
        )?;
        Ok(())
    }

    /// A throw-away server over plain HTTP, its data in memory.
    ///
    /// # Errors
    /// It does not start.
    pub fn dev(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let address = free_address()?;
        let token = "measuring";
        let mut process = Process::start(
            Command::new(built("skms"))
                .args(["serve", "--dev", "--listen", &address.to_string()])
                .env("SKMS_DEV_ROOT_TOKEN", token),
            &folder.join("server.log"),
        )?;
        process.wait("the server", |process| process.said().contains("listening"))?;
        fs::write(folder.join("root.token"), token)?;
        let ours = Self {
            process,
            origin: format!("http://{address}"),
            token: token.to_owned(),
            ciphertext: String::new(),
            folder: folder.to_owned(),
        };
        let mut create = ours.cli();
        create.env_remove("SKMS_CACERT");
        answer(create.args(["key", "create", "aes", "--algorithm", "AES-256-GCM"]))?;
        Ok(ours)
    }

    /// A server on the store that is there already.
    ///
    /// # Errors
    /// It does not start.
    pub fn serve(folder: &Path) -> Result<Self> {
        // `env` becomes the program that it starts.
        Self::serve_under(folder, &mut Command::new("env"))
    }

    /// The same, with more arguments.
    ///
    /// # Errors
    /// It does not start.
    pub fn serve_and(folder: &Path, more: &[&str]) -> Result<Self> {
        Self::launch(folder, &mut Command::new("env"), more)
    }

    /// The same, started by another program such as valgrind.
    ///
    /// # Errors
    /// It does not start.
    pub fn serve_under(folder: &Path, starter: &mut Command) -> Result<Self> {
        Self::launch(folder, starter, &[])
    }

    fn launch(folder: &Path, starter: &mut Command, more: &[&str]) -> Result<Self> {
        let address = free_address()?;
        let mut process = Process::start(
            starter
                .arg(built("skms"))
                .args(["serve", "--listen", &address.to_string(), "--data-dir"])
                .arg(folder.join("data"))
                .arg("--unseal-key-file")
                .arg(folder.join("unseal.key"))
                .args(more),
            &folder.join("server.log"),
        )?;
        process.wait("the server", |process| process.said().contains("listening"))?;
        Ok(Self {
            process,
            origin: format!("https://{address}"),
            token: fs::read_to_string(folder.join("load.token"))
                .unwrap_or_default()
                .trim()
                .to_owned(),
            ciphertext: String::new(),
            folder: folder.to_owned(),
        })
    }

    /// Where its data lie.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The command line, as the first token's holder.
    pub fn cli(&self) -> Command {
        let mut command = Command::new(built("skms"));
        command
            .env("SKMS_ADDR", &self.origin)
            .env("SKMS_CACERT", self.data().join("ca.pem"))
            .env("SKMS_TOKEN_FILE", self.folder.join("root.token"))
            .env_remove("SKMS_TOKEN")
            .env_remove("SKMS_NAMESPACE");
        command
    }

    /// A policy and a token for the load, and keys to work with.
    ///
    /// # Errors
    /// The server refuses them.
    pub fn set_up(&mut self) -> Result {
        let (policy, token) = (
            self.folder.join("load.cedar"),
            self.folder.join("load.token"),
        );
        fs::write(&policy, POLICY)?;
        answer(self.cli().args(["policy", "put", "load"]).arg(&policy))?;
        answer(
            self.cli()
                .args(["token", "create", "--principal", "load", "--ttl", "30d"])
                .arg("--out")
                .arg(&token),
        )?;
        self.token = fs::read_to_string(&token)?.trim().to_owned();
        for (name, algorithm) in [
            ("aes", "AES-256-GCM"),
            ("p256", "EC-P256"),
            ("ed25519", "Ed25519"),
            ("rsa2048", "RSA-2048"),
            ("mldsa65", "ML-DSA-65"),
        ] {
            let mut create = self.cli();
            create.args(["key", "create", name, "--algorithm", algorithm]);
            if matches!(name, "p256" | "rsa2048") {
                create.args(["--use", "sign,verify"]);
            }
            answer(&mut create)?;
        }
        let plaintext = self.folder.join("plaintext");
        fs::write(&plaintext, [5; 32])?;
        self.ciphertext = answer(self.cli().args(["encrypt", "aes"]).arg(&plaintext))?;
        Ok(())
    }
}
