//! The head of a request: method, target and `Authorization` header, one a line.

#![no_main]

use std::sync::LazyLock;

use api::route::{Password, Route, Router, Target};
use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;
use policy::Endpoint;

static ROUTER: LazyLock<Router> = LazyLock::new(|| {
    let endpoint = |name: &str, get| Endpoint { name: name.into(), get, to_sinks: false };
    Router::new(
        capabilities::Daemon::Wforce,
        &[endpoint("Mine", false), endpoint("Mine", true), endpoint("a b", true)],
    )
});

fuzz_target!(|head: &[u8]| {
    let mut lines = head.splitn(3, |byte| *byte == b'\n');
    let method = Method::from_bytes(lines.next().unwrap_or_default());
    let target = Uri::try_from(lines.next().unwrap_or_default());
    if let (Ok(method), Ok(target)) = (method, target) {
        check_route(&method, target.path(), target.query());
    }
    check_credentials(lines.next().unwrap_or_default());
});

fn check_route(method: &Method, path: &str, query: Option<&str>) {
    let route = ROUTER.find(method, path, query);
    if path == "/" {
        // Whether a command exists in the old form is told to those with the password only.
        assert!(!matches!(route, Route::NotFound | Route::Run(_, Password::Free | Password::UnlessOpened)));
        return;
    }
    assert_ne!(route, Route::NotFoundInside);
    // By path the query does not count, nor does the case.
    assert_eq!(route, ROUTER.find(method, path, None));
    assert_eq!(route, ROUTER.find(method, &path.to_ascii_uppercase(), query));
    if let Route::Run(target, password) = route {
        assert!(method == Method::GET || method == Method::HEAD || method == Method::POST);
        assert!(password != Password::UnlessOpened || target == Target::Metrics);
        assert!(password != Password::Free || method != Method::POST);
    }
}

fn check_credentials(header: &[u8]) {
    let mut seen = None;
    let accepted = api::credentials::basic(header, |text| {
        seen = Some(text.to_vec());
        text.contains(&b':')
    });
    assert_eq!(accepted, seen.as_ref().is_some_and(|text| text.contains(&b':')));
    if let Some(text) = seen {
        assert!(header.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"basic")));
        assert!(text.len() < header.len());
    }
}
