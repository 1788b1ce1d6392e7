//! `portcullis test`: tables of logins against the decisions that are expected.

use std::fmt::Write as _;
use std::path::PathBuf;

use lexopt::prelude::*;
use portcullis_daemons::tool::cases::{CaseOutcome, Cases, run as play};
use portcullis_daemons::tool::terminal::Style;
use serde_json::{Value as Json, json};

use crate::{Outcome, Status, Trouble};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut files: Vec<PathBuf> = Vec::new();
    let (mut json, mut only) = (false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => json = true,
            Long("only") => only = Some(arguments.value()?.string()?),
            Value(file) => files.push(file.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    if files.is_empty() {
        return Err(Trouble::new("test: which file of cases?"));
    }
    // The configurations move the working folder.
    let mut absolute = Vec::new();
    for file in files {
        let path = std::path::absolute(&file).map_err(Trouble::new)?;
        absolute.push((file, path));
    }
    let style = Style::of_stdout();
    let (mut passed, mut failed, mut told) = (0, 0, Vec::new());
    for (file, path) in &absolute {
        let cases = Cases::read(path).map_err(Trouble::new)?;
        play(path, &cases, only.as_deref(), |outcome| {
            if outcome.failures.is_empty() {
                passed += 1;
            } else {
                failed += 1;
            }
            if json {
                told.push(as_json(&file.display().to_string(), outcome));
            } else {
                print!("{}", as_text(style, outcome));
            }
        })
        .map_err(Trouble::new)?;
    }
    if passed + failed == 0 {
        return Err(Trouble::new("test: there is no such case"));
    }
    if json {
        println!("{}", json!({"passed": passed, "failed": failed, "cases": told}));
    } else {
        println!("{passed} passed, {failed} failed");
    }
    Ok(if failed == 0 { Status::Fine } else { Status::Unexpected })
}

fn as_text(style: Style, outcome: &CaseOutcome) -> String {
    if outcome.failures.is_empty() {
        return format!("{}  {}\n", style.good("ok  "), outcome.case);
    }
    let mut text = format!("{}  {}\n", style.bad("FAIL"), outcome.case);
    for failed in &outcome.failures {
        let _ = writeln!(text, "      step {}, time {}: {}", failed.step, failed.n, failed.login);
        for wrong in &failed.wrong {
            text += &style.good(&format!("      - {}: {}", wrong.what, wrong.expected));
            text.push('\n');
            text += &style.bad(&format!("      + {}: {}", wrong.what, wrong.got));
            text.push('\n');
        }
        for line in failed.trace.iter().flat_map(|trace| trace.lines()) {
            text += &style.faint(&format!("        {line}"));
            text.push('\n');
        }
    }
    text
}

fn as_json(file: &str, outcome: &CaseOutcome) -> Json {
    let failures: Vec<Json> = outcome
        .failures
        .iter()
        .map(|failed| {
            let wrong: Vec<Json> = failed
                .wrong
                .iter()
                .map(|wrong| json!({"what": wrong.what, "expected": wrong.expected, "got": wrong.got}))
                .collect();
            json!({"step": failed.step, "n": failed.n, "login": failed.login, "wrong": wrong})
        })
        .collect();
    json!({
        "file": file,
        "case": outcome.case,
        "calls": outcome.calls,
        "passed": outcome.failures.is_empty(),
        "failures": failures,
    })
}
