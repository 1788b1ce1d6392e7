//! How long a policy takes: calls on one engine, without network, queue and answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bstr::ByteSlice;
use capabilities::Context;
use capabilities::context::Trace;
use login::Login;
use policy::{Call, Policy, Progress};

use super::desk::Desk;

/// Why nothing was measured.
#[derive(Debug, thiserror::Error)]
pub enum BenchError {
    /// No engine could be built.
    #[error("no engine for the policy: {0}")]
    Build(#[from] policy::BuildError),
    /// A call failed.
    #[error("the policy failed: {0}")]
    Failed(String),
    /// A component trapped, overran a limit or returned an error.
    #[error(
        "components failed in {0} of the calls, and what was measured is their failing: `portcullis run` says why"
    )]
    Component(u64),
    /// A call waits for something outside.
    #[error(
        "the policy waits for something outside (DNS?): what it takes then says nothing about the policy"
    )]
    Waits,
}

/// What the calls took.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Measured {
    /// Which hook.
    pub hook: &'static str,
    /// How many calls.
    pub calls: usize,
    /// Nanoseconds of one call, on average.
    pub mean_ns: u64,
    /// Half of the calls took at most this, in nanoseconds.
    pub p50_ns: u64,
    /// All but one in a hundred took at most this.
    pub p99_ns: u64,
    /// Fuel of one call, on average; only components use any.
    pub fuel: Option<u64>,
}

/// Calls that are made before any is counted: a JIT compiles in this time.
const WARM_UP: usize = 2000;

/// Calls whose fuel is counted.
const COUNTED: usize = 1000;

/// Measures a hook on logins that are asked for one by one.
///
/// # Errors
/// A call failed, or waits for something outside.
pub fn measure(
    desk: &Desk,
    hook: &'static str,
    calls: usize,
    logins: impl Fn(usize) -> Login,
    mut tick: impl FnMut(),
) -> Result<Measured, BenchError> {
    let mut engine = desk.source.build()?;
    let failures = component_failures(desk);
    for at in 0..WARM_UP.min(calls) {
        once(&mut *engine, call(hook, logins(at)))?;
    }
    let mut took: Vec<Duration> = Vec::with_capacity(calls);
    for at in 0..calls {
        let call = call(hook, logins(at));
        let since = Instant::now();
        once(&mut *engine, call)?;
        took.push(since.elapsed());
        if at % 1000 == 0 {
            tick();
        }
    }
    let failures = component_failures(desk) - failures;
    if failures > 0 {
        return Err(BenchError::Component(failures));
    }
    took.sort_unstable();
    let nanos = |took: Duration| u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
    let at =
        |part: usize| took.get((calls * part / 100).min(calls.saturating_sub(1))).copied().map_or(0, nanos);
    let sum: Duration = took.iter().sum();
    Ok(Measured {
        hook,
        calls,
        mean_ns: nanos(sum) / calls.max(1) as u64,
        p50_ns: at(50),
        p99_ns: at(99),
        fuel: None,
    })
}

/// The fuel of one call on average, on a desk that counts it; `None` if no component was asked. Not measured together with
/// the time, because counting takes some.
///
/// # Errors
/// A call failed, or waits for something outside.
pub fn fuel(
    desk: &Desk,
    hook: &'static str,
    calls: usize,
    logins: impl Fn(usize) -> Login,
) -> Result<Option<u64>, BenchError> {
    let mut engine = desk.source.build()?;
    let calls = calls.clamp(1, COUNTED);
    let mut sum = None;
    for at in 0..calls {
        let context = Arc::new(Context::traced());
        let _entered = context.enter();
        once(&mut *engine, call(hook, logins(at)))?;
        if let Some(fuel) = context.trace().and_then(Trace::fuel) {
            sum = Some(sum.unwrap_or(0) + fuel);
        }
    }
    Ok(sum.map(|sum: u64| sum / calls as u64))
}

/// Calls of components that failed so far; to their callers such a call looks like any other.
fn component_failures(desk: &Desk) -> u64 {
    let metrics = desk.capabilities.metrics.render();
    let lines = metrics.lines().filter(|line| line.starts_with(b"portcullis_component_failures_total{"));
    lines.filter_map(|line| line.rsplit_once_str(b" ")?.1.to_str().ok()?.parse::<u64>().ok()).sum()
}

fn call(hook: &str, login: Login) -> Call {
    let login = Arc::new(login);
    if hook == "report" { Call::Report(login) } else { Call::Allow(login) }
}

fn once(engine: &mut dyn Policy, call: Call) -> Result<(), BenchError> {
    match engine.start(call) {
        Progress::Finished(Ok(_)) => Ok(()),
        Progress::Finished(Err(failure)) => {
            Err(BenchError::Failed(failure.told().to_str_lossy().into_owned()))
        }
        Progress::Suspended(_) => Err(BenchError::Waits),
    }
}
