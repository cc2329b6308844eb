//! Validates a certificate that others issued, by what the caller brings.

use std::sync::Arc;

use skms_evidence::Outcome;
use skms_pki::ask::{AskError, Bounds, Papers, Verdict, ask};
use skms_pki::{Moment, Options};

use crate::act::act;
use crate::caller::Caller;
use crate::draft::EventDraft;
use crate::engine::Engine;
use crate::error::{Error, Result};
use crate::target::Target;

act!(
    Validate,
    CertificateValidate,
    "Validates a certificate that others issued."
);

/// What one question may bring. What a validation may cost is bounded by
/// [`skms_pki::path::Limits`] besides.
pub const BOUNDS: Bounds = Bounds {
    certificates: 256,
    lists: 64,
    responses: 64,
};

/// What is asked.
pub struct Request {
    /// The certificate and the evidence.
    pub papers: Papers,
    /// The rules; their moment is set by [`Self::at`].
    pub options: Options<'static>,
    /// At which moment; now if `None`.
    pub at: Option<Moment>,
}

impl Engine {
    /// The verdict on a certificate. Nothing is looked up elsewhere and
    /// nothing is kept.
    ///
    /// # Errors
    /// [`Error::TooLarge`] over [`BOUNDS`]; [`Error::Invalid`] for what cannot
    /// be read, and without an anchor; [`Error::Busy`] if the slow pool is.
    /// That the certificate is refused is no error.
    pub async fn validate_certificate(
        &self,
        caller: &Arc<Caller>,
        request: Request,
    ) -> Result<Verdict> {
        let entry = self.enter(caller)?;
        let allowed = entry.authorize::<Validate>(Target::system()).await?;
        let Request {
            papers,
            mut options,
            at,
        } = request;
        options.now = at.unwrap_or(Moment(entry.now().0));
        // A hundred signatures hold a worker for too long.
        let work = move || ask(&papers, &options, &BOUNDS).map_err(refused);
        let done = self.slow().run(work).await.flatten();
        let verdict = entry.failed(&allowed, done).await?;
        entry
            .record(EventDraft::of(&entry, &allowed, Outcome::Success)?)
            .await?;
        Ok(verdict)
    }
}

fn refused(error: AskError) -> Error {
    match error {
        AskError::TooMany { what, limit } => Error::TooLarge {
            what,
            limit: limit as u64,
        },
        other => Error::Invalid(other.to_string()),
    }
}
