//! What a role lets people have, and what comes of one request.

use super::certificate::{CertificateType, PRINCIPALS_MAX};
use super::error::{Error, Result};
use super::options::{self, FORCE_COMMAND, Options, SOURCE_ADDRESS, VERIFY_REQUIRED};
use super::public::{self, PublicKey};
use crate::issue::IpNetwork;

/// Seconds that certificates are valid before they are made, for clocks that
/// are slow.
pub const BACKDATE_SECONDS: u64 = 120;

/// The longest lifetime a role may give: ten years.
pub const LIFETIME_MAX: u64 = 10 * 366 * 86_400;

/// The longest key identifier, in bytes: of certificates, and of entries in a
/// revocation list.
pub const KEY_ID_MAX: usize = 4096;

/// What may be written into a key identifier's pattern.
const PLACES: [&str; 4] = ["{caller}", "{role}", "{principals}", "{serial}"];

/// What certificates of a role are like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Role {
    /// Principals that may be asked for: names, `*.` and a suffix, or `*` for
    /// any.
    pub principals: Vec<String>,
    /// Given where nothing is asked for.
    pub default_principals: Vec<String>,
    /// How long certificates last where nothing is asked for, in seconds.
    pub default_seconds: u64,
    /// How long they last at most, in seconds.
    pub max_seconds: u64,
    /// Extensions that certificates have where nothing is asked for.
    pub extensions: Vec<String>,
    /// Extensions that may be asked for besides.
    pub allowed_extensions: Vec<String>,
    /// The only command that certificates are good for.
    pub force_command: Option<String>,
    /// Where logins may come from; anywhere if empty.
    pub source_addresses: Vec<IpNetwork>,
    /// Whether a security key must have verified its user.
    pub verify_required: bool,
    /// Names of the kinds of keys that are certified; all if empty.
    pub key_types: Vec<String>,
    /// The pattern of key identifiers, which servers write into their logs:
    /// `{caller}`, `{role}`, `{principals}` and `{serial}` are replaced.
    pub key_id: String,
}

impl Default for Role {
    /// For nobody: an hour by default, a day at most, an interactive shell.
    fn default() -> Self {
        Self {
            principals: Vec::new(),
            default_principals: Vec::new(),
            default_seconds: 3600,
            max_seconds: 86_400,
            extensions: vec!["permit-pty".to_owned()],
            allowed_extensions: Vec::new(),
            force_command: None,
            source_addresses: Vec::new(),
            verify_required: false,
            key_types: Vec::new(),
            key_id: "{caller}/{role}/{serial}".to_owned(),
        }
    }
}

/// What one request asks for; what it leaves out is the role's.
#[derive(Clone, Debug, Default)]
pub struct Asked {
    /// Principals.
    pub principals: Vec<String>,
    /// How long, in seconds.
    pub seconds: Option<u64>,
    /// Exactly these extensions.
    pub extensions: Option<Vec<String>>,
    /// The only command, where the role has none.
    pub force_command: Option<String>,
    /// Networks within the role's.
    pub source_addresses: Vec<IpNetwork>,
}

/// What a certificate is to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whom it is for.
    pub certificate_type: CertificateType,
    /// Its number.
    pub serial: u64,
    /// What servers write into their logs.
    pub key_id: String,
    /// Names it is good for; never none, which would be all of them.
    pub principals: Vec<String>,
    /// The first second it is valid, since 1970.
    pub valid_after: u64,
    /// The first second it is not valid any more.
    pub valid_before: u64,
    /// What restricts it.
    pub critical_options: Options,
    /// What it permits.
    pub extensions: Options,
}

/// Who asks, when, and the new certificate's number.
#[derive(Clone, Copy, Debug)]
pub struct Circumstances<'a> {
    /// The caller's name.
    pub caller: &'a str,
    /// The role's name.
    pub role: &'a str,
    /// Never zero.
    pub serial: u64,
    /// Seconds since 1970.
    pub now: u64,
}

