//! Those who try what is not theirs.

use std::net::IpAddr;

use super::dice::Dice;
use super::people::People;
use super::{Attempt, DAY, Day, Who, places};

/// How somebody goes about it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Attack {
    /// One address tries many passwords for one mailbox, fast.
    BruteForce,
    /// A few addresses try a few popular passwords for everybody.
    Spray,
    /// A botnet tries one popular password for everybody, each machine once.
    BotnetSpray,
    /// A few addresses try pairs of login and password that leaked elsewhere.
    Stuffing,
    /// Very many addresses try one mailbox, each once or twice.
    Distributed,
    /// One address tries one mailbox after the other, a few times an hour.
    SlowScan,
    /// Somebody far away has the right passwords of a few people.
    Thief,
    /// Machines that a block list names try a few mailboxes each.
    Listed,
    /// A machine in an office tries the mailboxes of people elsewhere.
    OfficeMachine,
}

impl Attack {
    /// All of them, in the order of the table.
    pub const ALL: [Attack; 9] = [
        Self::BruteForce,
        Self::Spray,
        Self::BotnetSpray,
        Self::Stuffing,
        Self::Distributed,
        Self::SlowScan,
        Self::Thief,
        Self::Listed,
        Self::OfficeMachine,
    ];

    /// As the table calls it.
    pub fn name(self) -> &'static str {
        match self {
            Self::BruteForce => "brute force",
            Self::Spray => "spray",
            Self::BotnetSpray => "botnet spray",
            Self::Stuffing => "stuffing",
            Self::Distributed => "distributed guessing",
            Self::SlowScan => "slow scan",
            Self::Thief => "travelling thief",
            Self::Listed => "listed hosts",
            Self::OfficeMachine => "infected office machine",
        }
    }
}

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;

/// An address of a botnet: every one in another network.
fn bot(attack: Attack, number: u64) -> IpAddr {
    places::bot(attack as u8, number)
}

/// Adds the attempts of an attack, on the second day.
pub(super) fn launch(attack: Attack, people: &People, day: &mut Day, dice: &mut Dice, scale: f64) {
    let of = |full: u64| (full as f64 * scale).ceil() as u64;
    let everybody = &people.mailboxes;
    let Some(&victim) = dice.pick(everybody) else { return };
    let attempt = |day: &mut Day, at, mailbox, from, password| {
        let (who, at) = (Who::Attacker(attack), DAY + at);
        day.attempts.push(Attempt { at, who, mailbox, from, password, protocol: "imap", device: "" });
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
        Attack::BotnetSpray => {
            let mut at = 9 * HOUR;
            for (number, mailbox) in everybody.iter().enumerate() {
                attempt(day, at, *mailbox, bot(attack, number as u64), 0x4444);
                at += dice.between(5 * SECOND, 25 * SECOND);
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
        Attack::Thief => {
            let mut at = 10 * HOUR;
            for _ in 0..of(60) {
                let Some(&mailbox) = dice.pick(&people.londoners) else { return };
                attempt(day, at, mailbox, bot(attack, 1), day.password(mailbox));
                at += dice.between(3 * MINUTE, 12 * MINUTE);
            }
        }
        Attack::Listed => {
            let mut at = 4 * HOUR;
            let hosts = of(places::LISTED);
            for number in 0..6 * hosts {
                let Some(&mailbox) = dice.pick(everybody) else { return };
                attempt(day, at, mailbox, places::listed(number % hosts), dice.below(65_536) as u16);
                at += dice.between(SECOND, 9 * SECOND);
            }
        }
        Attack::OfficeMachine => {
            let mut at = 12 * HOUR;
            for _ in 0..of(800) {
                let Some(&mailbox) = dice.pick(everybody) else { return };
                attempt(day, at, mailbox, places::office(0), dice.below(65_536) as u16);
                at += dice.between(SECOND, 6 * SECOND);
            }
        }
    }
}
