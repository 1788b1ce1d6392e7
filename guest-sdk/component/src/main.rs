//! `portcullis-component [--wasi] FILE...`: prints what each component asks for and offers, and fails if one asks for something
//! outside the policy package. With `--wasi`, WASI is fine too: what Python and JavaScript need, which the host gives
//! clocks, random numbers and a log only.
#![forbid(unsafe_code)]

use std::io::Write as _;
use std::process::ExitCode;

use portcullis_component::Interfaces;

/// Reads one file; the text to print, or why it is refused.
fn inspect(file: &str, wasi: bool) -> Result<String, String> {
    let bytes = std::fs::read(file).map_err(|error| error.to_string())?;
    let found = Interfaces::read(&bytes).map_err(|error| error.to_string())?;
    let foreign: Vec<&str> =
        found.foreign().into_iter().filter(|name| !(wasi && name.starts_with("wasi:"))).collect();
    if !foreign.is_empty() {
        return Err(format!("imports what a policy does not get: {}", foreign.join(", ")));
    }
    let short = |names: &[String]| {
        let names: Vec<&str> = names
            .iter()
            .map(|name| name.strip_prefix(portcullis_component::PACKAGE).unwrap_or(name))
            .map(|name| name.split_once('@').map_or(name, |(name, _)| name))
            .collect();
        names.join(" ")
    };
    Ok(format!("{} bytes; hooks: {}; uses: {}", bytes.len(), short(&found.exports), short(&found.imports)))
}

fn main() -> ExitCode {
    let (flags, files): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|word| word.starts_with("--"));
    let (mut out, mut err) = (std::io::stdout().lock(), std::io::stderr().lock());
    let unknown = flags.iter().any(|flag| flag != "--wasi");
    if unknown || files.is_empty() {
        let _ = writeln!(err, "usage: portcullis-component [--wasi] FILE...");
        return ExitCode::from(2);
    }
    let mut code = ExitCode::SUCCESS;
    for file in &files {
        let line = match inspect(file, !flags.is_empty()) {
            Ok(text) => writeln!(out, "{file}: {text}"),
            Err(reason) => {
                code = ExitCode::FAILURE;
                writeln!(err, "{file}: {reason}")
            }
        };
        if line.is_err() {
            return ExitCode::FAILURE;
        }
    }
    code
}
