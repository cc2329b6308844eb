//! Profiles of an authority's own: one of those that come along, held to less.

use serde::{Deserialize, Serialize};
use skms_crypto::Algorithm;
use skms_keys::Name;
use skms_pki::certificate::Form;
use skms_pki::issue::{CommonNameRule, NameRules, Profile, ProfileKind, SubjectRule};

use super::Authority;
use crate::error::{Error, Result};

/// The most entries of each list.
const ENTRIES_MAX: usize = 64;

/// A profile of an authority's own. It takes away from the one that it is based
/// on and never adds to it, but for policies.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NamedProfile {
    /// Its name.
    pub name: String,
    /// The profile that comes along, on which it is based.
    pub base: String,
    /// Domains that DNS names must be in or below; none for any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// The same of mailboxes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_domains: Vec<String>,
    /// Hosts of URIs, or domains that they are below.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uri_hosts: Vec<String>,
    /// Networks that addresses must be in, such as 10.0.0.0/8.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<String>,
    /// Distinguished names that subjects must begin with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// Whether wildcards are refused.
    #[serde(default)]
    pub no_wildcards: bool,
    /// Whether there must be a subject.
    #[serde(default)]
    pub subject_required: bool,
    /// The most names of a certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_names: Option<u32>,
    /// Algorithms that keys may be for; none for all that the base lets in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<String>,
    /// From so many bits of security strength.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum_strength_bits: Option<u16>,
    /// The longest lifetime in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_lifetime_seconds: Option<u64>,
    /// The lifetime in seconds where nobody asks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_lifetime_seconds: Option<u64>,
    /// Purposes (extKeyUsage) out of those of the base, dotted; none for all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub purposes: Vec<String>,
    /// Certificate policies, dotted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
}

/// By which profile a certificate is to be issued.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProfileChoice {
    /// One that comes along.
    Builtin(ProfileKind),
    /// One of the authority's own, by name.
    Named(String),
}

impl From<ProfileKind> for ProfileChoice {
    fn from(kind: ProfileKind) -> Self {
        Self::Builtin(kind)
    }
}

impl From<&str> for ProfileChoice {
    fn from(name: &str) -> Self {
        name.parse()
            .map_or_else(|_| Self::Named(name.to_owned()), Self::Builtin)
    }
}

impl ProfileChoice {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Builtin(kind) => kind.name(),
            Self::Named(name) => name,
        }
    }
}

impl Authority {
    /// A profile, as far as the authority issues by it.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it does not.
    pub(crate) fn profile(&self, choice: &ProfileChoice) -> Result<(ProfileKind, Profile)> {
        let (builtin, named) = (&self.rules.profiles, &self.record.named);
        let found = match choice {
            ProfileChoice::Builtin(kind) if builtin.contains(kind) => Some((*kind, kind.profile())),
            ProfileChoice::Builtin(_) => None,
            ProfileChoice::Named(name) => named
                .iter()
                .find(|one| one.name == *name)
                .map(|one| one.profile())
                .transpose()?,
        };
        let Some((kind, mut profile)) = found else {
            let known = builtin.iter().map(|kind| kind.name());
            let known: Vec<&str> = known
                .chain(named.iter().map(|one| one.name.as_str()))
                .collect();
            return Err(Error::Invalid(format!(
                "this authority issues by: {}",
                known.join(", ")
            )));
        };
        if let Some(longest) = self.rules.max_lifetime_seconds {
            let longest = i64::try_from(longest).unwrap_or(i64::MAX);
            let lifetime = &mut profile.lifetime;
            lifetime.max_seconds = lifetime.max_seconds.min(longest);
            lifetime.default_seconds = lifetime.default_seconds.min(longest);
        }
        Ok((kind, profile))
    }
}

impl NamedProfile {
    /// What certificates by it are like.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what cannot be, or would add to the base.
    pub(crate) fn profile(&self) -> Result<(ProfileKind, Profile)> {
        Name::new(&self.name)?;
        if self.name.parse::<ProfileKind>().is_ok() {
            return Err(Error::Invalid(
                "a profile that comes along has this name".into(),
            ));
        }
        let kind: ProfileKind = self.base.parse().map_err(|_| {
            Error::Invalid("a profile is based on one of those that come along".into())
        })?;
        if matches!(kind, ProfileKind::Root | ProfileKind::Intermediate) {
            return Err(Error::Invalid(
                "authorities are certified by an act of their own, not by a profile".into(),
            ));
        }
        let mut profile = kind.profile();
        self.narrow_names(&mut profile)?;
        self.narrow_keys(&mut profile)?;
        self.narrow_lifetime(&mut profile)?;
        let purposes = read(&self.purposes, "purposes")?;
        if let Some(other) = purposes
            .iter()
            .find(|one| !profile.usage.purposes.contains(one))
        {
            return Err(Error::Invalid(format!(
                "purposes: {} has no {other}",
                self.base
            )));
        }
        if !purposes.is_empty() {
            profile.usage.purposes = purposes;
        }
        profile.policies = read(&self.policies, "policies")?;
        Ok((kind, profile))
    }

