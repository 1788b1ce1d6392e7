//! One field of a cron line: a set of numbers.

use super::CronError;

/// What a field may hold.
pub(super) struct Field {
    name: &'static str,
    least: u8,
    most: u8,
    /// Three letters each, the first one for `least`.
    names: &'static [&'static str],
}

pub(super) const MINUTE: Field = Field { name: "minute", least: 0, most: 59, names: &[] };
pub(super) const HOUR: Field = Field { name: "hour", least: 0, most: 23, names: &[] };
pub(super) const DAY: Field = Field { name: "day of the month", least: 1, most: 31, names: &[] };
pub(super) const MONTH: Field = Field {
    name: "month",
    least: 1,
    most: 12,
    names: &["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
};
/// 7 is Sunday, like 0.
pub(super) const WEEKDAY: Field = Field {
    name: "day of the week",
    least: 0,
    most: 7,
    names: &["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
};

impl Field {
    /// The numbers as bits.
    pub(super) fn read(&self, text: &str) -> Result<u64, CronError> {
        let mut bits = 0;
        for part in text.split(',') {
            bits |= self.part(part).map_err(|reason| CronError::Field {
                field: self.name,
                text: text.chars().take(40).collect(),
                reason,
            })?;
        }
        if self.is_weekday() && bits & 1 << 7 != 0 {
            bits = bits & !(1 << 7) | 1;
        }
        Ok(bits)
    }

    fn is_weekday(&self) -> bool {
        self.most == 7
    }

    /// `*`, `N`, `A-B`, each with `/STEP`; `N/STEP` goes on to the largest number.
    fn part(&self, text: &str) -> Result<u64, String> {
        let (range, step) = match text.split_once('/') {
            Some((range, step)) => (range, Some(self.step(step)?)),
            None => (text, None),
        };
        // All days of a week are 0 to 6.
        let most = if self.is_weekday() { 6 } else { self.most };
        let (from, to) = if range == "*" {
            (self.least, most)
        } else if let Some((from, to)) = range.split_once('-') {
            let (from, to) = (self.number(from)?, self.number(to)?);
            // `fri-sun`: the week may end with Sunday.
            if self.is_weekday() && to == 0 && from > 0 { (from, 7) } else { (from, to) }
        } else {
            let number = self.number(range)?;
            (number, if step.is_some() { most.max(number) } else { number })
        };
        if from > to {
            return Err(format!("the range {range} goes backwards"));
        }
        Ok((from..=to).step_by(usize::from(step.unwrap_or(1))).fold(0, |bits, number| bits | 1 << number))
    }

    fn step(&self, text: &str) -> Result<u8, String> {
        let step = digits(text).filter(|step| (1..=self.most).contains(step));
        step.ok_or_else(|| format!("a step is a number from 1 to {}, not \"{text}\"", self.most))
    }

    fn number(&self, text: &str) -> Result<u8, String> {
        if let Some(place) = self.names.iter().position(|name| name.eq_ignore_ascii_case(text)) {
            return Ok(self.least + place as u8);
        }
        let number = digits(text).filter(|number| (self.least..=self.most).contains(number));
        number.ok_or_else(|| {
            let or_names = match self.names {
                [first, .., last] => format!(" or {first} to {last}"),
                _ => String::new(),
            };
            format!("\"{text}\" is not {} to {}{or_names}", self.least, self.most)
        })
    }
}

fn digits(text: &str) -> Option<u8> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}
