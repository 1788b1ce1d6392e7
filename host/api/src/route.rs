//! From method, path and query to what is to run. Both URL forms: `/command/NAME` and `/?command=NAME`.

use std::collections::HashMap;
use std::sync::Arc;

use capabilities::Daemon;
use http::Method;
use policy::Endpoint;

use crate::command::{Command, Verb, commands};
use crate::pages::Page;
use crate::query;

/// What is to run.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Target {
    /// A built-in command, by its place in the table.
    Command(usize),
    /// A custom endpoint, by its place in the list given to [`Router::new`].
    Custom(usize),
    /// `/metrics`
    Metrics,
    /// `/openapi.json`
    OpenApi,
    /// A page for people.
    Page(Page),
}

/// Whether the password is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Password {
    /// Always.
    Needed,
    /// Never.
    Free,
    /// Unless the configuration opened the metrics.
    UnlessOpened,
}

/// Where a request leads.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Route {
    /// To this, after the ACL and the password.
    Run(Target, Password),
    /// Nowhere: 404 at once.
    NotFound,
    /// Nowhere: 404, but only for those whom ACL and password let in.
    NotFoundInside,
    /// The path is there, for these methods only: 405.
    WrongMethod(&'static str),
    /// `OPTIONS`: 403.
    Options,
    /// A method nobody knows: 405, and the connection ends.
    UnknownMethod,
}

/// All there is to call.
pub struct Router {
    commands: &'static [Command],
    custom: HashMap<Arc<str>, Custom>,
    custom_lower: HashMap<String, Custom>,
    /// Whether there are pages for people: of the daemon that remembers.
    pages: bool,
}

/// The places of the endpoints of one name.
#[derive(Clone, Copy, Default)]
struct Custom {
    get: Option<usize>,
    post: Option<usize>,
}

const PREFIX: &str = "/command/";

impl Router {
    /// The built-in commands of a daemon and these custom endpoints. Of two with the same name and verb the first one counts; in
    /// the path form names are the same if they differ in case only. A built-in command hides a custom endpoint.
    pub fn new(daemon: Daemon, endpoints: &[Endpoint]) -> Self {
        let commands = commands(daemon);
        let mut router = Self {
            commands,
            custom: HashMap::new(),
            custom_lower: HashMap::new(),
            pages: daemon == Daemon::Trackalert,
        };
        for (at, endpoint) in endpoints.iter().enumerate() {
            router.custom.entry(Arc::clone(&endpoint.name)).or_default().add(endpoint.get, at);
            router.custom_lower.entry(endpoint.name.to_ascii_lowercase()).or_default().add(endpoint.get, at);
        }
        router
    }

    /// Finds the way. Never fails, whatever the client sends.
    pub fn find(&self, method: &Method, path: &str, query: Option<&str>) -> Route {
        let verb = match *method {
            Method::POST => Some(Verb::Post),
            Method::GET | Method::HEAD => Some(Verb::Get),
            Method::PUT | Method::DELETE | Method::PATCH | Method::OPTIONS => None,
            _ => return Route::UnknownMethod,
        };
        if path == "/" {
            return match *method {
                Method::OPTIONS => Route::Options,
                Method::PATCH => Route::WrongMethod("GET, HEAD, POST"),
                _ => self.find_old(verb, query.unwrap_or_default()),
            };
        }
        let path = query::decode(path.as_bytes(), false);
        if path.eq_ignore_ascii_case(b"/metrics") {
            return own_path(method, verb, Target::Metrics, Password::UnlessOpened);
        }
        if path.eq_ignore_ascii_case(b"/openapi.json") {
            return own_path(method, verb, Target::OpenApi, Password::Needed);
        }
        if self.pages
            && let Some(route) = find_page(method, verb, &path)
        {
            return route;
        }
        match path.split_at_checked(PREFIX.len()) {
            Some((prefix, name)) if prefix.eq_ignore_ascii_case(PREFIX.as_bytes()) => {
                self.find_by_path(method, verb, name)
            }
            _ => Route::NotFound,
        }
    }

