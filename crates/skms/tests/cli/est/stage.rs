//! A server over TLS whose authority `issuing` is open to EST, and clients of
//! three kinds: strongSwan's `pki`, curl, and whoever has a policy or has not.

use std::path::PathBuf;
use std::process::{Command, Output};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::support::{Server, run, skms};

/// The names that the tests enrol under.
pub const NAMES: &str = "DNS:www.example.org,DNS:b.example.org";

pub struct Stage {
    pub server: Server,
    /// The token of a principal that a policy permits certificates.
    pub device: String,
    /// That of one whom no policy knows.
    pub stranger: String,
}

/// What curl got.
pub struct Got {
    pub status: u16,
    pub headers: String,
    pub body: Vec<u8>,
}

impl Got {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Panics unless it was refused with this status and these words.
    pub fn refused(&self, status: u16, said: &str) {
        assert_eq!(self.status, status, "{}", self.text());
        assert!(self.text().contains(said), "{said:?}: {}", self.text());
        assert!(self.has("content-type: text/plain; charset=utf-8"));
    }

    /// Panics unless it is DER of this type, in base64.
    pub fn der(&self, kind: &str) -> Vec<u8> {
        assert_eq!(self.status, 200, "{}", self.text());
        assert!(
            self.has(&format!("content-type: {kind}")),
            "{}",
            self.headers
        );
        assert!(self.has("content-transfer-encoding: base64"));
        STANDARD.decode(&self.body).unwrap()
    }

    pub fn has(&self, line: &str) -> bool {
        self.headers
            .lines()
            .any(|one| one.eq_ignore_ascii_case(line))
    }
}

/// Whether a program is there; without it a test is skipped, visibly.
pub fn lacks(program: &str, argument: &str) -> bool {
    let output = Command::new(program).arg(argument).output();
    let found = output.is_ok_and(|output| output.status.success());
    if !found {
        eprintln!("SKIPPED: needs {program}");
    }
    !found
}

