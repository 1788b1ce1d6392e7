//! Tables of logins with the decisions that are expected of a policy: `portcullis test`.

mod expect;
mod file;
mod generate;
mod run;

pub use expect::{Mismatch, word};
pub use file::{CaseError, Cases, Location};
pub use run::{CaseOutcome, Failed, run};
