#![allow(clippy::unwrap_used, clippy::expect_used)]
use super::*;

fn document() -> Value {
    openapi(
        Daemon::Wforce,
        "1.2.3",
        &[
            Endpoint { name: "mine".into(), get: false, to_sinks: false },
            Endpoint { name: "mine".into(), get: true, to_sinks: false },
            Endpoint { name: "a b".into(), get: true, to_sinks: false },
            Endpoint { name: "PING".into(), get: true, to_sinks: false },
        ],
    )
}

#[test]
fn every_command_stands_in_both_forms() {
    let document = document();
    for command in commands(Daemon::Wforce) {
        let operation = &document["paths"][format!("/command/{}", command.name)][method(command.verb)];
        assert_eq!(operation["operationId"], command.name);
        for answer in command.answers {
            assert!(operation["responses"].get(answer.status.to_string()).is_some(), "{}", command.name);
        }
        let names = &document["paths"]["/"][method(command.verb)]["parameters"][0]["schema"]["enum"];
        let listed = names.as_array().unwrap().contains(&json!(command.name));
        assert_eq!(listed, !command.path_only, "{}", command.name);
    }
}

#[test]
fn only_health_is_without_security() {
    let document = document();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for operation in methods.as_object().unwrap().values() {
            let open = operation.get("security") == Some(&json!([]));
            assert_eq!(open, ["/command/livez", "/command/readyz"].contains(&path.as_str()), "{path}");
        }
    }
}

#[test]
fn custom_endpoints_are_in_unless_hidden() {
    let document = document();
    assert!(document["paths"]["/command/mine"]["get"].is_object());
    assert!(document["paths"]["/command/mine"]["post"].is_object());
    assert!(document["paths"]["/command/a%20b"]["get"].is_object());
    assert!(document["paths"].get("/command/PING").is_none());
}

#[test]
fn operation_ids_are_unique_and_references_lead_somewhere() {
    let document = document();
    let mut ids = Vec::new();
    for methods in document["paths"].as_object().unwrap().values() {
        for operation in methods.as_object().unwrap().values() {
            ids.push(operation["operationId"].as_str().unwrap().to_owned());
            for response in operation["responses"].as_object().unwrap().values() {
                if let Some(reference) = response.get("$ref") {
                    let pointer = reference.as_str().unwrap().trim_start_matches('#');
                    assert!(document.pointer(pointer).is_some(), "{pointer}");
                }
            }
        }
    }
    let count = ids.len();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), count);
}
