//! From the steps of a call to the arguments of the script, and from its answers to counts.

mod read;

use std::collections::BTreeMap;

use bstr::{BStr, BString};
use capabilities::stats::{Ask, Step};
use statsdb::outside::{EXACT_VALUES, REGISTER_BITS, Rows, parse_int, value_hash};
use statsdb::{FieldKind, MAX_KEY, Schema};

use super::parts::Set;
pub(super) use read::Senseless;

/// Parts of a DB. All keys of one are on the same node of a cluster; each has an index of its keys.
pub(super) const PARTITIONS: u64 = 64;

/// What is fixed of a DB.
#[derive(Debug)]
pub(super) struct Plan {
    schema: Schema,
    bits: u8,
}

/// Arguments of one run of the script, and what its answers mean.
#[derive(Debug)]
pub(super) struct Run {
    keys: Vec<Vec<u8>>,
    pub arguments: Vec<Vec<u8>>,
    /// Of each answer: which step it is for, and how it is read.
    answers: Vec<(usize, Reading)>,
    places: BTreeMap<BString, usize>,
    /// Partitions that are written.
    written: Set,
    /// It has one key, whose index the script does not touch.
    alone: bool,
}

/// What has a run of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Each {
    Call,
    Partition,
    Key,
}

/// How an answer is read.
#[derive(Debug)]
enum Reading {
    Done,
    /// Each window.
    Windows {
        kind: FieldKind,
        sum: bool,
        value: Option<BString>,
        list: bool,
    },
    /// Each window of each row: how often a value was seen.
    Estimate {
        rows: usize,
        list: bool,
    },
}

/// When a call happens.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub now: u64,
    /// Most keys of the DB.
    pub max_size: u32,
}

/// The rows of sketches, which all daemons share, are not known yet.
#[derive(Debug, thiserror::Error)]
#[error("the rows of its sketches are not known yet")]
pub(super) struct NoRows;

impl Plan {
    pub(super) fn new(schema: &Schema) -> Self {
        let bits = schema.hll_bits.clamp(*REGISTER_BITS.start(), *REGISTER_BITS.end());
        Self { schema: schema.clone(), bits }
    }

    fn window_secs(&self) -> u64 {
        self.schema.window_secs.max(1).into()
    }

    fn windows(&self) -> u64 {
        self.schema.windows.max(1).into()
    }

    fn kind(&self, field: &[u8]) -> Option<FieldKind> {
        let fields = &self.schema.fields;
        let place = fields.binary_search_by(|(name, _)| BStr::new(name).cmp(BStr::new(field))).ok()?;
        Some(fields[place].1)
    }

    fn partition(key: &[u8]) -> u64 {
        value_hash(key) % PARTITIONS
    }

