//! "Was this you?": what a user sees behind the link, in five languages.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use reports::{Confirmation, Report};

use crate::html::Html;
use crate::words;

/// What the page is about to say.
#[derive(Clone, Debug)]
pub enum State<'a> {
    /// Asks. The report is shown if the store still has it; the token comes back with the answer.
    Ask(&'a str, Option<&'a Report>),
    /// Thanks for this answer.
    Thanks(Confirmation),
    /// The link is none of ours.
    Invalid,
    /// It was.
    Expired,
    /// The store has no such report any more.
    Gone,
    /// The store does not answer.
    Trouble,
}

struct Texts {
    language: &'static str,
    title: &'static str,
    about: &'static str,
    /// When, address, place, network, device.
    labels: [&'static str; 5],
    good: &'static str,
    bad: &'static str,
    forget: &'static str,
    thanks: &'static str,
    change: &'static str,
    invalid: &'static str,
    expired: &'static str,
    gone: &'static str,
    trouble: &'static str,
}

static TEXTS: [Texts; 5] = [
    Texts {
        language: "en",
        title: "Was this you?",
        about: "Somebody logged in to your account:",
        labels: ["When", "Address", "Where", "Network", "Device"],
        good: "Yes, this was me",
        bad: "No, this was not me",
        forget: "I do not know",
        thanks: "Thank you. Your answer has been noted.",
        change: "Please change your password now, and tell your provider if you cannot.",
        invalid: "This link is not valid. Please open it again from the message, complete.",
        expired: "This link has expired.",
        gone: "This login is not in our records any more.",
        trouble: "Your answer cannot be noted right now. Please try again in a few minutes.",
    },
    Texts {
        language: "de",
        title: "Waren Sie das?",
        about: "Jemand hat sich bei Ihrem Konto angemeldet:",
        labels: ["Wann", "Adresse", "Wo", "Netz", "Gerät"],
        good: "Ja, das war ich",
        bad: "Nein, das war ich nicht",
        forget: "Ich weiß es nicht",
        thanks: "Danke. Ihre Antwort ist vermerkt.",
        change: "Bitte ändern Sie jetzt Ihr Passwort, oder wenden Sie sich an Ihren Anbieter.",
        invalid: "Dieser Link ist nicht gültig. Bitte öffnen Sie ihn noch einmal vollständig aus der Nachricht.",
        expired: "Dieser Link ist abgelaufen.",
        gone: "Diese Anmeldung ist nicht mehr gespeichert.",
        trouble: "Ihre Antwort kann gerade nicht vermerkt werden. Bitte versuchen Sie es in ein paar Minuten noch einmal.",
    },
    Texts {
        language: "fr",
        title: "Était-ce vous ?",
        about: "Quelqu’un s’est connecté à votre compte :",
        labels: ["Quand", "Adresse", "Où", "Réseau", "Appareil"],
        good: "Oui, c’était moi",
        bad: "Non, ce n’était pas moi",
        forget: "Je ne sais pas",
        thanks: "Merci. Votre réponse a été enregistrée.",
        change: "Changez votre mot de passe maintenant, ou adressez-vous à votre fournisseur.",
        invalid: "Ce lien n’est pas valable. Ouvrez-le de nouveau, en entier, depuis le message.",
        expired: "Ce lien a expiré.",
        gone: "Cette connexion n’est plus enregistrée chez nous.",
        trouble: "Votre réponse ne peut pas être enregistrée pour le moment. Réessayez dans quelques minutes.",
    },
    Texts {
        language: "es",
        title: "¿Fue usted?",
        about: "Alguien inició sesión en su cuenta:",
        labels: ["Cuándo", "Dirección", "Dónde", "Red", "Dispositivo"],
        good: "Sí, fui yo",
        bad: "No, no fui yo",
        forget: "No lo sé",
        thanks: "Gracias. Hemos anotado su respuesta.",
        change: "Cambie su contraseña ahora o póngase en contacto con su proveedor.",
        invalid: "Este enlace no es válido. Ábralo de nuevo, completo, desde el mensaje.",
        expired: "Este enlace ha caducado.",
        gone: "Este inicio de sesión ya no está en nuestros registros.",
        trouble: "No podemos anotar su respuesta ahora. Inténtelo de nuevo en unos minutos.",
    },
    Texts {
        language: "nl",
        title: "Was u dit?",
        about: "Iemand heeft zich bij uw account aangemeld:",
        labels: ["Wanneer", "Adres", "Waar", "Netwerk", "Apparaat"],
        good: "Ja, dit was ik",
        bad: "Nee, dit was ik niet",
        forget: "Ik weet het niet",
        thanks: "Dank u. Uw antwoord is genoteerd.",
        change: "Wijzig nu uw wachtwoord, of neem contact op met uw provider.",
        invalid: "Deze link is niet geldig. Open hem nog eens, volledig, vanuit het bericht.",
        expired: "Deze link is verlopen.",
        gone: "Deze aanmelding staat niet meer in onze gegevens.",
        trouble: "Uw antwoord kan nu niet worden genoteerd. Probeer het over een paar minuten opnieuw.",
    },
];

/// The page. `languages`: those wanted, the most wanted first (`de-AT`, `fr`); English if there is none of them.
pub fn page(state: &State<'_>, languages: &[&str]) -> String {
    let texts = languages.iter().find_map(|wanted| {
        let primary = wanted.split(['-', '_']).next().unwrap_or_default();
        TEXTS.iter().find(|texts| texts.language.eq_ignore_ascii_case(primary))
    });
    let texts = texts.unwrap_or(&TEXTS[0]);
    let mut html = Html::page(texts.language, texts.title);
    html.raw("<main class=\"small\">\n");
    html.element("h1", texts.title);
    match state {
        State::Ask(token, report) => ask(&mut html, texts, token, *report),
        State::Thanks(answer) => {
            html.raw("<p role=\"status\" class=\"good\">").text(texts.thanks).raw("</p>\n");
            if *answer == Confirmation::Bad {
                html.raw("<p><strong>").text(texts.change).raw("</strong></p>\n");
            }
        }
        State::Invalid => note(&mut html, texts.invalid),
        State::Expired => note(&mut html, texts.expired),
        State::Gone => note(&mut html, texts.gone),
        State::Trouble => note(&mut html, texts.trouble),
    }
    html.raw("</main>\n");
    html.finish()
}

fn note(html: &mut Html, text: &str) {
    html.raw("<p role=\"alert\" class=\"note\">").text(text).raw("</p>\n");
}

fn ask(html: &mut Html, texts: &Texts, token: &str, report: Option<&Report>) {
    if let Some(report) = report {
        html.element("p", texts.about).raw("<dl>\n");
        let at = Timestamp::from_millisecond(report.at).unwrap_or(Timestamp::UNIX_EPOCH);
        let when = at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M UTC").to_string();
        let values = [
            when,
            report.remote.to_string(),
            words::place(report),
            report.as_org.clone(),
            words::device(report),
        ];
        for (label, value) in texts.labels.iter().zip(values) {
            if !value.is_empty() {
                html.raw("<dt>").text(label).raw("</dt><dd>").text(&value).raw("</dd>\n");
            }
        }
        html.raw("</dl>\n");
    }
    // Only a POST answers: what looks at links before people do cannot.
    html.raw("<form method=\"post\" class=\"answers\">\n<input type=\"hidden\" name=\"t\" value=\"")
        .text(token);
    html.raw("\">\n<input type=\"hidden\" name=\"l\" value=\"").text(texts.language).raw("\">\n");
    for (answer, class, text) in
        [("good", "yes", texts.good), ("bad", "no", texts.bad), ("forget", "plain", texts.forget)]
    {
        html.raw("<button name=\"answer\" value=\"").raw(answer).raw("\" class=\"").raw(class).raw("\">");
        html.text(text).raw("</button>\n");
    }
    html.raw("</form>\n");
}

#[cfg(test)]
mod tests {
    use login::Login;
    use reports::Ids;

