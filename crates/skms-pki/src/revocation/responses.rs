//! A certificate's status by an OCSP response (RFC 6960, section 3.2).

use crate::certificate::{Certificate, KeyUsage, Signed};
use crate::ocsp::{BasicResponse, CertId, OcspResponse, SingleResponse, SingleStatus};
use crate::oid;
use crate::path::budget::steps;
use crate::path::context::Context;
use crate::path::rule::Checked;
use crate::signature::Verify;
use crate::time::Moment;

use super::verdict::{Said, combine};
use super::{Status, Subject};

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
    /// id-pkix-ocsp-nocheck. There is no looking into its revocation here:
    /// [`crate::path::validate`] looks.
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
    let unknown = |why: &str| Status::Unknown {
        why: why.to_owned(),
    };
    match judge(response, certificate, issuer, rules, &mut Alone(*rules)) {
        Ok(Ok(found)) => match found.single.status {
            SingleStatus::Good => Status::Good,
            SingleStatus::Revoked { date, reason } => Status::Revoked { reason, date },
            SingleStatus::Unknown => unknown(NOT_KNOWN),
        },
        Ok(Err(why)) => unknown(why),
        Err(fault) => unknown(&fault.detail),
    }
}

const NOT_KNOWN: &str = "the responder does not know the certificate";

/// What the responses at hand say together; `None` if there are none.
pub(super) fn ask<'r, 'a>(
    context: &mut Context<'_, 'r, 'a>,
    subject: Subject<'_, 'r, 'a>,
) -> Checked<Option<Said>> {
    let options = context.options;
    let rules = ResponderRules {
        now: options.now,
        max_age_seconds: options.revocation.max_age_seconds,
        nonce: None,
        require_no_check: false,
        verifier: options.verifier,
    };
    let mut together: Option<Said> = None;
    for response in context.evidence.ocsp {
        let mut within = Within { context, subject };
        let found = judge(
            response,
            subject.certificate,
            subject.issuer(),
            &rules,
            &mut within,
        )?;
        let said = match found {
            Err(why) => Said::unknown(why),
            Ok(found) => {
                let at = found.single.this_update;
                match found.single.status {
                    SingleStatus::Revoked { date, reason } => Said::entry(at, date, reason),
                    SingleStatus::Unknown => Said::unknown(NOT_KNOWN),
                    SingleStatus::Good if found.settled => Said::Good { at },
                    SingleStatus::Good => {
                        Said::unknown("a responder whose own revocation is not settled")
                    }
                }
            }
        };
        together = Some(match together {
            None => said,
            // Why a response about this certificate does not count says more
            // than that another is about others.
            Some(Said::Unknown { why }) if why == OTHERS => said,
            Some(known) => combine(known, said),
        });
    }
    Ok(together)
}

/// What judging a response asks of whoever wants it judged.
trait Around<'a> {
    /// Counts work.
    fn step(&mut self, count: u64) -> Checked;
    /// Whether an entry speaks of this certificate of this issuer.
    fn is_of(
        &mut self,
        id: &CertId<'a>,
        certificate: &Certificate<'a>,
        issuer: &Certificate<'a>,
    ) -> Checked<bool>;
    /// Whether a signature holds.
    fn is_signed(&mut self, key: &Certificate<'a>, signed: &Signed<'a>) -> Checked<bool>;
    /// Whether a delegated signer whose certificate holds may be believed.
    fn standing(&mut self, delegate: &Certificate<'a>) -> Checked<Standing>;
}

/// What is known of a delegated signer's own revocation.
enum Standing {
    /// It need not be looked up, or was and is good.
    Settled,
    /// Nothing is known. What it says against a certificate is believed, what
    /// it says for one is not.
    Open,
    /// It is not believed, and why.
    Refused(&'static str),
}

/// A response judged by itself, with nothing to look anything up in.
struct Alone<'v>(ResponderRules<'v>);

impl<'a> Around<'a> for Alone<'_> {
    fn step(&mut self, _: u64) -> Checked {
        Ok(())
    }

    fn is_of(
        &mut self,
        id: &CertId<'a>,
        certificate: &Certificate<'a>,
        issuer: &Certificate<'a>,
    ) -> Checked<bool> {
        Ok(id.names(certificate, issuer))
    }

    fn is_signed(&mut self, key: &Certificate<'a>, signed: &Signed<'a>) -> Checked<bool> {
        Ok(self.0.verifier.verify(key.public_key(), signed).is_ok())
    }

    fn standing(&mut self, delegate: &Certificate<'a>) -> Checked<Standing> {
        Ok(
            if self.0.require_no_check && !delegate.extensions().ocsp_no_check {
                Standing::Refused("a responder whose own revocation is not settled")
            } else {
                Standing::Settled
            },
        )
    }
}

