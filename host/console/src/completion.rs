//! Tab completion of function names.

use rustyline::completion::Completer;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::validate::Validator;
use rustyline::{Context, Helper};

/// Completes the word at the cursor to the names of a console's functions.
pub(crate) struct Completion {
    names: Vec<String>,
}

impl Completion {
    pub(crate) fn new(mut names: Vec<String>) -> Self {
        names.sort();
        names.dedup();
        Self { names }
    }

    /// Where the word that ends at `position` begins, and the names it may become.
    fn candidates(&self, line: &str, position: usize) -> (usize, Vec<String>) {
        let before = line.get(..position).unwrap_or(line);
        let start = before
            .rfind(|letter: char| !(letter.is_ascii_alphanumeric() || matches!(letter, '_' | '.' | ':')))
            .map_or(0, |place| place + before[place..].chars().next().map_or(0, char::len_utf8));
        let word = &before[start..];
        (start, self.names.iter().filter(|name| name.starts_with(word)).cloned().collect())
    }
}

impl Completer for Completion {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        position: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.candidates(line, position))
    }
}

impl Hinter for Completion {
    type Hint = String;
}

impl Highlighter for Completion {}

impl Validator for Completion {}

impl Helper for Completion {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_at_the_cursor_is_completed() {
        let names = ["stats()", "showVersion()", "showACL()", "siblings()"];
        let completion = Completion::new(names.map(String::from).to_vec());
        assert_eq!(completion.candidates("sta", 3), (0, vec!["stats()".to_owned()]));
        let (start, shows) = completion.candidates("return tostring(show", 20);
        assert_eq!((start, shows), (16, vec!["showACL()".to_owned(), "showVersion()".to_owned()]));
        assert_eq!(completion.candidates("é st", 5), (3, vec!["stats()".to_owned()]));
        assert_eq!(completion.candidates("stats()", 2), (0, vec!["stats()".to_owned()]));
        assert_eq!(completion.candidates("nothing", 7), (0, vec![]));
        assert_eq!(completion.candidates("", 0).1.len(), 4);
    }
}
