//! Reading a field: sums, single windows and lists of windows, with or without a value in question.

use crate::FieldKind;
use crate::countmin::Sketch;
use crate::heavies::{Heavies, Heavy};
use crate::hll::Union;
use crate::layout::Layout;
use crate::record::{Field, Record, Values};
use crate::share::overlay::Overlay;

/// A field of a key at one moment.
pub(crate) struct View<'a> {
    pub layout: &'a Layout,
    pub heavies: &'a Heavies,
    /// What other nodes counted of the key.
    pub overlay: Option<&'a Overlay>,
    pub record: &'a Record,
    /// The field's number.
    pub number: u16,
    pub field: Field,
    /// The number of the current window.
    pub current: u32,
}

/// A result whose last step can be taken without the shard's lock.
pub(crate) enum Answer {
    Number(i32),
    Distinct(Union),
}

impl Answer {
    /// Both together: two parts of what one field counted.
    pub fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Number(one), Self::Number(other)) => Self::Number(one.wrapping_add(other)),
            (Self::Distinct(mut union), Self::Distinct(other)) => {
                union.absorb(other);
                Self::Distinct(union)
            }
            // Not of one field.
            (own, _) => own,
        }
    }

    pub fn number(self) -> i32 {
        match self {
            Self::Number(number) => number,
            Self::Distinct(union) => union.count(),
        }
    }
}

/// A value in question, hashed as its field's kind asks for.
#[derive(Clone, Copy)]
pub(crate) enum Asked {
    /// None, or of no effect.
    Nothing,
    /// By a distinct count: what would it be with this value?
    Distinct(u64),
    /// By a sketch: how often?
    Count(u32),
}

impl View<'_> {
    pub fn kind(&self) -> FieldKind {
        self.layout.kind(self.number)
    }

    /// The windows that count, with their ages (0 is the current one) and positions.
    fn alive(&self) -> impl Iterator<Item = (u32, usize)> + '_ {
        self.record
            .windows(self.kind(), &self.field)
            .skip_while(|(number, _)| *number > self.current)
            .take_while(|(number, _)| self.layout.alive(*number, self.current))
            .map(|(number, at)| (self.current - number, at))
    }

    /// All windows together.
    pub fn sum(&self, asked: Asked) -> Answer {
        self.over(self.alive().map(|(_, at)| at), asked)
    }

    /// The current window.
    pub fn now(&self, asked: Asked) -> Answer {
        self.over(self.alive().take_while(|(age, _)| *age == 0).map(|(_, at)| at), asked)
    }

    /// Each window, the current one first.
    pub fn each(&self, asked: Asked) -> Vec<Answer> {
        let mut places = self.alive().peekable();
        (0..self.layout.windows)
            .map(|age| {
                let place = places.next_if(|(other, _)| *other == age);
                self.over(place.map(|(_, at)| at).into_iter(), asked)
            })
            .collect()
    }

    fn over(&self, places: impl Iterator<Item = usize>, asked: Asked) -> Answer {
        match self.kind() {
            FieldKind::Int => {
                Answer::Number(places.fold(0, |sum, at| sum.wrapping_add(self.record.int_at(at))))
            }
            FieldKind::CountMin => {
                Answer::Number(places.fold(0, |sum, at| sum.wrapping_add(self.counted(at, asked))))
            }
            FieldKind::Hll => {
                let mut union = Union::new(self.layout.register_bits);
                places.for_each(|at| self.unite(at, &mut union));
                if let Asked::Distinct(value) = asked {
                    union.add(std::iter::once(value));
                }
                Answer::Distinct(union)
            }
        }
    }

    fn counted(&self, at: usize, asked: Asked) -> i32 {
        let count = |sketch: &Sketch| match (self.layout.plan(self.number), asked) {
            (Some(plan), Asked::Count(value)) => sketch.estimate(plan, value),
            _ => sketch.total,
        };
        let handle = self.record.handle_at(FieldKind::CountMin, at);
        let own = handle.and_then(|handle| self.heavies.sketch(handle)).map_or(0, count);
        let Some(overlay) = self.overlay else { return own };
        let window = self.layout.absolute(&self.field, self.record.window_at(at));
        let others = overlay.sketches.window(self.number, window).iter().map(|cell| count(&cell.amount));
        others.fold(own, i32::wrapping_add)
    }

    fn unite(&self, at: usize, union: &mut Union) {
        match self.record.values_at(at) {
            Values::Inline(values) => union.add(values.iter().map(|value| u64::from_le_bytes(*value))),
            Values::Heavy(handle) => match self.heavies.get(handle) {
                Heavy::Set(values) => union.add(values.iter().copied()),
                Heavy::Registers(registers) => union.merge(registers),
                Heavy::Vacant(_) | Heavy::Sketch(_) => {}
            },
        }
    }
}
