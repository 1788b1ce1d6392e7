//! Mail, over SMTP.

use std::time::Duration;

use jiff::tz::TimeZone;
use lettre::address::Address;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, CertificateStore, Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport as _, Message, Tokio1Executor};

use super::Failed;
use crate::settings::{ConfigError, Mail, Security};
use crate::story::Story;
use crate::templates::{Audience, Templates};

/// Sends mail through one server.
pub(crate) struct Mailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    settings: Mail,
    templates: Templates,
    zone: TimeZone,
    /// Of mail and conversation together.
    patience: Duration,
}

impl Mailer {
    pub(crate) fn new(settings: Mail, templates: Templates) -> Result<Mailer, ConfigError> {
        let wrong = |text: String| ConfigError(format!("setAlertMail: {text}"));
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host);
        let (tls, usual) = match settings.security {
            Security::None => (Tls::None, 25),
            Security::StartTls => (Tls::Required(parameters(&settings)?), 587),
            Security::Tls => (Tls::Wrapper(parameters(&settings)?), 465),
        };
        let patience = Duration::from_secs(u64::from(settings.timeout));
        builder = builder.tls(tls).port(settings.port.unwrap_or(usual)).timeout(Some(patience));
        if let (Some(user), Some(password)) = (&settings.user, settings.secret()?) {
            let password = std::str::from_utf8(password.expose())
                .map_err(|_| wrong("the password is no UTF-8".to_owned()))?;
            builder = builder.credentials(Credentials::new(user.clone(), password.to_owned()));
        }
        let zone = TimeZone::get(&settings.timezone).map_err(|error| wrong(error.to_string()))?;
        Ok(Mailer { transport: builder.build(), settings, templates, zone, patience })
    }

    /// The mail, addressed.
    pub(crate) fn write(&self, story: &Story, audience: Audience) -> Result<Message, Failed> {
        let alert = &story.alert;
        let mut values = story.values(&self.zone);
        if audience == Audience::Operator {
            values.set("confirm", "");
        }
        let letter = self.templates.write(audience, &alert.reason, alert.language.as_deref(), &values);
        let mut builder = Message::builder()
            .from(self.settings.from.clone())
            .subject(letter.subject)
            // The same in each attempt: a server that took one and could not say so need not deliver it twice.
            .message_id(Some(format!("<{}@{}>", story.id, self.settings.from.email.domain())))
            // No holiday notices as answers.
            .raw_header(raw("Auto-Submitted", "auto-generated"))
            .date_now();
        for recipient in self.recipients(story, audience)? {
            builder = builder.to(recipient);
        }
        let plain = SinglePart::plain(letter.text);
        let built = match letter.html {
            Some(html) => builder
                .multipart(MultiPart::alternative().singlepart(plain).singlepart(SinglePart::html(html))),
            None => builder.singlepart(plain),
        };
        built.map_err(|error| Failed::for_good(format!("no mail can be made of it: {error}")))
    }

    fn recipients(&self, story: &Story, audience: Audience) -> Result<Vec<Mailbox>, Failed> {
        let alert = &story.alert;
        if audience == Audience::Operator {
            return Ok(self.settings.to.clone());
        }
        let address = |text: &str| {
            text.parse::<Address>()
                .map(|address| Mailbox::new(None, address))
                .map_err(|error| Failed::for_good(format!("{text:?} is no address of mail: {error}")))
        };
        if !alert.to.is_empty() {
            return alert.to.iter().map(|text| address(text)).collect();
        }
        let Some(pattern) = &self.settings.user_to else {
            let text =
                "the alert has no `to`, and setAlertMail no `user_to`: where does mail to the user go?";
            return Err(Failed::for_good(text));
        };
        if alert.login.is_empty() {
            return Err(Failed::for_good("the alert is about no login, so there is no user to write to"));
        }
        Ok(vec![address(&pattern.replace("%{login}", &alert.login))?])
    }

    pub(crate) fn recipients_of(mail: &Message) -> String {
        let all: Vec<String> = mail.envelope().to().iter().map(ToString::to_string).collect();
        all.join(", ")
    }

    /// Hands it to the server.
    pub(crate) async fn send(&self, mail: Message) -> Result<(), Failed> {
        match tokio::time::timeout(self.patience, self.transport.send(mail)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                // The server's text may be long and of several lines.
                let why: String =
                    chain(&error).chars().take(500).map(|c| if c.is_control() { ' ' } else { c }).collect();
                // A broken connection or a busy server may be better later; a refusal stays one.
                Err(if error.is_permanent() || error.is_client() {
                    Failed::for_good(why)
                } else {
                    Failed::for_now(why)
                })
            }
            Err(_) => Err(Failed::for_now(format!("no answer within {} s", self.patience.as_secs()))),
        }
    }

    /// Host and port are for the log.
    pub(crate) fn shown(&self) -> &str {
        &self.settings.host
    }
}

