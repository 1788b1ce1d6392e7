//! The HTTP server of the daemon over a policy that does nothing: what listeners, routing, access and limits cost
//! beside `bare`. `cargo run --release --example constant -- 127.0.0.1:8084 1` (threads of its own; 0: the runtime's)
#![allow(clippy::print_stderr, reason = "a tool")]

use std::error::Error;
use std::sync::Arc;

use bstr::BString;
use capabilities::{Capabilities, Log, Options};
use login::{CustomArgs, Decision, Login};
use policy::{CustomReply, Endpoint, Failure, ResetRequest};
use portcullis_api::{Backend, Listener, Server, Settings, Threads};

struct Nothing(Arc<Capabilities>);

impl Backend for Nothing {
    async fn report(&self, login: Login) -> Result<(), Failure> {
        std::hint::black_box(login);
        Ok(())
    }

    async fn allow(&self, login: Login) -> Result<Decision, Failure> {
        std::hint::black_box(login);
        Ok(Decision::default())
    }

    async fn reset(&self, _request: ResetRequest) -> Result<bool, Failure> {
        Ok(true)
    }

    async fn canonicalize(&self, login: BString) -> Result<BString, Failure> {
        Ok(login)
    }

    async fn custom(&self, _name: &str, args: CustomArgs) -> Result<CustomReply, Failure> {
        Ok(CustomReply { success: true, attrs: args.attrs })
    }

    async fn custom_get(&self, name: &str) -> Result<BString, Failure> {
        Ok(name.into())
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let endpoint = |get| Endpoint { name: "echo".into(), get, to_sinks: false };
        vec![endpoint(false), endpoint(true)]
    }

    fn capabilities(&self) -> &Arc<Capabilities> {
        &self.0
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let addr = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8084".to_owned()).parse()?;
    let threads = std::env::args().nth(2).map_or(Ok(1), |count| count.parse())?;
    let capabilities =
        Capabilities::new(Options { log: Log::discard(), metrics_prefix: "wforce".into(), regexes: None })?;
    capabilities.access.set_password(b"super");
    let settings = Settings {
        listeners: vec![Listener { addr, tls: None }],
        threads: if threads == 0 { Threads::Shared } else { Threads::Own(threads) },
        ..Settings::default()
    };
    let (server, errors) = Server::start(settings, Arc::new(Nothing(capabilities)))?;
    for error in &errors {
        eprintln!("{error}");
    }
    server.set_ready(true);
    eprintln!("listening on {:?}", server.addrs());
    tokio::signal::ctrl_c().await?;
    Ok(())
}
