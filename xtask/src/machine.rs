//! What a Debian machine must have, and how it gets it.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::Result;
use crate::command::{run, say, succeeds};

/// Something the machine must have.
pub struct Need {
    /// What it is, in words.
    what: &'static str,
    /// What it is for.
    why: &'static str,
    /// The Debian packages that bring it.
    packages: &'static [&'static str],
    /// Tries it out: what is found by doing is really there.
    works: fn() -> bool,
}

impl Need {
    /// Something that a chore of its own looks for.
    pub const fn new(
        what: &'static str,
        why: &'static str,
        packages: &'static [&'static str],
        works: fn() -> bool,
    ) -> Self {
        Self {
            what,
            why,
            packages,
            works,
        }
    }
}

/// What `cargo xtask test` needs.
pub const FOR_TESTS: &[Need] = &[
    Need {
        what: "a C compiler and the C library's headers",
        why: "AWS-LC and SQLite are built from source",
        packages: &["gcc", "libc6-dev"],
        works: c_compiler,
    },
    Need {
        what: "the openssl command",
        why: "exports, signatures and ciphertexts are cross-checked with it",
        packages: &["openssl"],
        works: || succeeds(Command::new("openssl").arg("version")),
    },
    Need {
        what: "the certtool command",
        why: "certificates are cross-checked with GnuTLS",
        packages: &["gnutls-bin"],
        works: || succeeds(Command::new("certtool").arg("--version")),
    },
    Need {
        what: "the lego command",
        why: "a real ACME client enrols at the server",
        packages: &["lego"],
        works: || succeeds(Command::new("lego").arg("--version")),
    },
    Need {
        what: "the pebble command",
        why: "the reference ACME server tells a failing script from a failing server",
        packages: &["pebble"],
        works: || succeeds(Command::new("pebble").arg("-help")),
    },
    Need {
        what: "strongSwan's pki command",
        why: "a real EST client enrols at the server",
        // Elliptic curves are in a package that it merely recommends.
        packages: &["strongswan-pki", "libstrongswan-standard-plugins"],
        works: || succeeds(Command::new("pki").args(["--gen", "--type", "ecdsa", "--size", "256"])),
    },
    Need {
        what: "the curl command",
        why: "it asks by EST for what pki does not",
        packages: &["curl"],
        works: || succeeds(Command::new("curl").arg("--version")),
    },
    Need {
        what: "the age command",
        why: "files go both ways between it and us",
        packages: &["age"],
        works: || succeeds(Command::new("age").arg("--version")),
    },
    Need {
        what: "OpenSSH's client and server",
        why: "SSH certificates and revocation lists are tried at real logins",
        packages: &["openssh-client", "openssh-server"],
        works: openssh,
    },
    Need {
        what: "Python 3.11 or newer, with venv",
        why: "the second peer of the cross-checks is Python's cryptography package, and the \
              notebook is run",
        packages: &["python3", "python3-venv"],
        works: || {
            let asked = "import venv, ensurepip, sys; sys.exit(sys.version_info < (3, 11))";
            succeeds(Command::new("python3").args(["-c", asked]))
        },
    },
];

/// What `cargo xtask bench` needs besides.
pub const FOR_BENCH: &[Need] = &[Need {
    what: "wrk",
    why: "it is the load",
    packages: &["wrk"],
    // It has no option that succeeds and does nothing.
    works: || Command::new("wrk").output().is_ok(),
}];

/// What `cargo xtask profile` needs besides.
pub const FOR_PROFILE: &[Need] = &[Need {
    what: "valgrind",
    why: "its callgrind counts instructions",
    packages: &["valgrind"],
    works: || succeeds(Command::new("valgrind").arg("--version")),
}];

/// What `cargo xtask fuzz` needs besides.
pub const FOR_FUZZING: &[Need] = &[Need {
    what: "a C++ compiler",
    why: "libFuzzer is built from source",
    packages: &["g++"],
    works: cpp_compiler,
}];

