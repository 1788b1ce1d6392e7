//! What one question may cost.

use std::time::Duration;

/// Bounds of one question. A policy may ask for less than it is allowed, never for more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// After this time the answer is [`StoreError::TimeOut`](crate::StoreError::TimeOut).
    pub time: Duration,
    /// Most reports, groups or bins in one answer; a query that asks for more is refused.
    pub results: usize,
    /// Most different values that a question may hold in memory while it groups or counts them.
    pub values: usize,
    /// Whose question it is.
    pub asker: Asker,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Asker {
    /// Somebody who will not wait for long: a request, or a report that is looked at.
    #[default]
    Request,
    /// A background function. Its questions make way for others: the embedded engine works on few of them at a time, with
    /// what the others leave of the processor, and how long they wait for their turn is not part of their time.
    Job,
}

impl Default for Limits {
    /// Two seconds, 10,000 results, two million values (some 150 MB at worst).
    fn default() -> Self {
        Self { time: Duration::from_secs(2), results: 10_000, values: 2_000_000, asker: Asker::Request }
    }
}
