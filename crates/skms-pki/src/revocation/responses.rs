//! A certificate's status by an OCSP response (RFC 6960, section 3.2).

use crate::certificate::{Certificate, KeyUsage, Signed};
use crate::ocsp::{BasicResponse, OcspResponse, SingleResponse, SingleStatus};
use crate::oid;
use crate::path::context::Context;
use crate::path::rule::{Checked, Fault, Rule};
use crate::signature::Verify;
use crate::time::Moment;

use super::Status;

/// How a response is judged.
#[derive(Clone, Copy)]
pub struct ResponderRules<'v> {
    /// At which moment.
    pub now: Moment,
    /// How old what has no nextUpdate may be, in seconds; `None` refuses it.
    /// If set, what has a nextUpdate may not be older either.
    pub max_age_seconds: Option<u32>,
    /// The nonce that was sent: the response must repeat it.
    pub nonce: Option<&'v [u8]>,
    /// Whether the certificate of a delegated signer needs
    /// id-pkix-ocsp-nocheck. There is no looking into its revocation here.
    pub require_no_check: bool,
    /// Who checks signatures.
    pub verifier: &'v dyn Verify,
}

/// The status that a response gives a certificate, at a moment and with a
/// nonce; without a path. The issuer must have been validated.
///
/// Signers are the issuer itself, by its key, and those to whom it gave a
/// certificate with id-kp-OCSPSigning.
#[must_use]
pub fn judge_response(
    response: &OcspResponse<'_>,
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    rules: &ResponderRules<'_>,
) -> Status {
    let mut check = |key: &Certificate<'_>, signed: &Signed<'_>| {
        rules
            .verifier
            .verify(key.public_key(), signed)
            .map_err(|fault| Fault::new(Rule::Signature, fault.to_string()))
    };
    match judge(response, certificate, issuer, rules, &mut check) {
        Ok(Ok(single)) => from_single(&single),
        Ok(Err(why)) => Status::Unknown {
            why: why.to_owned(),
        },
        Err(fault) => Status::Unknown { why: fault.detail },
    }
}

fn from_single(single: &SingleResponse<'_>) -> Status {
    match single.status {
        SingleStatus::Good => Status::Good,
        SingleStatus::Revoked { date, reason } => Status::Revoked { reason, date },
        SingleStatus::Unknown => Status::Unknown {
            why: "the responder does not know the certificate".to_owned(),
        },
    }
}

/// What the responses at hand say: the newest that counts.
pub(super) fn status(
    context: &mut Context<'_, '_, '_>,
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
) -> Checked<Option<Status>> {
    let options = context.options;
    let rules = ResponderRules {
        now: options.now,
        max_age_seconds: options.revocation.max_age_seconds,
        nonce: None,
        require_no_check: false,
        verifier: options.verifier,
    };
    let mut newest: Option<SingleResponse<'_>> = None;
    for response in context.evidence.ocsp {
        let mut check = |key: &Certificate<'_>, signed: &Signed<'_>| {
            context.budget.signature()?;
            rules
                .verifier
                .verify(key.public_key(), signed)
                .map_err(|fault| Fault::new(Rule::Signature, fault.to_string()))
        };
        let single = match judge(response, certificate, issuer, &rules, &mut check) {
            Ok(Ok(single)) => single,
            Err(fault) if fault.rule == Rule::WorkLimit => return Err(fault),
            _ => continue,
        };
        if newest.is_none_or(|known| single.this_update > known.this_update) {
            newest = Some(single);
        }
    }
    Ok(newest.map(|single| from_single(&single)))
}

type CheckSignature<'c> = &'c mut dyn FnMut(&Certificate<'_>, &Signed<'_>) -> Checked;

