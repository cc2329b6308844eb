//! The rules of keys as options, and tags.

use clap::Args;
use skms_wire::Moment;
use skms_wire::native::keys::Rules;

use crate::cli::duration;
use crate::cli::error::{CliError, Result};
use crate::cli::keyname::KeyName;
use crate::cli::size;

/// A key's rules.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Rules")]
pub struct RuleOptions {
    /// A version made now waits until then (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    activate_at: Option<Moment>,
    /// How long a version protects, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    originator_usage_period: Option<u64>,
    /// How long a version processes, such as 730d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    recipient_usage_period: Option<u64>,
    /// Rotate so long after a version came into use, such as 90d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    rotate_every: Option<u64>,
    /// Rotate by the clock, as crontab(5) writes it: '0 3 1 * *', or @monthly
    #[arg(long, value_name = "SCHEDULE", allow_hyphen_values = true)]
    rotate_at: Option<String>,
    /// The time zone of --rotate-at, such as Europe/Berlin; UTC by default
    #[arg(long, value_name = "ZONE")]
    zone: Option<String>,
    /// Rotate when the material is so old, such as 365d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    rotate_at_age: Option<u64>,
    /// Rotate after so many protecting uses of a version
    #[arg(long, value_name = "COUNT")]
    rotate_after_uses: Option<u64>,
    /// Rotate after a version encrypted so much, such as 64GiB
    #[arg(long, value_name = "SIZE", value_parser = size::bytes)]
    rotate_after_bytes: Option<u64>,
    /// Rotate when this key got a new version: KEYRING/NAME or NAME
    #[arg(long, value_name = "KEY")]
    rotate_with: Option<KeyName>,
    /// Rotate on owner-left, holder-left or algorithm-withdrawn; a list with commas
    #[arg(long, value_name = "EVENTS", value_delimiter = ',')]
    rotate_on: Vec<String>,
    /// Spread rotations that are due at one time over so long, such as 1h
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    rotate_spread: Option<u64>,
    /// Warn so long before a rotation, the end of a period or the expiry
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    warn_before: Option<u64>,
    /// Warn at so many percent of the uses or bytes of a rotation
    #[arg(long, value_name = "PERCENT")]
    warn_at_percent: Option<u8>,
    /// Destroy a replaced version so long after its recipient-usage period
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    destroy_old_after: Option<u64>,
    /// The key no longer protects after then (RFC 3339)
    #[arg(long, value_name = "INSTANT")]
    expires_at: Option<Moment>,
    /// How long a destruction waits and can be cancelled, such as 7d
    #[arg(long, value_name = "DURATION", value_parser = duration::seconds)]
    destroy_window: Option<u64>,
    /// An audited permission for something old; may be repeated
    #[arg(long, value_name = "NAME")]
    legacy: Vec<String>,
    /// Take a rule away, by the name of its option; may be repeated
    #[arg(long, value_name = "RULE")]
    without: Vec<String>,
}

impl RuleOptions {
    /// The rules that were given, if any were.
    pub fn rules(self) -> Result<Option<Rules>> {
        if self.rotate_after_uses == Some(0) {
            return Err(CliError::usage("--rotate-after-uses is at least 1"));
        }
        let rules = Rules {
            activate_at: self.activate_at,
            originator_usage_period_seconds: self.originator_usage_period,
            recipient_usage_period_seconds: self.recipient_usage_period,
            rotate_every_seconds: self.rotate_every,
            rotate_at: self.rotate_at,
            zone: self.zone,
            rotate_at_age_seconds: self.rotate_at_age,
            rotate_after_uses: self.rotate_after_uses,
            rotate_after_bytes: self.rotate_after_bytes,
            rotate_with: self
                .rotate_with
                .map(|key| format!("{}/{}", key.keyring, key.name)),
            rotate_on: self.rotate_on,
            rotate_spread_seconds: self.rotate_spread,
            warn_before_seconds: self.warn_before,
            warn_at_percent: self.warn_at_percent,
            destroy_old_after_seconds: self.destroy_old_after,
            expires_at: self.expires_at,
            destroy_window_seconds: self.destroy_window,
            legacy: self.legacy,
            without: self.without,
        };
        Ok((rules != Rules::default()).then_some(rules))
    }
}

/// Rules for people to read, written as the options take them.
pub fn fields(rules: &Rules) -> Vec<(&'static str, String)> {
    let days = |seconds: Option<u64>| seconds.map(duration::written).unwrap_or_default();
    let at = |moment: Option<Moment>| moment.map(|at| at.to_string()).unwrap_or_default();
    vec![
        ("activate at", at(rules.activate_at)),
        ("expires at", at(rules.expires_at)),
        (
            "originator period",
            days(rules.originator_usage_period_seconds),
        ),
        (
            "recipient period",
            days(rules.recipient_usage_period_seconds),
        ),
        ("rotate every", days(rules.rotate_every_seconds)),
        (
            "rotate at",
            rules
                .rotate_at
                .as_ref()
                .map(|cron| format!("{cron} {}", rules.zone.as_deref().unwrap_or("UTC")))
                .unwrap_or_default(),
        ),
        ("rotate at age", days(rules.rotate_at_age_seconds)),
        (
            "rotate after",
            [
                rules.rotate_after_uses.map(|count| format!("{count} uses")),
                rules.rotate_after_bytes.map(size::written),
            ]
            .into_iter()
            .flatten()
            .collect::<Vec<_>>()
            .join(", "),
        ),
        ("rotate with", rules.rotate_with.clone().unwrap_or_default()),
        ("rotate on", rules.rotate_on.join(", ")),
        ("rotate spread", days(rules.rotate_spread_seconds)),
        ("warn before", days(rules.warn_before_seconds)),
        (
            "warn at",
            rules
                .warn_at_percent
                .map(|percent| format!("{percent} %"))
                .unwrap_or_default(),
        ),
        ("destroy old after", days(rules.destroy_old_after_seconds)),
        ("destroy window", days(rules.destroy_window_seconds)),
        ("legacy", rules.legacy.join(", ")),
    ]
}

/// A label `NAME=VALUE`.
pub fn tag(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as NAME=VALUE".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_given_is_no_rules() {
        assert!(RuleOptions::default().rules().unwrap().is_none());
        let some = RuleOptions {
            destroy_window: Some(60),
            ..RuleOptions::default()
        };
        assert_eq!(
            some.rules().unwrap().unwrap().destroy_window_seconds,
            Some(60)
        );
        let zero = RuleOptions {
            rotate_after_uses: Some(0),
            ..RuleOptions::default()
        };
        assert!(zero.rules().is_err());
    }

    #[test]
    fn tags() {
        assert_eq!(tag("a=b=c"), Ok(("a".into(), "b=c".into())));
        assert!(tag("a").is_err() && tag("=b").is_err());
    }
}
