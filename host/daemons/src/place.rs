//! Where the configuration is, and that relative paths in it start there.

use std::path::{Path, PathBuf};

use capabilities::Daemon;
use lua::vm::Source;

use crate::arguments::Arguments;

/// The configuration's place.
pub struct Place {
    /// As messages name it.
    pub config: PathBuf,
    /// What went wrong but does not stop the start (wforce compatibility).
    pub warnings: Vec<String>,
    /// Why the file, which is there, cannot be read: an operator who has one does not want to run without it.
    pub unreadable: Option<String>,
    /// The file's text; empty if there is none.
    pub source: Source,
}

/// The default configuration: in a folder of its own if there is one.
fn default_config(daemon: Daemon) -> PathBuf {
    let own = PathBuf::from(format!("/etc/wforce/{daemon}/{daemon}.conf"));
    if own.exists() { own } else { PathBuf::from(format!("/etc/wforce/{daemon}.conf")) }
}

/// Makes the configuration's folder the current one, and reads the file.
pub fn enter(daemon: Daemon, arguments: &Arguments) -> Place {
    let config = arguments.config.clone().unwrap_or_else(|| default_config(daemon));
    let mut warnings = Vec::new();
    let folder = match config.parent() {
        Some(folder) if folder != Path::new("") => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    #[expect(clippy::disallowed_methods, reason = "once, before any thread could depend on it")]
    let entered = std::env::set_current_dir(&folder);
    if let Err(error) = entered {
        warnings.push(format!("cannot use {} as the working folder: {error}", folder.display()));
    }
    let file = config.file_name().map_or_else(|| config.clone(), PathBuf::from);
    // Without its folder there is no such file: one of the same name elsewhere is not meant.
    let read = if warnings.is_empty() {
        Source::read(&file)
    } else {
        Err(std::io::Error::from(std::io::ErrorKind::NotFound))
    };
    let mut unreadable = None;
    let source = match read {
        Ok(source) => source.named(&config),
        Err(error) => {
            let text = format!("cannot read the configuration {}: {error}", config.display());
            if error.kind() == std::io::ErrorKind::NotFound {
                warnings.push(format!("{text}; going on with defaults"));
            } else {
                unreadable = Some(text);
            }
            Source::from_text(&config, b"")
        }
    };
    Place { config, warnings, unreadable, source }
}
