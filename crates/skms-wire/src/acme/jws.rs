//! A signed request: a flattened JWS (RFC 7515, section 7.2.2) as RFC 8555,
//! section 6.2, narrows it down.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::Value;

/// Why something is no signed request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct JwsError(&'static str);

/// By which key a request says that it is signed: exactly one of the two.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Signer {
    /// The key itself (JSON).
    Jwk(String),
    /// An account's address, or the name of a key for external binding.
    Kid(String),
}

/// What protects a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// The signature's algorithm, as named; nothing is said about it yet.
    pub algorithm: String,
    /// The key.
    pub signer: Signer,
    /// The nonce, where there is one.
    pub nonce: Option<String>,
    /// The address that it was made for, where there is one.
    pub url: Option<String>,
}

/// A signed request whose signature has yet to be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jws {
    /// What protects it.
    pub header: Header,
    /// The payload; empty for POST-as-GET.
    pub payload: Vec<u8>,
    /// What the signature is over.
    pub signing_input: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Flattened {
    protected: String,
    payload: String,
    signature: String,
}

#[derive(Deserialize)]
struct Protected {
    alg: String,
    jwk: Option<Value>,
    kid: Option<String>,
    nonce: Option<String>,
    url: Option<String>,
    crit: Option<Value>,
    b64: Option<Value>,
}

impl Jws {
    /// Reads one.
    ///
    /// # Errors
    /// [`JwsError`] for several signatures, an unprotected header, padding in
    /// base64url, extensions that must be understood, and both or neither of
    /// `jwk` and `kid`.
    pub fn parse(bytes: &[u8]) -> Result<Self, JwsError> {
        let whole: Flattened = serde_json::from_slice(bytes)
            .map_err(|_| JwsError("not a JWS in flattened form with a protected header alone"))?;
        let decode = |text: &str| URL_SAFE_NO_PAD.decode(text).ok();
        let protected = decode(&whole.protected).ok_or(JwsError("protected: not base64url"))?;
        let protected: Protected =
            serde_json::from_slice(&protected).map_err(|_| JwsError("protected: not a header"))?;
        if protected.crit.is_some() || protected.b64.is_some() {
            return Err(JwsError("protected: an extension that is not known here"));
        }
        let signer = match (protected.jwk, protected.kid) {
            (Some(key @ Value::Object(_)), None) => Signer::Jwk(key.to_string()),
            (None, Some(kid)) => Signer::Kid(kid),
            _ => return Err(JwsError("protected: exactly one of jwk and kid")),
        };
        let payload = decode(&whole.payload).ok_or(JwsError("payload: not base64url"))?;
        let signature = decode(&whole.signature).ok_or(JwsError("signature: not base64url"))?;
        Ok(Self {
            header: Header {
                algorithm: protected.alg,
                signer,
                nonce: protected.nonce,
                url: protected.url,
            },
            payload,
            signing_input: format!("{}.{}", whole.protected, whole.payload).into_bytes(),
            signature,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jws(protected: &str, payload: &str) -> Vec<u8> {
        let encode = |text: &str| URL_SAFE_NO_PAD.encode(text);
        format!(
            r#"{{"protected":"{}","payload":"{}","signature":"AQID"}}"#,
            encode(protected),
            encode(payload)
        )
        .into_bytes()
    }

    #[test]
    fn a_request_is_read() {
        let header = r#"{"alg":"ES256","kid":"https://a/1","nonce":"n","url":"https://a/x"}"#;
        let read = Jws::parse(&jws(header, "{}")).unwrap();
        assert_eq!(read.header.signer, Signer::Kid("https://a/1".into()));
        assert_eq!(read.header.nonce.as_deref(), Some("n"));
        assert_eq!(read.payload, b"{}");
        assert_eq!(read.signature, [1, 2, 3]);
        let input = String::from_utf8(read.signing_input).unwrap();
        assert_eq!(input, format!("{}.e30", URL_SAFE_NO_PAD.encode(header)));
        assert!(Jws::parse(&jws(r#"{"alg":"EdDSA","jwk":{"kty":"OKP"}}"#, "")).is_ok());
    }

    #[test]
    fn what_is_loose_is_refused() {
        for header in [
            r#"{"alg":"ES256"}"#,
            r#"{"alg":"ES256","kid":"a","jwk":{}}"#,
            r#"{"alg":"ES256","jwk":"text"}"#,
            r#"{"alg":"ES256","kid":"a","crit":["b64"],"b64":false}"#,
            r#"{"alg":"ES256","kid":"a","b64":false}"#,
            r#"{"alg":"ES256","alg":"none","kid":"a"}"#,
            r#"{"kid":"a"}"#,
            "[]",
            "",
        ] {
            assert!(Jws::parse(&jws(header, "{}")).is_err(), "{header}");
        }
        for whole in [
            r#"{"protected":"e30","payload":"","signature":"","header":{}}"#,
            r#"{"payload":"","signatures":[]}"#,
            r#"{"protected":"e30=","payload":"","signature":""}"#,
            "e30.e30.AQID",
        ] {
            assert!(Jws::parse(whole.as_bytes()).is_err(), "{whole}");
        }
    }
}
