//! The `[notifications]` table: where notifications may go.

use std::path::PathBuf;
use std::time::Duration;

use rustls::pki_types::ServerName;
use serde::Deserialize;
use skms_wire::smtp::Mailbox;

use super::{ConfigError, Reach, value};

/// The `[notifications]` table of one source.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotificationSettings {
    /// As [`Reach::resolver`].
    pub resolver: Option<String>,
    /// As [`Reach::allow_private`].
    pub allow_private: Option<bool>,
    /// As [`Reach::allow`].
    pub allow: Option<Vec<String>>,
    /// As [`Reach::timeout`], in seconds.
    pub timeout_seconds: Option<u64>,
    /// As [`NotificationConfig::allow_http`].
    pub allow_http: Option<bool>,
    /// As [`NotificationConfig::ca_file`].
    pub ca_file: Option<PathBuf>,
    /// As [`NotificationConfig::gives_up`], in hours.
    pub give_up_hours: Option<u64>,
    /// As [`NotificationConfig::smtp`].
    pub smtp: Option<SmtpSettings>,
}

/// The `[notifications.smtp]` table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// As [`SmtpConfig::host`].
    pub host: String,
    /// As [`SmtpConfig::port`].
    pub port: Option<u16>,
    /// As [`SmtpConfig::security`]: `implicit`, `starttls` or `none`.
    #[serde(default)]
    pub tls: Security,
    /// As [`SmtpConfig::from`].
    pub from: String,
    /// As [`SmtpConfig::allow_to`].
    #[serde(default)]
    pub allow_to: Vec<String>,
    /// As [`SmtpConfig::login`]: the user.
    pub user: Option<String>,
    /// A file that holds the user's password.
    pub password_file: Option<PathBuf>,
}

/// How mail is protected on its way to the mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Security {
    /// TLS from the first byte (RFC 8314).
    #[default]
    Implicit,
    /// TLS after a plain greeting, and no mail without (RFC 3207).
    Starttls,
    /// Not at all: to this machine alone.
    None,
}

/// The mail server that mail goes by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SmtpConfig {
    /// Its name or address: the operator's choice, and so wherever it is.
    pub host: String,
    /// Its port: 465, 587 or 25 by default, by how it is protected.
    pub port: u16,
    /// How mail is protected on its way there.
    pub security: Security,
    /// From whom mail is.
    pub from: Mailbox,
    /// The domains that mail is sent to; any where there is none. What is below
    /// one is another one.
    pub allow_to: Vec<String>,
    /// Who the server is to it, and the file that holds the password.
    pub login: Option<(String, PathBuf)>,
}

impl SmtpSettings {
    fn resolve(self) -> Result<SmtpConfig, ConfigError> {
        if self.host.is_empty() || ServerName::try_from(self.host.clone()).is_err() {
            return Err(value(
                "notifications.smtp.host",
                "it is a host name or address",
            ));
        }
        let usual = match self.tls {
            Security::Implicit => 465,
            Security::Starttls => 587,
            Security::None => 25,
        };
        let from = self.from.parse::<Mailbox>();
        Ok(SmtpConfig {
            host: self.host,
            port: match self.port.unwrap_or(usual) {
                0 => return Err(value("notifications.smtp.port", "it is from 1 to 65535")),
                port => port,
            },
            security: self.tls,
            from: from.map_err(|error| value("notifications.smtp.from", error.to_string()))?,
            allow_to: self
                .allow_to
                .into_iter()
                .map(|domain| match format!("a@{domain}").parse::<Mailbox>() {
                    Ok(_) => Ok(domain),
                    Err(_) => Err(value(
                        "notifications.smtp.allow_to",
                        "it is a list of domains, such as example.org",
                    )),
                })
                .collect::<Result<_, _>>()?,
            login: match (self.user, self.password_file) {
                (None, None) => None,
                (Some(user), Some(file)) if !user.is_empty() && !user.contains('\0') => {
                    Some((user, file))
                }
                _ => {
                    return Err(value(
                        "notifications.smtp.user",
                        "user and password_file belong together",
                    ));
                }
            },
        })
    }
}

