//! From a file to a component that has proved it can be used.

use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use wasmtime::component::{Component, HasSelf, Linker};

use crate::VERSION;
use crate::bindings::Imports;
use crate::cache::Kept;
use crate::compile::Compiler;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::hooks::Exports;
use crate::instance::{Instance, Recipe};
use crate::state::{Common, State};

/// What a policy's own check of its settings may take.
const CHECK: Duration = Duration::from_secs(10);
/// How a core module begins: with its version. A component has another one.
const CORE_MODULE: &[u8] = b"\0asm\x01\0\0\0";
/// A larger file is no policy.
const FILE: u64 = 256 << 20;

/// Reads a component's file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, LoadError> {
    let fail = |reason: String| LoadError::Read { path: path.display().to_string(), reason };
    let missing = |error: std::io::Error| match error.kind() {
        ErrorKind::NotFound => {
            let text = if path.is_absolute() {
                "there is no such file"
            } else {
                "there is no such file: is it built, and where a relative name starts, in the folder of the configuration?"
            };
            // Whoever reads that wants to know where it was looked for.
            let looked = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
            LoadError::Read { path: looked.display().to_string(), reason: text.to_owned() }
        }
        _ => fail(error.to_string()),
    };
    let bytes = files::read(path, FILE).map_err(missing)?;
    match foreign(&bytes) {
        Some(what) => Err(LoadError::NotWasm { path: path.display().to_string(), what }),
        None => Ok(bytes),
    }
}

/// What a file is that does not even begin like WebAssembly.
fn foreign(bytes: &[u8]) -> Option<&'static str> {
    let text = bytes.trim_ascii_start();
    match () {
        () if bytes.starts_with(b"\0asm") => None,
        () if bytes.is_empty() => Some("is empty"),
        () if bytes.starts_with(b"\x7fELF") || bytes.starts_with(b"pcwasm") => Some(
            "holds compiled code; give the .wasm file that it was made from (setPolicyCache keeps compiled code by itself)",
        ),
        () if text.starts_with(b"(component") || text.starts_with(b"(module") => {
            Some("is the text form; make it binary first, with `wasm-tools parse`")
        }
        () if is_text(bytes) => Some("is text; a Lua policy is loaded with dofile"),
        () => Some("begins with other bytes than WebAssembly does"),
    }
}

/// Whether somebody wrote it: UTF-8 without control characters other than spaces of all kinds.
fn is_text(bytes: &[u8]) -> bool {
    let steers = |c: char| c.is_control() && !c.is_whitespace();
    std::str::from_utf8(bytes).is_ok_and(|text| !text.contains(steers))
}

/// Compiles, links and tries a component.
pub(crate) fn prepare(
    compiler: &Compiler,
    engine: &Arc<Engine>,
    path: &Path,
    common: Arc<Common>,
    cache: Option<&Path>,
    kept: Option<&Kept>,
) -> Result<Recipe, LoadError> {
    let bytes = read(path)?;
    let component = crate::cache::component(compiler, &engine.engine, &bytes, cache, kept, &common)
        .map_err(|error| no_component(path, &bytes, &error))?;
    let recipe = link(engine, &component, &bytes, common)?;
    try_out(&recipe, true)?;
    Ok(recipe)
}

/// The compiler did not want it.
pub(crate) fn no_component(path: &Path, bytes: &[u8], error: &wasmtime::Error) -> LoadError {
    if bytes.starts_with(CORE_MODULE) {
        return LoadError::CoreModule { path: path.display().to_string() };
    }
    LoadError::NoComponent { path: path.display().to_string(), reason: format!("{error:#}") }
}

/// Connects a compiled component, the file's bytes, with what the host offers.
pub(crate) fn link(
    engine: &Arc<Engine>,
    component: &Component,
    bytes: &[u8],
    common: Arc<Common>,
) -> Result<Recipe, LoadError> {
    let imports = Needs::of(engine, component)?;
    let exports = Exports::find(component);
    if !exports.any() {
        return Err(LoadError::NoHook);
    }
    let stats_wait = imports.stats && common.capabilities.stats.some_outside();
    let pre = linker(engine, imports.wasi, stats_wait)
        .and_then(|linker| linker.instantiate_pre(component))
        .map_err(|error| LoadError::Import { import: format!("{error:#}"), advice: advice() })?;
    let waits = imports.waits || imports.wasi || stats_wait;
    let mut hash = [0; SHA256_OUTPUT_LEN];
    hash.copy_from_slice(digest(&SHA256, bytes).as_ref());
    Ok(Recipe { engine: engine.clone(), pre, exports, common, hash, waits, wasi: imports.wasi, stats_wait })
}

