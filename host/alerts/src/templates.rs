//! The templates of mail: built in, and the operator's own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::template::{Form, SyntaxError, Template, Values};

/// Bytes of a template's file.
const LONGEST: u64 = 256 << 10;
/// How the text of mail says what its subject is.
const SUBJECT: &str = "Subject:";

/// Files named `AUDIENCE.LANGUAGE.KIND`.
const BUILT_IN: &[(&str, &str)] = &[
    ("operator.de.html", include_str!("../templates/operator.de.html")),
    ("operator.de.txt", include_str!("../templates/operator.de.txt")),
    ("operator.en.html", include_str!("../templates/operator.en.html")),
    ("operator.en.txt", include_str!("../templates/operator.en.txt")),
    ("user.de.html", include_str!("../templates/user.de.html")),
    ("user.de.txt", include_str!("../templates/user.de.txt")),
    ("user.en.html", include_str!("../templates/user.en.html")),
    ("user.en.txt", include_str!("../templates/user.en.txt")),
    ("user.es.html", include_str!("../templates/user.es.html")),
    ("user.es.txt", include_str!("../templates/user.es.txt")),
    ("user.fr.html", include_str!("../templates/user.fr.html")),
    ("user.fr.txt", include_str!("../templates/user.fr.txt")),
    ("user.nl.html", include_str!("../templates/user.nl.html")),
    ("user.nl.txt", include_str!("../templates/user.nl.txt")),
];

/// Why templates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TemplateError {
    /// The folder or a file in it cannot be read.
    #[error("templates: cannot read {}: {reason}", path.display())]
    Read {
        /// The folder or file.
        path: PathBuf,
        /// What the system says.
        reason: String,
    },
    /// A file is no template.
    #[error("template {name}: {reason}")]
    Syntax {
        /// The file.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// Whom mail is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Audience {
    /// Who runs the service.
    Operator,
    /// Whose login it is.
    User,
}

impl Audience {
    fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::User => "user",
        }
    }
}

/// A mail without its addresses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Letter {
    pub(crate) subject: String,
    pub(crate) text: String,
    pub(crate) html: Option<String>,
}

#[derive(Debug)]
struct Sheet {
    subject: Template,
    text: Template,
}

/// All of them, by name (`user`, `user-new-country`) and language.
#[derive(Debug)]
pub(crate) struct Templates {
    texts: BTreeMap<(String, String), Sheet>,
    pages: BTreeMap<(String, String), Template>,
    /// The language for which there is always something.
    fallback: String,
}

impl Templates {
    /// The built-in ones, and before them those of a folder.
    pub(crate) fn open(folder: Option<&Path>, fallback: &str) -> Result<Templates, TemplateError> {
        let (texts, pages) = (BTreeMap::new(), BTreeMap::new());
        let mut templates = Templates { texts, pages, fallback: fallback.to_ascii_lowercase() };
        for (name, text) in BUILT_IN {
            templates.add(name, text)?;
        }
        let Some(folder) = folder else { return Ok(templates) };
        let cannot = |path: &Path, error: &std::io::Error| TemplateError::Read {
            path: path.to_owned(),
            reason: error.to_string(),
        };
        let mut own = Vec::new();
        for file in std::fs::read_dir(folder).map_err(|error| cannot(folder, &error))? {
            let path = file.map_err(|error| cannot(folder, &error))?.path();
            let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
            if !matches!(name.rsplit_once('.'), Some((_, "txt" | "html"))) {
                continue;
            }
            let text = files::read_text(&path, LONGEST).map_err(|error| cannot(&path, &error))?;
            own.push((name.to_owned(), text));
        }
        // Text of one's own without HTML of one's own must not come with the HTML of somebody else.
        for stem in own.iter().filter_map(|(name, _)| name.strip_suffix(".txt")) {
            if let Some(key) = key_of(stem) {
                templates.pages.remove(&key);
            }
        }
        for (name, text) in own {
            templates.add(&name, &text)?;
        }
        Ok(templates)
    }

    fn add(&mut self, name: &str, text: &str) -> Result<(), TemplateError> {
        let wrong = |reason: String| TemplateError::Syntax { name: name.to_owned(), reason };
        let syntax = |error: SyntaxError| wrong(error.to_string());
        let (stem, kind) = name.rsplit_once('.').unwrap_or((name, ""));
        let key = key_of(stem).ok_or_else(|| {
            wrong("its name must be like user.en.txt, user-REASON.en.html or operator.en.txt".to_owned())
        })?;
        if kind == "html" {
            self.pages.insert(key, Template::parse(text).map_err(syntax)?);
            return Ok(());
        }
        let (first, rest) = text.split_once('\n').unwrap_or((text, ""));
        let subject = first
            .strip_prefix(SUBJECT)
            .ok_or_else(|| wrong(format!("its first line must be \"{SUBJECT} ...\"")))?;
        let body = rest.trim_start_matches(['\r', '\n']);
        let sheet = Sheet {
            subject: Template::parse(subject.trim()).map_err(syntax)?,
            text: Template::parse(body).map_err(syntax)?,
        };
        self.texts.insert(key, sheet);
        Ok(())
    }

