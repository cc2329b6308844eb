//! Whether the certificate that came along with a JWS or a COSE_Sign1 counts.

use crate::certificate::Certificate;
use crate::issue::SigningScheme;
use crate::issue::key::SubjectKey;
use crate::path::{self, Evidence};

use super::error::DocumentError;
use super::signer::may_sign;
use super::{SignedBy, Trust, hash};

/// The scheme among those of this key (SubjectPublicKeyInfo, DER) that `is`
/// names. The key says what kind it is of and the document has to agree, so
/// that "none" and another kind's names lead nowhere.
pub(crate) fn scheme_of(
    spki: &[u8],
    is: impl Fn(SigningScheme) -> bool,
) -> Result<SigningScheme, DocumentError> {
    let key = SubjectKey::judge(spki, false)
        .map_err(|_| DocumentError::Algorithm("a key that is not known"))?;
    SigningScheme::all_for(key.algorithm)
        .into_iter()
        .find(|scheme| is(*scheme))
        .ok_or(DocumentError::Algorithm(
            "alg is not one of the certificate's key",
        ))
}

/// Whether a certificate may sign and leads to an anchor, by those that came
/// along with it and those that are beside it.
pub(crate) fn trusted(
    own: &Certificate<'_>,
    along: &[Certificate<'_>],
    scheme: SigningScheme,
    trust: &Trust<'_, '_, '_>,
) -> Result<SignedBy, DocumentError> {
    may_sign(own)?;
    let beside = trust.evidence.intermediates.iter();
    let certificates: Vec<_> = along.iter().chain(beside).copied().collect();
    let evidence = Evidence {
        intermediates: &certificates,
        ..trust.evidence
    };
    let path = path::validate(own, &evidence, &trust.options)
        .map_err(|refusal| DocumentError::Path(Box::new(refusal)))?;
    let path = path.certificates.iter().map(|one| one.as_der().to_vec());
    Ok(SignedBy {
        path: path.collect(),
        signing_time: None,
        hash: hash::for_scheme(scheme)?,
    })
}
