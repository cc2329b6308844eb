//! The `openssl` program, with a folder of its own for files.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use skms_crypto::Algorithm;

/// The program and its folder.
pub struct Openssl {
    folder: tempfile::TempDir,
    algorithms: String,
}

impl Openssl {
    /// `None`, and a visible skip, when there is no OpenSSL 3 or later.
    pub fn find() -> Option<Self> {
        let version = Command::new("openssl").arg("version").output();
        let version = version.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
        let version = version.unwrap_or_default();
        let major = version
            .strip_prefix("OpenSSL ")
            .and_then(|rest| rest.split('.').next()?.parse::<u32>().ok());
        if major.is_none_or(|major| major < 3) {
            eprintln!("SKIPPED: needs OpenSSL 3 or later, found {version:?}");
            return None;
        }
        let mut openssl = Self {
            folder: tempfile::tempdir().unwrap(),
            algorithms: String::new(),
        };
        let list = openssl.run(&["list", "-public-key-algorithms"]);
        openssl.algorithms = String::from_utf8_lossy(&list).to_ascii_uppercase();
        Some(openssl)
    }

    /// Whether it lists a public-key algorithm by this name.
    pub fn knows(&self, algorithm: Algorithm) -> bool {
        self.algorithms
            .contains(&algorithm.name().to_ascii_uppercase())
    }

    /// The path of a file in the folder.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    /// Writes a file, and gives its path.
    pub fn file(&self, name: &str, contents: &[u8]) -> String {
        let path = self.path(name);
        std::fs::write(&path, contents).unwrap();
        path
    }

    /// Reads a file that the program wrote.
    pub fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(Path::new(&self.path(name))).unwrap()
    }

    /// Runs it, which must succeed, and gives its standard output.
    pub fn run(&self, arguments: &[&str]) -> Vec<u8> {
        let output = self.start(arguments);
        assert!(
            output.status.success(),
            "openssl {arguments:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        output.stdout
    }

    /// Runs it, which must fail.
    pub fn refuses(&self, arguments: &[&str]) {
        let output = self.start(arguments);
        assert!(!output.status.success(), "openssl {arguments:?} succeeded");
    }

    fn start(&self, arguments: &[&str]) -> Output {
        Command::new("openssl")
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }
}

/// Lower-case hex.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
