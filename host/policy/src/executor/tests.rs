#![allow(clippy::unwrap_used, clippy::expect_used)]

mod jobs;

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;
use crate::call::{BuildError, Interrupt, PolicySource, Progress};

/// An engine that does what the login name of a canonicalize call says.
struct Scripted {
    number: usize,
    stop: Arc<Flag>,
    doors: Arc<Doors>,
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Interrupt for Flag {
    fn interrupt(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[derive(Default)]
struct Doors {
    built: AtomicUsize,
    broken: AtomicBool,
    /// Calls of `block` wait here, deaf to interrupts.
    blocked: Mutex<Option<mpsc::Receiver<()>>>,
    gate: tokio::sync::Notify,
    replaced: AtomicUsize,
    abandoned: AtomicUsize,
    failed_builds: AtomicUsize,
}

impl Events for Arc<Doors> {
    fn replaced(&self) {
        self.replaced.fetch_add(1, Ordering::SeqCst);
    }
    fn not_replaced(&self, _: &BuildError) {
        self.failed_builds.fetch_add(1, Ordering::SeqCst);
    }
    fn abandoned(&self, _: &str) {
        self.abandoned.fetch_add(1, Ordering::SeqCst);
    }
}

struct Source(Arc<Doors>);

impl PolicySource for Source {
    fn build(&self) -> Result<Box<dyn Policy>, BuildError> {
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(BuildError("wforce.conf:1: gone".into()));
        }
        let number = self.0.built.fetch_add(1, Ordering::SeqCst);
        Ok(Box::new(Scripted { number, stop: Arc::default(), doors: self.0.clone() }))
    }
}

impl Policy for Scripted {
    fn start(&mut self, call: Call) -> Progress {
        if let Call::Background { name, .. } = &call {
            let (doors, answer) = (self.doors.clone(), Ok(Reply::Text(self.number.to_string().into())));
            return match &**name {
                "long" => Progress::Suspended(Box::pin(async move {
                    doors.gate.notified().await;
                    answer
                })),
                "spoil" => Progress::Finished(Err(Failure::new(FailureKind::Time, "spoilt"))),
                _ => Progress::Finished(answer),
            };
        }
        let Call::Canonicalize(script) = call else { return Progress::Finished(Ok(Reply::Done)) };
        match script.as_slice() {
            b"loop" => {
                while !self.stop.0.load(Ordering::SeqCst) {
                    std::hint::spin_loop();
                }
                Progress::Finished(Err(Failure::new(FailureKind::Error, "stopped")))
            }
            b"block" => {
                let door = self.doors.blocked.lock().take().unwrap();
                let _ = door.recv();
                Progress::Finished(Ok(Reply::Done))
            }
            b"panic" => panic!("on purpose"),
            b"slow then wait" => {
                // Long enough to be found slow, twice in one turn.
                let doors = self.doors.clone();
                spin(Duration::from_millis(20));
                Progress::Suspended(Box::pin(async move {
                    spin(Duration::from_millis(20));
                    doors.gate.notified().await;
                    Ok(Reply::Text("waited".into()))
                }))
            }
            b"wait" => {
                let doors = self.doors.clone();
                Progress::Suspended(Box::pin(async move {
                    doors.gate.notified().await;
                    Ok(Reply::Text("waited".into()))
                }))
            }
            _ => Progress::Finished(Ok(Reply::Text(self.number.to_string().into()))),
        }
    }

    fn interrupt(&self) -> Arc<dyn Interrupt> {
        self.stop.clone()
    }
}

fn spin(time: Duration) {
    let begin = std::time::Instant::now();
    while begin.elapsed() < time {
        std::hint::spin_loop();
    }
}

struct Setup {
    doors: Arc<Doors>,
    executor: Executor,
}

fn setup(engines: usize, budget: Duration) -> Setup {
    let doors = Arc::new(Doors::default());
    let source = Source(doors.clone());
    let built = (0..engines).map(|_| source.build().unwrap()).collect();
    let aside = Some(source.build().unwrap());
    let options = Options { budget, runtime: tokio::runtime::Handle::current() };
    let executor = Executor::start(built, aside, Arc::new(source), Arc::new(doors.clone()), options).unwrap();
    Setup { doors, executor }
}

impl Drop for Setup {
    fn drop(&mut self) {
        self.executor.stop();
    }
}

impl Setup {
    async fn run(&self, script: &str) -> Result<Reply, Failure> {
        self.executor.call(Call::Canonicalize(script.into())).await
    }

    async fn until(&self, counter: &AtomicUsize, count: usize) {
        while counter.load(Ordering::SeqCst) < count {
            tokio::task::yield_now().await;
        }
    }
}

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_mins(1);

fn kind(result: Result<Reply, Failure>) -> FailureKind {
    result.unwrap_err().kind
}

fn text(result: Result<Reply, Failure>) -> String {
    match result.unwrap() {
        Reply::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn thousands_of_calls_are_answered() {
    let setup = setup(3, LONG);
    let calls: Vec<_> =
        (0..5000).map(|_| tokio::spawn(setup.executor.call(Call::Canonicalize("x".into())))).collect();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn low_load_reuses_one_engine() {
    let setup = setup(3, LONG);
    for _ in 0..20 {
        assert_eq!(text(setup.run("x").await), "0");
    }
}

#[tokio::test]
async fn a_loop_is_stopped_and_its_engine_replaced() {
    let setup = setup(1, SHORT);
    let failure = setup.run("loop").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Time);
    assert_eq!(failure.reason, "policy time budget of 20 ms exceeded");
    setup.until(&setup.doors.replaced, 1).await;
    assert_eq!(text(setup.run("x").await), "2", "a third engine, after the first and the one kept aside");
}

#[tokio::test]
async fn others_are_served_while_one_loops() {
    let setup = setup(2, LONG);
    let looping = tokio::spawn(setup.executor.call(Call::Canonicalize("loop".into())));
    while setup.executor.shared.queue.lock().free_engines() > 1 {
        tokio::task::yield_now().await;
    }
    for _ in 0..100 {
        setup.run("x").await.unwrap();
    }
    // Stop it by hand rather than after a minute.
    for slot in setup.executor.shared.watchdog.slots() {
        slot.interrupt_for_test();
    }
    assert_eq!(kind(looping.await.unwrap()), FailureKind::Error);
}

#[tokio::test]
async fn a_call_stuck_where_no_interrupt_reaches_is_written_off() {
    let setup = setup(1, SHORT);
    let (open, door) = mpsc::channel();
    *setup.doors.blocked.lock() = Some(door);
    assert_eq!(kind(setup.run("block").await), FailureKind::Time);
    setup.until(&setup.doors.abandoned, 1).await;
    setup.until(&setup.doors.replaced, 1).await;
    setup.run("x").await.unwrap();
    open.send(()).unwrap();
}

#[tokio::test]
async fn a_panic_spoils_only_its_engine() {
    let setup = setup(1, LONG);
    assert_eq!(kind(setup.run("panic").await), FailureKind::Internal);
    setup.until(&setup.doors.replaced, 1).await;
    setup.run("x").await.unwrap();
}

#[tokio::test]
async fn suspended_calls_hold_no_thread() {
    let setup = setup(3, LONG);
    let first = tokio::spawn(setup.executor.call(Call::Canonicalize("wait".into())));
    let second = tokio::spawn(setup.executor.call(Call::Canonicalize("wait".into())));
    // Both engines are kept, the third serves.
    while setup.executor.shared.queue.lock().free_engines() > 1 {
        tokio::task::yield_now().await;
    }
    assert_eq!(text(setup.run("x").await), "2");
    setup.doors.gate.notify_waiters();
    setup.doors.gate.notify_one();
    setup.doors.gate.notify_one();
    assert_eq!(text(first.await.unwrap()), "waited");
    assert_eq!(text(second.await.unwrap()), "waited");
}

#[tokio::test]
async fn a_suspended_call_ends_at_its_deadline_and_keeps_its_engine() {
    // The second call needs its budget only if the machine is busy, but then it needs more than a moment.
    let setup = setup(1, Duration::from_secs(3));
    assert_eq!(kind(setup.run("wait").await), FailureKind::Time);
    assert_eq!(text(setup.run("x").await), "0");
    assert_eq!(setup.doors.replaced.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn without_a_free_engine_a_call_fails_in_time() {
    let setup = setup(1, SHORT);
    setup.doors.broken.store(true, Ordering::SeqCst);
    assert_eq!(kind(setup.run("loop").await), FailureKind::Time);
    let failure = setup.run("x").await.unwrap_err();
    assert_eq!(failure.kind, FailureKind::Busy);
    assert_eq!(failure.reason, "no policy state was free in time (the budget is 20 ms)");
    setup.until(&setup.doors.failed_builds, 1).await;
    setup.doors.broken.store(false, Ordering::SeqCst);
    setup.until(&setup.doors.replaced, 1).await;
    setup.run("x").await.unwrap();
}

#[tokio::test]
async fn calls_bound_to_an_engine_reach_that_one() {
    let setup = setup(3, LONG);
    for engine in [2, 0, 3, 1] {
        let call = Call::Canonicalize("x".into());
        assert_eq!(text(setup.executor.call_on(engine, call).await), engine.to_string());
    }
}

#[tokio::test]
async fn after_stop_calls_fail() {
    let setup = setup(1, LONG);
    setup.executor.stop();
    assert_eq!(kind(setup.run("x").await), FailureKind::Busy);
}

#[tokio::test]
async fn many_loops_at_once_are_all_stopped_and_replaced() {
    let setup = setup(8, SHORT);
    for round in 1..=5 {
        let calls: Vec<_> =
            (0..8).map(|_| tokio::spawn(setup.executor.call(Call::Canonicalize("loop".into())))).collect();
        for call in calls {
            // Some may have waited too long for a core to begin at all.
            assert!(
                matches!(kind(call.await.unwrap()), FailureKind::Time | FailureKind::Busy),
                "round {round}"
            );
        }
        while setup.executor.shared.queue.lock().free_engines() < 8 {
            tokio::task::yield_now().await;
        }
    }
    setup.run("x").await.unwrap();
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_next_call_of_its_thread() {
    let setup = setup(1, LONG);
    let (open, door) = mpsc::channel();
    *setup.doors.blocked.lock() = Some(door);
    // One engine: the second call runs after the first, most likely on the same thread, and does not end.
    let quick = tokio::spawn(setup.executor.call(Call::Canonicalize("x".into())));
    let blocked = tokio::spawn(setup.executor.call(Call::Canonicalize("block".into())));
    assert_eq!(text(quick.await.unwrap()), "0");
    assert!(!blocked.is_finished());
    open.send(()).unwrap();
    blocked.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_call_that_is_slow_on_both_sides_of_its_wait_counts_once() {
    let setup = setup(2, LONG);
    for _ in 0..3 {
        let waiting = tokio::spawn(setup.executor.call(Call::Canonicalize("slow then wait".into())));
        while setup.executor.shared.queue.lock().free_engines() > 1 {
            tokio::task::yield_now().await;
        }
        setup.run("x").await.unwrap();
        setup.doors.gate.notify_one();
        assert_eq!(text(waiting.await.unwrap()), "waited");
    }
    // An idle executor counts nobody.
    while setup.executor.shared.queue.lock().active() > 0 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn canonicalize_and_the_call_after_it_share_one_budget() {
    let setup = setup(1, SHORT);
    let since = setup.executor.now();
    // As the executor counts time: its clock may be late.
    while setup.executor.now().0 < since.0 + SHORT.as_millis() as u64 {
        tokio::task::yield_now().await;
    }
    let call = setup.executor.call_within(Call::Canonicalize("x".into()), since);
    assert_eq!(kind(call.await), FailureKind::Busy);
}
