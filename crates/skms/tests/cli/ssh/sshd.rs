//! A real `sshd` on a loopback port, for whoever runs the tests, and a real
//! `ssh` that knocks at it.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// Where Debian has it; it must be started by its whole path.
const SSHD: &str = "/usr/sbin/sshd";

/// A server that believes an authority's certificates but for those that a
/// revocation list names. It ends with the test.
pub struct Sshd {
    child: Child,
    pub port: u16,
    folder: PathBuf,
}

/// Whether everything is there; a visible skip if not.
pub fn is_here() -> bool {
    let keygen = Command::new("ssh-keygen").arg("-?").output().is_ok();
    let here = keygen && Path::new(SSHD).exists() && Command::new("ssh").arg("-V").output().is_ok();
    if !here {
        eprintln!("SKIPPED: needs OpenSSH's client and server");
    }
    here
}

/// Makes a key pair, `NAME` and `NAME.pub`.
pub fn key(folder: &Path, name: &str, kind: &str) {
    let made = Command::new("ssh-keygen")
        .current_dir(folder)
        .args(["-q", "-t", kind, "-N", "", "-C", name, "-f", name])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
}

/// Whoever runs the tests: the only one that a server without privileges can
/// log in.
pub fn user() -> String {
    let ran = Command::new("id").arg("-un").output().unwrap();
    String::from_utf8(ran.stdout).unwrap().trim().to_owned()
}

impl Sshd {
    /// Starts with the files of `folder`: `ca.pub` of the users' authority,
    /// `krl`, `host` and `host-cert.pub`. `principals` may log in.
    pub fn start(folder: &Path, principals: &str) -> Self {
        // As root it wants a folder for its unprivileged half.
        if user() == "root" {
            let _ = fs::create_dir_all("/run/sshd");
        }
        fs::set_permissions(folder, fs::Permissions::from_mode(0o700)).unwrap();
        let at = |name: &str| folder.join(name).display().to_string();
        fs::write(folder.join("principals"), format!("{principals}\n")).unwrap();
        // Another program may take the port in between; then it is another.
        for _ in 0..10 {
            let port = free_port();
            let config = format!(
                "ListenAddress 127.0.0.1:{port}\nPidFile none\nUsePAM no\nStrictModes no\n\
                 HostKey {}\nHostCertificate {}\nTrustedUserCAKeys {}\nRevokedKeys {}\n\
                 AuthorizedPrincipalsFile {}\nAuthorizedKeysFile none\n\
                 PermitRootLogin prohibit-password\n\
                 PasswordAuthentication no\nKbdInteractiveAuthentication no\n",
                at("host"),
                at("host-cert.pub"),
                at("ca.pub"),
                at("krl"),
                at("principals"),
            );
            fs::write(folder.join("sshd_config"), config).unwrap();
            if let Some(child) = begin(folder) {
                return Self {
                    child,
                    port,
                    folder: folder.to_owned(),
                };
            }
        }
        panic!("sshd does not listen");
    }

    /// Logs in with a key and its certificate, and runs a command. The host
    /// has to show a certificate for `host` by what `known_hosts` says.
    pub fn login(&self, key: &str, host: &str, command: &str) -> Output {
        Command::new("ssh")
            .current_dir(&self.folder)
            .args(["-F", "none", "-p", &self.port.to_string(), "-l", &user()])
            .args(["-i", key, "-o", &format!("CertificateFile={key}-cert.pub")])
            .args(["-o", "IdentitiesOnly=yes", "-o", "IdentityAgent=none"])
            .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"])
            .args(["-o", "UserKnownHostsFile=known_hosts"])
            .args(["-o", "GlobalKnownHostsFile=none"])
            .args(["-o", &format!("HostKeyAlias={host}")])
            .args(["127.0.0.1", command])
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Whether a command runs.
    pub fn lets_in(&self, key: &str) -> bool {
        let ran = self.login(key, "shell.example.org", "echo in");
        let said = String::from_utf8_lossy(&ran.stderr);
        match ran.stdout.as_slice() {
            b"in\n" => true,
            _ => {
                // Refused for the certificate, and for nothing else.
                assert!(said.contains("Permission denied"), "{said}");
                false
            }
        }
    }
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// `None` if it did not come to listen.
fn begin(folder: &Path) -> Option<Child> {
    let mut child = Command::new(SSHD)
        .args(["-D", "-e", "-f"])
        .arg(folder.join("sshd_config"))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    for line in log.by_ref().map_while(Result::ok) {
        if line.contains("Server listening") {
            // The rest is read so that it never waits for a reader.
            std::thread::spawn(move || log.for_each(drop));
            return Some(child);
        }
        said.push(line);
    }
    let _ = child.wait();
    assert!(said.iter().any(|line| line.contains("in use")), "{said:?}");
    None
}

impl Drop for Sshd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
