//! One request from its head to its answer: route, ACL, password, body, command.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use capabilities::{Daemon, Level};
use http::header::{ACCEPT_LANGUAGE, AUTHORIZATION, EXPECT, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Request, StatusCode};
use hyper::body::{Body as _, Incoming};

use crate::backend::Backend;
use crate::body::{self, BodyError};
use crate::command::{Handler, Verb};
use crate::commands::{custom, jobs, key_stats, lists, login, policies, reset, siblings, stats, trackalert};
use crate::credentials;
use crate::pages::{self, Page};
use crate::reply::{self, Reply};
use crate::route::{Password, Route, Target};
use crate::server::{Custom, Shared};

/// How long a client may go on sending a body that is too large before it gets its answer.
const LINGER: Duration = Duration::from_secs(1);

/// Bytes of the form of "was this you?".
const FORM_BYTES: usize = 8 << 10;

/// With `1`, the answer of `allow` says why; other commands do not look at it.
const EXPLAIN: HeaderName = HeaderName::from_static("x-portcullis-explain");

/// What runs, as the configuration was when the request came.
enum Admitted {
    /// A built-in command, by its place in the table.
    Command(usize),
    Custom(Arc<Custom>),
    Metrics,
    OpenApi(Bytes),
    Page(Page),
}

/// The answer, and the bytes of its body.
pub(crate) async fn answer<B: Backend>(
    shared: &Shared<B>,
    peer: SocketAddr,
    request: Request<Incoming>,
) -> (Reply, u64) {
    let (head, mut body) = request.into_parts();
    let reply = match admit(shared, peer, &head) {
        Ok(Admitted::Page(page)) => match Box::pin(show(shared, page, &head, &mut body)).await {
            Ok(reply) => reply,
            Err(error) => Box::pin(refuse_body(shared, error, &head, &mut body)).await,
        },
        Ok(target) => {
            let explain = head.headers.get(EXPLAIN).is_some_and(|value| value == "1");
            let reply = run(shared, &target, explain, &mut body).await;
            match reply {
                Ok(reply) => reply,
                Err(error) => Box::pin(refuse_body(shared, error, &head, &mut body)).await,
            }
        }
        Err(reply) => {
            // A client that sends its body regardless shall find the answer, and a connection that goes on. One that
            // waits to be asked for it must not be asked.
            if !body.is_end_stream() && !head.headers.contains_key(EXPECT) {
                body::drain(&mut body, shared.limits.body_bytes, shared.limits.body_patience).await;
            }
            *reply
        }
    };
    let bytes = reply.body().size_hint().lower();
    (reply, bytes)
}

async fn refuse_body<B: Backend>(
    shared: &Shared<B>,
    error: BodyError,
    head: &Parts,
    body: &mut Incoming,
) -> Reply {
    reply::closing(match error {
        BodyError::TooLarge => {
            // A connection closed with bytes unread is reset, and the answer lost with it. So a client that sends
            // regardless gets the chance to finish, within reason.
            if !head.headers.contains_key(EXPECT) {
                body::drain(body, shared.limits.body_bytes.saturating_mul(8), LINGER).await;
            }
            StatusCode::PAYLOAD_TOO_LARGE
        }
        BodyError::TimedOut => StatusCode::REQUEST_TIMEOUT,
        BodyError::Broken => StatusCode::BAD_REQUEST,
    })
}

