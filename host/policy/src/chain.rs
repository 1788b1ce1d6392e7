//! The request's way: canonicalize, lists, policy, decision, and what is logged and counted on it.

mod events;
mod failures;

use std::sync::Arc;
use std::time::Instant;

use arc_swap::{ArcSwap, ArcSwapOption};
use bstr::BString;
use capabilities::context::Step;
use capabilities::lists::{Colour, Hit};
use capabilities::log::Level;
use capabilities::{Capabilities, Context, Recorder};
use login::{Addr, CustomArgs, Decision, Login, logline};

use crate::call::{Call, CustomReply, Endpoint, Hooks, Reply};
use crate::component::{Components, NoComponents, Reloaded, reload_all};
use crate::executor::{Executor, Moment};
use crate::{Explanation, Failure, FailureKind, Shadow};

/// What the configuration says about the way itself.
#[derive(Clone, Debug)]
pub struct ChainOptions {
    /// The hooks that are set; without one its documented default holds.
    pub hooks: Hooks,
    /// The custom endpoints, in order of registration.
    pub endpoints: Vec<Endpoint>,
    /// The attribute that carries a login's JA3 hash.
    pub ja3_attr: BString,
    /// Whether logins that may go on are logged, too.
    pub log_allowed: bool,
}

/// What to forget: `reset` of one of address, login, JA3 hash, or of an address with one of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ResetRequest {
    /// The address.
    pub ip: Option<Addr>,
    /// The login, not canonical yet.
    pub login: Option<BString>,
    /// The JA3 hash.
    pub ja3: Option<BString>,
}

/// The request's way. One for the whole daemon.
pub struct Chain {
    capabilities: Arc<Capabilities>,
    executor: Executor,
    options: ArcSwap<ChainOptions>,
    shadow: ArcSwapOption<Shadow>,
    components: ArcSwap<Arc<dyn Components>>,
    recorder: ArcSwapOption<Recorder>,
}

impl Chain {
    /// A way over these engines.
    pub fn new(capabilities: Arc<Capabilities>, executor: Executor, options: ChainOptions) -> Chain {
        Chain {
            capabilities,
            executor,
            options: ArcSwap::from_pointee(options),
            shadow: ArcSwapOption::empty(),
            components: ArcSwap::from_pointee(Arc::new(NoComponents)),
            recorder: ArcSwapOption::empty(),
        }
    }

    /// The WebAssembly policies of the configuration.
    pub fn components(&self) -> Arc<dyn Components> {
        Arc::clone(&self.components.load())
    }

    /// Loads the files of all of them again, or of the one of this name, on a thread of its own: it may take a while.
    pub async fn reload_policies(&self, name: Option<String>) -> Reloaded {
        let (components, log) = (self.components(), self.capabilities.log.clone());
        let reload = move || {
            let told = match name {
                Some(name) => vec![(name.clone(), components.reload(&name))],
                None => reload_all(&*components),
            };
            for (_, told) in &told {
                match told {
                    Ok(done) => log.notice(done),
                    Err(error) => log.error(error.to_string()),
                }
            }
            told
        };
        tokio::task::spawn_blocking(reload).await.unwrap_or_default()
    }

    /// These are the policies from now on.
    pub fn set_components(&self, components: Arc<dyn Components>) {
        self.components.store(Arc::new(components));
    }

    /// Has this one asked about every login from now on, beside the policy; `None`: nobody.
    pub fn set_shadow(&self, shadow: Option<Arc<Shadow>>) {
        self.shadow.store(shadow);
    }

    /// Has every login recorded from now on.
    pub fn set_recorder(&self, recorder: Option<Arc<Recorder>>) {
        self.recorder.store(recorder);
    }

    /// Lists, stats DBs, metrics, log and access rules.
    pub fn capabilities(&self) -> &Arc<Capabilities> {
        &self.capabilities
    }

    /// The engines.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// The custom endpoints.
    pub fn endpoints(&self) -> Vec<Endpoint> {
        self.options.load().endpoints.clone()
    }

