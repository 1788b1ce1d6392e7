//! The way of a login: reported, asked about, explained.

use std::sync::Arc;
use std::time::Instant;

use capabilities::Context;
use capabilities::context::{Step, Trace};
use capabilities::lists::{Colour, Hit, List};
use capabilities::log::Level;
use login::{Decision, Login, logline};

use super::{Chain, ChainOptions, events, misplaced};
use crate::call::{Call, Hooks, Reply};
use crate::executor::Moment;
use crate::{Explanation, Failure};

impl Chain {
    /// A login that happened. Its time is set here, its login not canonical yet.
    ///
    /// # Errors
    /// The policy failed.
    pub async fn report(&self, login: Login) -> Result<(), Failure> {
        let since = self.executor.now();
        let hooks = self.options.load().hooks;
        let login = Arc::new(self.arrive(login, hooks, None, since).await?);
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
        self.decide_in(login, Context::traced()).await
    }

    /// What would be answered now, and why. Nobody else sees it: it is neither counted, logged, recorded nor told to others,
    /// and what the policy writes is forgotten with it.
    pub async fn rehearse(&self, login: Login) -> (Result<Decision, Failure>, Explanation) {
        self.decide_in(login, Context::traced().over(Arc::default())).await
    }

    async fn decide_in(&self, login: Login, context: Context) -> (Result<Decision, Failure>, Explanation) {
        let context = Arc::new(context);
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
        let login = match self.arrive(login, options.hooks, context, since).await {
            Ok(login) => Arc::new(login),
            Err(failure) => return (Err(failure), None),
        };
        if let Some(context) = context {
            self.note_lists(context, &login, &options);
        }
        let seen = !is_apart(context);
        if let Some(decision) = self.listed(&login, &options, seen) {
            if seen {
                self.record(&login, Some(decision.status));
                events::answered(&self.capabilities, &login, &decision);
            }
            return (Ok(decision), Some(login));
        }
        let result = if options.hooks.allow {
            self.ask(&login, context, since).await
        } else {
            Ok(Decision::default())
        };
        if seen {
            self.decided(&login, &result, &options);
        }
        (result, Some(login))
    }

    /// Everybody is told who wants to know.
    fn decided(&self, login: &Arc<Login>, result: &Result<Decision, Failure>, options: &ChainOptions) {
        self.record(login, result.as_ref().ok().map(|decision| decision.status));
        if let Some(shadow) = &*self.shadow.load() {
            shadow.answered(login, result);
        }
        if let Ok(decision) = result {
            self.capabilities.metrics.allow_status.policy(decision.status);
            self.log_allow(&decision.log, login, decision, options);
            events::answered(&self.capabilities, login, decision);
        }
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
            && !context.trace().is_some_and(Trace::has_members)
        {
            // The members of a chain have noted themselves.
            context.note(|| verdict("allow", &result, began));
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

    /// Sets what the server knows about a login: its time, its device, its canonical name.
    async fn arrive(
        &self,
        mut login: Login,
        hooks: Hooks,
        context: Option<&Arc<Context>>,
        since: Moment,
    ) -> Result<Login, Failure> {
        login.t = self.capabilities.clock.precise();
        if !login.device_attrs_given {
            login.device_attrs = self.capabilities.devices.parse(&login.protocol, &login.device_id);
        }
        if hooks.canonicalize {
            login.login = self.canonical(std::mem::take(&mut login.login), context, since).await?;
        }
        Ok(login)
    }

    /// The answer of the built-in lists, if one matches. A blacklist hit after a whitelist hit changes the message and the
    /// attributes but not the status (wforce compatibility: scripts of clients look at the status only).
    fn listed(&self, login: &Login, options: &ChainOptions, seen: bool) -> Option<Decision> {
        let lists = &self.capabilities.lists;
        let (white, black) = (&lists.white, &lists.black);
        if white.is_empty() && black.is_empty() {
            return None;
        }
        let now = login.t as u64;
        let ja3 = ja3(login, options);
        let check = |list: &List| {
            if list.enabled() { list.check(now, login.remote.ip, &login.login, ja3) } else { None }
        };
        let status = &self.capabilities.metrics.allow_status;
        let hit = |hit: &Hit, status| {
            let decision = Decision { status, msg: hit.msg.clone(), log: hit.phrase(), attrs: hit.attrs() };
            if seen {
                self.log_allow(&decision.log, login, &decision, options);
            }
            decision
        };
        let mut decision = None;
        if let Some(found) = check(white) {
            if seen {
                status.whitelisted();
            }
            decision = Some(hit(&found, 0));
        }
        if let Some(found) = check(black) {
            if seen {
                status.blacklisted();
            }
            let verdict = if decision.is_some() { 0 } else { -1 };
            decision = Some(hit(&found, verdict));
        }
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
}

/// Whether nobody is to notice this question.
pub(super) fn is_apart(context: Option<&Arc<Context>>) -> bool {
    context.is_some_and(|context| context.overlay().is_some())
}

/// The JA3 hash of a login; empty if it has none.
fn ja3<'a>(login: &'a Login, options: &ChainOptions) -> &'a [u8] {
    let found = login.attrs.iter().find(|(key, _)| *key == options.ja3_attr);
    found.map_or(b"", |(_, value)| value.as_slice())
}

/// What the one function behind the hook came to, for a trace.
fn verdict(name: &str, result: &Result<Decision, Failure>, began: Instant) -> Step {
    let (status, log, failed) = match result {
        Ok(decision) => (Some(decision.status), decision.log.clone(), false),
        Err(failure) => (None, failure.told(), true),
    };
    let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
    Step::Member { name: name.to_owned(), status, log, failed, micros, fuel: None }
}
