//! Moments from text.

use skms_pki::Moment;

/// A moment from RFC 3339; fractions of a second are dropped.
pub fn moment(text: &str) -> crate::Result<Moment> {
    let format = &time::format_description::well_known::Rfc3339;
    let found = time::OffsetDateTime::parse(text, format)?;
    Ok(Moment(found.unix_timestamp()))
}
