//! Synthetic populations with attacks mixed in, played through a policy: what it catches, and whom it locks out by mistake.
//!
//! Everything is thrown with dice from one seed and runs on a virtual clock: the same seed gives the same table on every
//! machine.

mod attacks;
mod dice;
mod people;
mod score;

use std::path::Path;
use std::time::Duration;

use bstr::BString;
use login::{Addr, Login};

use super::desk::{Desk, DeskError, Options};
pub use attacks::Attack;
use dice::Dice;
pub use score::{Caught, Score, table};

/// How much of everything.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// The dice's seed.
    pub seed: u64,
    /// How many people and attackers, as a part of the full simulation.
    pub scale: f64,
}

impl Default for Plan {
    /// Seed 1, the full simulation.
    fn default() -> Self {
        Self { seed: 1, scale: 1.0 }
    }
}

/// Who tries to log in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Who {
    /// One of the people the mailboxes belong to.
    Owner,
    /// Somebody else.
    Attacker(Attack),
}

/// One attempt.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// Milliseconds since the start.
    pub at: u64,
    /// Who.
    pub who: Who,
    /// The mailbox, by number.
    pub mailbox: u32,
    /// From where.
    pub from: std::net::IpAddr,
    /// A hash of the password that is tried.
    pub password: u16,
    /// Over which protocol.
    pub protocol: &'static str,
}

/// A day of attempts, in order.
pub struct Day {
    attempts: Vec<Attempt>,
    passwords: Vec<u16>,
}

/// One day, in milliseconds.
const DAY: u64 = 86_400_000;

impl Day {
    /// Throws the dice.
    pub fn new(plan: Plan) -> Day {
        let mut dice = Dice::new(plan.seed);
        let mut day = Day { attempts: Vec::new(), passwords: Vec::new() };
        let people = people::settle(&mut day, &mut dice, plan.scale);
        for attack in Attack::ALL {
            attacks::launch(attack, &people, &mut day, &mut dice, plan.scale);
        }
        // Of attempts in the same millisecond the order is that of their making.
        day.attempts.sort_by_key(|attempt| attempt.at);
        day
    }

    /// How many attempts there are.
    pub fn len(&self) -> usize {
        self.attempts.len()
    }

    /// Whether nobody does anything.
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty()
    }

    /// A new mailbox with a password.
    fn mailbox(&mut self, dice: &mut Dice) -> u32 {
        self.passwords.push(dice.below(65_536) as u16);
        (self.passwords.len() - 1) as u32
    }

    fn password(&self, mailbox: u32) -> u16 {
        self.passwords.get(mailbox as usize).copied().unwrap_or_default()
    }
}

/// Plays a day through a configuration.
///
/// # Errors
/// The configuration does not load.
pub fn play(config: &Path, day: &Day, mut tick: impl FnMut(u64)) -> Result<Score, DeskError> {
    let desk = Desk::open(config, &Options::default())?;
    let start = desk.capabilities.clock.since_epoch();
    let mut score = Score::default();
    for (number, attempt) in day.attempts.iter().enumerate() {
        desk.until(start + Duration::from_millis(attempt.at));
        let mut login = Login {
            login: BString::from(format!("user{}", attempt.mailbox)),
            remote: Addr::from_ip(attempt.from),
            pwhash: BString::from(format!("{:04x}", attempt.password)),
            protocol: attempt.protocol.into(),
            tls: true,
            ..Login::default()
        };
        let answer = desk.allow(login.clone());
        let refused = answer.as_ref().is_ok_and(|decision| decision.status < 0);
        let right = attempt.password == day.password(attempt.mailbox);
        score.add(attempt, &answer, right);
        login.success = right && !refused;
        login.policy_reject = refused;
        if desk.report(login).is_err() {
            score.failures += 1;
        }
        if number % 500 == 0 {
            tick(number as u64);
        }
    }
    Ok(score)
}
