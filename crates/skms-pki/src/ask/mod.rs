//! Validation of files as they come, with an answer that borrows nothing:
//! what a command or a service needs around [`crate::path::validate`].

mod bundle;

use std::borrow::Cow;
use std::fmt::Write as _;

use skms_crypto::Hash;

use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::ocsp::OcspResponse;
use crate::path::{Evidence, Options, Refusal, ValidPolicies, Work, validate_and_count};
use crate::time::Moment;

pub use bundle::{CERTIFICATES, LISTS, RESPONSES, blocks};

/// The files of a question, each DER or PEM with any number of blocks.
#[derive(Clone, Debug, Default)]
pub struct Papers {
    /// The certificate in question; what follows it in the file is of the
    /// chain.
    pub certificate: Vec<u8>,
    /// Certificates that may be of use, trusted in nothing.
    pub chain: Vec<Vec<u8>>,
    /// Whom to trust.
    pub anchors: Vec<Vec<u8>>,
    /// Revocation lists.
    pub crls: Vec<Vec<u8>>,
    /// OCSP responses.
    pub ocsp: Vec<Vec<u8>>,
}

/// How many structures a question may have.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    /// Certificates, anchors included.
    pub certificates: usize,
    /// Revocation lists.
    pub lists: usize,
    /// OCSP responses.
    pub responses: usize,
}

/// Why a question could not be put: the asker's mistake each time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// A file that is not what it should be.
    #[error("{which}: {source}")]
    Unreadable {
        /// Which file, counted from 1 where there may be several.
        which: String,
        /// What is wrong with it.
        source: crate::Error,
    },
    /// More than the bounds allow.
    #[error("more than {limit} {what}")]
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are allowed.
        limit: usize,
    },
    /// Nobody to trust.
    #[error("no anchor: without somebody to trust nothing is valid")]
    NoAnchor,
}

/// A certificate of the path that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// Whom it is for.
    pub subject: String,
    /// Who issued it.
    pub issuer: String,
    /// Its serial number in hexadecimal.
    pub serial: String,
    /// Its first valid second.
    pub not_before: Moment,
    /// Its last valid second.
    pub not_after: Moment,
    /// SHA-256 of its DER in hexadecimal.
    pub fingerprint: String,
}

/// A path that holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Valid {
    /// The certificate in question first, the anchor last.
    pub path: Vec<Seen>,
    /// What the path is valid for.
    pub policies: ValidPolicies,
}

/// What came out.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The path, or every path that was tried and what it broke.
    pub outcome: Result<Valid, Refusal>,
    /// What it took.
    pub work: Work,
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        // Writing to a String does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

impl Seen {
    /// What is told of it.
    #[must_use]
    pub fn new(certificate: &Certificate<'_>) -> Self {
        Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            serial: hexadecimal(certificate.serial()),
            not_before: certificate.not_before(),
            not_after: certificate.not_after(),
            fingerprint: hexadecimal(&Hash::Sha256.digest(certificate.as_der())),
        }
    }
}

/// DER and the name of the file that it came from.
type Named<'p> = (String, Cow<'p, [u8]>);

fn unpack<'p>(
    what: &str,
    files: &'p [Vec<u8>],
    labels: &[&str],
) -> Result<Vec<Named<'p>>, AskError> {
    let mut all = Vec::new();
    for (index, file) in files.iter().enumerate() {
        let which = format!("{what} {}", index + 1);
        match blocks(file, labels) {
            Ok(found) => all.extend(found.into_iter().map(|der| (which.clone(), der))),
            Err(source) => return Err(AskError::Unreadable { which, source }),
        }
    }
    Ok(all)
}

fn read<'n, T>(
    ders: &'n [Named<'_>],
    parse: impl Fn(&'n [u8]) -> crate::Result<T>,
) -> Result<Vec<T>, AskError> {
    let one = |(which, der): &'n Named<'_>| {
        parse(der).map_err(|source| AskError::Unreadable {
            which: which.clone(),
            source,
        })
    };
    ders.iter().map(one).collect()
}

fn bounded(count: usize, limit: usize, what: &'static str) -> Result<(), AskError> {
    if count > limit {
        Err(AskError::TooMany { what, limit })
    } else {
        Ok(())
    }
}

