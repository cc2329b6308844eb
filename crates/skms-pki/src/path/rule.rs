//! The rules that a path can break, each with where it is written.

use std::fmt;

macro_rules! rules {
    ($($(#[$doc:meta])* $variant:ident $name:literal $reference:literal;)*) => {
        /// A rule that a certificate, a path or what was asked of it broke.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Rule { $($(#[$doc])* $variant,)* }

        impl Rule {
            /// Every rule, in the order of this list.
            #[must_use]
            pub const fn all() -> &'static [Rule] {
                &[$(Rule::$variant,)*]
            }

            /// Its name, made to be searched for: lower case with hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Rule::$variant => $name,)* }
            }

            /// The section of the standard that has it.
            #[must_use]
            pub const fn reference(self) -> &'static str {
                match self { $(Rule::$variant => $reference,)* }
            }
        }
    };
}

rules! {
    /// No certificate at hand could have issued this one.
    NoIssuer "no-issuer" "RFC 5280, 6.1.3(a)(4)";
    /// The path comes back to a name and key that it already has.
    Loop "loop" "RFC 4158, 2.4.2";
    /// The search took more work than it may.
    WorkLimit "work-limit" "RFC 5280, 8";
    /// The signature does not hold.
    Signature "signature" "RFC 5280, 6.1.3(a)(1)";
    /// A signature with MD5, SHA-1 or SHA-224.
    WeakSignature "weak-signature" "RFC 5280, 8; SP 800-131A, 3";
    /// A signature algorithm that is not known.
    UnknownSignature "unknown-signature" "RFC 5280, 6.1.3(a)(1)";
    /// A key that is too weak, of a kind that is not accepted, or none at all.
    Key "key" "RFC 5280, 8; CA/B BR, 6.1.5";
    /// Before notBefore.
    NotYetValid "not-yet-valid" "RFC 5280, 6.1.3(a)(2)";
    /// After notAfter.
    Expired "expired" "RFC 5280, 6.1.3(a)(2)";
    /// Times in the wrong one of the two types, or in the wrong order.
    Times "times" "RFC 5280, 4.1.2.5";
    /// Not of version 3.
    Version "version" "RFC 5280, 6.1.4(k); CA/B BR, 7.1.1";
    /// A serial number that is too long, zero or negative.
    Serial "serial" "RFC 5280, 4.1.2.2";
    /// An empty issuer, or an empty subject where there must be one.
    EmptyName "empty-name" "RFC 5280, 4.1.2.4, 4.1.2.6";
    /// A critical extension that is not understood.
    UnknownCriticalExtension "unknown-critical-extension" "RFC 5280, 6.1.4(o), 6.1.5(f)";
    /// An extension that is critical and must not be, or the other way round.
    Criticality "criticality" "RFC 5280, 4.2.1, 4.2.2; CA/B BR, 7.1.2";
    /// An extension that must be there is missing, or must not be there is.
    ExtensionPresence "extension-presence" "RFC 5280, 4.2.1; CA/B BR, 7.1.2";
    /// Not an authority's certificate, and used as one, or the other way round.
    BasicConstraints "basic-constraints" "RFC 5280, 6.1.4(k)";
    /// More intermediates than a pathLenConstraint, or the caller, allows.
    PathLength "path-length" "RFC 5280, 6.1.4(l), (m)";
    /// keyUsage does not allow this use.
    KeyUsage "key-usage" "RFC 5280, 6.1.4(n), 4.2.1.3";
    /// extKeyUsage does not allow this purpose.
    ExtendedKeyUsage "extended-key-usage" "RFC 5280, 4.2.1.12";
    /// A name outside the permitted subtrees, or inside an excluded one.
    NameConstraints "name-constraints" "RFC 5280, 6.1.3(b), (c)";
    /// A name constraint, or a name it applies to, that is malformed or of a
    /// form that cannot be judged.
    NameConstraintForm "name-constraint-form" "RFC 5280, 4.2.1.10";
    /// No policy is valid for the whole path where one is required.
    Policy "policy" "RFC 5280, 6.1.3(f), 6.1.5(g)";
    /// A mapping from or to anyPolicy.
    PolicyMapping "policy-mapping" "RFC 5280, 6.1.4(a)";
    /// The certificate does not bear the name asked for.
    Name "name" "RFC 9525, 6";
    /// A common name that is no copy of a subject alternative name.
    CommonName "common-name" "CA/B BR, 7.1.4.3";
    /// Revoked, and not only held.
    Revoked "revoked" "RFC 5280, 6.3.3";
    /// On hold: revoked with the reason certificateHold, which can be taken back.
    Held "held" "RFC 5280, 5.3.1, 6.3.3";
    /// Nothing at hand says whether it is revoked.
    RevocationUnknown "revocation-unknown" "RFC 5280, 6.3.3";
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A broken rule and what broke it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The rule.
    pub rule: Rule,
    /// What broke it, in words; it may quote the certificate.
    pub detail: String,
}

impl Fault {
    pub(crate) fn new(rule: Rule, detail: impl Into<String>) -> Self {
        Self {
            rule,
            detail: detail.into(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {} ({})",
            self.rule,
            self.detail,
            self.rule.reference()
        )
    }
}

/// The outcome of one check.
pub(crate) type Checked<T = ()> = Result<T, Fault>;

/// A check that failed.
pub(crate) fn fail<T>(rule: Rule, detail: impl Into<String>) -> Checked<T> {
    Err(Fault::new(rule, detail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique() {
        let mut names: Vec<_> = Rule::all().iter().map(|rule| rule.name()).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
