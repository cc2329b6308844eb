//! By which profiles certificates are given where clients enrol by themselves:
//! ACME and EST.

use skms_pki::certificate::Form;
use skms_pki::issue::{Profile, ProfileKind};

use super::Authority;
use super::named::ProfileChoice;
use crate::error::{Error, Result};

/// A protocol that an authority may be open to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Door {
    /// RFC 8555: whoever proves control of names.
    Acme,
    /// RFC 7030: whoever shows a credential.
    Est,
}

impl Door {
    /// Whether certificates by a profile may be given here at all. What could
    /// certify others, call good what is revoked, or be a principal of this
    /// server is given by none: that is for whoever may do so by name.
    fn gives(self, kind: ProfileKind) -> bool {
        use ProfileKind as Kind;
        match self {
            // Nothing but names is proved, so nothing but names is certified.
            Self::Acme => matches!(
                kind,
                Kind::TlsServer | Kind::TlsServerWeb | Kind::TlsClient | Kind::TlsMutual
            ),
            Self::Est => !matches!(
                kind,
                Kind::Root | Kind::Intermediate | Kind::OcspSigner | Kind::Principal
            ),
        }
    }
}

impl Authority {
    /// What a profile says at a door, as the authority issues by it now. A
    /// profile of its own may be another than when the door was opened, so that
    /// this is asked for each certificate.
    ///
    /// # Errors
    /// [`Error::Invalid`] for one that it does not issue by, and for one by
    /// which nothing is given here.
    pub(crate) fn profile_at(
        &self,
        door: Door,
        choice: &ProfileChoice,
    ) -> Result<(ProfileKind, Profile)> {
        let (kind, profile) = self.profile(choice)?;
        if !door.gives(kind) {
            return Err(Error::Invalid(format!(
                "clients that enrol by themselves get no certificates by {}",
                kind.name()
            )));
        }
        let proved = |form: &Form| matches!(form, Form::Dns | Form::Ip);
        if door == Door::Acme && !profile.names.forms.iter().any(proved) {
            return Err(Error::Invalid(
                "the profile lets in no names that ACME proves control of".into(),
            ));
        }
        Ok((kind, profile))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_door_gives_what_others_are_certified_by() {
        use ProfileKind as Kind;
        for kind in Kind::all() {
            let tls = matches!(
                kind,
                Kind::TlsServer | Kind::TlsServerWeb | Kind::TlsClient | Kind::TlsMutual
            );
            let of_subjects = matches!(kind, Kind::SMime | Kind::CodeSigning | Kind::TimeStamping);
            assert_eq!(Door::Acme.gives(*kind), tls, "{kind}");
            assert_eq!(Door::Est.gives(*kind), tls || of_subjects, "{kind}");
        }
    }
}
