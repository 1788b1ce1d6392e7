#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::HashSet;

use super::*;

#[test]
fn every_name_occurs_once_in_a_daemon() {
    for daemon in Daemon::ALL {
        let mut seen = HashSet::new();
        for entry in entries_of(daemon) {
            assert!(seen.insert(entry.name), "{} twice in {daemon}", entry.name);
        }
    }
}

#[test]
fn optional_parameters_are_trailing_and_methods_name_their_object() {
    for entry in entries() {
        let first_optional =
            entry.params.iter().position(|param| param.optional).unwrap_or(entry.params.len());
        assert!(entry.params[first_optional..].iter().all(|param| param.optional), "{}", entry.name);
        assert_eq!(entry.object, entry.name.split_once(':').map(|(object, _)| object), "{}", entry.name);
    }
}

#[test]
fn every_row_says_something() {
    for entry in entries() {
        assert!(entry.doc.len() > 10 && entry.doc.trim_end_matches(')').ends_with('.'), "{}", entry.name);
    }
}

#[test]
fn the_reference_names_everything() {
    let reference = reference_markdown();
    for entry in entries() {
        assert!(reference.contains(&format!("### `{}(", entry.name)), "{}", entry.name);
    }
    for field in FIELDS {
        assert!(reference.contains(&format!("| {} | `{}` |", field.object, field.name)), "{}", field.name);
    }
}

#[test]
fn completion_offers_functions_and_methods() {
    let words = completions(Daemon::Wforce);
    for word in ["addACL(", "showStringStatsDB(", ":twAdd(", ":tostring("] {
        assert!(words.iter().any(|known| known == word), "{word}");
    }
}
