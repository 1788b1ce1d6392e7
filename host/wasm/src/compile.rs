//! Compiling: at full speed while the daemon starts, out of the way of requests once it serves them.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};
use wasmtime::Engine;
use wasmtime::component::Component;

/// How much threads that compile stand back: about a tenth of a core that somebody else wants, too.
const NICE: i32 = 10;

/// The compiler's threads.
#[derive(Default)]
pub(crate) struct Compiler {
    gentle: AtomicBool,
    /// None: they cannot be started.
    threads: OnceLock<Option<ThreadPool>>,
}

impl Compiler {
    /// From now on there are requests to be answered meanwhile.
    pub(crate) fn stand_back(&self) {
        self.gentle.store(true, Ordering::Relaxed);
    }

    /// Compiles a component.
    pub(crate) fn compile(&self, engine: &Engine, bytes: &[u8]) -> wasmtime::Result<Component> {
        if !self.gentle.load(Ordering::Relaxed) {
            return Component::new(engine, bytes);
        }
        match self.threads.get_or_init(start) {
            // What the compiler does on several threads it does on those of the pool that it runs in.
            Some(threads) => threads.install(|| Component::new(engine, bytes)),
            None => Component::new(engine, bytes),
        }
    }
}

fn start() -> Option<ThreadPool> {
    ThreadPoolBuilder::new()
        .thread_name(|_| "compile".to_owned())
        .start_handler(|_| {
            // Of this thread alone. Where it is not allowed, compiling is as it was.
            let _ = rustix::process::setpriority_process(None, NICE);
        })
        .build()
        .ok()
}
