//! Bad input that is no Lua error: the daemon goes on without it, a check of the configuration tells.

use std::path::Path;

use bstr::BString;

/// Where the configuration calls a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file as Lua names it; `[string "chunk"]` is the configuration file itself.
    pub chunk: String,
    /// The line in it, from 1.
    pub line: u32,
}

impl Place {
    /// `FILE:LINE`; `main` is the configuration file.
    pub fn text(&self, main: &Path) -> String {
        match self.chunk.as_str() {
            crate::vm::MAIN_CHUNK => format!("{}:{}", main.display(), self.line),
            file => format!("{file}:{}", self.line),
        }
    }
}

/// What was wrong with one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Complaint {
    /// As the log has it.
    pub text: BString,
    /// The call, if Lua knows its line.
    pub place: Option<Place>,
}

/// All of them. Only the first is kept: a console may add to them for months.
#[derive(Clone, Debug, Default)]
pub struct Complaints {
    /// The first one.
    pub first: Option<Complaint>,
    /// How many there are.
    pub count: usize,
}

impl Complaints {
    /// Adds one.
    pub fn add(&mut self, complaint: Complaint) {
        self.first.get_or_insert(complaint);
        self.count += 1;
    }
}