/// The answer about this certificate, if the response counts; the inner error
/// is why it does not.
fn judge<'a>(
    response: &OcspResponse<'a>,
    certificate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    rules: &ResponderRules<'_>,
    check: CheckSignature<'_>,
) -> Checked<Result<SingleResponse<'a>, &'static str>> {
    let Some(basic) = response.basic() else {
        return Ok(Err("the responder gave no answer"));
    };
    if basic.unknown_critical {
        return Ok(Err(
            "a response has a critical extension that is not understood",
        ));
    }
    if rules.nonce.is_some() && rules.nonce != basic.nonce {
        return Ok(Err("a response without the nonce that was sent"));
    }
    let mut of_it = basic
        .responses
        .iter()
        .filter(|single| single.id.names(certificate, issuer));
    // Several answers about one certificate: the newest counts.
    let Some(first) = of_it.next() else {
        return Ok(Err("a response about other certificates"));
    };
    let single = of_it.fold(*first, |best, next| {
        if next.this_update > best.this_update {
            *next
        } else {
            best
        }
    });
    if single.unknown_critical {
        return Ok(Err(
            "an answer has a critical extension that is not understood",
        ));
    }
    if let Err(why) = check_times(basic, &single, certificate, rules) {
        return Ok(Err(why));
    }
    Ok(match check_signer(basic, issuer, rules, check)? {
        Ok(()) => Ok(single),
        Err(why) => Err(why),
    })
}

fn check_times(
    basic: &BasicResponse<'_>,
    single: &SingleResponse<'_>,
    certificate: &Certificate<'_>,
    rules: &ResponderRules<'_>,
) -> Result<(), &'static str> {
    let now = rules.now;
    if basic.produced_at > now {
        return Err("a response of the future");
    }
    if basic.produced_at < certificate.not_before() {
        return Err("a response from before the certificate");
    }
    if single.this_update > now {
        return Err("an answer of the future");
    }
    let young = rules
        .max_age_seconds
        .map(|most| now.0 - single.this_update.0 <= i64::from(most));
    let current = match single.next_update {
        Some(next) => next >= now && next >= single.this_update && young.unwrap_or(true),
        None => young.unwrap_or(false),
    };
    if current {
        Ok(())
    } else {
        Err("an answer is out of date")
    }
}

/// RFC 6960, section 4.2.2.2: the issuer's own key, or a certificate that the
/// issuer itself gave for signing responses.
fn check_signer(
    basic: &BasicResponse<'_>,
    issuer: &Certificate<'_>,
    rules: &ResponderRules<'_>,
    check: CheckSignature<'_>,
) -> Checked<Result<(), &'static str>> {
    let mut passes = |key: &Certificate<'_>, signed: &Signed<'_>| match check(key, signed) {
        Ok(()) => Ok(true),
        Err(fault) if fault.rule == Rule::WorkLimit => Err(fault),
        Err(_) => Ok(false),
    };
    let mut why = "a response whose signer is not at hand";
    if basic.responder.names(issuer) {
        if passes(issuer, &basic.signed)? {
            return Ok(Ok(()));
        }
        why = "a response whose signature does not hold";
    }
    for der in &basic.certificates {
        let Ok(delegate) = Certificate::from_der(der) else {
            continue;
        };
        if !basic.responder.names(&delegate) || delegate.as_der() == issuer.as_der() {
            continue;
        }
        if let Err(found) = check_delegate(&delegate, issuer, rules) {
            why = found;
            continue;
        }
        if passes(issuer, delegate.signed())? && passes(&delegate, &basic.signed)? {
            return Ok(Ok(()));
        }
        why = "a response whose signature, or whose signer's, does not hold";
    }
    Ok(Err(why))
}

fn check_delegate(
    delegate: &Certificate<'_>,
    issuer: &Certificate<'_>,
    rules: &ResponderRules<'_>,
) -> Result<(), &'static str> {
    let extensions = delegate.extensions();
    if !delegate.issuer().matches(issuer.subject()) {
        return Err("a responder that another authority named");
    }
    //= https://www.rfc-editor.org/rfc/rfc6960#section-4.2.2.2
    //# OCSP signing delegation SHALL be designated by the inclusion of
    //# id-kp-OCSPSigning in an extended key usage certificate extension
    //# included in the OCSP response signer's certificate.
    let named = extensions
        .extended_key_usage
        .is_some_and(|usages| usages.contains(oid::OCSP_SIGNING));
    if !named {
        return Err("a responder without id-kp-OCSPSigning");
    }
    if extensions
        .key_usage
        .is_some_and(|usage| !usage.contains(KeyUsage::DIGITAL_SIGNATURE))
    {
        return Err("a responder whose key may not sign");
    }
    if extensions.unknown_critical.is_some() {
        return Err("a responder with a critical extension that is not understood");
    }
    if rules.now < delegate.not_before() || rules.now > delegate.not_after() {
        return Err("a responder whose certificate is not valid now");
    }
    if rules.require_no_check && !extensions.ocsp_no_check {
        return Err("a responder whose own revocation is not settled");
    }
    Ok(())
}
