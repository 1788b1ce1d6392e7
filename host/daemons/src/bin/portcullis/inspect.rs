//! `portcullis inspect`: what components ask for and offer.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use portcullis_daemons::tool::inspect::inspect;
use portcullis_daemons::tool::terminal::{Style, working};
use serde_json::{Value as Json, json};
use wasm::{Inspection, Interface};

use crate::{Outcome, Status, Trouble};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut files: Vec<PathBuf> = Vec::new();
    let mut as_json = false;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => as_json = true,
            Value(file) => files.push(file.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    if files.is_empty() {
        return Err(Trouble::new("inspect: which .wasm file?"));
    }
    let (style, mut fine, mut told) = (Style::of_stdout(), true, Vec::new());
    for file in &files {
        // A guest that brings its language along takes a while.
        let spinner = working(&format!("compiling {}", file.display()));
        let found = inspect(file);
        spinner.finish_and_clear();
        let found = found.map_err(Trouble::new)?;
        fine &= found.problem.is_none();
        if as_json {
            told.push(to_json(file, &found));
        } else {
            print!("{}", to_text(style, file, &found));
        }
    }
    if as_json {
        println!("{}", json!({"components": told}));
    }
    Ok(if fine { Status::Fine } else { Status::Unexpected })
}

fn to_text(style: Style, file: &Path, found: &Inspection) -> String {
    let mut text = format!("{}: {} in the file\n", file.display(), size(found.bytes));
    let mut line = |name: &str, value: &str| {
        // Writing into a String does not fail.
        let _ = writeln!(text, "  {name:<10} {value}");
    };
    let versions: Vec<&str> = found.contract.iter().map(String::as_str).collect();
    let contract = match versions.as_slice() {
        [] => "nothing of portcullis:policy".to_owned(),
        versions => format!("portcullis:policy@{}", versions.join(" and @")),
    };
    line("contract", &format!("{contract} (this server speaks {})", wasm::VERSION));
    line("hooks", &or_none(&found.hooks.iter().map(|hook| hook.name.as_str()).collect::<Vec<_>>()));
    // An interface of types alone gives no power.
    for Interface { name, functions } in found.imports.iter().filter(|asked| !asked.functions.is_empty()) {
        line("asks for", &format!("{name}: {}", functions.join(", ")));
    }
    let wasi: Vec<&str> = found.wasi.iter().map(String::as_str).collect();
    line("WASI", &or_none(&wasi));
    if !found.exports.is_empty() {
        line("exports", &found.exports.join(", "));
    }
    line("code", &format!("{}, compiled in {} ms", size(found.code), found.compiled_in.as_millis()));
    match &found.problem {
        None => line("verdict", &style.good("can be loaded, if its settings suit it")),
        Some(problem) => line("verdict", &style.bad(&format!("cannot be loaded: {problem}"))),
    }
    text
}

fn or_none(names: &[&str]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn size(bytes: usize) -> String {
    if bytes < 10 << 10 { format!("{bytes} bytes") } else { format!("{} KiB", bytes >> 10) }
}

fn to_json(file: &Path, found: &Inspection) -> Json {
    let interfaces = |all: &[Interface]| -> Vec<Json> {
        let one =
            |Interface { name, functions }: &Interface| json!({"interface": name, "functions": functions});
        all.iter().map(one).collect()
    };
    json!({
        "file": file.display().to_string(),
        "bytes": found.bytes,
        "code_bytes": found.code,
        "compile_ms": u64::try_from(found.compiled_in.as_millis()).unwrap_or(u64::MAX),
        "contract": found.contract,
        "hooks": interfaces(&found.hooks),
        "imports": interfaces(&found.imports),
        "wasi": found.wasi,
        "foreign": found.foreign,
        "exports": found.exports,
        "loads": found.problem.is_none(),
        "problem": found.problem.as_ref().map(ToString::to_string),
    })
}
