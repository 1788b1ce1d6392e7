//! Several policies behind one hook: what their answers come to.

use crate::Failure;
use crate::call::{Call, Reply};

/// Whether the next member is asked.
#[derive(Debug)]
pub enum Next {
    /// It is, with this call.
    Ask(Call),
    /// The call is over.
    Over(Result<Reply, Failure>),
}

/// Gathers the answers of the members of a chain, in their order.
///
/// * `allow`: the first answer that is not [`Reply::Pass`] is the chain's; if all pass, the chain passes.
/// * `report` and background functions go to all; a failure of one does not keep it from the others, and the first failure is the chain's.
/// * `reset` goes to all; the chain succeeded if all did.
/// * `canonicalize`: each gets what the one before it made of the login.
#[derive(Debug)]
pub struct Gathered {
    reset: bool,
    failure: Option<Failure>,
}

impl Default for Gathered {
    fn default() -> Gathered {
        Gathered { reset: true, failure: None }
    }
}

impl Gathered {
    /// A member answered this call.
    pub fn answered(&mut self, call: Call, result: Result<Reply, Failure>) -> Next {
        match (&call, result) {
            (Call::Report(_) | Call::Background { .. }, Ok(_)) | (_, Ok(Reply::Pass)) => Next::Ask(call),
            (Call::Reset { .. }, Ok(Reply::Flag(done))) => {
                self.reset &= done;
                Next::Ask(call)
            }
            (Call::Report(_) | Call::Background { .. } | Call::Reset { .. }, Err(failure)) => {
                self.failure.get_or_insert(failure);
                Next::Ask(call)
            }
            (Call::Canonicalize(_), Ok(Reply::Text(login))) => Next::Ask(Call::Canonicalize(login)),
            (_, result) => Next::Over(result),
        }
    }

    /// All members were asked; `call`: as the last one left it.
    ///
    /// # Errors
    /// The first failure of those that the others were asked in spite of.
    pub fn end(self, call: &Call) -> Result<Reply, Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        Ok(match call {
            Call::Report(_) | Call::Background { .. } => Reply::Done,
            Call::Reset { .. } => Reply::Flag(self.reset),
            Call::Canonicalize(login) => Reply::Text(login.clone()),
            _ => Reply::Pass,
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::Arc;

    use login::{Addr, Decision};

    use super::*;
    use crate::FailureKind;

    fn run(call: Call, answers: Vec<Result<Reply, Failure>>) -> (Result<Reply, Failure>, usize) {
        let mut gathered = Gathered::default();
        let mut call = call;
        for (asked, answer) in answers.into_iter().enumerate() {
            match gathered.answered(call, answer) {
                Next::Ask(next) => call = next,
                Next::Over(result) => return (result, asked + 1),
            }
        }
        let asked = usize::MAX;
        (gathered.end(&call), asked)
    }

    fn failure() -> Result<Reply, Failure> {
        Err(Failure::new(FailureKind::Error, "broken"))
    }

    #[allow(clippy::unnecessary_wraps)] // an answer among others
    fn decided(status: i32) -> Result<Reply, Failure> {
        Ok(Reply::Decision(Decision { status, ..Decision::default() }))
    }

    #[test]
    fn the_first_that_does_not_pass_decides() {
        let allow = || Call::Allow(Arc::default());
        let (result, asked) = run(allow(), vec![Ok(Reply::Pass), decided(-1), decided(0)]);
        assert!(matches!(result, Ok(Reply::Decision(Decision { status: -1, .. }))) && asked == 2);
        let (result, asked) = run(allow(), vec![Ok(Reply::Pass), failure(), decided(0)]);
        assert!(result.is_err() && asked == 2);
        let (result, _) = run(allow(), vec![Ok(Reply::Pass), Ok(Reply::Pass)]);
        assert!(matches!(result, Ok(Reply::Pass)));
    }

    #[test]
    fn a_report_reaches_everybody() {
        let (result, asked) = run(Call::Report(Arc::default()), vec![failure(), Ok(Reply::Done)]);
        assert!(result.is_err() && asked == usize::MAX);
        let (result, _) = run(Call::Report(Arc::default()), vec![Ok(Reply::Done), Ok(Reply::Pass)]);
        assert!(matches!(result, Ok(Reply::Done)));
    }

    #[test]
    fn a_reset_succeeds_if_all_did() {
        let reset = || Call::Reset { kind: "ip", name: "".into(), ip: Addr::UNSPECIFIED };
        let flags = |flags: &[bool]| flags.iter().map(|flag| Ok(Reply::Flag(*flag))).collect();
        assert!(matches!(run(reset(), flags(&[true, true])).0, Ok(Reply::Flag(true))));
        assert!(matches!(run(reset(), flags(&[false, true])).0, Ok(Reply::Flag(false))));
    }

    #[test]
    fn each_canonicalizer_gets_what_the_one_before_made() {
        let texts = vec![Ok(Reply::Text("two".into())), Ok(Reply::Pass), Ok(Reply::Text("three".into()))];
        let (result, _) = run(Call::Canonicalize("one".into()), texts);
        assert!(matches!(result, Ok(Reply::Text(text)) if text == "three"));
    }
}
