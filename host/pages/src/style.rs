//! How pages look, and what a browser may do with them.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::digest;

/// The style sheet, inside each page: nothing has to be fetched.
pub(crate) const STYLE: &str = include_str!("style.css");

/// The `Content-Security-Policy` of all pages: this style sheet, forms to where the page came from, nothing else.
pub static POLICY: LazyLock<String> = LazyLock::new(|| {
    let hash = STANDARD.encode(digest::digest(&digest::SHA256, STYLE.as_bytes()));
    format!(
        "default-src 'none'; style-src 'sha256-{hash}'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
    )
});
