//! The loaded policies of one configuration.

use std::any::Any;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use capabilities::Capabilities;
use parking_lot::{Mutex, RwLock};
use policy::{Component, ComponentError, Components};

use crate::cache::Kept;
use crate::compile::Compiler;
use crate::engine::Engine;
use crate::error::LoadError;
use crate::host::wasi::Output;
use crate::inspect::{self, Inspection};
use crate::instance::Recipe;
use crate::load;
use crate::options::Options;
use crate::slot::{Seen, Slot};
use crate::state::Common;

/// The engines, one for policies whose fuel is counted. Made when first needed, shared by all configurations of a process.
#[derive(Default)]
pub struct Engines {
    plain: OnceLock<Arc<Engine>>,
    metered: OnceLock<Arc<Engine>>,
    making: Mutex<()>,
    compiler: Compiler,
    /// What registries that keep compiled code have compiled.
    kept: Kept,
}

impl Engines {
    /// From now on there are requests to be answered while something compiles, so that stands back.
    pub fn serving(&self) {
        self.compiler.stand_back();
    }

    fn get(&self, metered: bool) -> Result<Arc<Engine>, LoadError> {
        let cell = if metered { &self.metered } else { &self.plain };
        if let Some(engine) = cell.get() {
            return Ok(engine.clone());
        }
        let _one = self.making.lock();
        if let Some(engine) = cell.get() {
            return Ok(engine.clone());
        }
        let engine = Engine::start(metered).map_err(|error| LoadError::Engine(Arc::new(error)))?;
        Ok(cell.get_or_init(|| engine).clone())
    }
}

/// Policies by name.
pub struct Registry {
    engines: Arc<Engines>,
    capabilities: Arc<Capabilities>,
    runtime: tokio::runtime::Handle,
    cache: Mutex<Option<PathBuf>>,
    /// The fuel of all policies is counted, whether it has a limit or not.
    counts_fuel: bool,
    keeps_compiled: bool,
    least_deadline_ms: u64,
    origin: Instant,
    slots: RwLock<BTreeMap<String, Arc<Slot>>>,
}

impl Registry {
    /// None yet. `runtime`: where look-ups of components run.
    pub fn new(
        engines: Arc<Engines>,
        capabilities: Arc<Capabilities>,
        runtime: tokio::runtime::Handle,
    ) -> Registry {
        Registry {
            engines,
            capabilities,
            runtime,
            // What systemd's `CacheDirectory=` makes.
            cache: Mutex::new(std::env::var_os("CACHE_DIRECTORY").map(PathBuf::from)),
            counts_fuel: false,
            keeps_compiled: false,
            least_deadline_ms: 0,
            origin: Instant::now(),
            slots: RwLock::default(),
        }
    }

    /// Counts the fuel of every policy, also of those that have no limit; it costs them a few per cent.
    #[must_use]
    pub fn counting_fuel(mut self) -> Registry {
        self.counts_fuel = true;
        self
    }

    /// For a tool, which loads the same policies again and again on a machine that may be busy: keeps compiled code in memory, and
    /// gives every call at least so long.
    #[must_use]
    pub fn at_a_desk(mut self, least: std::time::Duration) -> Registry {
        self.least_deadline_ms = u64::try_from(least.as_millis()).unwrap_or(u64::MAX);
        self.keeps_compiled = true;
        self
    }

    /// Looks at a component without loading it: what it asks for, what it offers, and whether it could be loaded.
    ///
    /// # Errors
    /// The file cannot be read, or is no component at all.
    pub fn inspect(&self, path: &Path) -> Result<Inspection, LoadError> {
        let common = self.common("inspected", Options::default());
        inspect::inspect(&self.engines.get(false)?, path, Arc::new(common))
    }

    fn common(&self, name: &str, options: Options) -> Common {
        Common {
            name: name.into(),
            settings: serde_json::Value::Object(options.settings.clone()).to_string(),
            options,
            capabilities: self.capabilities.clone(),
            runtime: self.runtime.clone(),
            origin: self.origin,
            output: Output::default(),
        }
    }

