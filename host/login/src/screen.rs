//! Text of others on a terminal or in a table.

/// Whether a character would do something to the text around it: control characters, and those that change the direction of
/// what follows or are not seen. Joiners (U+200C, U+200D) are left: several scripts and emoji are written with them.
pub fn steers(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}'
                | '\u{200b}'
                | '\u{200e}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
        )
}

/// The text with U+FFFD for what steers: what a client sent must neither steer a terminal nor look like something else.
pub fn shown(text: &str) -> String {
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_steers_what_is_around_it() {
        assert_eq!(
            shown("a\u{1b}[31m\u{202e}b\u{2066}c\u{200f}\n"),
            "a\u{fffd}[31m\u{fffd}b\u{fffd}c\u{fffd}\u{fffd}"
        );
        assert_eq!(
            shown("J\u{f6}rg \u{5d0}\u{5d1} \u{65e5}\u{672c}"),
            "J\u{f6}rg \u{5d0}\u{5d1} \u{65e5}\u{672c}"
        );
    }
}
