//! What trackalert's HTTP commands ask.

use std::sync::Arc;

use api::Backend;
use capabilities::Capabilities;
use login::{CustomArgs, Login};
use policy::component::Reloaded;
use policy::{Chain, CustomReply, Endpoint, Failure, FailureKind};
use schedule::{JobStatus, Jobs, Refusal};

use crate::intake::Intake;

/// The parts behind the commands.
pub(crate) struct Track {
    pub(crate) chain: Arc<Chain>,
    pub(crate) intake: Intake,
    pub(crate) jobs: Arc<Jobs>,
}

impl Backend for Track {
    /// Taken, not looked at yet.
    async fn report(&self, login: Login) -> Result<(), Failure> {
        let login = self.chain.received(login);
        self.intake.take(login).map_err(|full| Failure::new(FailureKind::Busy, full.to_string()))
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
