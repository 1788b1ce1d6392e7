//! The request's way: canonicalize, lists, policy, decision, and what is logged and counted on it.

mod events;
mod failures;
mod logins;
mod track;

use std::sync::Arc;

use arc_swap::{ArcSwap, ArcSwapOption};
use bstr::BString;
use capabilities::{Capabilities, Context, Recorder};
use login::{Addr, CustomArgs};

use crate::call::{Call, CustomReply, Endpoint, Hooks, Reply};
use crate::component::{Components, NoComponents, Reloaded, reload_all};
use crate::executor::{Executor, Moment};
use crate::{Failure, FailureKind, Shadow};

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

    /// Forgets what was counted: takes exactly this entry off the blacklist, then asks the policy's reset function.
    /// False when that said so, and when nothing was named.
    ///
    /// # Errors
    /// The policy failed.
    pub async fn reset(&self, request: ResetRequest) -> Result<bool, Failure> {
        let since = self.executor.now();
        let ResetRequest { ip, login, ja3 } = request;
        let login = match login {
            Some(login) => Some(self.canonical(login, None, since).await?),
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
        self.canonical(login, None, self.executor.now()).await
    }

    async fn canonical(
        &self,
        login: BString,
        context: Option<&Arc<Context>>,
        since: Moment,
    ) -> Result<BString, Failure> {
        if !self.options.load().hooks.canonicalize {
            return Ok(login);
        }
        match self.run_in(context.cloned(), Call::Canonicalize(login), since).await? {
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
        let kind = failures::Kind::of(&call);
        let seen = !logins::is_apart(context.as_ref());
        let result = self.executor.call_in(context, call, since).await;
        if let (Err(failure), true) = (&result, seen) {
            failures::tell(&self.capabilities, &function, kind, failure);
        }
        result
    }
}

/// An engine answered with the reply of another hook.
fn misplaced() -> Failure {
    Failure::new(FailureKind::Internal, "the policy engine gave the reply of another function")
}
