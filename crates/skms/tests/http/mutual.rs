//! Mutual TLS as `skms init` sets it up: the server's certificate from its own
//! authority, the first administrator's, and their renewal and end.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use serde_json::{Value, json};

use crate::{
    house::{PATIENCE, Server},
    wire::{Connection, Identity, client_config},
};

const OWN: &str = "/api/v1/tokens/self";

/// An installation by the command, in a folder of its own.
pub struct Installed(tempfile::TempDir);

impl Installed {
    pub fn new() -> Self {
        let installed = Self(tempfile::tempdir().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_skms"));
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("SKMS_") {
                command.env_remove(name);
            }
        }
        let made = command
            .current_dir(installed.0.path())
            .args(["init", "--data-dir", "data", "--key-file", "key"])
            .args(["--token-out", "root.token"])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", text(&made.stderr));
        installed
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn ca(&self) -> PathBuf {
        self.path("data/ca.pem")
    }

    /// Serves; unsealed by the key file among `more`.
    pub fn serve(&self, more: &[&str]) -> Server {
        let data = self.path("data").display().to_string();
        let mut arguments: Vec<_> = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data]
            .map(str::to_owned)
            .into();
        arguments.extend(more.iter().map(|&argument| argument.to_owned()));
        let mut server = Server::start(&arguments).unwrap();
        server.trust(&self.ca());
        let token = fs::read_to_string(self.path("root.token")).unwrap();
        token.trim().clone_into(&mut server.token);
        server
    }

    pub fn serve_unsealed(&self, more: &[&str]) -> Server {
        let key = self.path("key").display().to_string();
        self.serve(&[&["--unseal-key-file", &key], more].concat())
    }