fn advice() -> String {
    format!(
        "a policy imports interfaces of portcullis:policy@{VERSION} only; build it against wit/ of this server"
    )
}

/// What a component asks for.
struct Needs {
    wasi: bool,
    /// It can wait for something: DNS, the report store.
    waits: bool,
    stats: bool,
}

/// The parts of WASI that are there; of these, sockets are refused and the file system is empty.
pub(crate) const WASI: [&str; 6] =
    ["wasi:cli/", "wasi:clocks/", "wasi:filesystem/", "wasi:io/", "wasi:random/", "wasi:sockets/"];

impl Needs {
    fn of(engine: &Engine, component: &Component) -> Result<Needs, LoadError> {
        let (mut needs, kind) =
            (Needs { wasi: false, waits: false, stats: false }, component.component_type());
        for (name, _) in kind.imports(&engine.engine) {
            if let Some(rest) = name.strip_prefix("portcullis:policy/") {
                let version = rest.split_once('@').map_or("", |(_, version)| version);
                if !version.starts_with(COMPATIBLE) {
                    return Err(LoadError::Version { found: name.to_owned() });
                }
                needs.waits |= rest.starts_with("dns@") || rest.starts_with("reports@");
                needs.stats |= rest.starts_with("stats@");
            } else if WASI.iter().any(|known| name.starts_with(known)) {
                needs.wasi = true;
            } else {
                return Err(LoadError::Import { import: name.to_owned(), advice: advice() });
            }
        }
        for (name, _) in kind.exports(&engine.engine) {
            if let Some((_, version)) =
                name.strip_prefix("portcullis:policy/").and_then(|rest| rest.split_once('@'))
                && !version.starts_with(COMPATIBLE)
            {
                return Err(LoadError::Version { found: name.to_owned() });
            }
        }
        Ok(needs)
    }
}

/// Versions that fit: additions only change the last number.
const COMPATIBLE: &str = "0.1.";

/// Everything the host offers.
fn linker(engine: &Engine, wasi: bool, stats_wait: bool) -> wasmtime::Result<Linker<State>> {
    let mut linker = Linker::new(&engine.engine);
    Imports::add_to_linker::<_, HasSelf<_>>(&mut linker, |state: &mut State| state)?;
    if stats_wait {
        crate::host::stats::waiting::add_to_linker(&mut linker)?;
    } else {
        crate::host::stats::lent::add_to_linker(&mut linker)?;
    }
    if wasi {
        wasmtime_wasi::p2::add_to_linker_async(&mut linker)?;
    }
    Ok(linker)
}

/// Starts an instance, compares the hooks with the contract, and (if its settings are known) has the policy look at them.
pub(crate) fn try_out(recipe: &Recipe, with_settings: bool) -> Result<(), LoadError> {
    let run = async {
        let mut instance = recipe.start(None).await.map_err(|trouble| LoadError::Start(trouble.text))?;
        instance.functions.typecheck(&instance.store)?;
        if with_settings { check(recipe, &mut instance).await } else { Ok(()) }
    };
    if recipe.waits { recipe.common.runtime.block_on(run) } else { now(run) }
}

async fn check(recipe: &Recipe, instance: &mut Instance) -> Result<(), LoadError> {
    let store = &mut instance.store;
    let now = Instant::now();
    store.data_mut().begin(None, (now, crate::instance::within_budget(now, CHECK)), None);
    let functions = instance.functions;
    let checked = functions.check(store, recipe.waits).await;
    store.data_mut().end();
    match checked {
        Ok(Ok(())) => Ok(()),
        Ok(Err(reason)) => Err(LoadError::Settings(match store.data_mut().missing.take() {
            // A policy may do without what it looked for; then that is not why it refuses.
            Some((name, missing)) if reason.contains(&name) => format!("{reason} ({missing})"),
            _ => reason,
        })),
        Err(error) => {
            let trouble = crate::error::Trouble::of(&error, store.data().granted);
            Err(LoadError::Start(format!("its check of the settings failed: {}", trouble.text)))
        }
    }
}

/// Runs a future that never waits: everything in it is done by plain calls.
pub(crate) fn now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    loop {
        if let std::task::Poll::Ready(done) = future.as_mut().poll(&mut context) {
            return done;
        }
    }
}
