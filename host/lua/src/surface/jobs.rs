//! Background functions and when they run.

use super::Kind::{Int, Policy, Table, Text, Unsigned};
use super::{Entry, Group, optional, param};

const G: Group = Group::Jobs;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::anywhere(G, "setBackground", &[param("name", Text), param("hook", Policy)],
        "Gives a background function its name. It is called with nothing, and what it returns is ignored. The first registration \
         of a name wins. A component with the hook `background` gets the name. It runs when a schedule says so \
         (`cronScheduleBackgroundFunc`, `intervalScheduleBackgroundFunc`) or by hand (`runBackground`).")
        .only_in_worker(),
    Entry::config(G, "cronScheduleBackgroundFunc", &[
        param("cron", Text),
        param("name", Text),
        optional("options", Table),
    ], "Runs a background function at these times: `minute hour day-of-month month day-of-week`, each a list of `*`, numbers, \
        ranges and steps (`1,3`, `1-5`, `*/10`); months and days of the week also by name; Sunday is 0 or 7. All five must hold \
        (unlike cron, as in wforce). Also `@hourly`, `@daily`, `@weekly`, `@monthly` and `@yearly`. Times are local times of the \
        machine unless an option says otherwise. Text that is none is an error. May be called several times for one function.\n\n\
        The options (not in wforce): `timezone` (a name as `Europe/Amsterdam`, or `UTC`), `deadline` (a run that takes longer is \
        stopped; seconds or `H:MM:SS`; one hour), `jitter` (each run starts up to this much later, by chance; 0), `overlap` (false: a \
        run that would start while the function still runs is left out), `missed` (`skip`, or `run once`: one run makes up for \
        those that were left out), `once_per_cluster` (false: of the daemons that share a report store only one runs it).")
        .not_in_client().start_only(),
    Entry::config(G, "intervalScheduleBackgroundFunc", &[
        param("interval", Text),
        param("name", Text),
        optional("options", Table),
    ], "Runs a background function again and again: first after one interval, then one interval after the end of the run before. \
        Hours come first: `10` is ten hours, `0:05` five minutes, `00:00:30` thirty seconds. An interval of nothing, or text that is \
        none, is an error. The options are those of `cronScheduleBackgroundFunc`.")
        .not_in_client().start_only(),
    Entry::anywhere(G, "durationToSeconds", &[param("interval", Text)],
        "Seconds of an interval as `intervalScheduleBackgroundFunc` takes it; 0, with a line in the log, for text that is none.")
        .returns("number"),
    Entry::config(G, "setNumSchedulerThreads", &[param("count", Int)],
        "How many background functions run at once; further ones wait for their turn. One Lua state is always left for other \
         calls, if there is more than one.")
        .default("4").start_only(),
    Entry::config(G, "setNumReportThreads", &[param("count", Int)],
        "Deprecated, does nothing: reports are looked at by the Lua states (`setNumLuaStates`).")
        .start_only(),
    Entry::config(G, "setReportQueueSize", &[param("reports", Unsigned), optional("megabytes", Unsigned)],
        "How many reports may wait to be looked at, and how much memory those may take. Further ones are refused with status 503, \
         so that their sender tries again. Not in wforce.")
        .default("20000 reports, 128 megabytes").start_only(),
    Entry::config(G, "runBackground", &[param("name", Text)],
        "Starts a background function now, whatever its schedule, on this daemon. Not in wforce.")
        .not_in_client().console(),
    Entry::config(G, "showJobs", &[],
        "Prints the background functions: schedule, next run, how many runs there were, failed and were left out, and the last run \
         with its duration and result. Not in wforce.")
        .not_in_client().console(),
];
