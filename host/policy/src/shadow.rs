//! A policy that runs beside the live one and decides nothing: it is asked about the same logins after they were answered,
//! and what it would have said is compared.
//!
//! It has engines, threads and a queue of its own and its writes go into an overlay, so the live policy neither waits for
//! it nor sees it. Nothing of it is asked when it is behind: the queue is short, and what does not fit in is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bstr::BString;
use capabilities::context::{Context, Overlay};
use capabilities::log::Level;
use capabilities::metrics::ShadowMetrics;
use capabilities::{Capabilities, Log};
use login::{Decision, Login, clip};
use tokio::sync::mpsc;

use crate::call::{BoxFuture, Call, Reply};
use crate::executor::Executor;
use crate::{Failure, FailureKind};

/// Logins that may wait for the shadow.
pub const QUEUE: usize = 1024;

/// Lines about disagreements that are written a second, at most.
const LINES_A_SECOND: u64 = 20;

/// Asks some policy about a login.
pub trait Asked: Send + Sync + 'static {
    /// Its decision, in this context.
    fn ask(&self, context: Arc<Context>, login: Arc<Login>) -> BoxFuture<'_, Result<Decision, Failure>>;
}

/// The shadow function of `wforce.conf`, on an executor of its own.
pub struct OnExecutor(pub Executor);

impl Asked for OnExecutor {
    fn ask(&self, context: Arc<Context>, login: Arc<Login>) -> BoxFuture<'_, Result<Decision, Failure>> {
        Box::pin(async move {
            let since = self.0.now();
            match self.0.call_in(Some(context), Call::Shadow(login), since).await? {
                Reply::Decision(decision) => Ok(decision),
                Reply::Pass => Ok(Decision::default()),
                _ => {
                    Err(Failure::new(FailureKind::Internal, "the shadow gave the reply of another function"))
                }
            }
        })
    }
}

impl Drop for OnExecutor {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// What was answered to a client, as a word.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// Status 0.
    Allow,
    /// Below 0.
    Deny,
    /// Above 0.
    Wait,
    /// The policy failed.
    Failed,
}

impl Verdict {
    /// Of a call's outcome.
    pub fn of(result: &Result<Decision, Failure>) -> Self {
        match result.as_ref().map(|decision| decision.status) {
            Ok(0) => Self::Allow,
            Ok(..0) => Self::Deny,
            Ok(_) => Self::Wait,
            Err(_) => Self::Failed,
        }
    }

    /// The label in metrics and log lines.
    pub fn name(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Wait => "wait",
            Self::Failed => "failed",
        }
    }
}

/// A login and what the live policy said.
struct Answered {
    login: Arc<Login>,
    live: Verdict,
    log: BString,
}

/// The shadow, as the chain sees it.
pub struct Shadow {
    queue: mpsc::Sender<Answered>,
    metrics: ShadowMetrics,
    /// Part of the logins that it is asked about, in 2^-32.
    sample: u64,
    /// Sum of the parts so far; each time it passes 2^32 a login is taken.
    taken: AtomicU64,
}

impl Shadow {
    /// Starts one on this runtime; it ends when it is dropped. `sample`: the part of the logins, 0 to 1, taken evenly.
    pub fn start(
        asked: Arc<dyn Asked>,
        sample: f64,
        capabilities: &Arc<Capabilities>,
        runtime: &tokio::runtime::Handle,
    ) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let metrics = capabilities.metrics.shadow();
        let sample = (sample.clamp(0.0, 1.0) * WHOLE as f64) as u64;
        runtime.spawn(run(asked, waiting, metrics.clone(), capabilities.log.clone()));
        Self { queue, metrics, sample, taken: AtomicU64::new(0) }
    }

    /// A login was answered by the live policy. Waits for nothing.
    pub fn answered(&self, login: &Arc<Login>, live: &Result<Decision, Failure>) {
        let before = self.taken.fetch_add(self.sample, Ordering::Relaxed);
        if before / WHOLE == before.wrapping_add(self.sample) / WHOLE {
            return;
        }
        let log = live.as_ref().map_or_else(Failure::told, |decision| decision.log.clone());
        let answered = Answered { login: Arc::clone(login), live: Verdict::of(live), log };
        if self.queue.try_send(answered).is_err() {
            self.metrics.dropped();
        }
    }
}

/// 1, as the sample counts.
const WHOLE: u64 = 1 << 32;

