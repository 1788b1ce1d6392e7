//! Open connections: how many, since when they are idle, and how they are told to end.
//!
//! No connection has a timer of its own. One sweep a second compares each connection's deadline with a coarse clock; a
//! request costs two atomic operations.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use parking_lot::Mutex;
use tokio::sync::Notify;

/// Go on.
const RUN: u8 = 0;
/// Finish the requests in flight, then close.
const DRAIN: u8 = 1;
/// Close now.
const ABORT: u8 = 2;

/// Layout of [`Connection::state`]: requests in flight above, the deadline of an idle connection (seconds of the coarse
/// clock) below.
const BUSY: u64 = 1 << 40;
const DEADLINE: u64 = BUSY - 1;
/// The sweep has closed this connection; no request may start any more.
const CLOSED: u64 = u64::MAX;

/// Response bytes that a client gets a second more to fetch for.
const SLOWEST_FETCH: u64 = 16 * 1024;

/// One open connection.
pub(crate) struct Connection {
    state: AtomicU64,
    order: AtomicU8,
    waker: Mutex<Option<Waker>>,
    connections: Arc<Connections>,
    id: u64,
}

impl Connection {
    /// A request begins; `None` when the connection is closed already.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<InFlight> {
        self.state
            .fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
                (state != CLOSED).then(|| state + BUSY)
            })
            .ok()
            .map(|_| InFlight { connection: Arc::clone(self), to_send: 0 })
    }

    fn end(&self, to_send: u64) {
        let deadline = self.connections.now() + self.connections.idle_secs + to_send / SLOWEST_FETCH;
        let _ = self.state.fetch_update(Ordering::AcqRel, Ordering::Acquire, |state| {
            let deadline = deadline.max(state & DEADLINE);
            Some(((state & !DEADLINE) - BUSY) | deadline)
        });
    }

    /// Closes the connection if nothing is in flight and its deadline has passed.
    fn sweep(&self, now: u64) -> bool {
        let state = self.state.load(Ordering::Acquire);
        let over = state & !DEADLINE == 0 && state & DEADLINE < now;
        over && self.state.compare_exchange(state, CLOSED, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    fn tell(&self, order: u8) {
        self.order.fetch_max(order, Ordering::AcqRel);
        if let Some(waker) = &*self.waker.lock() {
            waker.wake_by_ref();
        }
    }
}

/// Ends with the request, also when the request is dropped half way.
pub(crate) struct InFlight {
    connection: Arc<Connection>,
    to_send: u64,
}

impl InFlight {
    /// The answer is ready; its size decides how long the client may take to fetch it.
    pub(crate) fn answered(mut self, bytes: u64) {
        self.to_send = bytes;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.connection.end(self.to_send);
    }
}

/// Takes the connection out of the count when its task ends.
pub(crate) struct Registration(pub(crate) Arc<Connection>);

impl Drop for Registration {
    fn drop(&mut self) {
        let connections = &self.0.connections;
        connections.open.lock().remove(&self.0.id);
        if connections.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            connections.none_left.notify_waiters();
        }
    }
}

/// All connections of the server.
pub(crate) struct Connections {
    open: Mutex<HashMap<u64, Arc<Connection>>>,
    count: AtomicUsize,
    refused: AtomicU64,
    next: AtomicU64,
    max: usize,
    idle_secs: u64,
    started: Instant,
    clock: AtomicU64,
    draining: AtomicBool,
    none_left: Notify,
}

impl Connections {
    pub(crate) fn new(max: usize, idle_secs: u64) -> Arc<Self> {
        Arc::new(Self {
            open: Mutex::default(),
            count: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            next: AtomicU64::new(0),
            max,
            idle_secs,
            started: Instant::now(),
            clock: AtomicU64::new(0),
            draining: AtomicBool::new(false),
            none_left: Notify::new(),
        })
    }

