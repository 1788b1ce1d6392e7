//! Those who try what is not theirs.

use std::net::{IpAddr, Ipv4Addr};

use super::dice::Dice;
use super::people::People;
use super::{Attempt, Day, Who};

/// How somebody goes about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Attack {
    /// One address tries many passwords for one mailbox, fast.
    BruteForce,
    /// A few addresses try a few popular passwords for everybody.
    Spray,
    /// A few addresses try pairs of login and password that leaked elsewhere.
    Stuffing,
    /// Very many addresses try one mailbox, each once or twice.
    Distributed,
    /// One address tries one mailbox after the other, a few times an hour.
    SlowScan,
}

impl Attack {
    /// All of them, in the order of the table.
    pub const ALL: [Attack; 5] =
        [Self::BruteForce, Self::Spray, Self::Stuffing, Self::Distributed, Self::SlowScan];

    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BruteForce => "brute force",
            Self::Spray => "spray",
            Self::Stuffing => "stuffing",
            Self::Distributed => "distributed guessing",
            Self::SlowScan => "slow scan",
        }
    }
}

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// An address of a botnet: every one in another network.
fn bot(attack: Attack, number: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(45 + attack as u8, (number >> 8) as u8, number as u8, 7))
}

/// Adds the attempts of an attack.
pub(super) fn launch(attack: Attack, people: &People, day: &mut Day, dice: &mut Dice, scale: f64) {
    let of = |full: u64| (full as f64 * scale).ceil() as u64;
    let everybody = &people.mailboxes;
    let Some(&victim) = dice.pick(everybody) else { return };
    let attempt = |day: &mut Day, at, mailbox, from, password| {
        let who = Who::Attacker(attack);
        day.attempts.push(Attempt { at, who, mailbox, from, password, protocol: "imap" });
    };
    match attack {
        Attack::BruteForce => {
            let mut at = 3 * HOUR;
            for number in 0..of(1500) {
                attempt(day, at, victim, bot(attack, 0), number as u16);
                at += dice.between(400, 900);
            }
        }
        Attack::Spray => {
            let popular = [0x1111, 0x2222, 0x3333];
            let mut at = 5 * HOUR;
            for password in popular {
                for (number, mailbox) in everybody.iter().enumerate() {
                    attempt(day, at, *mailbox, bot(attack, number as u64 % 12), password);
                    at += dice.between(2 * SECOND, 8 * SECOND);
                }
            }
        }
        Attack::Stuffing => {
            let mut at = 7 * HOUR;
            for number in 0..of(3000) {
                let Some(&mailbox) = dice.pick(everybody) else { return };
                // One in a hundred uses the same password there.
                let leaked =
                    if dice.of_thousand(10) { day.password(mailbox) } else { dice.below(65_536) as u16 };
                attempt(day, at, mailbox, bot(attack, number % 20), leaked);
                at += dice.between(SECOND, 4 * SECOND);
            }
        }
        Attack::Distributed => {
            let mut at = 2 * HOUR;
            for number in 0..of(900) {
                attempt(day, at, victim, bot(attack, number / 2), dice.below(65_536) as u16);
                at += dice.between(20 * SECOND, 90 * SECOND);
            }
        }
        Attack::SlowScan => {
            let mut at = HOUR;
            for number in 0..of(240) {
                let mailbox = everybody[number as usize % everybody.len()];
                attempt(day, at, mailbox, bot(attack, 0), dice.below(65_536) as u16);
                at += dice.between(4 * MINUTE, 7 * MINUTE);
            }
        }
    }
}
