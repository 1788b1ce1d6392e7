//! `wforce`: the login-abuse policy server.
#![forbid(unsafe_code)]

use std::process::ExitCode;
use std::sync::Arc;

use capabilities::Daemon;
use policy::Chain;
use portcullis_daemons::flavour::Flavour;
use portcullis_daemons::program;
use portcullis_daemons::start::Started;

/// Small blocks come and go on several threads all day (stats DB records, Lua values, requests): measured against the
/// system's allocator in docs/performance.md.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Decides logins: the commands ask the chain of policies.
struct Wforce {
    chain: Arc<Chain>,
}

impl Flavour for Wforce {
    const DAEMON: Daemon = Daemon::Wforce;
    type Backend = Chain;

    fn new(started: &Started) -> Result<Wforce, String> {
        Ok(Wforce { chain: started.chain.clone() })
    }

    fn backend(&self) -> Arc<Chain> {
        self.chain.clone()
    }
}

fn main() -> ExitCode {
    program::main::<Wforce>()
}
