//! `portcullis check`: a configuration as the daemon would load it.

use std::path::{Path, PathBuf};

use capabilities::Daemon;
use lexopt::prelude::*;
use portcullis_daemons::tool::desk::{Desk, DeskError, Options};
use portcullis_daemons::{check, outside};
use serde_json::json;

use crate::{Outcome, Status, Trouble};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut config: Option<PathBuf> = None;
    let (mut json, mut daemon) = (false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => json = true,
            Long("daemon") => daemon = Some(known(&arguments.value()?.string()?)?),
            Value(file) if config.is_none() => config = Some(file.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let config = config.ok_or_else(|| Trouble::new("check: which configuration?"))?;
    let daemon = daemon.unwrap_or_else(|| named_after(&config));
    let options = Options { daemon, ..Options::default() };
    let desk = match Desk::open(&config, &options) {
        Ok(desk) => desk,
        Err(DeskError::Read { path, error }) => {
            return Err(Trouble::new(DeskError::Read { path, error }));
        }
        // A mistake in it is what was asked about.
        Err(mistake) => {
            let first = mistake.to_string();
            if json {
                let config = config.display().to_string();
                let daemon = daemon.name();
                println!(
                    "{}",
                    json!({"config": config, "daemon": daemon, "fine": false, "complaints": 1, "first": first})
                );
            } else {
                println!("{first}");
            }
            return Ok(Status::Unexpected);
        }
    };
    let complaints = check::complaints(&desk.capabilities, &desk.settings, desk.handle());
    let (count, first) = (complaints.count, check::first(&config, &complaints));
    let outside = outside::described(&desk.capabilities, &desk.settings);
    let hooks = desk.chain.hooks();
    let set: Vec<&str> = [
        ("allow", hooks.allow),
        ("report", hooks.report),
        ("reset", hooks.reset),
        ("canonicalize", hooks.canonicalize),
        ("shadow", hooks.shadow),
    ]
    .into_iter()
    .filter_map(|(name, set)| set.then_some(name))
    .collect();
    let dbs: Vec<String> = desk.capabilities.stats.all().iter().map(|db| db.name().to_string()).collect();
    let endpoints: Vec<String> =
        desk.chain.endpoints().iter().map(|endpoint| endpoint.name.to_string()).collect();
    let policies = desk.chain.components().names();
    let jobs: Vec<String> = desk
        .settings
        .read(|values| values.planned().iter().map(|job| format!("{} {}", job.name, job.schedule)).collect());
    if json {
        println!(
            "{}",
            json!({
                "config": config.display().to_string(),
                "daemon": daemon.name(),
                "fine": count == 0,
                "complaints": count,
                "first": first,
                "hooks": set,
                "policies": policies,
                "stats_dbs": dbs,
                "endpoints": endpoints,
                "jobs": jobs,
                "outside": outside.iter().map(|(what, place)| json!({"what": what, "where": place})).collect::<Vec<_>>(),
            })
        );
    } else if let Some(verdict) = check::verdict(&config, &complaints) {
        println!("{verdict}");
    } else {
        println!("{}: configuration is fine", config.display());
        for (name, what) in [
            ("hooks", &set.join(", ")),
            ("policies", &policies.join(", ")),
            ("stats DBs", &dbs.join(", ")),
            ("endpoints", &endpoints.join(", ")),
            ("jobs", &jobs.join(", ")),
        ] {
            if !what.is_empty() {
                println!("{name:<10} {what}");
            }
        }
        for (what, place) in &outside {
            println!("{what:<20} {place}");
        }
    }
    Ok(if count == 0 { Status::Fine } else { Status::Unexpected })
}

/// The daemon of this name.
fn known(name: &str) -> Result<Daemon, Trouble> {
    let found = [Daemon::Wforce, Daemon::Trackalert].into_iter().find(|daemon| daemon.name() == name);
    found.ok_or_else(|| Trouble::new(format!("--daemon must be wforce or trackalert, not {name}")))
}

/// A `trackalert.conf` is trackalert's; any other name may be wforce's.
fn named_after(config: &Path) -> Daemon {
    let stem = config.file_stem().unwrap_or_default();
    if stem == Daemon::Trackalert.name() { Daemon::Trackalert } else { Daemon::Wforce }
}
