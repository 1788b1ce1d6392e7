//! What goes to a terminal: colours and progress, neither for files, pipes and machines.

use std::fmt::Write as _;
use std::io::IsTerminal;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use login::Decision;
use policy::Failure;

use super::cases::word;

/// How text for people is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Style {
    colour: bool,
}

impl Style {
    /// Colours if standard output is a terminal and `NO_COLOR` is unset or empty.
    pub fn of_stdout() -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: !refused && std::io::stdout().is_terminal() }
    }

    /// No colours.
    pub fn plain() -> Self {
        Self { colour: false }
    }

    fn paint(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }

    /// For what is well.
    pub fn good(self, text: &str) -> String {
        self.paint("32", text)
    }

    /// For what is not.
    pub fn bad(self, text: &str) -> String {
        self.paint("31", text)
    }

    /// For what matters less.
    pub fn faint(self, text: &str) -> String {
        self.paint("2", text)
    }
}

/// The answer to a question, for people: what was decided, the message, the attributes.
pub fn answer(style: Style, result: &Result<Decision, Failure>) -> String {
    let verdict = word(result);
    let mut text = if verdict == "allow" { style.good(verdict) } else { style.bad(verdict) };
    // Writing into a String does not fail.
    let _ = match result {
        Ok(decision) => writeln!(text, " (status {})", decision.status),
        Err(failure) => writeln!(text, ": {}", failure.told()),
    };
    let decision = result.iter().filter(|decision| !decision.msg.is_empty());
    decision.for_each(|decision| {
        let _ = writeln!(text, "message:    {}", decision.msg);
    });
    for (name, value) in result.iter().flat_map(|decision| &decision.attrs) {
        let _ = writeln!(text, "attribute:  {name} = {value}");
    }
    text
}

/// A progress bar on standard error; invisible unless that is a terminal.
pub fn progress(length: u64, bytes: bool) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr_with_hz(5));
    let template = if bytes {
        "{bar:40} {bytes}/{total_bytes} {elapsed} {msg}"
    } else {
        "{bar:40} {pos}/{len} {elapsed} {msg}"
    };
    // A template that does not parse leaves the default style.
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

/// For work that does not say how far it is: what it is and for how long it has been going on, on standard error; invisible unless
/// that is a terminal.
pub fn working(what: &str) -> ProgressBar {
    let spinner = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(5));
    let spinner = match ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        Ok(style) => spinner.with_style(style),
        Err(_) => spinner,
    };
    spinner.set_message(what.to_owned());
    spinner.enable_steady_tick(std::time::Duration::from_millis(200));
    spinner
}
