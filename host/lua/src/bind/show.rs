//! What is typed at the console.

use bstr::BStr;
use capabilities::Daemon;
use wire::{Key, test_crypto};

use crate::console_text as text;
use crate::convert::Fault;
use crate::settings::Values;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("help", help),
    ("stats", |state, _| {
        let stats = state.host.caps.metrics.stats();
        let line = match state.host.daemon {
            Daemon::Wforce => {
                format!(
                    "{} reports, {} allow-queries ({} denies)",
                    stats.reports, stats.allows, stats.denieds
                )
            }
            _ => format!("{} reports", stats.reports),
        };
        Ok(lines(state, [line]))
    }),
    ("showPerfStats", |state, _| Ok(counters(state, state.host.caps.metrics.perf_stats()))),
    ("showCommandStats", |state, _| Ok(counters(state, state.host.caps.metrics.command_stats()))),
    ("showCustomStats", |state, _| Ok(counters(state, state.host.caps.metrics.custom_stats()))),
    ("showVersion", |state, _| Ok(lines(state, [&state.host.version]))),
    ("makeKey", make_key),
    ("testCrypto", crypto),
    ("siblings", |state, _| Ok(lines(state, text::siblings(&state.host.settings)))),
    ("showReportSinks", |state, _| Ok(lines(state, text::report_sinks(&state.host.caps.sinks.rows())))),
    ("showNamedReportSinks", |state, _| {
        Ok(lines(state, text::named_report_sinks(&state.host.caps.sinks.named_rows())))
    }),
    ("showWebHooks", |state, _| Ok(lines(state, text::web_hooks(&state.host.caps.webhooks.rows())))),
    ("showCustomWebHooks", |state, _| {
        Ok(lines(state, text::custom_web_hooks(&state.host.caps.webhooks.custom_rows())))
    }),
    ("showCustomEndpoints", |state, _| match state.host.daemon {
        Daemon::Wforce => Ok(rows(state, text::custom_endpoints)),
        _ => Ok(rows(state, text::custom_endpoint_names)),
    }),
    ("showStringStatsDB", |state, _| {
        let dbs = state.host.caps.stats.all();
        Ok(lines(state, text::stats_dbs(dbs.iter())))
    }),
];

fn help<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let word = if args.given(1) { Some(BStr::new(&*args.text(1)?).to_string()) } else { None };
    Ok(lines(state, crate::surface::help(state.host.daemon, word.as_deref())))
}

fn lines<T: AsRef<[u8]>>(state: &State, lines: impl IntoIterator<Item = T>) -> Ret<'_> {
    for line in lines {
        state.host.output.line(line);
    }
    Ret::None
}

fn rows(state: &State, rows: fn(&Values) -> Vec<String>) -> Ret<'_> {
    lines(state, state.host.settings.read(rows))
}

fn counters(state: &State, counters: Vec<(String, u64)>) -> Ret<'_> {
    lines(state, counters.into_iter().map(|(name, count)| format!("{name}={count}")))
}

fn make_key<'a>(state: &'a State, _: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let key = Key::generate().map_err(|error| Fault::caught(error.to_string()))?;
    Ok(lines(state, [key.make_key_line()]))
}

fn crypto<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    args.text(1)?;
    let key = state.host.settings.read(|values| values.key.clone());
    let works = key.is_some_and(|key| test_crypto(&key.0));
    Ok(lines(state, [if works { "Everything is ok!" } else { "Crypto failed.." }]))
}