fn raw(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn parameters(settings: &Mail) -> Result<TlsParameters, ConfigError> {
    let wrong = |text: String| ConfigError(format!("setAlertMail: {text}"));
    let mut builder = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let cannot = |why: String| wrong(format!("ca_file {}: {why}", path.display()));
        let pem = files::read(path, files::PEM).map_err(|error| cannot(error.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| cannot(chain(&error)))?;
        builder = builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build().map_err(|error| wrong(chain(&error)))
}

/// An error with everything below it, without saying the same twice.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        let said = source.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        next = source.source();
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use capabilities::alerts::Alert;
    use serde_json::{Value, json};

    use super::*;

    fn mailer(extra: &Value) -> Mailer {
        let mut table = json!({"host": "127.0.0.1", "security": "none", "from": "Mail team <alerts@example.com>",
            "to": ["ops@example.com", "noc@example.com"]});
        for (name, value) in extra.as_object().unwrap() {
            table[name] = value.clone();
        }
        let mail = Mail::read(&table).unwrap();
        let templates = Templates::open(None, &mail.language).unwrap();
        Mailer::new(mail, templates).unwrap()
    }

    fn story(alert: Alert) -> Story {
        let confirm = Some("https://example.com/confirm?t=TOKEN".to_owned());
        Story { alert, id: "id1".into(), raised: 1_764_111_300.0, found: None, confirm }
    }

    fn formatted(mail: &Message) -> String {
        String::from_utf8(mail.formatted()).unwrap()
    }

    #[test]
    fn the_user_gets_the_link_and_the_operators_do_not() {
        let mailer = mailer(&json!({"user_to": "%{login}@example.com"}));
        let story = story(Alert { login: "ada".into(), reason: "new-country".into(), ..Alert::default() });
        let mail = mailer.write(&story, Audience::User).unwrap();
        assert_eq!(Mailer::recipients_of(&mail), "ada@example.com");
        let text = formatted(&mail);
        assert!(text.contains("TOKEN") && text.contains("multipart/alternative"), "{text}");
        assert!(
            text.contains("Auto-Submitted: auto-generated") && text.contains("Message-ID: <id1@example.com>")
        );
        let mail = mailer.write(&story, Audience::Operator).unwrap();
        assert_eq!(Mailer::recipients_of(&mail), "ops@example.com, noc@example.com");
        assert!(!formatted(&mail).contains("TOKEN"));
    }

    #[test]
    fn nothing_gets_into_the_headers() {
        let mailer = mailer(&json!({"user_to": "%{login}"}));
        for login in
            ["a@b.example\r\nBcc: x@y.example", "a@b.example, x@y.example", "<a@b.example>", "a b@c", ""]
        {
            let story = story(Alert { login: login.into(), reason: "r".into(), ..Alert::default() });
            assert!(mailer.write(&story, Audience::User).is_err(), "{login}");
            // The operators are told of it all the same.
            let text = formatted(&mailer.write(&story, Audience::Operator).unwrap());
            let (head, _) = text.split_once("\r\n\r\n").unwrap();
            assert!(!head.lines().any(|line| line.starts_with("Bcc")), "{head}");
        }
    }

    #[test]
    fn subjects_are_utf8() {
        let mailer = mailer(&json!({"user_to": "%{login}", "language": "fr"}));
        let alert = Alert { login: "a@b.example".into(), reason: "r".into(), ..Alert::default() };
        let text = formatted(&mailer.write(&story(alert), Audience::User).unwrap());
        // "Une connexion à votre compte", RFC 2047.
        assert!(text.contains("Subject: Une connexion =?utf-8?b?w6A=?= votre compte"), "{text}");
    }
}
