//! Brings reports to an embedded store without end, and prints how many it was told are taken. A test kills it.
//! Arguments: the folder, unix milliseconds of the first report. Report N is N milliseconds later and of user `uN`.
#![allow(clippy::print_stdout)]

use std::error::Error;
use std::io::Write as _;
use std::time::Duration;

use portcullis_reports::{EmbeddedSettings, EmbeddedStore, Ids, Report, ReportStore as _};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().ok_or("no folder")?;
    let begin: i64 = arguments.next().ok_or("no time")?.parse()?;
    // Often, so that it dies in the middle of commits and merges, too.
    let settings =
        EmbeddedSettings { commit_every: Duration::from_millis(20), ..EmbeddedSettings::new(folder) };
    let store = EmbeddedStore::open(&settings)?;
    let ids = Ids::new();
    let mut out = std::io::stdout().lock();
    for batch in 0.. {
        let reports = (batch * 25..(batch + 1) * 25).map(|number| {
            let login = login::Login { login: format!("u{number}").into(), ..login::Login::default() };
            Report::new(&login, begin + number, &ids)
        });
        store.ingest(reports.collect()).await?;
        writeln!(out, "{}", (batch + 1) * 25)?;
        out.flush()?;
    }
    Ok(())
}