    fn prepare(&self, name: &str, path: &Path, mut options: Options) -> Result<Recipe, LoadError> {
        options.deadline_ms = options.deadline_ms.max(self.least_deadline_ms);
        let engine = self.engines.get(self.counts_fuel || options.fuel.is_some())?;
        let common = self.common(name, options);
        let cache = self.cache.lock().clone();
        let kept = self.keeps_compiled.then_some(&self.engines.kept);
        load::prepare(&self.engines.compiler, &engine, path, Arc::new(common), cache.as_deref(), kept)
    }

    fn try_load(&self, name: &str, path: &Path, options: &serde_json::Value) -> Result<(), LoadError> {
        if self.slots.read().contains_key(name) {
            return Err(LoadError::Twice);
        }
        let options = Options::read(options)?;
        let seen = Seen::of(path);
        let recipe = self.prepare(name, path, options)?;
        let slot = Arc::new(Slot::new(recipe, path.to_owned(), seen));
        if self.slots.write().insert(name.to_owned(), slot).is_some() {
            return Err(LoadError::Twice);
        }
        Ok(())
    }

    fn try_reload(&self, name: &str) -> Result<String, LoadError> {
        let slot = self.slots.read().get(name).cloned();
        let slot = slot.ok_or_else(|| LoadError::Unknown(name.to_owned()))?;
        let mut seen = slot.reloading.lock();
        let now = Seen::of(&slot.path);
        let began = Instant::now();
        let options = slot.options.clone();
        // Even if it cannot be used: the same file is not looked at again until it changes.
        *seen = now;
        slot.replace(self.prepare(name, &slot.path, options)?)?;
        Ok(format!(
            "policy {name}: loaded {} again in {} ms",
            slot.path.display(),
            began.elapsed().as_millis()
        ))
    }

    fn slot(&self, name: &str) -> Option<Arc<Slot>> {
        self.slots.read().get(name).cloned()
    }

    /// Looks at the watched files.
    fn watch(&self) {
        let slots: Vec<Arc<Slot>> = self.slots.read().values().cloned().collect();
        for slot in slots {
            slot.tick();
            if !slot.options.watch {
                continue;
            }
            // One that is being loaded is looked at the next time.
            let Some(seen) = slot.reloading.try_lock().map(|seen| *seen) else { continue };
            let now = Seen::of(&slot.path);
            if now.0.is_some() && now != seen {
                match self.reload(&slot.name) {
                    Ok(done) => self.capabilities.log.notice(done),
                    Err(error) => self.capabilities.log.error(error.to_string()),
                }
            }
        }
    }
}

impl Components for Registry {
    fn load(&self, name: &str, path: &Path, options: &serde_json::Value) -> Result<(), ComponentError> {
        self.try_load(name, path, options)
            .map_err(|error| ComponentError(format!("policy \"{name}\" ({}): {error}", path.display())))
    }

    fn get(&self, name: &str) -> Option<Arc<dyn Component>> {
        self.slot(name).map(|slot| slot as Arc<dyn Component>)
    }

    fn reload(&self, name: &str) -> Result<String, ComponentError> {
        self.try_reload(name).map_err(|error| {
            let old = if matches!(error, LoadError::Unknown(_)) { "" } else { "; the old version goes on" };
            ComponentError(format!("policy \"{name}\" cannot be loaded again: {error}{old}"))
        })
    }

    fn names(&self) -> Vec<String> {
        self.slots.read().keys().cloned().collect()
    }

    fn lines(&self) -> Vec<String> {
        self.slots.read().values().map(|slot| slot.line()).collect()
    }

    fn follow(&self, before: &dyn Components) {
        let Some(before) = (before as &dyn Any).downcast_ref::<Registry>() else { return };
        for slot in self.slots.read().values() {
            if let Some(old) = before.slot(&slot.name) {
                slot.follow(&old);
            }
        }
    }

    fn cache(&self, folder: Option<PathBuf>) {
        *self.cache.lock() = folder;
    }

    fn tick(&self) {
        self.watch();
    }
}
