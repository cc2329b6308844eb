//! One script of lego's, for whichever server: what fails against the reference
//! server too is the script's fault, or lego's, and not ours.

use std::path::PathBuf;
use std::process::{Command, Output};

use super::stage::Stage;

/// Whether a program runs; a visible skip if it does not.
pub fn lacks(program: &str, argument: &str) -> bool {
    let found = Command::new(program).arg(argument).output();
    if found.is_ok_and(|output| output.status.success()) {
        return false;
    }
    eprintln!("SKIPPED: needs {program}");
    true
}

/// Lego, as it is set up for one server.
pub struct Lego<'a> {
    /// Whose ports the challenges are looked for at.
    pub stage: &'a Stage,
    /// The server's directory.
    pub directory: String,
    /// Where it keeps what it gets.
    pub folder: PathBuf,
    /// What the server's own certificate is checked by, where it has one.
    pub trusted: Option<PathBuf>,
}

impl Lego<'_> {
    /// Runs it; panics unless it succeeds.
    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new("lego");
        command
            .args(["--server", &self.directory])
            .args(["--email", "admin@example.org", "--accept-tos", "--path"])
            .arg(&self.folder)
            .args(arguments);
        if let Some(trusted) = &self.trusted {
            command.env("LEGO_CA_CERTIFICATES", trusted);
        }
        let output = command.output().unwrap();
        let directory = &self.directory;
        assert!(output.status.success(), "{directory}: {output:?}");
        output
    }

    /// The certificate that it has of a name (PEM).
    fn certificate(&self, name: &str) -> String {
        let file = format!("certificates/{name}.crt");
        std::fs::read_to_string(self.folder.join(file)).unwrap()
    }

    /// From nothing to three certificates: by http-01 for two names, by
    /// tls-alpn-01, and the first one renewed.
    pub fn enrols_and_renews(&self) {
        let http = format!("127.0.0.1:{}", self.stage.http_port);
        let by_http = ["--http", "--http.port", &http];
        let names = ["--domains", "www.example.org", "--domains", "b.example.org"];
        let whole = [&names[..], &by_http[..]].concat();
        self.run(&[&whole[..], &["run"]].concat());
        let tls = format!("127.0.0.1:{}", self.stage.tls_port);
        let by_tls = ["--tls", "--tls.port", &tls, "run"];
        self.run(&[&["--domains", "tls.example.org"], &by_tls[..]].concat());
        let first = self.certificate("www.example.org");
        let renew = ["renew", "--days", "10000", "--no-random-sleep"];
        self.run(&[&whole[..], &renew[..]].concat());
        assert_ne!(self.certificate("www.example.org"), first);
    }

    /// Revokes the first one.
    pub fn revokes(&self) {
        self.run(&["--domains", "www.example.org", "revoke"]);
    }
}
