//! Where the database is and how it is reached: a `postgres://` address, with
//! the parts of it that are ours taken out and checked.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr as _;
use std::time::Duration;

use tokio_postgres::Config;
use tokio_postgres::config::{Host, SslMode, SslNegotiation, TargetSessionAttrs};

/// How the connection to the database is protected, in `libpq`'s words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tls {
    /// `disable`: not at all. The default for a Unix socket and for loopback.
    Disable,
    /// `require`: encrypted, but whoever answers is believed.
    Require,
    /// `verify-full`: the server shows a certificate for its host name, issued
    /// by an authority of this file (PEM), or of the system's list without
    /// one. The default for every other host.
    VerifyFull(Option<PathBuf>),
}

/// Why an address of a database was not accepted; the operator's to mend.
/// Never carries the address itself, which may hold a password.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum AddressError {
    /// It does not begin with `postgres://` or `postgresql://`.
    #[error("it does not begin with postgres:// or postgresql://")]
    Scheme,
    /// It does not parse.
    #[error("it is not an address such as postgres://skms@host/skms?sslmode=verify-full: {0}")]
    Syntax(String),
    /// A parameter with a value that cannot be.
    #[error("{parameter}: {reason}")]
    Parameter {
        /// The parameter.
        parameter: &'static str,
        /// What is wrong.
        reason: &'static str,
    },
    /// The file with the password cannot be read, or others can read it.
    #[error("password_file {}: {reason}", path.display())]
    PasswordFile {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// How a [`super::PostgresStore`] is opened.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    pub(super) config: Config,
    pub(super) tls: Tls,
    /// How long the database may take to answer, connecting included, before
    /// a request that needs it fails.
    pub timeout: Duration,
    /// Connections that read, at least one.
    pub readers: usize,
    /// Accepts a server that may forget what it acknowledged: `fsync`,
    /// `full_page_writes` or `synchronous_commit` switched off. For trying
    /// out and for tests.
    pub allow_lossy: bool,
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("database", &self.to_string())
            .field("tls", &self.tls)
            .field("timeout", &self.timeout)
            .field("readers", &self.readers)
            .field("allow_lossy", &self.allow_lossy)
            .finish_non_exhaustive()
    }
}

/// The database in words, without user or password.
impl fmt::Display for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self
            .config
            .get_dbname()
            .or_else(|| self.config.get_user())
            .unwrap_or("postgres");
        write!(f, "PostgreSQL database {name} at ")?;
        for (position, host) in self.config.get_hosts().iter().enumerate() {
            if position > 0 {
                f.write_str(", ")?;
            }
            match host {
                Host::Tcp(host) => f.write_str(host)?,
                Host::Unix(path) => write!(f, "{}", path.display())?,
            }
        }
        Ok(())
    }
}

/// Whether this text is meant as the address of a PostgreSQL database.
#[must_use]
pub fn is_address(text: &str) -> bool {
    text.starts_with("postgres://") || text.starts_with("postgresql://")
}

impl Options {
    /// How long the database may take when nothing is said.
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);

    /// Reads an address as `libpq` writes it. The parameters `sslmode`,
    /// `sslrootcert`, `password_file`, `timeout_seconds` (1 to 300), `readers`
    /// (1 to 64) and `allow_lossy` (`true` or `false`) are understood here,
    /// the others (`host`, `port`, `options`, …) as the driver does.
    /// `password` is used where the address has none.
    ///
    /// # Errors
    /// [`AddressError`].
    pub fn parse(address: &str, password: Option<&str>) -> Result<Self, AddressError> {
        if !is_address(address) {
            return Err(AddressError::Scheme);
        }
        let (rest, query) = address.split_once('?').unwrap_or((address, ""));
        // What follows is the rest of a password, and is not to be quoted.
        if query.contains('@') && !rest.contains('@') {
            return Err(AddressError::Syntax(
                "a `?` in a name or password is written %3F".to_owned(),
            ));
        }
        let mut passed_on = Vec::new();
        let (mut mode, mut roots, mut file) = (None, None, None);
        let (mut timeout, mut readers, mut allow_lossy) = (Self::DEFAULT_TIMEOUT, 2, false);
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, text) = pair.split_once('=').unwrap_or((pair, ""));
            match name {
                "sslmode" => mode = Some(decode(text)?),
                "sslrootcert" => roots = Some(decode(text)?),
                "password_file" => file = Some(PathBuf::from(decode(text)?)),
                "timeout_seconds" => {
                    let reason = "it is a whole number from 1 to 300";
                    let seconds = number("timeout_seconds", reason, text, 300)?;
                    timeout = Duration::from_secs(seconds);
                }
                "readers" => {
                    let reason = "it is a whole number from 1 to 64";
                    readers = usize::try_from(number("readers", reason, text, 64)?).unwrap_or(1);
                }
                "allow_lossy" => {
                    allow_lossy = text.parse().map_err(|_| AddressError::Parameter {
                        parameter: "allow_lossy",
                        reason: "it is true or false",
                    })?;
                }
                _ => passed_on.push(pair),
            }
        }
        let mut plain = rest.to_owned();
        if !passed_on.is_empty() {
            plain.push('?');
            plain.push_str(&passed_on.join("&"));
        }
        let mut config = Config::from_str(&plain)
            .map_err(|error| AddressError::Syntax(super::failure::words(&error)))?;
        if config.get_hosts().is_empty() && config.get_hostaddrs().is_empty() {
            config.host("localhost");
        }
        if config.get_user().is_none() {
            return Err(AddressError::Syntax("it names no user".to_owned()));
        }
        if config.get_password().is_none() {
            if let Some(path) = file {
                config.password(password_of(&path)?.as_str());
            } else if let Some(password) = password {
                config.password(password);
            }
        }
        let tls = tls(&config, mode.as_deref(), roots)?;
        config.ssl_mode(match tls {
            Tls::Disable => SslMode::Disable,
            Tls::Require | Tls::VerifyFull(_) => SslMode::Require,
        });
        config.ssl_negotiation(SslNegotiation::Postgres);
        // A standby answers reads with what was, and cannot be written to.
        config.target_session_attrs(TargetSessionAttrs::ReadWrite);
        Ok(Self {
            config,
            tls,
            timeout,
            readers,
            allow_lossy,
        })
    }
}