    /// The hooks that are set.
    pub fn hooks(&self) -> Hooks {
        self.options.load().hooks
    }

    /// Changes what the configuration says, as the console may while the daemon runs.
    pub fn update(&self, change: impl Fn(&mut ChainOptions)) {
        self.options.rcu(|options| {
            let mut options = ChainOptions::clone(options);
            change(&mut options);
            options
        });
    }

    /// A login that happened. Its time is set here, its login not canonical yet.
    ///
    /// # Errors
    /// The policy failed.
    pub async fn report(&self, login: Login) -> Result<(), Failure> {
        let since = self.executor.now();
        let hooks = self.options.load().hooks;
        let login = Arc::new(self.arrive(login, hooks, since).await?);
        if let Some(recorder) = &*self.recorder.load() {
            recorder.report(&login);
        }
        if self.capabilities.log.verbose() {
            self.capabilities.log.info(logline::report_line(&login, true));
        }
        if hooks.report {
            self.run(Call::Report(login.clone()), since).await?;
        }
        events::reported(&self.capabilities, login);
        Ok(())
    }

    /// Whether a login may go on. Its time is set here, its login not canonical yet.
    ///
    /// # Errors
    /// The policy failed.
    pub async fn allow(&self, login: Login) -> Result<Decision, Failure> {
        self.decide(login, None).await.0
    }

    /// The same, told why. It counts and is logged like any other question.
    pub async fn explain(&self, login: Login) -> (Result<Decision, Failure>, Explanation) {
        let context = Arc::new(Context::traced());
        let (result, login) = self.decide(login, Some(&context)).await;
        let micros = context.trace().map_or(0, |trace| trace.elapsed().as_micros());
        let login = login.map(|login| login.login.clone()).unwrap_or_default();
        let micros = u64::try_from(micros).unwrap_or(u64::MAX);
        (result, Explanation { login, context, micros })
    }

    /// The decision, and the login as it was decided.
    async fn decide(
        &self,
        login: Login,
        context: Option<&Arc<Context>>,
    ) -> (Result<Decision, Failure>, Option<Arc<Login>>) {
        let since = self.executor.now();
        let options = self.options.load_full();
        let login = match self.arrive(login, options.hooks, since).await {
            Ok(login) => Arc::new(login),
            Err(failure) => return (Err(failure), None),
        };
        if let Some(context) = context {
            self.note_lists(context, &login, &options);
        }
        if let Some(decision) = self.listed(&login, &options) {
            self.record(&login, Some(decision.status));
            events::answered(&self.capabilities, &login, &decision);
            return (Ok(decision), Some(login));
        }
        let result = if options.hooks.allow {
            self.ask(&login, context, since).await
        } else {
            Ok(Decision::default())
        };
        self.record(&login, result.as_ref().ok().map(|decision| decision.status));
        if let Some(shadow) = &*self.shadow.load() {
            shadow.answered(&login, &result);
        }
        if let Ok(decision) = &result {
            self.capabilities.metrics.allow_status.policy(decision.status);
            self.log_allow(&decision.log, &login, decision, &options);
            events::answered(&self.capabilities, &login, decision);
        }
        (result, Some(login))
    }

    fn record(&self, login: &Login, status: Option<i32>) {
        if let Some(recorder) = &*self.recorder.load() {
            recorder.allow(login, status);
        }
    }

    /// Asks the policy.
    async fn ask(
        &self,
        login: &Arc<Login>,
        context: Option<&Arc<Context>>,
        since: Moment,
    ) -> Result<Decision, Failure> {
        let began = context.map(|_| Instant::now());
        let result = match self.run_in(context.cloned(), Call::Allow(login.clone()), since).await {
            Ok(Reply::Decision(decision)) => Ok(decision),
            // Nobody had anything against it.
            Ok(Reply::Pass) => Ok(Decision::default()),
            Ok(_) => Err(misplaced()),
            Err(failure) => Err(failure),
        };
        if let (Some(context), Some(began)) = (context, began)
            && !context.trace().is_some_and(capabilities::context::Trace::has_members)
        {
            // The members of a chain have noted themselves.
            context.note(|| verdict("allow", &result, began, context));
        }
        result
    }

