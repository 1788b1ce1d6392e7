//! Every code block of the documentation is true: run, checked or parsed, by its language.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::path::Path;
use std::process::Command;

use portcullis_tests::markdown::{self, Block};
use portcullis_tests::{Launch, bash, process, tools};
use serde_json::Value;
use tempfile::TempDir;

fn all_blocks() -> Vec<Block> {
    markdown::files(tools::workspace()).iter().flat_map(|file| markdown::blocks(file)).collect()
}

fn in_language(language: &str) -> Vec<Block> {
    all_blocks().into_iter().filter(|block| block.language() == language).collect()
}

/// What each language means:
///
/// - `bash`: run, in order, beside a demo server of its own for each file;
/// - a block tagged `output` (`text,output`, `json,output`): exactly what the block before it prints;
/// - `console`: `$ make TARGET` lines, which must be targets;
/// - `lua`: a configuration of wforce, or of the daemon that follows (`lua,trackalert`), that must load (`lua,signature`: a
///   reference entry, not a program);
/// - `json`: parses; `dovecot`: Dovecot's own parser takes it; `ini`: a unit of systemd, keys under sections;
/// - `rust`: compiled by the documentation tests of its crate; `text`: an illustration.
#[test]
fn every_block_says_what_it_is() {
    let known = ["bash", "console", "dovecot", "ini", "json", "lua", "text"];
    for block in all_blocks() {
        assert!(known.contains(&block.language()), "{}: a block tagged {:?}", block.place(), block.tag);
    }
}

#[test]
fn commands_do_what_they_show() {
    for file in markdown::files(tools::workspace()) {
        let blocks = markdown::blocks(&file);
        if blocks.iter().any(|block| block.language() == "bash") {
            bash::Session::start().run(&blocks);
        }
    }
}

#[test]
fn make_targets_exist() {
    for block in in_language("console") {
        for line in block.text.lines() {
            let target =
                line.strip_prefix("$ make ").unwrap_or_else(|| panic!("{}: {line:?}", block.place()));
            let target = target.split_whitespace().next().unwrap();
            process::run_ok(Command::new("make").args(["-n", target]).current_dir(tools::workspace()));
        }
    }
}

#[test]
fn configurations_load() {
    for block in in_language("lua").into_iter().filter(|block| !block.has("signature")) {
        let daemons = ["replfwd", "trackalert"];
        let program = daemons.into_iter().find(|name| block.has(name)).unwrap_or("wforce");
        let launch = Launch::bare(&block.text).program(program).shipped_policies();
        let output = launch.args(&["--check-config"]).run();
        assert!(
            output.status.success(),
            "{}: {}\n{}",
            block.place(),
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

#[test]
fn json_parses() {
    for block in in_language("json") {
        serde_json::from_str::<Value>(&block.text)
            .unwrap_or_else(|error| panic!("{}: {error}", block.place()));
    }
}

#[test]
fn dovecot_takes_its_settings() {
    let folder = TempDir::with_prefix("portcullis-docs-").unwrap();
    for block in in_language("dovecot") {
        let file = folder.path().join("dovecot.conf");
        std::fs::write(&file, &block.text).unwrap();
        process::run_ok(Command::new(tools::system_tool("doveconf")).arg("-n").arg("-c").arg(&file));
    }
}

#[test]
fn units_are_keys_under_sections() {
    for block in in_language("ini") {
        let mut section = None;
        for line in block.text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            if line.starts_with('[') && line.ends_with(']') {
                section = Some(line);
            } else {
                assert!(section.is_some() && line.contains('='), "{}: {line:?}", block.place());
            }
        }
    }
}

/// Links within the project lead somewhere, headings included.
#[test]
fn links_lead_somewhere() {
    for file in markdown::files(tools::workspace()) {
        let text = std::fs::read_to_string(&file).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(char::is_whitespace) {
                continue;
            }
            let (path, heading) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { file.clone() } else { file.parent().unwrap().join(path) };
            assert!(target.exists(), "{}: {link} leads nowhere", file.display());
            if !heading.is_empty() {
                assert!(
                    headings(&target).contains(&heading.to_owned()),
                    "{}: {link}: no such heading",
                    file.display()
                );
            }
        }
    }
}

/// The anchors of a file's headings, as mdbook and forges make them.
fn headings(file: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file).unwrap();
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title
                .chars()
                .filter(|each| each.is_alphanumeric() || matches!(each, ' ' | '-' | '_'))
                .map(|each| if each == ' ' { '-' } else { each })
                .collect()
        })
        .collect()
}

/// Every page is in the book's table of contents.
#[test]
fn no_page_is_lost() {
    let docs = tools::workspace().join("docs");
    let summary = std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap();
    for file in markdown::files(&docs) {
        let name = file.strip_prefix(&docs).unwrap().display().to_string();
        assert!(
            name == "SUMMARY.md" || summary.contains(&format!("({name})")),
            "{name} is not in SUMMARY.md"
        );
    }
}