    /// The letter for this reason in the best language there is.
    pub(crate) fn write(
        &self,
        audience: Audience,
        reason: &str,
        language: Option<&str>,
        values: &Values,
    ) -> Letter {
        let special = format!("{}-{reason}", audience.word());
        for language in self.languages(language) {
            for name in [&special, audience.word()] {
                let key = (name.to_owned(), language.clone());
                let Some(sheet) = self.texts.get(&key) else { continue };
                return Letter {
                    subject: sheet.subject.render(values, Form::Line),
                    text: sheet.text.render(values, Form::Plain),
                    html: self.pages.get(&key).map(|page| page.render(values, Form::Html)),
                };
            }
        }
        // Not reached: English is built in.
        Letter { subject: reason.to_owned(), text: String::new(), html: None }
    }

    /// `pt-BR`, `pt`, the configuration's, English.
    fn languages(&self, wanted: Option<&str>) -> Vec<String> {
        let mut all = Vec::new();
        for language in wanted.into_iter().chain([self.fallback.as_str(), "en"]) {
            let language = language.to_ascii_lowercase().replace('_', "-");
            let primary = language.split('-').next().unwrap_or_default().to_owned();
            all.extend([language, primary]);
        }
        all
    }
}

/// Name and language of `user-new.country.pt-br`.
fn key_of(stem: &str) -> Option<(String, String)> {
    let (name, language) = stem.rsplit_once('.')?;
    let audience = name.split('-').next()?;
    let known = [Audience::Operator, Audience::User].iter().any(|one| one.word() == audience);
    (known && !language.is_empty())
        .then(|| (name.to_owned(), language.to_ascii_lowercase().replace('_', "-")))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn values() -> Values {
        let mut values = Values::default();
        for (name, text) in [
            ("login", "ada@example.com"),
            ("time", "2026-11-26 02:25 UTC"),
            ("ip", "192.0.2.1"),
            ("reason", "new-country"),
            ("severity", "warning"),
            ("confirm", "https://example.com/confirm?t=x&l=en"),
        ] {
            values.set(name, text);
        }
        values
    }

    #[test]
    fn the_built_in_ones_are_complete() {
        let templates = Templates::open(None, "en").unwrap();
        for language in ["en", "de", "fr", "es", "nl"] {
            let letter = templates.write(Audience::User, "new-country", Some(language), &values());
            let html = letter.html.unwrap();
            assert!(html.contains(&format!("<html lang=\"{language}\">")));
            assert!(html.contains("https://example.com/confirm?t=x&amp;l=en") && html.contains("192.0.2.1"));
            assert!(letter.text.contains("https://example.com/confirm?t=x&l=en"));
            assert!(letter.text.contains("ada@example.com") && !letter.subject.is_empty());
        }
        let letter = templates.write(Audience::Operator, "new-country", None, &values());
        assert_eq!(letter.subject, "[warning] new-country: ada@example.com (192.0.2.1)");
    }

    #[test]
    fn the_nearest_language_is_taken() {
        let templates = Templates::open(None, "fr").unwrap();
        let subject = |language| templates.write(Audience::User, "x", language, &values()).subject;
        assert_eq!(subject(Some("de_AT")), "Eine Anmeldung bei Ihrem Konto");
        assert_eq!(subject(Some("NL")), "Een aanmelding bij uw account");
        assert_eq!(subject(Some("tlh")), "Une connexion à votre compte");
        assert_eq!(subject(None), "Une connexion à votre compte");
    }

    #[test]
    fn the_operators_own_go_before() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        put("user.en.txt", "Subject: Ours, {{login}}\n\nHi\n");
        put("user-new-country.en.txt", "Subject: Abroad\n\nHi {{ip}}\n");
        put("user-new-country.en.html", "<p>{{ip}}</p>");
        put("README.md", "not a template {{");
        let templates = Templates::open(Some(folder.path()), "en").unwrap();
        let plain = templates.write(Audience::User, "other", Some("en"), &values());
        assert_eq!((plain.subject.as_str(), plain.html), ("Ours, ada@example.com", None));
        let special = templates.write(Audience::User, "new-country", Some("en"), &values());
        assert_eq!(
            (special.text.as_str(), special.html.as_deref()),
            ("Hi 192.0.2.1\n", Some("<p>192.0.2.1</p>"))
        );
        put("user.de.txt", "Hallo\n");
        let error = Templates::open(Some(folder.path()), "en").unwrap_err().to_string();
        assert!(error.contains("user.de.txt") && error.contains("Subject:"), "{error}");
        put("user.de.txt", "Subject: {{\n");
        let error = Templates::open(Some(folder.path()), "en").unwrap_err().to_string();
        assert!(error.contains("user.de.txt: line 1"), "{error}");
    }
}