/// Where notifications may go, and for how long they are tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotificationConfig {
    /// Where webhooks are connected to, and how long one delivery may take.
    pub reach: Reach,
    /// Whether webhooks may be plain HTTP, which anybody between can read.
    pub allow_http: bool,
    /// The authorities (PEM) that may have certified receivers; the system's
    /// own by default.
    pub ca_file: Option<PathBuf>,
    /// How long a notification is tried before it is given up.
    pub gives_up: Duration,
    /// The mail server; without one there are no channels to mailboxes.
    pub smtp: Option<SmtpConfig>,
}

impl Default for NotificationConfig {
    fn default() -> Self {
        Self {
            reach: Reach::default(),
            allow_http: false,
            ca_file: None,
            gives_up: Duration::from_secs(3 * 86_400),
            smtp: None,
        }
    }
}

impl NotificationSettings {
    /// What `other` says, and where it says nothing, what this says.
    #[must_use]
    pub fn overridden_by(self, other: Self) -> Self {
        Self {
            resolver: other.resolver.or(self.resolver),
            allow_private: other.allow_private.or(self.allow_private),
            allow: other.allow.or(self.allow),
            timeout_seconds: other.timeout_seconds.or(self.timeout_seconds),
            allow_http: other.allow_http.or(self.allow_http),
            ca_file: other.ca_file.or(self.ca_file),
            give_up_hours: other.give_up_hours.or(self.give_up_hours),
            smtp: other.smtp.or(self.smtp),
        }
    }

    /// Fills in the defaults and checks the whole.
    ///
    /// # Errors
    /// [`ConfigError::Value`] for the first setting that cannot be.
    pub fn resolve(self) -> Result<NotificationConfig, ConfigError> {
        let usual = NotificationConfig::default();
        Ok(NotificationConfig {
            reach: Reach::of(
                [
                    "notifications.resolver",
                    "notifications.allow",
                    "notifications.timeout_seconds",
                ],
                self.resolver,
                self.allow_private,
                self.allow,
                self.timeout_seconds,
            )?,
            allow_http: self.allow_http.unwrap_or(usual.allow_http),
            ca_file: self.ca_file,
            smtp: self.smtp.map(SmtpSettings::resolve).transpose()?,
            gives_up: match self.give_up_hours {
                None => usual.gives_up,
                Some(hours @ 1..=720) => Duration::from_secs(hours * 3600),
                Some(_) => {
                    return Err(value("notifications.give_up_hours", "it is from 1 to 720"));
                }
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_checked() {
        let read = |text: &str| {
            toml::from_str::<NotificationSettings>(text)
                .unwrap()
                .resolve()
        };
        let good = read("allow = ['10.0.0.0/8']\ngive_up_hours = 2\nallow_http = true").unwrap();
        assert_eq!(good.gives_up, Duration::from_secs(7200));
        assert!(good.allow_http && !good.reach.allow_private);
        assert_eq!(read("").unwrap(), NotificationConfig::default());
        for bad in [
            "resolver = '127.0.0.1'",
            "allow = ['10.0.0.0/33']",
            "timeout_seconds = 0",
            "timeout_seconds = 61",
            "give_up_hours = 0",
            "give_up_hours = 721",
            "[smtp]\nhost = ''\nfrom = 'a@b.example'",
            "[smtp]\nhost = 'mail.example.org'\nfrom = 'SKMS <a@b.example>'",
            "[smtp]\nhost = 'mail.example.org'\nfrom = 'a@b.example'\nport = 0",
            "[smtp]\nhost = 'mail.example.org'\nfrom = 'a@b.example'\nuser = 'u'",
            "[smtp]\nhost = 'mail.example.org'\nfrom = 'a@b.example'\nallow_to = ['b@c.example']",
        ] {
            let error = read(bad).unwrap_err().to_string();
            assert!(error.starts_with("notifications."), "{bad}: {error}");
        }
        for bad in [
            "ca = 'x'",
            "[smtp]\nhost = 'x'",
            "[smtp]\nhost = 'x'\nfrom = 'y'\ntls = 'maybe'",
        ] {
            assert!(
                toml::from_str::<NotificationSettings>(bad).is_err(),
                "{bad}"
            );
        }
        let mail = "[smtp]\nhost = 'mail.example.org'\nfrom = 'skms@example.org'";
        let mail = read(mail).unwrap().smtp.unwrap();
        assert_eq!((mail.port, mail.security), (465, Security::Implicit));
    }
}
