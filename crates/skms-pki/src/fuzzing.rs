//! Fuzz targets as plain functions: each takes any bytes and must return.

use crate::certificate::Certificate;
use crate::crl::Crl;
use crate::csr::Csr;
use crate::documents::cms::SignedData;
use crate::documents::timestamp::{self, Query, Response};
use crate::documents::{Body, Trust, cose, jws, verify};
use crate::issue::Shape;
use crate::issue::lint::{self, Issuing};
use crate::ocsp::{OcspRequest, OcspResponse};
use crate::oid::OidBuf;
use crate::parse::cursor::{Cursor, tag};
use crate::path::{
    Evidence, Options, PolicyInputs, Profile, Purpose, Revocation, RevocationMode, validate,
};
use crate::reference::ReferenceName;
use crate::ssh::{Certificate as SshCertificate, Krl, PublicKey};
use crate::time::Moment;

/// A certificate: what was read is within what was given, its names print, and
/// it can be linted.
pub fn certificate(data: &[u8]) {
    for shape in [Shape::Rfc5280, Shape::BaselineRequirements] {
        for finding in lint::certificate(data, &Issuing { shape, now: None }) {
            assert!(!finding.to_string().is_empty());
        }
    }
    for text in crate::ask::blocks(data, crate::ask::CERTIFICATES).unwrap_or_default() {
        assert!(text.len() <= data.len());
    }
    let Ok(found) = Certificate::from_der(data) else {
        return;
    };
    assert_eq!(found.as_der(), data);
    assert!(found.subject().matches(found.subject()));
    let _ = format!(
        "{} {} {}",
        found.subject(),
        found.issuer(),
        found.not_after()
    );
    for extension in found.extensions().iter() {
        let dotted = extension.id.to_string();
        if !dotted.starts_with('#') {
            assert_eq!(
                dotted
                    .parse::<OidBuf>()
                    .map(|oid| oid.as_oid() == extension.id),
                Ok(true)
            );
        }
    }
    for name in found
        .extensions()
        .subject_alt_name
        .iter()
        .flat_map(|names| names.iter())
    {
        assert!(name.matches(&name));
        let _ = name.to_string();
    }
}

/// A certification request, and its proof.
pub fn csr(data: &[u8]) {
    if let Ok(found) = Csr::from_der(data) {
        let _ = found.verify();
    }
}

/// A revocation list: every entry is found again.
pub fn crl(data: &[u8]) {
    let Ok(found) = Crl::from_der(data) else {
        return;
    };
    if let Some(entry) = found.entries().next()
        && entry.certificate_issuer.is_none()
    {
        let again = found.find(found.issuer(), entry.serial);
        assert!(again.is_some_and(|again| again.serial == entry.serial));
    }
    let _ = found.has_doubles();
}

/// An OCSP request or response.
pub fn ocsp(data: &[u8]) {
    let _ = OcspRequest::from_der(data).map(|found| assert!(!found.requests.is_empty()));
    let _ = OcspResponse::from_der(data);
}

/// A CMS document: one that is its own anchor's is never taken for granted.
pub fn cms(data: &[u8]) {
    let Ok(found) = SignedData::from_der(data) else {
        return;
    };
    assert!(!found.signers.is_empty());
    let certificates: Vec<_> = found
        .certificates
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    let trust = Trust {
        evidence: Evidence {
            anchors: &certificates,
            ..Evidence::default()
        },
        options: Options::new(Moment(1_795_953_600)),
    };
    let detached = found.content.is_none().then_some(Body::Whole(b"text"));
    if let Ok(signers) = verify(&found, detached, &trust) {
        assert_eq!(signers.len(), found.signers.len());
    }
}

/// What goes to a time-stamping authority and comes back.
pub fn timestamp(data: &[u8]) {
    if let Ok(query) = Query::from_der(data) {
        let _ = query.digest();
    }
    let token = match Response::from_der(data) {
        Ok(Response::Granted(token)) => token,
        _ => data,
    };
    let trust = Trust {
        evidence: Evidence::default(),
        options: Options::new(Moment(1_795_953_600)),
    };
    // There is nobody to trust.
    assert!(timestamp::verify(token, &Body::Whole(b"text"), None, &trust).is_err());
}

/// A COSE_Sign1: one that is its own anchor's is never taken for granted.
pub fn cose(data: &[u8]) {
    let Ok(found) = cose::Sign1::from_cbor(data) else {
        return;
    };
    let certificates: Vec<_> = found
        .certificates()
        .iter()
        .filter_map(|der| Certificate::from_der(der).ok())
        .collect();
    let trust = Trust {
        evidence: Evidence {
            anchors: &certificates,
            ..Evidence::default()
        },
        options: Options::new(Moment(1_795_953_600)),
    };
    let detached = found.content().is_none().then_some(&b"text"[..]);
    if let Ok(by) = cose::verify(&found, detached, &trust) {
        assert_eq!(by.path.first(), found.certificates().first());
    }
}

