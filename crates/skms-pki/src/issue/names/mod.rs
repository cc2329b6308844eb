//! Holds the names of a request against a profile's rules.

mod dns;
pub(crate) mod internal;
mod punycode;
mod uri;

use std::net::IpAddr;

use crate::certificate::Form;
use crate::oid;
use crate::reference::mailbox;

use super::altname::AltName;
use super::builtin::PRINCIPAL_SCHEME;
use super::error::{Breaches, Demand, IssueError};
use super::name::NameBuf;
use super::profile::{CommonNameRule, NameRules, Profile, Shape, SubjectRule};
use super::request::Request;

/// Whether a domain name, with a wildcard or not, could be certified at all.
pub(crate) fn is_domain_name(text: &str) -> bool {
    dns::check(text.strip_prefix("*.").unwrap_or(text), true).is_ok()
}

/// Whether a text is an absolute URI.
pub(crate) fn is_absolute_uri(text: &str) -> bool {
    uri::read(text).is_some()
}

/// What is to be written: what the request has, or less of it.
pub(crate) fn subject_of(rules: &NameRules, request: &Request) -> NameBuf {
    match rules.subject {
        SubjectRule::Empty => NameBuf::empty(),
        _ => request.subject.clone(),
    }
}

/// Adds everything that is wrong with the names of a request.
pub(crate) fn check(profile: &Profile, request: &Request, breaches: &mut Breaches) {
    let rules = &profile.names;
    let subject = subject_of(rules, request);
    if rules.subject == SubjectRule::Required && subject.is_empty() {
        breaches.add(Demand::Subject, "there is no subject");
    }
    if subject.is_empty() && request.names.is_empty() {
        breaches.add(Demand::NameMissing, "there is no name at all");
    }
    check_subject(profile, &subject, request, breaches);
    check_names(profile, &request.names, breaches);
}

impl Profile {
    /// Holds names alone against the profile, before there is a request for
    /// them: how many they are, their forms, and each of them.
    ///
    /// # Errors
    /// [`IssueError::Refused`] with every rule that they break.
    pub fn check_names(&self, names: &[AltName]) -> Result<(), IssueError> {
        let mut breaches = Breaches::default();
        check_names(self, names, &mut breaches);
        breaches.outcome()
    }
}

fn check_names(profile: &Profile, names: &[AltName], breaches: &mut Breaches) {
    let rules = &profile.names;
    if names.len() > rules.most {
        let detail = format!("{} names, at most {}", names.len(), rules.most);
        breaches.add(Demand::TooManyNames, detail);
        return;
    }
    let forms: Vec<Form> = names.iter().map(AltName::form).collect();
    if !rules.required.is_empty() && !rules.required.iter().any(|form| forms.contains(form)) {
        let detail = format!("there must be one of these forms: {:?}", rules.required);
        breaches.add(Demand::NameMissing, detail);
    }
    for (index, name) in names.iter().enumerate() {
        if !rules.forms.contains(&name.form()) {
            breaches.add(
                Demand::NameForm,
                format!("{name} is of a form outside the profile"),
            );
            continue;
        }
        if names.iter().take(index).any(|other| other == name) {
            breaches.add(Demand::NameSyntax, format!("{name} is there twice"));
        }
        check_name(profile, name, breaches);
    }
}

fn check_name(profile: &Profile, name: &AltName, breaches: &mut Breaches) {
    let rules = &profile.names;
    match name {
        AltName::Dns(text) => check_dns(profile, text, breaches),
        AltName::Email(text) => check_email(rules, text, breaches),
        AltName::Uri(text) => check_uri(rules, text, breaches),
        AltName::Ip(address) => check_ip(profile, *address, breaches),
        AltName::Directory(name) => check_directory(rules, name, "directory name", breaches),
        AltName::Other(..) | AltName::RegisteredId(_) => {}
    }
}

/// Whether a name is one of these domains, or below one.
fn is_in_any(name: &str, domains: &[String]) -> bool {
    domains.iter().any(|domain| {
        let domain = domain.trim_start_matches('.');
        let start = name.len().checked_sub(domain.len());
        start.is_some_and(|start| {
            name.get(start..)
                .is_some_and(|tail| tail.eq_ignore_ascii_case(domain))
                && (start == 0 || name.as_bytes().get(start - 1) == Some(&b'.'))
        })
    })
}

fn check_dns(profile: &Profile, text: &str, breaches: &mut Breaches) {
    let rules = &profile.names;
    let quoted = format!("dns:{}", text.escape_debug());
    let base = match text.strip_prefix("*.") {
        None => text,
        Some(parent) => {
            if !rules.wildcards {
                breaches.add(
                    Demand::Wildcard,
                    format!("{quoted}: the profile allows none"),
                );
            }
            // RFC 9525, section 7.1; which names are public suffixes changes
            // weekly, but a top level name always is one.
            if !parent.contains('.') {
                breaches.add(Demand::Wildcard, format!("{quoted}: right below the top"));
            }
            parent
        }
    };
    if base.contains('*') {
        let detail = format!("{quoted}: only a whole leftmost label may be one");
        return breaches.add(Demand::Wildcard, detail);
    }
    if let Err((demand, why)) = dns::check(base, rules.international) {
        return breaches.add(demand, format!("{quoted}: {why}"));
    }
    if let Some(suffixes) = &rules.dns_suffixes
        && !is_in_any(base, suffixes)
    {
        breaches.add(
            Demand::NameScope,
            format!("{quoted}: below none of the profile's domains"),
        );
    }
    if profile.shape == Shape::BaselineRequirements && internal::is_internal_domain(base) {
        breaches.add(
            Demand::InternalName,
            format!("{quoted}: no name of the public network"),
        );
    }
}

