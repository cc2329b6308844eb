//! JWS (RFC 7515) in the compact form, attached or detached (appendix F), with
//! the signer's certificates in x5c.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skms_crypto::{Algorithm, Family};

use crate::certificate::Certificate;
use crate::issue::SigningScheme;

use super::error::DocumentError;
use super::signer::Signer;
use super::{SignedBy, Trust, certified, ecdsa};

/// The most certificates of an x5c.
const MAX_CERTIFICATES: usize = 64;

/// The protected header. Members that are not known are passed over, as
/// RFC 7515, section 4, wants it; a known one that comes twice is refused.
#[derive(Debug, Serialize, Deserialize)]
struct Header {
    alg: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    x5c: Option<Vec<String>>,
    #[serde(default, skip_serializing)]
    crit: Option<Value>,
    #[serde(default, skip_serializing)]
    b64: Option<Value>,
}

/// The name of a scheme in RFC 7518, RFC 8037 and RFC 9964.
fn name(scheme: SigningScheme) -> Option<String> {
    let bits = scheme.hash().map(|hash| hash.output_len() * 8);
    Some(match (scheme.algorithm(), bits) {
        (Algorithm::Ed25519, _) => "EdDSA".to_owned(),
        (Algorithm::MlDsa44 | Algorithm::MlDsa65 | Algorithm::MlDsa87, _) => scheme.name(),
        (Algorithm::EcP256, Some(256)) => "ES256".to_owned(),
        (Algorithm::EcP384, Some(384)) => "ES384".to_owned(),
        (Algorithm::EcP521, Some(512)) => "ES512".to_owned(),
        (rsa, Some(bits)) if rsa.family() == Family::Rsa => {
            let pss = scheme.name().starts_with("RSA-PSS");
            format!("{}{bits}", if pss { "PS" } else { "RS" })
        }
        _ => return None,
    })
}

/// A JWS to be signed. Sign [`Self::tbs`] with the certified key by
/// [`Self::scheme`], and give the signature to [`Self::signed`].
#[derive(Clone, Debug)]
pub struct UnsignedJws {
    header: String,
    input: String,
    signer: Signer,
}

/// Plans a JWS over this payload.
///
/// # Errors
/// [`DocumentError::Algorithm`] for a scheme that JWS has no name for.
pub fn plan(signer: &Signer, payload: &[u8]) -> Result<UnsignedJws, DocumentError> {
    let alg = name(signer.scheme()).ok_or(DocumentError::Algorithm("none that JWS has"))?;
    let x5c = signer.chain().iter().map(|der| STANDARD.encode(der));
    let header = Header {
        alg,
        x5c: Some(x5c.collect()),
        crit: None,
        b64: None,
    };
    let header = serde_json::to_vec(&header)
        .map_err(|_| DocumentError::Input("a header without an encoding"))?;
    let header = URL_SAFE_NO_PAD.encode(header);
    Ok(UnsignedJws {
        input: format!("{header}.{}", URL_SAFE_NO_PAD.encode(payload)),
        header,
        signer: signer.clone(),
    })
}

impl UnsignedJws {
    /// The bytes to be signed, as they stand.
    #[must_use]
    pub fn tbs(&self) -> &[u8] {
        self.input.as_bytes()
    }

    /// How they are to be signed; ECDSA signatures in DER.
    #[must_use]
    pub fn scheme(&self) -> SigningScheme {
        self.signer.scheme()
    }

    /// The JWS, once the signature is there; it is checked.
    ///
    /// # Errors
    /// [`DocumentError::Signature`] if it is not the certified key's own.
    pub fn signed(self, signature: &[u8], detached: bool) -> Result<String, DocumentError> {
        let scheme = self.signer.scheme();
        scheme.check(self.signer.spki(), self.input.as_bytes(), signature)?;
        let signature = ecdsa::to_fixed(scheme.algorithm(), signature)?;
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(match detached {
            true => format!("{}..{signature}", self.header),
            false => format!("{}.{signature}", self.input),
        })
    }
}

/// A compact JWS whose signature holds. Whose key it was is only known by
/// looking at the certificates.
pub struct Opened {
    /// The certificates of its x5c (DER), the signer's first.
    pub chain: Vec<Vec<u8>>,
    /// What was signed.
    pub payload: Vec<u8>,
    scheme: SigningScheme,
}

/// Checks a compact JWS by the certificates of its x5c, and gives the payload
/// that was signed. `detached` is that of a JWS that does not hold it.
///
/// # Errors
/// Why it does not count.
pub fn verify(
    text: &str,
    detached: Option<&[u8]>,
    trust: &Trust<'_, '_, '_>,
) -> Result<(SignedBy, Vec<u8>), DocumentError> {
    let opened = open(text, detached)?;
    let certificates = opened
        .chain
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<crate::Result<Vec<_>>>()?;
    let own = certificates.first().ok_or(DocumentError::NoCertificate)?;
    let by = certified::trusted(own, &certificates, opened.scheme, trust)?;
    Ok((by, opened.payload))
}

/// Checks the signature of a compact JWS by the first certificate of its x5c,
/// for who decides by other means whose that is.
///
/// # Errors
/// Why it does not count.
pub fn open(text: &str, detached: Option<&[u8]>) -> Result<Opened, DocumentError> {
    let malformed = |why| crate::Error::Malformed { what: "JWS", why };
    let decode = |part: &str| {
        URL_SAFE_NO_PAD
            .decode(part)
            .map_err(|_| malformed("a part that is no base64url"))
    };
    let mut parts = text.split('.');
    let (Some(head), Some(body), Some(signature), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(malformed("not three parts").into());
    };
    let header: Header = serde_json::from_slice(&decode(head)?)
        .map_err(|_| malformed("a header that is none, or has a member twice"))?;
    //= https://www.rfc-editor.org/rfc/rfc7515#section-4.1.11
    //# If any of the listed extension Header Parameters are not understood
    //# and supported by the recipient, then the JWS is invalid.
    if header.crit.is_some() || header.b64.is_some() {
        return Err(DocumentError::Attribute("an extension that is not known"));
    }
    let payload = match (body.is_empty(), detached) {
        (false, None) => decode(body)?,
        (true, Some(payload)) => payload.to_vec(),
        (true, None) => return Err(DocumentError::Content("it is not in the document")),
        (false, Some(_)) => {
            return Err(DocumentError::Content(
                "it is in the document and beside it",
            ));
        }
    };
    let chain = header.x5c.unwrap_or_default();
    if chain.len() > MAX_CERTIFICATES {
        return Err(malformed("too many certificates").into());
    }
    let chain = chain
        .iter()
        .map(|text| {
            STANDARD
                .decode(text)
                .map_err(|_| malformed("an x5c that is no base64"))
        })
        .collect::<Result<Vec<_>, _>>()?;
    let own = chain.first().ok_or(DocumentError::NoCertificate)?;
    let own = Certificate::from_der(own)?;
    let spki = own.public_key().der;
    let scheme = certified::scheme_of(spki, |scheme| {
        let known = name(scheme);
        known.as_deref() == Some(header.alg.as_str())
            || header.alg == "Ed25519" && known.as_deref() == Some("EdDSA")
    })?;
    let signature = ecdsa::from_fixed(scheme.algorithm(), &decode(signature)?)?;
    let input = format!("{head}.{}", URL_SAFE_NO_PAD.encode(&payload));
    scheme.check(spki, input.as_bytes(), &signature)?;
    Ok(Opened {
        chain,
        payload,
        scheme,
    })
}
