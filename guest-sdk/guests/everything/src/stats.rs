//! Stats DBs.

use crate::Answer;
use crate::args::{self, Args};
use crate::host::stats::{Action, Key, Operation, Value, open};

fn key<'a>(args: &'a Args<'_>) -> Key<'a> {
    match args.find("ip") {
        Some(_) => Key::Address(args.address("ip")),
        None => Key::Text(args.text("key")),
    }
}

fn value<'a>(args: &'a Args<'_>) -> Option<Value<'a>> {
    if args.find("number").is_some() {
        return Some(Value::Number(args.number("number")));
    }
    if args.find("value-ip").is_some() {
        return Some(Value::Address(args.address("value-ip")));
    }
    args.find("value").map(Value::Text)
}

fn list(counts: &[i32]) -> String {
    counts.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

/// The steps of a batch: `add:FIELD:VALUE`, `get:FIELD`; a value that is a number is one.
fn steps<'a>(args: &'a Args<'_>) -> Vec<Operation<'a>> {
    let step = |text: &'a str| {
        let mut parts = text.split(':');
        let action = match parts.next() {
            Some("add") => Action::Add,
            Some("sub") => Action::Sub,
            Some("get") => Action::Get,
            Some("current") => Action::Current,
            other => panic!("no step {other:?}"),
        };
        let field = parts.next().unwrap_or_default();
        let value = parts.next().map(|text| text.parse().map_or(Value::Text(text), Value::Number));
        Operation { action, key: key(args), field, value }
    };
    let steps: Vec<_> = args.list("steps").map(step).collect();
    let times = args.number::<usize>("times").max(1);
    core::iter::repeat_n(steps, times).flatten().collect()
}

pub fn call(function: &str, args: &Args<'_>) -> Answer {
    let db = open(args.find("db").unwrap_or("db"))?;
    let (of, field) = (key(args), args.text("field"));
    let number = |count: i32| count.to_string();
    let nothing = |(): ()| String::new();
    let with = || value(args).expect("a value");
    match function {
        "open" => Ok(String::new()),
        "db.name" => Ok(db.name()),
        "db.add" => db.add(of, field, with()).map(nothing),
        "db.add-count" => db.add_count(of, field, with(), args.number("count")).map(nothing),
        "db.sub" => db.sub(of, field, with()).map(nothing),
        "db.get" => db.get(of, field).map(number),
        "db.get-value" => db.get_value(of, field, with()).map(number),
        "db.current" => db.current(of, field, value(args)).map(number),
        "db.windows" => db.windows(of, field, value(args)).map(|counts| list(&counts)),
        "db.batch" if args.find("times").is_some() => {
            db.batch(&steps(args)).map(|counts| format!("{} answers", counts.len()))
        }
        "db.batch" => db.batch(&steps(args)).map(|counts| list(&counts)),
        "db.reset" => db.reset(of).map(nothing),
        "db.reset-field" => db.reset_field(of, field).map(nothing),
        "db.size" => db.size().map(|size| size.to_string()),
        "db.address-key" => Ok(db.address_key(args.address("ip"))),
        other => args::unknown(other),
    }
}
