//! Entries on the blacklist of a wforce, by its REST API.

use std::time::Duration;

use capabilities::alerts::{Alert, BlockOf};
use outbound::{Client, Error, HeaderName, HeaderValue, Method, Request, TlsSettings};
use serde_json::{Map, Value};

use super::Failed;
use crate::settings::{Block, ConfigError};
use crate::story::Story;

/// What a request may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// Bytes of an entry's reason.
const REASON: usize = 200;

/// Adds entries at one daemon; its siblings get them from there.
pub(crate) struct Blocker {
    client: Client,
    settings: Block,
    url: String,
    authorization: HeaderValue,
}

impl Blocker {
    pub(crate) fn new(settings: Block) -> Result<Blocker, ConfigError> {
        let wrong = |text: String| ConfigError(format!("addAlertBlock {}: {text}", settings.name));
        let tls = TlsSettings { authorities: settings.ca_file.clone(), ..TlsSettings::default() };
        let client = Client::new(&tls).map_err(|error| wrong(error.to_string()))?.with_body_limit(64 << 10);
        let password = settings.secret()?.ok_or_else(|| wrong("there is no password".to_owned()))?;
        let authorization = outbound::basic_auth(b"wforce", password.expose());
        let url = format!("{}/?command=addBLEntry", settings.url.trim_end_matches('/'));
        Ok(Blocker { client, settings, url, authorization })
    }

    pub(crate) fn shown(&self) -> String {
        outbound::without_secrets(&self.settings.url)
    }

    /// What is blocked, in words, and for how many seconds.
    pub(crate) fn entry(&self, story: &Story) -> Result<(String, u32), Failed> {
        let (body, seconds) = self.body(&story.alert)?;
        let part = |name: &str| body.get(name).and_then(Value::as_str);
        let what: Vec<&str> = [part("ip"), part("login")].into_iter().flatten().collect();
        Ok((what.join(" with "), seconds))
    }

    fn body(&self, alert: &Alert) -> Result<(Map<String, Value>, u32), Failed> {
        let what = alert.block.unwrap_or(self.settings.what);
        let seconds = alert.block_seconds.unwrap_or(self.settings.seconds);
        let mut body = Map::new();
        if what != BlockOf::Login {
            let ip = alert.ip.ok_or_else(|| Failed::for_good("the alert has no address to block"))?;
            body.insert("ip".to_owned(), ip.to_string().into());
        }
        if what != BlockOf::Ip {
            if alert.login.is_empty() {
                return Err(Failed::for_good("the alert has no login to block"));
            }
            body.insert("login".to_owned(), alert.login.as_str().into());
        }
        let mut reason = match alert.text.as_str() {
            "" => alert.reason.clone(),
            text => format!("{}: {text}", alert.reason),
        };
        reason.truncate(reason.floor_char_boundary(REASON));
        body.insert("expire_secs".to_owned(), seconds.into());
        body.insert("reason".to_owned(), reason.into());
        Ok((body, seconds))
    }

    pub(crate) async fn add(&self, story: &Story) -> Result<(), Failed> {
        let (body, _) = self.body(&story.alert)?;
        let request = Request::new(Method::POST, self.url.clone(), Value::Object(body).to_string())
            .header(HeaderName::from_static("authorization"), self.authorization.clone())
            .header(HeaderName::from_static("content-type"), HeaderValue::from_static("application/json"));
        match self.client.send(request, PATIENCE).await {
            Ok(answer) if answer.status.is_success() => Ok(()),
            Ok(answer) => {
                let said: String = String::from_utf8_lossy(&answer.body)
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(200)
                    .collect();
                let why = format!("{} answers {}: {said}", self.shown(), answer.status.as_u16());
                // 500 is how wforce refuses an entry: it would refuse it again.
                let again = matches!(answer.status.as_u16(), 408 | 425 | 429 | 502..=504);
                Err(Failed { why, again })
            }
            Err(error) => {
                let again = !matches!(error, Error::Url(_) | Error::TooLong(_));
                Err(Failed { why: format!("{}: {error}", self.shown()), again })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    fn blocker() -> Blocker {
        let table = json!({"url": "http://wforce.example:8084/", "password": "p", "seconds": 600});
        Blocker::new(Block::read(&table).unwrap()).unwrap()
    }

    fn alert() -> Alert {
        let ip = Some("192.0.2.1".parse().unwrap());
        Alert { login: "ada".into(), reason: "stuffing".into(), ip, ..Alert::default() }
    }

    #[test]
    fn an_entry_is_of_address_login_or_both() {
        let of = |alert: Alert| Value::Object(blocker().body(&alert).unwrap().0);
        assert_eq!(
            of(alert()),
            json!({"ip": "192.0.2.1", "login": "ada", "expire_secs": 600, "reason": "stuffing"})
        );
        let only =
            Alert { block: Some(BlockOf::Ip), block_seconds: Some(60), text: "é".repeat(200), ..alert() };
        let body = of(only);
        assert_eq!((&body["login"], &body["expire_secs"]), (&Value::Null, &json!(60)));
        assert!(body["reason"].as_str().unwrap().len() <= 200);
        assert!(blocker().body(&Alert { ip: None, ..alert() }).is_err());
        assert!(blocker().body(&Alert { login: String::new(), ..alert() }).is_err());
    }
}
