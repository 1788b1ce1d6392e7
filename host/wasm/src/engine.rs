//! The compiler and the memory that all components share.

use std::sync::Arc;
use std::sync::Weak;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use wasmtime::{Config, Enabled, InstanceAllocationStrategy, PoolingAllocationConfig};

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
#[error("cannot start the engine of WebAssembly policies: {0:#}")]
pub struct EngineError(wasmtime::Error);

/// How often running components look at their deadline.
pub(crate) const TICK: Duration = Duration::from_millis(5);
/// Most memory that a component may be given, in bytes.
pub(crate) const MAX_MEMORY: usize = 1 << 30;
/// Elements of a component's tables.
pub(crate) const MAX_TABLE: usize = 100_000;
/// Instances that may live at once. Each reserves addresses (not memory) for its linear memory.
const INSTANCES: u32 = 1_000;
/// Bytes of a linear memory that a slot keeps for its next instance: clearing what was written is cheaper than having the
/// system map it again.
const KEPT: usize = 512 << 10;
/// Stack of a component's code. Of a call that may wait it is part of a stack of its own, of [`ASYNC_STACK`].
const STACK: usize = 512 << 10;
const ASYNC_STACK: usize = 2 << 20;

/// An engine, with the thread that makes its time pass.
#[expect(clippy::struct_field_names, reason = "it is the one of the library that has this name")]
pub struct Engine {
    pub(crate) engine: wasmtime::Engine,
    pub(crate) metered: bool,
    ticks: AtomicU64,
}

impl Engine {
    /// Starts one. `metered`: it counts fuel, which costs each component a few per cent.
    ///
    /// # Errors
    /// The machine is none that code can be generated for, or a thread cannot be started.
    pub fn start(metered: bool) -> Result<Arc<Engine>, EngineError> {
        // Without so much room for addresses (a limit on virtual memory) components still run, only their starts cost more.
        let engine = wasmtime::Engine::new(config(metered).allocation_strategy(pooling()))
            .or_else(|_| wasmtime::Engine::new(&config(metered)))
            .map_err(EngineError)?;
        let engine = Arc::new(Engine { engine, metered, ticks: AtomicU64::new(0) });
        let weak = Arc::downgrade(&engine);
        std::thread::Builder::new()
            .name("epoch".into())
            .spawn(move || tick(&weak))
            .map_err(|error| EngineError(error.into()))?;
        Ok(engine)
    }

    /// How often its time has passed.
    #[inline]
    pub(crate) fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }
}

fn config(metered: bool) -> Config {
    let mut config = Config::new();
    config
        // Components that run several tasks at once are none of ours; without them calls are cheaper.
        .concurrency_support(false)
        // Code looks at the time at each loop and call, so that none can run for ever.
        .epoch_interruption(true)
        .consume_fuel(metered)
        // Deep recursion ends in a trap well before the thread's own stack does.
        .max_wasm_stack(STACK)
        .async_stack_size(ASYNC_STACK);
    config
}

fn pooling() -> InstanceAllocationStrategy {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_component_instances(INSTANCES)
        .total_core_instances(4 * INSTANCES)
        .total_memories(INSTANCES)
        .total_tables(4 * INSTANCES)
        .total_stacks(INSTANCES)
        // Guests with a language runtime are put together from dozens of modules.
        .max_core_instances_per_component(100)
        .max_tables_per_component(100)
        .max_memories_per_component(8)
        .max_tables_per_module(16)
        .max_component_instance_size(4 << 20)
        .max_core_instance_size(4 << 20)
        .table_elements(MAX_TABLE)
        .max_memory_size(MAX_MEMORY)
        .linear_memory_keep_resident(KEPT)
        .table_keep_resident(64 << 10)
        .pagemap_scan(Enabled::Auto);
    InstanceAllocationStrategy::Pooling(pool)
}

/// Lets the engine's time pass until it is gone.
fn tick(engine: &Weak<Engine>) {
    while let Some(engine) = engine.upgrade() {
        engine.engine.increment_epoch();
        engine.ticks.fetch_add(1, Ordering::Relaxed);
        drop(engine);
        std::thread::park_timeout(TICK);
    }
}
