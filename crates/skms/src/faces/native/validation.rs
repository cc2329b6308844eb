//! Certificates: the wire's question as the certificate room's, and its
//! verdict back. The command line asks the same question without a server.

use skms_engine::acts::validate_certificate::Request;
use skms_pki::ask::{Papers, Seen, Verdict};
use skms_pki::oid::OidBuf;
use skms_pki::path::{
    Attempt, PolicyInputs, Profile, Purpose, Revocation, RevocationMode, ValidPolicies,
};
use skms_pki::{Moment, Options, ReferenceName};
use skms_wire::Bytes;
use skms_wire::Moment as WireMoment;
use skms_wire::native::terms::{RevocationCheck, ValidationProfile};
use skms_wire::native::validation::{
    CertificateVerdict, PathCertificate, RefusedPath, ValidateCertificateRequest, ValidationWork,
};

use super::{answer::Reply, call::Call, error::Failure};

/// The uses that have words; others are object identifiers.
const PURPOSES: [(&str, Purpose); 7] = [
    ("any", Purpose::Any),
    ("server", Purpose::ServerAuth),
    ("client", Purpose::ClientAuth),
    ("code-signing", Purpose::CodeSigning),
    ("email", Purpose::EmailProtection),
    ("time-stamping", Purpose::TimeStamping),
    ("ocsp-signing", Purpose::OcspSigning),
];

pub async fn validate(call: Call) -> Result<Reply, Failure> {
    let request = question(call.json()?).map_err(Failure::invalid)?;
    let verdict = call
        .engine()
        .validate_certificate(call.caller()?, request)
        .await?;
    Reply::json(&answer(&verdict))
}

/// The question, or what is wrong with it. Its options are asked about no
/// moment yet.
pub fn question(asked: ValidateCertificateRequest) -> Result<Request, String> {
    let files = |files: Vec<Bytes>| files.into_iter().map(Bytes::into_inner).collect();
    let papers = Papers {
        certificate: asked.certificate.into_inner(),
        chain: files(asked.chain),
        anchors: files(asked.anchors),
        crls: files(asked.crls),
        ocsp: files(asked.ocsp_responses),
    };
    let mut options = Options::new(Moment(0));
    options.profile = match asked.profile {
        None | Some(ValidationProfile::Rfc5280) => Profile::Rfc5280,
        Some(ValidationProfile::Web) => Profile::WebPki,
    };
    if let Some(text) = &asked.purpose {
        options.purpose = purpose(text)?;
    }
    for text in &asked.names {
        let name = if text.contains('@') {
            ReferenceName::email(text)
        } else {
            ReferenceName::host(text)
        };
        options
            .names
            .push(name.map_err(|error| format!("{text:?}: {error}"))?);
    }
    options.revocation = Revocation {
        mode: match asked.revocation {
            None | Some(RevocationCheck::Off) => RevocationMode::Off,
            Some(RevocationCheck::Known) => RevocationMode::WhenKnown,
            Some(RevocationCheck::Required) => RevocationMode::Require,
        },
        ..Revocation::default()
    };
    options.policies = PolicyInputs {
        acceptable: asked
            .policies
            .iter()
            .map(|text| oid(text))
            .collect::<Result<_, _>>()?,
        require_explicit: !asked.policies.is_empty(),
        ..PolicyInputs::default()
    };
    Ok(Request {
        papers,
        options,
        at: asked.at.map(|at| Moment(at.unix_seconds())),
    })
}

fn oid(text: &str) -> Result<OidBuf, String> {
    text.parse()
        .map_err(|_| format!("{text:?} is no object identifier"))
}

pub(super) fn purpose(text: &str) -> Result<Purpose, String> {
    let known = PURPOSES.iter().find(|(word, _)| *word == text);
    if let Some((_, purpose)) = known {
        return Ok(purpose.clone());
    }
    oid(text).map(Purpose::Other).map_err(|_| {
        let words: Vec<_> = PURPOSES.iter().map(|(word, _)| *word).collect();
        format!(
            "unknown purpose {text:?}; known are {}, and object identifiers",
            words.join(", ")
        )
    })
}

/// The verdict in the wire's words.
pub fn answer(verdict: &Verdict) -> CertificateVerdict {
    let work = ValidationWork {
        signatures: verdict.work.signatures,
        candidates: verdict.work.candidates,
        comparisons: verdict.work.comparisons,
        steps: verdict.work.steps,
    };
    let mut answer = CertificateVerdict {
        valid: verdict.outcome.is_ok(),
        path: Vec::new(),
        policies: None,
        refusal: None,
        alternatives: Vec::new(),
        alternatives_omitted: 0,
        work,
    };
    match &verdict.outcome {
        Ok(valid) => {
            answer.path = valid.path.iter().map(seen).collect();
            answer.policies = match &valid.policies {
                ValidPolicies::Any => None,
                ValidPolicies::Set(set) => Some(set.iter().map(OidBuf::to_string).collect()),
            };
        }
        Err(refusal) => {
            let main = refusal.main();
            answer.refusal = main.map(refused);
            let others = refusal.attempts.iter();
            answer.alternatives = others
                .filter(|one| !main.is_some_and(|main| std::ptr::eq(main, *one)))
                .map(refused)
                .collect();
            answer.alternatives_omitted = refusal.omitted as u64;
        }
    }
    answer
}

pub(super) fn seen(certificate: &Seen) -> PathCertificate {
    PathCertificate {
        subject: certificate.subject.clone(),
        issuer: certificate.issuer.clone(),
        serial: certificate.serial.clone(),
        not_before: WireMoment::from_unix_seconds(certificate.not_before.0),
        not_after: WireMoment::from_unix_seconds(certificate.not_after.0),
        fingerprint: certificate.fingerprint.clone(),
    }
}

fn refused(attempt: &Attempt) -> RefusedPath {
    RefusedPath {
        rule: attempt.fault.rule.name().to_owned(),
        section: attempt.fault.rule.reference().to_owned(),
        detail: attempt.fault.detail.clone(),
        certificate: u32::try_from(attempt.at).unwrap_or(u32::MAX),
        path: attempt.path.clone(),
        reached_anchor: attempt.complete,
    }
}
