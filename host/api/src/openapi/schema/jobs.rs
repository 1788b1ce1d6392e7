//! Bodies of the commands of background functions.

use serde_json::{Value, json};

use super::{exactly, string};

/// The answer to `jobs`.
pub(crate) fn jobs() -> Value {
    let seconds = |about: &str| json!({"type": "number", "description": about});
    let time = |about: &str| json!({"type": ["number", "null"], "description": about});
    let last = json!({
        "type": ["object", "null"],
        "description": "The last run that ended.",
        "properties": {
            "began": seconds("Unix seconds."),
            "error": string("Why it failed."),
            "result": {"enum": ["done", "failed"]},
            "seconds": seconds("How long it took."),
        },
        "required": ["began", "result", "seconds"],
        "additionalProperties": false,
    });
    let job = exactly(&json!({
        "deadline": seconds("A run that takes longer is stopped."),
        "failures": {"type": "integer", "description": "Runs that failed."},
        "jitter": seconds("Each run starts up to this much later."),
        "last": last,
        "missed": {"enum": ["skip", "run once"]},
        "name": string("The background function."),
        "next": time("The next run, unix seconds."),
        "once_per_cluster": {"type": "boolean"},
        "overlap": {"type": "boolean"},
        "running": {"type": "integer", "description": "Runs going on."},
        "runs": {"type": "integer", "description": "Runs since the start."},
        "schedule": string("When it is due, in words."),
        "skipped": {"type": "integer", "description": "Runs that were left out."},
        "timezone": string("Of its schedule; `local` if the system's has no name."),
    }));
    exactly(&json!({"jobs": {"type": "array", "items": job}}))
}

/// The body of `runBackground`.
pub(crate) fn run_background() -> Value {
    json!({
        "type": "object",
        "properties": {"name": {"type": "string", "minLength": 1, "description": "The background function."}},
        "required": ["name"],
    })
}