    /// The partitions that these keys are in.
    pub(super) fn touched<'k>(keys: impl IntoIterator<Item = &'k BString>) -> Set {
        keys.into_iter().fold(0, |set, key| set | 1 << Self::partition(cut(key)))
    }

    /// The index of a partition: its keys by the time they were written last. Their names begin with its name. Windows of another
    /// length have other keys, so that nobody counts in them.
    pub(super) fn index(&self, partition: u64) -> Vec<u8> {
        // A brace in the name would end the part that chooses the node.
        let name: BString =
            self.schema.name.iter().map(|byte| if b"{}".contains(byte) { b'_' } else { *byte }).collect();
        let mut index = b"pcstats:{".to_vec();
        index.extend_from_slice(&name);
        index.extend_from_slice(format!(":{}:{partition}}}", self.window_secs()).as_bytes());
        index
    }

    /// The key under which all daemons find the same rows of sketches.
    pub(super) fn seed_key(&self) -> Vec<u8> {
        [b"pcstats:", &self.schema.name[..], b":rows"].concat()
    }

    /// Whether it has sketches at all.
    pub(super) fn has_sketches(&self) -> bool {
        self.schema.fields.iter().any(|(_, kind)| *kind == FieldKind::CountMin)
    }

    /// Rows of sketches.
    pub(super) fn rows(&self, seed: u64) -> Rows {
        Rows::new(self.schema.countmin, seed)
    }

    /// When the newest count of a key was too long ago.
    pub(super) fn life(&self) -> u64 {
        self.window_secs() * (self.windows() + 1)
    }

    /// The runs that these steps need, which have these numbers. Some need none.
    ///
    /// # Errors
    /// One of them is about a sketch, and the rows are not known.
    pub(super) fn compile<'s>(
        &self,
        moment: Moment,
        rows: Option<&Rows>,
        steps: impl IntoIterator<Item = (usize, &'s Step)>,
        each: Each,
    ) -> Result<Vec<Run>, NoRows> {
        let mut runs: BTreeMap<(u64, &[u8]), Run> = BTreeMap::new();
        for (number, step) in steps {
            let key = cut(&step.key);
            let partition = Self::partition(key);
            let own = match each {
                Each::Call => (0, &b""[..]),
                Each::Partition => (partition, &b""[..]),
                Each::Key => (partition, key),
            };
            let run = runs.entry(own).or_insert_with(|| self.run(moment, each == Each::Key));
            self.step(run, rows, partition, number, step)?;
        }
        Ok(runs.into_values().filter(|run| !run.answers.is_empty()).collect())
    }

    fn run(&self, moment: Moment, alone: bool) -> Run {
        let current = moment.now / self.window_secs();
        let share = u64::from(moment.max_size).div_ceil(PARTITIONS).to_string();
        let most = if alone { "-1" } else { share.as_str() };
        let head = [current, self.windows(), self.life(), moment.now];
        let mut arguments = head.map(|number| number.to_string().into_bytes()).to_vec();
        arguments.push(most.into());
        Run { keys: Vec::new(), arguments, answers: Vec::new(), places: BTreeMap::new(), written: 0, alone }
    }

    /// The run for everything that is kept of a key.
    pub(super) fn all_of(&self, moment: Moment, key: &[u8]) -> Run {
        let mut run = self.run(moment, true);
        let place = self.place(&mut run, Self::partition(cut(key)), cut(key), false);
        run.push(&[b"a", place.to_string().as_bytes()]);
        run
    }

    /// The place of a key's hash. What is written needs its index, too.
    fn place(&self, run: &mut Run, partition: u64, key: &[u8], written: bool) -> usize {
        let known = run.places.get(BStr::new(key)).copied();
        let place = known.unwrap_or_else(|| {
            run.keys.push([&self.index(partition)[..], b":", key].concat());
            run.places.insert(key.into(), run.keys.len());
            run.keys.len()
        });
        if written && run.written & 1 << partition == 0 {
            run.written |= 1 << partition;
            run.keys.push(self.index(partition));
        }
        place
    }

    fn step(
        &self,
        run: &mut Run,
        rows: Option<&Rows>,
        partition: u64,
        number: usize,
        step: &Step,
    ) -> Result<(), NoRows> {
        let Step { key, field, ask } = step;
        let kind = match ask {
            Ask::Reset => None,
            _ => match self.kind(field) {
                Some(kind) => Some(kind),
                // Unknown fields are no error.
                None => return Ok(()),
            },
        };
        let written = matches!(ask, Ask::Add { .. } | Ask::AddCount { .. } | Ask::Sub { .. });
        let place = self.place(run, partition, cut(key), written).to_string();
        let place = place.as_bytes();
        let reading = match (ask, kind) {
            (Ask::Reset, _) => {
                run.push(&[b"r", place]);
                Reading::Done
            }
            (Ask::ResetField, _) => {
                run.push(&[b"f", place, field]);
                Reading::Done
            }
            (Ask::Add { value }, Some(FieldKind::Int)) => {
                let amount = parse_int(value).unwrap_or(0);
                run.push(&[b"i", place, field, amount.to_string().as_bytes()]);
                Reading::Done
            }
            (Ask::Sub { value }, Some(FieldKind::Int)) => {
                let amount = -i64::from(parse_int(value).unwrap_or(0));
                run.push(&[b"i", place, field, amount.to_string().as_bytes()]);
                Reading::Done
            }
            (Ask::Add { value }, Some(FieldKind::Hll)) => {
                let hash = value_hash(value).to_le_bytes();
                let (bits, most) = (self.bits.to_string(), EXACT_VALUES.to_string());
                run.push(&[b"h", place, field, &hash, bits.as_bytes(), most.as_bytes()]);
                Reading::Done
            }
            (Ask::Add { value }, Some(FieldKind::CountMin)) => {
                count(run, rows.ok_or(NoRows)?, place, field, value, 1)
            }
            (Ask::AddCount { value, count: n }, Some(FieldKind::CountMin)) => {
                count(run, rows.ok_or(NoRows)?, place, field, value, *n)
            }
            // What has no effect on this kind still is a write.
            (Ask::Add { .. } | Ask::AddCount { .. } | Ask::Sub { .. }, _) => {
                run.push(&[b"t", place]);
                Reading::Done
            }
            (Ask::Get, Some(kind)) => windows_of(run, place, field, kind, (self.windows(), false), None),
            (Ask::GetValue { value }, Some(FieldKind::CountMin)) => {
                estimate(run, rows.ok_or(NoRows)?, place, field, value, (self.windows(), false))
            }
            (Ask::GetValue { .. }, _) | (_, None) => return Ok(()),
            (Ask::Current { value: Some(value) }, Some(FieldKind::CountMin)) => {
                estimate(run, rows.ok_or(NoRows)?, place, field, value, (1, false))
            }
            (Ask::Current { value }, Some(kind)) => {
                windows_of(run, place, field, kind, (1, false), value.as_ref())
            }
            (Ask::Windows { value: Some(value) }, Some(FieldKind::CountMin)) => {
                estimate(run, rows.ok_or(NoRows)?, place, field, value, (self.windows(), true))
            }
            (Ask::Windows { value }, Some(kind)) => {
                windows_of(run, place, field, kind, (self.windows(), true), value.as_ref())
            }
        };
        run.answers.push((number, reading));
        Ok(())
    }
}

