//! The `Idempotency-Key` header: which request it is on, and whether the
//! route keeps what it promises.

use http::request::Parts;
use skms_crypto::hash::sha256;
use skms_engine::IdempotencyKey;
use skms_wire::native::{
    idempotency,
    routes::{IDEMPOTENCY_HEADER, Route},
};

use super::error::Failure;

/// The request's idempotency key, if it has one that its route looks at.
///
/// # Errors
/// [`skms_wire::native::ProblemKind::MalformedRequest`] for what is no key,
/// for two of them, and for one where nothing would remember it.
pub fn key(route: &Route, parts: &Parts, body: &[u8]) -> Result<Option<IdempotencyKey>, Failure> {
    let takes = route.takes_idempotency_key();
    if !takes && !route.refuses_idempotency_key() {
        return Ok(None);
    }
    let mut sent = parts.headers.get_all(IDEMPOTENCY_HEADER).iter();
    let Some(value) = sent.next() else {
        return Ok(None);
    };
    if !takes {
        return Err(Failure::malformed(
            "this request takes no Idempotency-Key: sent twice, it would be done twice",
        ));
    }
    let key = idempotency::key(value.as_bytes()).filter(|_| sent.next().is_none());
    let key = key.ok_or_else(|| {
        Failure::malformed("Idempotency-Key is one key of 1 to 255 printable ASCII characters")
    })?;
    // The route's name says method and path; the target says parameters and
    // query. Neither holds a zero byte.
    let target = parts
        .uri
        .path_and_query()
        .map_or("", |target| target.as_str());
    let request = sha256(&[route.id.as_bytes(), b"\0", target.as_bytes(), b"\0", body]);
    Ok(Some(IdempotencyKey::new(key, request)?))
}
