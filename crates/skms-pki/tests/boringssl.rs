//! BoringSSL's chains, lists and OCSP responses (testdata/boringssl-*), judged
//! as their READMEs say.
#![allow(clippy::unwrap_used, missing_docs)]

#[path = "../examples/shared/moment.rs"]
mod moment;
#[path = "../examples/shared/pem.rs"]
mod pem;
mod support;

use std::collections::BTreeMap;

use moment::moment;
use pem::pem;
use serde::Deserialize;
use skms_pki::ocsp::SingleStatus;
use skms_pki::path::{AnchorUse, Purpose, RevocationMode, Rule, ValidPolicies};
use skms_pki::revocation::{ResponderRules, Status, judge_response};
use skms_pki::{Certificate, Crl, Evidence, Moment, OcspRequest, OcspResponse, Options, validate};

/// Everything that can go wrong here.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

#[derive(Deserialize)]
struct Chain {
    test: String,
    chain: String,
    last_cert_trust: String,
    utc_time: String,
    key_purpose: String,
    digest_policy: Option<String>,
    expected: String,
    expected_user_constrained_policy_set: Option<String>,
}

fn utc(text: &str) -> Moment {
    // BoringSSL's own default.
    let text = if text == "DEFAULT" {
        "211005120000Z"
    } else {
        text
    };
    let part = |from: usize| &text[from..from + 2];
    moment(&format!(
        "20{}-{}-{}T{}:{}:{}Z",
        part(0),
        part(2),
        part(4),
        part(6),
        part(8),
        part(10)
    ))
    .unwrap()
}

/// What the anchor's certificate counts for; `None` for kinds of trust that
/// are not offered here.
fn anchor_use(trust: &str) -> Option<AnchorUse> {
    Some(match trust {
        "TRUSTED_ANCHOR" | "TRUSTED_ANCHOR_WITH_REQUIRE_BASIC_CONSTRAINTS" => AnchorUse {
            validity: false,
            constraints: false,
        },
        "TRUSTED_ANCHOR_WITH_EXPIRATION" => AnchorUse {
            validity: true,
            constraints: false,
        },
        "TRUSTED_ANCHOR_WITH_CONSTRAINTS"
        | "TRUSTED_ANCHOR_WITH_CONSTRAINTS_REQUIRE_BASIC_CONSTRAINTS" => AnchorUse {
            validity: false,
            constraints: true,
        },
        "TRUSTED_ANCHOR_WITH_EXPIRATION_AND_CONSTRAINTS" => AnchorUse::default(),
        _ => return None,
    })
}

/// Cases judged otherwise than BoringSSL judges them, and why.
const DIFFERENT: &[(&str, &str)] = &[
    (
        "many-names/ok-all-types.test",
        "RFC 5280, 4.2.1.10: name constraints MUST be critical; only the web's profile lets \
         others pass",
    ),
    (
        "root-lacks-basic-constraints/ta-with-constraints-require-basic-constraints.test",
        "RFC 5280, 6.1.1(d): an anchor needs no basicConstraints; the web's profile asks for them",
    ),
];

