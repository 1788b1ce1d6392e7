//! Five nodes on a network that loses, repeats, swaps and delays frames, cuts nodes off, and whose nodes restart with and
//! without what they had saved, with clocks that differ: after all that every counter is the true sum on every node, and of
//! every entry of a list the last change counts. Every run follows from its seed, which is told when it fails.
#![allow(clippy::unwrap_used)]

mod dice;
mod node;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use bstr::BString;
use capabilities::lists::Kind;
use statsdb::Secret;
use wire::Key;

use super::{Acceptor, Channel, Id, Stamp};
use dice::Dice;
use node::{COLOURS, Listed, Node, Place, Saved};

const NODES: usize = 5;
const KEYS: u64 = 40;
/// Entries of each list.
const ENTRIES: u64 = 15;
const START: u64 = 1_700_000_000;
/// Milliseconds of one step.
const STEP: u64 = 10;

/// Frames under way: when they arrive, and what.
type Way = VecDeque<(u64, Vec<u8>)>;

struct Link {
    dialer: usize,
    acceptor: usize,
    end: Acceptor,
    there: Way,
    back: Way,
}

#[derive(Default)]
struct Truth {
    ints: BTreeMap<(u64, u32), i32>,
    values: BTreeMap<(u64, u32), BTreeSet<u64>>,
    counts: BTreeMap<(u64, u32), i32>,
    /// The last change of each entry, and what it is then; nothing: deleted.
    entries: BTreeMap<Place, (Stamp, Option<(u64, BString)>)>,
    /// Entries whose last change may have been lost with the node that made it.
    unsure: BTreeSet<Place>,
}

struct World {
    dice: Dice,
    now_ms: u64,
    nodes: Vec<Node>,
    links: Vec<Link>,
    /// Until when a node is cut off.
    cut: [u64; NODES],
    rough: bool,
    boots: u64,
    journal_bytes: usize,
    truth: Truth,
    resets: bool,
    /// Entries that expire while it runs.
    short: bool,
    key: Key,
}

impl World {
    fn new(seed: u64) -> Self {
        let mut dice = Dice(seed);
        let journal_bytes = if seed.is_multiple_of(3) { 2_000 } else { 1 << 20 };
        let nodes = (0..NODES).map(|number| Node::new(number, 0, dice.below(4), journal_bytes)).collect();
        let world = Self {
            now_ms: 0,
            nodes,
            links: Vec::new(),
            cut: [0; NODES],
            rough: true,
            boots: 0,
            journal_bytes,
            truth: Truth::default(),
            resets: seed % 4 == 1,
            short: seed % 3 == 2,
            key: Key::from_bytes(&[9; 32]).unwrap(),
            dice,
        };
        for node in 0..NODES {
            world.set_clock(node);
        }
        world
    }

    fn now(&self, node: usize) -> u64 {
        START + self.now_ms / 1000 + self.nodes[node].skew
    }

    fn is_cut(&self, node: usize) -> bool {
        self.cut[node] > self.now_ms
    }

    fn write(&mut self) {
        let node = self.dice.below(NODES as u64) as usize;
        let now = self.now(node);
        let number = self.dice.below(KEYS);
        let (key, db) = (number.to_le_bytes(), &self.nodes[node].db);
        let place = (number, db.local().window(now));
        match self.dice.below(10) {
            0..5 => {
                let n = self.dice.below(20) as i32 - 5;
                db.add(now, &key, b"i", n.to_string().as_bytes()).unwrap();
                *self.truth.ints.entry(place).or_default() += n;
            }
            5..8 => {
                let value = self.dice.below(400);
                db.add(now, &key, b"h", value.to_string().as_bytes()).unwrap();
                self.truth.values.entry(place).or_default().insert(value);
            }
            8 if self.resets && self.dice.below(5) == 0 => db.reset(now, &key),
            _ => {
                let n = self.dice.below(5) as i32;
                db.add_count(now, &key, b"c", b"value", n);
                *self.truth.counts.entry(place).or_default() += n;
            }
        }
    }

    /// Changes an entry of a list.
    fn list(&mut self) {
        let node = self.dice.below(NODES as u64) as usize;
        let (colour, number) = (self.dice.below(2) as usize, self.dice.below(ENTRIES));
        let (key, now) = (BString::from(format!("user{number}")), self.now(node));
        let Node { caps, entries, .. } = &self.nodes[node];
        let list = caps.lists.list(COLOURS[colour]);
        let is = if self.dice.below(3) == 0 {
            list.delete_login(&key);
            None
        } else {
            let short = self.short && self.dice.below(2) == 0;
            let left = if short { 1 + self.dice.below(6) } else { 3600 + self.dice.below(3600) };
            let reason = BString::from(format!("{node} at {}", self.now_ms));
            list.add_login(now, &key, left as u32, &reason);
            Some((now + left, reason))
        };
        let id = Id { colour: COLOURS[colour], kind: Kind::Login, key: key.clone() };
        let stamp = entries.change(&id).unwrap().stamp;
        let known = self.truth.entries.entry((colour, key)).or_default();
        if stamp > known.0 {
            *known = (stamp, is);
        }
    }

