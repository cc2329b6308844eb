//! JWS (RFC 7515) in the compact form, attached or detached (appendix F), with
//! the signer's certificates in x5c.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use skms_crypto::{Algorithm, Family};

use crate::certificate::Certificate;
use crate::error::{In, Parse};
use crate::issue::key::SubjectKey;
use crate::issue::{SigningScheme, der};
use crate::parse::cursor::{Cursor, tag};
use crate::path::{self, Evidence};

use super::error::DocumentError;
use super::signer::{Signer, may_sign};
use super::{SignedBy, Trust, hash};

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

/// The name of a scheme in RFC 7518 and RFC 8037.
fn name(scheme: SigningScheme) -> Option<String> {
    let bits = scheme.hash().map(|hash| hash.output_len() * 8);
    Some(match (scheme.algorithm(), bits) {
        (Algorithm::Ed25519, _) => "EdDSA".to_owned(),
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

/// Bytes of a coordinate; zero for what is not ECDSA.
fn coordinate(algorithm: Algorithm) -> usize {
    match algorithm {
        Algorithm::EcP256 => 32,
        Algorithm::EcP384 => 48,
        Algorithm::EcP521 => 66,
        _ => 0,
    }
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
        let signature = match coordinate(scheme.algorithm()) {
            0 => signature.to_vec(),
            length => fixed(signature, length).within("signature")?,
        };
        let signature = URL_SAFE_NO_PAD.encode(signature);
        Ok(match detached {
            true => format!("{}..{signature}", self.header),
            false => format!("{}.{signature}", self.input),
        })
    }
}

/// An ECDSA signature as JWS has it (RFC 7518, section 3.4): two numbers of
/// fixed length.
fn fixed(signature: &[u8], length: usize) -> Parse<Vec<u8>> {
    let mut body = Cursor::only(signature, tag::SEQUENCE)?;
    let mut out = Vec::with_capacity(2 * length);
    for _ in 0..2 {
        let number = body.integer()?;
        let number = number.strip_prefix(&[0]).unwrap_or(number);
        let pad = length.checked_sub(number.len()).ok_or("a long number")?;
        out.resize(out.len() + pad, 0);
        out.extend_from_slice(number);
    }
    body.end()?;
    Ok(out)
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
    let mut certificates = chain
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<crate::Result<Vec<_>>>()?;
    let own = *certificates.first().ok_or(DocumentError::NoCertificate)?;
    let spki = own.public_key().der;
    let key = SubjectKey::judge(spki, false)
        .map_err(|_| DocumentError::Algorithm("a key that is not known"))?;
    // The certificate says what kind of key it is; alg has to agree, so that
    // "none" and another kind's names lead nowhere.
    let scheme = SigningScheme::all_for(key.algorithm)
        .into_iter()
        .find(|scheme| {
            let known = name(*scheme);
            known.as_deref() == Some(header.alg.as_str())
                || header.alg == "Ed25519" && known.as_deref() == Some("EdDSA")
        })
        .ok_or(DocumentError::Algorithm(
            "alg is not one of the certificate's key",
        ))?;
    let signature = decode(signature)?;
    let signature = match coordinate(key.algorithm) {
        0 => signature,
        length if signature.len() == 2 * length => {
            let (r, s) = signature.split_at(length);
            let number = |bytes| der::tlv(tag::INTEGER, &[&der::unsigned(bytes)]);
            der::sequence(&[&number(r), &number(s)])
        }
        _ => return Err(DocumentError::Signature("of another length")),
    };
    let input = format!("{head}.{}", URL_SAFE_NO_PAD.encode(&payload));
    scheme.check(spki, input.as_bytes(), &signature)?;
    may_sign(&own)?;
    certificates.extend(trust.evidence.intermediates.iter().copied());
    let evidence = Evidence {
        intermediates: &certificates,
        ..trust.evidence
    };
    let path = path::validate(&own, &evidence, &trust.options)
        .map_err(|refusal| DocumentError::Path(Box::new(refusal)))?;
    let path = path.certificates.iter().map(|one| one.as_der().to_vec());
    let by = SignedBy {
        path: path.collect(),
        signing_time: None,
        hash: hash::for_scheme(scheme)?,
    };
    Ok((by, payload))
}
