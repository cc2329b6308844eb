//! Reading a request's body, into no more memory than its sender has earned.

use std::{pin::pin, time::Duration};

use axum::{
    BoxError,
    body::{Bytes, HttpBody},
};
use http::{HeaderMap, header};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use skms_wire::native::ProblemKind;
use zeroize::Zeroizing;

use super::error::Failure;
use crate::{
    config::Limits,
    net::load::{Memory, Share, Shed},
};

/// The longest body, in bytes, read from a sender who is nobody yet. The
/// longest that such a sender has a use for is a passphrase or a share.
const OPEN_MAX: usize = 8 * 1024;
/// What is set aside for a body, in bytes, before any of it is there.
const AT_FIRST: usize = 4 * 1024;
/// The most that is set aside, in bytes, because a known sender announced it.
const ANNOUNCED_MAX: usize = 64 * 1024;

/// How much of a body is read, how much memory it gets at first, and how long
/// it may take.
pub struct Bounds {
    longest: usize,
    announced_max: usize,
    time: Duration,
}

impl Bounds {
    /// For a body whose sender is known, or is not.
    pub fn of(limits: &Limits, known: bool) -> Self {
        let (longest, announced_max) = if known {
            (limits.body_bytes, ANNOUNCED_MAX)
        } else {
            (limits.body_bytes.min(OPEN_MAX), AT_FIRST)
        };
        Self {
            longest,
            announced_max,
            time: limits.body_timeout,
        }
    }

