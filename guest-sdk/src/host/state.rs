//! What the host in memory knows.

use alloc::borrow::ToOwned as _;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use super::stats::Table;
use crate::bindings::imports::portcullis::policy::geoip::Place;
use crate::bindings::imports::portcullis::policy::lists::Entry;

/// Everything of one thread.
pub(crate) struct State {
    /// Seconds since 1970.
    pub now: f64,
    pub settings: String,
    pub stats: BTreeMap<String, Table>,
    /// By name: networks as text (`192.0.2.0/24`), with what is known about them.
    pub geoip: BTreeMap<String, Vec<(String, Place)>>,
    /// By name: answers by question (`zone/address` for a block list).
    pub dns: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    /// Entries by list, kind and key.
    pub lists: BTreeMap<(bool, &'static str, String), Entry>,
    pub attributes: BTreeMap<String, Vec<String>>,
    pub device: BTreeMap<String, String>,
    pub counters: BTreeMap<String, u64>,
    pub deliveries: Vec<(String, String)>,
    pub alerts: Vec<super::alerts::Raised>,
    /// There only if a test made reports.
    pub reports: Option<super::reports::Store>,
    /// How often each question about reports was asked.
    pub asked: BTreeMap<&'static str, u64>,
    /// Seconds that each of them takes.
    pub answer_takes: f64,
    pub log: Vec<String>,
    pub random: u64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            // A Tuesday noon; any time will do, as long as it is the same in each run.
            now: 1_700_000_000.0,
            settings: "{}".to_owned(),
            stats: BTreeMap::new(),
            geoip: BTreeMap::new(),
            dns: BTreeMap::new(),
            lists: BTreeMap::new(),
            attributes: BTreeMap::new(),
            device: BTreeMap::new(),
            counters: BTreeMap::new(),
            deliveries: Vec::new(),
            alerts: Vec::new(),
            reports: None,
            asked: BTreeMap::new(),
            answer_takes: 0.0,
            log: Vec::new(),
            random: 0x9e37_79b9_7f4a_7c15,
        }
    }
}

std::thread_local! {
    static STATE: RefCell<State> = RefCell::new(State::default());
}

/// Looks at or changes this thread's host. Never called from inside itself.
pub(crate) fn with<T>(f: impl FnOnce(&mut State) -> T) -> T {
    STATE.with(|state| f(&mut state.borrow_mut()))
}