impl Role {
    /// Whether there can be such a role of an authority for `kind`.
    ///
    /// # Errors
    /// [`Error::Role`] for the first thing that cannot be.
    pub fn check(&self, kind: CertificateType) -> Result<()> {
        let bad = |text: &str| Err(Error::Role(text.to_owned()));
        if self.principals.is_empty() {
            return bad("a role has principals: names, *.suffix, or * for any");
        }
        if let Some(wrong) = self.principals.iter().find(|one| {
            let name = one.strip_prefix("*.").unwrap_or(one);
            *one != "*" && (!is_principal(name) || name.contains('*'))
        }) {
            return Err(Error::Role(format!(
                "{} is no principal",
                wrong.escape_debug()
            )));
        }
        if !(60..=LIFETIME_MAX).contains(&self.max_seconds)
            || !(60..=self.max_seconds).contains(&self.default_seconds)
        {
            return bad(
                "lifetimes are from a minute to ten years, the default at most the longest",
            );
        }
        let restricts = self.force_command.is_some()
            || !self.source_addresses.is_empty()
            || self.verify_required;
        let permits = !self.extensions.is_empty() || !self.allowed_extensions.is_empty();
        if kind == CertificateType::Host && (restricts || permits) {
            return bad("certificates of hosts have no options and no extensions");
        }
        let mut extensions = self.extensions.iter().chain(&self.allowed_extensions);
        if let Some(wrong) = extensions.find(|name| !options::is_extension(name)) {
            return Err(Error::Role(format!(
                "{} is no extension: there are {}, and private ones as name@domain",
                wrong.escape_debug(),
                options::EXTENSIONS.join(", ")
            )));
        }
        if self
            .force_command
            .as_deref()
            .is_some_and(|one| !is_command(one))
        {
            return bad("a command is one line of at most 1024 bytes");
        }
        if !self.source_addresses.iter().all(|one| one.is_canonical()) {
            return bad("a network has no bits beyond its prefix, such as 10.0.0.0/8");
        }
        if let Some(wrong) = self
            .key_types
            .iter()
            .find(|name| !public::names().any(|one| one == *name))
        {
            return Err(Error::Role(format!(
                "{} is no kind of key that is certified; those are: {}",
                wrong.escape_debug(),
                public::names().collect::<Vec<_>>().join(", ")
            )));
        }
        let mut rest = self.key_id.clone();
        for place in PLACES {
            rest = rest.replace(place, "");
        }
        if self.key_id.is_empty()
            || self.key_id.len() > 128
            || !rest
                .bytes()
                .all(|b| b.is_ascii_graphic() && b != b'{' && b != b'}')
        {
            return Err(Error::Role(format!(
                "a key identifier is of visible ASCII letters and {}",
                PLACES.join(", ")
            )));
        }
        for principal in &self.default_principals {
            if !self.lets_through(principal) {
                return bad("a default principal is one of those that may be asked for");
            }
        }
        Ok(())
    }

    fn lets_through(&self, principal: &str) -> bool {
        is_principal(principal)
            && self
                .principals
                .iter()
                .any(|one| match one.strip_prefix('*') {
                    Some(suffix) => principal.len() > suffix.len() && principal.ends_with(suffix),
                    None => one == principal,
                })
    }

    /// What a request comes to.
    ///
    /// # Errors
    /// [`Error::Refused`] with everything that the role does not let through.
    pub fn grant(
        &self,
        kind: CertificateType,
        key: &PublicKey,
        asked: &Asked,
        at: Circumstances<'_>,
    ) -> Result<Grant> {
        let mut refused = Vec::new();
        if !self.key_types.is_empty() && !self.key_types.iter().any(|name| name == key.name()) {
            refused.push(format!(
                "key: the role certifies {}",
                self.key_types.join(", ")
            ));
        }
        if self.verify_required && !key.name().starts_with("sk-") {
            // The option binds security keys alone; others would pass it by.
            refused.push("key: the role certifies security keys only".to_owned());
        }
        let lists = [
            asked.principals.len(),
            asked.extensions.as_ref().map_or(0, |all| all.len()),
            asked.source_addresses.len(),
        ];
        if lists.iter().any(|length| *length > PRINCIPALS_MAX) {
            return Err(Error::Refused(vec![format!(
                "over {PRINCIPALS_MAX} principals, extensions or source addresses"
            )]));
        }
        let principals = self.principals(asked, &mut refused);
        let seconds = asked.seconds.unwrap_or(self.default_seconds);
        if !(1..=self.max_seconds).contains(&seconds) {
            refused.push(format!(
                "lifetime: {seconds} seconds, at most {}",
                self.max_seconds
            ));
        }
        let extensions = self.extensions(asked, &mut refused);
        let critical_options = self.critical_options(kind, asked, &mut refused);
        if at.serial == 0 {
            refused.push("serial: zero".to_owned());
        }
        let key_id = self
            .key_id
            .replace("{caller}", at.caller)
            .replace("{role}", at.role)
            .replace("{principals}", &principals.join(","))
            .replace("{serial}", &at.serial.to_string());
        if key_id.len() > KEY_ID_MAX {
            refused.push(format!("key identifier: over {KEY_ID_MAX} bytes"));
        }
        if !refused.is_empty() {
            return Err(Error::Refused(refused));
        }
        Ok(Grant {
            certificate_type: kind,
            serial: at.serial,
            key_id,
            principals,
            valid_after: at.now.saturating_sub(BACKDATE_SECONDS),
            valid_before: at.now.saturating_add(seconds),
            critical_options,
            extensions,
        })
    }

