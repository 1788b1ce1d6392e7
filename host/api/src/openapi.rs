//! The OpenAPI 3.1 document, made from the table of commands.

pub(crate) mod schema;

use std::fmt::Write as _;

use capabilities::Daemon;
use policy::Endpoint;
use serde_json::{Map, Value, json};

use crate::command::{Answer, Command, Shape, Verb, commands};

const JSON: &str = "application/json";
const HTML: &str = "text/html";
const TEXT: &str = "text/plain";

/// The document for this daemon, version of the program and these custom endpoints.
///
/// Each command has its own path `/command/NAME`. The older form, `/?command=NAME`, is one operation for all commands
/// called with `GET` and one for those called with `POST`: OpenAPI tells operations apart by path and method only.
pub fn openapi(daemon: Daemon, version: &str, endpoints: &[Endpoint]) -> Value {
    let commands = commands(daemon);
    let mut paths = Map::new();
    for command in commands {
        paths.insert(format!("/command/{}", command.name), json!({method(command.verb): by_path(command)}));
    }
    for endpoint in endpoints {
        // A built-in command of this name, in whatever case, hides it; so does an earlier endpoint of this verb.
        if commands.iter().any(|command| command.name.eq_ignore_ascii_case(&endpoint.name)) {
            continue;
        }
        let verb = if endpoint.get { Verb::Get } else { Verb::Post };
        let path = paths.entry(format!("/command/{}", segment(&endpoint.name))).or_insert_with(|| json!({}));
        if path.get(method(verb)).is_none() {
            path[method(verb)] = custom(daemon, endpoint);
        }
    }
    paths.insert(
        "/".to_owned(),
        json!({
            "get": by_query(daemon, Verb::Get, endpoints),
            "post": by_query(daemon, Verb::Post, endpoints),
        }),
    );
    paths.insert("/metrics".to_owned(), json!({"get": metrics()}));
    paths.insert("/openapi.json".to_owned(), json!({"get": this_document()}));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": title(daemon),
            "version": version,
            "description": about(daemon).to_owned() + " \
                Strings are byte strings: bytes that are no UTF-8 come back as they were sent. Names in \
                `/command/NAME` count in any case. Members of a body that are not named here are ignored, and so is \
                the Content-Type of a request. `HEAD` works wherever `GET` does.",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "security": [{"basic": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"basic": {
                "type": "http",
                "scheme": "basic",
                "description": "Any user name that is not empty, and the password of the web server.",
            }},
            "responses": {
                "Unauthorized": content("The peer is not in the ACL, or the password is wrong.", HTML, &schema::unauthorized()),
                "NotFound": content("No such path or command.", HTML, &schema::failure()),
                "Refused": {"description": "Not with this method. Empty."},
                "TooSlow": {"description": "The body did not arrive in time. Empty."},
                "TooLarge": {"description": "The body is larger than 1 MiB. Empty."},
                "TargetTooLong": {"description": "The request target is 64 KiB or longer. Empty."},
                "HeadersTooLarge": {"description": "Too many or too large headers. Empty."},
            },
        },
    })
}

fn title(daemon: Daemon) -> &'static str {
    match daemon {
        Daemon::Wforce => "Portcullis",
        Daemon::Trackalert => "Portcullis trackalert",
        Daemon::Replfwd => "Portcullis replfwd",
    }
}

fn about(daemon: Daemon) -> &'static str {
    match daemon {
        Daemon::Wforce => {
            "Login-abuse policy server: clients report logins and ask whether a login may go on."
        }
        Daemon::Trackalert => {
            "The long memory of logins: clients report them, policies look through them later."
        }
        Daemon::Replfwd => "Passes on what siblings send each other.",
    }
}

fn method(verb: Verb) -> &'static str {
    match verb {
        Verb::Get => "get",
        Verb::Post => "post",
    }
}

fn content(about: &str, media_type: &str, schema: &Value) -> Value {
    json!({"description": about, "content": {media_type: {"schema": schema}}})
}

/// The answers that every operation can give.
fn common() -> Map<String, Value> {
    let named = [
        ("401", "Unauthorized"),
        ("404", "NotFound"),
        ("405", "Refused"),
        ("408", "TooSlow"),
        ("413", "TooLarge"),
        ("414", "TargetTooLong"),
        ("431", "HeadersTooLarge"),
    ];
    let reference = |name| json!({"$ref": format!("#/components/responses/{name}")});
    let mut answers: Map<_, _> =
        named.into_iter().map(|(status, name)| (status.to_owned(), reference(name))).collect();
    answers.insert("400".to_owned(), json!({"description": "The request is no HTTP. Empty."}));
    answers
}

fn answers(of: &[Answer]) -> Map<String, Value> {
    let mut all = common();
    for answer in of {
        let described = match answer.shape {
            Shape::Json(schema) => content(answer.about, JSON, &schema()),
            Shape::EmptyJson => json!({"description": answer.about, "content": {JSON: {}}}),
            Shape::EmptyHtml => json!({"description": answer.about, "content": {HTML: {}}}),
        };
        all.insert(answer.status.to_string(), described);
    }
    all
}

