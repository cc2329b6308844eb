//! Verifies a signed document, by authorities kept here and by what the caller
//! brings.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_pki::ask::{CERTIFICATES, LISTS, blocks};
use skms_pki::documents::{Body, DocumentError, SignedBy, Trust, cms, cose, jws, verify};
use skms_pki::issue::Serial;
use skms_pki::{Certificate, Crl, Evidence, Moment, Options};

use super::sign_document::Format;
use super::validate_certificate::BOUNDS;
use crate::act::act;
use crate::authority::{Authority, Issuer};
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::gate::Entry;
use crate::target::Target;

act!(
    VerifyDocument,
    DocumentVerify,
    "Verifies a signed document."
);
act!(
    ReadTrusted,
    AuthorityRead,
    "Takes an authority for somebody to trust."
);

/// The most signatures of a document: each has a path of its own to be found.
const MAX_SIGNERS: usize = 8;

/// What is asked.
pub struct Request {
    /// What kind of document.
    pub format: Format,
    /// The document.
    pub document: Vec<u8>,
    /// The content of a document that does not hold it.
    pub content: Option<Vec<u8>>,
    /// Authorities of the namespace that signers' certificates may come from.
    pub authorities: Vec<String>,
    /// Whom to trust besides: files, each DER or PEM with any number of blocks.
    pub anchors: Vec<Vec<u8>>,
    /// Certificates that may be of use, trusted in nothing; likewise.
    pub chain: Vec<Vec<u8>>,
    /// Revocation lists; likewise.
    pub crls: Vec<Vec<u8>>,
    /// The rules; their moment is the present one.
    pub options: Options<'static>,
}

/// What came out.
pub struct Verdict {
    /// Who signed, or why it does not count.
    pub outcome: std::result::Result<Vec<SignedBy>, DocumentError>,
    /// The content that was signed, if the document holds it and is valid.
    pub content: Option<Vec<u8>>,
}

impl Engine {
    /// The verdict on a document. A path through an authority of ours has to
    /// pass its own certificate, and what is known here of revocations counts
    /// the moment it is known; so does that an authority's key is compromised.
    /// Nothing is kept.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an absent authority and one that is not visible;
    /// [`Error::TooLarge`] over [`BOUNDS`]; [`Error::Invalid`] for evidence that
    /// cannot be read and without anybody to trust; [`Error::Busy`] if the slow
    /// pool is. That the document is refused is no error.
    pub async fn verify_document(
        &self,
        caller: &Arc<Caller>,
        namespace: &str,
        request: Request,
    ) -> Result<Verdict> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<VerifyDocument>(Target::system()).await?;
        let mut trusted = Vec::new();
        for name in &request.authorities {
            let target = entry.authority_target(namespace, name);
            let read = entry.authorize::<ReadTrusted>(target).await?;
            let found = entry.authority(namespace, name);
            trusted.push(entry.failed(&read, found).await?);
        }
        let ours = Ours::of(&entry, &trusted).await;
        let ours = entry.failed(&allowed, ours).await?;
        let now = Moment(entry.now().0);
        let work = move || judge(request, &ours, now);
        let done = self.slow().run(work).await.flatten();
        let verdict = entry.failed(&allowed, done).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(verdict)
    }
}

/// What the server itself knows.
struct Ours {
    /// The trusted authorities' own certificates.
    own: Vec<Vec<u8>>,
    /// Those above them that they end at.
    tops: Vec<Vec<u8>>,
    /// All certificates on the way.
    chains: Vec<Vec<u8>>,
    /// Who issued on the way, as far as it is kept here.
    issuers: Vec<Arc<Issuer>>,
    /// Public keys of those whose key somebody else may know.
    spoilt: Vec<Vec<u8>>,
}

impl Ours {
    async fn of(entry: &Entry, trusted: &[Arc<Authority>]) -> Result<Self> {
        let mut ours = Self {
            own: Vec::new(),
            tops: Vec::new(),
            chains: Vec::new(),
            issuers: Vec::new(),
            spoilt: Vec::new(),
        };
        for issuer in trusted.iter().flat_map(|authority| &authority.issuers) {
            let chain = &issuer.pki.chain;
            ours.own.extend(chain.first().cloned());
            ours.tops.extend(chain.last().cloned());
            ours.chains.extend(chain.iter().cloned());
        }
        // Those above may be authorities of ours too, and revoke.
        for authority in entry.rooms.authorities.all() {
            for issuer in &authority.issuers {
                let own = issuer.pki.chain.first();
                if own.is_some_and(|own| ours.chains.contains(own)) {
                    ours.issuers.push(Arc::clone(issuer));
                    let namespace = &authority.namespace_name;
                    if issuer.is_compromised(&entry.rooms, namespace).await? {
                        ours.spoilt.push(issuer.pki.spki.clone());
                    }
                }
            }
        }
        Ok(ours)
    }

    /// Whether a path is one of ours where it ends at an anchor of ours, and
    /// whether nothing of it is revoked here.
    fn agree(
        &self,
        path: &[Vec<u8>],
        anchors: &[Vec<u8>],
    ) -> std::result::Result<(), &'static str> {
        let above = path.get(1..).unwrap_or_default();
        let brought = path.last().is_some_and(|last| anchors.contains(last));
        if !brought && !above.iter().any(|one| self.own.contains(one)) {
            return Err("not of an authority that is trusted");
        }
        let spoilt = |der: &Vec<u8>| {
            let read = Certificate::from_der(der);
            read.is_ok_and(|read| self.spoilt.iter().any(|key| key == read.public_key().der))
        };
        if above.iter().any(spoilt) {
            return Err("the key of an authority is compromised");
        }
        for (one, above) in path.iter().zip(above) {
            if self.issuers.iter().any(|by| is_revoked(by, one, above)) {
                return Err("revoked or held");
            }
        }
        Ok(())
    }
}

