//! From a request to what is to be signed.

use crate::certificate::{Certificate, PublicKeyInfo, Signed};
use crate::oid::{self, OidBuf};
use crate::path::budget::{Budget, Limits};
use crate::path::names::Subtrees;
use crate::path::{Evidence, Options, Profile as PathProfile, Purpose, validate};
use crate::signature::{SignatureFault, Verify};
use crate::time::Moment;

use super::authority::Authority;
use super::error::{Breaches, Demand, IssueError};
use super::grant::{self, Granted};
use super::lint::{Issuing, Lint};
use super::names;
use super::profile::{Profile, Shape};
use super::request::Request;
use super::serial::Serial;
use super::tbs::{ToBeSigned, unsigned};
use super::write::Draft;

impl Profile {
    /// Plans a certificate: holds the request against this profile and the
    /// authority's own limits, writes the TBSCertificate, lints it, and asks
    /// our own validation whether it would be valid below the authority.
    ///
    /// Roots, leaves, authorities below others and cross-certificates all go
    /// this way; see [`Authority::root`] and [`Request::cross`].
    ///
    /// # Errors
    /// [`IssueError::Refused`] with every rule that the request broke;
    /// [`IssueError::Unfit`] and [`IssueError::Invalid`] where profile and
    /// authority together make something that is no good;
    /// [`IssueError::Unreadable`], [`IssueError::Input`].
    pub fn plan(
        &self,
        authority: &Authority,
        request: &Request,
        serial: Serial,
        now: Moment,
    ) -> Result<ToBeSigned, IssueError> {
        let self_signed = self.authority.as_ref().is_some_and(|it| it.self_signed);
        // A root made anew owes nothing to the one before.
        let chain = match self_signed {
            true => Vec::new(),
            false => authority.certificates()?,
        };
        let mut breaches = Breaches::default();
        self.check_authority(authority, &chain, request, &mut breaches);
        let key = grant::key(self, request, &mut breaches);
        names::check(self, request, &mut breaches);
        let (key_usage, purposes) = grant::usages(self, request, key, &mut breaches);
        let path_len = grant::path_length(self, request, &chain, &mut breaches);
        let (not_before, not_after) =
            grant::validity(self, authority, &chain, request, now, &mut breaches);
        let granted = Granted {
            key_usage,
            purposes,
            path_len,
            not_before,
            not_after,
        };
        let draft = Draft {
            profile: self,
            authority,
            request,
            granted: &granted,
            serial,
        };
        let tbs = match draft.tbs() {
            Ok(tbs) => tbs,
            // What was refused already may be why it cannot be written.
            Err(why) => return Err(breaches.outcome().err().unwrap_or(why)),
        };
        let der = unsigned(&tbs, authority.scheme);
        if let Ok(read) = Certificate::from_der(&der) {
            check_constraints(&read, &chain, &mut breaches);
        }
        breaches.outcome()?;
        let issuing = Issuing {
            shape: self.shape,
            now: Some(now),
        };
        let planned = ToBeSigned::linted(tbs, authority.scheme, &authority.spki, serial, &issuing)
            .map_err(whose_fault)?;
        let read = Certificate::from_der(&der)?;
        self.check_below(&read, &chain, &granted, now)?;
        Ok(planned)
    }

