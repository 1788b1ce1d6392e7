//! The history of logins: a table by day, newest first, with a search above it.

mod search;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use reports::{Bin, Confirmation, Report};
use serde_json::{Value, json};

use crate::html::Html;
use crate::words::{self, Verdict};
pub use search::{Mistake, Search, Wanted};

/// Reports on one page.
pub const PER_PAGE: usize = 100;
/// One page of the answer, and whether there are more. The store was asked for one more than [`PER_PAGE`].
pub fn cut(mut reports: Vec<Report>) -> (Vec<Report>, bool) {
    let more = reports.len() > PER_PAGE;
    reports.truncate(PER_PAGE);
    (reports, more)
}

/// The page with what was found; `bins`: how many there were over time.
pub fn page(search: &Search, found: Result<(&[Report], bool), &Mistake>, bins: &[Bin]) -> String {
    let mut html = Html::page("en", "Login history");
    html.raw("<main>\n").element("h1", "Login history");
    form(&mut html, search);
    match found {
        Err(Mistake(text)) => {
            html.raw("<p role=\"alert\" class=\"note bad\">").text(text).raw("</p>\n");
        }
        Ok(([], _)) => {
            html.raw("<p role=\"status\" class=\"note\">No logins were found. New ones show after a second or two.</p>\n");
        }
        Ok((reports, more)) => {
            bars(&mut html, bins);
            days(&mut html, reports);
            html.raw("<nav aria-label=\"Pages\">");
            if !search.before.is_empty() {
                html.raw("<a href=\"").text(&search.link(None)).raw("\">Newest</a>");
            }
            if more {
                html.raw("<a rel=\"next\" href=\"").text(&search.link(reports.last())).raw("\">Older</a>");
            }
            html.raw("</nav>\n");
        }
    }
    html.raw("</main>\n");
    html.finish()
}

fn form(html: &mut Html, search: &Search) {
    html.raw("<form class=\"search\" role=\"search\" method=\"get\">\n");
    for (name, label, kind, value) in [
        ("login", "Login", "text", &search.login),
        ("ip", "Address or network", "text", &search.ip),
        ("from", "From (UTC)", kind_of_time(&search.from), &search.from),
        ("to", "To (UTC)", kind_of_time(&search.to), &search.to),
    ] {
        html.raw("<label>").text(label).raw("<input type=\"").raw(kind).raw("\" name=\"").raw(name);
        html.raw("\" value=\"").text(value).raw("\" autocomplete=\"off\"></label>\n");
    }
    html.raw("<label>Result<select name=\"result\">");
    for (value, text) in [("", "all"), ("good", "logged in"), ("failed", "failed")] {
        let chosen = if search.result == value { " selected" } else { "" };
        html.raw("<option value=\"").raw(value).raw("\"").raw(chosen).raw(">").raw(text).raw("</option>");
    }
    html.raw("</select></label>\n<button>Search</button>\n</form>\n");
}

/// The input that shows a time as it was asked for: a browser's field for a day drops everything else.
fn kind_of_time(text: &str) -> &'static str {
    let day = text.parse::<jiff::civil::Date>().is_ok_and(|day| day.to_string() == text);
    if text.is_empty() || day { "date" } else { "text" }
}

/// Bars of equal time, the failed part in another colour.
fn bars(html: &mut Html, bins: &[Bin]) {
    let most = bins.iter().map(|bin| bin.totals.reports).max().unwrap_or(0);
    if bins.len() < 2 || most == 0 {
        return;
    }
    let all: u64 = bins.iter().map(|bin| bin.totals.reports).sum();
    html.raw("<svg class=\"bars\" role=\"img\" preserveAspectRatio=\"none\" viewBox=\"0 0 ");
    html.raw(&(bins.len() * 10).to_string())
        .raw(" 100\"><title>")
        .text(&format!("{all} logins over time"))
        .raw("</title>");
    for (number, bin) in bins.iter().enumerate() {
        for (class, count) in [("all", bin.totals.reports), ("failed", bin.totals.failures)] {
            if count > 0 {
                let height = (count as f64 / most as f64 * 100.0).max(1.0);
                html.raw(&format!(
                    "<rect class=\"{class}\" x=\"{}\" y=\"{:.1}\" width=\"9\" height=\"{height:.1}\"/>",
                    number * 10,
                    100.0 - height
                ));
            }
        }
    }
    html.raw("</svg>\n");
}