/// A response among other evidence.
struct Within<'c, 'o, 'p, 'r, 'a> {
    context: &'c mut Context<'o, 'r, 'a>,
    subject: Subject<'p, 'r, 'a>,
}

impl<'a> Around<'a> for Within<'_, '_, '_, '_, 'a> {
    fn step(&mut self, count: u64) -> Checked {
        self.context.budget.step(count)
    }

    fn is_of(
        &mut self,
        id: &CertId<'a>,
        certificate: &Certificate<'a>,
        issuer: &Certificate<'a>,
    ) -> Checked<bool> {
        self.context.is_of(id, certificate, issuer)
    }

    fn is_signed(&mut self, key: &Certificate<'a>, signed: &Signed<'a>) -> Checked<bool> {
        self.context.is_signed(key.public_key(), signed)
    }

    //= https://www.rfc-editor.org/rfc/rfc6960#section-4.2.2.2.1
    //# A CA may specify that an OCSP client can trust a responder for the
    //# lifetime of the responder's certificate.  The CA does so by
    //# including the extension id-pkix-ocsp-nocheck.
    //
    // It can; but one that is known to be revoked is not believed all the same.
    fn standing(&mut self, delegate: &Certificate<'a>) -> Checked<Standing> {
        if self.context.open.contains(&delegate.as_der()) {
            return Ok(Standing::Refused("a responder that vouches for itself"));
        }
        let subject = Subject {
            certificate: delegate,
            ..self.subject
        };
        Ok(match super::ask(self.context, subject)? {
            Said::Good { .. } => Standing::Settled,
            Said::Revoked { .. } | Said::Held { .. } => {
                Standing::Refused("a responder whose own certificate is revoked")
            }
            Said::Unknown { .. } if delegate.extensions().ocsp_no_check => Standing::Settled,
            Said::Unknown { .. } => Standing::Open,
        })
    }
}

/// An answer that counts.
struct Found<'a> {
    single: SingleResponse<'a>,
    /// Whether its signer's own revocation is settled.
    settled: bool,
}

const OTHERS: &str = "a response about other certificates";

/// The answer about this certificate, if the response counts; the inner error
/// is why it does not.
fn judge<'a>(
    response: &OcspResponse<'a>,
    certificate: &Certificate<'a>,
    issuer: &Certificate<'a>,
    rules: &ResponderRules<'_>,
    around: &mut dyn Around<'a>,
) -> Checked<Result<Found<'a>, &'static str>> {
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
    around.step(1 + basic.responses.len() as u64 / 8)?;
    // Several answers about one certificate: the newest counts.
    let mut newest: Option<SingleResponse<'a>> = None;
    for single in &basic.responses {
        if around.is_of(&single.id, certificate, issuer)?
            && newest.is_none_or(|known| single.this_update > known.this_update)
        {
            newest = Some(*single);
        }
    }
    let Some(single) = newest else {
        return Ok(Err(OTHERS));
    };
    if single.unknown_critical {
        return Ok(Err(
            "an answer has a critical extension that is not understood",
        ));
    }
    if let Err(why) = check_times(basic, &single, certificate, rules) {
        return Ok(Err(why));
    }
    let signer = check_signer(basic, issuer, rules, around)?;
    Ok(signer.map(|settled| Found { single, settled }))
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
/// issuer itself gave for signing responses. Whether the signer's own
/// revocation is settled.
fn check_signer<'a>(
    basic: &BasicResponse<'a>,
    issuer: &Certificate<'a>,
    rules: &ResponderRules<'_>,
    around: &mut dyn Around<'a>,
) -> Checked<Result<bool, &'static str>> {
    let mut why = "a response whose signer is not at hand";
    around.step(named_steps(issuer))?;
    if basic.responder.names(issuer) {
        if around.is_signed(issuer, &basic.signed)? {
            return Ok(Ok(true));
        }
        why = "a response whose signature does not hold";
    }
    for der in &basic.certificates {
        around.step(4 * steps(der.len()))?;
        let Ok(delegate) = Certificate::from_der(der) else {
            continue;
        };
        around.step(named_steps(&delegate))?;
        if !basic.responder.names(&delegate) || delegate.as_der() == issuer.as_der() {
            continue;
        }
        if let Err(found) = check_delegate(&delegate, issuer, rules) {
            why = found;
            continue;
        }
        if !around.is_signed(issuer, delegate.signed())?
            || !around.is_signed(&delegate, &basic.signed)?
        {
            why = "a response whose signature, or whose signer's, does not hold";
            continue;
        }
        match around.standing(&delegate)? {
            Standing::Settled => return Ok(Ok(true)),
            Standing::Open => return Ok(Ok(false)),
            Standing::Refused(found) => why = found,
        }
    }
    Ok(Err(why))
}

/// What it takes to see whether a responder is this certificate's holder.
fn named_steps(certificate: &Certificate<'_>) -> u64 {
    certificate.subject().weight() + steps(certificate.public_key().key.len())
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