#[test]
fn chains() {
    let folder = support::testdata("boringssl-chains");
    let index = std::fs::read(folder.join("index.json")).unwrap();
    let cases: Vec<Chain> = serde_json::from_slice(&index).unwrap();
    let (mut run, mut trusted_leaves, mut purposes) = (0, 0, 0);
    let mut wrong = Vec::new();
    for case in &cases {
        let blocks = pem(&std::fs::read_to_string(folder.join(&case.chain)).unwrap()).unwrap();
        let certificates: Vec<_> = blocks
            .iter()
            .map(|(_, der)| Certificate::from_der(der))
            .collect();
        let accepted = match case.last_cert_trust.as_str() {
            // Nobody trusts it, and so it is no anchor.
            "DISTRUSTED" | "UNSPECIFIED" => None,
            trust if trust.starts_with("TRUSTED_LEAF") || trust == "TRUSTED_ANCHOR_OR_LEAF" => {
                trusted_leaves += 1;
                continue;
            }
            trust => Some(anchor_use(trust).unwrap()),
        };
        let mut options = Options::new(utc(&case.utc_time));
        if case.digest_policy.is_none() {
            // BoringSSL's ordinary policy in these tests; STRONG is ours.
            options.verifier = &support::WithSha1;
        }
        options.purpose = match case.key_purpose.as_str() {
            "ANY_EKU" => Purpose::Any,
            "SERVER_AUTH" => Purpose::ServerAuth,
            "CLIENT_AUTH" => Purpose::ClientAuth,
            // Chromium's own rules about what else extKeyUsage may have, and
            // purposes of single protocols.
            _ => {
                purposes += 1;
                continue;
            }
        };
        run += 1;
        let verdict = judge(&certificates, accepted, options);
        let policies_differ = match (&verdict, &case.expected_user_constrained_policy_set) {
            (Ok(found), Some(expected)) => {
                let mut expected: Vec<&str> = expected.split(", ").collect();
                expected.sort_unstable();
                found.iter().map(String::as_str).collect::<Vec<_>>() != expected
            }
            _ => false,
        };
        if verdict.is_ok() != (case.expected == "accept") || policies_differ {
            wrong.push((case.test.as_str(), verdict));
        }
    }
    let unexplained: Vec<_> = wrong
        .iter()
        .filter(|(test, _)| !DIFFERENT.iter().any(|(known, _)| known == test))
        .collect();
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert_eq!(wrong.len(), DIFFERENT.len());
    assert_eq!((run, trusted_leaves, purposes), (84, 7, 19));
}

