//! What `#[portcullis::policy]` needs: the policy of an instance, and the way from each hook of the contract to it.

use alloc::string::ToString as _;
use core::cell::RefCell;

use crate::{Policy, settings};

/// The policy of this instance, made at the first call. An instance serves one call at a time, on one thread.
pub struct Cell<P>(RefCell<Option<P>>);

// A component has one thread, and the host never calls into one that is in a call.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code)]
// SAFETY: see above; wasm32-unknown-unknown without atomics has no second thread that could see the cell.
unsafe impl<P> Sync for Cell<P> {}

impl<P: Policy> Cell<P> {
    /// Of a policy that is not made yet.
    #[expect(clippy::new_without_default, reason = "it has to be const, for a static")]
    pub const fn new() -> Self {
        Self(RefCell::new(None))
    }

    /// Calls a hook.
    ///
    /// # Errors
    ///
    /// The hook's text, or that of `Policy::new`.
    pub fn call<T>(&self, hook: impl FnOnce(&mut P) -> crate::Result<T>) -> Result<T, String> {
        let mut slot = self.0.try_borrow_mut().map_err(|_| "a hook was called by a hook".to_string())?;
        if slot.is_none() {
            *slot = Some(Self::make()?);
        }
        match slot.as_mut() {
            Some(policy) => hook(policy).map_err(String::from),
            None => Err("there is no policy".to_string()),
        }
    }

    fn make() -> Result<P, String> {
        #[cfg(all(feature = "std", target_arch = "wasm32"))]
        crate::log::log_panics();
        let settings = settings::read::<P::Settings>().map_err(String::from)?;
        P::new(settings).map_err(String::from)
    }
}

/// One hook of the component.
#[doc(hidden)]
#[macro_export]
macro_rules! __hook {
    (setup $hooks:ident $policy:ident) => {
        impl $crate::bindings::setup::exports::portcullis::policy::setup::Guest for $hooks {
            fn check() -> ::core::result::Result<(), $crate::export::String> {
                $policy.call(|_| ::core::result::Result::Ok(()))
            }
        }
        $crate::bindings::setup::export!($hooks);
    };
    (allow $hooks:ident $policy:ident) => {
        impl $crate::bindings::allow::exports::portcullis::policy::allow::Guest for $hooks {
            fn allow(
                login: $crate::Login,
            ) -> ::core::result::Result<
                $crate::bindings::allow::exports::portcullis::policy::allow::Verdict,
                $crate::export::String,
            > {
                $policy.call(|policy| $crate::Policy::allow(policy, &login)).map(::core::convert::Into::into)
            }
        }
        $crate::bindings::allow::export!($hooks);
    };
    (report $hooks:ident $policy:ident) => {
        impl $crate::bindings::report::exports::portcullis::policy::report::Guest for $hooks {
            fn report(login: $crate::Login) -> ::core::result::Result<(), $crate::export::String> {
                $policy.call(|policy| $crate::Policy::report(policy, &login))
            }
        }
        $crate::bindings::report::export!($hooks);
    };
    (reset $hooks:ident $policy:ident) => {
        impl $crate::bindings::reset::exports::portcullis::policy::reset::Guest for $hooks {
            fn reset(
                what: $crate::bindings::reset::exports::portcullis::policy::reset::Forget,
            ) -> ::core::result::Result<bool, $crate::export::String> {
                let what = $crate::Forget { ip: what.ip, login: what.login, ja3: what.ja3 };
                $policy.call(|policy| $crate::Policy::reset(policy, &what))
            }
        }
        $crate::bindings::reset::export!($hooks);
    };
    (canonicalize $hooks:ident $policy:ident) => {
        impl $crate::bindings::canonicalize::exports::portcullis::policy::canonicalize::Guest for $hooks {
            fn canonicalize(
                login: $crate::export::String,
            ) -> ::core::result::Result<$crate::export::String, $crate::export::String> {
                $policy.call(|policy| $crate::Policy::canonicalize(policy, &login))
            }
        }
        $crate::bindings::canonicalize::export!($hooks);
    };
    (endpoint $hooks:ident $policy:ident) => {
        impl $crate::bindings::endpoint::exports::portcullis::policy::endpoint::Guest for $hooks {
            fn post(
                name: $crate::export::String,
                attrs: $crate::export::Vec<($crate::export::String, $crate::export::String)>,
                multi: $crate::export::Vec<(
                    $crate::export::String,
                    $crate::export::Vec<$crate::export::String>,
                )>,
            ) -> ::core::result::Result<
                $crate::bindings::endpoint::exports::portcullis::policy::endpoint::Reply,
                $crate::export::String,
            > {
                let reply = $policy.call(|policy| $crate::Policy::post(policy, &name, &attrs, &multi))?;
                ::core::result::Result::Ok(
                    $crate::bindings::endpoint::exports::portcullis::policy::endpoint::Reply {
                        success: reply.success,
                        attrs: reply.attrs,
                    },
                )
            }
            fn get(
                name: $crate::export::String,
            ) -> ::core::result::Result<$crate::export::String, $crate::export::String> {
                $policy.call(|policy| $crate::Policy::get(policy, &name))
            }
        }
        $crate::bindings::endpoint::export!($hooks);
    };
    (background $hooks:ident $policy:ident) => {
        impl $crate::bindings::background::exports::portcullis::policy::background::Guest for $hooks {
            fn run(name: $crate::export::String) -> ::core::result::Result<(), $crate::export::String> {
                $policy.call(|policy| $crate::Policy::background(policy, &name))
            }
        }
        $crate::bindings::background::export!($hooks);
    };
}

pub use alloc::string::String;
pub use alloc::vec::Vec;

impl From<crate::Verdict> for crate::bindings::allow::exports::portcullis::policy::allow::Verdict {
    fn from(verdict: crate::Verdict) -> Self {
        match verdict {
            crate::Verdict::Pass => Self::Pass,
            crate::Verdict::Decided(decision) => {
                Self::Decided(crate::bindings::imports::portcullis::policy::types::Decision {
                    status: decision.status,
                    msg: decision.msg,
                    log: decision.log,
                    attrs: decision.attrs,
                })
            }
        }
    }
}
