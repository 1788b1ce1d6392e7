//! The REST API keeps what its `OpenAPI` document promises, whatever it is sent.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

use std::process::Command;

use portcullis_tests::{Launch, process, tools};
use serde_json::Value;

#[test]
fn answers_are_as_documented() {
    let daemon = Launch::demo().start();
    let output = process::run(
        Command::new(tools::python_tool("schemathesis"))
            .current_dir(daemon.folder())
            .args(["--no-color", "run"])
            .arg(format!("http://{}/openapi.json", daemon.http))
            .args(["--auth", "wforce:secret", "--max-examples", "25", "--seed", "1", "--no-shrink"])
            .args(["--phases", "examples,coverage,fuzzing", "--continue-on-failure"])
            // Wrong input is a 500 in this protocol as often as a 400: documented, so no failure by itself.
            .args(["--checks", "status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance"])
            .args(["--suppress-health-check", "all", "--generation-database", "none"]),
    );
    assert!(
        output.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(daemon.client().get("/command/ping").status, 200, "the server is well");
}

#[test]
fn the_document_in_the_book_is_the_one_served() {
    let daemon = Launch::demo().start();
    let served = daemon.client().get("/openapi.json");
    assert_eq!(served.status, 200);
    let kept = std::fs::read(tools::workspace().join("docs/openapi.json")).unwrap();
    let kept: Value = serde_json::from_slice(&kept).unwrap();
    assert_eq!(kept, served.json());
    assert_eq!(kept["openapi"].as_str().map(|version| &version[..3]), Some("3.1"));
}
