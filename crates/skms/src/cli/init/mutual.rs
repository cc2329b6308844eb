//! What makes TLS mutual from the first day: an authority for the server's own
//! listener, and one for administrators with a certificate for the first of
//! them. All of it by ordinary acts of the first token, so that the record
//! shows it.

use std::io::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use skms_crypto::{Algorithm, Use, Uses, rand};
use skms_engine::acts::authorities::{Extent, Foundation, NewAuthority, Rules};
use skms_engine::acts::certificates::{Issued, NewCertificate, SubjectKey};
use skms_engine::acts::create_key::NewKeySpec;
use skms_engine::acts::listener::ListenerCertificate;
use skms_engine::acts::principals::{NewPrincipal, ShownBy};
use skms_engine::{Caller, Engine, Error, KeyRef};
use skms_keys::Defaults;
use skms_pki::issue::{AltName, NameBuf, ProfileKind, principal_uri};
use skms_policy::ROOT_NAMESPACE;

use crate::cli::error::{CliError, Result, with_causes};
use crate::cli::output::{NewFile, hex};
use crate::config::ServerConfig;
use crate::net::listener;

/// The keyring of both authorities' keys.
const KEYRING: &str = "system";
/// The authority of the server's own listener.
const LISTENER: &str = "system";
/// The authority whose certificates show who an administrator is.
const ADMINS: &str = "admins";
/// The first administrator.
const ADMIN: &str = "admin";
/// How long the first administrator's certificate lasts: as long as one of a
/// principal may, since nobody is there yet to renew it.
const ADMIN_SECONDS: u64 = 90 * 86_400;

/// What was made.
pub struct Made {
    admin: Issued,
    listener: ListenerCertificate,
    anchors: Vec<Vec<u8>>,
}

/// Who sets it up: whoever has the first token.
pub async fn caller(engine: &Engine, token: &[u8]) -> std::result::Result<Arc<Caller>, Error> {
    let text = std::str::from_utf8(token).map_err(|_| Error::Unauthenticated)?;
    Ok(Arc::new(Caller {
        session: engine.authenticate_token(text).await?,
        source: None,
        request_id: String::new(),
        tls: false,
        idempotency: None,
        calling: skms_engine::approvals::Calling::default(),
    }))
}

/// Makes the authorities and the first certificates.
pub async fn set_up(
    engine: &Engine,
    caller: &Arc<Caller>,
    names: Vec<AltName>,
) -> std::result::Result<Made, Error> {
    engine
        .create_keyring(caller, ROOT_NAMESPACE, KEYRING, Defaults::default())
        .await?;
    // Told apart where somebody trusts several installations.
    let install = hex(&rand::array::<4>()?);
    let listeners = Rules {
        profiles: vec![ProfileKind::TlsServer],
        listener: true,
        ..Rules::default()
    };
    let admins = Rules {
        profiles: vec![ProfileKind::Principal],
        ..Rules::default()
    };
    let subject = format!("SKMS server authority {install}");
    authority(engine, caller, (LISTENER, &subject), listeners).await?;
    let subject = format!("SKMS administrators {install}");
    authority(engine, caller, (ADMINS, &subject), admins).await?;
    let admin = NewPrincipal {
        name: ADMIN.to_owned(),
        shown_by: ShownBy::Authority(ADMINS.to_owned()),
        groups: std::iter::once("root".to_owned()).collect(),
        expires_at: None,
    };
    engine
        .register_principal(caller, ROOT_NAMESPACE, admin)
        .await?;
    let new = NewCertificate {
        profile: ProfileKind::Principal.into(),
        key: SubjectKey::New(Algorithm::EcP256),
        subject: None,
        names: vec![principal_uri(ROOT_NAMESPACE, "certificate", ADMIN)?],
        lifetime_seconds: Some(ADMIN_SECONDS),
    };
    Ok(Made {
        admin: engine
            .issue_certificate(caller, ROOT_NAMESPACE, ADMINS, new)
            .await?,
        listener: engine.issue_listener_certificate(names).await?,
        anchors: engine.listener_anchors().await?,
    })
}

async fn authority(
    engine: &Engine,
    caller: &Arc<Caller>,
    (name, subject): (&str, &str),
    rules: Rules,
) -> std::result::Result<(), Error> {
    let at = KeyRef {
        namespace: ROOT_NAMESPACE,
        keyring: KEYRING,
        name,
    };
    let spec = NewKeySpec {
        algorithm: Some(Algorithm::EcP384),
        uses: Some(Uses::of(&[Use::Sign])),
        ..NewKeySpec::default()
    };
    engine.create_key(caller, at, spec).await?;
    let new = NewAuthority {
        name: name.to_owned(),
        keyring: KEYRING.to_owned(),
        key: name.to_owned(),
        subject: NameBuf::common_name(subject)
            .map_err(|error| Error::Invalid(error.to_string()))?,
        foundation: Foundation::Root,
        extent: Extent::default(),
        signature: None,
        rules,
    };
    engine
        .create_authority(caller, ROOT_NAMESPACE, new)
        .await
        .map(drop)
}