/// Everything before the body: what to run, or the answer of who is not let through.
///
/// wforce compatibility: a path that is not there is told to everybody, before the ACL; in the old form only those find
/// out whether a command exists who have the password.
fn admit<B: Backend>(shared: &Shared<B>, peer: SocketAddr, head: &Parts) -> Result<Admitted, Box<Reply>> {
    let callable = shared.callable.load();
    let route = callable.router.find(&head.method, head.uri.path(), head.uri.query());
    let (target, password) = match route {
        Route::Run(target, password) => (Some(target), password),
        Route::NotFoundInside => (None, Password::Needed),
        Route::NotFound => return Err(Box::new(reply::not_found())),
        Route::WrongMethod(allowed) => return Err(Box::new(reply::method_not_allowed(allowed))),
        Route::Options => return Err(Box::new(reply::empty(StatusCode::FORBIDDEN))),
        Route::UnknownMethod => return Err(Box::new(reply::closing(StatusCode::METHOD_NOT_ALLOWED))),
    };
    let capabilities = shared.backend.capabilities();
    let access = &capabilities.access;
    // An IPv4 client of a listener on [::] is known by its IPv4 address.
    let ip = peer.ip().to_canonical();
    if !access.allows(ip) {
        let text = format!("HTTP request from {peer}: its address is not in the ACL (addACL, setACL)");
        capabilities.log.limited("web access list", Duration::from_secs(1), Level::Err, text);
        return Err(Box::new(reply::not_in_acl(ip)));
    }
    let free = match password {
        Password::Free => true,
        Password::UnlessOpened => access.metrics_open(),
        Password::Needed => false,
    };
    let known = || {
        let header = head.headers.get(AUTHORIZATION);
        header.is_some_and(|header| credentials::basic(header.as_bytes(), |text| access.check_basic(text)))
    };
    if !free && !known() {
        let path = head.uri.path().escape_default();
        let text = format!("HTTP request \"{path}\" from {peer}: web authentication failed");
        capabilities.log.limited("web authentication", Duration::from_secs(1), Level::Err, text);
        return Err(Box::new(reply::unauthorized()));
    }
    match target {
        Some(Target::Command(at)) => Ok(Admitted::Command(at)),
        Some(Target::Custom(at)) => Ok(Admitted::Custom(Arc::clone(&callable.endpoints[at]))),
        Some(Target::Metrics) => Ok(Admitted::Metrics),
        Some(Target::OpenApi) => Ok(Admitted::OpenApi(callable.openapi.clone())),
        Some(Target::Page(page)) => Ok(Admitted::Page(page)),
        None => Err(Box::new(reply::not_found())),
    }
}

/// `explain`: the client wants to know why.
async fn run<B: Backend>(
    shared: &Shared<B>,
    target: &Admitted,
    explain: bool,
    body: &mut Incoming,
) -> Result<Reply, BodyError> {
    let limits = &shared.limits;
    match target {
        Admitted::Command(at) => {
            let command = &shared.commands[*at];
            let body = match command.verb {
                Verb::Post => body::collect(body, limits.body_bytes, limits.body_patience).await?,
                Verb::Get => Bytes::new(),
            };
            shared.counters[*at].increment();
            let since = Instant::now();
            let reply = match command.handler {
                Handler::Report => login::report(&*shared.backend, &body).await,
                Handler::Allow if explain => Box::pin(login::explain(&*shared.backend, &body)).await,
                Handler::Allow => login::allow(&*shared.backend, &body).await,
                Handler::TakeReport => trackalert::report(&*shared.backend, &body).await,
                Handler::Live => return Ok(reply::empty_html()),
                // Boxed, so that what these need makes no room in every request's future.
                handler => Box::pin(command_reply(shared, handler, &body)).await,
            };
            shared.backend.capabilities().metrics.observe_response(since.elapsed());
            Ok(reply)
        }
        Admitted::Custom(custom) => {
            Box::pin(async {
                let body = if custom.endpoint.get {
                    Bytes::new()
                } else {
                    body::collect(body, limits.body_bytes, limits.body_patience).await?
                };
                custom.counter.increment();
                let since = Instant::now();
                let reply = if custom.endpoint.get {
                    custom::get(&*shared.backend, &custom.endpoint.name).await
                } else if shared.daemon == Daemon::Trackalert {
                    trackalert::custom(&*shared.backend, &custom.endpoint.name, &body).await
                } else {
                    custom::post(&*shared.backend, &custom.endpoint.name, &body).await
                };
                shared.backend.capabilities().metrics.observe_response(since.elapsed());
                Ok(reply)
            })
            .await
        }
        Admitted::Metrics => Ok(reply::text(StatusCode::OK, shared.backend.capabilities().metrics.render())),
        Admitted::OpenApi(document) => Ok(reply::json(StatusCode::OK, document.clone())),
        // Shown before it comes to this.
        Admitted::Page(_) => Ok(reply::not_found()),
    }
}

