//! Messages that wait for one sibling.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use parking_lot::Mutex;
use tokio::sync::Notify;

use crate::batch::Batch;

/// What a sender gets to do next: the first `count` messages of a batch.
pub(crate) struct Work {
    pub(crate) batch: Arc<Batch>,
    pub(crate) count: usize,
}

/// A queue bounded by its number of messages. Adding never waits.
pub(crate) struct Queue {
    work: Mutex<VecDeque<Work>>,
    messages: AtomicUsize,
    limit: usize,
    wake: Notify,
    closed: AtomicBool,
    ended: Notify,
}

impl Queue {
    /// At most `limit` messages.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            work: Mutex::default(),
            messages: AtomicUsize::new(0),
            limit,
            wake: Notify::new(),
            closed: AtomicBool::new(false),
            ended: Notify::new(),
        }
    }

    /// Takes as many messages of a batch as there is room for, and says how many.
    pub(crate) fn offer(&self, batch: &Arc<Batch>) -> usize {
        let mut work = self.work.lock();
        let waiting = self.messages.load(Ordering::Relaxed);
        let count = batch.len().min(self.limit.saturating_sub(waiting));
        if count > 0 {
            self.messages.fetch_add(count, Ordering::Relaxed);
            work.push_back(Work { batch: Arc::clone(batch), count });
            drop(work);
            self.wake.notify_one();
        }
        count
    }

    /// The next work; `None` once the queue is closed.
    pub(crate) async fn next(&self) -> Option<Work> {
        loop {
            let wake = self.wake.notified();
            if self.is_closed() {
                return None;
            }
            if let Some(work) = self.work.lock().pop_front() {
                self.messages.fetch_sub(work.count, Ordering::Relaxed);
                return Some(work);
            }
            wake.await;
        }
    }

    /// Messages waiting.
    pub(crate) fn len(&self) -> usize {
        self.messages.load(Ordering::Relaxed)
    }

    /// What waits is forgotten, and whoever waits for work gets none.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.work.lock().clear();
        self.wake.notify_one();
        self.ended.notify_waiters();
    }

    /// Waits for [`Queue::close`].
    pub(crate) async fn closed(&self) {
        let ended = self.ended.notified();
        tokio::pin!(ended);
        ended.as_mut().enable();
        if !self.is_closed() {
            ended.await;
        }
    }

    /// Whether it was closed.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::batch::Builder;

    fn batch(messages: usize) -> Arc<Batch> {
        let mut builder = Builder::default();
        (0..messages).for_each(|_| assert!(builder.push(|out| out.push(1))));
        Arc::new(builder.finish())
    }

    #[tokio::test]
    async fn what_does_not_fit_is_left_out() {
        let queue = Queue::new(5);
        assert_eq!((queue.offer(&batch(3)), queue.offer(&batch(3)), queue.offer(&batch(1))), (3, 2, 0));
        assert_eq!(queue.len(), 5);
        for expected in [3, 2] {
            assert_eq!(queue.next().await.unwrap().count, expected);
        }
        assert_eq!(queue.len(), 0);
        queue.offer(&batch(1));
        queue.close();
        assert!(queue.next().await.is_none());
    }
}
