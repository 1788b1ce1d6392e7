//! What the store complains of, in the log.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use crate::log::{Level, Log};

/// One line comes once in this time.
const EVERY: Duration = Duration::from_secs(1);
/// Different lines within that time that are all written: damage to several days is told day by day.
const DIFFERENT: usize = 64;

/// A function that logs complaints: different ones each for itself, but only so many at once.
pub(super) fn to_log(log: Arc<Log>) -> Arc<dyn Fn(&str) + Send + Sync> {
    let burst = Mutex::new((Instant::now(), 0_usize));
    Arc::new(move |line: &str| {
        let few = {
            let mut burst = burst.lock();
            if burst.0.elapsed() >= EVERY {
                *burst = (Instant::now(), 0);
            }
            burst.1 += 1;
            burst.1 <= DIFFERENT
        };
        // Beyond that they share a key, and the next line tells how many were left out.
        let key = if few { format!("report store: {line}") } else { "report store".to_owned() };
        log.limited(&key, EVERY, Level::Err, line);
    })
}
