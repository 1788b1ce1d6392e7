//! Files that a daemon or the tool for policy authors reads: snapshots of the state, and tables of cases with their generators.
//!
//! The first byte says what the rest is.
#![no_main]
#![allow(dead_code, reason = "only the reading parts of these files are used")]

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use capabilities::lists::Lists;
use capabilities::log::Log;
use capabilities::state::StateDir;
use capabilities::stats::StatsRegistry;
use libfuzzer_sys::fuzz_target;
use statsdb::{CountMinShape, FieldKind, Schema};
use xxhash_rust::xxh3::xxh3_64;

#[path = "../../host/daemons/src/tool"]
mod tool {
    pub mod time;

    /// The configuration that a file names is not opened here.
    pub mod desk {
        #[derive(Debug, thiserror::Error)]
        #[error("not opened")]
        pub struct DeskError;
    }

    pub mod cases {
        pub mod expect;
        pub mod file;
        pub mod generate;

        pub fn expand(text: &str, n: u32) -> Result<String, String> {
            generate::expand(text, n)
        }
    }
}

/// When the snapshot of the seeds was made.
const NOW: u64 = 1_795_672_962;

/// A state directory of this process. `scripts/test fuzz` names a temporary folder in memory, as it is written to all the time.
static FOLDER: LazyLock<PathBuf> =
    LazyLock::new(|| std::env::temp_dir().join(format!("portcullis-fuzz-{}", std::process::id())));
static STATE: LazyLock<StateDir> = LazyLock::new(|| StateDir::open(&FOLDER).expect("a state directory"));

fuzz_target!(|data: &[u8]| {
    let Some((choice, rest)) = data.split_first() else { return };
    match choice % 4 {
        0 => restore(rest),
        // Frames whose checksums are right, of pieces behind their lengths.
        1 => restore(&framed(rest)),
        2 => cases(rest),
        _ => generated(rest),
    }
});

fn framed(mut pieces: &[u8]) -> Vec<u8> {
    let mut file = Vec::new();
    let mut add = |payload: &[u8]| {
        file.extend((payload.len() as u32).to_le_bytes());
        file.extend(xxh3_64(payload).to_le_bytes());
        file.extend(payload);
    };
    add(&[b"Hportcullis state 1\n", &NOW.to_le_bytes()[..]].concat());
    while let Some((length, rest)) = pieces.split_first_chunk::<2>() {
        let (piece, rest) = rest.split_at(usize::from(u16::from_le_bytes(*length)).min(rest.len()));
        add(piece);
        pieces = rest;
    }
    add(b"E\0\0");
    file
}

fn stats() -> StatsRegistry {
    let stats = StatsRegistry::new(Log::discard()).expect("a registry");
    let fields = [("i", FieldKind::Int), ("h", FieldKind::Hll), ("c", FieldKind::CountMin)];
    let schema = Schema {
        name: "db".into(),
        window_secs: 60,
        windows: 3,
        fields: fields.map(|(name, kind)| (name.into(), kind)).to_vec(),
        shards: 1,
        start: 0,
        hll_bits: 6,
        countmin: CountMinShape::default(),
    };
    stats.create(schema).expect("a good schema");
    stats
}

/// A snapshot is restored or set aside; what was restored can be saved, and that is whole.
fn restore(file: &[u8]) {
    let (state, log) = (&*STATE, Log::discard());
    for name in ["state", "state.1", "state.damaged", "state.damaged.2"] {
        let _ = std::fs::remove_file(FOLDER.join(name));
    }
    std::fs::write(FOLDER.join("state"), file).expect("a file");
    let (stats_db, lists) = (stats(), Lists::default());
    let restored = state.restore(&stats_db, &lists, NOW, &log);
    if restored.from.is_none() {
        assert_eq!(restored.damaged, 1);
        assert!(FOLDER.join("state.damaged").is_file() && !FOLDER.join("state").exists());
        return;
    }
    let saved = state.save(&stats_db, &lists, NOW, &|| {}).expect("it is saved");
    let (stats_again, lists_again) = (stats(), Lists::default());
    let again = state.restore(&stats_again, &lists_again, NOW, &log);
    assert!(again.from.is_some() && again.damaged == 0);
    assert!(again.keys <= saved.keys);
    assert_eq!(again.entries, saved.entries);
}

fn cases(text: &[u8]) {
    let text = String::from_utf8_lossy(text);
    let file = Path::new("cases.toml");
    match tool::cases::file::Cases::parse(file, &text) {
        Ok(cases) => {
            assert!(cases.start_time().is_ok());
            for step in cases.cases.iter().flat_map(|case| &case.steps) {
                for time in [&step.at, &step.advance, &step.every].into_iter().flatten() {
                    assert!(tool::time::duration(time).is_ok());
                }
            }
        }
        Err(error) => assert!(error.to_string().starts_with("cases.toml"), "{error}"),
    }
}

/// Generators give the same text each time; a text without them stays as it is.
fn generated(text: &[u8]) {
    let Some((number, text)) = text.split_first_chunk::<4>() else { return };
    let (n, text) = (u32::from_le_bytes(*number), String::from_utf8_lossy(text));
    let expanded = tool::cases::expand(&text, n);
    assert_eq!(expanded, tool::cases::expand(&text, n));
    if !text.contains(['{', '}']) {
        assert_eq!(expanded.as_deref(), Ok(&*text));
    }
    if let Ok(duration) = tool::time::duration(&text) {
        assert!(duration.as_secs() <= 1001 * 366 * 86_400);
    }
}
