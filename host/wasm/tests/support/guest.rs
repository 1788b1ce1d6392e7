//! Components written by hand: core modules in the text form, made components of a world of the contract.
#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

/// A core module of these functions, made a component of a world of the contract.
///
/// Memory 0 to 1023 is for results and constants; `cabi_realloc` gives what comes after that, and never takes it back;
/// for nothing it gives the alignment, as the generators of bindings do.
pub fn component(world: &str, body: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(contract()).unwrap();
    let world = resolve.select_world(&[package], Some(world)).unwrap();
    encode(&resolve, world, body, StringEncoding::UTF8)
}

/// One of a world of its own, which may use the contract's types, with texts in this encoding.
pub fn of_own_world(world: &str, encoding: StringEncoding, body: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir(contract()).unwrap();
    let package = resolve.push_str("own.wit", world).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    encode(&resolve, world, body, encoding)
}

/// The same with the hook `allow`, and WASI to import.
pub fn wasi(body: &str) -> Vec<u8> {
    let mut resolve = Resolve::default();
    resolve.push_dir(contract()).unwrap();
    let package = resolve.push_str("wasi.wit", include_str!("wasi.wit")).unwrap();
    let world = resolve.select_world(&[package], Some("guest")).unwrap();
    encode(&resolve, world, body, StringEncoding::UTF8)
}

fn contract() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().map(|folder| folder.join("wit")).find(|wit| wit.join("world.wit").is_file()).unwrap()
}

fn encode(resolve: &Resolve, world: wit_parser::WorldId, body: &str, encoding: StringEncoding) -> Vec<u8> {
    let module = format!(
        r#"(module
            {imports}
            (memory (export "memory") 2 4000)
            (global $top (mut i32) (i32.const 1024))
            (func (export "cabi_realloc") (param $old i32) (param $size i32) (param $align i32) (param $new i32) (result i32)
                (local $at i32)
                (if (i32.eqz (local.get $new)) (then (return (local.get $align))))
                (local.set $at (i32.and (i32.add (global.get $top) (i32.const 7)) (i32.const -8)))
                (global.set $top (i32.add (local.get $at) (local.get $new)))
                (block $fits
                    (br_if $fits (i32.le_u (global.get $top) (i32.mul (memory.size) (i32.const 65536))))
                    (drop (memory.grow (i32.add (i32.div_u (local.get $new) (i32.const 65536)) (i32.const 1)))))
                (local.get $at))
            {body})"#,
        imports = imports(body),
    );
    let mut module = wat::parse_str(module).unwrap_or_else(|error| panic!("{error}"));
    embed_component_metadata(&mut module, resolve, world, encoding).unwrap();
    ComponentEncoder::default().validate(true).module(&module).unwrap().encode().unwrap()
}

/// Imports have to come first: the lines of a body that begin with `(import`, which are taken out of it by a comment.
fn imports(body: &str) -> String {
    body.lines()
        .filter_map(|line| line.trim().strip_prefix(";; "))
        .filter(|line| line.starts_with("(import"))
        .collect()
}

/// An `allow` hook of this body, which leaves the address of a result. Its one parameter is the address of the login: it has
/// more fields than fit into parameters.
pub fn allow(body: &str) -> Vec<u8> {
    component("only-allow", &allow_function(body))
}

