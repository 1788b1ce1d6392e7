//! What trackalert's HTTP commands ask.

use std::sync::Arc;

use api::Backend;
use capabilities::Capabilities;
use capabilities::reports::{ReportsError, StoreError};
use login::{CustomArgs, Login};
use policy::component::Reloaded;
use policy::{Chain, CustomReply, Endpoint, Failure, FailureKind};
use schedule::{JobStatus, Jobs, Refusal};

use crate::intake::{Intake, Place};

/// The parts behind the commands.
pub(crate) struct Track {
    pub(crate) chain: Arc<Chain>,
    pub(crate) intake: Intake,
    pub(crate) jobs: Arc<Jobs>,
}

/// Brings a report to the store, and then to the policy with the name that it has there.
async fn store(capabilities: Arc<Capabilities>, place: Place, mut login: Arc<Login>) -> Result<(), Failure> {
    let now = jiff::Timestamp::now().as_millisecond();
    match capabilities.take_report(&login, now).await {
        Ok(id) => Arc::make_mut(&mut login).report_id = id.map(|id| id.as_str().into()),
        // Too old to be kept, for one: a policy may still want to see it. It has been logged and counted.
        Err(ReportsError::Store(StoreError::Refused { .. })) => {}
        Err(error) => return Err(Failure::new(FailureKind::Busy, error.to_string())),
    }
    place.take(login);
    Ok(())
}

impl Backend for Track {
    /// Taken and stored, not looked at yet.
    async fn report(&self, login: Login) -> Result<(), Failure> {
        let login = self.chain.received(login);
        let place = self.intake.place(login.weight());
        let place = place.map_err(|full| Failure::new(FailureKind::Busy, full.to_string()))?;
        if !self.capabilities().reports.is_open() {
            place.take(login);
            return Ok(());
        }
        // In a task of its own: a client that goes away must not part what is stored from what is looked at.
        let stored = tokio::spawn(store(self.capabilities().clone(), place, login)).await;
        stored.unwrap_or_else(|error| Err(Failure::new(FailureKind::Internal, error.to_string())))
    }

    async fn custom(&self, name: &str, args: CustomArgs) -> Result<CustomReply, Failure> {
        self.chain.custom(name, args).await
    }

    async fn reload_policies(&self, name: Option<String>) -> Reloaded {
        self.chain.reload_policies(name).await
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        self.chain.endpoints()
    }

    fn jobs(&self) -> Vec<JobStatus> {
        self.jobs.statuses()
    }

    fn run_background(&self, name: &str) -> Result<(), Refusal> {
        // Whoever asks over HTTP looks at `jobs` for what came of it.
        self.jobs.run_by_hand(name).map(drop)
    }

    fn capabilities(&self) -> &Arc<Capabilities> {
        self.chain.capabilities()
    }
}