impl Run {
    /// The steps that it is for, of all those of the call.
    pub(super) fn steps<'s>(&self, all: &'s [Step]) -> impl Iterator<Item = (usize, &'s Step)> {
        self.answers.iter().filter_map(move |(number, _)| Some((*number, all.get(*number)?)))
    }

    /// Whether it has one key, and so can go wherever the key goes.
    pub(super) fn is_alone(&self) -> bool {
        self.alone
    }

    /// The keys that the script may touch.
    pub(super) fn of_script(&self) -> &[Vec<u8>] {
        &self.keys[..if self.alone { self.keys.len().min(1) } else { self.keys.len() }]
    }

    /// Of a run with one key that it writes: that key, its index, now, and the seconds that both live.
    pub(super) fn of_index(&self) -> Option<[&[u8]; 4]> {
        match (&self.keys[..], &self.arguments[..]) {
            ([key, index], [_, _, life, now, ..]) if self.alone => Some([key, index, now, life]),
            _ => None,
        }
    }

    fn push(&mut self, words: &[&[u8]]) {
        self.arguments.extend(words.iter().map(|word| word.to_vec()));
    }
}

/// Of long keys the first part counts, as in memory.
fn cut(key: &[u8]) -> &[u8] {
    &key[..key.len().min(MAX_KEY)]
}

fn letter(kind: FieldKind) -> &'static [u8] {
    match kind {
        FieldKind::Int => b"i",
        FieldKind::Hll => b"h",
        FieldKind::CountMin => b"c",
    }
}

fn count(run: &mut Run, rows: &Rows, place: &[u8], field: &[u8], value: &[u8], n: i32) -> Reading {
    let cells = rows.cells(value);
    run.push(&[b"c", place, field, n.to_string().as_bytes(), cells.len().to_string().as_bytes()]);
    for cell in &cells {
        run.push(&[cell.to_string().as_bytes()]);
    }
    Reading::Done
}

fn estimate(
    run: &mut Run,
    rows: &Rows,
    place: &[u8],
    field: &[u8],
    value: &[u8],
    (windows, list): (u64, bool),
) -> Reading {
    let cells = rows.cells(value);
    let (windows, count) = (windows.to_string(), cells.len().to_string());
    run.push(&[b"g", place, b"c", field, windows.as_bytes(), count.as_bytes()]);
    for cell in &cells {
        run.push(&[cell.to_string().as_bytes()]);
    }
    Reading::Estimate { rows: cells.len(), list }
}

fn windows_of(
    run: &mut Run,
    place: &[u8],
    field: &[u8],
    kind: FieldKind,
    (windows, list): (u64, bool),
    value: Option<&BString>,
) -> Reading {
    run.push(&[b"g", place, letter(kind), field, windows.to_string().as_bytes(), b"1", b""]);
    Reading::Windows { kind, sum: windows > 1 && !list, value: value.cloned(), list }
}