/// The function of [`allow`], for components that have more.
pub fn allow_function(body: &str) -> String {
    format!(r#"(func (export "portcullis:policy/allow@0.1.0#allow") (param i32) (result i32) {body})"#)
}

/// The address of a result that passes: `result` ok at 0, `verdict` pass at 4.
pub const PASS: &str =
    "(i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (i32.const 0)) (i32.const 512)";

/// The address of a result that decides: status at 8, no texts, no attributes.
pub fn decide(status: i32) -> String {
    decide_as(&format!("(i32.const {status})"))
}

/// The same with a status that is worked out.
pub fn decide_as(status: &str) -> String {
    format!(
        "(i32.store (i32.const 520) {status})
         (i32.store (i32.const 512) (i32.const 0)) (i32.store (i32.const 516) (i32.const 1))
         (i64.store (i32.const 524) (i64.const 0))
         (i64.store (i32.const 532) (i64.const 0)) (i64.store (i32.const 540) (i64.const 0)) (i32.const 512)"
    )
}

/// The first byte of the login's name, whose address is at 28.
pub const FIRST_LETTER: &str = "(i32.load8_u (i32.load offset=28 (local.get 0)))";

/// If the login's name begins with this letter, do that.
pub fn if_named(letter: char, then: &str) -> String {
    format!("(if (i32.eq {FIRST_LETTER} (i32.const {})) (then {then}))", u32::from(letter))
}

/// Misbehaves as the first letter of the login says: `l`oops, `t`raps, fills its `m`emory, `r`ecurses, `f`loods the host with
/// calls, `d`enies; passes everybody else.
pub fn moody() -> Vec<u8> {
    let body = [
        if_named('l', "(loop $ever (br $ever))"),
        if_named('t', "(unreachable)"),
        if_named('m', "(loop $more (drop (memory.grow (i32.const 16))) (br $more))"),
        if_named('r', "(drop (call $deep (i32.const 0)))"),
        if_named('f', "(loop $more (drop (call $now)) (br $more))"),
        if_named('d', &format!("(return {})", decide(-1))),
        PASS.to_owned(),
    ];
    let deep = "(func $deep (param i32) (result i32)
        (i32.add (call $deep (i32.add (local.get 0) (i32.const 1))) (local.get 0)))";
    let imports = ";; (import \"portcullis:policy/clock@0.1.0\" \"now\" (func $now (result f64)))\n";
    component("only-allow", &format!("{imports}{}{deep}", allow_function(&body.concat())))
}

/// Opens the DB for ever and keeps every handle; then this, with the first error at 64.
pub fn opens_for_ever(then: &str) -> Vec<u8> {
    let body = format!(
        r#";; (import "portcullis:policy/stats@0.1.0" "open" (func $open (param i32 i32 i32)))
        (data (i32.const 0) "db")
        (func (export "portcullis:policy/allow@0.1.0#allow") (param i32) (result i32)
            (loop $more
                (call $open (i32.const 0) (i32.const 2) (i32.const 64))
                (br_if $more (i32.eqz (i32.load8_u (i32.const 64)))))
            {then})"#
    );
    component("only-allow", &body)
}

/// Asks the resolver `late` about logins that begin with `s`, and decides 10 and one for each address; passes everybody else.
pub fn asks_dns() -> Vec<u8> {
    let ask = format!(
        "(call $open (i32.const 0) (i32.const 4) (i32.const 64))
         (local.set $resolver (i32.load (i32.const 68)))
         (call $addresses (local.get $resolver) (i32.const 8) (i32.const 17) (i32.const 0) (i32.const 64))
         (call $close (local.get $resolver))
         (return {})",
        decide_as("(i32.add (i32.const 10) (i32.load (i32.const 72)))")
    );
    let body = format!("(local $resolver i32) {} {PASS}", if_named('s', &ask));
    let imports = r#";; (import "portcullis:policy/dns@0.1.0" "open" (func $open (param i32 i32 i32)))
        ;; (import "portcullis:policy/dns@0.1.0" "[method]resolver.addresses" (func $addresses (param i32 i32 i32 i32 i32)))
        ;; (import "portcullis:policy/dns@0.1.0" "[resource-drop]resolver" (func $close (param i32)))
        (data (i32.const 0) "late") (data (i32.const 8) "slow.example.test")
        "#;
    component("only-allow", &format!("{imports}{}", allow_function(&body)))
}

/// Asks the report store whether the login was seen from 192.0.2.1: decides 11 if so, 10 if not, and 20 and the number of the
/// error's kind if there was no answer.
pub fn asks_seen() -> Vec<u8> {
    let body = format!(
        "(call $seen (i32.load offset=28 (local.get 0)) (i32.load offset=32 (local.get 0)) (i32.const 1)
            (i32.const 0) (i32.const 9) (f64.const 0) (i32.const 64))
         (if (i32.load8_u (i32.const 64)) (then (return {})))
         {}",
        decide_as("(i32.add (i32.const 20) (i32.load8_u (i32.const 68)))"),
        decide_as("(i32.add (i32.const 10) (i32.load8_u (i32.const 68)))")
    );
    let imports = r#";; (import "portcullis:policy/reports@0.1.0" "seen" (func $seen (param i32 i32 i32 i32 i32 f64 i32)))
        (data (i32.const 0) "192.0.2.1")
        "#;
    component("only-allow", &format!("{imports}{}", allow_function(&body)))
}

