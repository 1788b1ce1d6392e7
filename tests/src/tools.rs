//! Where the things the tests need are.

use std::path::{Path, PathBuf};

/// The folder of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The folder of the profile that is being tested, such as `target/debug`.
fn profile() -> PathBuf {
    // target/debug/deps/name-hash
    std::env::current_exe().unwrap().ancestors().nth(2).unwrap().to_owned()
}

/// The `wforce` binary under test.
pub fn wforce() -> PathBuf {
    let path = std::env::var_os("PORTCULLIS_WFORCE").map_or_else(|| profile().join("wforce"), PathBuf::from);
    assert!(path.is_file(), "{} is missing: run `scripts/test build` first", path.display());
    path
}

/// Another program of ours under test; it lies beside `wforce`.
pub fn program(name: &str) -> PathBuf {
    let path = wforce().with_file_name(name);
    assert!(path.is_file(), "{} is missing: run `scripts/test build` first", path.display());
    path
}

/// A shipped policy as a component.
pub fn component(name: &str) -> PathBuf {
    let path = profile().parent().unwrap().join("policies").join(format!("{name}.wasm"));
    assert!(path.is_file(), "{} is missing: run `scripts/policies` first", path.display());
    path
}

/// The `portcullis` tool under test.
pub fn portcullis() -> PathBuf {
    program("portcullis")
}

/// The folder of the shipped policies as components.
pub fn shipped_components() -> PathBuf {
    let folder = profile().parent().unwrap().join("policies");
    assert!(folder.join("rbl.wasm").is_file(), "{} is missing: run `make policies` first", folder.display());
    folder
}

/// A component that the tests bring along.
pub fn test_guest(name: &str) -> PathBuf {
    let file = profile().parent().unwrap().join("test-guests").join(format!("{name}.wasm"));
    assert!(file.is_file(), "{} is missing: run `scripts/policies test` first", file.display());
    file
}

/// A program of the Python environment that `scripts/setup test` makes.
pub fn python_tool(name: &str) -> PathBuf {
    let tools = std::env::var_os("PORTCULLIS_TOOLS")
        .map_or_else(|| profile().parent().unwrap().join("tools"), PathBuf::from);
    let path = tools.join("venv/bin").join(name);
    assert!(path.is_file(), "{} is missing: run `scripts/setup test` first", path.display());
    path
}

/// A server or client that a Debian package brings; `/usr/sbin` need not be in the search path.
pub fn system_tool(name: &str) -> PathBuf {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain([PathBuf::from("/usr/sbin"), PathBuf::from("/sbin")])
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
        .unwrap_or_else(|| panic!("{name} is missing: run `scripts/setup test` first"))
}
