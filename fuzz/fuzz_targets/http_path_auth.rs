//! The head of a request to either daemon: method, target and `Authorization` header, one a line.

#![no_main]

use std::sync::LazyLock;

use api::route::{Password, Route, Router, Target};
use capabilities::Daemon;
use http::{Method, Uri};
use libfuzzer_sys::fuzz_target;
use policy::Endpoint;

static WFORCE: LazyLock<Router> = LazyLock::new(|| router(Daemon::Wforce));
static TRACKALERT: LazyLock<Router> = LazyLock::new(|| router(Daemon::Trackalert));

fn router(daemon: Daemon) -> Router {
    let endpoint = |name: &str, get| Endpoint { name: name.into(), get, to_sinks: false };
    Router::new(daemon, &[endpoint("Mine", false), endpoint("Mine", true), endpoint("a b", true)])
}

fuzz_target!(|head: &[u8]| {
    let mut lines = head.splitn(3, |byte| *byte == b'\n');
    let method = Method::from_bytes(lines.next().unwrap_or_default());
    let target = Uri::try_from(lines.next().unwrap_or_default());
    if let (Ok(method), Ok(target)) = (method, target) {
        for router in [&*WFORCE, &*TRACKALERT] {
            check_route(router, &method, target.path(), target.query());
        }
        assert!(!matches!(
            WFORCE.find(&method, target.path(), target.query()),
            Route::Run(Target::Page(_), _)
        ));
    }
    check_credentials(lines.next().unwrap_or_default());
});

fn check_route(router: &Router, method: &Method, path: &str, query: Option<&str>) {
    let route = router.find(method, path, query);
    if path == "/" {
        // Whether a command exists in the old form is told to those with the password only.
        assert!(!matches!(route, Route::NotFound | Route::Run(_, Password::Free | Password::UnlessOpened)));
        return;
    }
    assert_ne!(route, Route::NotFoundInside);
    // By path the query does not count, nor does the case.
    assert_eq!(route, router.find(method, path, None));
    assert_eq!(route, router.find(method, &path.to_ascii_uppercase(), query));
    if let Route::Run(target, password) = route {
        assert!(method == Method::GET || method == Method::HEAD || method == Method::POST);
        assert!(password != Password::UnlessOpened || target == Target::Metrics);
        // Without a password only an answer to "was this you?" is taken.
        let page = matches!(target, Target::Page(_));
        assert!(password != Password::Free || method != Method::POST || page);
        assert!(!page || password == Password::Needed || path.len() >= "/confirm".len());
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