/// `db.get` of these fields of the DB `seen` for the login's name: decides -1 if it is above `limit`, else passes. Adds
/// `adds` before, unless that is 0.
pub fn counts(limit: i32, adds: i32) -> Vec<u8> {
    let key = "(i32.const 0) (i32.load offset=28 (local.get 0)) (i32.load offset=32 (local.get 0))
        (i32.const 0) (i32.const 0) (i32.const 0)";
    let add = if adds == 0 {
        String::new()
    } else {
        format!(
            "(call $add (global.get $db) {key} (i32.const 8) (i32.const 8)
                (i32.const 1) (i32.const {adds}) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 64))"
        )
    };
    let body = format!(
        "(if (i32.eqz (global.get $db)) (then
            (call $open (i32.const 0) (i32.const 4) (i32.const 64))
            (global.set $db (i32.load (i32.const 68)))))
         {add}
         (call $get (global.get $db) {key} (i32.const 8) (i32.const 8) (i32.const 64))
         (global.set $top (i32.const 1024))
         (if (i32.gt_s (i32.load (i32.const 68)) (i32.const {limit})) (then (return {})))
         {PASS}",
        decide(-1)
    );
    let imports = r#";; (import "portcullis:policy/stats@0.1.0" "open" (func $open (param i32 i32 i32)))
        ;; (import "portcullis:policy/stats@0.1.0" "[method]db.get" (func $get (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        ;; (import "portcullis:policy/stats@0.1.0" "[method]db.add" (func $add (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
        (data (i32.const 0) "seen") (data (i32.const 8) "failures")
        (global $db (mut i32) (i32.const 0))
        "#;
    component("only-allow", &format!("{imports}{}", allow_function(&body)))
}

/// A policy that passes everybody and imports every function that the contract offers; with their number.
pub fn imports_everything() -> (Vec<u8>, usize) {
    let mut resolve = Resolve::default();
    let (package, _) = resolve.push_dir(contract()).unwrap();
    let world = resolve.select_world(&[package], Some("imports")).unwrap();
    let mut imports = Vec::new();
    for item in resolve.worlds[world].imports.values() {
        let wit_parser::WorldItem::Interface { id, .. } = item else { panic!("{item:?}") };
        let interface = resolve.id_of(*id).unwrap();
        for function in resolve.interfaces[*id].functions.values() {
            let signature = resolve.wasm_signature(wit_parser::abi::AbiVariant::GuestImport, function);
            let types = |types: &[wit_parser::abi::WasmType]| {
                types.iter().map(|kind| plain(*kind)).collect::<Vec<_>>().join(" ")
            };
            let (params, results) = (types(&signature.params), types(&signature.results));
            let name = &function.name;
            imports.push(format!(
                ";; (import \"{interface}\" \"{name}\" (func (param {params}) (result {results})))\n"
            ));
        }
    }
    let body = format!("{}{}", imports.concat(), allow_function(PASS));
    (component("only-allow", &body), imports.len())
}

fn plain(kind: wit_parser::abi::WasmType) -> &'static str {
    use wit_parser::abi::WasmType;
    match kind {
        WasmType::I64 | WasmType::PointerOrI64 => "i64",
        WasmType::F32 => "f32",
        WasmType::F64 => "f64",
        WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
    }
}

/// What a guest that imports WASI uses of it, as [`wasi`] wants the imports.
pub const WASI_IMPORTS: &str = r#"
    ;; (import "wasi:cli/environment@0.2.0" "get-environment" (func $environment (param i32)))
    ;; (import "wasi:cli/environment@0.2.0" "get-arguments" (func $arguments (param i32)))
    ;; (import "wasi:cli/exit@0.2.0" "exit" (func $exit (param i32)))
    ;; (import "wasi:cli/stdout@0.2.0" "get-stdout" (func $stdout (result i32)))
    ;; (import "wasi:cli/stderr@0.2.0" "get-stderr" (func $stderr (result i32)))
    ;; (import "wasi:clocks/wall-clock@0.2.0" "now" (func $date (param i32)))
    ;; (import "wasi:sockets/udp-create-socket@0.2.0" "create-udp-socket" (func $datagrams (param i32 i32)))
    ;; (import "wasi:io/streams@0.2.0" "[method]output-stream.blocking-write-and-flush" (func $write (param i32 i32 i32 i32)))
    ;; (import "wasi:io/streams@0.2.0" "[resource-drop]output-stream" (func $close (param i32)))
    ;; (import "wasi:clocks/monotonic-clock@0.2.0" "now" (func $now (result i64)))
    ;; (import "wasi:clocks/monotonic-clock@0.2.0" "subscribe-duration" (func $after (param i64) (result i32)))
    ;; (import "wasi:io/poll@0.2.0" "[method]pollable.block" (func $block (param i32)))
    ;; (import "wasi:filesystem/preopens@0.2.0" "get-directories" (func $folders (param i32)))
    ;; (import "wasi:random/random@0.2.0" "get-random-u64" (func $random (result i64)))
    ;; (import "wasi:sockets/instance-network@0.2.0" "instance-network" (func $network (result i32)))
    ;; (import "wasi:sockets/ip-name-lookup@0.2.0" "resolve-addresses" (func $resolve (param i32 i32 i32 i32)))
    ;; (import "wasi:sockets/tcp-create-socket@0.2.0" "create-tcp-socket" (func $socket (param i32 i32)))
    (data (i32.const 0) "hello from a guest\n") (data (i32.const 32) "example.org") (data (i32.const 48) "oops\n")
"#;

/// A guest that looks at everything WASI gives it, says hello, and decides with a bit for each thing that is as it must be; all
/// of them together are 511.
pub fn looks_around() -> Vec<u8> {
    let bit = |bit: u32, condition: &str| {
        format!("(if {condition} (then (local.set $fine (i32.or (local.get $fine) (i32.const {bit})))))")
    };
    // An error (1), and of those `access-denied` (1) or, of a name, `permanent-resolver-failure` (20).
    let refused = |code: u32| {
        format!(
            "(i32.and (i32.eq (i32.load8_u (i32.const 64)) (i32.const 1)) (i32.eq (i32.load8_u (i32.const 68)) (i32.const {code})))"
        )
    };
    let empty = "(i32.eqz (i32.load (i32.const 68)))";
    let body = [
        "(local $fine i32) (local $out i32)
         (local.set $out (call $stdout))
         (call $write (local.get $out) (i32.const 0) (i32.const 19) (i32.const 64)) (call $close (local.get $out))
         (local.set $out (call $stderr))
         (call $write (local.get $out) (i32.const 48) (i32.const 5) (i32.const 64)) (call $close (local.get $out))
         (call $environment (i32.const 64))"
            .to_owned(),
        bit(1, empty),
        "(call $arguments (i32.const 64))".to_owned(),
        bit(2, empty),
        "(call $folders (i32.const 64))".to_owned(),
        bit(4, empty),
        "(call $socket (i32.const 0) (i32.const 64))".to_owned(),
        bit(8, &refused(1)),
        "(call $resolve (call $network) (i32.const 32) (i32.const 11) (i32.const 64))".to_owned(),
        bit(16, &refused(20)),
        bit(32, "(i64.le_u (call $now) (call $now))"),
        bit(64, "(i64.ne (call $random) (call $random))"),
        "(call $datagrams (i32.const 0) (i32.const 64))".to_owned(),
        bit(128, &refused(1)),
        "(call $date (i32.const 64))".to_owned(),
        bit(256, "(i64.gt_u (i64.load (i32.const 64)) (i64.const 1700000000))"),
        decide_as("(local.get $fine)"),
    ];
    wasi(&format!("{WASI_IMPORTS}{}", allow_function(&body.concat())))
}

/// A guest that writes 150 lines to its standard error.
pub fn chatters() -> Vec<u8> {
    let body = format!(
        "(local $out i32) (local $left i32) (local.set $out (call $stderr)) (local.set $left (i32.const 150))
         (loop $more
            (call $write (local.get $out) (i32.const 48) (i32.const 5) (i32.const 64))
            (local.set $left (i32.sub (local.get $left) (i32.const 1))) (br_if $more (local.get $left)))
         (call $close (local.get $out)) {PASS}"
    );
    wasi(&format!("{WASI_IMPORTS}{}", allow_function(&body)))
}

/// A guest that sleeps for a day.
pub fn sleeps() -> Vec<u8> {
    let body = format!("(call $block (call $after (i64.const 86400000000000))) {PASS}");
    wasi(&format!("{WASI_IMPORTS}{}", allow_function(&body)))
}

/// A guest that ends the program, as it would end a program of its own.
pub fn exits() -> Vec<u8> {
    let body = format!("(call $exit (i32.const 0)) {PASS}");
    wasi(&format!("{WASI_IMPORTS}{}", allow_function(&body)))
}