/// What `cargo xtask fips` needs besides.
pub const FOR_FIPS: &[Need] = &[
    Need {
        what: "cmake",
        why: "the FIPS module is built by it",
        packages: &["cmake"],
        works: || succeeds(Command::new("cmake").arg("--version")),
    },
    Need {
        what: "Go",
        why: "it places the FIPS module's integrity check",
        packages: &["golang-go"],
        works: || succeeds(Command::new("go").arg("version")),
    },
    Need {
        what: "Perl",
        why: "it writes the FIPS module's assembly",
        packages: &["perl"],
        works: || succeeds(Command::new("perl").arg("-v")),
    },
    Need {
        what: "a C++ compiler",
        why: "the FIPS module's build asks for one",
        packages: &["g++"],
        works: cpp_compiler,
    },
];

/// Installs with apt what is missing; does nothing where all is there.
///
/// # Errors
/// Something is missing and cannot be installed by this user; the message says
/// exactly what to install.
pub fn provide(needs: &[Need]) -> Result {
    let missing: Vec<&Need> = needs.iter().filter(|need| !(need.works)()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages = Vec::new();
    for need in &missing {
        say(&format!("missing: {} ({})", need.what, need.why));
        packages.extend_from_slice(need.packages);
    }
    let by_hand = format!(
        "install these packages as root, then try again:\n\n    apt-get update && apt-get install -y --no-install-recommends {}\n",
        packages.join(" ")
    );
    if !succeeds(Command::new("apt-get").arg("--version")) {
        return Err(format!("there is no apt-get here; {by_hand}").into());
    }
    let Some(root) = as_root() else {
        return Err(format!("this user may not install packages; {by_hand}").into());
    };
    let update = run(root("apt-get").args(["update", "-q"]));
    let install = update.and_then(|()| {
        run(root("apt-get")
            .args(["install", "-y", "-q", "--no-install-recommends"])
            .args(&packages))
    });
    install.map_err(|error| format!("{error}; {by_hand}"))?;
    match missing.iter().find(|need| !(need.works)()) {
        Some(need) => Err(format!("{} is still missing; {by_hand}", need.what).into()),
        None => Ok(()),
    }
}

/// How to start a program as root: directly, through sudo, or not at all.
fn as_root() -> Option<fn(&str) -> Command> {
    let user = Command::new("id").arg("-u").output().ok()?;
    if user.stdout.trim_ascii() == b"0" {
        return Some(|program| {
            let mut command = Command::new(program);
            command.env("DEBIAN_FRONTEND", "noninteractive");
            command
        });
    }
    // Never asks for a password: a chore may run where nobody answers.
    succeeds(Command::new("sudo").args(["-n", "true"])).then_some(|program| {
        let mut command = Command::new("sudo");
        command.args(["-n", "DEBIAN_FRONTEND=noninteractive", program]);
        command
    })
}

/// The server has no option that succeeds and does nothing, and is started by
/// its whole path.
fn openssh() -> bool {
    succeeds(Command::new("ssh").arg("-V"))
        && Command::new("/usr/sbin/sshd").arg("-?").output().is_ok()
}

fn c_compiler() -> bool {
    preprocesses("cc", "c", "#include <stdlib.h>\n")
}

fn cpp_compiler() -> bool {
    preprocesses("c++", "c++", "#include <vector>\n")
}

/// True if the compiler is there and finds the header that `source` includes.
fn preprocesses(compiler: &str, language: &str, source: &str) -> bool {
    let child = Command::new(compiler)
        .args(["-E", "-x", language, "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let Ok(mut child) = child else {
        return false;
    };
    let written = child
        .stdin
        .take()
        .is_some_and(|mut pipe| pipe.write_all(source.as_bytes()).is_ok());
    child.wait().is_ok_and(|status| status.success()) && written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_compiler_or_header_is_noticed() {
        assert!(!preprocesses("no-such-compiler", "c", "\n"));
        assert!(!preprocesses("cc", "c", "#include <no/such/header.h>\n"));
        assert!(c_compiler(), "this very test was linked by it");
    }

    #[test]
    fn nothing_is_installed_where_all_is_there() {
        let need = Need {
            what: "nothing",
            why: "a test",
            packages: &["no-such-package"],
            works: || true,
        };
        assert!(provide(&[need]).is_ok());
    }
}
