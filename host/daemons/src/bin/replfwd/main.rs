//! `replfwd`: passes on between sites what siblings send each other.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use api::Backend;
use capabilities::{Capabilities, Daemon};
use portcullis_daemons::flavour::Flavour;
use portcullis_daemons::program;
use portcullis_daemons::start::Started;

/// As in the other daemons: small blocks come and go on several threads all day.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Has no policies: its commands are about siblings only.
struct Replfwd {
    capabilities: Arc<Capabilities>,
}

impl Backend for Replfwd {
    fn capabilities(&self) -> &Arc<Capabilities> {
        &self.capabilities
    }
}

/// What the program shares with the others, wired for this one.
struct Site(Arc<Replfwd>);

impl Flavour for Site {
    const DAEMON: Daemon = Daemon::Replfwd;
    type Backend = Replfwd;

    fn new(started: &Started) -> Result<Site, String> {
        Ok(Site(Arc::new(Replfwd { capabilities: started.capabilities.clone() })))
    }

    fn backend(&self) -> Arc<Replfwd> {
        self.0.clone()
    }
}

fn main() -> ExitCode {
    program::main::<Site>()
}