fn days(html: &mut Html, reports: &[Report]) {
    let zoned = |report: &Report| {
        Timestamp::from_millisecond(report.at).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC)
    };
    for day in reports.chunk_by(|one, other| zoned(one).date() == zoned(other).date()) {
        let Some(first) = day.first() else { continue };
        html.element("h2", &zoned(first).strftime("%A, %Y-%m-%d").to_string());
        html.raw("<table>\n<thead><tr>");
        for heading in [
            "Time (UTC)",
            "Result",
            "Login",
            "Address",
            "Where",
            "Network",
            "Device",
            "Protocol",
            "User says",
        ] {
            html.raw("<th scope=\"col\">").raw(heading).raw("</th>");
        }
        html.raw("</tr></thead>\n<tbody>\n");
        for report in day {
            html.raw("<tr>");
            cell(html, "Time", "", &zoned(report).strftime("%H:%M:%S").to_string());
            let verdict = words::verdict(report);
            let class = match verdict {
                Verdict::Good => "good",
                Verdict::Refused => "warn",
                Verdict::Failed => "bad",
            };
            let told = match report.fail_type.as_str() {
                "" => verdict.words().to_owned(),
                why => format!("{} ({why})", verdict.words()),
            };
            cell(html, "Result", class, &told);
            cell(html, "Login", "", &report.login);
            cell(html, "Address", "", &report.remote.to_string());
            cell(html, "Where", "", &words::place(report));
            cell(html, "Network", "", &words::network(report));
            cell(html, "Device", "", &words::device(report));
            cell(html, "Protocol", "", &report.protocol);
            let class = if report.confirmation == Confirmation::Bad { "bad" } else { "" };
            cell(html, "User says", class, words::confirmation(report));
            html.raw("</tr>\n");
        }
        html.raw("</tbody>\n</table>\n");
    }
}

fn cell(html: &mut Html, label: &str, class: &str, text: &str) {
    html.raw("<td data-label=\"").raw(label).raw("\" class=\"").raw(class).raw("\">").text(text).raw("</td>");
}

/// The same for machines: the reports as documents, and where the next page begins.
pub fn document(reports: &[Report], more: bool) -> Value {
    let documents: Vec<Value> = reports.iter().map(|report| Value::Object(report.to_document())).collect();
    let next = if more { reports.last().map(|report| format!("{}.{}", report.at, report.id)) } else { None };
    json!({"reports": documents, "before": next})
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use login::Login;
    use reports::{Ids, Totals};

    use super::*;

    fn reports(count: usize) -> Vec<Report> {
        let ids = Ids::seeded(1, 2);
        let login = |number: usize| Login {
            login: "<b>ada".into(),
            // Three of each second.
            t: 1_764_111_265.0 + (number / 3) as f64,
            success: number.is_multiple_of(2),
            fail_type: if number.is_multiple_of(2) { "".into() } else { "credentials".into() },
            ..Login::default()
        };
        let mut all: Vec<Report> = (0..count).map(|number| Report::new(&login(number), 0, &ids)).collect();
        all.sort_by(|one, other| (other.at, &other.id).cmp(&(one.at, &one.id)));
        all
    }

    #[test]
    fn pages_leave_nothing_out() {
        let all = reports(250);
        let (mut search, mut seen) = (Search::default(), Vec::new());
        loop {
            let wanted = search.wanted().unwrap();
            // As a store answers: newest first, before `to`, behind `after`.
            let answer: Vec<Report> = all
                .iter()
                .filter(|report| wanted.to.is_none_or(|to| report.at < to))
                .filter(|report| {
                    wanted.after.as_ref().is_none_or(|(at, id)| (report.at, &report.id) < (*at, id))
                })
                .take(PER_PAGE + 1)
                .cloned()
                .collect();
            let (page, more) = cut(answer);
            seen.extend(page.iter().map(|report| report.id.clone()));
            if !more {
                break;
            }
            let before = document(&page, more)["before"].as_str().unwrap().to_owned();
            search.take("before", &before);
        }
        let wanted: Vec<_> = all.iter().map(|report| report.id.clone()).collect();
        assert_eq!(seen, wanted);
    }

    #[test]
    fn a_page_shows_and_escapes() {
        let all = reports(3);
        let search = Search { login: "\"><script>".into(), ..Search::default() };
        let bin = |at, reports, failures| Bin { at, totals: Totals { reports, failures } };
        let bins = [bin(0, 3, 1), bin(1, 1, 0)];
        let page = page(&search, Ok((&all, true)), &bins);
        assert!(!page.contains("<script") && page.contains("&lt;b&gt;ada"));
        assert!(page.contains("Tuesday, 2025-11-25") && page.contains("failed (credentials)"));
        assert!(page.contains("rel=\"next\"") && page.contains("<rect"));
    }

    #[test]
    fn the_form_keeps_the_time_that_was_asked_for() {
        for (text, kind) in
            [("", "date"), ("2025-11-25", "date"), ("1764111265", "text"), ("2025-11-25T10:00:00Z", "text")]
        {
            let search = Search { from: text.to_owned(), ..Search::default() };
            let page = page(&search, Ok((&[], false)), &[]);
            let input = format!("<input type=\"{kind}\" name=\"from\" value=\"{text}\"");
            assert!(page.contains(&input), "{page}");
        }
    }
}
