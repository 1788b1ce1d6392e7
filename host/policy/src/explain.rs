//! Why a login was decided as it was: the trace of one `allow`, told.

use std::fmt::Write as _;
use std::sync::Arc;

use bstr::{BString, ByteSlice};
use capabilities::Context;
use capabilities::context::{Step, Timed};
use capabilities::lists::Colour;
use login::json::ObjectWriter;

/// What there is to tell about one decision.
#[derive(Clone)]
pub struct Explanation {
    /// The login as the policy spells it; empty if that could not be told.
    pub login: BString,
    /// What was asked on the way.
    pub context: Arc<Context>,
    /// Microseconds from arrival to decision.
    pub micros: u64,
}

/// What decided.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Decider {
    /// The server's own look at this list.
    List(Colour),
    /// The member of the policy chain that has this name.
    Member(String),
    /// Nothing that is set had anything against it.
    Nobody,
    /// The policy failed; the client was told so.
    Failed,
}

impl std::fmt::Display for Decider {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::List(Colour::Black) => out.write_str("blacklist"),
            Self::List(Colour::White) => out.write_str("whitelist"),
            Self::Member(name) => write!(out, "policy {name}"),
            Self::Nobody => out.write_str("default"),
            Self::Failed => out.write_str("failure"),
        }
    }
}

impl Explanation {
    /// The steps, in order.
    pub fn steps(&self) -> Vec<Timed> {
        self.context.trace().map(capabilities::context::Trace::steps).unwrap_or_default()
    }

    /// What decided.
    pub fn decider(&self) -> Decider {
        let steps = self.steps();
        let members = steps.iter().rev().filter_map(|timed| match &timed.step {
            Step::Member { name, status, failed, .. } => Some((name, status, *failed)),
            _ => None,
        });
        let mut asked = false;
        for (name, status, failed) in members {
            asked = true;
            if failed {
                return Decider::Failed;
            }
            if status.is_some() {
                return Decider::Member(name.clone());
            }
        }
        if asked {
            return Decider::Nobody;
        }
        let hit = |colour| {
            steps.iter().any(
                |timed| matches!(&timed.step, Step::List { colour: of, hit: Some(_), .. } if *of == colour),
            )
        };
        match () {
            // A login on both lists goes on.
            () if hit(Colour::White) => Decider::List(Colour::White),
            () if hit(Colour::Black) => Decider::List(Colour::Black),
            () => Decider::Nobody,
        }
    }

    /// Fuel that components used, if any of theirs is counted.
    pub fn fuel(&self) -> Option<u64> {
        self.context.trace().and_then(capabilities::context::Trace::fuel)
    }

    /// Appends it as a JSON object.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        object.str(b"decided_by", self.decider().to_string().as_bytes());
        object.str(b"login", &self.login);
        if let Some(trace) = self.context.trace() {
            trace.write_json(object.member(b"steps"));
            if trace.left_out() > 0 {
                object.int(b"steps_left_out", i64::try_from(trace.left_out()).unwrap_or(i64::MAX));
            }
        }
        if let Some(fuel) = self.fuel() {
            object.int(b"fuel", i64::try_from(fuel).unwrap_or(i64::MAX));
        }
        object.int(b"took_us", i64::try_from(self.micros).unwrap_or(i64::MAX));
        object.finish();
    }

    /// A few lines for people.
    pub fn text(&self) -> String {
        let mut text = format!("decided by: {}\nlogin:      {}\n", self.decider(), self.login.to_str_lossy());
        for Timed { at, step } in self.steps() {
            let _ = writeln!(text, "{:>8} us  {:<7} {step}", at.as_micros(), step.name());
        }
        let left_out = self.context.trace().map_or(0, capabilities::context::Trace::left_out);
        if left_out > 0 {
            let _ = writeln!(text, "            and {left_out} more steps");
        }
        let _ = writeln!(text, "took:       {} us", self.micros);
        text
    }
}
