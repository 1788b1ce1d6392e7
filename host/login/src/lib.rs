//! Login tuples, decisions, addresses, netmasks and byte-string JSON.
//!
//! Every text in here is a byte string: a client may send any bytes as a login or a device string, and wforce
//! compatibility asks that they reach policies, keys and logs unchanged.

#![forbid(unsafe_code)]

pub mod addr;
pub mod attrs;
pub mod clip;
pub mod decision;
pub mod device;
pub mod json;
pub mod logline;
pub mod netmask;
pub mod screen;
pub mod tuple;

pub use bstr;

pub use addr::{Addr, AddrError, AddrText};
pub use attrs::{Attrs, CustomArgs, MultiAttrs, attrs_from_json};
pub use decision::Decision;
pub use json::{JsonError, Value};
pub use logline::{allow_line, report_line};
pub use netmask::{Netmask, NetmaskError, NetmaskGroup, truncate};
pub use tuple::{Login, LoginError};
