//! Families of sessions between siblings.

use super::Prefixed;
use crate::metrics::SessionMetrics;

/// What is counted of the sessions between siblings.
pub(super) fn sessions(ours: &Prefixed<'_>) -> Result<SessionMetrics, prometheus::Error> {
    let sibling = ["sibling"];
    Ok(SessionMetrics {
        state: ours.gauges(
            "session_state",
            "sibling",
            "How a sibling is spoken to: 0 not known yet, 1 wforce's packets, 2 a session, 3 a session that is lost",
        )?,
        backlog: ours.gauges("session_backlog", "sibling", "Changes that a sibling has not acknowledged yet")?,
        opened: ours.counters("session_opened_total", &sibling, "Sessions opened to a sibling")?,
        resumed: ours.counters(
            "session_resumed_total",
            &sibling,
            "Sessions that went on where the one before had ended",
        )?,
        gaps: ours.counters(
            "session_gaps_total",
            &sibling,
            "Times that changes a sibling lacked were no longer kept, so that a repair was needed",
        )?,
        repairs: ours.counters("session_repairs_total", &sibling, "Repairs that were completed")?,
        repaired_keys: ours.counters(
            "session_repaired_keys_total",
            &sibling,
            "Keys and list entries that repairs sent or took over",
        )?,
        rejected: ours.counters(
            "session_rejected_total",
            &["sibling", "reason"],
            "Sessions ended because of what the sibling sent",
        )?,
        packets_ignored: ours.counters(
            "session_packets_ignored_total",
            &sibling,
            "wforce packets of a sibling that has a session, which brings the same",
        )?,
        too_long: ours.counters(
            "session_too_long_total",
            &["what"],
            "Times that an entry of a list was told to no sibling, or a key without its oldest windows, because it is too long",
        )?,
        journal_bytes: ours.gauge("session_journal_bytes", "Memory of the changes kept for siblings")?,
        journal_overflowed: ours.counter(
            "session_journal_overflowed_total",
            "Changes that had to make room before every sibling had them",
        )?,
    })
}
