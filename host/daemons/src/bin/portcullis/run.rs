//! `portcullis run`: one login, decided and explained.

use std::path::PathBuf;

use bstr::ByteSlice;
use capabilities::Level;
use lexopt::prelude::*;
use login::json::ObjectWriter;
use portcullis_daemons::tool::desk::{Desk, Options};
use portcullis_daemons::tool::terminal::{Style, answer};

use crate::login_arguments::LoginArguments;
use crate::{Outcome, Status, Trouble};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let mut config: Option<PathBuf> = None;
    let mut login = LoginArguments::default();
    let (mut json, mut verbose, mut report, mut times) = (false, false, false, None);
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => json = true,
            Short('v') | Long("verbose") => verbose = true,
            Long("report") => report = true,
            Long("times") => {
                let many = arguments.value()?.parse::<u32>()?;
                if many == 0 {
                    return Err(Trouble::new("--times: at least 1"));
                }
                times = Some(many);
            }
            Long(name) => {
                let name = name.to_owned();
                if !login.take(&name, &mut arguments)? {
                    return Err(lexopt::Error::UnexpectedOption(format!("--{name}")).into());
                }
            }
            Value(file) if config.is_none() => config = Some(file.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let config = config.ok_or_else(|| Trouble::new("run: which configuration?"))?;
    let login = login.login()?;
    // What a login is decided like may well depend on the time of the day: it is now.
    let log = Some(if verbose { Level::Debug } else { Level::Warning });
    let options = Options { start: None, budget: None, log, fuel: true, ..Options::default() };
    let desk = Desk::open(&config, &options).map_err(Trouble::new)?;
    if report || times.is_some() {
        for _ in 0..times.unwrap_or(1) {
            desk.report(login.clone()).map_err(|failure| {
                Trouble::new(format!("report failed: {}", failure.told().to_str_lossy()))
            })?;
        }
        if times.is_none() {
            println!("{}", if json { "{\"status\": \"ok\"}" } else { "reported" });
            return Ok(Status::Fine);
        }
    }
    let (result, explanation) = desk.explain(login);
    if json {
        let mut out = Vec::new();
        let mut object = ObjectWriter::new(&mut out);
        explanation.write_json(object.member(b"explain"));
        match &result {
            Ok(decision) => decision.write_members(&mut object),
            Err(failure) => {
                object.str(b"reason", &failure.reason).str(b"status", b"failure");
            }
        }
        object.finish();
        println!("{}", out.as_bstr());
    } else {
        print!("{}", answer(Style::of_stdout(), &result));
        print!("{}", explanation.text());
    }
    Ok(if result.is_ok() { Status::Fine } else { Status::Unexpected })
}
