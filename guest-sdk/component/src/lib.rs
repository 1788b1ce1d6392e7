//! What a component asks of its host and what it offers, read from its bytes without running or compiling it.
//!
//! `scripts/policies` refuses a policy that asks for more than the policy package; see [`Interfaces::foreign`].
#![forbid(unsafe_code)]

use wasmparser::{ComponentTypeRef, Parser, Payload};

/// Imports that every host of policies offers begin with this.
pub const PACKAGE: &str = "portcullis:policy/";

/// The outermost imports and exports of a component.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Interfaces {
    /// What the host must offer. Types are left out: they give a component no power.
    pub imports: Vec<String>,
    /// What the host may call. Python and JavaScript components export names of their own beside the hooks.
    pub exports: Vec<String>,
}

/// Why these bytes are no component that a host could load.
#[derive(Debug, thiserror::Error)]
pub enum ComponentError {
    /// A core module, or no WebAssembly at all.
    #[error("not a component (is `linker = \"wasm-component-ld\"` set for wasm32-unknown-unknown?)")]
    NoComponent,
    /// WebAssembly that breaks a rule.
    #[error("broken WebAssembly: {0}")]
    Broken(#[from] wasmparser::BinaryReaderError),
}

impl Interfaces {
    /// Reads a component.
    ///
    /// # Errors
    ///
    /// If the bytes are no component, or no valid one.
    pub fn read(bytes: &[u8]) -> Result<Self, ComponentError> {
        if !Parser::is_component(bytes) {
            return Err(ComponentError::NoComponent);
        }
        wasmparser::Validator::new().validate_all(bytes)?;
        let mut found = Self::default();
        // Modules and components inside have imports and exports of their own, which their surroundings satisfy.
        let mut depth = 0_usize;
        for payload in Parser::new(0).parse_all(bytes) {
            match payload? {
                Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let import = import?;
                        if !matches!(import.ty, ComponentTypeRef::Type(_)) {
                            found.imports.push(import.name.name.to_owned());
                        }
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        found.exports.push(export?.name.name.to_owned());
                    }
                }
                _ => {}
            }
        }
        Ok(found)
    }

    /// The imports from outside the policy package.
    pub fn foreign(&self) -> Vec<&str> {
        self.imports.iter().map(String::as_str).filter(|name| !name.starts_with(PACKAGE)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::{ComponentError, Interfaces};

    /// A component with no imports and no exports: the header alone.
    const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

    #[test]
    fn an_empty_component_asks_for_nothing() {
        assert_eq!(Interfaces::read(EMPTY).unwrap(), Interfaces::default());
    }

    #[test]
    fn a_core_module_is_told_how_to_become_a_component() {
        let error = Interfaces::read(b"\0asm\x01\0\0\0").unwrap_err();
        assert!(error.to_string().contains("wasm-component-ld"), "{error}");
    }

    #[test]
    fn bytes_that_break_off_are_refused() {
        assert!(matches!(Interfaces::read(&[EMPTY, &[7, 200]].concat()), Err(ComponentError::Broken(_))));
        assert!(matches!(Interfaces::read(b"MZ"), Err(ComponentError::NoComponent)));
    }

    #[test]
    fn imports_outside_the_package_are_foreign() {
        let found = Interfaces {
            imports: vec!["portcullis:policy/log@0.1.0".to_owned(), "wasi:sockets/tcp@0.2.6".to_owned()],
            exports: Vec::new(),
        };
        assert_eq!(found.foreign(), ["wasi:sockets/tcp@0.2.6"]);
    }
}
