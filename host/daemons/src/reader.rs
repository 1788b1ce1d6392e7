//! Who reads what a program prints may have enough of it: `portcullis check | head`.

use std::panic::{PanicHookInfo, set_hook, take_hook};
use std::process::exit;

/// What a shell shows of a program that SIGPIPE ended.
const SIGPIPE: i32 = 128 + 13;

/// From now on a program whose output nobody reads any more ends at once and says nothing, as others do. Rust ignores
/// SIGPIPE, and printing then panics.
pub fn may_leave() {
    let before = take_hook();
    set_hook(Box::new(move |panic| {
        if has_left(panic) {
            #[expect(
                clippy::disallowed_methods,
                reason = "as SIGPIPE would have done; nobody reads what is left"
            )]
            exit(SIGPIPE);
        }
        before(panic);
    }));
}

/// The panic of `print!` and `eprint!`, which has no other sign than its text.
fn has_left(panic: &PanicHookInfo<'_>) -> bool {
    panic
        .payload_as_str()
        .is_some_and(|text| text.starts_with("failed printing to std") && text.contains("Broken pipe"))
}