impl Stage {
    /// Opens the authority with these options besides.
    pub fn set(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut init = skms();
        init.current_dir(folder.path())
            .args(["init", "--data-dir", "data", "--key-file", "key"])
            .args(["--token-out", "token"]);
        run(init, b"").ok();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (data, key) = (path("data"), path("key"));
        let serve = ["--data-dir", &data, "--unseal-key-file", &key];
        let server = Server::start(&serve, folder, "https");
        for (name, parent) in [("top", None), ("issuing", Some("top"))] {
            let subject = format!("CN=Test {name}");
            let mut create = vec!["ca", "create", name, "--subject", &subject];
            create.extend(parent.iter().flat_map(|parent| ["--parent", parent]));
            create.extend(["--algorithm", "EC-P256"]);
            server.run(&create).ok();
            let pem = server.text(&["ca", "cert", name]);
            server.file(&format!("{name}.pem"), format!("{pem}\n").as_bytes());
        }
        let enable = [
            "est",
            "enable",
            "issuing",
            "--profile",
            "tls-server,tls-client",
        ];
        server.run(&[&enable, options].concat()).ok();
        let policy = r#"permit (
            principal == SKMS::Principal::"device",
            action == SKMS::Action::"certificate.issue",
            resource
        ) when {
            resource == SKMS::Authority::"root/issuing" ||
            resource == SKMS::Key::"root/default/issuing"
        };"#;
        server
            .run_with(&["policy", "put", "devices"], policy.as_bytes())
            .ok();
        let token = |name: &str| {
            let file = format!("{name}.token");
            let create = ["token", "create", "--principal", name, "-o", &file];
            server.run(&create).ok();
            let text = std::fs::read_to_string(server.path(&file)).unwrap();
            text.trim().to_owned()
        };
        Self {
            device: token("device"),
            stranger: token("stranger"),
            server,
        }
    }

    /// The server's address by a name that its certificate has.
    pub fn address(&self) -> String {
        self.server.address.replace("127.0.0.1", "localhost")
    }

    /// Runs a program in the folder and panics unless it succeeds.
    pub fn tool(&self, program: &str, arguments: &[&str]) -> Vec<u8> {
        let output = self.try_tool(program, arguments);
        assert!(
            output.status.success(),
            "{program} {arguments:?}: {output:?}"
        );
        output.stdout
    }

    pub fn try_tool(&self, program: &str, arguments: &[&str]) -> Output {
        // strongSwan's TLS speaks 1.3 only where it is told to.
        let settings = self.server.file(
            "strongswan.conf",
            b"pki {\n  load = random pem openssl x509 pkcs1 pkcs7 pkcs8 pubkey constraints\n  \
              tls {\n    version_max = 1.3\n  }\n}\n",
        );
        Command::new(program)
            .current_dir(self.server.folder.path())
            .env("STRONGSWAN_CONF", settings)
            .args(arguments)
            .output()
            .unwrap()
    }

    /// A new key `NAME.key` and a request `NAME.csr` (both PEM) by OpenSSL.
    pub fn request(&self, name: &str, subject: &str, names: &str) -> Vec<u8> {
        let (key, csr) = (format!("{name}.key"), format!("{name}.csr"));
        let new = [
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
        ];
        let mut arguments = vec!["req", "-new", "-keyout", &key, "-out", &csr];
        arguments.extend(new);
        arguments.extend(["-subj", subject]);
        let names = format!("subjectAltName={names}");
        arguments.extend(["-addext", &names]);
        self.tool("openssl", &arguments);
        self.tool("openssl", &["req", "-in", &csr, "-outform", "DER"])
    }

    /// The usual request.
    pub fn usual(&self, name: &str) -> Vec<u8> {
        self.request(name, "/CN=www.example.org", NAMES)
    }

    /// Asks with curl for an operation of `root:issuing:tls-server`.
    pub fn curl(&self, operation: &str, arguments: &[&str]) -> Got {
        self.curl_at(&format!("root:issuing:tls-server/{operation}"), arguments)
    }

    pub fn curl_at(&self, path: &str, arguments: &[&str]) -> Got {
        let url = format!("{}/.well-known/est/{path}", self.address());
        // Where a body is not waited for, HTTP/2 may end before curl has sent it.
        let fixed = [
            "--http1.1",
            "-sS",
            "--cacert",
            "data/ca.pem",
            "-D",
            "headers",
            "-o",
            "body",
        ];
        let status = ["-w", "%{http_code}", &url];
        let out = self.tool("curl", &[&fixed[..], arguments, &status].concat());
        let read = |name: &str| std::fs::read(self.server.path(name)).unwrap_or_default();
        let headers = String::from_utf8(read("headers")).unwrap();
        Got {
            status: String::from_utf8(out).unwrap().parse().unwrap(),
            headers: headers.replace('\r', ""),
            body: read("body"),
        }
    }

    /// Sends a request (DER) as this user.
    pub fn post(&self, operation: &str, csr: &[u8], credentials: &[&str]) -> Got {
        let text = STANDARD.encode(csr);
        self.server.file("sent", text.as_bytes());
        self.curl(operation, &[PKCS10, credentials].concat())
    }

    /// `device`'s name and token as curl takes them.
    pub fn device(&self) -> [String; 2] {
        ["-u".to_owned(), format!("device:{}", self.device)]
    }

    /// Enrols as `device`; gives the certificate in the file `NAME.crt`.
    pub fn enrolled(&self, name: &str) -> PathBuf {
        let csr = self.usual(name);
        let [flag, user] = self.device();
        let got = self.post("simpleenroll", &csr, &[&flag, &user]);
        self.keep(name, &got)
    }

    /// Puts the one certificate of an answer into the file `NAME.crt`.
    pub fn keep(&self, name: &str, got: &Got) -> PathBuf {
        let der = got.der("application/pkcs7-mime; smime-type=certs-only");
        let all = self.certificates(&der);
        assert_eq!(all.matches("BEGIN CERTIFICATE").count(), 1, "{all}");
        self.server.file(&format!("{name}.crt"), all.as_bytes())
    }

    /// The certificates (PEM) of a PKCS #7 document, as OpenSSL reads it.
    pub fn certificates(&self, der: &[u8]) -> String {
        self.server.file("p7", der);
        let read = ["pkcs7", "-inform", "DER", "-in", "p7", "-print_certs"];
        String::from_utf8(self.tool("openssl", &read)).unwrap()
    }

    /// What OpenSSL says of a certificate.
    pub fn says(&self, certificate: &str, options: &[&str]) -> String {
        let read = ["x509", "-noout", "-in", certificate];
        String::from_utf8(self.tool("openssl", &[&read[..], options].concat())).unwrap()
    }

    /// Panics unless OpenSSL finds the way from a certificate to the root.
    pub fn verified(&self, certificate: &str) {
        let verify = ["verify", "-CAfile", "top.pem", "-untrusted", "issuing.pem"];
        let names = ["-verify_hostname", "b.example.org", certificate];
        self.tool("openssl", &[&verify[..], &names].concat());
    }

    /// How many certificates there are.
    pub fn count(&self) -> usize {
        let all = self.server.json(&["cert", "list", "--ca", "issuing"]);
        all.as_array().unwrap().len()
    }
}

/// What tells curl to post the file `sent`.
pub const PKCS10: &[&str] = &[
    "-H",
    "Content-Type: application/pkcs10",
    "--data-binary",
    "@sent",
];
