//! The seam between those who ask and the engines.

use std::pin::Pin;
use std::time::Duration;

use crate::{Answer, Confirmation, Limits, Query, QueryError, Report, ReportId};

/// What an engine's asynchronous functions return.
pub type Answering<'a, T> = Pin<Box<dyn Future<Output = Result<T, StoreError>> + Send + 'a>>;

/// Keeps reports and answers questions about them.
pub trait ReportStore: Send + Sync {
    /// Takes reports. When it returns they survive the death of the process (embedded) or are acknowledged by the server
    /// (Elasticsearch); questions see them about a second later. It waits while the engine is behind.
    fn ingest(&self, reports: Vec<Report>) -> Answering<'_, ()>;

    /// Answers a question, within limits.
    fn query<'a>(&'a self, query: &'a Query, limits: Limits) -> Answering<'a, Answer>;

    /// Answers several questions in their order, at most [`Query::MOST_TOGETHER`]; none if one of them fails. Where each is
    /// about one user they cost far less than one after the other. The embedded engine has the time of one question for all.
    fn query_each<'a>(&'a self, queries: &'a [Query], limits: Limits) -> Answering<'a, Vec<Answer>>;

    /// Answers a search in Elasticsearch's own language with its JSON answer. `index` is a name or pattern there; the
    /// embedded engine ignores it and understands part of the language.
    fn search<'a>(&'a self, index: &'a str, body: &'a [u8], limits: Limits) -> Answering<'a, Vec<u8>>;

    /// Notes what the user said about a report. False if there is no such report.
    fn confirm<'a>(&'a self, id: &'a ReportId, confirmation: Confirmation) -> Answering<'a, bool>;

    /// Takes or prolongs the lease of this name for `ttl`, if it is free, run out, or `holder`'s already. Who holds it may
    /// do what only one daemon at a time must do.
    fn lease<'a>(&'a self, name: &'a str, holder: &'a str, ttl: Duration) -> Answering<'a, Lease>;

    /// Gives a lease back before it runs out. Nothing happens if `holder` does not hold it.
    fn release<'a>(&'a self, name: &'a str, holder: &'a str) -> Answering<'a, ()>;

    /// Whether it can work.
    fn health(&self) -> Answering<'_, Health>;

    /// Numbers for metrics and the console.
    fn stats(&self) -> Answering<'_, StoreStats>;

    /// Makes everything that was taken visible to questions, and returns when it is.
    fn flush(&self) -> Answering<'_, ()>;
}

/// What became of the wish for a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lease {
    /// It is ours for the time asked for.
    Held,
    /// It belongs to somebody else.
    Taken {
        /// To whom.
        holder: String,
        /// For how long still.
        left: Duration,
    },
}

/// Whether an engine can work.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Whether reports are taken and questions answered.
    pub ready: bool,
    /// What is wrong, if anything; also when the engine still works.
    pub complaints: Vec<String>,
    /// The engine, and its version if it is a server.
    pub engine: String,
}

/// Numbers about a store; those that an engine does not know are 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Reports in the store.
    pub reports: u64,
    /// Bytes on disk.
    pub bytes: u64,
    /// Daily indexes.
    pub days: u64,
    /// Daily indexes that were set aside because they are broken.
    pub broken_days: u64,
    /// Reports taken since the start.
    pub ingested: u64,
    /// Reports that could not be kept.
    pub refused: u64,
    /// Requests that had to be repeated.
    pub retries: u64,
    /// Reports taken that questions do not see yet.
    pub pending: u64,
}

/// Why a store cannot do what it is asked to.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No engine can answer this.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The search in Elasticsearch's language cannot be answered; where and why.
    #[error("this search cannot be answered: {0}")]
    Search(String),
    /// It took longer than allowed.
    #[error("the report store did not answer within {} ms", .0.as_millis())]
    TimeOut(Duration),
    /// The question holds more different values than allowed.
    #[error(
        "the question needs more than {0} different values in memory; ask about a shorter time or fewer reports"
    )]
    TooManyValues(usize),
    /// The engine made a mistake over this question; others are answered.
    #[error("the report store failed over this question, see its log: {0}")]
    Failed(String),
    /// The server cannot be reached or answers with an error.
    #[error("the report store is unavailable: {0}")]
    Unavailable(String),
    /// Some reports were refused for good.
    #[error("{count} reports were refused by the store, the first because: {reason}")]
    Refused {
        /// How many.
        count: usize,
        /// What the engine said.
        reason: String,
    },
    /// The disk or an index on it cannot be used.
    #[error("report store in {place}: {reason}")]
    Disk {
        /// The folder or file.
        place: String,
        /// What is wrong.
        reason: String,
    },
    /// The engine has been stopped.
    #[error("the report store is closed")]
    Closed,
}
