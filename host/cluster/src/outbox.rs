//! Messages between those that make them and the siblings' queues.
//!
//! Whoever changes something only appends a few bytes here; a task shares out what has come together since it last looked,
//! and a moment after the first of it. So the cost of waking it, which is many times that of a message, is paid some hundred
//! times a second, however many messages there are: it takes the core from requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::batch::{Batch, Builder};

/// Messages and bytes that may wait to be shared out.
const MAX_MESSAGES: usize = 1 << 16;
const MAX_BYTES: usize = 16 << 20;

/// How long messages are gathered after the first of them.
const GATHER: Duration = Duration::from_millis(2);

/// Why a message was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// It is too long for any packet.
    TooLong,
    /// Too many wait.
    Full,
}

#[derive(Default)]
pub(crate) struct Outbox {
    open: Mutex<Builder>,
    wake: Notify,
    lost: AtomicU64,
}

impl Outbox {
    /// Takes the message that `encode` appends. Never waits.
    #[inline]
    pub(crate) fn push(&self, encode: impl FnOnce(&mut Vec<u8>)) -> Result<(), Refused> {
        let mut open = self.open.lock();
        if open.len() >= MAX_MESSAGES || open.bytes() >= MAX_BYTES {
            self.lost.fetch_add(1, Ordering::Relaxed);
            return Err(Refused::Full);
        }
        let first = open.len() == 0;
        if !open.push(encode) {
            return Err(Refused::TooLong);
        }
        drop(open);
        // Of the others the task knows already.
        if first {
            self.wake.notify_one();
        }
        Ok(())
    }

    /// The messages since the last call, at least one, and how many more were lost for lack of room.
    pub(crate) async fn take(&self) -> (Arc<Batch>, u64) {
        loop {
            let wake = self.wake.notified();
            if self.open.lock().len() > 0 {
                tokio::time::sleep(GATHER).await;
                let builder = std::mem::take(&mut *self.open.lock());
                return (Arc::new(builder.finish()), self.lost.swap(0, Ordering::Relaxed));
            }
            wake.await;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[tokio::test]
    async fn messages_come_out_together_and_in_order() {
        let outbox = Outbox::default();
        for text in [&b"a"[..], b"bc"] {
            outbox.push(|out| out.extend_from_slice(text)).unwrap();
        }
        let (batch, lost) = outbox.take().await;
        assert_eq!((batch.messages().collect::<Vec<_>>(), lost), (vec![&b"a"[..], b"bc"], 0));
        let long = |out: &mut Vec<u8>| out.resize(out.len() + (1 << 16), 0);
        assert_eq!(outbox.push(long), Err(Refused::TooLong));
    }

    #[tokio::test]
    async fn it_is_bounded_and_tells_what_was_lost() {
        let outbox = Outbox::default();
        for _ in 0..MAX_MESSAGES {
            outbox.push(|out| out.push(1)).unwrap();
        }
        assert_eq!(outbox.push(|out| out.push(1)), Err(Refused::Full));
        let (batch, lost) = outbox.take().await;
        assert_eq!((batch.len(), lost), (MAX_MESSAGES, 1));
        assert_eq!(outbox.push(|out| out.push(1)), Ok(()));
    }
}