    /// The same for bodies of no more than so many bytes.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.longest = self.longest.min(bytes);
        self
    }

    /// Claims the memory that a large body will take, for as long as its
    /// request is under way. Small ones are counted by their number alone.
    ///
    /// # Errors
    /// [`ProblemKind::Unavailable`] when the others under way have it all.
    pub fn claim<'a, B: HttpBody>(
        &self,
        body: &B,
        memory: &'a Memory,
    ) -> Result<Option<Share<'a>>, Failure> {
        let longest = body
            .size_hint()
            .upper()
            .and_then(|bytes| usize::try_from(bytes).ok())
            .unwrap_or(self.longest)
            .min(self.longest);
        if longest <= ANNOUNCED_MAX {
            return Ok(None);
        }
        let share = memory.take(longest);
        match share {
            Some(share) => Ok(Some(share)),
            None => Err(Failure::shed(ProblemKind::Unavailable, Shed::BodyMemory)),
        }
    }

    /// Reads a body within these bounds. It is erased when it is let go; the
    /// transport's own buffers are not ours to erase.
    ///
    /// # Errors
    /// [`ProblemKind::PayloadTooLarge`], also for a length that is only
    /// announced; [`ProblemKind::RequestTimeout`];
    /// [`ProblemKind::MalformedRequest`] for a body that broke off;
    /// [`ProblemKind::UnsupportedMediaType`] for one that is not JSON.
    pub async fn read<B>(&self, headers: &HeaderMap, body: B) -> Result<Zeroizing<Vec<u8>>, Failure>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let bytes = self.read_any(headers, body).await?;
        if !bytes.is_empty() && !is_json(headers) {
            return Err(Failure::new(ProblemKind::UnsupportedMediaType));
        }
        Ok(bytes)
    }

    /// As [`Self::read`], whatever kind it is of.
    ///
    /// # Errors
    /// As there, but for the kind.
    pub async fn read_any<B>(
        &self,
        headers: &HeaderMap,
        body: B,
    ) -> Result<Zeroizing<Vec<u8>>, Failure>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let announced = headers
            .get(header::CONTENT_LENGTH)
            .and_then(|value| value.to_str().ok())
            .and_then(|text| text.parse::<usize>().ok());
        if announced.is_some_and(|length| length > self.longest) {
            return Err(self.too_large());
        }
        let bytes = tokio::time::timeout(self.time, self.gather(announced, body))
            .await
            .map_err(|_slow| {
                Failure::with(
                    ProblemKind::RequestTimeout,
                    "the body did not arrive in time",
                )
            })??;
        Ok(bytes)
    }

    async fn gather<B>(
        &self,
        announced: Option<usize>,
        body: B,
    ) -> Result<Zeroizing<Vec<u8>>, Failure>
    where
        B: HttpBody<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let mut limited = pin!(Limited::new(body, self.longest));
        let mut bytes = Zeroizing::new(Vec::with_capacity(self.at_first(announced)));
        while let Some(frame) = limited.frame().await {
            let frame = frame.map_err(|error| {
                if error.downcast_ref::<LengthLimitError>().is_some() {
                    self.too_large()
                } else {
                    Failure::malformed("the body broke off")
                }
            })?;
            if let Some(data) = frame.data_ref() {
                self.append(&mut bytes, data);
            }
        }
        Ok(bytes)
    }

    fn at_first(&self, announced: Option<usize>) -> usize {
        announced.unwrap_or(AT_FIRST).min(self.announced_max)
    }

    /// Appends; a buffer that has to grow is erased before it is let go.
    fn append(&self, bytes: &mut Zeroizing<Vec<u8>>, data: &[u8]) {
        let needed = bytes.len().saturating_add(data.len());
        if needed > bytes.capacity() {
            let doubled = bytes.capacity().saturating_mul(2).min(self.longest);
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(doubled)));
            larger.extend_from_slice(bytes);
            *bytes = larger;
        }
        bytes.extend_from_slice(data);
    }

    fn too_large(&self) -> Failure {
        Failure::with(
            ProblemKind::PayloadTooLarge,
            format!("at most {} bytes are read", self.longest),
        )
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let mut sent = headers.get_all(header::CONTENT_TYPE).iter();
    let (Some(value), None) = (sent.next(), sent.next()) else {
        return false;
    };
    value.to_str().is_ok_and(|text| {
        let essence = text.split(';').next().unwrap_or_default().trim();
        essence.eq_ignore_ascii_case("application/json")
    })
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    const MIB: usize = 1024 * 1024;

    /// A body that does not say how long it is.
    struct Unmeasured;

    impl HttpBody for Unmeasured {
        type Data = Bytes;
        type Error = std::convert::Infallible;

        fn poll_frame(
            self: std::pin::Pin<&mut Self>,
            _context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Option<Result<hyper::body::Frame<Bytes>, Self::Error>>> {
            std::task::Poll::Ready(None)
        }
    }

    fn bounds(known: bool) -> Bounds {
        let limits = Limits {
            body_bytes: MIB,
            ..Limits::default()
        };
        Bounds::of(&limits, known)
    }

    #[test]
    fn an_announcement_alone_is_worth_little_memory() {
        let (open, known) = (bounds(false), bounds(true));
        for (announced, of_open, of_known) in [
            (None, 4096, 4096),
            (Some(0), 0, 0),
            (Some(100), 100, 100),
            (Some(8192), 4096, 8192),
            (Some(MIB), 4096, 65_536),
            (Some(usize::MAX), 4096, 65_536),
        ] {
            assert_eq!(open.at_first(announced), of_open, "{announced:?}");
            assert_eq!(known.at_first(announced), of_known, "{announced:?}");
        }
    }

    #[test]
    fn a_small_limit_holds_for_everyone() {
        let limits = Limits {
            body_bytes: 1024,
            ..Limits::default()
        };
        assert_eq!(Bounds::of(&limits, false).longest, 1024);
        assert_eq!(Bounds::of(&limits, true).longest, 1024);
        assert_eq!(bounds(false).longest, 8192);
        assert_eq!(bounds(true).longest, MIB);
    }

    #[test]
    fn a_buffer_grows_by_doubling_up_to_the_limit_and_loses_nothing() {
        let open = bounds(false);
        let mut bytes = Zeroizing::new(Vec::with_capacity(4));
        let whole: Vec<u8> = (0..8192u32).map(|at| at.to_le_bytes()[0]).collect();
        let mut moved = 0;
        for part in whole.chunks(7) {
            let before = bytes.capacity();
            open.append(&mut bytes, part);
            moved += usize::from(bytes.capacity() != before);
        }
        assert_eq!(*bytes, whole);
        assert!(bytes.capacity() <= 8192, "{}", bytes.capacity());
        assert!(moved <= 12, "{moved}");
    }

    #[test]
    fn large_bodies_claim_their_memory_and_small_ones_none() {
        let memory = Memory::new(MIB);
        let known = bounds(true);
        for small in [Body::empty(), Body::from(vec![0; ANNOUNCED_MAX])] {
            assert!(
                known
                    .claim(&small, &memory)
                    .is_ok_and(|share| share.is_none())
            );
        }
        let large = Body::from(vec![0; MIB / 2]);
        let held = known.claim(&large, &memory).unwrap();
        assert_eq!(memory.taken(), MIB / 2);
        // What does not say how long it is may become as long as any.
        let unknown = Body::new(Unmeasured);
        let refused = known.claim(&unknown, &memory);
        assert!(refused.is_err_and(|failure| failure.kind() == ProblemKind::Unavailable));
        drop(held);
        assert!(known.claim(&unknown, &memory).is_ok());
        // Nobody gets more than the longest that is read from them.
        assert!(
            bounds(false)
                .claim(&unknown, &memory)
                .is_ok_and(|share| share.is_none())
        );
    }

    #[tokio::test]
    async fn what_is_over_the_limit_is_refused_announced_or_not() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::CONTENT_TYPE,
            http::HeaderValue::from_static("application/json"),
        );
        let open = bounds(false);
        let fits = open.read(&headers, Body::from(vec![b' '; 8192])).await;
        assert_eq!(fits.map(|bytes| bytes.len()).ok(), Some(8192));
        let over = open.read(&headers, Body::from(vec![b' '; 8193])).await;
        assert!(over.is_err_and(|failure| failure.kind() == ProblemKind::PayloadTooLarge));
        let known = bounds(true);
        let fits = known.read(&headers, Body::from(vec![b' '; 100_000])).await;
        assert_eq!(fits.map(|bytes| bytes.len()).ok(), Some(100_000));
        headers.insert(header::CONTENT_LENGTH, 8193.into());
        let announced = open.read(&headers, Body::empty()).await;
        assert!(announced.is_err_and(|failure| failure.kind() == ProblemKind::PayloadTooLarge));
    }
}
