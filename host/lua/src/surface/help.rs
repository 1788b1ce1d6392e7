//! What `help()` prints.

use capabilities::Daemon;

use super::{Entry, entries_of, markdown};

/// Columns of what is told.
const COLUMNS: usize = 100;

/// The lines for the console of this daemon: the commands made for it, or what has this word in its name; all that is known of
/// a function whose name that is.
pub fn help(daemon: Daemon, word: Option<&str>) -> Vec<String> {
    let Some(word) = word else {
        let mut lines = one_a_line(entries_of(daemon).filter(|entry| entry.console));
        lines.push("help(\"WORD\") tells of all functions with that word in their names.".into());
        return lines;
    };
    let is_named = |entry: &&Entry| entry.name == word || entry.short_name() == word;
    let named: Vec<&Entry> = entries_of(daemon).filter(is_named).collect();
    if !named.is_empty() {
        return named.into_iter().flat_map(all_of).collect();
    }
    let small = word.to_ascii_lowercase();
    let lines =
        one_a_line(entries_of(daemon).filter(|entry| entry.name.to_ascii_lowercase().contains(&small)));
    if lines.is_empty() { vec![format!("no function of {daemon} has \"{word}\" in its name")] } else { lines }
}

/// Each with the first sentence about it, one below the other.
fn one_a_line<'e>(entries: impl Iterator<Item = &'e Entry>) -> Vec<String> {
    let mut entries: Vec<&Entry> = entries.collect();
    entries.sort_by_key(|entry| entry.name);
    let width = entries.iter().map(|entry| entry.signature().len()).filter(|width| *width <= 40).max();
    let width = width.unwrap_or(0);
    let line = |entry: &&Entry| format!("{:width$}  {}", entry.signature(), first_sentence(entry.doc));
    entries.iter().map(line).collect()
}

fn first_sentence(doc: &str) -> &str {
    doc.find(". ").map_or(doc, |end| &doc[..=end])
}

fn all_of(entry: &Entry) -> Vec<String> {
    let mut lines = vec![entry.signature()];
    for text in [entry.doc, &markdown::facts(entry)] {
        let mut line = String::from("   ");
        for word in text.split_whitespace() {
            if line.len() + 1 + word.len() > COLUMNS {
                lines.push(std::mem::replace(&mut line, "   ".into()));
            }
            line.push(' ');
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_console_tells_what_it_has() {
        let all = help(Daemon::Wforce, None);
        let begins = |lines: &[String], text: &str| lines.iter().any(|line| line.starts_with(text));
        assert!(
            begins(&all, "stats()")
                && begins(&all, "shutdown()")
                && begins(&all, "explain(login, remote, [options])"),
            "{all:#?}"
        );
        assert!(!begins(&all, "runBackground("), "not a function of wforce");
        assert!(begins(&help(Daemon::Trackalert, None), "runBackground("));
        let lists = help(Daemon::Wforce, Some("BLACKLIST"));
        assert!(begins(&lists, "blacklistIP(") && begins(&lists, "unblacklistLogin("), "{lists:#?}");
        assert_eq!(
            help(Daemon::Wforce, Some("nosuch")),
            ["no function of wforce has \"nosuch\" in its name"]
        );
    }

    #[test]
    fn the_whole_name_of_a_function_gives_all_that_is_known_of_it() {
        for name in ["StringStatsDB:twGet", "twGet"] {
            let lines = help(Daemon::Wforce, Some(name));
            assert!(lines[0].starts_with("StringStatsDB:twGet("), "{lines:#?}");
            assert!(lines.iter().all(|line| line.len() <= COLUMNS) && lines.len() > 2, "{lines:#?}");
            assert!(lines.iter().any(|line| line.contains("Takes ")), "{lines:#?}");
        }
    }
}
