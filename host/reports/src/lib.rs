//! The report store: typed questions over weeks of logins, embedded or on Elasticsearch.
//!
//! [`Report`] is what is kept of a login, [`Query`] what may be asked and [`Answer`] what comes back; all three have one
//! JSON form, which Lua, components and the REST API share. [`ReportStore`] is the seam: policies never know which engine
//! is behind it.
#![forbid(unsafe_code)]

mod answer;
mod elastic;
mod embedded;
mod limits;
#[doc(hidden)]
pub mod outside;
mod query;
mod report;
mod store;

pub use answer::{Answer, Bin, Group, Significant, Totals};
pub use elastic::{Auth, ElasticSettings, ElasticStore, is_index_name};
pub use embedded::{Complain, EmbeddedSettings, EmbeddedStore};
pub use limits::{Asker, Limits};
pub use query::{Field, Filter, Query, QueryError, Range, Rank, Trait};
pub use report::{Confirmation, Ids, Place, Report, ReportId, device_of, network_of};
pub use store::{Answering, Health, Lease, ReportStore, StoreError, StoreStats};
