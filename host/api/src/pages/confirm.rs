//! "Was this you?": GET asks, POST takes the answer. So what opens links before people do (mail scanners, previews) answers
//! nothing.

use ::pages::confirm::{State, page};
use alerts::{Confirm, TokenError};
use capabilities::alerts::{Alert, Severity};
use capabilities::{Capabilities, Level};
use http::StatusCode;
use reports::{Confirmation, Filter, Query, Range, Report, ReportId};
use tokio::sync::Semaphore;

use super::html;
use crate::query::parameter;
use crate::reply::{self, Reply};

/// What a look into the report store may take.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);
/// Reports of one millisecond that are looked through.
const OF_ONE_MOMENT: usize = 1000;
/// The kind of alert that tells operators that a user disowned a login.
const DISOWNED: &str = "disowned-login";

/// Answers that are taken at the same time; more are asked to come again.
static TAKING: Semaphore = Semaphore::const_new(8);

/// Asks.
pub(crate) async fn ask(confirm: Option<&Confirm>, caps: &Capabilities, query: &str, accept: &str) -> Reply {
    let Some(confirm) = confirm else { return reply::not_found() };
    let languages = Languages::of(&parameter(query, "l"), accept);
    let token = parameter(query, "t");
    match confirm.read(&token, caps.clock.now()) {
        Err(error) => refuse(error, &languages),
        Ok(claim) => {
            let report = report(caps, &ReportId::from_text(claim.report)).await;
            html(StatusCode::OK, page(&State::Ask(&token, report.as_ref()), &languages.list()))
        }
    }
}

/// Takes the answer.
pub(crate) async fn take(confirm: Option<&Confirm>, caps: &Capabilities, body: &[u8], accept: &str) -> Reply {
    let Some(confirm) = confirm else { return reply::not_found() };
    let form = String::from_utf8_lossy(body);
    let languages = Languages::of(&parameter(&form, "l"), accept);
    let say = |status, state: &State<'_>| html(status, page(state, &languages.list()));
    let claim = match confirm.read(&parameter(&form, "t"), caps.clock.now()) {
        Ok(claim) => claim,
        Err(error) => return refuse(error, &languages),
    };
    let answer = Confirmation::from_word(&parameter(&form, "answer"));
    let Some(answer) = answer.filter(|answer| *answer != Confirmation::None) else {
        return say(StatusCode::BAD_REQUEST, &State::Invalid);
    };
    let id = ReportId::from_text(claim.report);
    // Each answer costs the store a commit. Whoever has one link must not keep it busy with nothing else.
    let Ok(_taking) = TAKING.try_acquire() else {
        return say(StatusCode::SERVICE_UNAVAILABLE, &State::Trouble);
    };
    if report(caps, &id).await.is_some_and(|report| report.confirmation == answer) {
        return say(StatusCode::OK, &State::Thanks(answer));
    }
    match caps.reports.confirm(&id, answer).await {
        Ok(true) => {}
        Ok(false) => return say(StatusCode::NOT_FOUND, &State::Gone),
        Err(error) => {
            let text =
                format!("confirm: the answer {} about report {id} is not noted: {error}", answer.word());
            caps.log.limited("confirm", std::time::Duration::from_secs(1), Level::Err, text);
            return say(StatusCode::SERVICE_UNAVAILABLE, &State::Trouble);
        }
    }
    caps.metrics.families.confirmations.with_label_values(&[answer.word()]).inc();
    caps.log.notice(format!("confirm: the user says {} about report {id}", answer.word()));
    if answer == Confirmation::Bad {
        disowned(confirm, caps, &id).await;
    }
    say(StatusCode::OK, &State::Thanks(answer))
}

/// Whoever is to know is told that a user disowned a login.
async fn disowned(confirm: &Confirm, caps: &Capabilities, id: &ReportId) {
    let report = report(caps, id).await;
    let mut alert = Alert {
        reason: DISOWNED.to_owned(),
        severity: Severity::Critical,
        text: "the user says: it was not me".to_owned(),
        channels: confirm.on_bad().to_vec(),
        fields: vec![("report".to_owned(), id.to_string())],
        ..Alert::default()
    };
    if let Some(report) = report {
        alert.ip = Some(report.remote);
        alert.time = Some(report.at as f64 / 1000.0);
        alert.login = report.login;
    }
    if let Err(error) = caps.alerts.raise(alert) {
        caps.log.error(format!("confirm: nobody is told of report {id}, which its user disowned: {error}"));
    }
}

fn refuse(error: TokenError, languages: &Languages) -> Reply {
    let (status, state) = match error {
        TokenError::Invalid => (StatusCode::BAD_REQUEST, State::Invalid),
        TokenError::Expired => (StatusCode::GONE, State::Expired),
    };
    html(status, page(&state, &languages.list()))
}

/// The report of an id, if the store has it and the id tells its time.
async fn report(caps: &Capabilities, id: &ReportId) -> Option<Report> {
    let at = id.time()?;
    let query = Query::Logins {
        filter: Filter::default(),
        range: Range { from: at, to: at.saturating_add(1) },
        limit: OF_ONE_MOMENT,
        after: None,
    };
    match caps.reports.query(&query, Some(PATIENCE)).await {
        Ok(reports::Answer::Logins { reports }) => reports.into_iter().find(|report| report.id == *id),
        _ => None,
    }
}

/// The languages a user wants.
struct Languages(Vec<String>);

impl Languages {
    /// That of the link, then those of the browser in its order (weights are in that order nearly always).
    fn of(link: &str, accept: &str) -> Languages {
        let browser = accept.split(',').filter_map(|part| part.split(';').next());
        let all = std::iter::once(link).chain(browser).map(str::trim).filter(|text| !text.is_empty());
        Languages(all.take(16).map(str::to_owned).collect())
    }

    fn list(&self) -> Vec<&str> {
        self.0.iter().map(String::as_str).collect()
    }
}
