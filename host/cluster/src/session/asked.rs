//! The comparisons that a dialer asks for: one at a time, and of the same database not too often, because each looks at all
//! of its keys.

use std::collections::{HashMap, VecDeque};

use capabilities::stats::Db;
use statsdb::Secret;

use super::journal::LISTS;
use super::repair::{Answers, Subject};
use super::{Journal, SessionError};

/// Comparisons of a database over the same connection that may follow each other at once: a dialer that has lost something
/// meanwhile asks again, and nodes that were apart want to be equal soon.
pub(super) const BURST: usize = 4;
/// Milliseconds in which there are no more than these. Who asks for more is answered, but only then.
pub(super) const BURST_MS: u64 = 20_000;

/// What is to be compared, and how.
#[derive(Clone, Copy)]
pub(super) struct Question {
    /// The dialer's number of the database.
    pub db: u16,
    /// This end's number; `None` if there is no such database here.
    pub place: Option<usize>,
    pub secret: Secret,
    pub now: u64,
    pub bits: u8,
}

/// A comparison that is not begun yet, and the sums that came meanwhile.
struct Held {
    question: Question,
    due_ms: u64,
    sums: Vec<u64>,
}

#[derive(Default)]
pub(super) struct Asked {
    held: Option<Held>,
    answers: Option<Answers>,
    /// When the last comparisons of a database began, by this end's number: a dialer may give one several.
    begun: HashMap<usize, VecDeque<u64>>,
}

impl Asked {
    /// Sums from `first` on.
    pub fn sums(
        &mut self,
        journal: &Journal,
        question: Question,
        (first, sums): (u32, Vec<u64>),
        now_ms: u64,
    ) -> Result<(), SessionError> {
        let Question { db, bits, .. } = question;
        if first == 0 && self.held.is_none() && self.answers.is_none() {
            let none = Answers::none(db, question.secret, bits).ok_or(SessionError::Unexpected)?;
            let dbs = journal.dbs();
            match question.place.filter(|place| subject(journal, &dbs, *place).is_some()) {
                Some(place) => {
                    let full = self.begun.get(&place).filter(|begun| begun.len() >= BURST);
                    let first = full.and_then(|begun| begun.front());
                    let due_ms = first.map_or(now_ms, |first| first.saturating_add(BURST_MS));
                    self.held = Some(Held { question, due_ms, sums: Vec::new() });
                }
                // Not here, or of other windows, or not to be shared: there is nothing to compare with.
                None => self.answers = Some(none),
            }
        } else if first == 0 {
            return Err(SessionError::Unexpected);
        }
        self.advance(journal, now_ms);
        match (&mut self.held, &mut self.answers) {
            (Some(Held { question, sums: held, .. }), _) => {
                let fits = held.len() + sums.len() <= 1 << question.bits;
                if (db, bits, first as usize) != (question.db, question.bits, held.len()) || !fits {
                    return Err(SessionError::Unexpected);
                }
                held.extend(sums);
            }
            (None, Some(answers)) => {
                if answers.db != db || !answers.sums(bits, first, &sums) {
                    return Err(SessionError::Unexpected);
                }
            }
            (None, None) => return Err(SessionError::Unexpected),
        }
        Ok(())
    }

    /// Begins what had to wait, if it is its time.
    pub fn advance(&mut self, journal: &Journal, now_ms: u64) {
        let Some(Held { question, sums, .. }) = self.held.take_if(|held| held.due_ms <= now_ms) else {
            return;
        };
        let Question { db, place, secret, now, bits } = question;
        let dbs = journal.dbs();
        self.answers = match place.and_then(|place| Some((place, subject(journal, &dbs, place)?))) {
            Some((place, subject)) => {
                let begun = self.begun.entry(place).or_default();
                begun.push_back(now_ms);
                if begun.len() > BURST {
                    begun.pop_front();
                }
                Answers::new(db, &subject, now, secret, bits)
            }
            None => Answers::none(db, secret, bits),
        };
        if let Some(answers) = &mut self.answers {
            answers.sums(bits, 0, &sums);
        }
    }

    /// Milliseconds until [`Asked::advance`] has something to do; `None` if nothing waits.
    pub fn wait_ms(&self, now_ms: u64) -> Option<u64> {
        self.held.as_ref().map(|held| held.due_ms.saturating_sub(now_ms))
    }

    /// The comparison of this database that is going on.
    pub fn of(&mut self, db: u16) -> Result<&mut Answers, SessionError> {
        self.answers.as_mut().filter(|answers| answers.db == db).ok_or(SessionError::Unexpected)
    }

    /// The comparison that is going on.
    pub fn current(&mut self) -> Option<&mut Answers> {
        self.answers.as_mut()
    }

    /// The comparison is through.
    pub fn end(&mut self) {
        self.answers = None;
    }
}

fn subject<'a>(journal: &'a Journal, dbs: &'a [Db], place: usize) -> Option<Subject<'a>> {
    if place == usize::from(LISTS) {
        return journal.lists().map(Subject::Lists);
    }
    dbs.get(place).filter(|db| db.replicates()).map(|db| Subject::Db(db.local()))
}
