//! Components ask the report store.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a panic is how a test fails")]

mod support;

use std::time::Duration;

use serde_json::json;
use support::guest::asks_seen;
use support::{PATIENT, World, login, status};

#[test]
fn a_component_asks_and_is_told_why_if_it_is_not_answered() {
    let world = World::new();
    let options = json!({"deadline_ms": PATIENT});
    let policy = world.load("p", &asks_seen(), &options);
    // 3: unavailable, as there is no store.
    assert_eq!(status(world.allow(&policy)), Some(23));

    let store = json!({"path": world.folder.path().join("store"), "retention_days": 36_500});
    world.caps.reports.configure("embedded", store).unwrap();
    world.caps.reports.start(world.runtime()).unwrap();
    assert_eq!(status(world.allow(&policy)), Some(10));

    let good = login::Login { t: 1_700_000_000.0, success: true, ..(*login()).clone() };
    world.runtime().block_on(async {
        world.caps.take_report(&good, 0).await.unwrap().unwrap();
        assert_eq!(world.caps.reports.flush(Duration::from_mins(1)).await, 0);
    });
    assert_eq!(status(world.allow(&policy)), Some(11));

    // 2: denied.
    let table = json!({"deadline_ms": PATIENT, "capabilities": {"stats": true}});
    let stranger = world.load("stranger", &asks_seen(), &table);
    assert_eq!(status(world.allow(&stranger)), Some(22));
    assert!(world.logged("denied"));
}
