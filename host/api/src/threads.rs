//! The threads that serve connections.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;

use tokio::sync::mpsc;

use crate::settings::Threads;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;
/// Made on the thread that will run it, so that its socket registers there.
type Start = Box<dyn FnOnce() -> Task + Send>;

/// Where new connections go.
pub(crate) enum Pool {
    Own(Vec<Thread>),
    Shared,
}

pub(crate) struct Thread {
    jobs: mpsc::UnboundedSender<Start>,
    load: Arc<AtomicUsize>,
    handle: JoinHandle<()>,
}

impl Pool {
    pub(crate) fn start(threads: Threads) -> io::Result<Self> {
        match threads {
            Threads::Shared => Ok(Self::Shared),
            Threads::Own(count) => {
                (0..count.max(1)).map(Thread::start).collect::<io::Result<_>>().map(Self::Own)
            }
        }
    }

    /// Runs a connection on the thread that has the fewest.
    pub(crate) fn run(&self, start: Start) {
        match self {
            Self::Shared => {
                tokio::spawn(start());
            }
            Self::Own(threads) => {
                let least = threads.iter().min_by_key(|thread| thread.load.load(Ordering::Relaxed));
                if let Some(thread) = least {
                    thread.load.fetch_add(1, Ordering::Relaxed);
                    // Fails only when the thread is gone, at the very end.
                    let _ = thread.jobs.send(start);
                }
            }
        }
    }

    /// Ends the threads; what still runs on them is dropped.
    pub(crate) fn end(self) {
        if let Self::Own(threads) = self {
            for Thread { jobs, handle, .. } in threads {
                drop(jobs);
                // A panic on a thread has been reported there.
                let _ = handle.join();
            }
        }
    }
}

impl Thread {
    fn start(number: usize) -> io::Result<Self> {
        let (jobs, mut queue) = mpsc::unbounded_channel::<Start>();
        let load = Arc::new(AtomicUsize::new(0));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let loads = Arc::clone(&load);
        let handle = std::thread::Builder::new().name(format!("http-{number}")).spawn(move || {
            runtime.block_on(async move {
                while let Some(start) = queue.recv().await {
                    let place = Place(Arc::clone(&loads));
                    let task = start();
                    tokio::spawn(async move {
                        task.await;
                        drop(place);
                    });
                }
            });
        })?;
        Ok(Self { jobs, load, handle })
    }
}

/// One connection's share of a thread's load.
struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
