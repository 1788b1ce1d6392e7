//! One row of the table.

use super::{Daemons, Does, Group, Param};

/// One function or method.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Global name, or `Object:method`.
    pub name: &'static str,
    /// The object a method belongs to.
    pub object: Option<&'static str>,
    /// Its topic.
    pub group: Group,
    /// The daemons that have it; in others there is no such global.
    pub daemons: Daemons,
    /// In the configuration state of the server.
    pub config: Does,
    /// In the worker states, which serve requests.
    pub worker: Does,
    /// In the configuration state of a console client.
    pub client: Does,
    /// Its parameters, without the object of a method.
    pub params: &'static [Param],
    /// What it returns; empty: no value.
    pub returns: &'static str,
    /// What holds if it is never called; empty where that makes no sense.
    pub default: &'static str,
    /// One paragraph for operators and policy authors.
    pub doc: &'static str,
    /// Only the configuration file may call it, not the console of a running server.
    pub start_only: bool,
    /// Made for the console: acts on its output.
    pub console: bool,
}

impl Entry {
    pub(super) const fn new(
        group: Group,
        states: [Does; 3],
        name: &'static str,
        params: &'static [Param],
        doc: &'static str,
    ) -> Self {
        Entry {
            name,
            object: None,
            group,
            daemons: group.daemons(),
            config: states[0],
            worker: states[1],
            client: states[2],
            params,
            returns: "",
            default: "",
            doc,
            start_only: false,
            console: false,
        }
    }

    /// Acts in the configuration state and in clients, nothing in workers.
    pub(super) const fn config(
        group: Group,
        name: &'static str,
        params: &'static [Param],
        doc: &'static str,
    ) -> Self {
        Self::new(group, [Does::Acts, Does::Nothing, Does::Acts], name, params, doc)
    }

    /// Acts everywhere.
    pub(super) const fn anywhere(
        group: Group,
        name: &'static str,
        params: &'static [Param],
        doc: &'static str,
    ) -> Self {
        Self::new(group, [Does::Acts, Does::Acts, Does::Acts], name, params, doc)
    }

    /// A method of `object`, which acts everywhere.
    pub(super) const fn method(
        group: Group,
        object: &'static str,
        name: &'static str,
        params: &'static [Param],
        doc: &'static str,
    ) -> Self {
        let mut entry = Self::anywhere(group, name, params, doc);
        entry.object = Some(object);
        entry
    }

    pub(super) const fn not_in_client(mut self) -> Self {
        self.client = Does::Nothing;
        self
    }

    pub(super) const fn only_in_worker(mut self) -> Self {
        self.config = Does::Nothing;
        self.client = Does::Nothing;
        self.worker = Does::Acts;
        self
    }

    pub(super) const fn in_server(mut self) -> Self {
        self.config = Does::Acts;
        self.client = Does::Nothing;
        self.worker = Does::Acts;
        self
    }

    pub(super) const fn daemons(mut self, daemons: Daemons) -> Self {
        self.daemons = daemons;
        self
    }

    pub(super) const fn returns(mut self, returns: &'static str) -> Self {
        self.returns = returns;
        self
    }

    pub(super) const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    pub(super) const fn start_only(mut self) -> Self {
        self.start_only = true;
        self
    }

    pub(super) const fn console(mut self) -> Self {
        self.console = true;
        self
    }

    /// What it does in a state of this role.
    pub fn does(&self, role: crate::bind::Role) -> Does {
        match role {
            crate::bind::Role::Config => self.config,
            crate::bind::Role::Worker => self.worker,
            crate::bind::Role::Client => self.client,
        }
    }

    /// Its name and parameters; those that may be left out in brackets.
    pub fn signature(&self) -> String {
        let name = |param: &Param| {
            if param.optional { format!("[{}]", param.name) } else { param.name.to_owned() }
        };
        let params: Vec<String> = self.params.iter().map(name).collect();
        format!("{}({})", self.name, params.join(", "))
    }

    /// The name without the object.
    pub fn short_name(&self) -> &'static str {
        self.name.split_once(':').map_or(self.name, |(_, method)| method)
    }

    /// Fewest and most arguments, the object of a method included.
    pub fn arity(&self) -> (u8, u8) {
        let object = usize::from(self.object.is_some());
        let needed = self.params.iter().filter(|param| !param.optional).count();
        ((object + needed) as u8, (object + self.params.len()) as u8)
    }
}