/// Where the first administrator's files go.
pub struct Files {
    /// The certificate with its key.
    pub identity: PathBuf,
    /// The command line's settings, which name it.
    pub settings: PathBuf,
}

impl Files {
    /// Where it was asked for; else beside the first token, named like it; else
    /// in the data directory.
    pub fn new(asked: Option<&Path>, token: Option<&Path>, data_dir: &Path) -> Self {
        let identity = match (asked, token) {
            (Some(path), _) => path.to_owned(),
            (None, Some(token)) => token.with_extension("pem"),
            (None, None) => data_dir.join("admin.pem"),
        };
        Self {
            settings: identity.with_extension("toml"),
            identity,
        }
    }

    /// Writes them, and the server's own beside its data.
    pub fn write(&self, made: &Made, config: &ServerConfig) -> Result<()> {
        let failed = |error: &dyn std::error::Error| CliError::failure(with_causes(error));
        if config.tls.identity.is_none() {
            listener::write(&config.data_dir, &made.listener).map_err(|error| failed(&error))?;
            listener::write_anchors(&config.data_dir, &made.anchors)
                .map_err(|error| failed(&error))?;
        }
        let key = made.admin.private_key.as_ref();
        let key = key.ok_or_else(|| CliError::failure("the certificate came without its key"))?;
        let own: Vec<_> = made
            .admin
            .certificate
            .chain
            .iter()
            .take(1)
            .cloned()
            .collect();
        let text =
            listener::bundle(&self.identity, key.expose(), &own).map_err(|error| failed(&error))?;
        write(&self.identity, text.as_bytes())?;
        write(&self.settings, self.contents(config).as_bytes())
    }

    fn contents(&self, config: &ServerConfig) -> String {
        let own = self.identity.file_name().unwrap_or_default();
        let mut table = toml::Table::new();
        let mut set = |name: &str, value: String| {
            table.insert(name.to_owned(), toml::Value::String(value));
        };
        if let Some(listen) = config.listen.first() {
            set("address", format!("https://{}", reached(*listen)));
        }
        if config.tls.identity.is_none() {
            let authority = crate::net::certificate::authority_path(&config.data_dir);
            let authority = std::path::absolute(&authority).unwrap_or(authority);
            // Both are said, so that exchanges keep to the server's authority
            // when `ca_file` becomes that of somebody who ends TLS on the way.
            for name in ["ca_file", "exchange_ca_file"] {
                set(name, authority.display().to_string());
            }
        }
        for name in ["client_certificate", "client_key"] {
            set(name, own.display().to_string());
        }
        table.to_string()
    }
}

/// Where a listener at this address is reached from this machine.
fn reached(mut listen: SocketAddr) -> SocketAddr {
    if listen.ip().is_unspecified() {
        listen.set_ip(match listen.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from(std::net::Ipv6Addr::LOCALHOST),
        });
    }
    listen
}

fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    let mut file = NewFile::create(path)?;
    file.write_all(bytes)?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_the_token_unless_asked_otherwise() {
        let (token, data) = (Path::new("x/root.token"), Path::new("/data"));
        let named = |asked: Option<&str>, token| {
            let files = Files::new(asked.map(Path::new), token, data);
            let text = |path: PathBuf| path.to_str().unwrap().to_owned();
            (text(files.identity), text(files.settings))
        };
        let pair = |one: &str, other: &str| (one.to_owned(), other.to_owned());
        assert_eq!(named(None, Some(token)), pair("x/root.pem", "x/root.toml"));
        assert_eq!(
            named(None, None),
            pair("/data/admin.pem", "/data/admin.toml")
        );
        assert_eq!(
            named(Some("me.pem"), Some(token)),
            pair("me.pem", "me.toml")
        );
    }

    #[test]
    fn a_listener_everywhere_is_reached_here() {
        let at = |text: &str| reached(text.parse().unwrap()).to_string();
        assert_eq!(at("0.0.0.0:1"), "127.0.0.1:1");
        assert_eq!(at("[::]:2"), "[::1]:2");
        assert_eq!(at("192.0.2.1:3"), "192.0.2.1:3");
    }
}