    fn check_authority(
        &self,
        authority: &Authority,
        chain: &[Certificate<'_>],
        request: &Request,
        breaches: &mut Breaches,
    ) {
        let own_key = authority.spki == request.spki;
        let self_signed = self.authority.as_ref().is_some_and(|it| it.self_signed);
        let fits = authority.scheme_fits();
        breaches.require(
            fits,
            Demand::Authority,
            "its key does not sign by its scheme",
        );
        breaches.require(
            !authority.name.is_empty(),
            Demand::Authority,
            "it has no name",
        );
        match chain.first() {
            None => breaches.require(
                self_signed,
                Demand::Authority,
                "it has no certificate, and only a root can be made without",
            ),
            Some(own) => {
                let same = own.public_key().der == authority.spki
                    && own.subject().matches(&authority.name.as_name());
                breaches.require(same, Demand::Authority, "its certificate is another's");
                let may = crate::path::profile::check_issuer(own);
                if let Err(fault) = may {
                    breaches.add(Demand::Authority, fault.detail);
                }
            }
        }
        if self_signed {
            let same_name = authority.name == request.subject;
            breaches.require(
                own_key && same_name,
                Demand::Authority,
                "a root signs itself: its name and key must be the authority's",
            );
        } else {
            breaches.require(
                !own_key,
                Demand::Key,
                "the authority's own key, in a certificate that it signs",
            );
        }
    }

    /// Asks our own validation about what nobody has signed yet. The chain's
    /// signatures were checked when the authority came to be.
    fn check_below(
        &self,
        read: &Certificate<'_>,
        chain: &[Certificate<'_>],
        granted: &Granted,
        now: Moment,
    ) -> Result<(), IssueError> {
        let Some((anchor, above)) = chain.split_last() else {
            return Ok(());
        };
        let web = self.shape == Shape::BaselineRequirements && anchor.is_self_issued();
        let mut purposes: Vec<Purpose> = granted.purposes.iter().map(purpose).collect();
        if purposes.is_empty() {
            purposes.push(Purpose::Any);
        }
        for purpose in purposes {
            let evidence = Evidence {
                anchors: std::slice::from_ref(anchor),
                intermediates: above,
                ..Evidence::default()
            };
            let mut options = Options {
                verifier: &Planned,
                purpose,
                ..Options::new(granted.not_before.max(now))
            };
            // The web's profile refuses authorities in a leaf's place.
            if web && !read.is_ca() {
                options.profile = PathProfile::WebPki;
            }
            if let Err(refusal) = validate(read, &evidence, &options) {
                return Err(IssueError::Invalid(Box::new(refusal)));
            }
        }
        Ok(())
    }
}

/// Lints also find what a request wrote into its names, which is for the
/// requester to mend.
fn whose_fault(error: IssueError) -> IssueError {
    let IssueError::Unfit(findings) = &error else {
        return error;
    };
    let mut breaches = Breaches::default();
    for finding in findings {
        let demand = match finding.lint {
            Lint::NameString | Lint::NameLength | Lint::NameOrder => Demand::Subject,
            Lint::AltName => Demand::NameSyntax,
            _ => return error,
        };
        breaches.add(demand, finding.to_string());
    }
    breaches.outcome().err().unwrap_or(error)
}

fn purpose(oid: &OidBuf) -> Purpose {
    match oid.as_oid() {
        oid::SERVER_AUTH => Purpose::ServerAuth,
        oid::CLIENT_AUTH => Purpose::ClientAuth,
        oid::CODE_SIGNING => Purpose::CodeSigning,
        oid::EMAIL_PROTECTION => Purpose::EmailProtection,
        oid::TIME_STAMPING => Purpose::TimeStamping,
        oid::OCSP_SIGNING => Purpose::OcspSigning,
        _ => Purpose::Other(oid.clone()),
    }
}

/// Holds the names of what is to be issued against the constraints of every
/// certificate above it, by the code that validation uses.
fn check_constraints(read: &Certificate<'_>, chain: &[Certificate<'_>], breaches: &mut Breaches) {
    let mut budget = Budget::new(Limits::default());
    for above in chain {
        let Some(constraints) = &above.extensions().name_constraints else {
            continue;
        };
        let held = Subtrees::new(constraints, &mut budget)
            .and_then(|trees| trees.check_all(read, &mut budget));
        if let Err(fault) = held {
            let detail = format!("{}, as {} has it", fault.detail, above.subject());
            breaches.add(Demand::NameConstraints, detail);
        }
    }
}

/// Takes every signature for granted: there is none yet.
struct Planned;

impl Verify for Planned {
    fn verify(&self, _: &PublicKeyInfo<'_>, _: &Signed<'_>) -> Result<(), SignatureFault> {
        Ok(())
    }
}