    /// Takes a new connection in, unless there are `max` already.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Registration> {
        let room = self.count.fetch_update(Ordering::AcqRel, Ordering::Acquire, |count| {
            (count < self.max).then_some(count + 1)
        });
        if room.is_err() {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return None;
        }
        let id = self.next.fetch_add(1, Ordering::Relaxed);
        let connection = Arc::new(Connection {
            state: AtomicU64::new(self.now() + self.idle_secs),
            order: AtomicU8::new(RUN),
            waker: Mutex::new(None),
            connections: Arc::clone(self),
            id,
        });
        self.open.lock().insert(id, Arc::clone(&connection));
        // Looked at after the insertion, so that no connection slips between the order to drain and the look.
        if self.draining.load(Ordering::Acquire) {
            connection.tell(DRAIN);
        }
        Some(Registration(connection))
    }

    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Acquire)
    }

    pub(crate) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    /// Seconds since the start, as of the last [`Connections::sweep`].
    fn now(&self) -> u64 {
        self.clock.load(Ordering::Relaxed)
    }

    /// Advances the coarse clock and closes what has been idle, or busy sending its header, for too long.
    pub(crate) fn sweep(&self) {
        self.sweep_at(self.started.elapsed().as_secs());
    }

    fn sweep_at(&self, now: u64) {
        self.clock.store(now, Ordering::Relaxed);
        let over: Vec<_> = self.open.lock().values().filter(|one| one.sweep(now)).cloned().collect();
        for connection in over {
            connection.tell(ABORT);
        }
    }

    /// Lets every connection end after the requests it has in flight.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::Release);
        self.tell_all(DRAIN);
    }

    /// Cuts every connection off. Returns how many there were.
    pub(crate) fn abort(&self) -> usize {
        self.tell_all(ABORT)
    }

    fn tell_all(&self, order: u8) -> usize {
        let all: Vec<_> = self.open.lock().values().cloned().collect();
        for connection in &all {
            connection.tell(order);
        }
        all.len()
    }

    /// Waits until the last connection is gone.
    pub(crate) async fn all_gone(&self) {
        loop {
            let gone = self.none_left.notified();
            tokio::pin!(gone);
            gone.as_mut().enable();
            if self.count() == 0 {
                return;
            }
            gone.await;
        }
    }
}

/// What a connection does, as far as ending it goes.
pub(crate) trait Graceful: Future {
    /// Ends after the requests in flight.
    fn end_gracefully(self: Pin<&mut Self>);
}

/// Drives what a connection does, and listens to orders meanwhile. `None`: it was cut off.
pub(crate) struct Driven<C> {
    inner: Pin<Box<C>>,
    connection: Arc<Connection>,
    listening: bool,
    draining: bool,
}

impl<C: Graceful> Driven<C> {
    pub(crate) fn new(inner: C, connection: Arc<Connection>) -> Self {
        Self { inner: Box::pin(inner), connection, listening: false, draining: false }
    }
}

impl<C: Graceful> Future for Driven<C> {
    type Output = Option<C::Output>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<C::Output>> {
        if !self.listening {
            // A task keeps its waker for life, so once is enough.
            *self.connection.waker.lock() = Some(cx.waker().clone());
            self.listening = true;
        }
        match self.connection.order.load(Ordering::Acquire) {
            RUN => {}
            DRAIN if self.draining => {}
            DRAIN => {
                self.draining = true;
                self.inner.as_mut().end_gracefully();
            }
            _ => return Poll::Ready(None),
        }
        self.inner.as_mut().poll(cx).map(Some)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn order(registration: &Registration) -> u8 {
        registration.0.order.load(Ordering::Relaxed)
    }

    #[test]
    fn connections_beyond_the_maximum_are_refused_and_counted() {
        let all = Connections::new(2, 60);
        let first = all.admit().unwrap();
        let _second = all.admit().unwrap();
        assert!(all.admit().is_none());
        assert_eq!((all.count(), all.refused()), (2, 1));
        drop(first);
        assert!(all.admit().is_some());
    }

    #[test]
    fn only_idle_connections_are_swept() {
        let all = Connections::new(10, 60);
        let idle = all.admit().unwrap();
        let busy = all.admit().unwrap();
        let request = busy.0.begin().unwrap();
        all.sweep_at(60);
        assert_eq!((order(&idle), order(&busy)), (RUN, RUN));
        all.sweep_at(61);
        assert_eq!((order(&idle), order(&busy)), (ABORT, RUN));
        assert!(idle.0.begin().is_none());
        request.answered(0);
        all.sweep_at(121);
        assert_eq!(order(&busy), RUN);
        all.sweep_at(122);
        assert_eq!(order(&busy), ABORT);
    }

    #[test]
    fn a_large_answer_gives_more_time() {
        let all = Connections::new(10, 60);
        let slow = all.admit().unwrap();
        slow.0.begin().unwrap().answered(SLOWEST_FETCH * 40);
        all.sweep_at(100);
        assert_eq!(order(&slow), RUN);
        all.sweep_at(101);
        assert_eq!(order(&slow), ABORT);
    }

    #[test]
    fn who_comes_while_draining_is_told_so() {
        let all = Connections::new(10, 60);
        all.drain();
        assert_eq!(order(&all.admit().unwrap()), DRAIN);
    }
}