    fn narrow_names(&self, profile: &mut Profile) -> Result<()> {
        let names = &mut profile.names;
        let domains = |all: &[String], what: &str| {
            let domain = |text: &String| {
                let label = |one: &str| {
                    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
                    !one.is_empty() && one.len() <= 63 && one.bytes().all(plain)
                };
                let good = text.len() <= 253 && text.split('.').all(label);
                good.then(|| text.to_ascii_lowercase())
                    .ok_or_else(|| Error::Invalid(format!("{what}: not a domain name")))
            };
            few(all, what)?;
            let all = all.iter().map(domain).collect::<Result<Vec<_>>>()?;
            Ok::<_, Error>((!all.is_empty()).then_some(all))
        };
        narrow(&mut names.dns_suffixes, domains(&self.domains, "domains")?);
        narrow(
            &mut names.email_domains,
            domains(&self.email_domains, "email_domains")?,
        );
        narrow(&mut names.uri_hosts, domains(&self.uri_hosts, "uri_hosts")?);
        let networks = read(&self.networks, "networks")?;
        narrow(
            &mut names.networks,
            (!networks.is_empty()).then_some(networks),
        );
        let subjects = read(&self.subjects, "subjects")?;
        narrow(
            &mut names.directory_bases,
            (!subjects.is_empty()).then_some(subjects),
        );
        self.close_forms(names)?;
        names.wildcards &= !self.no_wildcards;
        if self.subject_required {
            if names.subject == SubjectRule::Empty {
                return Err(Error::Invalid(format!(
                    "certificates by {} have no subject",
                    self.base
                )));
            }
            names.subject = SubjectRule::Required;
        }
        if let Some(most) = self.most_names {
            let most = usize::try_from(most).unwrap_or(usize::MAX);
            if most == 0 {
                return Err(Error::Invalid("most_names is from 1".into()));
            }
            names.most = names.most.min(most);
        }
        Ok(())
    }

    /// Once names of one form are confined, there are none of forms that are
    /// not, nor in the common name.
    fn close_forms(&self, names: &mut NameRules) -> Result<()> {
        let given = [
            (Form::Dns, &self.domains),
            (Form::Email, &self.email_domains),
            (Form::Uri, &self.uri_hosts),
            (Form::Ip, &self.networks),
            (Form::Directory, &self.subjects),
        ];
        let given: Vec<Form> = given
            .into_iter()
            .filter(|(_, list)| !list.is_empty())
            .map(|(form, _)| form)
            .collect();
        // A subject alone confines no other name.
        if given.iter().all(|form| *form == Form::Directory) {
            return Ok(());
        }
        names.forms.retain(|form| given.contains(form));
        names.required.retain(|form| given.contains(form));
        if names.forms.is_empty() {
            return Err(Error::Invalid(format!(
                "certificates by {} have no names of these forms",
                self.base
            )));
        }
        if names.required.is_empty() {
            names.required.clone_from(&names.forms);
        }
        if names.common_name == CommonNameRule::Free && self.subjects.is_empty() {
            names.common_name = CommonNameRule::CopyOfName;
        }
        Ok(())
    }

    fn narrow_keys(&self, profile: &mut Profile) -> Result<()> {
        let keys = &mut profile.keys;
        let algorithms: Vec<Algorithm> = read(&self.algorithms, "algorithms")?;
        if let Some(other) = algorithms.iter().find(|one| {
            let beyond = !keys.algorithms.is_empty() && !keys.algorithms.contains(one);
            beyond || one.row().family.is_symmetric()
        }) {
            return Err(Error::Invalid(format!(
                "algorithms: {} does not certify {other}",
                self.base
            )));
        }
        if !algorithms.is_empty() {
            keys.algorithms = algorithms;
        }
        let strength = self.minimum_strength_bits.unwrap_or_default();
        keys.minimum_strength_bits = keys.minimum_strength_bits.max(strength);
        Ok(())
    }

    fn narrow_lifetime(&self, profile: &mut Profile) -> Result<()> {
        let lifetime = &mut profile.lifetime;
        let seconds =
            |value: Option<u64>| value.map(|value| i64::try_from(value).unwrap_or(i64::MAX));
        let (most, usual) = (
            seconds(self.max_lifetime_seconds),
            seconds(self.default_lifetime_seconds),
        );
        if [most, usual].into_iter().flatten().any(|value| value < 60) {
            return Err(Error::Invalid("lifetimes are from a minute".into()));
        }
        lifetime.max_seconds =
            most.map_or(lifetime.max_seconds, |most| most.min(lifetime.max_seconds));
        lifetime.default_seconds = usual
            .unwrap_or(lifetime.default_seconds)
            .min(lifetime.max_seconds);
        Ok(())
    }
}

/// Takes a narrower list where one is given.
fn narrow<T>(place: &mut Option<Vec<T>>, list: Option<Vec<T>>) {
    if list.is_some() {
        *place = list;
    }
}

fn few(all: &[String], what: &str) -> Result<()> {
    match all.len() {
        0..=ENTRIES_MAX => Ok(()),
        _ => Err(Error::Invalid(format!("{what}: 64 at most"))),
    }
}

fn read<T: std::str::FromStr<Err: std::fmt::Display>>(
    all: &[String],
    what: &str,
) -> Result<Vec<T>> {
    few(all, what)?;
    let one = |text: &String| {
        text.parse()
            .map_err(|error: T::Err| Error::Invalid(format!("{what}: {error}")))
    };
    all.iter().map(one).collect()
}
