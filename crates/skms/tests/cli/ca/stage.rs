//! A server that publishes, two authorities, and OpenSSL.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Command, Output};

use skms_policy::ROOT_NAMESPACE;

use crate::support::{Server, is_private};

/// A server that publishes, with its port, and OpenSSL; `None` and a visible
/// skip without that.
pub struct Stage {
    pub server: Server,
    pub url: String,
}

impl Stage {
    pub fn set() -> Option<Self> {
        let version = Command::new("openssl").arg("version").output();
        let found = version.is_ok_and(|output| output.stdout.starts_with(b"OpenSSL 3"));
        if !found {
            eprintln!("SKIPPED: needs OpenSSL 3");
            return None;
        }
        // The port must be known before the server is: certificates name it.
        let options = ["--dev", "--publish", "127.0.0.1:0"];
        let server = Server::start(&options, tempfile::tempdir().unwrap(), "http");
        server.file("token", b"the-root-token-of-the-tests\n");
        let url = format!("http://{}", server.publishing.as_ref().unwrap());
        Some(Self { server, url })
    }

    /// A root and an authority below it, with their certificates in files.
    pub fn authorities(&self) {
        let url = self.url.as_str();
        self.server
            .run(&[
                "ca",
                "create",
                "root",
                "--subject",
                "CN=Test Root,O=Test",
                "--publish-url",
                url,
            ])
            .ok();
        self.server
            .run(&[
                "ca",
                "create",
                "issuing",
                "--subject",
                "CN=Test Issuing,O=Test",
                "--parent",
                "root",
                "--algorithm",
                "EC-P256",
                "--publish-url",
                url,
            ])
            .ok();
        for name in ["root", "issuing"] {
            let pem = self.server.text(&["ca", "cert", name]);
            self.server
                .file(&format!("{name}.pem"), format!("{pem}\n").as_bytes());
        }
    }

    /// Issues for a name; the files are `NAME.pem` and `NAME.key`. Returns the
    /// serial number.
    pub fn issue(&self, name: &str) -> String {
        let (cert, key) = (format!("{name}.pem"), format!("{name}.key"));
        let made = self.server.json(&[
            "cert",
            "issue",
            "--ca",
            "issuing",
            "--name",
            &format!("{name}.example.org"),
            "--out",
            &cert,
            "--key-out",
            &key,
        ]);
        assert!(is_private(&self.server.path(&key)));
        made["serial"].as_str().unwrap().to_owned()
    }

    pub fn openssl(&self, arguments: &[&str]) -> Output {
        let folder = self.server.folder.path();
        Command::new("openssl")
            .args(arguments)
            .current_dir(folder)
            .output()
            .unwrap()
    }

    /// Whether `openssl verify` is content.
    pub fn verifies(&self, arguments: &[&str]) -> bool {
        self.openssl(&[&["verify"], arguments].concat())
            .status
            .success()
    }

    /// Where the issuing authority answers OCSP.
    pub fn responder(&self) -> String {
        format!("{}/pki/{ROOT_NAMESPACE}/issuing/1/ocsp", self.url)
    }

    /// What `openssl ocsp` makes of a certificate's status.
    pub fn ocsp(&self, certificate: &str) -> String {
        let url = self.responder();
        let output = self.openssl(&[
            "ocsp",
            "-issuer",
            "issuing.pem",
            "-cert",
            certificate,
            "-url",
            &url,
            "-CAfile",
            "root.pem",
            "-verify_other",
            "issuing.pem",
            "-no_nonce",
        ]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(said.contains("Response verify OK"), "{said}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Gets what is published, once `wanted` says that it is what it should be.
    pub fn published(&self, path: &str, wanted: impl Fn(&[u8]) -> bool) -> Vec<u8> {
        for _ in 0..100 {
            let (head, body) = get(self.url.trim_start_matches("http://"), path);
            if head.starts_with("HTTP/1.1 200") && wanted(&body) {
                return body;
            }
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        panic!("{path} was not published");
    }
}

/// One request over plain HTTP.
pub fn get(address: &str, path: &str) -> (String, Vec<u8>) {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let end = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .unwrap();
    let body = answer.split_off(end + 4);
    (String::from_utf8(answer).unwrap(), body)
}