/// Whether an issuer is the one above a certificate, under whichever of its
/// own certificates, and revoked it.
fn is_revoked(issuer: &Issuer, certificate: &[u8], above: &[u8]) -> bool {
    let own = issuer.pki.chain.first().map(Vec::as_slice);
    let own = Certificate::from_der(own.unwrap_or_default());
    let both = (
        Certificate::from_der(certificate),
        Certificate::from_der(above),
    );
    let (Ok(own), (Ok(certificate), Ok(above))) = (own, both) else {
        return false;
    };
    if own.public_key().der != above.public_key().der {
        return false;
    }
    // A number that is no serial number of ours was not revoked here.
    Serial::from_contents(certificate.serial())
        .ok()
        .and_then(|serial| issuer.revoked.get(&serial))
        .is_some_and(|entry| entry.stands())
}

/// The blocks of files, in DER.
fn read(
    files: &[Vec<u8>],
    labels: &[&str],
    what: &'static str,
    limit: usize,
) -> Result<Vec<Vec<u8>>> {
    let mut all = Vec::new();
    for file in files {
        let found = blocks(file, labels).map_err(|error| Error::Invalid(error.to_string()))?;
        all.extend(found.into_iter().map(|der| der.into_owned()));
        if all.len() > limit {
            let limit = limit as u64;
            return Err(Error::TooLarge { what, limit });
        }
    }
    Ok(all)
}

fn judge(request: Request, ours: &Ours, now: Moment) -> Result<Verdict> {
    let brought = read(
        &request.anchors,
        CERTIFICATES,
        "certificates",
        BOUNDS.certificates,
    )?;
    let mut chain = read(
        &request.chain,
        CERTIFICATES,
        "certificates",
        BOUNDS.certificates,
    )?;
    let mut lists = read(&request.crls, LISTS, "revocation lists", BOUNDS.lists)?;
    if brought.is_empty() && ours.own.is_empty() {
        return Err(Error::Invalid(
            "no authority and no anchor: without somebody to trust nothing is valid".into(),
        ));
    }
    chain.extend(ours.chains.iter().cloned());
    let known = ours
        .issuers
        .iter()
        .filter_map(|issuer| issuer.published.lists());
    for known in known {
        let of = known.complete.iter().chain(&known.deltas);
        lists.extend(of.map(|list| list.der.clone()));
    }
    let invalid = |error: skms_pki::Error| Error::Invalid(error.to_string());
    let anchors = brought
        .iter()
        .chain(&ours.tops)
        .map(|der| Certificate::from_der(der))
        .collect::<skms_pki::Result<Vec<_>>>()
        .map_err(invalid)?;
    let intermediates = chain
        .iter()
        .map(|der| Certificate::from_der(der))
        .collect::<skms_pki::Result<Vec<_>>>()
        .map_err(invalid)?;
    let crls = lists
        .iter()
        .map(|der| Crl::from_der(der))
        .collect::<skms_pki::Result<Vec<_>>>()
        .map_err(invalid)?;
    let mut options = request.options;
    options.now = now;
    let trust = Trust {
        evidence: Evidence {
            anchors: &anchors,
            intermediates: &intermediates,
            crls: &crls,
            ocsp: &[],
        },
        options,
    };
    let content = request.content.as_deref();
    let outcome = signers(request.format, &request.document, content, &trust);
    let outcome = outcome.and_then(|(signers, content)| {
        for one in &signers {
            ours.agree(&one.path, &brought)
                .map_err(DocumentError::Usage)?;
        }
        Ok((signers, content))
    });
    Ok(match outcome {
        Ok((signers, content)) => Verdict {
            outcome: Ok(signers),
            content,
        },
        Err(why) => Verdict {
            outcome: Err(why),
            content: None,
        },
    })
}

type Found = (Vec<SignedBy>, Option<Vec<u8>>);

fn signers(
    format: Format,
    document: &[u8],
    content: Option<&[u8]>,
    trust: &Trust<'_, '_, '_>,
) -> std::result::Result<Found, DocumentError> {
    match format {
        Format::Cms => {
            let read = cms::SignedData::from_der(document)?;
            if read.signers.len() > MAX_SIGNERS {
                return Err(DocumentError::Input(
                    "too many signatures to be verified here",
                ));
            }
            let signers = verify(&read, content.map(Body::Whole), trust)?;
            Ok((signers, read.content.map(<[u8]>::to_vec)))
        }
        Format::Jws => {
            let text = std::str::from_utf8(document)
                .map_err(|_| DocumentError::Input("a JWS that is no text"))?;
            let (by, payload) = jws::verify(text.trim(), content, trust)?;
            Ok((vec![by], content.is_none().then_some(payload)))
        }
        Format::Cose => {
            let read = cose::Sign1::from_cbor(document)?;
            let by = cose::verify(&read, content, trust)?;
            Ok((vec![by], read.content().map(<[u8]>::to_vec)))
        }
    }
}
