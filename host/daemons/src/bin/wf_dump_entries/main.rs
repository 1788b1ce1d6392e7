//! `wf_dump_entries`: all stats DBs of a running server, as JSON.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    portcullis_daemons::dump::main()
}