    fn find_old(&self, verb: Option<Verb>, query: &str) -> Route {
        let (Some(verb), Some(name)) = (verb, query::command_of(query)) else { return Route::NotFoundInside };
        let built_in =
            self.commands.iter().position(|command| command.name.as_bytes() == &*name && !command.path_only);
        if let Some(at) = built_in {
            return if self.commands[at].verb == verb {
                Route::Run(Target::Command(at), Password::Needed)
            } else {
                Route::NotFoundInside
            };
        }
        let custom = std::str::from_utf8(&name).ok().and_then(|name| self.custom.get(name)?.find(verb));
        custom.map_or(Route::NotFoundInside, |at| Route::Run(Target::Custom(at), Password::Needed))
    }

    fn find_by_path(&self, method: &Method, verb: Option<Verb>, name: &[u8]) -> Route {
        let built_in =
            self.commands.iter().position(|command| command.name.as_bytes().eq_ignore_ascii_case(name));
        if let Some(at) = built_in {
            let command = &self.commands[at];
            let password = if command.open { Password::Free } else { Password::Needed };
            if command.path_only {
                return own_path(method, verb, Target::Command(at), password);
            }
            return if verb == Some(command.verb) {
                Route::Run(Target::Command(at), password)
            } else {
                Route::NotFound
            };
        }
        let custom = verb.and_then(|verb| {
            let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
            self.custom_lower.get(&name)?.find(verb)
        });
        custom.map_or(Route::NotFound, |at| Route::Run(Target::Custom(at), Password::Needed))
    }
}

impl Custom {
    fn add(&mut self, get: bool, at: usize) {
        let place = if get { &mut self.get } else { &mut self.post };
        place.get_or_insert(at);
    }

    fn find(self, verb: Verb) -> Option<usize> {
        match verb {
            Verb::Get => self.get,
            Verb::Post => self.post,
        }
    }
}

/// The pages for people. Behind a signed link there is no password.
fn find_page(method: &Method, verb: Option<Verb>, path: &[u8]) -> Option<Route> {
    let inside = |page| own_path(method, verb, Target::Page(page), Password::Needed);
    match &path.to_ascii_lowercase()[..] {
        b"/reports" => Some(inside(Page::History)),
        b"/reports.json" => Some(inside(Page::HistoryJson)),
        b"/confirm" => Some(match verb {
            Some(Verb::Get) => Route::Run(Target::Page(Page::Ask), Password::Free),
            Some(Verb::Post) => Route::Run(Target::Page(Page::Answer), Password::Free),
            None if *method == Method::OPTIONS => Route::Options,
            None => Route::WrongMethod("GET, HEAD, POST"),
        }),
        _ => None,
    }
}

