//! `portcullis bench`: what a call of the policy costs.

use std::path::PathBuf;

use bstr::BString;
use lexopt::prelude::*;
use portcullis_daemons::tool::bench::{fuel, measure};
use portcullis_daemons::tool::desk::{Desk, Options};
use portcullis_daemons::tool::terminal::progress;
use serde_json::json;

use crate::login_arguments::LoginArguments;
use crate::{Outcome, Status, Trouble};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut config: Option<PathBuf> = None;
    let mut login = LoginArguments::default();
    let (mut json, mut calls) = (false, 100_000usize);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => json = true,
            Long("calls") => calls = arguments.value()?.parse()?,
            Long(name) => {
                let name = name.to_owned();
                if !login.take(&name, &mut arguments)? {
                    return Err(lexopt::Error::UnexpectedOption(format!("--{name}")).into());
                }
            }
            Value(file) if config.is_none() => config = Some(file.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let config = config.ok_or_else(|| Trouble::new("bench: which configuration?"))?;
    if !(1..=10_000_000).contains(&calls) {
        return Err(Trouble::new("--calls: 1 to 10000000"));
    }
    let given = login.login()?;
    // Opening a desk moves the working folder.
    let path = std::path::absolute(&config).map_err(Trouble::new)?;
    let desk = Desk::open(&path, &Options::default()).map_err(Trouble::new)?;
    let counting = Options { fuel: true, ..Options::default() };
    let counting = if desk.chain.components().names().is_empty() {
        None
    } else {
        Some(Desk::open(&path, &counting).map_err(Trouble::new)?)
    };
    let hooks = desk.chain.hooks();
    // Without a login of its own: a thousand people at two hundred addresses, each with some passwords.
    let logins = |at: usize| {
        let mut login = given.clone();
        if login.login.is_empty() {
            login.login = BString::from(format!("user{}", at % 1000));
            login.remote = login::Addr::from_ip(std::net::Ipv4Addr::new(192, 0, 2, (at % 200) as u8).into());
            login.pwhash = BString::from(format!("{:04x}", at % 7));
            login.protocol = "imap".into();
        }
        login
    };
    let bar = progress(2 * calls as u64, false);
    let mut all = Vec::new();
    for (hook, set) in [("report", hooks.report), ("allow", hooks.allow)] {
        if set {
            let failed = |error| Trouble::new(format!("{hook}: {error}"));
            let mut measured = measure(&desk, hook, calls, logins, || bar.inc(1000)).map_err(failed)?;
            if let Some(desk) = &counting {
                measured.fuel = fuel(desk, hook, calls, logins).map_err(failed)?;
            }
            all.push(measured);
        }
    }
    bar.finish_and_clear();
    if all.is_empty() {
        return Err(Trouble::new("bench: the configuration sets neither allow nor report"));
    }
    if json {
        println!("{}", json!({"hooks": all}));
    } else {
        println!(
            "{:<8} {:>10} {:>10} {:>10} {:>10} {:>10}",
            "hook", "calls", "mean ns", "p50 ns", "p99 ns", "fuel"
        );
        for measured in &all {
            let fuel = measured.fuel.map_or_else(|| "-".to_owned(), |fuel| fuel.to_string());
            println!(
                "{:<8} {:>10} {:>10} {:>10} {:>10} {fuel:>10}",
                measured.hook, measured.calls, measured.mean_ns, measured.p50_ns, measured.p99_ns
            );
        }
    }
    Ok(Status::Fine)
}
