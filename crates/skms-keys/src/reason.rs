//! Why something was revoked, in the words of RFC 5280.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::transitions::Event;

/// A revocation reason (RFC 5280, section 5.3.1).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, PartialOrd, Ord)]
pub enum RevocationReason {
    /// No reason given.
    Unspecified,
    /// The key is, or may be, known to somebody else.
    KeyCompromise,
    /// The same of a certification authority's key.
    CaCompromise,
    /// The holder's name or place changed.
    AffiliationChanged,
    /// Another key took its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// Held back for a while.
    CertificateHold,
    /// Taken off a list again: the end of a hold.
    RemoveFromCrl,
    /// The holder lost the right.
    PrivilegeWithdrawn,
    /// The same as a compromise, of an attribute authority's key.
    AaCompromise,
}

impl RevocationReason {
    /// Every reason of RFC 5280.
    pub const ALL: [RevocationReason; 10] = [
        RevocationReason::Unspecified,
        RevocationReason::KeyCompromise,
        RevocationReason::CaCompromise,
        RevocationReason::AffiliationChanged,
        RevocationReason::Superseded,
        RevocationReason::CessationOfOperation,
        RevocationReason::CertificateHold,
        RevocationReason::RemoveFromCrl,
        RevocationReason::PrivilegeWithdrawn,
        RevocationReason::AaCompromise,
    ];

    /// Its name in RFC 5280's ASN.1: "keyCompromise", "cACompromise".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            RevocationReason::Unspecified => "unspecified",
            RevocationReason::KeyCompromise => "keyCompromise",
            RevocationReason::CaCompromise => "cACompromise",
            RevocationReason::AffiliationChanged => "affiliationChanged",
            RevocationReason::Superseded => "superseded",
            RevocationReason::CessationOfOperation => "cessationOfOperation",
            RevocationReason::CertificateHold => "certificateHold",
            RevocationReason::RemoveFromCrl => "removeFromCRL",
            RevocationReason::PrivilegeWithdrawn => "privilegeWithdrawn",
            RevocationReason::AaCompromise => "aACompromise",
        }
    }

    /// Its `CRLReason` code; 7 is not used.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            RevocationReason::Unspecified => 0,
            RevocationReason::KeyCompromise => 1,
            RevocationReason::CaCompromise => 2,
            RevocationReason::AffiliationChanged => 3,
            RevocationReason::Superseded => 4,
            RevocationReason::CessationOfOperation => 5,
            RevocationReason::CertificateHold => 6,
            RevocationReason::RemoveFromCrl => 8,
            RevocationReason::PrivilegeWithdrawn => 9,
            RevocationReason::AaCompromise => 10,
        }
    }

    /// What revoking a key for this reason does to it; `None` for
    /// [`RevocationReason::RemoveFromCrl`], which ends a hold and revokes
    /// nothing.
    #[must_use]
    pub const fn event(self) -> Option<Event> {
        match self {
            RevocationReason::KeyCompromise
            | RevocationReason::CaCompromise
            | RevocationReason::AaCompromise => Some(Event::Compromise),
            RevocationReason::CertificateHold => Some(Event::Suspend),
            RevocationReason::RemoveFromCrl => None,
            RevocationReason::Unspecified
            | RevocationReason::AffiliationChanged
            | RevocationReason::Superseded
            | RevocationReason::CessationOfOperation
            | RevocationReason::PrivilegeWithdrawn => Some(Event::Deactivate),
        }
    }

    /// Whether it says that somebody else may know the key.
    #[must_use]
    pub const fn is_compromise(self) -> bool {
        matches!(self.event(), Some(Event::Compromise))
    }

    /// Whether it ends the key and not only a version of it: such a key is
    /// not rotated back into use. A compromised or superseded one is, since a
    /// new version is the remedy.
    #[must_use]
    pub const fn ends_key(self) -> bool {
        matches!(
            self,
            RevocationReason::CessationOfOperation | RevocationReason::PrivilegeWithdrawn
        )
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RevocationReason {
    type Err = Error;

    /// RFC 5280's name, in any case.
    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.name().eq_ignore_ascii_case(name))
            .ok_or(Error::UnknownName("revocation reason"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_codes_are_those_of_rfc_5280() {
        // CRLReason in RFC 5280, section 5.3.1, written down again.
        let listed = [
            ("unspecified", 0),
            ("keyCompromise", 1),
            ("cACompromise", 2),
            ("affiliationChanged", 3),
            ("superseded", 4),
            ("cessationOfOperation", 5),
            ("certificateHold", 6),
            ("removeFromCRL", 8),
            ("privilegeWithdrawn", 9),
            ("aACompromise", 10),
        ];
        assert_eq!(listed.len(), RevocationReason::ALL.len());
        for (name, code) in listed {
            let reason: RevocationReason = name.parse().unwrap();
            assert_eq!((reason.name(), reason.code()), (name, code));
            assert_eq!(
                name.to_uppercase().parse::<RevocationReason>().unwrap(),
                reason
            );
        }
        assert!("compromised".parse::<RevocationReason>().is_err());
    }

    #[test]
    fn every_compromise_compromises_and_a_hold_suspends() {
        for reason in RevocationReason::ALL {
            let expected = if reason.name().contains("ompromise") {
                Some(Event::Compromise)
            } else if reason.code() == 6 {
                Some(Event::Suspend)
            } else if reason.code() == 8 {
                None
            } else {
                Some(Event::Deactivate)
            };
            assert_eq!(reason.event(), expected, "{reason}");
        }
    }
}
