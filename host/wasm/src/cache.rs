//! Compiled code on disk, so that a restart does not compile again.
//!
//! Compiled code is run as it is. So a file is only taken from a folder that nobody else can write to, if it is ours and
//! nobody else can write it, if its name is the hash of the component and of everything the compiler went by, and if its
//! content has the hash that stands at its beginning.
#![allow(unsafe_code)]

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::hash::{Hash, Hasher};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Instant;

use parking_lot::Mutex;
use ring::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use wasmtime::Engine;
use wasmtime::component::Component;

use crate::compile::Compiler;
use crate::state::Common;

/// Written in front of the hash; another number for another layout.
const MAGIC: &[u8; 8] = b"pcwasm1\n";

/// Why a cached file is not used.
#[derive(Debug, thiserror::Error)]
enum NotUsed {
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("others can write to it, or it belongs to somebody else")]
    Foreign,
    #[error("its content is damaged")]
    Damaged,
    #[error("{0:#}")]
    Compiled(wasmtime::Error),
}

/// Compiled components in memory, for a process that loads the same ones again and again.
pub(crate) type Kept = Mutex<BTreeMap<String, Component>>;

/// The component of these bytes: from memory or from the cache in this folder if it is there, else compiled, and kept for the next
/// time. Trouble with the cache is logged and costs only time.
pub(crate) fn component(
    compiler: &Compiler,
    engine: &Engine,
    bytes: &[u8],
    folder: Option<&Path>,
    kept: Option<&Kept>,
    common: &Common,
) -> wasmtime::Result<Component> {
    let Some(kept) = kept else { return from_folder(compiler, engine, bytes, folder, common) };
    let key = key(engine, bytes);
    if let Some(component) = kept.lock().get(&key) {
        return Ok(component.clone());
    }
    let component = from_folder(compiler, engine, bytes, folder, common)?;
    kept.lock().insert(key, component.clone());
    Ok(component)
}

fn from_folder(
    compiler: &Compiler,
    engine: &Engine,
    bytes: &[u8],
    folder: Option<&Path>,
    common: &Common,
) -> wasmtime::Result<Component> {
    let Some(folder) = folder else { return compiler.compile(engine, bytes) };
    let (name, log) = (&common.name, &common.capabilities.log);
    let file = folder.join(format!("{}.cwasm", key(engine, bytes)));
    match read(engine, folder, &file) {
        Ok(component) => {
            log.info(format!("policy {name}: compiled before, taken from {}", file.display()));
            return Ok(component);
        }
        Err(NotUsed::Io(error)) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(reason) => log.warn(format!("compiled policy {}: {reason}: compiling again", file.display())),
    }
    let began = Instant::now();
    let component = compiler.compile(engine, bytes)?;
    log.info(format!("policy {name}: compiled in {} ms", began.elapsed().as_millis()));
    if let Err(error) =
        component.serialize().map_err(NotUsed::Compiled).and_then(|code| write(folder, &file, &code))
    {
        log.warn(format!("cannot keep the compiled policy in {}: {error}", folder.display()));
    }
    Ok(component)
}

/// The name of the file: what was compiled, with what, for what.
fn key(engine: &Engine, bytes: &[u8]) -> String {
    let mut settings = Settings(Vec::new());
    engine.precompile_compatibility_hash().hash(&mut settings);
    let mut all = digest(&SHA256, bytes).as_ref().to_vec();
    all.extend_from_slice(&settings.0);
    let hex =
        |byte: &u8| [byte >> 4, byte & 15].map(|digit| char::from(b"0123456789abcdef"[usize::from(digit)]));
    digest(&SHA256, &all).as_ref().iter().flat_map(hex).collect()
}

/// Collects what is hashed, for a hash that is the same in every process.
struct Settings(Vec<u8>);

impl Hasher for Settings {
    fn write(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    fn finish(&self) -> u64 {
        0
    }
}

fn is_ours(metadata: &fs::Metadata) -> bool {
    metadata.uid() == rustix::process::geteuid().as_raw() && metadata.mode() & 0o022 == 0
}

fn read(engine: &Engine, folder: &Path, file: &Path) -> Result<Component, NotUsed> {
    let mut file = File::open(file)?;
    let metadata = file.metadata()?;
    // Nobody else can have put a link into a folder of ours.
    if !is_ours(&fs::metadata(folder)?) || !is_ours(&metadata) || !metadata.is_file() {
        return Err(NotUsed::Foreign);
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    let code = content.strip_prefix(MAGIC).and_then(|rest| rest.split_at_checked(SHA256_OUTPUT_LEN));
    let code = match code {
        Some((hash, code)) if digest(&SHA256, code).as_ref() == hash => code,
        _ => return Err(NotUsed::Damaged),
    };
    // SAFETY: what is run here was written by this program (or by somebody who is allowed to change this program): see
    // the module's documentation.
    unsafe { Component::deserialize(engine, code) }.map_err(NotUsed::Compiled)
}

fn write(folder: &Path, file: &Path, code: &[u8]) -> Result<(), NotUsed> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    if !is_ours(&fs::metadata(folder)?) {
        return Err(NotUsed::Foreign);
    }
    let part = PathBuf::from(format!("{}.{}", file.display(), std::process::id()));
    let written = (|| {
        let mut out = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&part)?;
        out.write_all(MAGIC)?;
        out.write_all(digest(&SHA256, code).as_ref())?;
        out.write_all(code)?;
        fs::rename(&part, file)
    })();
    if written.is_err() {
        // It is of no use half written; the error below says what was wrong.
        let _ = fs::remove_file(&part);
    }
    Ok(written?)
}