/// Asks about one login after the other until nobody sends any.
async fn run(
    asked: Arc<dyn Asked>,
    mut waiting: mpsc::Receiver<Answered>,
    metrics: ShadowMetrics,
    log: Arc<Log>,
) {
    let overlay: Arc<Overlay> = Arc::default();
    let mut disagreements = 0u64;
    while let Some(Answered { login, live, log: live_log }) = waiting.recv().await {
        let context = Arc::new(Context::default().over(Arc::clone(&overlay)));
        let result = asked.ask(context, Arc::clone(&login)).await;
        let shadow = Verdict::of(&result);
        metrics.compared(live.name(), shadow.name());
        if live == shadow {
            continue;
        }
        disagreements += 1;
        let text = result.map_or_else(|failure| failure.told(), |decision| decision.log);
        let short = |text: &[u8]| BString::from(clip::value(text).into_owned());
        let line = format!(
            "shadowLog: live=\"{}\" shadow=\"{}\" remote=\"{}\" login=\"{}\" protocol=\"{}\" live_log=\"{}\" \
             shadow_log=\"{}\"",
            live.name(),
            shadow.name(),
            login.remote,
            short(&login.login),
            short(&login.protocol),
            short(&live_log),
            short(&text),
        );
        // As many keys as lines a second, used in turn: each lets one line a second through.
        let key = format!("shadow {}", disagreements % LINES_A_SECOND);
        log.limited(&key, Duration::from_secs(1), Level::Notice, line);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use tokio::sync::Semaphore;

    use super::*;

    /// Denies logins that begin with `d`, and answers only as often as it may.
    struct Gate(Semaphore);

    impl Asked for Gate {
        fn ask(&self, context: Arc<Context>, login: Arc<Login>) -> BoxFuture<'_, Result<Decision, Failure>> {
            assert!(context.overlay().is_some());
            Box::pin(async move {
                self.0.acquire().await.unwrap().forget();
                let status = if login.login.starts_with(b"d") { -1 } else { 0 };
                Ok(Decision { status, ..Decision::default() })
            })
        }
    }

    fn login(name: &str) -> Arc<Login> {
        Arc::new(Login { login: name.into(), ..Login::default() })
    }

    fn world() -> Arc<Capabilities> {
        let options =
            capabilities::Options { log: Log::discard(), metrics_prefix: "wforce".to_owned(), regexes: None };
        Capabilities::new(options).unwrap()
    }

    fn metric(capabilities: &Capabilities, line: &str) -> bool {
        String::from_utf8(capabilities.metrics.render()).unwrap().contains(line)
    }

    async fn until(capabilities: &Capabilities, line: &str) {
        while !metric(capabilities, line) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn pairs_of_verdicts_are_counted() {
        let capabilities = world();
        let gate = Arc::new(Gate(Semaphore::new(100)));
        let shadow = Shadow::start(gate, 1.0, &capabilities, &tokio::runtime::Handle::current());
        let allowed = Ok(Decision::default());
        shadow.answered(&login("joe"), &allowed);
        shadow.answered(&login("dan"), &allowed);
        shadow.answered(&login("dan"), &Err(Failure::new(FailureKind::Error, "broken")));
        until(&capabilities, "portcullis_shadow_total{live=\"failed\",shadow=\"deny\"} 1\n").await;
        assert!(metric(&capabilities, "portcullis_shadow_total{live=\"allow\",shadow=\"allow\"} 1\n"));
        assert!(metric(&capabilities, "portcullis_shadow_total{live=\"allow\",shadow=\"deny\"} 1\n"));
    }

    #[tokio::test]
    async fn one_that_is_stuck_holds_up_nobody() {
        let capabilities = world();
        let gate = Arc::new(Gate(Semaphore::new(0)));
        let shadow = Shadow::start(gate.clone(), 1.0, &capabilities, &tokio::runtime::Handle::current());
        let allowed = Ok(Decision::default());
        let all = QUEUE * 3;
        (0..all).for_each(|_| shadow.answered(&login("joe"), &allowed));
        // The task has not run yet: what the queue holds is what waits.
        let dropped = format!("portcullis_shadow_dropped_total {}\n", all - QUEUE);
        assert!(metric(&capabilities, &dropped));
        gate.0.add_permits(all);
        let line = format!("portcullis_shadow_total{{live=\"allow\",shadow=\"allow\"}} {QUEUE}\n");
        until(&capabilities, &line).await;
    }

    #[tokio::test]
    async fn a_sample_is_taken_evenly() {
        let capabilities = world();
        let gate = Arc::new(Gate(Semaphore::new(1000)));
        let shadow = Shadow::start(gate, 0.25, &capabilities, &tokio::runtime::Handle::current());
        (0..400).for_each(|_| shadow.answered(&login("joe"), &Ok(Decision::default())));
        shadow.answered(&login("joe"), &Err(Failure::new(FailureKind::Error, "not taken")));
        until(&capabilities, "portcullis_shadow_total{live=\"allow\",shadow=\"allow\"} 100\n").await;
        assert!(!metric(&capabilities, "live=\"failed\""));
    }
}
