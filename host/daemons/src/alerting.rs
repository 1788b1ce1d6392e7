//! Alerts as the configuration wants them.

use std::sync::Arc;
use std::time::Duration;

use alerts::{Confirm, Dispatch};
use capabilities::Capabilities;
use lua::Settings;
use tokio::runtime::Handle;

/// How long alerts that wait get to be told at the end.
const LAST_ALERTS: Duration = Duration::from_secs(5);

/// What was started.
pub struct Alerting {
    capabilities: Arc<Capabilities>,
    dispatch: Arc<Dispatch>,
    /// The links of "was this you?", if there are any.
    pub confirm: Option<Arc<Confirm>>,
}

impl Alerting {
    /// Begins to take the alerts of policies.
    ///
    /// # Errors
    /// What the operator is told: a file that cannot be used, or names that do not fit together.
    pub fn start(
        capabilities: &Arc<Capabilities>,
        settings: &Settings,
        runtime: &Handle,
    ) -> Result<Alerting, String> {
        let (wanted, state_dir) = settings.read(|values| (values.alerts.clone(), values.state_dir.clone()));
        let confirm = match &wanted.confirm {
            Some(settings) => Some(Arc::new(
                Confirm::open(settings, state_dir.as_deref()).map_err(|error| error.to_string())?,
            )),
            None => None,
        };
        if wanted.dry_run {
            capabilities.log.notice("alerts: dry run, nothing is sent");
        }
        for policy in wanted.unheard() {
            capabilities.log.warn(format!(
                "alerts: policy \"{policy}\" may raise some, but there is no channel to tell anybody (setAlertMail, \
                 addAlertWebhook, addAlertBlock)"
            ));
        }
        let dispatch = Dispatch::new(wanted, capabilities, runtime, confirm.clone());
        let dispatch = Arc::new(dispatch.map_err(|error| error.to_string())?);
        capabilities.alerts.attach(dispatch.clone());
        Ok(Alerting { capabilities: capabilities.clone(), dispatch, confirm })
    }

    /// Lets what waits be told, for a while; before webhooks end, which alerts use.
    pub async fn end(&self) {
        let lost = self.dispatch.drain(LAST_ALERTS).await;
        if lost > 0 {
            self.capabilities.log.warn(format!("{lost} alerts had to be given up"));
        }
    }
}

/// What would keep [`Alerting::start`] from working; makes and sends nothing.
///
/// # Errors
/// As there.
pub fn check(capabilities: &Arc<Capabilities>, settings: &Settings, runtime: &Handle) -> Result<(), String> {
    let (wanted, state_dir) = settings.read(|values| (values.alerts.clone(), values.state_dir.is_some()));
    let confirm = match &wanted.confirm {
        Some(settings) => match settings.secret().map_err(|error| error.to_string())? {
            Some(key) => Some(Arc::new(Confirm::new(settings, &key))),
            None if state_dir => None,
            None => {
                return Err(
                    "setAlertConfirm: there is neither key nor key_file nor a setStateDir to keep one in"
                        .to_owned(),
                );
            }
        },
        None => None,
    };
    Dispatch::new(wanted, capabilities, runtime, confirm).map(drop).map_err(|error| error.to_string())
}
