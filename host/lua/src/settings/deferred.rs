//! What a configuration that is read again changes beside its settings: kept back until the whole file has turned out to be
//! good.

use std::sync::Arc;

use bstr::BString;
use capabilities::dns::Resolver;
use capabilities::stats::Db;
use capabilities::{Capabilities, Dns, StatsRegistry};

/// Changes that are kept back at most: as many as a list has room for.
const MOST: usize = 1_000_000;
/// Bytes that they may take.
const MOST_BYTES: usize = 256 << 20;
/// Bytes of one, beside its texts.
const ONE: usize = 128;

/// One change, as it is made in the end.
pub(crate) type Effect = Box<dyn FnOnce(&Capabilities) + Send>;

/// A file that changes more than can be kept back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "while it is read again it changes more in stats DBs and lists than is kept back ({MOST} changes, {} MiB): that takes a restart",
    MOST_BYTES >> 20
)]
pub struct TooMuch;

/// What must be there while the file runs, and goes again if the file is not used.
pub(crate) enum Made {
    /// A stats DB.
    Db(Db),
    /// A resolver.
    Resolver(BString, Arc<Resolver>),
}

/// What was kept back so far.
#[derive(Default)]
pub(super) struct Deferred {
    effects: Vec<Effect>,
    bytes: usize,
    full: bool,
    made: Vec<Made>,
}

impl Deferred {
    pub fn push(&mut self, bytes: usize, effect: Effect) -> Result<(), TooMuch> {
        self.bytes = self.bytes.saturating_add(bytes).saturating_add(ONE);
        if self.effects.len() >= MOST || self.bytes > MOST_BYTES {
            // The script may catch the error, but the file must not be taken for a good one.
            self.full = true;
            self.effects = Vec::new();
        }
        if self.full {
            return Err(TooMuch);
        }
        self.effects.push(effect);
        Ok(())
    }

    pub fn made(&mut self, made: Made) {
        self.made.push(made);
    }

    pub fn made_db(&self, db: &Db) -> bool {
        self.made.iter().any(|made| matches!(made, Made::Db(mine) if mine.is(db)))
    }

    pub fn made_resolver(&self, resolver: &Arc<Resolver>) -> bool {
        self.made.iter().any(|made| matches!(made, Made::Resolver(_, mine) if Arc::ptr_eq(mine, resolver)))
    }

    pub fn take(&mut self) -> Result<Effects, TooMuch> {
        if self.full {
            return Err(TooMuch);
        }
        self.made = Vec::new();
        Ok(Effects(std::mem::take(&mut self.effects)))
    }

    pub fn forget(&mut self, stats: &StatsRegistry, dns: &Dns) {
        self.effects = Vec::new();
        for made in self.made.drain(..) {
            match made {
                Made::Db(db) => stats.forget(&db),
                Made::Resolver(name, resolver) => dns.forget(&name, &resolver),
            }
        }
    }
}

/// The changes of a file that has turned out to be good.
#[must_use]
pub struct Effects(Vec<Effect>);

impl Effects {
    /// Makes them, in the order of the file.
    pub fn apply(self, capabilities: &Capabilities) {
        self.0.into_iter().for_each(|effect| effect(capabilities));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_can_be_kept_back_is_refused_for_good() {
        let mut deferred = Deferred::default();
        deferred.push(MOST_BYTES / 2, Box::new(|_| ())).unwrap();
        assert_eq!(deferred.push(MOST_BYTES / 2, Box::new(|_| ())), Err(TooMuch));
        assert_eq!(deferred.push(0, Box::new(|_| ())), Err(TooMuch), "whoever caught that gets it again");
        assert!(deferred.take().is_err());
        assert!(TooMuch.to_string().contains("1000000 changes, 256 MiB"));
    }
}