fn number(
    parameter: &'static str,
    reason: &'static str,
    text: &str,
    most: u64,
) -> Result<u64, AddressError> {
    text.parse()
        .ok()
        .filter(|number| (1..=most).contains(number))
        .ok_or(AddressError::Parameter { parameter, reason })
}

fn tls(config: &Config, mode: Option<&str>, roots: Option<String>) -> Result<Tls, AddressError> {
    let wrong = |parameter, reason| Err(AddressError::Parameter { parameter, reason });
    let mode = match mode {
        Some(mode) => mode,
        None if local(config) && roots.is_none() => "disable",
        None => "verify-full",
    };
    let roots = roots.filter(|roots| roots != "system").map(PathBuf::from);
    match (mode, roots) {
        ("disable", None) => Ok(Tls::Disable),
        ("require", None) => Ok(Tls::Require),
        ("verify-full", roots) => Ok(Tls::VerifyFull(roots)),
        ("disable" | "require", Some(_)) => wrong(
            "sslrootcert",
            "it is used with sslmode=verify-full only: say that",
        ),
        ("allow" | "prefer", _) => wrong(
            "sslmode",
            "whoever stands between could switch TLS off: use disable, require or verify-full",
        ),
        ("verify-ca", _) => wrong(
            "sslmode",
            "any server with a certificate of that authority would do: use verify-full",
        ),
        _ => wrong("sslmode", "it is disable, require or verify-full"),
    }
}

/// Whether every host is this machine.
fn local(config: &Config) -> bool {
    let loopback = |text: &str| {
        text == "localhost"
            || text
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    };
    config.get_hosts().iter().all(|host| match host {
        Host::Tcp(host) => loopback(host),
        Host::Unix(_) => true,
    }) && config
        .get_hostaddrs()
        .iter()
        .all(std::net::IpAddr::is_loopback)
}

fn password_of(path: &Path) -> Result<String, AddressError> {
    use std::os::unix::fs::PermissionsExt as _;
    let bad = |reason: String| AddressError::PasswordFile {
        path: path.to_owned(),
        reason,
    };
    let metadata = std::fs::metadata(path).map_err(|error| bad(error.to_string()))?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(bad("others may read it: chmod 600".to_owned()));
    }
    let text = std::fs::read_to_string(path).map_err(|error| bad(error.to_string()))?;
    match text.lines().next() {
        Some(line) if !line.is_empty() => Ok(line.to_owned()),
        _ => Err(bad("it is empty".to_owned())),
    }
}

