//! trackalert's way: reports as they come, looked at later, and background functions.

use std::sync::Arc;
use std::time::Duration;

use capabilities::Context;
use login::{Login, logline};

use super::{Chain, misplaced};
use crate::call::{Call, Reply};
use crate::{Failure, FailureKind};

impl Chain {
    /// A login that happened, as its client told it: its time is the client's, its login as it was spelled, its device not
    /// parsed. (wforce compatibility: that was done by the wforce that the report comes from.) A report without a time came
    /// now.
    pub fn received(&self, mut login: Login) -> Arc<Login> {
        if login.t <= 0.0 || !login.t.is_finite() {
            login.t = self.capabilities.clock.precise();
        }
        let login = Arc::new(login);
        if self.capabilities.log.verbose() {
            self.capabilities.log.info(logline::report_line(&login, false));
        }
        login
    }

    /// Asks the report function about a report that was [`Chain::received`], if one is set.
    ///
    /// # Errors
    /// The policy failed, which has been logged; or no policy state was free in time ([`FailureKind::Busy`]), which has not:
    /// it may be tried again.
    pub async fn look_at(&self, login: &Arc<Login>) -> Result<(), Failure> {
        if !self.options.load().hooks.report {
            return Ok(());
        }
        let call = Call::Report(login.clone());
        let function = call.function();
        let kind = super::failures::Kind::of(&call);
        match self.executor.call(call).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                if failure.kind != FailureKind::Busy {
                    super::failures::tell(&self.capabilities, &function, kind, &failure);
                }
                Err(failure)
            }
        }
    }

    /// Runs a background function.
    ///
    /// # Errors
    /// The policy failed, or there is no such function.
    pub async fn background(&self, name: &str, deadline: Duration) -> Result<(), Failure> {
        let call = Call::Background { name: name.into(), deadline };
        let context = Arc::new(Context::of_job());
        match self.run_in(Some(context), call, self.executor.now()).await? {
            Reply::Done => Ok(()),
            _ => Err(misplaced()),
        }
    }
}