fn check_email(rules: &NameRules, text: &str, breaches: &mut Breaches) {
    let quoted = format!("email:{}", text.escape_debug());
    let Some((_, host)) = mailbox(text).filter(|_| is_visible_ascii(text)) else {
        return breaches.add(
            Demand::NameSyntax,
            format!("{quoted}: not a mailbox of ASCII"),
        );
    };
    if let Err((demand, why)) = dns::check(host, rules.international) {
        return breaches.add(demand, format!("{quoted}: {why}"));
    }
    if let Some(domains) = &rules.email_domains
        && !is_in_any(host, domains)
    {
        breaches.add(
            Demand::NameScope,
            format!("{quoted}: below none of the profile's domains"),
        );
    }
}

fn is_visible_ascii(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn check_uri(rules: &NameRules, text: &str, breaches: &mut Breaches) {
    let quoted = format!("uri:{}", text.escape_debug());
    let Some(found) = uri::read(text) else {
        return breaches.add(Demand::NameSyntax, format!("{quoted}: not an absolute URI"));
    };
    if let Some(host) = found.host
        && host.parse::<IpAddr>().is_err()
        && let Err((demand, why)) = dns::check(host, rules.international)
    {
        return breaches.add(demand, format!("{quoted}: {why}"));
    }
    let is = |scheme: &str| scheme.eq_ignore_ascii_case(found.scheme);
    let in_scope = match &rules.uri_schemes {
        Some(schemes) => schemes.iter().any(|scheme| is(scheme)),
        // Whose certificate has a principal's name is that principal to others.
        None => !is(PRINCIPAL_SCHEME),
    };
    if !in_scope {
        breaches.add(
            Demand::NameScope,
            format!("{quoted}: of a scheme outside the profile"),
        );
    }
    if let Some(hosts) = &rules.uri_hosts
        && !found.host.is_some_and(|host| is_in_any(host, hosts))
    {
        breaches.add(
            Demand::NameScope,
            format!("{quoted}: at none of the profile's hosts"),
        );
    }
}

fn check_ip(profile: &Profile, address: IpAddr, breaches: &mut Breaches) {
    if let Some(networks) = &profile.names.networks
        && !networks.iter().any(|network| network.contains(address))
    {
        let detail = format!("ip:{address}: in none of the profile's networks");
        breaches.add(Demand::NameScope, detail);
    }
    if profile.shape == Shape::BaselineRequirements && internal::is_reserved_address(address) {
        let detail = format!("ip:{address}: no address of the public network");
        breaches.add(Demand::InternalName, detail);
    }
}

fn check_directory(rules: &NameRules, name: &NameBuf, what: &str, breaches: &mut Breaches) {
    let Some(bases) = &rules.directory_bases else {
        return;
    };
    if !bases
        .iter()
        .any(|base| name.as_name().is_within(&base.as_name()))
    {
        let detail = format!("{what} {name}: begins with none of the profile's names");
        breaches.add(Demand::NameScope, detail);
    }
}

/// Letters that are not seen, or turn the order of others.
fn is_hidden(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

fn check_subject(profile: &Profile, subject: &NameBuf, request: &Request, breaches: &mut Breaches) {
    let rules = &profile.names;
    if !subject.is_empty() {
        check_directory(rules, subject, "subject", breaches);
    }
    for attribute in subject.as_name().attributes() {
        if let Some(types) = &rules.subject_attributes
            && !types.iter().any(|kind| kind.as_oid() == attribute.kind)
        {
            let detail = format!(
                "the subject's attribute {} is outside the profile",
                attribute.kind
            );
            breaches.add(Demand::Subject, detail);
        }
        let text = attribute.text().unwrap_or_default();
        if text.chars().any(is_hidden) {
            let detail = format!("hidden letters in {}", text.escape_unicode());
            breaches.add(Demand::NameSyntax, detail);
        }
        if attribute.kind == oid::EMAIL_ADDRESS {
            // A mailbox is one wherever it stands (RFC 5280, 4.2.1.10).
            if rules.forms.contains(&Form::Email) || profile.authority.is_some() {
                check_email(rules, &text, breaches);
            } else {
                breaches.add(
                    Demand::NameForm,
                    "a mailbox in the subject, which the profile has not",
                );
            }
        }
        if attribute.kind == oid::COMMON_NAME {
            check_common_name(rules, &text, request, breaches);
        }
    }
}

fn check_common_name(rules: &NameRules, text: &str, request: &Request, breaches: &mut Breaches) {
    let copies = |name: &AltName| match name {
        AltName::Dns(name) => name.eq_ignore_ascii_case(text),
        AltName::Email(name) | AltName::Uri(name) => name == text,
        AltName::Ip(address) => address.to_string() == text,
        _ => false,
    };
    match rules.common_name {
        CommonNameRule::Free => {}
        CommonNameRule::None => {
            breaches.add(
                Demand::CommonName,
                "a common name, which the profile has not",
            );
        }
        CommonNameRule::CopyOfName if request.names.iter().any(copies) => {}
        CommonNameRule::CopyOfName => {
            let detail = format!("{} is no copy of a name", text.escape_debug());
            breaches.add(Demand::CommonName, detail);
        }
    }
}