    /// Notes what the lists that the server looks at say.
    fn note_lists(&self, context: &Context, login: &Login, options: &ChainOptions) {
        let lists = &self.capabilities.lists;
        for colour in [Colour::White, Colour::Black] {
            if lists.list(colour).enabled() {
                let (now, ja3) = (login.t as u64, ja3(login, options));
                lists.note_check(context, now, colour, login.remote.ip, &login.login, ja3);
            }
        }
    }

    /// Forgets what was counted: takes exactly this entry off the blacklist, then asks the policy's reset function.
    /// False when that said so, and when nothing was named.
    ///
    /// # Errors
    /// The policy failed.
    pub async fn reset(&self, request: ResetRequest) -> Result<bool, Failure> {
        let since = self.executor.now();
        let ResetRequest { ip, login, ja3 } = request;
        let login = match login {
            Some(login) => Some(self.canonical(login, since).await?),
            None => None,
        };
        let told = events::Reset::new(&self.capabilities, ip, login.as_ref(), ja3.as_ref());
        let black = &self.capabilities.lists.black;
        let (kind, name) = match (ip, login, ja3) {
            (Some(ip), Some(login), _) => {
                black.delete_ip_login(ip.ip, &login);
                ("ip:login", login)
            }
            (Some(ip), None, Some(ja3)) => {
                black.delete_ip_ja3(ip.ip, &ja3);
                ("ip:ja3", ja3)
            }
            (None, Some(login), _) => {
                black.delete_login(&login);
                ("login", login)
            }
            (None, None, Some(ja3)) => {
                black.delete_ja3(&ja3);
                ("ja3", ja3)
            }
            (Some(ip), None, None) => {
                black.delete_ip(ip.ip);
                ("ip", BString::default())
            }
            (None, None, None) => {
                // Even then (wforce compatibility).
                told.fire(&self.capabilities);
                return Ok(false);
            }
        };
        if !self.options.load().hooks.reset {
            told.fire(&self.capabilities);
            return Ok(true);
        }
        let ip = ip.unwrap_or(Addr::UNSPECIFIED);
        match self.run(Call::Reset { kind, name, ip }, since).await? {
            Reply::Flag(done) => {
                told.fire(&self.capabilities);
                Ok(done)
            }
            _ => Err(misplaced()),
        }
    }

    /// The login as the policy spells it.
    ///
    /// # Errors
    /// The policy failed.
    pub async fn canonicalize(&self, login: BString) -> Result<BString, Failure> {
        self.canonical(login, self.executor.now()).await
    }

    async fn canonical(&self, login: BString, since: Moment) -> Result<BString, Failure> {
        if !self.options.load().hooks.canonicalize {
            return Ok(login);
        }
        match self.run(Call::Canonicalize(login), since).await? {
            Reply::Text(login) => Ok(login),
            _ => Err(misplaced()),
        }
    }

    /// A custom POST endpoint.
    ///
    /// # Errors
    /// The policy failed, or there is no such endpoint.
    pub async fn custom(&self, name: &str, args: CustomArgs) -> Result<CustomReply, Failure> {
        let args = Arc::new(args);
        match self.run(Call::Custom(name.into(), args.clone()), self.executor.now()).await? {
            Reply::Custom(reply) => {
                let to_sinks =
                    |endpoint: &Endpoint| !endpoint.get && *endpoint.name == *name && endpoint.to_sinks;
                if self.options.load().endpoints.iter().any(to_sinks) {
                    self.capabilities.sinks.custom(args);
                }
                Ok(reply)
            }
            _ => Err(misplaced()),
        }
    }

    /// A custom GET endpoint.
    ///
    /// # Errors
    /// The policy failed, or there is no such endpoint.
    pub async fn custom_get(&self, name: &str) -> Result<BString, Failure> {
        match self.run(Call::CustomGet(name.into()), self.executor.now()).await? {
            Reply::Text(text) => Ok(text),
            _ => Err(misplaced()),
        }
    }

