//! Pebble, the reference server of ACME.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;

use super::stage::{Stage, free_port};

/// A running one; it goes away at the end.
pub struct Pebble {
    child: Child,
    /// The directory's address.
    pub directory: String,
    /// Its own certificate.
    pub trusted: PathBuf,
}

impl Pebble {
    /// One that looks for the answers to challenges where the stage's server
    /// does, by the same resolver.
    pub fn start(stage: &Stage) -> Self {
        let server = &stage.server;
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let trusted = server.file("pebble.pem", cert.pem().as_bytes());
        let key = server.file("pebble.key", signing_key.serialize_pem().as_bytes());
        let port = free_port();
        let settings = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{port}"),
            "managementListenAddress": "",
            "certificate": trusted,
            "privateKey": key,
            "httpPort": stage.http_port,
            "tlsPort": stage.tls_port,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        }});
        let settings = server.file("pebble.json", settings.to_string().as_bytes());
        let child = Command::new("pebble")
            .arg("-config")
            .arg(settings)
            .args(["-dnsserver", &stage.resolver])
            // It looks at once, and refuses no good nonce: lego of this age
            // does not always come back.
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut pebble = Self {
            child,
            directory: format!("https://127.0.0.1:{port}/dir"),
            trusted,
        };
        while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = pebble.child.try_wait().unwrap();
            assert!(ended.is_none(), "pebble ended: {ended:?}");
            std::thread::sleep(Duration::from_millis(20));
        }
        pebble
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
