//! From a policy's alert to those who are told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use capabilities::alerts::{Alert, AlertError, Outlet, Taken};
use capabilities::{Capabilities, Level};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::{Notify, Semaphore, watch};

use crate::channel::{Blocker, Channel, Failed, Mailer};
use crate::confirm::Confirm;
use crate::courier::Courier;
use crate::gate::Gate;
use crate::memory::{self, Found};
use crate::settings::{ConfigError, Settings};
use crate::story::{self, Story};
use crate::templates::{Audience, TemplateError, Templates};

/// Mail to operators.
const MAIL: &str = "mail";
/// Mail to the user.
const USER: &str = "user";
/// Attempts of one channel that may be under way at once.
const CONCURRENCY: usize = 4;
/// How often a report that the store does not show yet is looked for, and the pause between.
const LOOKS: u32 = 5;
const LOOK_PAUSE: Duration = Duration::from_secs(1);
/// Lines about failures of one channel come at most this often.
const LOG_EVERY: Duration = Duration::from_secs(1);

/// Why alerts cannot be told as the configuration wants.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A setting or a file it names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A template.
    #[error("setAlertTemplates: {0}")]
    Templates(#[from] TemplateError),
    /// Two channels of one name.
    #[error("there are two channels for alerts called \"{0}\"")]
    Twice(String),
    /// A channel that there is not.
    #[error("{0}: there is no channel for alerts called \"{1}\"")]
    Unknown(&'static str, String),
}

/// One channel with its slots.
struct Line {
    channel: Channel,
    slots: Arc<Semaphore>,
}

struct Shared {
    settings: Settings,
    /// As the settings say at first.
    dry_run: AtomicBool,
    lines: BTreeMap<String, Line>,
    /// Who is told by alerts that name no channel.
    usual: Vec<String>,
    gate: Mutex<Gate>,
    /// It owns this, so not the other way round.
    capabilities: Weak<Capabilities>,
    runtime: Handle,
    confirm: Option<Arc<Confirm>>,
    /// Alerts taken and not told or given up yet.
    outstanding: AtomicUsize,
    idle: Notify,
    closing: watch::Sender<bool>,
}

/// Takes alerts, and tells them off the way of who raised them.
pub struct Dispatch(Arc<Shared>);

impl Dispatch {
    /// Makes the channels; deliveries run on this runtime.
    ///
    /// # Errors
    /// A file that cannot be used, or names that do not fit together.
    pub fn new(
        settings: Settings,
        capabilities: &Arc<Capabilities>,
        runtime: &Handle,
        confirm: Option<Arc<Confirm>>,
    ) -> Result<Dispatch, StartError> {
        let channels = channels(&settings)?;
        let mut lines = BTreeMap::new();
        for (name, channel) in channels {
            let line = Line { channel, slots: Arc::new(Semaphore::new(CONCURRENCY)) };
            if lines.insert(name.clone(), line).is_some() {
                return Err(StartError::Twice(name));
            }
        }
        let usual = match &settings.channels {
            Some(named) => named.clone(),
            None => [MAIL]
                .into_iter()
                .filter(|name| lines.contains_key(*name))
                .map(str::to_owned)
                .chain(settings.webhooks.iter().cloned())
                .collect(),
        };
        if let Some(name) = usual.iter().find(|name| !lines.contains_key(*name)) {
            return Err(StartError::Unknown("setAlertChannels", name.clone()));
        }
        let on_bad = confirm.as_ref().map(|confirm| confirm.on_bad()).unwrap_or_default();
        if let Some(name) = on_bad.iter().find(|name| !lines.contains_key(*name)) {
            return Err(StartError::Unknown("setAlertConfirm: on_bad", name.clone()));
        }
        Ok(Dispatch(Arc::new(Shared {
            dry_run: AtomicBool::new(settings.dry_run),
            settings,
            lines,
            usual,
            gate: Mutex::default(),
            capabilities: Arc::downgrade(capabilities),
            runtime: runtime.clone(),
            confirm,
            outstanding: AtomicUsize::new(0),
            idle: Notify::new(),
            closing: watch::Sender::new(false),
        })))
    }

    /// Lets what waits be told, further attempts at once and for the last time; says how much had to be given up after
    /// `at_most`.
    pub async fn drain(&self, at_most: Duration) -> usize {
        self.0.closing.send_replace(true);
        let idle = async {
            loop {
                let notified = self.0.idle.notified();
                if self.0.outstanding.load(Ordering::Acquire) == 0 {
                    return;
                }
                notified.await;
            }
        };
        // Out of time: the rest is counted and told by the caller.
        let _ = tokio::time::timeout(at_most, idle).await;
        self.0.outstanding.load(Ordering::Acquire)
    }

    /// Names of the channels, those that are told by alerts that name none first marked so.
    pub fn rows(&self) -> Vec<(String, bool)> {
        self.0.lines.keys().map(|name| (name.clone(), self.0.usual.contains(name))).collect()
    }
}

fn channels(settings: &Settings) -> Result<Vec<(String, Channel)>, StartError> {
    let mut channels = Vec::new();
    if let Some(mail) = &settings.mail {
        let templates = Templates::open(settings.templates.as_deref(), &mail.language)?;
        let mailer = Arc::new(Mailer::new(mail.clone(), templates)?);
        if !mail.to.is_empty() {
            channels.push((MAIL.to_owned(), Channel::Mail(mailer.clone(), Audience::Operator)));
        }
        channels.push((USER.to_owned(), Channel::Mail(mailer, Audience::User)));
    }
    if settings.mail.is_none() && settings.templates.is_some() {
        // Nobody uses them yet; a mistake in them is one all the same.
        Templates::open(settings.templates.as_deref(), "en")?;
    }
    for name in &settings.webhooks {
        channels.push((name.clone(), Channel::Webhook(name.clone())));
    }
    for block in &settings.blocks {
        channels.push((block.name.clone(), Channel::Block(Box::new(Blocker::new(block.clone())?))));
    }
    Ok(channels)
}

impl Outlet for Dispatch {
    fn take(&self, alert: Alert) -> Result<Taken, AlertError> {
        let shared = &self.0;
        let mut names: BTreeSet<&str> = alert.channels.iter().map(String::as_str).collect();
        if let Some(name) = names.iter().find(|name| !shared.lines.contains_key(**name)) {
            return Err(AlertError::Unknown((*name).to_owned()));
        }
        if names.is_empty() {
            names.extend(shared.usual.iter().map(String::as_str));
            if !alert.to.is_empty() && shared.lines.contains_key(USER) {
                names.insert(USER);
            }
        }
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let Some(capabilities) = shared.capabilities.upgrade() else { return Err(AlertError::Unavailable) };
        let now = capabilities.clock.now();
        let taken = shared.admit(now, &alert);
        // Then the log alone has it.
        let nobody = taken == Taken::Queued && shared.lines.is_empty() && !shared.is_dry();
        let word = if nobody { "unavailable" } else { taken.word() };
        capabilities.metrics.families.alerts.with_label_values(&[word]).inc();
        if taken != Taken::Queued {
            let level = if taken == Taken::Duplicate { Level::Debug } else { Level::Warning };
            let text = format!(
                "alert {} about \"{}\" is not told: {}",
                alert.reason,
                Story::subject(&alert),
                taken.word()
            );
            capabilities.log.limited(&format!("alert {}", taken.word()), LOG_EVERY, level, text);
            return Ok(taken);
        }
        let raised = capabilities.clock.precise();
        let story = Story { id: story::id(), raised, alert, found: None, confirm: None };
        story.log(&capabilities, &names);
        if nobody {
            return Err(AlertError::Unavailable);
        }
        if names.is_empty() {
            let text = "an alert reaches nobody: it names no channel, and none is configured for such alerts";
            capabilities.log.limited("alert to nobody", Duration::from_mins(1), Level::Warning, text);
        }
        shared.outstanding.fetch_add(1, Ordering::AcqRel);
        let task = shared.clone();
        shared.runtime.spawn(async move {
            let (subject, reason) = (Story::subject(&story.alert), story.alert.reason.clone());
            if !task.tell(story, names).await {
                task.gate.lock().untold(now, &subject, &reason);
            }
            if task.outstanding.fetch_sub(1, Ordering::AcqRel) == 1 {
                task.idle.notify_waiters();
            }
        });
        Ok(taken)
    }

    fn set_dry_run(&self, dry: bool) {
        let before = self.0.dry_run.swap(dry, Ordering::AcqRel);
        if let Some(capabilities) = self.0.capabilities.upgrade()
            && before != dry
        {
            capabilities.log.notice(if dry {
                "alerts: dry run from now on, nothing is sent"
            } else {
                "alerts: no longer a dry run, they are sent from now on"
            });
        }
    }
}

impl Shared {
    fn is_dry(&self) -> bool {
        self.dry_run.load(Ordering::Acquire)
    }

    fn admit(&self, now: u64, alert: &Alert) -> Taken {
        let limits = &self.settings.limits;
        if self.outstanding.load(Ordering::Acquire) >= limits.queue as usize {
            return Taken::Full;
        }
        self.gate.lock().admit(now, &Story::subject(alert), &alert.reason, limits)
    }

    /// Tells everybody, at the same time. False if there was somebody to tell, and nobody could be.
    async fn tell(self: &Arc<Self>, mut story: Story, names: Vec<String>) -> bool {
        let mut told = names.is_empty();
        let (at_once, after): (Vec<String>, Vec<String>) = names
            .into_iter()
            .partition(|name| self.lines.get(name).is_none_or(|line| !line.channel.wants_report()));
        let mut tasks = tokio::task::JoinSet::new();
        for name in at_once {
            tasks.spawn(self.clone().deliver(name, story.clone()));
        }
        if !after.is_empty() {
            story.found = self.look(&story.alert).await;
            let for_user =
                after.iter().any(|name| self.lines.get(name).is_some_and(|line| line.channel.is_for_user()));
            if story.alert.confirm && for_user {
                story.confirm = self.link(&story);
            }
        }
        for name in after {
            tasks.spawn(self.clone().deliver(name, story.clone()));
        }
        // A task ends by itself; one that panicked has been told of.
        while let Some(result) = tasks.join_next().await {
            told |= result.unwrap_or_default();
        }
        told
    }

    /// The report that the alert is about. What was reported just now shows in the store a second later.
    async fn look(&self, alert: &Alert) -> Option<Found> {
        let (ip, time) = (alert.ip?, alert.time?);
        if alert.login.is_empty() || !self.capabilities.upgrade()?.reports.is_open() {
            return None;
        }
        let mut closing = self.closing.subscribe();
        for look in 0..LOOKS {
            if look > 0 {
                let _ = tokio::time::timeout(LOOK_PAUSE, closing.wait_for(|closing| *closing)).await;
            }
            let capabilities = self.capabilities.upgrade()?;
            if let Some(found) = memory::find(&capabilities, &alert.login, ip, time).await {
                return Some(found);
            }
        }
        None
    }

    fn link(&self, story: &Story) -> Option<String> {
        let capabilities = self.capabilities.upgrade()?;
        let why = match (&self.confirm, &story.found) {
            (Some(confirm), Some(found)) => {
                let language = story.alert.language.as_deref();
                return Some(confirm.link(&found.id, language, story.raised as u64));
            }
            (None, _) => "there is no setAlertConfirm",
            (_, None) => {
                "the report store does not know the login (an alert needs login, ip and time of a report)"
            }
        };
        let text = format!("alert {}: the mail does not ask \"was this you?\": {why}", story.id);
        capabilities.log.limited("alert confirm", LOG_EVERY, Level::Warning, text);
        None
    }

    /// Whether it was told.
    async fn deliver(self: Arc<Self>, name: String, story: Story) -> bool {
        let Some(line) = self.lines.get(&name) else { return false };
        let Some(capabilities) = self.capabilities.upgrade() else { return false };
        let families = &capabilities.metrics.families;
        let waiting = families.alerts_waiting.with_label_values(&[&name]);
        let log = &capabilities.log;
        waiting.inc();
        let result = if self.is_dry() {
            line.channel.plan(&story).map_err(|failed| failed.why).map(|plan| {
                log.notice(format!("alert {}: dry run, nothing is sent: {plan}", story.id));
                "dry_run"
            })
        } else {
            let courier = Courier { slots: line.slots.clone(), closing: self.closing.subscribe() };
            let attempt = || async {
                if self.is_dry() {
                    return Err(Failed::for_good("a dry run began while it waited for its next attempt"));
                }
                attempt(&line.channel, &story, &capabilities).await
            };
            let again = |why: &str| {
                families.alert_retries.with_label_values(&[&name]).inc();
                let text = format!("alert {}: {name} failed and is tried again: {why}", story.id);
                log.limited(&format!("alert again {name}"), LOG_EVERY, Level::Warning, text);
            };
            courier.carry(&self.settings.limits, attempt, again).await.map(|()| "sent")
        };
        waiting.dec();
        let status = match result {
            Ok(status) => status,
            Err(why) => {
                // Each one: there are no more of them than the limits allow.
                log.error(format!("alert {}: {name} failed: {why}", story.id));
                "failed"
            }
        };
        families.alert_deliveries.with_label_values(&[&name, status]).inc();
        status != "failed"
    }
}

async fn attempt(channel: &Channel, story: &Story, capabilities: &Capabilities) -> Result<(), Failed> {
    match channel {
        Channel::Mail(mailer, audience) => {
            let mail = mailer.write(story, *audience)?;
            let to = Mailer::recipients_of(&mail);
            mailer
                .send(mail)
                .await
                .map_err(|failed| Failed { why: format!("{}: {}", mailer.shown(), failed.why), ..failed })?;
            capabilities.log.info(format!("alert {}: mail sent to {to}", story.id));
        }
        Channel::Webhook(name) => {
            let body = story.json().to_string();
            if !capabilities.webhooks.run_custom(name.as_bytes(), body.as_bytes()) {
                return Err(Failed::for_good("there is no such webhook"));
            }
        }
        Channel::Block(blocker) => {
            blocker.add(story).await?;
            let (what, seconds) = blocker.entry(story)?;
            let text = format!("alert {}: {what} blocked for {seconds} s at {}", story.id, blocker.shown());
            capabilities.log.notice(text);
        }
    }
    Ok(())
}
