//! Threads for questions that can wait: those of background functions.
//!
//! A scan asks thousands of questions, one after the other, and some of them read weeks. Beside the questions of requests they
//! would take their turns and the processor; so they have threads of their own, few and with a low priority.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, SyncSender, TrySendError};
use std::thread::Builder;

use parking_lot::Mutex;
use tokio::sync::oneshot;

use crate::StoreError;

/// Questions that may wait. A background function has asked one at a time, and few of them run at once.
const WAITING: usize = 256;
/// Added to the niceness of the threads: beside another that wants it one of them gets a quarter of a processor. With less, they
/// would never catch up where top lists are asked for all the time.
const NICER: i32 = 5;

type Work = Box<dyn FnOnce() + Send>;

/// The threads; they end when it is dropped.
pub(super) struct Lane {
    work: SyncSender<Work>,
}

impl Lane {
    pub(super) fn start(threads: usize) -> std::io::Result<Self> {
        let (work, next) = mpsc::sync_channel(WAITING);
        let next = Arc::new(Mutex::new(next));
        for _ in 0..threads {
            let next = Arc::clone(&next);
            Builder::new().name("reports-jobs".into()).spawn(move || run(&next))?;
        }
        Ok(Self { work })
    }

    /// Runs something when it is its turn. Whoever asked may have gone by then.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (done, answer) = oneshot::channel();
        let work = Box::new(move || {
            // If nobody waits any more there is nobody to tell, and nothing to do.
            if !done.is_closed() {
                let _ = done.send(work());
            }
        });
        self.work.try_send(work).map_err(|error| match error {
            TrySendError::Full(_) => {
                StoreError::Unavailable(format!("{WAITING} questions of background functions wait already"))
            }
            TrySendError::Disconnected(_) => StoreError::Closed,
        })?;
        answer.await.map_err(|_| StoreError::Failed("the question ended without an answer".to_owned()))?
    }
}

fn run(next: &Mutex<Receiver<Work>>) {
    // Of this thread alone. Where it cannot be had the questions are as urgent as others.
    let _ = rustix::process::nice(NICER);
    loop {
        // Only one of them waits at the channel, the others for it.
        let work = next.lock().recv();
        let Ok(work) = work else { return };
        // The store answers for its own mistakes; one more must not cost the thread.
        let _ = catch_unwind(AssertUnwindSafe(work));
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::time::Duration;

    use super::*;
    use crate::{Asker, EmbeddedSettings, EmbeddedStore, Filter, Limits, Query, Range, ReportStore as _};

    #[tokio::test]
    async fn a_mistake_costs_one_question() {
        let lane = Lane::start(1).unwrap();
        let failed: Result<(), StoreError> = lane.run(|| panic!("a mistake of ours")).await;
        assert!(matches!(failed, Err(StoreError::Failed(_))));
        assert_eq!(lane.run(|| Ok(7)).await.unwrap(), 7);
        let nice = lane.run(|| Ok(std::fs::read_to_string("/proc/thread-self/stat").unwrap())).await.unwrap();
        // The 19th field, the 17th behind the name.
        let fields: Vec<&str> = nice.rsplit_once(')').unwrap().1.split_whitespace().collect();
        assert!(fields[16].parse::<i32>().unwrap() >= NICER, "{nice}");
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn nobody_waits_for_the_questions_of_jobs_but_they_for_each_other() {
        let folder = tempfile::tempdir().unwrap();
        let settings =
            EmbeddedSettings { job_questions: 1, questions: 1, ..EmbeddedSettings::new(folder.path()) };
        let store = Arc::new(EmbeddedStore::open(&settings).unwrap());
        let (release, released) = mpsc::channel();
        let long = store.behind.run(move || {
            let _ = released.recv();
            Ok(())
        });
        let query = Query::Count { filter: Filter::default(), range: Range::EVER, distinct: Vec::new() };
        let of_job = Limits { asker: Asker::Job, ..Limits::default() };
        let (ours, theirs) = (Arc::clone(&store), query.clone());
        let long = async { tokio::join!(long, ours.query(&theirs, of_job)) };
        tokio::pin!(long);
        // Both are on their way.
        assert!(tokio::time::timeout(Duration::from_millis(50), &mut long).await.is_err());
        for _ in 0..10 {
            store.query(&query, Limits::default()).await.unwrap();
        }
        assert!(
            tokio::time::timeout(Duration::from_millis(1), &mut long).await.is_err(),
            "it has no turn yet"
        );
        release.send(()).unwrap();
        let (first, second) = long.await;
        assert!(first.is_ok() && second.is_ok());
    }
}
