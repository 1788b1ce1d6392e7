//! Prints a page of the book that is written from the table of functions: `configuration` or `lua-api`.
//! `scripts/generate` puts them into `docs/`.
#![allow(clippy::print_stdout)]

fn main() -> std::process::ExitCode {
    match std::env::args().nth(1).as_deref() {
        Some("configuration") => print!("{}", portcullis_lua::surface::configuration_markdown()),
        Some("lua-api") => print!("{}", portcullis_lua::surface::lua_api_markdown()),
        _ => return std::process::ExitCode::FAILURE,
    }
    std::process::ExitCode::SUCCESS
}