    /// Sets what the server knows about a login: its time, its device, its canonical name.
    async fn arrive(&self, mut login: Login, hooks: Hooks, since: Moment) -> Result<Login, Failure> {
        login.t = self.capabilities.clock.precise();
        if !login.device_attrs_given {
            login.device_attrs = self.capabilities.devices.parse(&login.protocol, &login.device_id);
        }
        if hooks.canonicalize {
            login.login = self.canonical(std::mem::take(&mut login.login), since).await?;
        }
        Ok(login)
    }

    /// The answer of the built-in lists, if one matches. A blacklist hit after a whitelist hit changes the message and the
    /// attributes but not the status (wforce compatibility: scripts of clients look at the status only).
    fn listed(&self, login: &Login, options: &ChainOptions) -> Option<Decision> {
        let lists = &self.capabilities.lists;
        let (white, black) = (&lists.white, &lists.black);
        if white.is_empty() && black.is_empty() {
            return None;
        }
        let now = login.t as u64;
        let ja3 = ja3(login, options);
        let check = |list: &capabilities::lists::List| {
            if list.enabled() { list.check(now, login.remote.ip, &login.login, ja3) } else { None }
        };
        let status = &self.capabilities.metrics.allow_status;
        let mut decision = None;
        if let Some(hit) = check(white) {
            status.whitelisted();
            decision = Some(self.hit(&hit, 0, login, options));
        }
        if let Some(hit) = check(black) {
            status.blacklisted();
            let verdict = if decision.is_some() { 0 } else { -1 };
            decision = Some(self.hit(&hit, verdict, login, options));
        }
        decision
    }

    fn hit(&self, hit: &Hit, status: i32, login: &Login, options: &ChainOptions) -> Decision {
        let decision = Decision { status, msg: hit.msg.clone(), log: hit.phrase(), attrs: hit.attrs() };
        self.log_allow(&decision.log, login, &decision, options);
        decision
    }

    fn log_allow(&self, phrase: &[u8], login: &Login, decision: &Decision, options: &ChainOptions) {
        let level = match decision.status {
            0 if !options.log_allowed => return,
            0 => Level::Info,
            _ => Level::Notice,
        };
        self.capabilities.log.log(level, logline::allow_line(phrase, login, decision));
    }

    async fn run(&self, call: Call, since: Moment) -> Result<Reply, Failure> {
        self.run_in(None, call, since).await
    }

    async fn run_in(
        &self,
        context: Option<Arc<Context>>,
        call: Call,
        since: Moment,
    ) -> Result<Reply, Failure> {
        let function = call.function();
        let custom = matches!(call, Call::Custom(..) | Call::CustomGet(_));
        let result = self.executor.call_in(context, call, since).await;
        if let Err(failure) = &result {
            failures::tell(&self.capabilities, &function, custom, failure);
        }
        result
    }
}

/// The JA3 hash of a login; empty if it has none.
fn ja3<'a>(login: &'a Login, options: &ChainOptions) -> &'a [u8] {
    let found = login.attrs.iter().find(|(key, _)| *key == options.ja3_attr);
    found.map_or(b"", |(_, value)| value.as_slice())
}

/// What a member of the chain came to, for a trace.
fn verdict(name: &str, result: &Result<Decision, Failure>, began: Instant, context: &Context) -> Step {
    let (status, log, failed) = match result {
        Ok(decision) => (Some(decision.status), decision.log.clone(), false),
        Err(failure) => (None, failure.reason.clone(), true),
    };
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    let fuel = context.trace().and_then(capabilities::context::Trace::take_fuel);
    Step::Member { name: name.to_owned(), status, log, failed, micros, fuel }
}

/// An engine answered with the reply of another hook.
fn misplaced() -> Failure {
    Failure::new(FailureKind::Internal, "the policy engine gave the reply of another function")
}
