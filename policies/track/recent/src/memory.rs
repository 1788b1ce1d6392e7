//! What was looked at a while ago, in little room.
#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "times of days in units of seconds, and places in a table of less than 2^32"
)]

use std::hash::{DefaultHasher, Hash, Hasher as _};

use portcullis::random;

/// Seconds that times are told apart by.
const UNIT: f64 = 8.0;
/// Bits of a slot that are its time.
const STAMP_BITS: u32 = 16;
/// The time of a slot that is free.
const FREE: u64 = 0;
/// Times are counted anew from here on: there are 65,535 of them, some six days.
const LATE: u64 = 60_000;
/// Slots to begin with.
const FEW: usize = 1 << 10;

/// Remembers things by their hash for some time: 48 bits of it and when they came, in eight bytes; and of each, if wanted, a
/// value. Of a million things about one in 300 million others is taken for one of them; which others that would be nobody
/// can tell, as hashes have a seed. When it is full the older half is forgotten.
pub struct Memory<V = ()> {
    /// Open addressing, at most half full; their number is a power of two.
    slots: Vec<u64>,
    values: Vec<V>,
    /// Slots in use.
    count: usize,
    /// As many as there may be.
    most: usize,
    /// In units of time.
    life: u64,
    /// When times begin.
    begin: f64,
    /// Now, in units since then; never [`FREE`].
    now: u64,
    seed: Vec<u8>,
}

impl<V: Copy + Default> Memory<V> {
    /// One that forgets after so many seconds at most (each thing at a time of its own, from half of it on: what came
    /// together need not be looked at again together), and holds so many.
    #[must_use]
    pub fn new(seconds: u32, most: u32) -> Self {
        Self {
            slots: Vec::new(),
            values: Vec::new(),
            count: 0,
            most: most.max(2) as usize,
            life: (f64::from(seconds) / UNIT) as u64,
            begin: 0.0,
            now: 1,
            seed: random::bytes(16),
        }
    }

    /// It is now so late, in seconds since 1970.
    pub fn set_time(&mut self, now: f64) {
        if now < self.begin || self.count == 0 {
            // Nobody knows how old anything is after the clock was put back.
            self.clear();
            self.begin = now;
        }
        self.now = ((now - self.begin) / UNIT) as u64 + 1;
        if self.now > LATE {
            self.rebuild(self.now.saturating_sub(self.life).max(1), self.slots.len());
        }
    }

    /// What something is remembered by.
    #[must_use]
    pub fn key(&self, what: impl Hash) -> u64 {
        let mut hasher = DefaultHasher::new();
        hasher.write(&self.seed);
        what.hash(&mut hasher);
        hasher.finish()
    }

    /// The value of something that is remembered.
    #[must_use]
    pub fn get(&self, key: u64) -> Option<V> {
        let place = self.find(key).ok()?;
        let stamp = self.slots.get(place)? & STAMPS;
        if self.is_over(key, stamp) { None } else { self.values.get(place).copied() }
    }

    /// Remembers something from now on.
    pub fn put(&mut self, key: u64, value: V) {
        if let Ok(place) = self.find(key) {
            self.set(place, key, self.now, value);
            return;
        }
        if self.count >= self.most {
            let half = self.median() + 1;
            self.rebuild(half.min(self.now), self.slots.len());
            if self.count >= self.most {
                // All came just now.
                self.clear();
            }
        }
        if (self.count + 1) * 2 > self.slots.len() {
            self.grow();
        }
        if let Err(place) = self.find(key) {
            self.set(place, key, self.now, value);
            self.count += 1;
        }
    }

    /// Changes the value of something, which is remembered for no longer than before. Nothing happens if it is not.
    pub fn update(&mut self, key: u64, value: V) {
        if let Ok(place) = self.find(key)
            && let Some(old) = self.values.get_mut(place)
        {
            *old = value;
        }
    }

    /// Forgets everything.
    pub fn clear(&mut self) {
        self.slots.fill(FREE);
        self.count = 0;
    }

    /// How much is in it, what is over but was not needed since included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// Where a key is, or the free slot where it would be.
    fn find(&self, key: u64) -> Result<usize, usize> {
        let Some(mask) = self.slots.len().checked_sub(1) else { return Err(0) };
        let mut place = (key >> STAMP_BITS) as usize & mask;
        loop {
            // At most half of them are in use: there is a free one.
            let slot = self.slots.get(place).copied().unwrap_or(FREE);
            if slot == FREE {
                return Err(place);
            }
            if slot >> STAMP_BITS == key >> STAMP_BITS {
                return Ok(place);
            }
            place = (place + 1) & mask;
        }
    }

    fn set(&mut self, place: usize, key: u64, stamp: u64, value: V) {
        if let (Some(slot), Some(old)) = (self.slots.get_mut(place), self.values.get_mut(place)) {
            (*slot, *old) = ((key & !STAMPS) | stamp, value);
        }
    }

