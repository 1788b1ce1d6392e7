//! HTML, written so that a text cannot be taken for markup.

use crate::style::STYLE;

/// A page that is being written.
pub(crate) struct Html(String);

impl Html {
    /// The head of a page in a language, with its title.
    pub(crate) fn page(language: &str, title: &str) -> Html {
        let mut html = Html(String::with_capacity(16 << 10));
        html.raw("<!doctype html>\n<html lang=\"")
            .text(language)
            .raw("\">\n<head>\n<meta charset=\"utf-8\">\n");
        html.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n");
        html.raw("<meta name=\"color-scheme\" content=\"light dark\">\n<meta name=\"robots\" content=\"noindex\">\n<title>");
        html.text(title).raw("</title>\n<style>").raw(STYLE).raw("</style>\n</head>\n<body>\n");
        html
    }

    /// Markup, as it is: never anything that came from outside.
    pub(crate) fn raw(&mut self, markup: &str) -> &mut Html {
        self.0.push_str(markup);
        self
    }

    /// Text, also inside of an attribute's quotes.
    pub(crate) fn text(&mut self, text: &str) -> &mut Html {
        for c in text.chars() {
            match c {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                '\'' => self.0.push_str("&#39;"),
                // What reorders or hides text has no business here: a login must look like what it is.
                c if login::screen::steers(c) && c != '\n' => self.0.push('\u{fffd}'),
                c => self.0.push(c),
            }
        }
        self
    }

    /// An element with a text and nothing else.
    pub(crate) fn element(&mut self, name: &str, text: &str) -> &mut Html {
        self.raw("<").raw(name).raw(">").text(text).raw("</").raw(name).raw(">\n")
    }

    /// The whole page.
    pub(crate) fn finish(mut self) -> String {
        self.raw("</body>\n</html>\n");
        self.0
    }
}

/// A text as a part of a URL's query.
pub(crate) fn query(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(byte as char),
            byte => {
                out.push('%');
                out.extend(char::from_digit(u32::from(byte >> 4), 16));
                out.extend(char::from_digit(u32::from(byte & 15), 16));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_do_not_become_markup() {
        let mut html = Html::page("en", "</title><script>");
        html.element("p", "a<b> & \"c\" 'd'\u{202e}\u{0}");
        let page = html.finish();
        assert!(!page.contains("<script>"));
        assert!(page.contains("<p>a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;\u{fffd}\u{fffd}</p>"));
        assert_eq!(query("a b&c=é"), "a%20b%26c%3d%c3%a9");
    }

    proptest! {
        #[test]
        fn no_text_opens_a_tag(text in "\\PC{0,60}") {
            let mut html = Html(String::new());
            html.text(&text);
            prop_assert!(!html.0.contains(['<', '>', '"', '\'']));
        }
    }
}
