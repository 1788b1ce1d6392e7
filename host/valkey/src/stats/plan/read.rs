//! From the server's answers to counts.

use std::collections::BTreeMap;

use bstr::BString;
use capabilities::stats::Found;
use redis::Value;
use statsdb::FieldKind;
use statsdb::outside::{Distinct, value_hash};

use super::{Plan, Reading, Run, letter};
use crate::stats::value::{Name, number, unite};

/// What the server said makes no sense.
#[derive(Debug, thiserror::Error)]
#[error("the server's answer is not one of the script's")]
pub(in crate::stats) struct Senseless;

impl Plan {
    /// Puts a run's answers where they belong.
    pub(in crate::stats) fn read(
        &self,
        run: &Run,
        answers: &Value,
        found: &mut [Found],
    ) -> Result<(), Senseless> {
        let Value::Array(answers) = answers else { return Err(Senseless) };
        if answers.len() != run.answers.len() {
            return Err(Senseless);
        }
        for (answer, (step, reading)) in answers.iter().zip(&run.answers) {
            let result = match (reading, answer) {
                (Reading::Done, _) => Found::Done,
                (reading, Value::Array(cells)) => self.counts(reading, &texts(cells)),
                _ => return Err(Senseless),
            };
            *found.get_mut(*step).ok_or(Senseless)? = result;
        }
        Ok(())
    }

    fn counts(&self, reading: &Reading, cells: &[Option<&[u8]>]) -> Found {
        let there = cells.iter().any(Option::is_some);
        let (numbers, list) = match reading {
            Reading::Done => return Found::Done,
            Reading::Windows { kind: FieldKind::Hll, sum: true, .. } => {
                return Found::Number(self.distinct(cells, None));
            }
            Reading::Windows { kind: FieldKind::Hll, value, list, .. } => {
                let value = value.as_ref();
                (cells.iter().map(|cell| self.distinct(&[*cell], value)).collect::<Vec<_>>(), *list)
            }
            Reading::Windows { list, .. } => {
                (cells.iter().map(|cell| cell.map_or(0, number)).collect(), *list)
            }
            Reading::Estimate { rows, list } => {
                let windows = cells.len() / (*rows).max(1);
                let cells_at = |cell: usize| cells.get(cell).copied().flatten().map_or(0, number);
                ((0..windows).map(|window| least(window, *rows, windows, &cells_at)).collect(), *list)
            }
        };
        match list {
            true if there => Found::List(numbers),
            true => Found::List(Vec::new()),
            false => Found::Number(numbers.into_iter().fold(0, i32::wrapping_add)),
        }
    }

    /// Distinct values of some windows, and this one.
    fn distinct(&self, windows: &[Option<&[u8]>], value: Option<&BString>) -> i32 {
        let mut union = Distinct::new(self.bits);
        for text in windows.iter().flatten() {
            // What is none counts for nothing.
            let _ = unite(text, &mut union);
        }
        union.add(value.map(|value| value_hash(value)).into_iter());
        union.count()
    }

    /// The sums of all fields that a key has.
    pub(in crate::stats) fn sums(&self, now: u64, answer: &Value) -> Result<Vec<(BString, i32)>, Senseless> {
        let Value::Array(answers) = answer else { return Err(Senseless) };
        let pairs: Vec<&[u8]> = match answers.first() {
            Some(Value::Array(pairs)) => texts(pairs).into_iter().flatten().collect(),
            _ => return Err(Senseless),
        };
        let oldest = (now / self.window_secs()).saturating_sub(self.windows() - 1);
        let mut fields: BTreeMap<&[u8], (FieldKind, Vec<&[u8]>)> = BTreeMap::new();
        for pair in pairs.chunks_exact(2) {
            let Some(name) = Name::parse(pair[0]) else { continue };
            let Some(kind) = self.kind(name.field) else { continue };
            if name.cell.is_none() && letter(kind) == [name.kind] && name.window >= oldest {
                fields.entry(name.field).or_insert_with(|| (kind, Vec::new())).1.push(pair[1]);
            }
        }
        let sum = |(field, (kind, windows)): (&[u8], (FieldKind, Vec<&[u8]>))| {
            let sum = match kind {
                FieldKind::Hll => self.distinct(&windows.into_iter().map(Some).collect::<Vec<_>>(), None),
                FieldKind::Int | FieldKind::CountMin => {
                    windows.into_iter().map(number).fold(0, i32::wrapping_add)
                }
            };
            (field.into(), sum)
        };
        Ok(fields.into_iter().map(sum).collect())
    }
}

/// The least of a window's cells, one in each row.
fn least(window: usize, rows: usize, windows: usize, cell: &impl Fn(usize) -> i32) -> i32 {
    (0..rows).map(|row| cell(row * windows + window)).min().unwrap_or(0)
}

fn texts(cells: &[Value]) -> Vec<Option<&[u8]>> {
    let mut texts = Vec::with_capacity(cells.len());
    for cell in cells {
        texts.push(match cell {
            Value::BulkString(text) => Some(text.as_slice()),
            _ => None,
        });
    }
    texts
}
