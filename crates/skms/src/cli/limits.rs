//! `skms limits`.

use std::str::FromStr;

use clap::{Args, Subcommand};
use skms_wire::native::limits::{LimitsView, PutLimitsRequest, RateLimit};

use super::Global;
use super::error::Result;
use super::output;

/// Show and set what a namespace's members may have and ask for.
#[derive(Debug, Subcommand)]
pub enum Limits {
    /// Show the namespace's limits
    Show,
    /// Change the limits that are named; the others stay as they are
    Set(Box<Set>),
}

/// What to change. `none` takes a limit away.
#[derive(Debug, Args)]
#[command(arg_required_else_help = true)]
pub struct Set {
    /// Most keys in the namespace
    #[arg(long, value_name = "NUMBER|none")]
    keys: Option<Change<u64>>,
    /// Most keys in each keyring
    #[arg(long, value_name = "NUMBER|none")]
    keys_per_keyring: Option<Change<u64>>,
    /// Most keys in one keyring, instead of that; may be repeated
    #[arg(long, value_name = "NAME=NUMBER|NAME=none")]
    keyring: Vec<Named<u64>>,
    /// Most tokens of one principal that have not ended
    #[arg(long, value_name = "NUMBER|none")]
    tokens_per_principal: Option<Change<u64>>,
    /// Requests a second of each principal, and how many at once
    #[arg(long, value_name = "RATE[/BURST]|none")]
    rate: Option<Change<Rate>>,
    /// Requests of one principal, instead of that; may be repeated
    #[arg(long, value_name = "NAME=RATE[/BURST]|NAME=none")]
    principal_rate: Vec<Named<Rate>>,
}

/// A new value, or none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Change<T>(Option<T>);

impl<T: FromStr> FromStr for Change<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> std::result::Result<Self, T::Err> {
        match text {
            "none" => Ok(Self(None)),
            text => text.parse().map(|value| Self(Some(value))),
        }
    }
}

/// A new value, or none, for what has a name.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Named<T>(String, Change<T>);

impl<T: FromStr> FromStr for Named<T>
where
    T::Err: std::fmt::Display,
{
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        let (name, value) = text.split_once('=').ok_or("it has the form NAME=VALUE")?;
        let value = value
            .parse()
            .map_err(|error: T::Err| format!("{name}: {error}"))?;
        Ok(Self(name.to_owned(), value))
    }
}

/// `100` or `100/500`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Rate(RateLimit);

impl FromStr for Rate {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> std::result::Result<Self, Self::Err> {
        let (per_second, burst) = match text.split_once('/') {
            Some((per_second, burst)) => (per_second, Some(burst.parse()?)),
            None => (text, None),
        };
        Ok(Self(RateLimit {
            per_second: per_second.parse()?,
            burst,
        }))
    }
}

impl Set {
    /// What there is, with what is to be changed.
    fn onto(self, present: LimitsView) -> PutLimitsRequest {
        let mut limits = PutLimitsRequest {
            keys: present.keys,
            keys_per_keyring: present.keys_per_keyring,
            keyrings: present.keyrings,
            tokens_per_principal: present.tokens_per_principal,
            rate: present.rate,
            rates: present.rates,
        };
        if let Some(Change(keys)) = self.keys {
            limits.keys = keys;
        }
        if let Some(Change(keys)) = self.keys_per_keyring {
            limits.keys_per_keyring = keys;
        }
        for Named(name, Change(keys)) in self.keyring {
            match keys {
                Some(keys) => limits.keyrings.insert(name, keys),
                None => limits.keyrings.remove(&name),
            };
        }
        if let Some(Change(tokens)) = self.tokens_per_principal {
            limits.tokens_per_principal = tokens;
        }
        if let Some(Change(rate)) = self.rate {
            limits.rate = rate.map(|rate| rate.0);
        }
        for Named(name, Change(rate)) in self.principal_rate {
            match rate {
                Some(rate) => limits.rates.insert(name, rate.0),
                None => limits.rates.remove(&name),
            };
        }
        limits
    }
}

impl Limits {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<()> {
        let client = global.client()?;
        let limits = client.limits().await?;
        let limits = match self {
            Self::Show => limits,
            Self::Set(set) => client.put_limits(&set.onto(limits)).await?,
        };
        global.show(&limits, print)
    }
}

fn print(limits: &LimitsView) -> Result<()> {
    let number = |value: Option<u64>| value.map_or_else(|| "none".to_owned(), |n| n.to_string());
    let rate = |rate: &RateLimit| match rate.burst {
        Some(burst) => format!("{} a second, {burst} at once", rate.per_second),
        None => format!("{} a second", rate.per_second),
    };
    let mut rows = vec![
        ("keys".to_owned(), number(limits.keys)),
        (
            "keys per keyring".to_owned(),
            number(limits.keys_per_keyring),
        ),
    ];
    for (name, keys) in &limits.keyrings {
        rows.push((format!("keys in {name}"), keys.to_string()));
    }
    let tokens = number(limits.tokens_per_principal);
    rows.push(("tokens per principal".to_owned(), tokens));
    let usual = limits.rate.as_ref().map_or("the server's".to_owned(), rate);
    rows.push(("rate".to_owned(), usual));
    for (name, of_name) in &limits.rates {
        rows.push((format!("rate of {name}"), rate(of_name)));
    }
    let rows: Vec<(&str, String)> = rows
        .iter()
        .map(|(name, value)| (name.as_str(), value.clone()))
        .collect();
    output::fields(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_and_mistakes_are_not() {
        assert_eq!("none".parse(), Ok(Change::<u64>(None)));
        assert_eq!("7".parse(), Ok(Change(Some(7u64))));
        assert_eq!("a=7".parse(), Ok(Named("a".to_owned(), Change(Some(7u64)))));
        let rate = |per_second, burst| Rate(RateLimit { per_second, burst });
        assert_eq!("100".parse(), Ok(rate(100, None)));
        assert_eq!("100/500".parse(), Ok(rate(100, Some(500))));
        for bad in ["", "-1", "1/", "/1", "1/2/3", "x"] {
            assert!(bad.parse::<Rate>().is_err(), "{bad}");
        }
        assert!("a7".parse::<Named<u64>>().is_err());
        assert!("a=x".parse::<Named<u64>>().is_err());
    }

    #[test]
    fn only_what_is_named_changes() {
        let present = LimitsView {
            keys: Some(5),
            keyrings: [("a".to_owned(), 1), ("b".to_owned(), 2)].into(),
            tokens_per_principal: Some(3),
            ..LimitsView::default()
        };
        let set = Set {
            keys: Some(Change(None)),
            keys_per_keyring: Some(Change(Some(9))),
            keyring: vec![Named("a".to_owned(), Change(None))],
            tokens_per_principal: None,
            rate: Some(Change(Some("10/20".parse().unwrap()))),
            principal_rate: Vec::new(),
        };
        let limits = set.onto(present);
        assert_eq!((limits.keys, limits.keys_per_keyring), (None, Some(9)));
        assert_eq!(limits.keyrings, [("b".to_owned(), 2)].into());
        assert_eq!(limits.tokens_per_principal, Some(3));
        assert_eq!(limits.rate.and_then(|rate| rate.burst), Some(20));
    }
}
