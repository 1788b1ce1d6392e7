//! The walk of the README, typed as it stands there.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use portcullis_tests::{bash, markdown, tools};

#[test]
fn the_walk_works_as_written() {
    let readme = tools::workspace().join("README.md");
    let walk = bash::Session::start();
    let blocks = markdown::blocks(&readme);
    walk.run(&blocks);
    // The classic: 101 different wrong passwords, and the next login is refused.
    let told: String = blocks.iter().map(|block| block.text.as_str()).collect();
    for must in ["{1..101}", "\"status\": -1", "command=reset", "/command/reset", "getDBStats", "ping"] {
        assert!(told.contains(must), "the README's walk has no {must}");
    }
}
