//! JWS with certificates, and what is none.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use skms_crypto::Algorithm;
use skms_pki::documents::{DocumentError, SignedBy, Trust, jws};
use skms_pki::issue::{ProfileKind, SigningScheme};
use skms_pki::path::Options;
use skms_pki::{Certificate, Evidence};

use crate::documents::{Somebody, sign};
use crate::support::NOW;

const TEXT: &[u8] = b"What I have written, I have written.";

fn made(ann: &Somebody, scheme: SigningScheme, detached: bool) -> String {
    let planned = jws::plan(&ann.signer(scheme), TEXT).unwrap();
    let signature = sign(&ann.key, planned.tbs(), planned.scheme());
    planned.signed(&signature, detached).unwrap()
}

fn judge(
    text: &str,
    detached: Option<&[u8]>,
    root: &[u8],
) -> Result<(SignedBy, Vec<u8>), DocumentError> {
    let anchors = [Certificate::from_der(root).unwrap()];
    let trust = Trust {
        evidence: Evidence {
            anchors: &anchors,
            ..Evidence::default()
        },
        options: Options::new(NOW),
    };
    jws::verify(text, detached, &trust)
}

/// The JWS with another header: `from` replaced by `to` in its JSON.
fn with_header(text: &str, from: &str, to: &str) -> String {
    let (head, rest) = text.split_once('.').unwrap();
    let json = String::from_utf8(URL_SAFE_NO_PAD.decode(head).unwrap()).unwrap();
    assert!(json.contains(from), "{json}");
    let json = json.replacen(from, to, 1);
    format!("{}.{rest}", URL_SAFE_NO_PAD.encode(json))
}

#[test]
fn every_kind_of_key_signs_attached_and_detached() {
    let mut tried = 0;
    for algorithm in [
        Algorithm::Rsa2048,
        Algorithm::EcP256,
        Algorithm::EcP384,
        Algorithm::EcP521,
        Algorithm::Ed25519,
        Algorithm::MlDsa44,
        Algorithm::MlDsa65,
        Algorithm::MlDsa87,
    ] {
        let ann = Somebody::new(algorithm, ProfileKind::SMime);
        for scheme in SigningScheme::all_for(algorithm) {
            let attached = made(&ann, scheme, false);
            let (by, payload) = judge(&attached, None, ann.root()).unwrap();
            assert_eq!((by.path, payload.as_slice()), (ann.chain.clone(), TEXT));
            let detached = made(&ann, scheme, true);
            assert!(detached.contains(".."));
            judge(&detached, Some(TEXT), ann.root()).unwrap();
            assert!(matches!(
                judge(&detached, Some(b"What?"), ann.root()),
                Err(DocumentError::Signature(_))
            ));
            assert!(matches!(
                judge(&detached, None, ann.root()),
                Err(DocumentError::Content(_))
            ));
            assert!(matches!(
                judge(&attached, Some(TEXT), ann.root()),
                Err(DocumentError::Content(_))
            ));
            tried += 1;
        }
    }
    assert_eq!(tried, 6 + 7);
}

#[test]
fn headers_cannot_be_bent() {
    let ann = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    let good = made(&ann, ann.scheme(), false);
    let refused = |from: &str, to: &str| judge(&with_header(&good, from, to), None, ann.root());
    for alg in [
        "none",
        "None",
        "HS256",
        "RS256",
        "ES384",
        "EdDSA",
        "ML-DSA-44",
        "",
    ] {
        let result = refused("\"ES256\"", &format!("\"{alg}\""));
        assert!(matches!(result, Err(DocumentError::Algorithm(_))), "{alg}");
    }
    let signed = refused("{\"alg\"", "{\"typ\":\"x\",\"alg\"");
    assert!(matches!(signed, Err(DocumentError::Signature(_))));
    let twice = refused("{\"alg\"", "{\"alg\":\"none\",\"alg\"");
    assert!(matches!(twice, Err(DocumentError::Unreadable(_))));
    let critical = refused("{\"alg\"", "{\"crit\":[\"exp\"],\"alg\"");
    assert!(matches!(critical, Err(DocumentError::Attribute(_))));
    let raw = refused("{\"alg\"", "{\"b64\":false,\"alg\"");
    assert!(matches!(raw, Err(DocumentError::Attribute(_))));
    let bare = refused("\"x5c\"", "\"x5d\"");
    assert!(matches!(bare, Err(DocumentError::NoCertificate)));
    let ben = Somebody::new(Algorithm::EcP256, ProfileKind::SMime);
    assert!(matches!(
        judge(&good, None, ben.root()),
        Err(DocumentError::Path(_))
    ));
    // A signature of no signature's length, parts too many and too few.
    let (input, _) = good.rsplit_once('.').unwrap();
    for bad in [
        format!("{input}."),
        format!("{good}.AAAA"),
        input.to_owned(),
        format!("{good}="),
        String::new(),
    ] {
        assert!(judge(&bad, None, ann.root()).is_err(), "{bad}");
    }
}
