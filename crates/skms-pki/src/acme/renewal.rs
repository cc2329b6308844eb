//! Renewal information (RFC 9773): how a certificate is named, and when it
//! should be renewed.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::certificate::Certificate;
use crate::time::Moment;

/// How a certificate is named (RFC 9773, section 4.1): its authority's key
/// identifier and its serial number. `None` if it names no such identifier.
#[must_use]
pub fn cert_id(certificate: &Certificate<'_>) -> Option<String> {
    let authority = certificate.extensions().authority_key_identifier.as_ref()?;
    let id = authority.key_id?;
    Some(format!(
        "{}.{}",
        URL_SAFE_NO_PAD.encode(id),
        URL_SAFE_NO_PAD.encode(certificate.serial())
    ))
}

/// When it should be renewed: in a tenth of its lifetime around the point at
/// which two thirds of it are over, and at once if it is revoked.
#[must_use]
pub fn window(
    not_before: Moment,
    not_after: Moment,
    revoked_at: Option<Moment>,
) -> (Moment, Moment) {
    let lifetime = not_after.0.saturating_sub(not_before.0).max(2);
    if let Some(at) = revoked_at {
        // Wholly in the past: renew now.
        return (
            Moment(at.0.saturating_sub(2)),
            Moment(at.0.saturating_sub(1)),
        );
    }
    let middle = not_before.0.saturating_add(lifetime / 3 * 2);
    let half = (lifetime / 20).max(1);
    (
        Moment(middle.saturating_sub(half)),
        Moment(middle.saturating_add(half)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_lies_at_two_thirds_and_before_a_revocation() {
        let (start, end) = window(Moment(0), Moment(900), None);
        assert_eq!((start.0, end.0), (555, 645));
        let (start, end) = window(Moment(0), Moment(900), Some(Moment(300)));
        assert!(start < end && end.0 < 300);
        let (start, end) = window(Moment(5), Moment(5), None);
        assert!(start < end);
    }
}
