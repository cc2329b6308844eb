//! Lints: what RFC 5280 asks of conforming authorities, and the TLS Baseline
//! Requirements of public ones, looked for in the bytes that are to be signed.
//! They are read again for it, by the reader that validation uses: what wrote
//! them is not trusted.

mod baseline;
mod encoding;
mod extensions;
mod rfc5280;

use std::fmt;

use crate::certificate::Certificate;
use crate::error::Error;
use crate::time::Moment;

use super::profile::Shape;

pub use baseline::baseline_days;

macro_rules! lints {
    ($($(#[$doc:meta])* $variant:ident $name:literal $reference:literal;)*) => {
        /// A rule about certificates by themselves.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Lint { $($(#[$doc])* $variant,)* }

        impl Lint {
            /// Every lint, in the order of this list.
            #[must_use]
            pub const fn all() -> &'static [Lint] {
                &[$(Lint::$variant,)*]
            }

            /// Its name, made to be searched for: lower case with hyphens.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Lint::$variant => $name,)* }
            }

            /// The section of the standard that has it.
            #[must_use]
            pub const fn reference(self) -> &'static str {
                match self { $(Lint::$variant => $reference,)* }
            }
        }
    };
}

lints! {
    /// Bytes that are not DER, or not a certificate's structure.
    Unreadable "unreadable" "RFC 5280, 4.1; X.690, 10";
    /// An extension that is there twice.
    DuplicateExtension "duplicate-extension" "RFC 5280, 4.2";
    /// Not of version 3.
    Version "version" "RFC 5280, 4.1.2.1";
    /// A serial number that is zero, negative or over 20 octets.
    Serial "serial" "RFC 5280, 4.1.2.2";
    /// A signature algorithm that is weak or not known.
    SignatureAlgorithm "signature-algorithm" "RFC 5280, 4.1.1.2";
    /// An empty issuer.
    EmptyIssuer "empty-issuer" "RFC 5280, 4.1.2.4";
    /// UTCTime from 2050, or GeneralizedTime before.
    TimeEncoding "time-encoding" "RFC 5280, 4.1.2.5";
    /// notBefore after notAfter.
    TimeOrder "time-order" "RFC 5280, 4.1.2.5";
    /// issuerUniqueID or subjectUniqueID.
    UniqueIdentifiers "unique-identifiers" "RFC 5280, 4.1.2.8";
    /// A string of a kind that its attribute must not have, or with letters that
    /// the kind has not.
    NameString "name-string" "RFC 5280, 4.1.2.4, appendix A.1";
    /// An attribute longer than its upper bound.
    NameLength "name-length" "RFC 5280, appendix A.1";
    /// Attributes of one part that are not in DER's order.
    NameOrder "name-order" "X.690, 11.6";
    /// An empty subject of an authority, or without a subjectAltName.
    EmptySubject "empty-subject" "RFC 5280, 4.1.2.6";
    /// subjectAltName critical beside a subject, or not critical without one.
    AltNameCritical "alt-name-critical" "RFC 5280, 4.2.1.6";
    /// A name in subjectAltName that is none of its form.
    AltName "alt-name" "RFC 5280, 4.2.1.6";
    /// An extension that is critical and must not be, or the other way round.
    Criticality "criticality" "RFC 5280, 4.2.1, 4.2.2";
    /// A critical extension that is not known.
    UnknownCritical "unknown-critical" "RFC 5280, 4.2";
    /// A default value that is written down.
    DefaultValue "default-value" "X.690, 11.5";
    /// basicConstraints against itself or against keyUsage.
    BasicConstraints "basic-constraints" "RFC 5280, 4.2.1.9";
    /// keyUsage that is missing, empty, or against basicConstraints.
    KeyUsage "key-usage" "RFC 5280, 4.2.1.3";
    /// keyUsage that the key cannot serve.
    KeyUsageOfKey "key-usage-of-key" "RFC 3279, 2.3; RFC 8410, 5; RFC 8813, 3; RFC 9881, 5";
    /// extKeyUsage against keyUsage, or against itself.
    ExtendedKeyUsage "extended-key-usage" "RFC 5280, 4.2.1.12";
    /// authorityKeyIdentifier missing, or without a key identifier.
    AuthorityKeyIdentifier "authority-key-identifier" "RFC 5280, 4.2.1.1";
    /// subjectKeyIdentifier missing in an authority's certificate.
    SubjectKeyIdentifier "subject-key-identifier" "RFC 5280, 4.2.1.2";
    /// A key that is weak, of an unknown kind, or with odd parameters.
    Key "key" "RFC 5280, 4.1.2.7; RFC 3279, 2.3; RFC 5480, 2";
    /// An extension of authorities in another's certificate.
    AuthorityOnly "authority-only" "RFC 5280, 4.2.1.5, 4.2.1.10, 4.2.1.11, 4.2.1.14";
    /// A distribution point or access location that is no absolute URI.
    Location "location" "RFC 5280, 4.2.1.13, 4.2.2.1";
    /// id-pkix-ocsp-nocheck outside an OCSP signer's certificate.
    OcspNoCheck "ocsp-no-check" "RFC 6960, 4.2.2.2.1";

    /// A serial number that cannot hold 64 random bits.
    WebSerial "web-serial" "CA/B BR, 7.1";
    /// A validity period longer than the schedule allows.
    WebLifetime "web-lifetime" "CA/B BR, 6.3.2";
    /// Names that are missing, internal, of other forms, or with underscores.
    WebNames "web-names" "CA/B BR, 7.1.2.7.12, 7.1.4.2";
    /// A subject with more than country and common name.
    WebSubject "web-subject" "CA/B BR, 7.1.2.7.2";
    /// A common name that is no copy of a name.
    WebCommonName "web-common-name" "CA/B BR, 7.1.4.3";
    /// A key that is neither RSA nor on P-256, P-384 or P-521.
    WebKey "web-key" "CA/B BR, 6.1.5, 7.1.3.1";
    /// A signature by neither RSA nor ECDSA.
    WebSignature "web-signature" "CA/B BR, 7.1.3.2";
    /// keyUsage beyond digitalSignature and, for RSA, keyEncipherment.
    WebKeyUsage "web-key-usage" "CA/B BR, 7.1.2.7.11";
    /// extKeyUsage without serverAuth, or with what must not stand beside it.
    WebPurposes "web-purposes" "CA/B BR, 7.1.2.7.10";
    /// No reserved policy of the Forum's.
    WebPolicies "web-policies" "CA/B BR, 7.1.2.7.9";
    /// Neither a list nor a responder to ask about revocation.
    WebRevocation "web-revocation" "CA/B BR, 7.1.2.7.7, 7.1.2.11.2";
    /// What our own validation refuses in the web's profile.
    WebForm "web-form" "CA/B BR, 7.1.2";
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A lint that fired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which one.
    pub lint: Lint,
    /// What is wrong, in words.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lint, detail } = self;
        write!(f, "{lint}: {detail} ({})", lint.reference())
    }
}

