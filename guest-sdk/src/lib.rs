//! Policies for Portcullis in Rust.
//!
//! ```
//! use portcullis::{Login, Policy, Result, Verdict, stats};
//! use serde::Deserialize;
//!
//! #[derive(Deserialize)]
//! #[serde(default, deny_unknown_fields)]
//! pub struct Settings {
//!     limit: i32,
//! }
//!
//! impl Default for Settings {
//!     fn default() -> Self {
//!         Self { limit: 20 }
//!     }
//! }
//!
//! pub struct Guessing {
//!     limit: i32,
//!     wrong: stats::Distinct,
//! }
//!
//! #[portcullis::policy]
//! impl Policy for Guessing {
//!     type Settings = Settings;
//!
//!     fn new(settings: Settings) -> Result<Self> {
//!         let db = stats::Db::open("hour")?;
//!         Ok(Self { limit: settings.limit, wrong: db.distinct("wrong") })
//!     }
//!
//!     fn report(&mut self, login: &Login) -> Result<()> {
//!         if !login.success && !login.policy_reject {
//!             self.wrong.add(login.remote, &login.pwhash)?;
//!         }
//!         Ok(())
//!     }
//!
//!     fn allow(&mut self, login: &Login) -> Result<Verdict> {
//!         let wrong = self.wrong.get(login.remote)?;
//!         if wrong > self.limit {
//!             return Ok(Verdict::deny("Too many wrong passwords").log("guessing").attr("wrong_passwords", wrong));
//!         }
//!         Ok(Verdict::pass())
//!     }
//! }
//! ```
//!
//! The crate is compiled to `wasm32-unknown-unknown` with `crate-type = ["cdylib"]`. Without the feature `std` it needs `alloc` only.
#![cfg_attr(not(feature = "std"), no_std)]
#![deny(unsafe_code)]
#![warn(missing_docs)]

extern crate alloc;
#[cfg(not(target_arch = "wasm32"))]
extern crate std;

pub mod address;
pub mod alerts;
#[doc(hidden)]
#[allow(unsafe_code, missing_docs, clippy::all, rustdoc::all)]
#[rustfmt::skip]
pub mod bindings;
pub mod clock;
pub mod dns;
mod error;
#[doc(hidden)]
pub mod export;
pub mod geoip;
#[cfg(any(test, all(feature = "heap", target_arch = "wasm32")))]
#[allow(unsafe_code)]
mod heap;
#[cfg(target_arch = "wasm32")]
use bindings::imports::portcullis::policy as host;
#[cfg(not(target_arch = "wasm32"))]
mod host;
pub mod lists;
pub mod log;
mod login;
pub mod metrics;
mod policy;
pub mod random;
pub mod reports;
pub mod settings;
pub mod stats;
#[cfg(all(feature = "testing", not(target_arch = "wasm32")))]
pub mod testing;
mod verdict;
pub mod webhooks;

pub use bindings::imports::portcullis::policy::types::{IpAddress, Login, Netmask};
pub use error::{Error, Failure, Result};
pub use policy::{Forget, Policy, Reply};
pub use portcullis_sdk_macros::policy;
pub use settings::NoSettings;
pub use verdict::{Decision, Verdict};
