//! WebAssembly components: engine, limits, bindings.
#![forbid(unsafe_code)]
