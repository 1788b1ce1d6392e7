//! What `bindgen!` makes of the contract's imports. (Exports are typed by hand in `hooks.rs`: a component exports only the
//! hooks it has, and a call should borrow the login's texts rather than copy them twice.)
#![allow(missing_docs, unsafe_code, clippy::pedantic, clippy::all, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "../../wit",
    world: "imports",
    imports: {
        "portcullis:policy/dns.[method]resolver.addresses": async | trappable,
        "portcullis:policy/dns.[method]resolver.names": async | trappable,
        "portcullis:policy/dns.[method]resolver.rbl": async | trappable,
        "portcullis:policy/reports.find": async | trappable,
        "portcullis:policy/reports.find-oldest": async | trappable,
        "portcullis:policy/reports.any": async | trappable,
        "portcullis:policy/reports.any-each": async | trappable,
        "portcullis:policy/reports.newest-each": async | trappable,
        "portcullis:policy/reports.count-each": async | trappable,
        "portcullis:policy/reports.distinct-each": async | trappable,
        "portcullis:policy/reports.seen": async | trappable,
        "portcullis:policy/reports.first-and-last": async | trappable,
        "portcullis:policy/reports.count": async | trappable,
        "portcullis:policy/reports.distinct": async | trappable,
        "portcullis:policy/reports.top": async | trappable,
        "portcullis:policy/reports.significant": async | trappable,
        "portcullis:policy/reports.histogram": async | trappable,
        "portcullis:policy/reports.confirm": async | trappable,
        "portcullis:policy/reports.search": async | trappable,
        default: trappable,
    },
    with: {
        "portcullis:policy/stats.db": crate::host::stats::Handle,
        "portcullis:policy/geoip.database": crate::host::geoip::Handle,
        "portcullis:policy/dns.resolver": crate::host::dns::Handle,
    },
});

pub use portcullis::policy::*;