/// A page for people.
async fn show<B: Backend>(
    shared: &Shared<B>,
    page: Page,
    head: &Parts,
    body: &mut Incoming,
) -> Result<Reply, BodyError> {
    let caps = shared.backend.capabilities();
    let confirm = shared.confirm.as_deref();
    let query = head.uri.query().unwrap_or_default();
    let accept = head.headers.get(ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    Ok(match page {
        Page::Ask => pages::ask(confirm, caps, query, accept).await,
        Page::Answer => {
            let form = body::collect(body, FORM_BYTES, shared.limits.body_patience).await?;
            pages::take(confirm, caps, &form, accept).await
        }
        Page::History => pages::page(caps, query).await,
        Page::HistoryJson => pages::document(caps, query).await,
    })
}

async fn command_reply<B: Backend>(shared: &Shared<B>, handler: Handler, body: &Bytes) -> Reply {
    let backend = &*shared.backend;
    match handler {
        Handler::Report => login::report(backend, body).await,
        Handler::Allow => login::allow(backend, body).await,
        Handler::TakeReport => trackalert::report(backend, body).await,
        Handler::TrackStats => trackalert::stats(backend),
        Handler::Jobs => jobs::list(backend),
        Handler::RunBackground => jobs::run(backend, body),
        Handler::Reset => reset::reset(backend, body).await,
        Handler::AddList(colour) => lists::add(backend, colour, body).await,
        Handler::DeleteList(colour) => lists::delete(backend, colour, body).await,
        Handler::GetList(colour) => lists::get(backend, colour),
        Handler::DbStats => key_stats::get(backend, body).await,
        Handler::Stats => stats::get(backend),
        Handler::ReloadPolicies => policies::reload(backend, body).await,
        Handler::Ping if shared.ready.is_ready() => reply::ok(),
        Handler::Ping => reply::warmup(),
        Handler::Ready => {
            let waiting = shared.ready.waiting();
            let status = if waiting.is_none() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
            let mut reply = reply::json(status, Bytes::new());
            // The body is empty (wforce compatibility), so the reason has a header of its own, and so has what does not work
            // although the daemon serves.
            let trouble = backend.capabilities().troubles.told();
            for (name, text) in [("x-portcullis-waiting", waiting), ("x-portcullis-trouble", trouble)] {
                if let Some(Ok(text)) = text.map(HeaderValue::try_from) {
                    reply.headers_mut().insert(name, text);
                }
            }
            reply
        }
        Handler::Live => reply::empty_html(),
        Handler::SyncDone => {
            if shared.ready.set() {
                backend.capabilities().log.notice("syncDone: the stats DBs are here, the daemon is ready");
            }
            reply::ok()
        }
        Handler::SyncDbs => siblings::sync_dbs(shared.cluster.as_ref(), body),
        Handler::DumpEntries => siblings::dump_entries(shared.cluster.as_ref(), body),
        Handler::AddPeer(peers) => siblings::add(shared.cluster.as_ref(), peers, body).await,
        Handler::RemovePeer(peers) => siblings::remove(shared.cluster.as_ref(), peers, body).await,
        Handler::SetPeers(peers) => siblings::set(shared.cluster.as_ref(), peers, body).await,
        Handler::GetPeers(peers) => siblings::get(shared.cluster.as_ref(), peers),
    }
}