/// The policies that the chain is valid for, or why it is not valid.
fn judge(
    certificates: &[skms_pki::Result<Certificate<'_>>],
    anchors: Option<AnchorUse>,
    mut options: Options<'_>,
) -> std::result::Result<Vec<String>, String> {
    let read: skms_pki::Result<Vec<_>> = certificates.iter().copied().collect();
    let read = read.map_err(|error| error.to_string())?;
    let (target, rest) = read.split_first().unwrap();
    let (anchor, intermediates) = rest.split_last().unwrap();
    let anchors_list = match anchors {
        Some(found) => {
            options.anchors = found;
            std::slice::from_ref(anchor)
        }
        None => &[],
    };
    let evidence = Evidence {
        anchors: anchors_list,
        intermediates,
        ..Evidence::default()
    };
    match validate(target, &evidence, &options) {
        Ok(path) => {
            let mut names = match path.policies {
                ValidPolicies::Any => vec!["2.5.29.32.0".to_owned()],
                ValidPolicies::Set(set) => set.iter().map(ToString::to_string).collect(),
            };
            names.sort_unstable();
            Ok(names)
        }
        Err(refusal) => Err(refusal.to_string()),
    }
}

#[derive(Deserialize)]
struct Expected<T> {
    verify_time: String,
    max_age_seconds: u32,
    cases: BTreeMap<String, T>,
}

#[test]
fn lists() {
    let folder = support::testdata("boringssl-crl");
    let expected = std::fs::read(folder.join("expected.json")).unwrap();
    let expected: Expected<String> = serde_json::from_slice(&expected).unwrap();
    let mut wrong = Vec::new();
    for (file, status) in &expected.cases {
        let blocks = pem(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
        let block = |label: &str| {
            let found = blocks.iter().find(|(name, _)| name == label);
            found.map(|(_, der)| der.as_slice())
        };
        let issuer = Certificate::from_der(block("CA CERTIFICATE").unwrap()).unwrap();
        let other = block("CA CERTIFICATE 2").map(|der| Certificate::from_der(der).unwrap());
        let leaf = Certificate::from_der(block("CERTIFICATE").unwrap()).unwrap();
        let list = Crl::from_der(block("CRL").unwrap());
        let lists: Vec<_> = list.iter().copied().collect();
        let mut options = Options::new(moment(&expected.verify_time).unwrap());
        options.anchors = AnchorUse {
            validity: false,
            constraints: false,
        };
        options.verifier = &support::WithSha1;
        options.revocation.mode = RevocationMode::Require;
        options.revocation.leaf_only = true;
        // BoringSSL's choice.
        options.revocation.use_indirect = false;
        options.revocation.max_age_seconds = Some(expected.max_age_seconds);
        // A second certificate is the same authority's, with its other key.
        let issuers: Vec<_> = std::iter::once(issuer).chain(other).collect();
        let evidence = Evidence {
            anchors: &issuers,
            intermediates: &[],
            crls: &lists,
            ocsp: &[],
        };
        let verdict = validate(&leaf, &evidence, &options);
        let got = match &verdict {
            Ok(_) => "GOOD",
            Err(refusal) if refusal.rule() == Rule::Revoked => "REVOKED",
            Err(refusal) if refusal.rule() == Rule::RevocationUnknown => "UNKNOWN",
            Err(_) => "another refusal",
        };
        if got != status {
            wrong.push((
                file,
                status,
                got,
                verdict.err().map(|found| found.to_string()),
                list.err(),
            ));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(expected.cases.len(), 33);
}

#[derive(Deserialize)]
struct Response {
    status: String,
}

#[test]
fn responses() {
    let folder = support::testdata("boringssl-ocsp");
    let expected = std::fs::read(folder.join("expected.json")).unwrap();
    let expected: Expected<Response> = serde_json::from_slice(&expected).unwrap();
    let mut wrong = Vec::new();
    for (file, wanted) in &expected.cases {
        let blocks = pem(&std::fs::read_to_string(folder.join(file)).unwrap()).unwrap();
        let block = |label: &str| {
            let found = blocks.iter().find(|(name, _)| name == label);
            found.map(|(_, der)| der.as_slice()).unwrap()
        };
        let issuer = Certificate::from_der(block("CA CERTIFICATE")).unwrap();
        let Ok(leaf) = Certificate::from_der(block("CERTIFICATE")) else {
            // Its serial number is no DER; either verdict is fine, says the
            // README.
            assert_eq!(file, "good_response_invalid_serial.pem");
            continue;
        };
        // A responder's side: the request names the leaf and its issuer.
        let request = OcspRequest::from_der(block("OCSP REQUEST")).unwrap();
        assert!(
            request.requests.iter().any(|id| id.names(&leaf, &issuer)),
            "{file}"
        );
        let rules = ResponderRules {
            now: moment(&expected.verify_time).unwrap(),
            max_age_seconds: Some(expected.max_age_seconds),
            nonce: None,
            require_no_check: false,
            verifier: &support::WithSha1,
        };
        let status = match OcspResponse::from_der(block("OCSP RESPONSE")) {
            Ok(response) => judge_response(&response, &leaf, &issuer, &rules),
            Err(error) => Status::Unknown {
                why: error.to_string(),
            },
        };
        let got = match &status {
            Status::Good => "GOOD",
            Status::Revoked { .. } => "REVOKED",
            Status::Unknown { .. } => "UNKNOWN",
        };
        if got != wanted.status {
            wrong.push((file, &wanted.status, status));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(expected.cases.len(), 18);
}

#[test]
fn sha1_responses_count_for_nobody_else() {
    let file = support::testdata("boringssl-ocsp").join("good_response_next_update.pem");
    let blocks = pem(&std::fs::read_to_string(file).unwrap()).unwrap();
    let der = |label: &str| &blocks.iter().find(|(name, _)| name == label).unwrap().1;
    let issuer = Certificate::from_der(der("CA CERTIFICATE")).unwrap();
    let leaf = Certificate::from_der(der("CERTIFICATE")).unwrap();
    let response = OcspResponse::from_der(der("OCSP RESPONSE")).unwrap();
    let single = response.basic().unwrap().responses[0];
    assert_eq!(single.status, SingleStatus::Good);
    let rules = ResponderRules {
        now: moment("2017-03-05T00:00:00Z").unwrap(),
        max_age_seconds: None,
        nonce: None,
        require_no_check: false,
        verifier: &skms_pki::signature::Standard,
    };
    let status = judge_response(&response, &leaf, &issuer, &rules);
    assert!(matches!(status, Status::Unknown { .. }), "{status:?}");
}
