//! What a component is, for those who look at one before they load it.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use wasmtime::component::Component;
use wasmtime::component::types::ComponentItem;

use crate::engine::Engine;
use crate::error::LoadError;
use crate::load;
use crate::state::Common;

/// In front of the names of the contract's interfaces.
const CONTRACT: &str = "portcullis:policy/";

/// What there is to tell about a component.
#[derive(Clone, Debug)]
pub struct Inspection {
    /// Bytes of the file.
    pub bytes: usize,
    /// Bytes of the compiled code.
    pub code: usize,
    /// What compiling took.
    pub compiled_in: Duration,
    /// The versions of the contract it was built against: one, if all is well.
    pub contract: BTreeSet<String>,
    /// The hooks it exports, `setup` included.
    pub hooks: Vec<Interface>,
    /// What it exports besides.
    pub exports: Vec<String>,
    /// What it asks of the contract.
    pub imports: Vec<Interface>,
    /// What it asks of WASI.
    pub wasi: Vec<String>,
    /// What it asks for that no policy gets.
    pub foreign: Vec<String>,
    /// Why it could not be loaded, apart from its settings, which are not looked at here.
    pub problem: Option<LoadError>,
}

/// An interface of the contract, imported or exported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// `stats`
    pub name: String,
    /// The functions of it that are used, or there: `open`, `db.get`. None where only types are.
    pub functions: Vec<String>,
}

pub(crate) fn inspect(
    engine: &Arc<Engine>,
    path: &Path,
    common: Arc<Common>,
) -> Result<Inspection, LoadError> {
    let bytes = load::read(path)?;
    let began = Instant::now();
    let component =
        Component::new(&engine.engine, &bytes).map_err(|error| load::no_component(path, &bytes, &error))?;
    let mut found = Inspection {
        bytes: bytes.len(),
        code: component.serialize().map_or(0, |code| code.len()),
        compiled_in: began.elapsed(),
        contract: BTreeSet::new(),
        hooks: Vec::new(),
        exports: Vec::new(),
        imports: Vec::new(),
        wasi: Vec::new(),
        foreign: Vec::new(),
        problem: None,
    };
    let kind = component.component_type();
    for (name, item) in kind.imports(&engine.engine) {
        if let Some(interface) = found.interface(engine, name, &item.ty) {
            found.imports.push(interface);
        } else if load::WASI.iter().any(|known| name.starts_with(known)) {
            found.wasi.push(name.to_owned());
        } else {
            found.foreign.push(name.to_owned());
        }
    }
    for (name, item) in kind.exports(&engine.engine) {
        match found.interface(engine, name, &item.ty) {
            Some(interface) => found.hooks.push(interface),
            None => found.exports.push(name.to_owned()),
        }
    }
    found.problem =
        load::link(engine, &component, &bytes, common).and_then(|recipe| load::try_out(&recipe, false)).err();
    Ok(found)
}

impl Inspection {
    /// Reads an interface of the contract and notes its version; `None`: it is none of the contract's.
    fn interface(&mut self, engine: &Engine, name: &str, item: &ComponentItem) -> Option<Interface> {
        let (name, version) = name.strip_prefix(CONTRACT)?.split_once('@')?;
        self.contract.insert(version.to_owned());
        let mut functions = Vec::new();
        if let ComponentItem::ComponentInstance(instance) = item {
            let names = instance.exports(&engine.engine);
            let names = names.filter(|(_, item)| matches!(item.ty, ComponentItem::ComponentFunc(_)));
            // `[method]db.get`
            functions.extend(
                names.map(|(name, _)| name.rsplit_once(']').map_or(name, |(_, name)| name).to_owned()),
            );
        }
        Some(Interface { name: name.to_owned(), functions })
    }
}