    use super::*;

    fn report() -> Report {
        let login = Login {
            login: "<ada>".into(),
            t: 1_764_111_265.0,
            device_id: "<script>".into(),
            ..Login::default()
        };
        Report::new(&login, 0, &Ids::seeded(1, 2))
    }

    #[test]
    fn it_asks_in_the_users_language_and_acts_only_on_a_post() {
        let page = page(&State::Ask("TO\"KEN", Some(&report())), &["tlh", "de-AT", "fr"]);
        assert!(page.contains("<html lang=\"de\">") && page.contains("Ja, das war ich"));
        assert!(page.contains("value=\"TO&quot;KEN\"") && page.contains("method=\"post\""));
        assert!(page.contains("2025-11-25 22:54 UTC") && page.contains("&lt;script&gt;"));
        assert!(!page.contains("<script") && !page.contains("<a "));
    }

    #[test]
    fn who_says_no_is_told_to_change_the_password() {
        assert!(page(&State::Thanks(Confirmation::Bad), &[]).contains("change your password"));
        assert!(!page(&State::Thanks(Confirmation::Good), &[]).contains("change your password"));
        for state in [State::Invalid, State::Expired, State::Gone, State::Trouble] {
            assert!(page(&state, &["nl"]).contains("role=\"alert\""));
        }
    }
}
