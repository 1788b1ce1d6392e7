//! The fresh side: asks one daemon after the other until one is willing.

use std::net::SocketAddr;
use std::time::Duration;

use login::json::{ObjectWriter, parse_body};
use outbound::{Client, Method, Request, basic_auth, without_secrets};

use crate::context::Context;

/// How long one call may take.
const CALL: Duration = Duration::from_secs(5);

/// A daemon that may have what we want.
#[derive(Clone)]
pub struct Host {
    /// Base URL of its API.
    pub url: String,
    /// The API's password.
    pub password: Vec<u8>,
}

/// What to ask for.
#[derive(Clone)]
pub struct Plan {
    /// Whom, in this order.
    pub hosts: Vec<Host>,
    /// Seconds that a host must have been running, and more.
    pub min_uptime: u32,
    /// Where we hear siblings.
    pub replication: SocketAddr,
    /// Base URL of our own API, where the host tells that it is done.
    pub callback: String,
    /// The password of our own API.
    pub callback_password: Vec<u8>,
}

/// Asks the hosts. Whether one of them is sending now; it calls `syncDone` when it has sent all.
pub async fn run(context: &Context, client: &Client, plan: &Plan) -> bool {
    for host in &plan.hosts {
        let shown = without_secrets(&host.url);
        match ask(context, client, plan, host).await {
            Ok(()) => {
                context.caps.log.notice(format!("sync: {shown} sends its stats DBs"));
                return true;
            }
            Err(why) => context.caps.log.warn(format!("sync: {shown} does not help: {why}")),
        }
    }
    false
}

async fn ask(context: &Context, client: &Client, plan: &Plan, host: &Host) -> Result<(), String> {
    let call = |method, command: &str, body: Vec<u8>| {
        let url = format!("{}/?command={command}", base(&host.url));
        let request = Request::new(method, url, body).header(
            outbound::HeaderName::from_static("authorization"),
            basic_auth(b"wforce", &host.password),
        );
        async move {
            let answer = client.send(request, CALL).await.map_err(|error| error.to_string())?;
            if answer.status.is_success() {
                Ok(answer.body)
            } else {
                Err(format!("it answers {}", answer.status))
            }
        }
    };
    let stats = call(Method::GET, "stats", Vec::new()).await?;
    let uptime =
        parse_body(&stats).map_err(|error| error.to_string())?.get(b"uptime").map_or(0, login::Value::int);
    if uptime <= i64::from(plan.min_uptime) {
        return Err(format!("it has been running for {uptime} s only"));
    }
    let answer = call(Method::POST, "syncDBs", body(context, plan)).await?;
    let answer = parse_body(&answer).map_err(|error| error.to_string())?;
    if answer.str_or_empty(b"status") == b"ok" { Ok(()) } else { Err("it does not say ok".into()) }
}

/// A URL without a scheme means http (wforce compatibility); a slash at its end is one too many.
fn base(url: &str) -> String {
    let url = url.trim_end_matches('/');
    if url.contains("://") { url.to_owned() } else { format!("http://{url}") }
}

/// The key goes as raw bytes in a JSON string (wforce compatibility).
fn body(context: &Context, plan: &Plan) -> Vec<u8> {
    let mut body = Vec::new();
    let mut object = ObjectWriter::new(&mut body);
    object.str(b"callback_auth_pw", &plan.callback_password);
    object.str(b"callback_url", format!("{}/?command=syncDone", base(&plan.callback)).as_bytes());
    if let Some(key) = context.security.key() {
        object.str(b"encryption_key", key.as_bytes());
    }
    object.str(b"replication_host", plan.replication.ip().to_string().as_bytes());
    object.int(b"replication_port", plan.replication.port().into());
    object.finish();
    body
}

/// Tells the daemon that asked for a sync that everything was sent.
///
/// # Errors
/// What went wrong, for the log.
pub(crate) async fn done(client: &Client, url: &str, password: &[u8]) -> Result<(), String> {
    let request = Request::new(Method::GET, url, Vec::new())
        .header(outbound::HeaderName::from_static("authorization"), basic_auth(b"wforce", password));
    let answer = client.send(request, CALL).await.map_err(|error| error.to_string())?;
    let parsed = parse_body(&answer.body).map_err(|error| error.to_string())?;
    if parsed.str_or_empty(b"status") == b"ok" {
        Ok(())
    } else {
        Err(format!("it answers {}", answer.status))
    }
}
