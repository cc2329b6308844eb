//! Under what circumstances.

use std::net::IpAddr;

/// The circumstances of a request that policies may weigh.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct Context {
    /// Seconds since the Unix epoch.
    pub now_unix: i64,
    /// The peer's address, where there is one.
    pub source_ip: Option<IpAddr>,
    /// Whether the connection is TLS.
    pub tls: bool,
    /// Whether the caller proved possession of a client certificate's key.
    pub certificate: bool,
}

/// The fields of the context that a policy mentions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct ContextFields(u8);

impl ContextFields {
    /// `context.now`.
    pub const NOW: Self = Self(1);
    /// `context.source_ip`.
    pub const SOURCE_IP: Self = Self(2);
    /// `context.tls`.
    pub const TLS: Self = Self(4);
    /// `context.certificate`.
    pub const CERTIFICATE: Self = Self(8);
    /// All of them: what a policy that handles the context whole mentions.
    pub const ALL: Self = Self(15);
    /// Each of them by itself.
    pub(crate) const EACH: [Self; 4] = [Self::NOW, Self::SOURCE_IP, Self::TLS, Self::CERTIFICATE];

    /// The field of that name; a name the schema does not know cannot pass
    /// validation, and counts as all of them to be safe.
    pub(crate) fn named(name: &str) -> Self {
        match name {
            "now" => Self::NOW,
            "source_ip" => Self::SOURCE_IP,
            "tls" => Self::TLS,
            "certificate" => Self::CERTIFICATE,
            _ => Self::ALL,
        }
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `other` is in here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Context {
    /// The context with everything blanked that is not mentioned, so that two
    /// requests which differ only there compare equal.
    pub(crate) fn only(&self, fields: ContextFields) -> Self {
        let none = Self::default();
        Self {
            now_unix: if fields.contains(ContextFields::NOW) {
                self.now_unix
            } else {
                none.now_unix
            },
            source_ip: if fields.contains(ContextFields::SOURCE_IP) {
                self.source_ip
            } else {
                none.source_ip
            },
            tls: fields.contains(ContextFields::TLS) && self.tls,
            certificate: fields.contains(ContextFields::CERTIFICATE) && self.certificate,
        }
    }
}
