//! What a policy is.

use alloc::borrow::ToOwned as _;
use alloc::string::String;
use alloc::vec::Vec;

use serde::de::DeserializeOwned;

use crate::{Failure, IpAddress, Login, Result, Verdict};

/// What is to be forgotten: one of these, or the address with one of the others.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forget {
    /// The address, if one was named.
    pub ip: Option<IpAddress>,
    /// The login, canonical, if one was named.
    pub login: Option<String>,
    /// The JA3 hash, if one was named.
    pub ja3: Option<String>,
}

/// The answer to a POST to a custom endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The answer's `success`.
    pub success: bool,
    /// The answer's `r_attrs`.
    pub attrs: Vec<(String, String)>,
}

/// A policy. Write down the hooks it has; with `#[portcullis::policy]` on the block, the component exports those and no others.
///
/// One value serves many calls, one after the other, but there are as many values as the host has instances, and the host
/// replaces them when it likes: what calls have to share belongs into stats DBs and lists.
#[expect(
    unused_variables,
    reason = "the names of the parameters are the documentation of hooks that do nothing"
)]
pub trait Policy: Sized {
    /// The operator's settings. `#[serde(default, deny_unknown_fields)]` makes a good one.
    type Settings: DeserializeOwned;

    /// Makes the policy, before the first call. Called once when the policy is loaded, too, in order to refuse it with the text of
    /// the failure. Open stats DBs here: handles are cheap to keep.
    ///
    /// # Errors
    ///
    /// Refuses the policy, or with settings that were fine before, fails the call.
    fn new(settings: Self::Settings) -> Result<Self>;

    /// Whether a login may go on.
    ///
    /// # Errors
    ///
    /// The text goes to the log, and the operator's `on_error` answers.
    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        Ok(Verdict::pass())
    }

    /// A login that happened, good or bad.
    ///
    /// # Errors
    ///
    /// The text goes to the log.
    fn report(&mut self, login: &Login) -> Result<()> {
        Ok(())
    }

    /// Forgets what was counted; false if it could not.
    ///
    /// # Errors
    ///
    /// The text goes to the log, and the answer is false.
    fn reset(&mut self, what: &Forget) -> Result<bool> {
        Ok(true)
    }

    /// One spelling for all spellings of a login name.
    ///
    /// # Errors
    ///
    /// The text goes to the log, and the login stays as it is.
    fn canonicalize(&mut self, login: &str) -> Result<String> {
        Ok(login.to_owned())
    }

    /// A POST to a custom endpoint of this name.
    ///
    /// # Errors
    ///
    /// The client gets an error.
    fn post(
        &mut self,
        name: &str,
        attrs: &[(String, String)],
        multi: &[(String, Vec<String>)],
    ) -> Result<Reply> {
        Err(Failure::new(alloc::format!("no POST endpoint is called {name:?}")))
    }

    /// A GET of a custom endpoint of this name; returns the answer's text.
    ///
    /// # Errors
    ///
    /// The client gets an error.
    fn get(&mut self, name: &str) -> Result<String> {
        Err(Failure::new(alloc::format!("no GET endpoint is called {name:?}")))
    }

    /// A job of this name is due.
    ///
    /// # Errors
    ///
    /// The text goes to the log.
    fn background(&mut self, job: &str) -> Result<()> {
        Ok(())
    }
}
