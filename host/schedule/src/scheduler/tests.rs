#![allow(clippy::unwrap_used)]
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use jiff::SignedDuration;
use jiff::tz::TimeZone;
use tokio::sync::mpsc;

use super::*;
use crate::{JobOptions, Missed};

/// Leases that several daemons share.
type Leases = Arc<Mutex<HashMap<String, &'static str>>>;

/// Jobs that end when they are told to.
struct World {
    daemon: &'static str,
    start: tokio::time::Instant,
    leases: Leases,
    began: mpsc::UnboundedSender<(&'static str, String)>,
    skipped: mpsc::UnboundedSender<Skip>,
    result: Mutex<Result<(), String>>,
    takes: Duration,
    panics: AtomicBool,
}

impl Work for World {
    fn now(&self) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::try_from(self.start.elapsed()).unwrap()
    }

    fn run<'a>(&'a self, job: &'a str, _: Duration) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            self.began.send((self.daemon, job.to_owned())).unwrap();
            assert!(!self.panics.load(Ordering::Relaxed), "a mistake of {job}");
            tokio::time::sleep(self.takes).await;
            self.result.lock().clone()
        })
    }

    fn lease<'a>(&'a self, name: &'a str, _: Duration) -> BoxFuture<'a, Result<bool, String>> {
        let holder = *self.leases.lock().entry(name.to_owned()).or_insert(self.daemon);
        Box::pin(std::future::ready(Ok(holder == self.daemon)))
    }

    fn release<'a>(&'a self, name: &'a str) -> BoxFuture<'a, ()> {
        self.leases.lock().remove(name);
        Box::pin(std::future::ready(()))
    }

    fn ended(&self, _: &str, _: &LastRun) {}

    fn skipped(&self, _: &str, why: Skip) {
        self.skipped.send(why).unwrap();
    }
}

