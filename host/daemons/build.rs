//! Lets binary Lua modules (lua-cjson, luasocket) find Lua's functions in the daemon, and packs what `portcullis new` unpacks.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rustc-link-arg-bins=-rdynamic");
    println!("cargo::rerun-if-changed=build.rs");

    let root = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("../..");
    let mut files = Vec::new();
    walk(&root.join("guest-sdk/templates"), "templates", &mut files)?;
    walk(&root.join("wit"), "wit", &mut files)?;
    files.sort();
    let mut table = "static FILES: &[(&str, &[u8])] = &[\n".to_owned();
    for (name, path) in files {
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    table += "];\n";
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("templates.rs"), table)?;
    Ok(())
}

/// Every file below a folder with its name, which begins with `prefix`, and its path.
fn walk(folder: &Path, prefix: &str, files: &mut Vec<(String, String)>) -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed={}", folder.display());
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let name = format!("{prefix}/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.is_dir() {
            walk(&path, &name, files)?;
        } else {
            files.push((name, path.to_str().ok_or("a path that is not UTF-8")?.to_owned()));
        }
    }
    Ok(())
}
