//! Templates: text with `{{name}}` for a value and `{{#name}}...{{/name}}` for a part that is only there if the value is not
//! empty. `{{#fields}}...{{/fields}}` is there once for each field, with `{{name}}` and `{{value}}`.

use std::collections::BTreeMap;

/// How deep parts may be nested.
const DEPTH: usize = 8;

/// Why a text is no template.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SyntaxError {
    /// A `{{` without its `}}`.
    #[error("line {0}: {{{{ without }}}}")]
    Open(usize),
    /// No name, or one with other letters than `a` to `z`, digits, `_`, `-` and `.`.
    #[error("line {0}: {1:?} is no name")]
    Name(usize, String),
    /// A part that does not end, or ends twice.
    #[error("line {0}: {{{{{1}{2}}}}} has no counterpart")]
    Part(usize, char, String),
    /// Parts in parts in parts.
    #[error("line {0}: parts are nested more than {DEPTH} deep")]
    Deep(usize),
}

/// A template, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Value(String),
    Part(String, Vec<Piece>),
}

/// What values look like in the result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// As they are, without control characters other than line ends and tabs.
    Plain,
    /// Without any control characters: for a header.
    Line,
    /// With what means something in HTML escaped.
    Html,
}

/// The values by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Values {
    pub(crate) texts: BTreeMap<String, String>,
    pub(crate) fields: Vec<(String, String)>,
}

impl Values {
    pub(crate) fn set(&mut self, name: &str, text: impl Into<String>) {
        self.texts.insert(name.to_owned(), text.into());
    }
}

impl Template {
    pub(crate) fn parse(text: &str) -> Result<Template, SyntaxError> {
        let mut open: Vec<(String, usize, Vec<Piece>)> = Vec::new();
        let mut pieces = Vec::new();
        let (mut rest, mut line) = (text, 1);
        while let Some((before, after)) = rest.split_once("{{") {
            line += before.matches('\n').count();
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let (tag, after) = after.split_once("}}").ok_or(SyntaxError::Open(line))?;
            let tag = tag.trim();
            let (kind, name) = match tag.chars().next() {
                Some(kind @ ('#' | '/')) => (kind, tag[1..].trim()),
                _ => (' ', tag),
            };
            let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
            if name.is_empty() || !name.chars().all(known) {
                return Err(SyntaxError::Name(line, name.to_owned()));
            }
            match kind {
                '#' if open.len() == DEPTH => return Err(SyntaxError::Deep(line)),
                '#' => open.push((name.to_owned(), line, std::mem::take(&mut pieces))),
                '/' => match open.pop() {
                    Some((opened, _, outer)) if opened == name => {
                        let inner = std::mem::replace(&mut pieces, outer);
                        pieces.push(Piece::Part(opened, inner));
                    }
                    _ => return Err(SyntaxError::Part(line, '/', name.to_owned())),
                },
                _ => pieces.push(Piece::Value(name.to_owned())),
            }
            line += tag.matches('\n').count();
            rest = after;
        }
        if let Some((name, line, _)) = open.pop() {
            return Err(SyntaxError::Part(line, '#', name));
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(rest.to_owned()));
        }
        Ok(Template(pieces))
    }

    /// The text with these values in it.
    pub(crate) fn render(&self, values: &Values, form: Form) -> String {
        let mut out = String::new();
        render(&self.0, values, form, None, &mut out);
        out
    }
}

fn render(pieces: &[Piece], values: &Values, form: Form, field: Option<&(String, String)>, out: &mut String) {
    let value = |name: &str| match (field, name) {
        (Some((name, _)), "name") => name.as_str(),
        (Some((_, value)), "value") => value.as_str(),
        _ => values.texts.get(name).map_or("", String::as_str),
    };
    for piece in pieces {
        match piece {
            Piece::Text(text) => out.push_str(text),
            Piece::Value(name) => write(value(name), form, out),
            Piece::Part(name, inner) if name == "fields" && field.is_none() => {
                values.fields.iter().for_each(|field| render(inner, values, form, Some(field), out));
            }
            Piece::Part(name, inner) => {
                if !value(name).is_empty() {
                    render(inner, values, form, field, out);
                }
            }
        }
    }
}

fn write(value: &str, form: Form, out: &mut String) {
    for c in value.chars() {
        match (form, c) {
            (Form::Html, '&') => out.push_str("&amp;"),
            (Form::Html, '<') => out.push_str("&lt;"),
            (Form::Html, '>') => out.push_str("&gt;"),
            (Form::Html, '"') => out.push_str("&quot;"),
            (Form::Html, '\'') => out.push_str("&#39;"),
            (Form::Plain | Form::Html, '\n' | '\t') => out.push(c),
            (_, c) if c.is_control() => out.push(' '),
            (_, c) => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn values(pairs: &[(&str, &str)]) -> Values {
        let mut values = Values::default();
        for (name, text) in pairs {
            values.set(name, *text);
        }
        values
    }

    fn plain(text: &str, values: &Values) -> String {
        Template::parse(text).unwrap().render(values, Form::Plain)
    }

    #[test]
    fn values_parts_and_fields() {
        let mut values = values(&[("login", "ada"), ("city", "")]);
        assert_eq!(plain("Dear {{login}}{{ nobody }}!", &values), "Dear ada!");
        assert_eq!(
            plain("a{{#city}} in {{city}}{{/city}}{{#login}} of {{login}}{{/login}}", &values),
            "a of ada"
        );
        values.fields = vec![("km".into(), "12".into()), ("h".into(), "3".into())];
        assert_eq!(
            plain("{{#fields}}{{name}}={{value}} ({{login}})\n{{/fields}}", &values),
            "km=12 (ada)\nh=3 (ada)\n"
        );
    }

    #[test]
    fn values_cannot_break_out() {
        let values = values(&[("x", "<b onclick='a()'>\r\nBcc: a@b & \"c\" {{login}}")]);
        let template = Template::parse("{{x}}").unwrap();
        assert_eq!(
            template.render(&values, Form::Html),
            "&lt;b onclick=&#39;a()&#39;&gt; \nBcc: a@b &amp; &quot;c&quot; {{login}}"
        );
        assert_eq!(template.render(&values, Form::Line), "<b onclick='a()'>  Bcc: a@b & \"c\" {{login}}");
    }

    #[test]
    fn mistakes_tell_their_line() {
        for (text, error) in [
            ("a\n{{login", SyntaxError::Open(2)),
            ("{{}}", SyntaxError::Name(1, String::new())),
            ("\n\n{{a b}}", SyntaxError::Name(3, "a b".into())),
            ("{{#a}}\n", SyntaxError::Part(1, '#', "a".into())),
            ("{{#a}}\n{{/b}}", SyntaxError::Part(2, '/', "b".into())),
            ("{{/a}}", SyntaxError::Part(1, '/', "a".into())),
        ] {
            assert_eq!(Template::parse(text).unwrap_err(), error, "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(\\{\\{[#/]?[a-c ]{0,2}\\}\\}|\\PC|[{}\n]){0,40}", value in "\\PC{0,20}") {
            if let Ok(template) = Template::parse(&text) {
                let values = values(&[("a", &value), ("b", "")]);
                let line = template.render(&values, Form::Html);
                let opened = text.matches('<').count();
                prop_assert!(line.matches('<').count() <= opened);
            }
        }
    }
}