fn body(schema: &Value) -> Value {
    json!({"required": true, "content": {JSON: {"schema": schema}}})
}

fn by_path(command: &Command) -> Value {
    let mut operation = json!({
        "operationId": command.name,
        "summary": command.about,
        "responses": answers(command.answers),
    });
    if let Some(schema) = command.request {
        operation["requestBody"] = body(&schema());
    }
    if command.open {
        operation["security"] = json!([]);
    }
    operation
}

/// The older form of all commands of a verb.
fn by_query(daemon: Daemon, verb: Verb, endpoints: &[Endpoint]) -> Value {
    let table = commands(daemon);
    let commands = || table.iter().filter(move |command| command.verb == verb && !command.path_only);
    let mine = || endpoints.iter().filter(move |endpoint| endpoint.get == (verb == Verb::Get));
    let mut names: Vec<&str> = commands().map(|command| command.name).collect();
    let (mut requests, mut responses) = (Vec::new(), Map::new());
    for command in commands() {
        requests.extend(command.request.map(|schema| schema()));
        for answer in command.answers {
            let Shape::Json(schema) = answer.shape else { continue };
            add(&mut responses, &answer.status.to_string(), schema());
        }
    }
    for endpoint in mine() {
        if !names.contains(&&*endpoint.name) {
            names.push(&endpoint.name);
        }
        if !endpoint.get {
            requests.push(schema::custom());
            add(&mut responses, "200", schema::custom_reply());
        }
        let of_track = daemon == Daemon::Trackalert && !endpoint.get;
        add(&mut responses, "500", if of_track { schema::track_custom_failure() } else { schema::failure() });
    }
    let mut all = common();
    for (status, schemas) in responses {
        all.insert(status, content("As under the command's own path.", JSON, &json!({"anyOf": schemas})));
    }
    if verb == Verb::Get {
        // `readyz` has an empty body, custom endpoints have text: no schema holds for all of them.
        let any = json!({"description": "As under the command's own path.", "content": {JSON: {}, TEXT: {}}});
        for status in ["200", "500", "503"] {
            all.insert(status.to_owned(), any.clone());
        }
    }
    let mut operation = json!({
        "operationId": format!("{}ByQuery", method(verb)),
        "summary": "The same commands in the older URL form. Names count exactly as written.",
        "parameters": [{
            "name": "command",
            "in": "query",
            "required": true,
            "description": "Name of the command.",
            "schema": {"type": "string", "enum": names},
        }],
        "responses": all,
    });
    if !requests.is_empty() {
        requests.dedup();
        operation["requestBody"] = body(&json!({"anyOf": requests}));
    }
    operation
}

/// Adds a schema to those of a status, unless it is there.
fn add(responses: &mut Map<String, Value>, status: &str, schema: Value) {
    let schemas = responses.entry(status).or_insert_with(|| json!([]));
    if let Some(schemas) = schemas.as_array_mut()
        && !schemas.contains(&schema)
    {
        schemas.push(schema);
    }
}

fn custom(daemon: Daemon, endpoint: &Endpoint) -> Value {
    let mut responses = common();
    let summary = "A custom endpoint of the configuration.";
    if endpoint.get {
        responses.insert(
            "200".to_owned(),
            content("What its function returned.", TEXT, &json!({"type": "string"})),
        );
        let about = "The policy failed; the text is JSON.";
        responses.insert("500".to_owned(), content(about, TEXT, &json!({"type": "string"})));
        return json!({"operationId": format!("{}Get", endpoint.name), "summary": summary, "responses": responses});
    }
    responses.insert("200".to_owned(), content("What its function returned.", JSON, &schema::custom_reply()));
    if daemon == Daemon::Trackalert {
        let about = "The policy failed, or the body is no JSON, or `null`.";
        responses.insert("500".to_owned(), content(about, JSON, &schema::track_custom_failure()));
    } else {
        let about = "The body is no JSON, or `null`.";
        responses.insert("400".to_owned(), content(about, JSON, &schema::failure()));
        let about = "The policy failed.";
        responses.insert("500".to_owned(), content(about, JSON, &schema::failure_or_bare()));
    }
    json!({
        "operationId": format!("{}Post", endpoint.name),
        "summary": summary,
        "requestBody": body(&schema::custom()),
        "responses": responses,
    })
}

fn metrics() -> Value {
    let mut responses = common();
    let about = "Prometheus text format 0.0.4.";
    responses.insert("200".to_owned(), content(about, TEXT, &json!({"type": "string"})));
    json!({
        "operationId": "metrics",
        "summary": "Metrics. The configuration can open them to those without the password.",
        "security": [{"basic": []}, {}],
        "responses": responses,
    })
}

fn this_document() -> Value {
    let mut responses = common();
    responses.insert("200".to_owned(), content("This document.", JSON, &json!({"type": "object"})));
    json!({"operationId": "openapi", "summary": "This document.", "responses": responses})
}

/// A name as a path segment.
fn segment(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            // Writing into a string does not fail.
            let _ = write!(text, "%{byte:02X}");
        }
    }
    text
}

#[cfg(test)]
mod tests;
