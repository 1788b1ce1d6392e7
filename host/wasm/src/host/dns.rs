//! DNS look-ups. The call is suspended meanwhile; its thread is free.

use std::net::IpAddr;
use std::sync::Arc;

use capabilities::context::{self, Step};
use capabilities::dns::Resolver;
use wasmtime::Result;
use wasmtime::component::Resource;

use crate::bindings::dns::{Host, HostResolver};
use crate::bindings::types::{Error, IpAddress};
use crate::convert;
use crate::options::Kind;
use crate::state::State;

/// What a component's `resolver` stands for.
pub struct Handle(Arc<Resolver>);

impl State {
    /// Runs a look-up on the host's runtime, inside what is left of the call's time.
    async fn look_up<F>(
        &mut self,
        handle: &Resource<Handle>,
        question: String,
        ask: impl FnOnce(Arc<Resolver>) -> F,
    ) -> Result<Result<Vec<String>, Error>>
    where
        F: Future<Output = Vec<String>> + Send + 'static,
    {
        self.host_call()?;
        let resolver = self.table.get(handle)?.0.clone();
        let context = context::current();
        let task = self.common.runtime.spawn(ask(resolver));
        let abort = task.abort_handle();
        let left = self.deadline.saturating_duration_since(std::time::Instant::now());
        let Ok(answers) = tokio::time::timeout(left, task).await else {
            abort.abort();
            return Err(wasmtime::Trap::Interrupt.into());
        };
        let answers = answers.unwrap_or_default();
        if let Some(context) = context {
            context.note(|| Step::Dns { question, answers: answers.clone() });
        }
        Ok(Ok(answers))
    }
}

fn addresses(found: Result<Vec<String>, Error>) -> Result<Vec<IpAddress>, Error> {
    found.map(|texts| {
        texts.iter().filter_map(|text| text.parse::<IpAddr>().ok()).map(convert::address).collect()
    })
}

impl Host for State {
    fn open(&mut self, name: String) -> Result<Result<Resource<Handle>, Error>> {
        self.host_call()?;
        if let Err(denied) = self.granted(Kind::Dns, &name) {
            return Ok(Err(denied));
        }
        Ok(match self.common.capabilities.dns.find(name.as_bytes()) {
            Some(resolver) => self.push(Handle(resolver)),
            None => Err(self.unknown("resolver", name, "newDNSResolver")),
        })
    }
}

impl HostResolver for State {
    async fn addresses(
        &mut self,
        resolver: Resource<Handle>,
        name: String,
        retries: u32,
    ) -> Result<Result<Vec<IpAddress>, Error>> {
        let question = format!("addresses of {name}");
        let ask = |resolver: Arc<Resolver>| async move {
            resolver.addrs_by_name(name.as_bytes(), retries as usize).await
        };
        Ok(addresses(self.look_up(&resolver, question, ask).await?))
    }

    async fn names(
        &mut self,
        resolver: Resource<Handle>,
        address: IpAddress,
        retries: u32,
    ) -> Result<Result<Vec<String>, Error>> {
        let ip = convert::ip(address);
        let ask =
            move |resolver: Arc<Resolver>| async move { resolver.names_by_addr(ip, retries as usize).await };
        self.look_up(&resolver, format!("names of {ip}"), ask).await
    }

    async fn rbl(
        &mut self,
        resolver: Resource<Handle>,
        address: IpAddress,
        zone: String,
        retries: u32,
    ) -> Result<Result<Vec<IpAddress>, Error>> {
        let ip = convert::ip(address);
        let question = format!("{ip} in {zone}");
        let ask = move |resolver: Arc<Resolver>| async move {
            resolver.rbl(ip, zone.as_bytes(), retries as usize).await
        };
        Ok(addresses(self.look_up(&resolver, question, ask).await?))
    }

    fn drop(&mut self, resolver: Resource<Handle>) -> Result<()> {
        self.delete(resolver)
    }
}