/// By which rules a certificate is linted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Issuing {
    /// Whose rules hold.
    pub shape: Shape,
    /// When it is issued, if that is known: rules that change with the date
    /// take the later one of this and notBefore.
    pub now: Option<Moment>,
}

/// Collects what is found.
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    pub(super) fn add(&mut self, lint: Lint, detail: impl Into<String>) {
        self.0.push(Finding {
            lint,
            detail: detail.into(),
        });
    }

    /// Finds fault where `bad`.
    pub(super) fn when(&mut self, bad: bool, lint: Lint, detail: &str) {
        if bad {
            self.add(lint, detail);
        }
    }
}

/// Lints a certificate. Its signature is not looked at: it need not be there.
#[must_use]
pub fn certificate(der: &[u8], issuing: &Issuing) -> Vec<Finding> {
    let mut findings = Findings(Vec::new());
    match Certificate::from_der(der) {
        Ok(read) => {
            rfc5280::check(&read, &mut findings);
            encoding::check(&read, &mut findings);
            extensions::check(&read, &mut findings);
            if issuing.shape == Shape::BaselineRequirements {
                baseline::check(&read, issuing, &mut findings);
            }
        }
        Err(Error::Malformed { why, .. }) if why == crate::parse::extensions::TWICE => {
            findings.add(Lint::DuplicateExtension, why);
        }
        Err(error) => findings.add(Lint::Unreadable, error.to_string()),
    }
    findings.0
}

#[cfg(test)]
mod tests;