    /// The first administrator's certificate and key, of one file.
    pub fn admin(&self) -> Identity {
        let text = fs::read_to_string(self.path("root.pem")).unwrap();
        Identity {
            certificate: text.clone(),
            key: text,
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// The certificate that the server shows a new connection.
fn shown(server: &Server) -> Vec<u8> {
    let config = server.tls.clone().unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut session = rustls::ClientConnection::new(config, name).unwrap();
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    while session.is_handshaking() {
        session.complete_io(&mut stream).unwrap();
    }
    session.peer_certificates().unwrap()[0].to_vec()
}

/// Waits until a new connection is shown another certificate than this one.
fn shown_instead_of(server: &Server, before: &[u8]) -> Vec<u8> {
    let begun = std::time::Instant::now();
    loop {
        let now = shown(server);
        if now != before {
            return now;
        }
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

/// The serial numbers of an authority's certificates that are good.
fn serials(server: &Server, authority: &str) -> Vec<String> {
    let path = format!("/api/v1/authorities/{authority}/certificates");
    let listed = server.must("GET", &path, None);
    listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|one| one["status"] == "good")
        .map(|one| one["serial"].as_str().unwrap().to_owned())
        .collect()
}

fn revoke(server: &Server, authority: &str, serial: &str) {
    let path = format!("/api/v1/authorities/{authority}/certificates/{serial}/revoke");
    server.must("POST", &path, Some(json!({"reason": "superseded"})));
}

/// What `curl` gets: its exit code, and status and body of the answer.
fn curl(server: &Server, more: &[&str]) -> (Option<i32>, String) {
    let port = server.address.port();
    let done = Command::new("curl")
        .args(["--silent", "--show-error", "--write-out", " %{http_code}"])
        .args(more)
        .arg(format!("https://localhost:{port}{OWN}"))
        .output()
        .unwrap();
    (done.status.code(), text(&done.stdout))
}

fn s_client(server: &Server, more: &[&str]) -> Output {
    let address = server.address.to_string();
    Command::new("openssl")
        .args(["s_client", "-connect", &address, "-servername", "localhost"])
        .args(["-verify_hostname", "localhost", "-verify_return_error"])
        .args(more)
        .stdin(std::process::Stdio::null())
        .output()
        .unwrap()
}

#[test]
fn a_default_install_speaks_mutual_tls_also_while_sealed() {
    let installed = Installed::new();
    for secret in ["root.pem", "root.toml", "data/listener.pem", "root.token"] {
        assert_eq!(mode(&installed.path(secret)), 0o600, "{secret}");
    }
    // The authority's key is in the sealed store and nowhere else.
    assert!(!installed.path("data/ca-key.pem").exists());
    let ca = fs::read(installed.ca()).unwrap();
    let (ca_file, own) = (
        installed.ca().display().to_string(),
        installed.path("root.pem"),
    );
    let own = own.display().to_string();

    let server = installed.serve_unsealed(&[]);
    let before = shown(&server);
    let with = curl(&server, &["--cacert", &ca_file, "--cert", &own]);
    assert_eq!(with.0, Some(0));
    assert!(with.1.ends_with(" 200"), "{}", with.1);
    let said: Value = serde_json::from_str(with.1.trim_end_matches(" 200")).unwrap();
    assert_eq!(said["principal"], "admin");
    assert_eq!(said["authentication"], "certificate");
    let without = curl(&server, &["--cacert", &ca_file]);
    assert!(without.1.ends_with(" 401"), "{}", without.1);
    // By another authority the server is not believed, nor a client of one.
    let other = rcgen::KeyPair::generate().unwrap();
    let strange = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let strange = strange.self_signed(&other).unwrap().pem();
    let wrong = installed.path("wrong.pem");
    fs::write(&wrong, format!("{strange}{}", other.serialize_pem())).unwrap();
    let wrong = wrong.display().to_string();
    assert_eq!(curl(&server, &["--cacert", &wrong]).0, Some(60));
    let stranger = curl(&server, &["--cacert", &ca_file, "--cert", &wrong]);
    assert!(stranger.1.ends_with(" 401"), "{}", stranger.1);
    for more in [&[][..], &["-cert", &own, "-key", &own]] {
        let seen = s_client(&server, &[&["-CAfile", &ca_file], more].concat());
        let said = text(&seen.stdout);
        assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
        assert!(said.contains("TLSv1.3"), "{said}");
    }
    assert!(!s_client(&server, &["-CAfile", &wrong]).status.success());
    drop(server);

    let server = installed.serve(&[]);
    assert_eq!(shown(&server), before);
    let health = server.ask_as("", "GET", "/api/v1/health", None);
    assert!(health.text().contains("sealed"), "{}", health.text());
    assert_eq!(fs::read(installed.ca()).unwrap(), ca);
}

#[test]
fn a_revoked_administrator_is_cut_off_and_the_token_is_the_way_in() {
    let installed = Installed::new();
    let mut server = installed.serve_unsealed(&[]);
    let root = server.token.clone();
    server.trust_as(&installed.ca(), &installed.admin());
    let mut open = server.connect();
    let mut ask = |token: &str| open.ask(token, "GET", OWN, None, &[]);
    assert_eq!(ask("").json()["principal"], "admin");
    // A token beside the certificate is who is asking, good or not.
    assert_eq!(ask(&root).json()["principal"], "root");
    assert_eq!(ask("wrong").status, 401);
    assert_eq!(ask("").json()["principal"], "admin");

    let serials = serials(&server, "admins");
    assert_eq!(serials.len(), 1);
    revoke(&server, "admins", &serials[0]);
    assert_eq!(ask("").status, 401);
    assert_eq!(server.ask_as("", "GET", OWN, None).status, 401);
    assert_eq!(server.ask("GET", OWN, None).json()["principal"], "root");
}

#[test]
fn the_listeners_certificate_is_renewed_without_dropping_connections() {
    let installed = Installed::new();
    let server = installed.serve_unsealed(&[]);
    let (ca, first) = (fs::read(installed.ca()).unwrap(), shown(&server));
    let mut open = server.connect();
    let health = |open: &mut Connection| open.ask("", "GET", "/api/v1/health", None, &[]).status;
    assert_eq!(health(&mut open), 200);
    let issued = serials(&server, "system");
    assert_eq!(issued.len(), 1);
    revoke(&server, "system", &issued[0]);
    let second = shown_instead_of(&server, &first);
    assert_eq!(health(&mut open), 200);
    assert_ne!(serials(&server, "system"), issued);
    drop(server);

    // A name that it lacks is a reason too; clients trust what they did.
    let server = installed.serve_unsealed(&["--tls-name", "kms.example"]);
    let third = shown_instead_of(&server, &second);
    let named = |der: &[u8]| der.windows(11).any(|part| part == b"kms.example");
    assert!(named(&third) && !named(&second));
    assert_eq!(fs::read(installed.ca()).unwrap(), ca);
    let file = fs::read(installed.path("data/listener.pem")).unwrap();
    assert_eq!(
        CertificateDer::from_pem_slice(&file).unwrap().to_vec(),
        third
    );
    drop(server);
    let server = installed.serve(&["--tls-name", "kms.example"]);
    assert_eq!(shown(&server), third);
    drop(server);

    // What is damaged is not replaced by something else.
    fs::write(installed.path("data/listener.pem"), "nothing").unwrap();
    let data = installed.path("data").display().to_string();
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--data-dir", &data];
    let (status, log) = Server::start(&arguments.map(str::to_owned)).err().unwrap();
    assert!(!status.success() && log.contains("listener.pem"), "{log}");
}

#[test]
fn an_install_goes_over_to_its_own_authority_when_told() {
    let house = crate::house::House::new();
    let mut server = house.serve();
    let (ca, key) = (
        house.data_dir().join("ca.pem"),
        house.data_dir().join("ca-key.pem"),
    );
    let (before, old_ca) = (shown(&server), fs::read(&ca).unwrap());
    assert!(key.exists());
    let new = |name: &str, rules: Value| {
        let key = json!({"name": name, "algorithm": "EC-P256", "uses": ["sign"]});
        server.must("POST", "/api/v1/keyrings/default/keys", Some(key));
        let new =
            json!({"name": name, "key": name, "subject": format!("CN={name}"), "rules": rules});
        server.ask("POST", "/api/v1/authorities", Some(new))
    };
    let refused = new(
        "people",
        json!({"listener": true, "profiles": ["principal"]}),
    );
    assert_eq!(refused.status, 422, "{}", refused.text());
    assert_eq!(new("server", json!({})).status, 201);
    assert_eq!(shown(&server), before);
    let told = json!({"rules": {"listener": true}});
    server.must("PATCH", "/api/v1/authorities/server", Some(told));
    // There is one at most.
    let refused = new("other", json!({"listener": true}));
    assert_eq!(refused.status, 422, "{}", refused.text());

    // Who trusts the old authority has to be given the new one.
    let begun = std::time::Instant::now();
    while key.exists() || fs::read(&ca).unwrap() == old_ca {
        assert!(begun.elapsed() < PATIENCE, "{}", server.log());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(Connection::open(server.address, server.tls.as_ref()).is_err());
    server.tls = Some(client_config(&ca, None));
    let after = shown(&server);
    drop(server);
    let mut server = Server::start(&house.arguments()).unwrap();
    server.trust(&ca);
    assert_eq!(shown(&server), after);
}