/// A JWS, whose signer is trusted by nobody.
pub fn jws(data: &[u8]) {
    let trust = Trust {
        evidence: Evidence::default(),
        options: Options::new(Moment(1_795_953_600)),
    };
    let text = String::from_utf8_lossy(data);
    assert!(jws::verify(&text, None, &trust).is_err());
    assert!(jws::verify(&text, Some(b"text"), &trust).is_err());
}

/// An SSH certificate, or the line of a public key: a key that was read is the
/// same when it is written and read again.
pub fn ssh_certificate(data: &[u8]) {
    let again = |key: &PublicKey| {
        assert_eq!(PublicKey::from_line(&key.line("")).as_ref(), Ok(key));
        assert_eq!(key.spki().first(), Some(&tag::SEQUENCE));
    };
    if let Ok(key) = PublicKey::from_line(&String::from_utf8_lossy(data)) {
        again(&key);
    }
    if let Ok(found) = SshCertificate::from_blob(data) {
        again(&found.key);
        assert_eq!(found.name, found.key.certificate_name());
        assert!(found.authority.len() < data.len());
    }
}

/// A key revocation list: what was read is the same when it is written anew.
pub fn ssh_krl(data: &[u8]) {
    let Ok(found) = Krl::decode(data) else {
        return;
    };
    assert!(16 * found.revoked.serials.runs().count() <= 2 * data.len());
    let Some(authority) = found
        .authority
        .as_deref()
        .and_then(|blob| PublicKey::from_blob(blob).ok())
    else {
        return;
    };
    let krl = Krl {
        authority: &authority,
        version: found.version,
        generated_at: found.generated_at,
        comment: &found.comment,
        revoked: &found.revoked,
    };
    let again = Krl::decode(&krl.encode()).map(|again| again.revoked);
    assert_eq!(again.as_ref(), Ok(&found.revoked));
}

/// A whole path: a SEQUENCE of certificates (the target first, the anchor
/// last), lists and responses, one after another as each is read.
pub fn path(data: &[u8]) {
    let Ok(mut list) = Cursor::only(data, tag::SEQUENCE) else {
        return;
    };
    let (mut certificates, mut crls, mut ocsp) = (Vec::new(), Vec::new(), Vec::new());
    while let Ok(tlv) = list.any() {
        if let Ok(found) = Certificate::from_der(tlv.whole) {
            certificates.push(found);
        } else if let Ok(found) = Crl::from_der(tlv.whole) {
            crls.push(found);
        } else if let Ok(found) = OcspResponse::from_der(tlv.whole) {
            ocsp.push(found);
        }
        if certificates.len() + crls.len() + ocsp.len() > 64 {
            return;
        }
    }
    let Some((target, rest)) = certificates.split_first() else {
        return;
    };
    let anchors = rest.last().map(std::slice::from_ref).unwrap_or_default();
    let evidence = Evidence {
        anchors,
        intermediates: rest,
        crls: &crls,
        ocsp: &ocsp,
    };
    let mut options = Options::new(Moment(1_700_000_000));
    options.revocation = Revocation {
        mode: RevocationMode::Require,
        ..Revocation::default()
    };
    options.policies = PolicyInputs {
        require_explicit: true,
        ..PolicyInputs::default()
    };
    ask(target, &evidence, &options);
    options.profile = Profile::WebPki;
    options.purpose = Purpose::ServerAuth;
    options.names.extend(ReferenceName::host("example.com"));
    options.revocation.mode = RevocationMode::WhenKnown;
    ask(target, &evidence, &options);
}

fn ask(target: &Certificate<'_>, evidence: &Evidence<'_, '_>, options: &Options<'_>) {
    match validate(target, evidence, options) {
        Ok(path) => assert!(path.certificates.len() > 1),
        Err(refusal) => assert!(refusal.main().is_some() && !refusal.to_string().is_empty()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PARSERS: [fn(&[u8]); 11] = [
        certificate,
        csr,
        crl,
        ocsp,
        cms,
        timestamp,
        jws,
        cose,
        path,
        ssh_certificate,
        ssh_krl,
    ];

    fn suite(name: &str) -> Vec<u8> {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        std::fs::read(folder.join("testdata/rfc5280-section-6").join(name)).unwrap()
    }

    /// A SEQUENCE of real inputs, long enough for a length of two bytes.
    fn together(names: &[&str]) -> Vec<u8> {
        let body: Vec<u8> = names.iter().flat_map(|name| suite(name)).collect();
        let length = u16::try_from(body.len()).unwrap().to_be_bytes();
        [&[0x30, 0x82][..], &length, &body].concat()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(400))]
        #[test]
        fn any_bytes_return(data in prop::collection::vec(any::<u8>(), 0..300)) {
            for parser in PARSERS {
                parser(&data);
            }
        }

        #[test]
        fn altered_inputs_return(at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let inputs = [
                together(&["certs/Leaf.crt", "certs/CA.crt", "certs/Root.crt", "crls/CA.crl"]),
                suite("certs/Forms.crt"),
                suite("crls/Signer-sticky.crl"),
            ];
            for mut input in inputs {
                let at = at.index(input.len());
                input[at] ^= 1 << bit;
                for parser in PARSERS {
                    parser(&input);
                    parser(&input[..at]);
                }
            }
        }
    }
}
