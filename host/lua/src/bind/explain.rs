//! `explain()`: why a login would be decided as it would be.

use login::{Addr, Login};
use serde_json::{Map, Value};

use crate::convert::Fault;
use crate::stack::{Args, HostFn, Ret, State, TextOrAddr};

pub(super) const FUNCTIONS: &[(&str, HostFn)] = &[("explain", explain)];

/// The members of a login that the options may name, with what they hold.
const MEMBERS: &[(&str, Holds)] = &[
    ("attrs", Holds::Table),
    ("device_attrs", Holds::Table),
    ("device_id", Holds::Text),
    ("fail_type", Holds::Text),
    ("policy_reject", Holds::Flag),
    ("protocol", Holds::Text),
    ("pwhash", Holds::Text),
    ("session_id", Holds::Text),
    ("success", Holds::Flag),
    ("tls", Holds::Flag),
];

#[derive(Clone, Copy)]
enum Holds {
    Text,
    Flag,
    Table,
}

impl Holds {
    fn fits(self, value: &Value) -> bool {
        match self {
            Holds::Text => value.is_string() || value.is_number(),
            Holds::Flag => value.is_boolean(),
            Holds::Table => value.is_object(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Holds::Text => "a text",
            Holds::Flag => "true or false",
            Holds::Table => "a table with names",
        }
    }
}

fn explain<'a>(state: &'a State, args: &Args<'a>) -> Result<Ret<'a>, Fault> {
    let options = if args.given(3) { args.json(3)? } else { Value::Object(Map::new()) };
    let mut login = read(options)?;
    login.login = args.text(1)?.owned();
    login.remote = match args.text_or_addr(2)? {
        TextOrAddr::Addr(addr) => addr,
        TextOrAddr::Text(text) => Addr::parse(&text)
            .map_err(|_| Fault::caught(format!("explain: \"{}\" is no address", text.owned())))?,
    }
    .unmapped();
    // The policy may have to wait for something, which a console line must not: it is asked when the line is over.
    if !state.host.output.ask(login) {
        return Err(Fault::caught("explain: too many questions in one line"));
    }
    Ok(Ret::None)
}

/// The login of the options alone.
fn read(options: Value) -> Result<Login, Fault> {
    let Value::Object(mut options) = options else {
        return Err(Fault::caught("explain: the options must be a table with names"));
    };
    for (name, value) in &mut options {
        let Some((_, holds)) = MEMBERS.iter().find(|(known, _)| known == name) else {
            let known: Vec<&str> = MEMBERS.iter().map(|(known, _)| *known).collect();
            let text = format!("explain: a login has no \"{name}\", only {}", known.join(", "));
            return Err(Fault::caught(text));
        };
        if !holds.fits(value) {
            return Err(Fault::caught(format!("explain: {name} must be {}", holds.name())));
        }
        if let Value::Number(number) = value {
            *value = Value::String(number.to_string());
        }
    }
    Login::parse(Value::Object(options).to_string().as_bytes())
        .map_err(|error| Fault::caught(format!("explain: {error}")))
}
