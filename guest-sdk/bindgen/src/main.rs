//! `portcullis-bindgen WIT-FOLDER RUST-FOLDER C-FOLDER`: the Rust bindings of the SDK, one file for everything the host offers and
//! one for each hook; and the bindings of the template for C.
//!
//! Each hook has a world of its own because a component should export the hooks it has and no others: the SDK's attribute uses
//! the bindings of those hooks, and the linker puts their worlds together.

use std::error::Error;
use std::fmt::Write as _;
use std::path::Path;

use wit_bindgen_core::wit_parser::Resolve;
use wit_bindgen_core::{Files, WorldGenerator as _};
use wit_bindgen_rust::{Opts, Ownership, WithOption};

/// The package, as worlds name it.
const PACKAGE: &str = "portcullis:policy";
const VERSION: &str = "0.1.0";

/// The interfaces that a policy can export.
const HOOKS: [&str; 7] = ["allow", "report", "reset", "canonicalize", "endpoint", "background", "setup"];

/// The world of the templates, as guest-sdk/templates/wit/world.wit has it.
const C_WORLD: &str = include_str!("../../templates/wit/world.wit");

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [wit, out, c] = arguments.as_slice() else {
        return Err("usage: portcullis-bindgen WIT-FOLDER RUST-FOLDER C-FOLDER".into());
    };
    let mut modules = String::from("//! Generated from `wit/` by `scripts/bindings`.\n\n");
    generate(Path::new(wit), Path::new(out), "imports", None)?;
    for hook in HOOKS {
        generate(Path::new(wit), Path::new(out), hook, Some(hook))?;
    }
    let mut names: Vec<&str> = HOOKS.to_vec();
    names.push("imports");
    names.sort_unstable();
    for name in names {
        writeln!(modules, "pub mod {name};")?;
    }
    std::fs::write(Path::new(out).join("mod.rs"), modules)?;
    generate_c(Path::new(wit), Path::new(c))
}

/// Writes the bindings of the template for C: a header, a source and an object file with the types of the world.
fn generate_c(wit: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let mut resolve = Resolve::default();
    resolve.push_dir(wit)?;
    let guest = resolve.push_source("guest.wit", C_WORLD)?;
    let world = resolve.select_world(&[guest], Some("policy"))?;
    let mut files = Files::default();
    wit_bindgen_c::Opts::default().build().generate(&mut resolve, world, &mut files)?;
    for (name, bytes) in files.iter() {
        std::fs::write(out.join(name), bytes)?;
    }
    Ok(())
}

/// Writes one world's bindings: that of a hook, or the imports.
fn generate(wit: &Path, out: &Path, name: &str, hook: Option<&str>) -> Result<(), Box<dyn Error>> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(wit)?;
    let package = match hook {
        None => package,
        Some(hook) => {
            let world =
                format!("package portcullis:guest;\nworld {hook} {{ export {PACKAGE}/{hook}@{VERSION}; }}\n");
            resolve.push_source("guest.wit", &world)?
        }
    };
    let world = resolve.select_world(&[package], Some(name))?;
    let mut options = Opts {
        format: false,
        generate_all: true,
        pub_export_macro: true,
        ownership: Ownership::Borrowing { duplicate_if_necessary: true },
        runtime_path: Some("::wit_bindgen::rt".to_owned()),
        default_bindings_module: Some(format!("$crate::bindings::{name}")),
        type_section_suffix: Some(format!("-portcullis-{name}")),
        ..Opts::default()
    };
    // Some hooks know nothing but text.
    if hook.is_some() && !resolve.worlds[world].imports.is_empty() {
        options.with = vec![(
            format!("{PACKAGE}/types@{VERSION}"),
            WithOption::Path("crate::bindings::imports::portcullis::policy::types".to_owned()),
        )];
    }
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files)?;
    for (_, bytes) in files.iter() {
        std::fs::write(out.join(format!("{name}.rs")), bytes)?;
    }
    Ok(())
}
