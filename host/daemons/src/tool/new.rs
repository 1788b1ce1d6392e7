//! A project for a new policy: it builds, its test cases pass, and it can be loaded.

use std::path::{Path, PathBuf};

include!(concat!(env!("OUT_DIR"), "/templates.rs"));

/// What a policy is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// With the SDK.
    Rust,
    /// With componentize-py, which brings `CPython`.
    Python,
    /// With componentize-qjs, which brings `QuickJS`.
    JavaScript,
    /// With clang.
    C,
}

impl Language {
    /// By the name on the command line.
    pub fn parse(name: &str) -> Option<Language> {
        match name {
            "rust" => Some(Self::Rust),
            "python" => Some(Self::Python),
            "js" => Some(Self::JavaScript),
            "c" => Some(Self::C),
            _ => None,
        }
    }

    fn folder(self) -> &'static str {
        match self {
            Self::Rust => "templates/rust/",
            Self::Python => "templates/python/",
            Self::JavaScript => "templates/js/",
            Self::C => "templates/c/",
        }
    }
}

/// Why there is no project.
#[derive(Debug, thiserror::Error)]
pub enum NewError {
    /// The name would not do.
    #[error(
        "\"{0}\" is no name for a policy: write lower-case letters, digits and hyphens, a letter first, at most 64, \
         and none that Rust or the SDK has already"
    )]
    Name(String),
    /// For Rust, where the SDK is.
    #[error(
        "where is the SDK? It is on no registry yet: --sdk FOLDER names the folder guest-sdk of a checkout of Portcullis, \
         --sdk URL its git repository"
    )]
    NoSdk,
    /// What was named is not it.
    #[error("{}: there is no portcullis-sdk in it", .0.display())]
    NotTheSdk(PathBuf),
    /// Only Rust has one.
    #[error("--sdk: only policies in Rust have an SDK")]
    NeedsNoSdk,
    /// Nothing is overwritten.
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    /// A file or folder cannot be made.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
}

/// Makes a project in a new folder. `sdk`: a folder, or the address of a git repository.
///
/// # Errors
/// The name or the SDK will not do, the folder is there already, or something cannot be written.
pub fn make(folder: &Path, name: &str, language: Language, sdk: Option<&str>) -> Result<(), NewError> {
    check(name)?;
    let sdk = match (language, sdk) {
        (Language::Rust, sdk) => dependency(sdk.ok_or(NewError::NoSdk)?)?,
        (_, None) => String::new(),
        (_, Some(_)) => return Err(NewError::NeedsNoSdk),
    };
    if folder.exists() {
        return Err(NewError::Exists(folder.to_owned()));
    }
    for (path, content) in files(language) {
        let path = folder.join(path);
        let wrap = |error| NewError::Write { path: path.clone(), error };
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(wrap)?;
        }
        // What is no text (an object file of the C bindings) stays as it is.
        match std::str::from_utf8(content) {
            Ok(text) => {
                let text = text.replace("{{name}}", name).replace("{{snake}}", &name.replace('-', "_"));
                std::fs::write(&path, text.replace("{{sdk}}", &sdk)).map_err(wrap)?;
            }
            Err(_) => std::fs::write(&path, content).map_err(wrap)?,
        }
    }
    Ok(())
}

/// The files of a project in this language.
fn files(language: Language) -> impl Iterator<Item = (String, &'static [u8])> {
    // The SDK holds the contract already; the others generate code from it.
    let needs_wit = language != Language::Rust;
    FILES.iter().filter_map(move |(name, content)| {
        let own = name.strip_prefix(language.folder()).or_else(|| name.strip_prefix("templates/common/"));
        let path = match own {
            // Here they would mean something to git and cargo; also to the cargo of who names our repository as a dependency.
            Some("gitignore") => ".gitignore".to_owned(),
            Some("manifest.toml") => "Cargo.toml".to_owned(),
            Some("cargo/config.toml") => ".cargo/config.toml".to_owned(),
            Some(path) => path.to_owned(),
            None if !needs_wit => return None,
            None => match name.strip_prefix("templates/wit/") {
                Some(path) => format!("wit/{path}"),
                None => format!("wit/deps/portcullis/{}", name.strip_prefix("wit/")?),
            },
        };
        Some((path, *content))
    })
}