struct Rig {
    scheduler: Scheduler,
    began: mpsc::UnboundedReceiver<(&'static str, String)>,
    skipped: mpsc::UnboundedReceiver<Skip>,
    world: Arc<World>,
}

fn rig(
    daemon: &'static str,
    leases: &Leases,
    takes: u64,
    schedule: &Schedule,
    change: impl Fn(&mut JobOptions),
) -> Rig {
    let (began, began_receiver) = mpsc::unbounded_channel();
    let (skipped, skipped_receiver) = mpsc::unbounded_channel();
    let world = Arc::new(World {
        daemon,
        start: tokio::time::Instant::now(),
        leases: leases.clone(),
        began,
        skipped,
        result: Mutex::new(Ok(())),
        takes: Duration::from_secs(takes),
        panics: AtomicBool::new(false),
    });
    let mut options = JobOptions { zone: TimeZone::UTC, ..JobOptions::default() };
    change(&mut options);
    let mut agenda = Agenda::default();
    agenda.add("scan", schedule.clone(), options);
    let scheduler = Scheduler::new(agenda, world.clone(), Handle::current(), 4);
    scheduler.start();
    Rig { scheduler, began: began_receiver, skipped: skipped_receiver, world }
}

fn every(text: &str) -> Schedule {
    Schedule::Every(text.parse().unwrap())
}

#[tokio::test(start_paused = true)]
async fn runs_again_and_again_and_tells_how_it_went() {
    let mut rig = rig("a", &Leases::default(), 0, &every("00:00:01"), |_| {});
    for _ in 0..3 {
        assert_eq!(rig.began.recv().await.unwrap(), ("a", "scan".to_owned()));
    }
    *rig.world.result.lock() = Err("boom".to_owned());
    rig.began.recv().await.unwrap();
    rig.began.recv().await.unwrap();
    let status = &rig.scheduler.statuses()[0];
    assert_eq!(status.last.as_ref().unwrap().outcome, Outcome::Failed("boom".to_owned()));
    assert!(status.failures > 0 && status.runs > 3);
}

#[tokio::test(start_paused = true)]
async fn by_hand_runs_at_once_and_only_one_at_a_time() {
    let mut rig = rig("a", &Leases::default(), 30, &Schedule::ByHand, |_| {});
    let result = rig.scheduler.run_by_hand("scan").unwrap();
    rig.began.recv().await.unwrap();
    assert_eq!(rig.scheduler.run_by_hand("scan").unwrap_err(), Refusal::Running("scan".to_owned()));
    assert_eq!(rig.scheduler.run_by_hand("nothing").unwrap_err(), Refusal::Unknown("nothing".to_owned()));
    assert_eq!(result.await.unwrap().outcome, Outcome::Done);
    assert_eq!(rig.scheduler.stop(Duration::ZERO).await, 0);
    assert_eq!(rig.scheduler.run_by_hand("scan").unwrap_err(), Refusal::Stopped);
}

#[tokio::test(start_paused = true)]
async fn one_daemon_of_a_cluster_runs_it() {
    let leases = Leases::default();
    let cron = Schedule::Cron("* * * * *".parse().unwrap());
    let once = |options: &mut JobOptions| options.once_per_cluster = true;
    let (mut a, mut b) = (rig("a", &leases, 1, &cron, once), rig("b", &leases, 1, &cron, once));
    let mut runs = 0;
    for _ in 0..10 {
        tokio::select! {
            Some(_) = a.began.recv() => runs += 1,
            Some(_) = b.began.recv() => runs += 1,
        }
        tokio::select! {
            Some(why) = a.skipped.recv() => assert_eq!(why, Skip::Elsewhere),
            Some(why) = b.skipped.recv() => assert_eq!(why, Skip::Elsewhere),
        }
    }
    assert_eq!(runs, 10);
    assert!(a.began.try_recv().is_err() && b.began.try_recv().is_err());
}

/// What was missed while it ran is made up for once, by a run that is really started, and then it goes on.
#[tokio::test(start_paused = true)]
async fn a_missed_run_is_started_when_the_one_before_ends() {
    let cron = Schedule::Cron("* * * * *".parse().unwrap());
    let mut rig = rig("a", &Leases::default(), 150, &cron, |options| options.missed = Missed::RunOnce);
    let mut began = Vec::new();
    for _ in 0..4 {
        rig.began.recv().await.unwrap();
        began.push(rig.world.start.elapsed().as_secs());
    }
    // Due at 60; 120 and 180 are missed while it runs, and one run follows at its end, and so on.
    assert_eq!(began, [60, 210, 360, 510]);
    assert_eq!(rig.skipped.recv().await.unwrap(), Skip::Running);
    let status = &rig.scheduler.statuses()[0];
    assert!(status.runs >= 3 && status.running == 1, "{} {}", status.runs, status.running);

    // Without it the next one is the next that is due.
    let mut rig = self::rig("a", &Leases::default(), 150, &cron, |_| {});
    let zero = rig.world.now().as_second();
    rig.began.recv().await.unwrap();
    rig.began.recv().await.unwrap();
    assert_eq!((rig.world.now().as_second() - zero) % 60, 0);
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_what_runs() {
    let mut rig = rig("a", &Leases::default(), 60, &every("00:00:01"), |_| {});
    rig.began.recv().await.unwrap();
    assert_eq!(rig.scheduler.stop(Duration::from_secs(1)).await, 1);
    assert_eq!(rig.scheduler.stop(Duration::from_mins(2)).await, 0);
}

#[tokio::test(start_paused = true)]
async fn no_more_runs_than_runners() {
    let (began, mut began_receiver) = mpsc::unbounded_channel();
    let (skipped, _skipped) = mpsc::unbounded_channel();
    let world = Arc::new(World {
        daemon: "a",
        start: tokio::time::Instant::now(),
        leases: Leases::default(),
        began,
        skipped,
        result: Mutex::new(Ok(())),
        takes: Duration::from_secs(10),
        panics: AtomicBool::new(false),
    });
    let mut agenda = Agenda::default();
    for name in ["one", "two", "three"] {
        agenda.add(name, Schedule::ByHand, JobOptions::default());
    }
    let scheduler = Scheduler::new(agenda, world, Handle::current(), 2);
    scheduler.start();
    let mut results: Vec<_> =
        ["one", "two", "three"].map(|name| scheduler.run_by_hand(name).unwrap()).into_iter().collect();
    began_receiver.recv().await.unwrap();
    began_receiver.recv().await.unwrap();
    // The third waits, and counts as running.
    assert!(began_receiver.try_recv().is_err());
    assert_eq!(scheduler.run_by_hand("three").unwrap_err(), Refusal::Running("three".to_owned()));
    let third = results.pop().unwrap().await.unwrap();
    assert_eq!((third.outcome, began_receiver.recv().await.unwrap().1), (Outcome::Done, "three".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn other_jobs_take_over_while_it_runs() {
    let mut rig = rig("a", &Leases::default(), 0, &every("24"), |_| {});
    let options = JobOptions { zone: TimeZone::UTC, ..JobOptions::default() };
    rig.scheduler.replace(&[Planned { name: "other".to_owned(), schedule: every("00:00:01"), options }]);
    assert_eq!(rig.began.recv().await.unwrap(), ("a", "other".to_owned()));
    assert_eq!(rig.scheduler.run_by_hand("scan").unwrap_err(), Refusal::Unknown("scan".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn a_job_that_panicked_has_failed_and_runs_again() {
    let leases = Leases::default();
    let once = |options: &mut JobOptions| options.once_per_cluster = true;
    let mut rig = rig("a", &leases, 0, &Schedule::Cron("* * * * *".parse().unwrap()), once);
    rig.world.panics.store(true, Ordering::Relaxed);
    rig.began.recv().await.unwrap();
    rig.began.recv().await.unwrap();
    let result = rig.scheduler.run_by_hand("scan").unwrap().await.unwrap();
    assert_eq!(result.outcome, Outcome::Failed("it panicked: a mistake of scan".to_owned()));
    let status = rig.scheduler.statuses().remove(0);
    assert_eq!((status.running, status.last), (0, Some(result)));
    assert!(!leases.lock().contains_key("job/scan"), "the lease is given back");
    rig.world.panics.store(false, Ordering::Relaxed);
    assert_eq!(rig.scheduler.run_by_hand("scan").unwrap().await.unwrap().outcome, Outcome::Done);
    assert_eq!(rig.scheduler.stop(Duration::from_secs(1)).await, 0);
}