    fn trouble(&mut self) {
        let node = self.dice.below(NODES as u64) as usize;
        if self.dice.permille(4) {
            self.cut[node] = self.now_ms + self.dice.below(3_000);
        }
        if self.dice.permille(3) {
            self.restart(node);
        }
    }

    /// A node ends. Either it had just saved, or what it counted is known to somebody who will live on.
    fn restart(&mut self, node: usize) {
        let now = self.now(node);
        let old = &self.nodes[node];
        let told = old.dialers.iter().flatten().any(|dialer| {
            let status = dialer.status();
            status.connected && !status.needs_repair && status.acked == old.journal.end()
        });
        let saved = if told && self.dice.permille(500) { Saved::default() } else { old.save(now) };
        if !told {
            // When its entries were changed is forgotten, and that others were deleted.
            let origin = old.journal.origin();
            let own = self.truth.entries.iter().filter(|(_, (stamp, _))| stamp.origin == origin);
            self.truth.unsure.extend(own.map(|(place, _)| place.clone()));
        }
        self.boots += 1;
        self.nodes[node] = Node::new(node, self.boots, self.dice.below(4), self.journal_bytes);
        self.set_clock(node);
        let now = self.now(node);
        self.nodes[node].restore(now, saved);
        self.links.retain(|link| {
            if link.acceptor == node && link.dialer != node {
                self.nodes[link.dialer].dialers[node].as_mut().unwrap().disconnected();
            }
            link.acceptor != node && link.dialer != node
        });
    }

    fn connect(&mut self) {
        for dialer in 0..NODES {
            for acceptor in 0..NODES {
                let linked = |link: &Link| link.dialer == dialer && link.acceptor == acceptor;
                let cut = self.is_cut(dialer) || self.is_cut(acceptor);
                if dialer == acceptor || cut || self.links.iter().any(linked) {
                    continue;
                }
                let mut nonce = [0; super::NONCE_BYTES];
                nonce[..8].copy_from_slice(&self.dice.next().to_le_bytes());
                let channel = Channel::dialed(&self.key, &nonce, &nonce);
                let now_ms = self.now_ms;
                self.nodes[dialer].dialers[acceptor].as_mut().unwrap().connected(channel, now_ms);
                let channel = Channel::accepted(&self.key, &nonce, &nonce);
                let Node { journal, heard, .. } = &self.nodes[acceptor];
                let end = Acceptor::new(Arc::clone(journal), Arc::clone(heard), channel);
                let (there, back) = (Way::new(), Way::new());
                self.links.push(Link { dialer, acceptor, end, there, back });
            }
        }
    }

    /// Puts a frame on its way, or not.
    fn send(dice: &mut Dice, rough: bool, now_ms: u64, way: &mut Way, frame: Vec<u8>) {
        let due = now_ms + dice.below(40);
        if rough && dice.permille(5) {
            return;
        }
        if rough && dice.permille(5) {
            way.push_back((due, frame.clone()));
        }
        way.push_back((due, frame));
        if rough && dice.permille(5) && way.len() > 1 {
            let last = way.len() - 1;
            way.swap(last, last - 1);
        }
    }

    fn set_clock(&self, node: usize) {
        let now_ms = START * 1000 + self.now_ms + self.nodes[node].skew * 1000;
        self.nodes[node].caps.clock.set(Duration::from_millis(now_ms));
    }

    fn step(&mut self) {
        self.now_ms += STEP;
        for node in 0..NODES {
            self.set_clock(node);
            if self.now_ms.is_multiple_of(1000) {
                self.nodes[node].caps.lists.purge(self.now(node));
                self.nodes[node].entries.prune(self.now(node));
            }
        }
        self.connect();
        let mut links = std::mem::take(&mut self.links);
        links.retain_mut(|link| {
            if (self.is_cut(link.dialer) || self.is_cut(link.acceptor)) && self.dice.permille(950) {
                return true;
            }
            let alive = self.run_link(link);
            if !alive {
                self.nodes[link.dialer].dialers[link.acceptor].as_mut().unwrap().disconnected();
            }
            alive
        });
        self.links.append(&mut links);
    }

