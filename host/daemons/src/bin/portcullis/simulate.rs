//! `portcullis simulate`: a day of people and attackers.

use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use portcullis_daemons::tool::simulate::{Day, Plan, Score, play, table};
use portcullis_daemons::tool::terminal::progress;
use serde_json::{Map, Value as Json, json};

use crate::{Outcome, Status, Trouble};

/// Around the table in a Markdown file.
const BEGIN: &str = "<!-- simulation -->";
const END: &str = "<!-- /simulation -->";

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut configs: Vec<(String, PathBuf)> = Vec::new();
    let (mut plan, mut json, mut write) = (Plan::default(), false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => json = true,
            Long("seed") => plan.seed = arguments.value()?.parse()?,
            Long("scale") => {
                plan.scale = arguments.value()?.parse()?;
                if !(plan.scale > 0.0 && plan.scale <= 100.0) {
                    return Err(Trouble::new("--scale: more than 0, at most 100"));
                }
            }
            Long("write") => write = Some(PathBuf::from(arguments.value()?)),
            Value(config) => configs.push(named(&config.string()?)?),
            other => return Err(other.unexpected().into()),
        }
    }
    if configs.is_empty() {
        return Err(Trouble::new("simulate: which configuration?"));
    }
    let write = write.map(std::path::absolute).transpose().map_err(Trouble::new)?;
    let day = Day::new(plan);
    let bar = progress((day.len() * configs.len()) as u64, false);
    let mut scores: Vec<(String, Score)> = Vec::new();
    for (number, (name, config)) in configs.iter().enumerate() {
        bar.set_message(name.clone());
        let before = (number * day.len()) as u64;
        let score = play(config, &day, |at| bar.set_position(before + at)).map_err(Trouble::new)?;
        scores.push((name.clone(), score));
    }
    bar.finish_and_clear();
    if json {
        let told: Map<String, Json> =
            scores.iter().map(|(name, score)| (name.clone(), score.json())).collect();
        println!("{}", json!({"seed": plan.seed, "attempts": day.len(), "policies": told}));
    } else {
        print!("{}", table(&scores));
    }
    if let Some(file) = write {
        replace(&file, &table(&scores))?;
    }
    let failed = scores.iter().any(|(_, score)| score.failures > 0);
    Ok(if failed { Status::Unexpected } else { Status::Fine })
}

/// `NAME=CONFIG`, or a configuration that is called like its file.
fn named(text: &str) -> Result<(String, PathBuf), Trouble> {
    let (name, config) = if let Some((name, config)) = text.split_once('=') {
        (name.to_owned(), PathBuf::from(config))
    } else {
        let config = PathBuf::from(text);
        let name = config.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        (name, config)
    };
    Ok((name, std::path::absolute(config).map_err(Trouble::new)?))
}

/// Puts the table between the marks.
fn replace(file: &Path, table: &str) -> Result<(), Trouble> {
    let cannot = |error: std::io::Error| Trouble::new(format!("{}: {error}", file.display()));
    let text = std::fs::read_to_string(file).map_err(cannot)?;
    let parts = text.split_once(BEGIN).and_then(|(before, rest)| {
        let (_, after) = rest.split_once(END)?;
        Some((before, after))
    });
    let Some((before, after)) = parts else {
        return Err(Trouble::new(format!("{} has no {BEGIN} with its {END}", file.display())));
    };
    std::fs::write(file, format!("{before}{BEGIN}\n\n{table}\n{END}{after}")).map_err(cannot)
}
