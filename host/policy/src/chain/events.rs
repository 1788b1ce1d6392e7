//! What others are told of a request: queued here, sent off its way.

use std::sync::Arc;

use bstr::BString;
use capabilities::Capabilities;
use capabilities::webhooks::{Event, EventKind};
use login::{Addr, Decision, Login};

/// A login was reported and the policy did not fail on it.
pub(super) fn reported(capabilities: &Capabilities, login: Arc<Login>) {
    let hooked = capabilities.webhooks.wants(EventKind::Report);
    if capabilities.sinks.any() {
        capabilities.sinks.report(login.clone());
    }
    if hooked {
        capabilities.webhooks.fire(Event::Report(login));
    }
}

/// A login was asked about and there is an answer.
pub(super) fn answered(capabilities: &Capabilities, login: &Arc<Login>, decision: &Decision) {
    if capabilities.webhooks.wants(EventKind::Allow) {
        capabilities.webhooks.fire(Event::Allow(login.clone(), decision.clone()));
    }
}

/// A reset that will be told of, if anybody wants to know.
pub(super) struct Reset(Option<Event>);

impl Reset {
    pub(super) fn new(
        capabilities: &Capabilities,
        ip: Option<Addr>,
        login: Option<&BString>,
        ja3: Option<&BString>,
    ) -> Reset {
        if !capabilities.webhooks.wants(EventKind::Reset) {
            return Reset(None);
        }
        let text = |text: Option<&BString>| text.cloned().unwrap_or_default();
        Reset(Some(Event::Reset { ip: ip.unwrap_or(Addr::UNSPECIFIED), login: text(login), ja3: text(ja3) }))
    }

    pub(super) fn fire(self, capabilities: &Capabilities) {
        if let Some(event) = self.0 {
            capabilities.webhooks.fire(event);
        }
    }
}