/// Undoes the percent-encoding of a parameter.
fn decode(text: &str) -> Result<String, AddressError> {
    let wrong = || AddressError::Syntax("a parameter's percent-encoding".to_owned());
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err(wrong());
        };
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    String::from_utf8(bytes).map_err(|_| wrong())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(address: &str) -> Result<Options, AddressError> {
        Options::parse(address, Some("from-environment"))
    }

    #[test]
    fn other_hosts_are_verified_unless_told_otherwise() {
        for (address, tls) in [
            ("postgres://u@db.example/skms", Tls::VerifyFull(None)),
            (
                "postgres://u@db.example/skms?sslrootcert=%2Fetc/ca.pem",
                Tls::VerifyFull(Some("/etc/ca.pem".into())),
            ),
            (
                "postgres://u@db.example/skms?sslrootcert=system",
                Tls::VerifyFull(None),
            ),
            ("postgres://u@db.example/skms?sslmode=require", Tls::Require),
            ("postgres://u@db.example/skms?sslmode=disable", Tls::Disable),
            ("postgres://u@127.0.0.1:5433/skms", Tls::Disable),
            ("postgresql://u@[::1]/skms", Tls::Disable),
            ("postgres://u@%2Fvar%2Frun%2Fpostgresql/skms", Tls::Disable),
            ("postgres:///skms?host=/run/pg&user=u", Tls::Disable),
            (
                "postgres://u@localhost,db.example/skms",
                Tls::VerifyFull(None),
            ),
            (
                "postgres://u@localhost/skms?sslrootcert=ca.pem",
                Tls::VerifyFull(Some("ca.pem".into())),
            ),
        ] {
            let options = parse(address).unwrap();
            assert_eq!(options.tls, tls, "{address}");
            let wanted = match tls {
                Tls::Disable => SslMode::Disable,
                _ => SslMode::Require,
            };
            assert_eq!(options.config.get_ssl_mode(), wanted, "{address}");
        }
    }

    #[test]
    fn what_cannot_be_is_refused_in_words_without_the_password() {
        for address in [
            "mysql://u:hunter2@h/d",
            "postgres://u:hunter2@h/d?sslmode=prefer",
            "postgres://u:hunter2@h/d?sslmode=allow",
            "postgres://u:hunter2@h/d?sslmode=verify-ca",
            "postgres://u:hunter2@h/d?sslmode=on",
            "postgres://u:hunter2@h/d?sslmode=require&sslrootcert=x",
            "postgres://u:hunter2@h/d?sslmode=disable&sslrootcert=x",
            "postgres://u:hunter2@h/d?nonesuch=1",
            "postgres://u:hunter2@h/d?timeout_seconds=0",
            "postgres://u:hunter2@h/d?timeout_seconds=301",
            "postgres://u:hunter2@h/d?readers=0",
            "postgres://u:hunter2@h/d?readers=many",
            "postgres://u:hunter2@h/d?allow_lossy=1",
            "postgres://u:hunter2@h:port/d",
            "postgres://u:hunter2@h/d?sslmode=%zz",
            "postgres://u:hunter2@h/d?sslmode=%f",
            "postgres://h/d",
            "postgres://u:secret?hunter2@h/d",
            "postgres://u:secret?hunter2=x@h/d",
            "postgres://u:?hunter2@h/d?sslmode=require",
        ] {
            let error = parse(address).unwrap_err();
            assert!(!error.to_string().contains("hunter2"), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        }
    }

    #[test]
    fn passwords_come_from_one_of_three_places_and_show_in_none() {
        use std::os::unix::fs::PermissionsExt as _;
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("password");
        std::fs::write(&file, "from-file\n").unwrap();
        let with_file = format!("postgres://u@h/d?password_file={}", file.display());
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            parse(&with_file),
            Err(AddressError::PasswordFile { .. })
        ));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
        for (address, password) in [
            ("postgres://u:from-url@h/d", "from-url"),
            (with_file.as_str(), "from-file"),
            ("postgres://u@h/d", "from-environment"),
        ] {
            let options = parse(address).unwrap();
            assert_eq!(options.config.get_password(), Some(password.as_bytes()));
            for shown in [format!("{options:?}"), options.to_string()] {
                assert!(!shown.contains(password), "{shown}");
            }
        }
        assert!(parse("postgres://u@h/d?password_file=/nonesuch").is_err());
    }

    #[test]
    fn limits_are_part_of_the_address() {
        let options = parse("postgres://u@h/d?timeout_seconds=9&readers=4&allow_lossy=true");
        let options = options.unwrap();
        assert_eq!(options.timeout, Duration::from_secs(9));
        assert_eq!((options.readers, options.allow_lossy), (4, true));
        let options = parse("postgres://u@h/d").unwrap();
        assert_eq!(options.timeout, Options::DEFAULT_TIMEOUT);
        assert!(!options.allow_lossy);
    }

    #[test]
    fn it_is_named_without_its_user() {
        let options = parse("postgres://admin@db1.example,db2.example/keys").unwrap();
        assert_eq!(
            options.to_string(),
            "PostgreSQL database keys at db1.example, db2.example"
        );
    }
}
