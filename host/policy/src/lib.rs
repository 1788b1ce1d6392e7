//! The `Policy` trait, the request's way through lists and policies, and the budget of each call.
//!
//! A [`Policy`] is one isolated engine (a Lua state, a component instance) that serves one call at a time. The
//! [`Executor`] owns a set of them, runs calls on policy threads, and keeps every call inside its budget. The
//! [`Chain`] is the way of a request: canonicalize, lists, policy, decision, and what is logged and counted.
#![forbid(unsafe_code)]

mod call;
mod chain;
pub mod component;
pub mod deadline;
mod executor;
mod explain;
mod failure;
pub mod members;
pub mod shadow;

pub use call::{
    BoxFuture, BuildError, Call, CustomReply, Endpoint, FunctionName, Hooks, Interrupt, Policy, PolicySource,
    Progress, Reply, Suspended,
};
pub use chain::{Chain, ChainOptions, ResetRequest};
pub use component::{Component, ComponentError, Components, Hook, NoComponents, Stop};
pub use executor::{Events, Executor, Moment, Options, Pending};
pub use explain::{Decider, Explanation};
pub use failure::{Failure, FailureKind};
pub use shadow::Shadow;
