//! What both harnesses and the tests need: PEM, moments, timing.

#[allow(dead_code)]
pub mod limbo;
#[allow(dead_code)]
pub mod suite;

use std::time::{Duration, Instant};

use base64::Engine;
use skms_pki::Moment;

/// Everything that can go wrong in a harness.
pub type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

/// The blocks of a PEM text: label and DER.
#[allow(dead_code)]
pub fn pem(text: &str) -> Result<Vec<(String, Vec<u8>)>> {
    let mut blocks = Vec::new();
    let mut label = None;
    let mut body = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("-----BEGIN ") {
            label = Some(rest.trim_end_matches('-').to_owned());
            body.clear();
        } else if line.starts_with("-----END ") {
            let der = base64::engine::general_purpose::STANDARD.decode(&body)?;
            blocks.push((label.take().ok_or("END without BEGIN")?, der));
        } else if label.is_some() {
            body.push_str(line.trim());
        }
    }
    Ok(blocks)
}

/// A moment from RFC 3339; fractions of a second are dropped.
pub fn moment(text: &str) -> Result<Moment> {
    let format = &time::format_description::well_known::Rfc3339;
    let found = time::OffsetDateTime::parse(text, format)?;
    Ok(Moment(found.unix_timestamp()))
}

/// The present, for cases that name no moment.
#[allow(dead_code)]
pub fn now() -> Moment {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    Moment(since.map_or(0, |since| {
        i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
    }))
}

/// Runs something and says how long it took.
#[allow(dead_code)]
pub fn timed<T>(run: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    (run(), start.elapsed())
}
