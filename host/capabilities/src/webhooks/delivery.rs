//! Deliveries: one task for each hook, which keeps as many under way as it may.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use outbound::{Client, Error, HeaderValue};
use ring::rand::{SecureRandom, SystemRandom};
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};

use super::Options;
use super::config::LONGEST_PAUSE;
use super::hook::Hook;
use super::queue::{Ledger, Payload};
use crate::log::{Level, Log};

/// Lines that tell of failures of one hook come at most this often; the next one says how many were left out.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// The pause after this one.
fn longer(pause: Duration) -> Duration {
    (pause * 2).min(LONGEST_PAUSE)
}

/// Sends for all hooks.
pub(super) struct Sender {
    runtime: Handle,
    /// Or why there is none.
    client: Result<Client, String>,
    timeout: Duration,
    concurrency: usize,
    log: Arc<Log>,
    ledger: Arc<Ledger>,
    random: SystemRandom,
    /// Turns true when the daemon ends.
    closing: watch::Sender<bool>,
}

/// Why an attempt failed.
struct Failed {
    why: String,
    /// Whether another attempt may fare better.
    again: bool,
}

impl Sender {
    pub(super) fn new(
        runtime: Handle,
        client: Result<Client, String>,
        options: &Options,
        log: &Arc<Log>,
        ledger: &Arc<Ledger>,
    ) -> Sender {
        Sender {
            runtime,
            client,
            timeout: options.timeout,
            concurrency: options.concurrency.max(1),
            log: log.clone(),
            ledger: ledger.clone(),
            random: SystemRandom::new(),
            closing: watch::Sender::new(false),
        }
    }

    /// From now on attempts that fail are the last ones, and pauses are over.
    pub(super) fn close(&self) {
        self.closing.send_replace(true);
    }

    /// Serves this hook's queue until the runtime ends.
    pub(super) fn serve(self: &Arc<Self>, hook: &Arc<Hook>) {
        let Some(mut queue) = hook.queue.take_receiver() else { return };
        let (sender, hook) = (self.clone(), hook.clone());
        self.runtime.spawn(async move {
            let slots = Arc::new(Semaphore::new(sender.concurrency));
            while let Some(payload) = queue.recv().await {
                // Never closed.
                let Ok(slot) = slots.clone().acquire_owned().await else { return };
                hook.queue.leave(&payload, &sender.ledger);
                tokio::spawn(sender.clone().deliver(hook.clone(), payload, slot, slots.clone()));
            }
        });
    }

    /// One delivery with all its attempts. A pause before another attempt takes no slot.
    async fn deliver(
        self: Arc<Self>,
        hook: Arc<Hook>,
        payload: Payload,
        slot: OwnedSemaphorePermit,
        slots: Arc<Semaphore>,
    ) {
        let delivery = self.delivery_id();
        let mut slot = Some(slot);
        let mut pause = hook.config.backoff;
        for left in (0..=hook.config.retries).rev() {
            let result = self.attempt(&hook, &payload, &delivery).await;
            drop(slot.take());
            let failed = match result {
                Ok(()) => {
                    hook.count(true);
                    break;
                }
                Err(failed) => failed,
            };
            if left == 0 || !failed.again || *self.closing.borrow() {
                hook.count(false);
                self.tell(&hook, &failed.why);
                break;
            }
            hook.retried.inc();
            hook.queue.wait(&payload, &self.ledger);
            let mut closing = self.closing.subscribe();
            // A sender that is gone means the end, too.
            let _ = tokio::time::timeout(pause, closing.wait_for(|closing| *closing)).await;
            pause = longer(pause);
            slot = slots.clone().acquire_owned().await.ok();
            hook.queue.leave(&payload, &self.ledger);
        }
        self.ledger.done();
    }

    async fn attempt(&self, hook: &Hook, payload: &Payload, delivery: &HeaderValue) -> Result<(), Failed> {
        let client = match &self.client {
            Ok(client) => client,
            Err(why) => return Err(Failed { why: why.clone(), again: false }),
        };
        let request = hook.request(payload, delivery, SystemTime::now());
        match client.send(request, self.timeout).await {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => {
                let status = answer.status.as_u16();
                let why = format!("Received non-2XX response from webserver: {status}");
                // Too slow, too much, or broken on their side: that may pass. The other answers stay what they are.
                Err(Failed { why, again: matches!(status, 408 | 425 | 429 | 500..=599) })
            }
            Err(error) => {
                let again = !matches!(error, Error::Url(_) | Error::TooLong(_));
                Err(Failed { why: error.to_string(), again })
            }
        }
    }

    fn tell(&self, hook: &Hook, why: &str) {
        let label = hook.label();
        // The path of a chat service's URL is its password.
        let text = format!("Webhook {label} failed to url ({}): [{why}]", outbound::origin(&hook.config.url));
        self.log.limited(&format!("webhook {label}"), LOG_EVERY, Level::Err, text);
    }

    /// Names one delivery, so that a receiver knows an attempt that it had already.
    fn delivery_id(&self) -> HeaderValue {
        let mut bytes = [0; 32];
        // Without random numbers TLS would not work either; the id is then not unique, but the event is sent.
        let _ = self.random.fill(&mut bytes);
        HeaderValue::try_from(STANDARD.encode(bytes)).unwrap_or_else(|_| HeaderValue::from_static(""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_the_longest() {
        let pauses: Vec<u64> =
            std::iter::successors(Some(Duration::from_millis(500)), |pause| Some(longer(*pause)))
                .take(13)
                .map(|pause| pause.as_millis() as u64)
                .collect();
        assert_eq!(pauses[..5], [500, 1000, 2000, 4000, 8000]);
        assert_eq!(pauses[10..], [512_000, 600_000, 600_000]);
    }
}
