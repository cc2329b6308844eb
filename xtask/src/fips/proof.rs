//! The proof that a built server is on the module, and refuses what that does
//! not cover: it is looked into, started and used.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{MODULE, PINS};
use crate::Result;
use crate::bench::Folder;
use crate::bench::server::{Process, answer, free_address};
use crate::command::say;

/// Algorithms outside the module, each for a reason of its own.
const OUTSIDE: &[&str] = &[
    "AES-192-GCM",
    "XAES-256-GCM",
    "XChaCha20-Poly1305",
    "X25519",
    "X-Wing",
    "ML-DSA-65",
    "SLH-DSA-SHA2-128f",
];

/// Checks by the names of their functions that the module is in the program
/// and the ordinary library is not.
pub(super) fn one_module(program: &Path) -> Result {
    let bytes = fs::read(program)?;
    let marks = |name: &str, version: &str| {
        let name = name.trim_end_matches("-sys").replace('-', "_");
        format!("{name}_{}_", version.replace('.', "_"))
    };
    let ordinary = PINS
        .iter()
        .find(|(name, _)| *name == "aws-lc-sys")
        .ok_or("aws-lc-sys is not pinned")?;
    let (module, other) = (marks(MODULE.0, MODULE.1), marks(ordinary.0, ordinary.1));
    match (contains(&bytes, &module), contains(&bytes, &other)) {
        (true, false) => Ok(()),
        (false, _) => Err(format!("no function of the module ({module}…) is in it").into()),
        (true, true) => Err(format!("the ordinary library ({other}…) is in it too").into()),
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    // Few bytes are its first one, and the rest is compared for those alone.
    let text = text.as_bytes();
    let Some(first) = text.first() else {
        return true;
    };
    bytes
        .iter()
        .enumerate()
        .any(|(at, byte)| byte == first && bytes.get(at..at + text.len()) == Some(text))
}

/// A server of this build, and its command line.
struct Server {
    program: PathBuf,
    folder: PathBuf,
    address: String,
    /// Ended with this value.
    _process: Process,
}

impl Server {
    fn start(program: &Path, folder: &Path) -> Result<Self> {
        answer(
            Command::new(program)
                .args(["init", "--data-dir"])
                .arg(folder.join("data"))
                .arg("--key-file")
                .arg(folder.join("unseal.key"))
                .arg("--token-out")
                .arg(folder.join("root.token")),
        )?;
        let address = free_address()?.to_string();
        let mut process = Process::start(
            Command::new(program)
                .args(["serve", "--listen", &address, "--data-dir"])
                .arg(folder.join("data")),
            &folder.join("server.log"),
        )?;
        process.wait("the server", |process| process.said().contains("listening"))?;
        Ok(Self {
            program: program.to_owned(),
            folder: folder.to_owned(),
            address,
            _process: process,
        })
    }

    fn cli(&self, arguments: &[impl AsRef<OsStr>]) -> Command {
        let mut command = Command::new(&self.program);
        command
            .args(arguments)
            .env("SKMS_ADDR", format!("https://{}", self.address))
            .env("SKMS_CACERT", self.folder.join("data/ca.pem"))
            .env("SKMS_TOKEN_FILE", self.folder.join("root.token"))
            .env_remove("SKMS_TOKEN")
            .env_remove("SKMS_NAMESPACE");
        command
    }

    fn does(&self, arguments: &[&str]) -> Result<String> {
        answer(&mut self.cli(arguments))
    }

    /// Runs what must be refused, with an error that names FIPS.
    fn refuses(&self, arguments: &[&str]) -> Result {
        match self.does(arguments) {
            Ok(_) => Err(format!("{arguments:?} was not refused").into()),
            Err(error) if error.to_string().contains("FIPS 140-3") => Ok(()),
            Err(error) => {
                Err(format!("{arguments:?} was refused without a word on FIPS: {error}").into())
            }
        }
    }

    /// Whether a TLS handshake with these choices succeeds.
    fn shakes_hands(&self, choices: &[&str]) -> Result<bool> {
        let status = Command::new("openssl")
            .args(["s_client", "-tls1_3", "-brief", "-connect", &self.address])
            .args(choices)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()?;
        Ok(status.success())
    }

    fn path(&self, name: &str) -> Result<String> {
        let path = self.folder.join(name);
        Ok(path
            .to_str()
            .ok_or("the folder's name is no text")?
            .to_owned())
    }
}

/// Starts the program, unseals it, and uses it.
pub(super) fn try_it(program: &Path) -> Result {
    let folder = Folder::new()?;
    say(&format!("trying {} out", program.display()));
    let place = folder.path().join("fips");
    fs::create_dir_all(&place)?;
    let server = Server::start(program, &place)?;
    server.does(&["unseal", "--key-file", &server.path("unseal.key")?])?;
    let status = server.does(&["status"])?;
    if !status.contains("AWS-LC FIPS 3.1.0") {
        return Err(format!("the status does not name the module:\n{status}").into());
    }
    use_keys(&server)?;
    for algorithm in OUTSIDE {
        server.refuses(&["key", "create", "outside", "--algorithm", algorithm])?;
    }
    let rsa = ["key", "create", "rsa", "--algorithm", "RSA-2048"];
    server.refuses(&[&rsa[..], &["--use", "encrypt,decrypt"]].concat())?;
    let plaintext = server.path("plaintext")?;
    server.refuses(&["encrypt", "aes", &plaintext, "--age"])?;
    let prehashed = ["sign", "p256", &plaintext, "--prehash", "--hash", "SHA-256"];
    server.refuses(&prehashed)?;
    for (choices, wanted) in [
        (["-groups", "P-256"], true),
        (["-groups", "X25519"], false),
        (["-ciphersuites", "TLS_AES_256_GCM_SHA384"], true),
        (["-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"], false),
    ] {
        // The second kind needs a group that the server takes.
        let group = if choices[0] == "-groups" {
            &[][..]
        } else {
            &["-groups", "P-256"][..]
        };
        if server.shakes_hands(&[&choices[..], group].concat())? != wanted {
            return Err(format!("TLS with {choices:?}: {wanted} was expected").into());
        }
    }
    Ok(())
}

/// Keys inside the module do their work.
fn use_keys(server: &Server) -> Result {
    let (plaintext, ciphertext, signature) = (
        server.path("plaintext")?,
        server.path("ciphertext")?,
        server.path("signature")?,
    );
    fs::write(&plaintext, "thirty-two bytes of plain text.\n")?;
    server.does(&["key", "create", "aes", "--algorithm", "AES-256-GCM"])?;
    fs::write(&ciphertext, server.does(&["encrypt", "aes", &plaintext])?)?;
    let opened = server.does(&["decrypt", "aes", &ciphertext])?;
    if opened != "thirty-two bytes of plain text." {
        return Err("what was decrypted is not what was encrypted".into());
    }
    for algorithm in ["EC-P256", "RSA-2048", "Ed25519"] {
        let name = if algorithm == "EC-P256" {
            "p256"
        } else {
            algorithm
        };
        let create = ["key", "create", name, "--algorithm", algorithm];
        server.does(&[&create[..], &["--use", "sign,verify"]].concat())?;
        fs::write(&signature, server.does(&["sign", name, &plaintext])?)?;
        server.does(&["verify", name, &plaintext, "--signature", &signature])?;
        if server
            .does(&["verify", name, &ciphertext, "--signature", &signature])
            .is_ok()
        {
            return Err(format!("{algorithm}: a signature over something else was right").into());
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_found_wherever_it_stands() {
        assert!(contains(b"xxaws_lc_fips_0_13_11_X", "aws_lc_fips_0_13_11_"));
        assert!(contains(b"aaab", "aab") && contains(b"aab", "aab"));
        assert!(!contains(b"aws_lc_fips_0_13_1", "aws_lc_fips_0_13_11_"));
    }
}
