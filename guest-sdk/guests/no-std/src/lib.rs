//! A policy without the standard library: `alloc`, an allocator and a panic handler are all it takes.
#![no_std]

extern crate alloc;

use alloc::string::String;

use portcullis::stats::{Db, Distinct};
use portcullis::{Login, Policy, Result, Verdict};
use serde::Deserialize;

#[global_allocator]
static ALLOCATOR: dlmalloc::GlobalDlmalloc = dlmalloc::GlobalDlmalloc;

/// Without `std` the SDK cannot set a panic hook; here the text goes to the log.
#[cfg(target_arch = "wasm32")]
#[panic_handler]
fn panicked(panic: &core::panic::PanicInfo<'_>) -> ! {
    portcullis::error!("{panic}");
    core::arch::wasm32::unreachable()
}

/// What the operator may set.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    db: String,
    limit: i32,
}

impl Default for Settings {
    fn default() -> Self {
        Self { db: "no_std".into(), limit: 2 }
    }
}

/// Refuses logins with more different wrong passwords than the limit.
pub struct NoStd {
    limit: i32,
    wrong: Distinct,
}

#[portcullis::policy]
impl Policy for NoStd {
    type Settings = Settings;

    fn new(settings: Settings) -> Result<Self> {
        Ok(Self { limit: settings.limit, wrong: Db::open(&settings.db)?.distinct("wrong") })
    }

    fn report(&mut self, login: &Login) -> Result<()> {
        if !login.success {
            self.wrong.add(&login.login, &login.pwhash)?;
        }
        Ok(())
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        assert!(login.login != "panic", "asked to panic");
        let wrong = self.wrong.get(&login.login)?;
        Ok(if wrong > self.limit {
            Verdict::deny("no").log("no_std").attr("wrong", wrong)
        } else {
            Verdict::pass()
        })
    }
}