    fn principals(&self, asked: &Asked, refused: &mut Vec<String>) -> Vec<String> {
        let mut principals: Vec<String> = Vec::new();
        let wanted = match asked.principals.is_empty() {
            true => &self.default_principals,
            false => &asked.principals,
        };
        for one in wanted {
            if !self.lets_through(one) {
                refused.push(format!("principal: {}", one.escape_debug()));
            } else if !principals.contains(one) {
                principals.push(one.clone());
            }
        }
        if wanted.is_empty() {
            refused.push("principal: none is asked for, and the role gives none".to_owned());
        }
        if principals.len() > PRINCIPALS_MAX {
            refused.push(format!("principal: over {PRINCIPALS_MAX} of them"));
        }
        principals
    }

    fn extensions(&self, asked: &Asked, refused: &mut Vec<String>) -> Options {
        let wanted = asked.extensions.as_ref().unwrap_or(&self.extensions);
        for one in wanted {
            if !self.extensions.contains(one) && !self.allowed_extensions.contains(one) {
                refused.push(format!("extension: {}", one.escape_debug()));
            }
        }
        wanted.iter().map(|name| (name.clone(), None)).collect()
    }

    fn critical_options(
        &self,
        kind: CertificateType,
        asked: &Asked,
        refused: &mut Vec<String>,
    ) -> Options {
        let mut options = Options::new();
        let command = self.force_command.as_ref().or(asked.force_command.as_ref());
        if let Some(command) = command {
            if asked
                .force_command
                .as_ref()
                .is_some_and(|one| one != command)
            {
                refused.push("force-command: the role has another one".to_owned());
            } else if !is_command(command) {
                refused.push("force-command: it is one line of at most 1024 bytes".to_owned());
            }
            options.insert(FORCE_COMMAND.to_owned(), Some(command.clone()));
        }
        let networks = match asked.source_addresses.is_empty() {
            true => &self.source_addresses,
            false => &asked.source_addresses,
        };
        for one in networks {
            let own = &self.source_addresses;
            if !one.is_canonical() {
                refused.push(format!("source-address: {one} has bits beyond its prefix"));
            } else if !own.is_empty() && !own.iter().any(|all| all.covers(*one)) {
                refused.push(format!("source-address: {one}"));
            }
        }
        if !networks.is_empty() {
            let list: Vec<String> = networks.iter().map(IpNetwork::to_string).collect();
            options.insert(SOURCE_ADDRESS.to_owned(), Some(list.join(",")));
        }
        if self.verify_required {
            options.insert(VERIFY_REQUIRED.to_owned(), None);
        }
        if kind == CertificateType::Host && !options.is_empty() {
            refused.push("options: certificates of hosts have none".to_owned());
        }
        options
    }
}

/// A name that means the same to everybody who reads it: visible ASCII, and
/// none of the signs that patterns and lists are made of.
fn is_principal(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 255
        && name
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b",*?!\"'\\".contains(&byte))
}

fn is_command(text: &str) -> bool {
    !text.is_empty() && text.len() <= 1024 && !text.chars().any(char::is_control)
}
