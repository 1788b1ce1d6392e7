//! Alerts: mail to users and operators, webhooks, entries on wforce's blacklist; deduplicated, limited, retried. And the
//! links of "was this you?", whose answers mark reports.
//!
//! [`Dispatch`] takes what policies raise (`capabilities::alerts`), decides at once whether it is told, and tells it off
//! the policy's way.
#![forbid(unsafe_code)]

mod channel;
mod confirm;
mod courier;
mod dispatch;
mod gate;
mod memory;
pub mod settings;
mod story;
mod template;
mod templates;

pub use confirm::{Claim, Confirm, TokenError};
pub use dispatch::{Dispatch, StartError};
pub use settings::Settings;
pub use templates::TemplateError;