fn check(name: &str) -> Result<(), NewError> {
    let begins = name.starts_with(|first: char| first.is_ascii_lowercase());
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let taken = [
        "alloc",
        "core",
        "std",
        "test",
        "proc-macro",
        "portcullis",
        "portcullis-sdk",
        "serde",
        "serde-json",
        "app",
        "policy",
        "as",
        "async",
        "await",
        "break",
        "const",
        "continue",
        "crate",
        "dyn",
        "else",
        "enum",
        "extern",
        "false",
        "fn",
        "for",
        "gen",
        "if",
        "impl",
        "in",
        "let",
        "loop",
        "match",
        "mod",
        "move",
        "mut",
        "pub",
        "ref",
        "return",
        "self",
        "static",
        "struct",
        "super",
        "trait",
        "true",
        "type",
        "unsafe",
        "use",
        "where",
        "while",
    ];
    if begins && name.len() <= 64 && name.chars().all(fine) && !name.ends_with('-') && !taken.contains(&name)
    {
        Ok(())
    } else {
        Err(NewError::Name(name.to_owned()))
    }
}

/// What stands between the braces of the dependency.
fn dependency(sdk: &str) -> Result<String, NewError> {
    // JSON writes a string as TOML does.
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    if sdk.contains("://") || sdk.starts_with("git@") {
        return Ok(format!("git = {}", quoted(sdk)));
    }
    let folder = std::path::absolute(sdk).map_err(|error| NewError::Write { path: sdk.into(), error })?;
    let manifest = std::fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
    if !manifest.contains("name = \"portcullis-sdk\"") {
        return Err(NewError::NotTheSdk(folder));
    }
    Ok(format!("path = {}", quoted(&folder.display().to_string())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn sdk() -> String {
        format!("{}/../../guest-sdk", env!("CARGO_MANIFEST_DIR"))
    }

    #[test]
    fn every_language_gets_its_files_and_no_placeholder_is_left() {
        let folder = tempfile::tempdir().unwrap();
        for (language, own) in
            [("rust", "src/lib.rs"), ("python", "app.py"), ("js", "policy.js"), ("c", "policy.c")]
        {
            let project = folder.path().join(language);
            let sdk = (language == "rust").then(sdk);
            make(&project, "night-guard", Language::parse(language).unwrap(), sdk.as_deref()).unwrap();
            for file in [own, "README.md", "Makefile", "policy.conf", "cases.toml", ".gitignore"] {
                let text = std::fs::read_to_string(project.join(file)).unwrap();
                assert!(!text.contains("{{"), "{language}/{file}");
            }
            assert_eq!(project.join("wit/deps/portcullis/stats.wit").exists(), language != "rust");
            assert_eq!(project.join("wit/world.wit").exists(), language != "rust");
            assert_eq!(project.join("Cargo.toml").exists(), language == "rust");
            assert!(matches!(make(&project, "x", Language::C, None), Err(NewError::Exists(_))));
        }
    }

    #[test]
    fn what_cannot_be_made_says_why() {
        let folder = tempfile::tempdir().unwrap();
        let make = |name, language, sdk| {
            make(&folder.path().join("new"), name, language, sdk).unwrap_err().to_string()
        };
        assert!(make("guard", Language::Rust, None).contains("--sdk FOLDER"));
        assert!(make("guard", Language::Rust, Some("/")).contains("no portcullis-sdk"));
        assert!(make("guard", Language::C, Some("/")).contains("only policies in Rust"));
        for name in ["", "Guard", "1st", "a_b", "a-", "std", "fn", "a/../b", "..", &"a".repeat(65)] {
            assert!(make(name, Language::C, None).contains("no name for a policy"), "{name}");
        }
        assert_eq!(
            dependency("https://example.org/portcullis.git").unwrap(),
            "git = \"https://example.org/portcullis.git\""
        );
    }

    proptest! {
        #[test]
        fn a_name_that_is_taken_is_a_plain_file_name(name in "\\PC{0,20}") {
            if check(&name).is_ok() {
                prop_assert!(name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-'));
            }
        }
    }
}