    fn is_over(&self, key: u64, stamp: u64) -> bool {
        let life = self.life / 2 + self.life.div_ceil(2) * ((key >> STAMP_BITS) & 0xff) / 0xff;
        self.now.saturating_sub(stamp) > life
    }

    /// A time before or at which half of them came.
    fn median(&self) -> u64 {
        let mut stamps: Vec<u16> =
            self.slots.iter().filter(|slot| **slot != FREE).map(|slot| (*slot & STAMPS) as u16).collect();
        let middle = (stamps.len() / 2).saturating_sub(1);
        if stamps.is_empty() { 0 } else { u64::from(*stamps.select_nth_unstable(middle).1) }
    }

    /// Makes room, by forgetting what is over or with more slots.
    fn grow(&mut self) {
        let alive = |slot: &&u64| **slot != FREE && !self.is_over(**slot, **slot & STAMPS);
        let alive = self.slots.iter().filter(alive).count();
        let slots = if alive * 4 < self.slots.len() { self.slots.len() } else { self.slots.len() * 2 };
        self.rebuild(1, slots.max(FEW));
    }

    /// Puts what came from then on and is not over into new slots. Their times are counted from then on.
    fn rebuild(&mut self, from: u64, slots: usize) {
        let old = std::mem::replace(&mut self.slots, vec![FREE; slots]);
        let values = std::mem::replace(&mut self.values, vec![V::default(); slots]);
        self.count = 0;
        for (slot, value) in old.into_iter().zip(values) {
            let stamp = slot & STAMPS;
            if slot == FREE || stamp < from || self.is_over(slot, stamp) {
                continue;
            }
            if let Err(place) = self.find(slot) {
                self.set(place, slot, stamp - (from - 1), value);
                self.count += 1;
            }
        }
        self.begin += (from - 1) as f64 * UNIT;
        self.now -= from - 1;
    }
}

/// The bits of the time.
const STAMPS: u64 = (1 << STAMP_BITS) - 1;

#[cfg(test)]
mod tests {
    use portcullis::testing::Host;

    use super::*;

    #[test]
    fn what_came_is_known_until_its_time_is_over() {
        let _host = Host::new();
        let mut memory: Memory<u32> = Memory::new(3600, 1000);
        memory.set_time(1e9);
        let keys: Vec<u64> = (0..300).map(|number| memory.key(("user", number))).collect();
        for (number, key) in (0..).zip(&keys) {
            assert_eq!(memory.get(*key), None);
            memory.put(*key, number);
        }
        let known = |memory: &Memory<u32>| keys.iter().filter(|key| memory.get(**key).is_some()).count();
        assert_eq!((known(&memory), memory.get(keys[7])), (300, Some(7)));
        memory.update(keys[7], 700);
        memory.update(memory.key("nobody"), 1);
        assert_eq!((memory.get(keys[7]), memory.count()), (Some(700), 300));
        memory.set_time(1e9 + 1700.0);
        assert_eq!(known(&memory), 300);
        // Some sooner, some later.
        memory.set_time(1e9 + 2700.0);
        assert!((100..200).contains(&known(&memory)), "{}", known(&memory));
        memory.set_time(1e9 + 3700.0);
        assert_eq!(known(&memory), 0);
        // The clock was put back.
        memory.put(keys[7], 7);
        memory.set_time(1e9 - 1.0);
        assert_eq!(memory.get(keys[7]), None);
    }

    #[test]
    fn when_it_is_full_the_older_half_is_forgotten() {
        let _host = Host::new();
        let mut memory: Memory = Memory::new(86_400, 10_000);
        let mut keys = Vec::new();
        for number in 0..25_000 {
            memory.set_time(1e9 + f64::from(number));
            keys.push(memory.key(number));
            memory.put(keys[number as usize], ());
            assert!(memory.count() <= 10_000);
            assert!(memory.slots.len() <= 32_768);
        }
        let known: Vec<bool> = keys.iter().map(|key| memory.get(*key).is_some()).collect();
        assert!(known[20_000..].iter().all(|known| *known), "the newest are known");
        let first = known.iter().position(|known| *known).unwrap_or_default();
        assert!((15_000..20_000).contains(&first) && known[first..].iter().all(|known| *known), "{first}");
        // All at once: none is older, and there is no more room all the same.
        for number in 0..25_000 {
            memory.put(memory.key(("more", number)), ());
            assert!(memory.count() <= 10_000);
        }
        assert!(memory.get(memory.key(("more", 24_999))).is_some());
    }

    #[test]
    fn weeks_later_times_are_still_told_apart() {
        let _host = Host::new();
        let mut memory: Memory = Memory::new(86_400, 10_000);
        for hour in 0..24 * 30 {
            memory.set_time(1e9 + 3600.0 * f64::from(hour));
            let before = memory.key(hour - 1);
            assert_eq!(memory.get(before).is_some(), hour > 0, "{hour}");
            assert!(memory.get(memory.key(hour - 25)).is_none(), "{hour}");
            memory.put(memory.key(hour), ());
        }
    }
}
