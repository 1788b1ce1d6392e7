//! `portcullis replay`: a recording through one configuration or two.

use std::io::BufReader;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use portcullis_daemons::tool::desk::{Desk, Options};
use portcullis_daemons::tool::replay::replay;
use portcullis_daemons::tool::terminal::progress;

use crate::{Outcome, Status, Trouble};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut paths: Vec<PathBuf> = Vec::new();
    let (mut json, mut most) = (false, 20);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => json = true,
            Long("most") => most = arguments.value()?.parse::<usize>()?,
            Value(file) => paths.push(file.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let Some((recording, configs @ ([_] | [_, _]))) = paths.split_first() else {
        return Err(Trouble::new("replay: name the recording, then one configuration or two"));
    };
    let cannot = |error| Trouble::new(format!("cannot read {}: {error}", recording.display()));
    // Opened before the configurations move the working folder.
    let file = files::open_or_pipe(recording).map_err(cannot)?;
    let length = file.metadata().map_err(cannot)?.len();
    let mut absolute = Vec::new();
    for config in configs {
        absolute.push(std::path::absolute(config).map_err(Trouble::new)?);
    }
    // The recording's times put the clock; it begins before all of them.
    let options = Options { start: Some(Duration::from_secs(1)), ..Options::default() };
    let mut desks = Vec::new();
    for config in &absolute {
        desks.push(Desk::open(config, &options).map_err(Trouble::new)?);
    }
    let bar = progress(length, true);
    let tally = replay(&desks, BufReader::new(file), |bytes| bar.inc(bytes));
    bar.finish_and_clear();
    let tally = tally.map_err(|error| Trouble::new(format!("{}: {error}", recording.display())))?;
    if json {
        println!("{}", tally.json());
    } else {
        print!("{}", tally.text(most));
    }
    Ok(if tally.differences() == 0 { Status::Fine } else { Status::Unexpected })
}