/// A path that has a handler of its own, for `GET` only.
fn own_path(method: &Method, verb: Option<Verb>, target: Target, password: Password) -> Route {
    match verb {
        Some(Verb::Get) => Route::Run(target, password),
        _ if *method == Method::OPTIONS => Route::Options,
        _ => Route::WrongMethod("GET, HEAD"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn endpoint(name: &str, get: bool) -> Endpoint {
        Endpoint { name: name.into(), get, to_sinks: false }
    }

    fn router() -> Router {
        Router::new(
            Daemon::Wforce,
            &[
                endpoint("Mine", false),
                endpoint("mine", false),
                endpoint("Mine", true),
                endpoint("Stats", false),
            ],
        )
    }

    fn find(method: &str, target: &str) -> Route {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        router().find(&method.parse().unwrap(), path, query)
    }

    fn name(route: &Route) -> Option<&'static str> {
        match route {
            Route::Run(Target::Command(at), _) => Some(commands(Daemon::Wforce)[*at].name),
            _ => None,
        }
    }

    #[test]
    fn both_forms_reach_every_command() {
        for command in commands(Daemon::Wforce) {
            let method = if command.verb == Verb::Get { "GET" } else { "POST" };
            let other = if command.verb == Verb::Get { "POST" } else { "GET" };
            let path = format!("/command/{}", command.name);
            assert_eq!(name(&find(method, &path)), Some(command.name));
            assert_eq!(name(&find(method, &path.to_uppercase())), Some(command.name));
            assert_eq!(name(&find(method, &format!("{path}?any=query"))), Some(command.name));
            assert_eq!(find(method, &format!("{path}/")), Route::NotFound);
            if command.path_only {
                assert_eq!(find(other, &path), Route::WrongMethod("GET, HEAD"));
                assert_eq!(find(method, &format!("/?command={}", command.name)), Route::NotFoundInside);
            } else {
                assert_eq!(find(other, &path), Route::NotFound);
                let old = format!("/?command={}", command.name);
                assert_eq!(name(&find(method, &old)), Some(command.name));
                assert_eq!(find(other, &old), Route::NotFoundInside);
                assert_eq!(
                    find(method, &old.to_uppercase().replace("COMMAND", "command")),
                    Route::NotFoundInside
                );
            }
        }
    }

    #[test]
    fn only_health_is_free_of_the_password_and_only_by_path() {
        for command in commands(Daemon::Wforce) {
            let method = if command.verb == Verb::Get { "GET" } else { "POST" };
            let free =
                matches!(find(method, &format!("/command/{}", command.name)), Route::Run(_, Password::Free));
            assert_eq!(free, ["livez", "readyz"].contains(&command.name), "{}", command.name);
        }
        assert!(matches!(find("GET", "/?command=readyz"), Route::Run(_, Password::Needed)));
    }

    #[test]
    fn custom_endpoints_keep_their_case_in_the_old_form_only() {
        assert_eq!(find("POST", "/?command=Mine"), Route::Run(Target::Custom(0), Password::Needed));
        assert_eq!(find("POST", "/?command=mine"), Route::Run(Target::Custom(1), Password::Needed));
        assert_eq!(find("GET", "/?command=Mine"), Route::Run(Target::Custom(2), Password::Needed));
        assert_eq!(find("GET", "/?command=mine"), Route::NotFoundInside);
        assert_eq!(find("POST", "/command/MINE"), Route::Run(Target::Custom(0), Password::Needed));
        assert_eq!(find("GET", "/command/mine"), Route::Run(Target::Custom(2), Password::Needed));
    }

    #[test]
    fn pages_are_those_of_trackalert() {
        let router = Router::new(Daemon::Trackalert, &[]);
        let find = |method: &str, path: &str| router.find(&method.parse().unwrap(), path, None);
        assert_eq!(find("GET", "/confirm"), Route::Run(Target::Page(Page::Ask), Password::Free));
        assert_eq!(find("POST", "/confirm"), Route::Run(Target::Page(Page::Answer), Password::Free));
        assert_eq!(find("DELETE", "/confirm"), Route::WrongMethod("GET, HEAD, POST"));
        assert_eq!(find("GET", "/reports"), Route::Run(Target::Page(Page::History), Password::Needed));
        assert_eq!(
            find("HEAD", "/reports.json"),
            Route::Run(Target::Page(Page::HistoryJson), Password::Needed)
        );
        assert_eq!(find("POST", "/reports"), Route::WrongMethod("GET, HEAD"));
        assert_eq!(find("GET", "/confirm/"), Route::NotFound);
        let wforce = super::Router::new(Daemon::Wforce, &[]);
        assert_eq!(wforce.find(&Method::GET, "/reports", None), Route::NotFound);
    }

    #[test]
    fn methods() {
        for path in ["/", "/metrics", "/command/livez", "/openapi.json"] {
            assert_eq!(find("OPTIONS", path), Route::Options, "{path}");
            assert!(matches!(find("PATCH", path), Route::WrongMethod(_)), "{path}");
            assert_eq!(find("BREW", path), Route::UnknownMethod, "{path}");
        }
        assert_eq!(find("DELETE", "/?command=report"), Route::NotFoundInside);
        assert_eq!(find("PUT", "/?command=report"), Route::NotFoundInside);
        assert_eq!(find("PUT", "/command/report"), Route::NotFound);
        assert_eq!(find("OPTIONS", "/command/report"), Route::NotFound);
        assert_eq!(find("PUT", "/metrics"), Route::WrongMethod("GET, HEAD"));
        assert_eq!(name(&find("HEAD", "/command/ping")), Some("ping"));
        assert_eq!(find("GET", "/nothing"), Route::NotFound);
        assert_eq!(find("GET", "/index.html"), Route::NotFound);
        assert_eq!(find("GET", "/"), Route::NotFoundInside);
    }
}