    fn run_link(&mut self, link: &mut Link) -> bool {
        let (now_ms, rough) = (self.now_ms, self.rough);
        let (dialer_now, acceptor_now) = (self.now(link.dialer), self.now(link.acceptor));
        let dialer = self.nodes[link.dialer].dialers[link.acceptor].as_mut().unwrap();
        while link.there.front().is_some_and(|(due, _)| *due <= now_ms) {
            let (_, frame) = link.there.pop_front().unwrap();
            if link.end.receive(&frame, acceptor_now, now_ms).is_err() {
                return false;
            }
        }
        if link.end.receive(&[], acceptor_now, now_ms).is_err() {
            return false;
        }
        while link.back.front().is_some_and(|(due, _)| *due <= now_ms) {
            let (_, frame) = link.back.pop_front().unwrap();
            if dialer.receive(&frame, dialer_now, now_ms).is_err() {
                return false;
            }
        }
        for _ in 0..8 {
            match dialer.produce(dialer_now, now_ms) {
                Ok(Some(frame)) => Self::send(&mut self.dice, rough, now_ms, &mut link.there, frame),
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        for _ in 0..8 {
            match link.end.produce(acceptor_now) {
                Ok(Some(frame)) => Self::send(&mut self.dice, rough, now_ms, &mut link.back, frame),
                Ok(None) => break,
                Err(_) => return false,
            }
        }
        true
    }

    fn is_quiet(&self) -> bool {
        self.nodes.iter().all(|node| {
            node.dialers.iter().flatten().all(|dialer| {
                let status = dialer.status();
                status.connected && !status.needs_repair && status.acked == node.journal.end()
            })
        })
    }

    fn check(&self) {
        // Clocks differ by seconds, windows reach back minutes: all of them still count.
        let now = START + self.now_ms / 1000 + 4;
        let secret = Secret([1; 16]);
        let catalogue = |node: &Node| -> Vec<(u64, u64)> {
            let lines = node.db.local().catalogue(now, &secret);
            lines.lines().iter().map(|line| (line.key, line.digest)).collect()
        };
        let first = catalogue(&self.nodes[0]);
        let entries = |node: &Node| node.entries.catalogue(now, &secret).0;
        let listed = self.nodes[0].listed(now);
        self.check_lists(&listed, now);
        for node in &self.nodes {
            assert_eq!(catalogue(node), first, "nodes differ");
            assert_eq!(node.listed(now), listed, "lists differ");
            // What entries took the place of that are over is noted by those who had it.
            assert!(self.short || entries(node) == entries(&self.nodes[0]), "notes of lists differ");
            if self.resets {
                continue;
            }
            let current = node.db.local().window(now);
            for number in 0..KEYS {
                let key = number.to_le_bytes();
                let windows = |field: &[u8]| node.db.windows(now, &key, field, None);
                let (ints, values, counts) = (windows(b"i"), windows(b"h"), windows(b"c"));
                for age in 0..100u32 {
                    let place = (number, current - age);
                    let of = |windows: &[i32]| windows.get(age as usize).copied().unwrap_or(0);
                    assert_eq!(of(&ints), self.truth.ints.get(&place).copied().unwrap_or(0), "{place:?}");
                    assert_eq!(of(&counts), self.truth.counts.get(&place).copied().unwrap_or(0));
                    assert_eq!(of(&values), self.truth.values.get(&place).map_or(0, BTreeSet::len) as i32);
                }
            }
        }
    }
}

impl World {
    /// Whether a node's lists are what the last changes made of them.
    fn check_lists(&self, listed: &Listed, now: u64) {
        let mut sure = 0;
        for (place, (stamp, is)) in &self.truth.entries {
            if !self.truth.unsure.contains(place) {
                let is = is.as_ref().filter(|(expiration, _)| *expiration > now);
                assert_eq!(listed.get(place), is, "{place:?} by {}", stamp.origin);
                sure += 1;
            }
        }
        assert!(sure > 0, "nothing is known for sure");
    }
}

fn run(seed: u64) {
    let mut world = World::new(seed);
    for _ in 0..800 {
        for _ in 0..world.dice.below(4) {
            world.write();
        }
        if world.dice.below(4) == 0 {
            world.list();
        }
        world.trouble();
        world.step();
    }
    world.rough = false;
    world.cut = [0; NODES];
    let mut steps = 0;
    while !world.is_quiet() {
        world.step();
        steps += 1;
        assert!(steps < 6_000, "not healed after a minute");
    }
    world.check();
}

#[test]
fn every_counter_is_the_true_sum_everywhere() {
    let seeds = match std::env::var("SIMULATION_SEED") {
        Ok(seed) => seed.parse::<u64>().unwrap()..seed.parse::<u64>().unwrap() + 1,
        Err(_) => 0..9,
    };
    for seed in seeds {
        let result = std::panic::catch_unwind(|| run(seed));
        assert!(result.is_ok(), "run it again with SIMULATION_SEED={seed}");
    }
}
