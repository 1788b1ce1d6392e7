//! Log lines.
//!
//! ```
//! # let (login, count) = ("alice", 3);
//! portcullis::info!("slowed down"; login = login, count = count);
//! portcullis::warning!("no answer from {}", "rbl.example");
//! ```

use alloc::string::String;
use alloc::vec::Vec;

pub use crate::bindings::imports::portcullis::policy::log::Level;
use crate::host;

/// Writes a line with named values. The macros [`debug!`](crate::debug), [`verbose!`](crate::verbose), [`info!`](crate::info),
/// [`warning!`](crate::warning) and [`error!`](crate::error) are handier.
pub fn write(level: Level, message: &str, fields: &[(&str, String)]) {
    let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    host::log::write(level, message, &fields);
}

/// Writes the text of a panic to the log: a trap alone has none.
#[cfg(all(feature = "std", target_arch = "wasm32"))]
pub(crate) fn log_panics() {
    std::panic::set_hook(std::boxed::Box::new(|panic| {
        host::log::write(Level::Error, &alloc::format!("{panic}"), &[]);
    }));
}

#[doc(hidden)]
#[macro_export]
macro_rules! __log {
    ($level:ident, $format:literal $(, $arg:expr)* $(; $($name:ident = $value:expr),+ $(,)?)?) => {
        $crate::log::write(
            $crate::log::Level::$level,
            &$crate::log::__format!($format $(, $arg)*),
            &[$($((::core::stringify!($name), $crate::log::__format!("{}", $value))),+)?],
        )
    };
}

#[doc(hidden)]
pub use alloc::format as __format;

macro_rules! levels {
    ($($name:ident $level:ident $doc:literal;)*) => {$(
        levels!(@one ($) $name $level $doc);
    )*};
    (@one ($dollar:tt) $name:ident $level:ident $doc:literal) => {
        #[doc = $doc]
        ///
        /// A format string with its arguments, then, after a semicolon, named values.
        #[macro_export]
        macro_rules! $name {
            ($dollar($dollar tokens:tt)+) => { $crate::__log!($level, $dollar($dollar tokens)+) };
        }
    };
}

levels! {
    debug Debug "Writes a line that is only shown with `-v`.";
    verbose Verbose "Writes a line that is only shown with `-v`, at the level of information.";
    info Info "Writes a line that is worth to know.";
    warning Warning "Writes a line about what may be wrong.";
    error Error "Writes a line about what is wrong.";
}
