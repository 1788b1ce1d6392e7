//! Background functions and when they run.

use bstr::ByteSlice;
use policy::Hook;
use schedule::{Interval, JobOptions, JobRow, Planned, Schedule};
use serde_json::Value;

use super::{complain, hooks};
use crate::convert::Fault;
use crate::settings::Job;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("setBackground", |state, args| {
        hooks::look(state, args, 2, Hook::Background)?;
        let name = args.text(1)?;
        let Ok(function) = name.to_str() else {
            complain(state, format!("setBackground: the name \"{}\" must be valid UTF-8", name.as_bstr()));
            return Ok(Ret::None);
        };
        state.host.settings.change(|values| {
            if !values.background.iter().any(|known| known == function) {
                values.background.push(function.to_owned());
            }
        });
        Ok(Ret::Keep { name: hooks::background_name(&name), index: 2, replace: false })
    }),
    ("cronScheduleBackgroundFunc", |state, args| {
        let cron = args.text(1)?.to_str_lossy().parse();
        let cron = cron.map_err(|error| Fault::caught(format!("cronScheduleBackgroundFunc: {error}")))?;
        plan(state, args, Schedule::Cron(cron))
    }),
    ("intervalScheduleBackgroundFunc", |state, args| {
        let interval = args.text(1)?.to_str_lossy().parse();
        let interval =
            interval.map_err(|error| Fault::caught(format!("intervalScheduleBackgroundFunc: {error}")))?;
        plan(state, args, Schedule::Every(interval))
    }),
    ("durationToSeconds", |state, args| {
        let seconds = Interval::seconds(&args.text(1)?.to_str_lossy()).unwrap_or_else(|error| {
            state.host.caps.log.error(format!("durationToSeconds: {error}"));
            0
        });
        Ok(Ret::Number(seconds as f64))
    }),
    ("setNumSchedulerThreads", |state, args| {
        let count = args.int(1)?;
        if count < 1 {
            complain(state, format!("setNumSchedulerThreads: {count} is too few, 1 is taken"));
        }
        state.host.settings.change(|values| values.scheduler_threads = count.max(1));
        Ok(Ret::None)
    }),
    ("setNumReportThreads", |state, args| {
        args.int(1)?;
        state
            .host
            .caps
            .log
            .warn("setNumReportThreads() is deprecated and does nothing: use setNumLuaStates()");
        Ok(Ret::None)
    }),
    ("setReportQueueSize", |state, args| {
        let reports = amount(args, 1, "reports", MOST_REPORTS)?;
        let megabytes =
            if args.given(2) { Some(amount(args, 2, "megabytes", MOST_MEGABYTES)?) } else { None };
        state.host.settings.change(|values| {
            values.report_queue.reports = reports;
            if let Some(megabytes) = megabytes {
                values.report_queue.bytes = megabytes << 20;
            }
        });
        Ok(Ret::None)
    }),
    ("runBackground", |state, args| {
        let name = args.text(1)?.to_str_lossy().into_owned();
        let line = match state.host.jobs.run_by_hand(&name) {
            Ok(_) => format!("{name} started"),
            Err(refusal) => refusal.to_string(),
        };
        state.host.output.line(line);
        Ok(Ret::None)
    }),
    ("showJobs", |state, _| {
        let statuses = state.host.jobs.statuses();
        let rows: Vec<JobRow> = statuses.iter().map(JobRow::from).collect();
        for line in schedule::table(&rows) {
            state.host.output.line(line);
        }
        Ok(Ret::None)
    }),
];

/// Reports that may wait at most.
const MOST_REPORTS: usize = 100_000_000;
/// Megabytes that those may take at most: a terabyte.
const MOST_MEGABYTES: usize = 1 << 20;

/// A whole number from 1 on. Taken as an unsigned one, -1 would be four thousand million.
fn amount(args: &Args<'_>, index: i32, what: &str, most: usize) -> Result<usize, Fault> {
    let number = args.double(index)?;
    if number >= 1.0 && number <= most as f64 && number.fract() == 0.0 {
        return Ok(number as usize);
    }
    let setter = args.bound().map_or("", |bound| bound.entry.name);
    Err(Fault::caught(format!("{setter}: {what} must be a whole number from 1 to {most}, not {number}")))
}

/// A function, given by its name, is due by this schedule.
fn plan<'a>(state: &'a State, args: &Args<'a>, schedule: Schedule) -> Result<Ret<'a>, Fault> {
    let setter = args.bound().map_or("", |bound| bound.entry.name);
    let name = args.text(2)?.to_str_lossy().into_owned();
    let mut options = JobOptions::default();
    if args.given(3) {
        let Value::Object(table) = args.json(3)? else {
            return Err(Fault::caught(format!("{setter}: options have names, as in {{ overlap = true }}")));
        };
        for (option, value) in &table {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Number(_) | Value::Bool(_) => value.to_string(),
                _ => return Err(Fault::caught(format!("{setter}: {option} cannot be a table"))),
            };
            options.set(option, &text).map_err(|error| Fault::caught(format!("{setter}: {error}")))?;
        }
    }
    let job = Job { planned: Planned { name, schedule, options }, place: args.place() };
    state.host.settings.change(|values| values.jobs.push(job));
    Ok(Ret::None)
}
