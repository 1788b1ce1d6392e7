//! Changes of the lists as events.

use std::sync::Arc;

use bstr::BStr;

use super::{Event, EventKind, WebHooks};
use crate::lists::{Colour, Entry, Kind, ListObserver, Origin};

/// Fires the events of the lists: additions and deletions of this daemon, and what expires here.
pub struct ListEvents(Arc<WebHooks>);

impl ListEvents {
    /// For these webhooks.
    pub fn new(hooks: Arc<WebHooks>) -> Self {
        Self(hooks)
    }

    fn gone(&self, colour: Colour, kind: Kind, entry: &Entry) {
        let wanted = if colour == Colour::Black { EventKind::ExpireBl } else { EventKind::ExpireWl };
        if self.0.wants(wanted) {
            self.0.fire(Event::Expired(colour, kind, entry.key.clone()));
        }
    }
}

impl ListObserver for ListEvents {
    fn added(&self, colour: Colour, kind: Kind, entry: &Entry, expire_secs: u32, origin: Origin) {
        let wanted = if colour == Colour::Black { EventKind::AddBl } else { EventKind::AddWl };
        if origin == Origin::Local && self.0.wants(wanted) {
            let (key, reason) = (entry.key.clone(), entry.reason.clone());
            self.0.fire(Event::Added { colour, kind, key, expire_secs, reason });
        }
    }

    fn deleted(&self, colour: Colour, kind: Kind, key: &BStr, _existed: bool, origin: Origin) {
        let wanted = if colour == Colour::Black { EventKind::DelBl } else { EventKind::DelWl };
        if origin == Origin::Local && self.0.wants(wanted) {
            self.0.fire(Event::Deleted(colour, kind, key.to_owned()));
        }
    }

    fn expired(&self, colour: Colour, kind: Kind, entry: &Entry) {
        self.gone(colour, kind, entry);
    }

    /// To whoever mirrors the list it is the same: the entry is gone before anybody deleted it.
    fn crowded_out(&self, colour: Colour, kind: Kind, entry: &Entry) {
        self.gone(colour, kind, entry);
    }
}
