//! Alerts.

use super::Kind::{Bool, List, Map, Table, Text};
use super::{Entry, Group, param};

const G: Group = Group::Alerts;

pub(super) const ENTRIES: &[Entry] = &[
    Entry::anywhere(G, "alert", &[param("alert", Table)],
        "Tells somebody, off the request's way. The table: `reason` (needed: a word that names the kind of alert), `login`, `ip` \
         (text or `ComboAddress`), `time` (of the login it is about, `lt.t`), `severity` (`info`, `warning`, `critical`), `text`, \
         `fields` (a table of texts), `channels` (names; else the usual ones), `to` and `language` (of mail to the user), `confirm` \
         (mail to the user asks \"was this you?\"), `block` (`ip`, `login`, `ip_login`) and `block_seconds` (for channels that block). \
         With `login`, `ip` and `time` of a report, people are told its place and device. See [Alerts](alerts.md). Not in wforce.")
        .only_in_worker()
        .returns("`queued`; `duplicate` or `limited` if it is not told; `full` if too many wait; `unavailable` if the configuration has no channels, so that only the log has it"),
    Entry::config(G, "setAlertMail", &[param("mail", Table)],
        "The mail server for alerts, and who gets mail: `host`, `port`, `security` (`starttls`, `tls`, or `none` for a server on this \
         machine), `user`, `password` or `password_file`, `from`, `to` (operators: one or a list; makes the channel `mail`), `user_to` \
         (address of a user, as `%{login}@example.com`; channel `user`), `language`, `timezone`, `ca_file`, `timeout` (seconds). Not in \
         wforce.").start_only().not_in_client().default("no mail; port 587 (`tls` 465, `none` 25), `starttls`, `en`, `UTC`, 30 s"),
    Entry::config(G, "addAlertWebhook", &[param("name", Text), param("config", Map)],
        "A channel that POSTs alerts as JSON. The configuration is that of `addCustomWebHook`; `retries` is 8 unless set. Not in wforce.")
        .start_only().not_in_client(),
    Entry::config(G, "addAlertBlock", &[param("block", Table)],
        "A channel that adds an entry to the blacklist of a wforce (`addBLEntry` of its REST API): `url`, `password` or \
         `password_file`, `name` of the channel, `seconds` an entry holds, `what` is blocked (`ip`, `login`, `ip_login`), `ca_file`. It \
         is told only by alerts that name it. Not in wforce.")
        .start_only().not_in_client().default("name `block`, 3600 s, `ip_login`"),
    Entry::config(G, "setAlertChannels", &[param("names", List)],
        "Who is told by alerts that name no channels. Not in wforce.").start_only().not_in_client()
        .default("`mail` and all webhooks"),
    Entry::config(G, "setAlertDryRun", &[param("dry", Bool)],
        "With true nothing is sent: the log tells what would be. SIGHUP takes it over from the file, and the console changes it, too. Not in wforce.")
        .not_in_client().default("false"),
    Entry::config(G, "setAlertLimits", &[param("limits", Table)],
        "How much is told: `window` (seconds in which alerts of one reason about one login are told once), `per_login` and `per_hour` \
         (alerts in an hour), `queue` (that may wait), `attempts` and `pause_ms` (before the second; doubled each time, ten \
         minutes at most). Not in wforce.")
        .start_only().not_in_client().default("86400, 10, 1000, 10000, 10, 5000"),
    Entry::config(G, "setAlertTemplates", &[param("folder", Text)],
        "A folder of templates for mail, which go before the built-in ones. Not in wforce.").start_only().not_in_client()
        .default("the built-in ones"),
    Entry::config(G, "setAlertConfirm", &[param("confirm", Table)],
        "The links of \"was this you?\": `url` (under which users reach `/confirm` of this daemon), `key` or `key_file` (that signs; else \
         one is made in the folder of `setStateDir`), `days` that a link holds, `on_bad` (channels told when a user says it was \
         somebody else). Needs a report store. Not in wforce.")
        .start_only().not_in_client().default("no links; 14 days"),
];
