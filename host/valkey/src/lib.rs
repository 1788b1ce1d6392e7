//! Redis and Valkey: persistence of lists, and stats DBs kept outside.
#![forbid(unsafe_code)]
