//! Lets binary Lua modules (lua-cjson, luasocket) find Lua's functions in the daemon.

fn main() {
    println!("cargo::rustc-link-arg-bins=-rdynamic");
    println!("cargo::rerun-if-changed=build.rs");
}
