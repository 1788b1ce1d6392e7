//! WebAssembly policies: loaded by name, loaded again.

use std::path::{Path, PathBuf};

use bstr::ByteSlice;

use super::{complain, late};
use crate::convert::Fault;
use crate::stack::{Args, HostFn, Ret, State};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[
    ("loadPolicy", load),
    ("setPolicyCache", |state, args| {
        let folder = args.text(1)?;
        let folder =
            folder.to_path().map_err(|_| Fault::caught("setPolicyCache: the folder must be UTF-8"))?;
        if folder.exists() && !folder.is_dir() {
            complain(state, format!("setPolicyCache: {} is no folder", folder.display()));
        }
        let compiled = state.host.components.names();
        if !compiled.is_empty() {
            let names = compiled.join(", ");
            late(
                state,
                args,
                &format!(
                    "setPolicyCache: it comes after loadPolicy, so what was compiled of {names} is not kept there: move it above the first one"
                ),
            );
        }
        state.host.components.cache(Some(PathBuf::from(folder)));
        Ok(Ret::None)
    }),
    ("reloadPolicy", |state, args| {
        let name = args.text(1)?.to_str_lossy().into_owned();
        reload(state, &name);
        Ok(Ret::None)
    }),
    ("reloadPolicies", |state, _| {
        state.host.components.names().iter().for_each(|name| reload(state, name));
        Ok(Ret::None)
    }),
    ("showPolicies", |state, _| {
        state.host.components.lines().into_iter().for_each(|line| state.host.output.line(line));
        Ok(Ret::None)
    }),
];

fn load<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let (name, path) = (args.text(1)?, args.text(2)?);
    let (Ok(name), Ok(path)) = (name.to_str(), path.to_str()) else {
        return Err(Fault::caught("loadPolicy: name and file must be UTF-8"));
    };
    let options =
        if args.given(3) { args.json(3)? } else { serde_json::Value::Object(serde_json::Map::new()) };
    let loaded = state.host.components.load(name, Path::new(path), &options);
    loaded.map_err(|error| Fault::caught(format!("loadPolicy: {error}")))?;
    let alerts = &options["capabilities"]["alerts"];
    if options["capabilities"]["reports"].as_bool().unwrap_or(false) {
        state.host.settings.change(|values| values.asks_reports.push(name.to_owned()));
    }
    if alerts.as_bool().unwrap_or(alerts.as_array().is_some_and(|names| !names.is_empty())) {
        state.host.settings.change(|values| values.alerts.raised_by.push(name.to_owned()));
    }
    Ok(Ret::None)
}

fn reload(state: &State, name: &str) {
    let log = &state.host.caps.log;
    match state.host.components.reload(name) {
        Ok(done) => {
            log.notice(&done);
            state.host.output.line(done);
        }
        Err(error) => {
            log.error(error.to_string());
            state.host.output.line(error.to_string());
        }
    }
}
