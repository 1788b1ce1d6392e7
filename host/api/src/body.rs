//! Reading a request's body: bounded in size and in time, without a copy when it came in one piece.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use hyper::body::Body;

/// Why there is no body to hand on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum BodyError {
    /// More bytes than the limit: 413.
    TooLarge,
    /// Not complete within the time given: 408.
    TimedOut,
    /// Bad chunked coding, or the peer went away: 400.
    Broken,
}

/// Reads the whole body.
///
/// The usual body is there already, in one frame: it is returned as it is, and no timer is made. Only a body that keeps
/// us waiting gets one.
pub(crate) async fn collect<T>(body: &mut T, limit: usize, patience: Duration) -> Result<Bytes, BodyError>
where
    T: Body<Data = Bytes> + Unpin + Send,
{
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > limit as u64 {
        return Err(BodyError::TooLarge);
    }
    let first = match ready_frame(body).await {
        Some(Some(Ok(frame))) => frame.into_data().unwrap_or_default(),
        Some(Some(Err(_))) => return Err(BodyError::Broken),
        Some(None) => return Ok(Bytes::new()),
        None => Bytes::new(),
    };
    if first.len() > limit {
        return Err(BodyError::TooLarge);
    }
    if body.is_end_stream() {
        return Ok(first);
    }
    let rest = Box::pin(rest(body, first, limit));
    tokio::time::timeout(patience, rest).await.unwrap_or(Err(BodyError::TimedOut))
}

/// Reads and forgets what is left of a body, so that an answer given early does not meet a reset connection.
/// Gives up after `limit` bytes or `patience`, whichever comes first. Returns whether the body was seen to its end.
pub(crate) async fn drain<T>(body: &mut T, limit: usize, patience: Duration) -> bool
where
    T: Body<Data = Bytes> + Unpin + Send,
{
    if body.is_end_stream() {
        return true;
    }
    let forget = async {
        let mut seen = 0;
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
            let Ok(frame) = frame else { return false };
            seen += frame.data_ref().map_or(0, Bytes::len);
            if seen > limit {
                return false;
            }
        }
        true
    };
    tokio::time::timeout(patience, Box::pin(forget)).await.unwrap_or(false)
}

/// A frame if one is there now: `None` when it has to be waited for.
async fn ready_frame<T>(body: &mut T) -> Option<Option<Result<hyper::body::Frame<Bytes>, T::Error>>>
where
    T: Body<Data = Bytes> + Unpin,
{
    poll_fn(|cx| {
        Poll::Ready(match Pin::new(&mut *body).poll_frame(cx) {
            Poll::Ready(frame) => Some(frame),
            Poll::Pending => None,
        })
    })
    .await
}

async fn rest<T>(body: &mut T, first: Bytes, limit: usize) -> Result<Bytes, BodyError>
where
    T: Body<Data = Bytes> + Unpin,
{
    let mut whole = BytesMut::from(first);
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| BodyError::Broken)?;
        // Trailers carry nothing for us.
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() > limit {
            return Err(BodyError::TooLarge);
        }
        whole.extend_from_slice(&data);
    }
    Ok(whole.freeze())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::collections::VecDeque;
    use std::convert::Infallible;
    use std::task::Context;

    use hyper::body::Frame;

    use super::*;

    struct Pieces(VecDeque<&'static [u8]>);

    impl Body for Pieces {
        type Data = Bytes;
        type Error = Infallible;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
            Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(Bytes::from_static(piece)))))
        }

        fn is_end_stream(&self) -> bool {
            self.0.is_empty()
        }
    }

    const LONG: Duration = Duration::from_mins(10);

    #[tokio::test]
    async fn pieces_are_joined_and_one_piece_is_not_copied() {
        let whole: &'static [u8] = b"whole";
        let got = collect(&mut Pieces([whole].into()), 5, LONG).await.unwrap();
        assert_eq!(got.as_ptr(), whole.as_ptr());
        let got = collect(&mut Pieces([&b"ab"[..], b"cd", b"e"].into()), 5, LONG).await.unwrap();
        assert_eq!(&got[..], b"abcde");
        assert_eq!(collect(&mut Pieces(VecDeque::new()), 5, LONG).await.unwrap(), Bytes::new());
    }

    #[tokio::test]
    async fn one_byte_over_the_limit_is_too_much() {
        let one = collect(&mut Pieces([&b"abcdef"[..]].into()), 5, LONG).await;
        assert_eq!(one, Err(BodyError::TooLarge));
        let two = collect(&mut Pieces([&b"abc"[..], b"def"].into()), 5, LONG).await;
        assert_eq!(two, Err(BodyError::TooLarge));
    }

    #[tokio::test]
    async fn draining_stops_at_its_limit() {
        assert!(drain(&mut Pieces([&b"abc"[..], b"def"].into()), 6, LONG).await);
        assert!(!drain(&mut Pieces([&b"abc"[..], b"def"].into()), 5, LONG).await);
    }
}
