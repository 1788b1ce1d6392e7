//! `portcullis new`: a project for a policy.

use std::path::{Path, PathBuf};

use lexopt::prelude::*;
use portcullis_daemons::tool::new::{Language, make};
use serde_json::json;

use crate::{Outcome, Status, Trouble};

pub(crate) fn run(mut arguments: lexopt::Parser) -> Outcome {
    let (mut json, mut language, mut sdk) = (false, None, None);
    let mut folder: Option<PathBuf> = None;
    while let Some(argument) = arguments.next()? {
        match argument {
            Long("json") => json = true,
            Long("lang") => {
                let name = arguments.value()?.string()?;
                let known = Language::parse(&name);
                language = Some(known.ok_or_else(|| {
                    Trouble::new(format!("--lang {name}: there is rust, python, js and c"))
                })?);
            }
            Long("sdk") => sdk = Some(arguments.value()?.string()?),
            Value(name) if folder.is_none() => folder = Some(name.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let language =
        language.ok_or_else(|| Trouble::new("new: which language? --lang rust, python, js or c"))?;
    let folder = folder.ok_or_else(|| Trouble::new("new: what is it called?"))?;
    // `portcullis new --lang c policies/guard` makes the policy `guard`.
    let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
    make(&folder, &name, language, sdk.as_deref()).map_err(Trouble::new)?;
    told(&folder, &name, json);
    Ok(Status::Fine)
}

fn told(folder: &Path, name: &str, json: bool) {
    if json {
        println!("{}", json!({"policy": name, "folder": folder.display().to_string()}));
    } else {
        println!(
            "{0}: the policy {name}. `make -C {0} test` builds it and plays its cases; README.md says what is what.",
            folder.display()
        );
    }
}
