//! What the Lua policies of trackalert share, over a store and a clock that a script makes up.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::path::Path;

use mlua::{Function, Lua, Table};

#[test]
fn the_shared_part_does_what_its_twin_does() {
    let lua = Lua::new();
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = here.join("../../policies/track/recent.lua");
    lua.globals().set("recent_file", shared.to_str().unwrap()).unwrap();
    let script = std::fs::read_to_string(here.join("tests/recent.lua")).unwrap();
    let cases: Table = lua.load(script).set_name("@recent.lua").eval().unwrap();
    let mut ran = 0;
    for case in cases.pairs::<String, Function>() {
        let (name, case) = case.unwrap();
        case.call::<()>(()).unwrap_or_else(|error| panic!("{name}: {error}"));
        ran += 1;
    }
    assert_eq!(ran, 9);
}
