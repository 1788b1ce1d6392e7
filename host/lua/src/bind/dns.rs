//! Resolvers. A look-up suspends the policy call; see [`super::wait`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use capabilities::context::{self, Context, Step};
use capabilities::dns::Resolver;
use login::Addr;

use super::effects;
use super::wait::Wait;
use crate::convert::Fault;
use crate::settings::Made;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("newDNSResolver", new_resolver),
    ("getDNSResolver", get_resolver),
    ("Resolver:addResolver", add_resolver),
    ("Resolver:setRequestTimeout", |state, args| {
        let resolver = args.object::<Arc<Resolver>>(1)?;
        let timeout = Duration::from_millis(args.unsigned64(2)?);
        change(state, resolver, move |resolver| resolver.set_timeout(timeout))
    }),
    ("Resolver:setNumContexts", |state, args| {
        let (resolver, contexts) = (args.object::<Arc<Resolver>>(1)?, args.unsigned(2)? as usize);
        change(state, resolver, move |resolver| resolver.set_contexts(contexts))
    }),
    ("Resolver:lookupAddrByName", |state, args| {
        let name = args.text(2)?.owned();
        look_up(state, args, Question::Addresses(name), 3)
    }),
    ("Resolver:lookupNameByAddr", |state, args| {
        let ip = args.addr(2)?.ip;
        look_up(state, args, Question::Names(ip), 3)
    }),
    ("Resolver:lookupRBL", |state, args| {
        let (ip, zone) = (args.addr(2)?.ip, args.text(3)?.owned());
        look_up(state, args, Question::Listing(ip, zone), 4)
    }),
    ("showAddrByName", |state, args| {
        let name = args.text(2)?.owned();
        print(state, args, &name.clone(), Question::Addresses(name))
    }),
    ("showNameByAddr", |state, args| {
        let ip = args.addr(2)?.ip;
        print(state, args, &ip.to_string().into(), Question::Names(ip))
    }),
    ("showRBL", |state, args| {
        let (ip, zone) = (args.addr(2)?.ip, args.text(3)?.owned());
        print(state, args, &BString::default(), Question::Listing(ip, zone))
    }),
];

/// A look-up that a policy wants the answer of.
pub struct Query {
    resolver: Arc<Resolver>,
    question: Question,
    retries: usize,
    runtime: tokio::runtime::Handle,
}

enum Question {
    Addresses(BString),
    Names(IpAddr),
    Listing(IpAddr, BString),
}

impl std::fmt::Display for Question {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Question::Addresses(name) => write!(out, "addresses of {name}"),
            Question::Names(ip) => write!(out, "names of {ip}"),
            Question::Listing(ip, zone) => write!(out, "{ip} in {zone}"),
        }
    }
}

/// Notes a look-up for whoever wants to know.
fn tell(context: Option<&Context>, question: Option<String>, found: &[BString]) {
    if let (Some(context), Some(question)) = (context, question) {
        context.note(|| Step::Dns { question, answers: found.iter().map(ToString::to_string).collect() });
    }
}

impl Query {
    /// Runs the look-up on the host's runtime; the future itself may be polled anywhere. An empty list if there is
    /// nothing, or nobody answered.
    pub async fn answer(self) -> Vec<BString> {
        let context = context::current();
        let question = context.as_ref().map(|_| self.question.to_string());
        let runtime = self.runtime.clone();
        let found = runtime.spawn(self.ask()).await.unwrap_or_default();
        tell(context.as_deref(), question, &found);
        found
    }

    /// The same, blocking the thread.
    pub(super) fn block(self) -> Vec<BString> {
        let context = context::current();
        let question = context.as_ref().map(|_| self.question.to_string());
        let (done, answer) = std::sync::mpsc::sync_channel(1);
        let runtime = self.runtime.clone();
        runtime.spawn(async move {
            // The receiver waits below: there is nobody else to tell.
            let _ = done.send(self.ask().await);
        });
        let found = answer.recv().unwrap_or_default();
        tell(context.as_deref(), question, &found);
        found
    }

    async fn ask(self) -> Vec<BString> {
        let found = match self.question {
            Question::Addresses(name) => self.resolver.addrs_by_name(&name, self.retries).await,
            Question::Names(ip) => self.resolver.names_by_addr(ip, self.retries).await,
            Question::Listing(ip, zone) => self.resolver.rbl(ip, &zone, self.retries).await,
        };
        found.into_iter().map(BString::from).collect()
    }
}

fn new_resolver<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    state.host.settings.note_waiting();
    let name = args.text(1)?;
    let (resolver, made) = state.host.caps.dns.create_or_find(&name);
    if made && effects::kept_back(state) {
        state.host.settings.note_made(Made::Resolver(name.owned(), resolver));
    }
    Ok(Ret::None)
}

fn get_resolver<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    state.host.settings.note_waiting();
    Ok(Ret::Resolver(state.host.caps.dns.get(&args.text(1)?)))
}

fn add_resolver<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let resolver = args.object::<Arc<Resolver>>(1)?;
    let addr = Addr::parse(&args.text(2)?).map_err(|error| Fault::caught(format!("addResolver: {error}")))?;
    let port = args.int(3)?;
    let port = u16::try_from(port).map_err(|_| Fault::caught(format!("addResolver: {port} is no port")))?;
    change(state, resolver, move |resolver| resolver.add_server(addr.ip, port))
}

/// What a file that is read again has made itself is nobody else's yet.
fn change<'a>(
    state: &State,
    resolver: &Arc<Resolver>,
    change: impl FnOnce(&Resolver) + Send + 'static,
) -> Result<Ret<'a>, Fault> {
    if effects::kept_back(state) && !state.host.settings.made_resolver(resolver) {
        let resolver = Arc::clone(resolver);
        return effects::once(state, 0, move |_| change(&resolver));
    }
    change(resolver);
    Ok(Ret::None)
}

fn look_up<'a>(
    state: &'a State,
    args: &Args<'a>,
    question: Question,
    retries: i32,
) -> Result<Ret<'a>, Fault> {
    let resolver = Arc::clone(args.object::<Arc<Resolver>>(1)?);
    let retries = if args.given(retries) { usize::try_from(args.int(retries)?).unwrap_or(0) } else { 0 };
    let query = Query { resolver, question, retries, runtime: state.host.runtime.clone() };
    Ok(Wait::Dns(query).ret(args))
}

fn print<'a>(
    state: &'a State,
    args: &Args<'a>,
    asked: &BString,
    question: Question,
) -> Result<Ret<'a>, Fault> {
    let resolver = Arc::clone(args.object::<Arc<Resolver>>(1)?);
    let query = Query { resolver, question, retries: 1, runtime: state.host.runtime.clone() };
    for found in query.block() {
        let line = if asked.is_empty() { found } else { bstr::concat([&asked[..], b" ", &found[..]]).into() };
        state.host.output.line(line);
    }
    Ok(Ret::None)
}
