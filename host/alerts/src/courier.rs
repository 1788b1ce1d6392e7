//! One delivery with all its attempts.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, watch};

use crate::channel::Failed;
use crate::settings::Limits;

/// No pause before another attempt is longer.
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// How attempts are made.
pub(crate) struct Courier {
    /// Attempts of one channel that may be under way at once. A pause takes no slot.
    pub(crate) slots: Arc<Semaphore>,
    /// Turns true when the daemon ends: then attempts that fail are the last ones, and pauses are over.
    pub(crate) closing: watch::Receiver<bool>,
}

impl Courier {
    /// Makes attempts until one succeeds, one fails for good, or there were enough. `again`: called before each further one.
    pub(crate) async fn carry<F>(
        mut self,
        limits: &Limits,
        attempt: impl Fn() -> F,
        again: impl Fn(&str),
    ) -> Result<(), String>
    where
        F: Future<Output = Result<(), Failed>>,
    {
        let mut pause = Duration::from_millis(u64::from(limits.pause_ms)).min(LONGEST_PAUSE);
        for left in (0..limits.attempts).rev() {
            let slot = self.slots.clone().acquire_owned().await;
            let result = attempt().await;
            drop(slot);
            let Err(failed) = result else { return Ok(()) };
            if left == 0 || !failed.again || *self.closing.borrow() {
                return Err(failed.why);
            }
            again(&failed.why);
            // A sender that is gone means the end, too.
            let _ = tokio::time::timeout(pause, self.closing.wait_for(|closing| *closing)).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
        Err("no attempt was made".to_owned())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::cell::Cell;

    use super::*;

    fn carry(results: &[Option<bool>], attempts: u32, closing: bool) -> (Result<(), String>, usize, usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let (_sender, receiver) = watch::channel(closing);
        let courier = Courier { slots: Arc::new(Semaphore::new(1)), closing: receiver };
        let limits = Limits { attempts, pause_ms: 1, ..Limits::default() };
        let (made, repeated) = (Cell::new(0), Cell::new(0));
        let attempt = || {
            let result = results[made.replace(made.get() + 1)];
            async move { result.map_or(Ok(()), |again| Err(Failed { why: "no".into(), again })) }
        };
        let result = runtime.block_on(courier.carry(&limits, attempt, |_| repeated.set(repeated.get() + 1)));
        (result, made.get(), repeated.get())
    }

    #[test]
    fn attempts_end_with_success_refusal_or_patience() {
        let no = || Err("no".to_owned());
        assert_eq!(carry(&[Some(true), Some(true), None], 5, false), (Ok(()), 3, 2));
        assert_eq!(carry(&[Some(true), Some(false)], 5, false), (no(), 2, 1));
        assert_eq!(carry(&[Some(true); 3], 3, false), (no(), 3, 2));
        assert_eq!(carry(&[Some(true)], 5, true), (no(), 1, 0));
    }
}