/// Reads the files and validates.
///
/// # Errors
/// [`AskError`]: files that cannot be read, too many of them, no anchor. That
/// a certificate is refused is no error but a [`Verdict`].
pub fn ask(papers: &Papers, options: &Options<'_>, bounds: &Bounds) -> Result<Verdict, AskError> {
    let first = std::slice::from_ref(&papers.certificate);
    let mut certificates = unpack("certificate", first, CERTIFICATES)?;
    certificates.extend(unpack("chain", &papers.chain, CERTIFICATES)?);
    let anchors = unpack("anchor", &papers.anchors, CERTIFICATES)?;
    let crls = unpack("CRL", &papers.crls, LISTS)?;
    let ocsp = unpack("OCSP response", &papers.ocsp, RESPONSES)?;
    let total = certificates.len() + anchors.len();
    bounded(total, bounds.certificates, "certificates")?;
    bounded(crls.len(), bounds.lists, "revocation lists")?;
    bounded(ocsp.len(), bounds.responses, "OCSP responses")?;
    let certificates = read(&certificates, Certificate::from_der)?;
    let anchors = read(&anchors, Certificate::from_der)?;
    let crls = read(&crls, Crl::from_der)?;
    let ocsp = read(&ocsp, OcspResponse::from_der)?;
    let Some((target, intermediates)) = certificates.split_first() else {
        let source = crate::Error::Malformed {
            what: "PEM",
            why: "no certificate",
        };
        let which = "certificate".to_owned();
        return Err(AskError::Unreadable { which, source });
    };
    if anchors.is_empty() {
        return Err(AskError::NoAnchor);
    }
    let evidence = Evidence {
        anchors: &anchors,
        intermediates,
        crls: &crls,
        ocsp: &ocsp,
    };
    let (found, work) = validate_and_count(target, &evidence, options);
    let outcome = found.map(|valid| Valid {
        path: valid
            .certificates
            .iter()
            .map(|one| Seen::new(one))
            .collect(),
        policies: valid.policies,
    });
    Ok(Verdict { outcome, work })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::path::Rule;

    fn suite(name: &str) -> Vec<u8> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::read(folder.join("testdata/rfc5280-section-6").join(name)).unwrap()
    }

    const BOUNDS: Bounds = Bounds {
        certificates: 3,
        lists: 1,
        responses: 0,
    };

    fn papers() -> Papers {
        Papers {
            certificate: suite("certs/Leaf.crt"),
            chain: vec![suite("certs/CA.crt")],
            anchors: vec![suite("certs/Root.crt")],
            ..Papers::default()
        }
    }

    /// 2030-06-15T12:00:00Z.
    fn put(papers: &Papers) -> Result<Verdict, AskError> {
        ask(papers, &Options::new(Moment(1_907_755_200)), &BOUNDS)
    }

    #[test]
    fn a_verdict_either_way() {
        let valid = put(&papers()).unwrap().outcome.unwrap();
        let names: Vec<_> = valid.path.iter().map(|one| one.subject.as_str()).collect();
        assert_eq!(names, ["CN=Leaf", "CN=CA", "CN=Root"]);
        assert_eq!(valid.path[0].fingerprint.len(), 64);
        let mut without = papers();
        without.chain.clear();
        let refused = put(&without).unwrap().outcome.unwrap_err();
        assert_eq!(refused.rule(), Rule::NoIssuer);
    }

    #[test]
    fn what_cannot_be_asked() {
        let said = |papers: &Papers| put(papers).unwrap_err().to_string();
        let mut bad = papers();
        bad.chain.push(vec![0x30]);
        bad.anchors.clear();
        assert!(said(&bad).starts_with("chain 2: malformed certificate"));
        bad.chain.pop();
        assert!(said(&bad).starts_with("no anchor"));
        bad.anchors = vec![suite("certs/Root.crt"); 2];
        assert_eq!(said(&bad), "more than 3 certificates");
        bad = papers();
        bad.crls = vec![suite("crls/CA.crl"); 2];
        assert_eq!(said(&bad), "more than 1 revocation lists");
        bad.crls = vec![suite("certs/CA.crt")];
        assert!(said(&bad).starts_with("CRL 1: malformed revocation list"));
        bad.crls.clear();
        bad.ocsp = vec![vec![0x30, 0]];
        assert_eq!(said(&bad), "more than 0 OCSP responses");
        bad = papers();
        bad.certificate = Vec::new();
        assert!(said(&bad).starts_with("certificate 1: malformed"));
    }
}
