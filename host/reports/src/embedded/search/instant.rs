//! Points in time as queries name them.

use jiff::Timestamp;
use serde_json::Value;

use super::field::Kind;

/// Unix milliseconds of a number, RFC 3339, a date, or `now` with something added or taken off. `end`: a rounded one means
/// the end of what it is rounded to. `now`: unix milliseconds. `None`: it is none of these.
pub(super) fn instant(now: i64, kind: Kind, value: &Value, end: bool) -> Option<i64> {
    let factor = if kind == Kind::Seconds { 1000.0 } else { 1.0 };
    match value {
        Value::Number(number) => Some((number.as_f64()? * factor).round() as i64),
        Value::String(text) => math(text, now, end)
            .or_else(|| text.parse::<Timestamp>().ok().map(Timestamp::as_millisecond))
            .or_else(|| {
                let date: jiff::civil::DateTime = text.parse().ok()?;
                Some(date.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_millisecond())
            })
            .or_else(|| Some((text.parse::<f64>().ok()? * factor).round() as i64)),
        _ => None,
    }
}

/// `now-7d/d` and the like, in UTC.
fn math(text: &str, now: i64, end: bool) -> Option<i64> {
    let mut rest = text.strip_prefix("now")?;
    let mut at = now;
    while !rest.is_empty() {
        let (sign, tail) = rest.split_at_checked(1)?;
        let digits = tail.bytes().take_while(u8::is_ascii_digit).count();
        let (count, tail) = tail.split_at_checked(digits)?;
        let (unit, tail) = tail.split_at_checked(1)?;
        let length = match unit {
            "s" => 1000,
            "m" => 60_000,
            "h" | "H" => 3_600_000,
            "d" => 86_400_000,
            "w" => 604_800_000,
            // Months and years have no fixed length.
            _ => return None,
        };
        match sign {
            "+" => at = at.checked_add(count.parse::<i64>().ok()?.checked_mul(length)?)?,
            "-" => at = at.checked_sub(count.parse::<i64>().ok()?.checked_mul(length)?)?,
            // Weeks begin on Mondays, the epoch was a Thursday: such a rounding is left to others.
            "/" if digits == 0 && unit != "w" => {
                at = at.div_euclid(length) * length + if end { length - 1 } else { 0 };
            }
            _ => return None,
        }
        rest = tail;
    }
    Some(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_calculated() {
        let now = 1_700_000_000_000;
        assert_eq!(math("now", now, false), Some(now));
        assert_eq!(math("now-1d/d", now, false), Some(1_699_833_600_000));
        assert_eq!(math("now/d", now, true), Some(1_700_006_399_999));
        for wrong in ["now-1M", "now-", "now+99999999999999999999d", "nowx", "now/w"] {
            assert_eq!(math(wrong, now, false), None, "{wrong}");
        }
    }
}
