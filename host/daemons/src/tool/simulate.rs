//! Synthetic populations with attacks mixed in, played through a policy: what it catches, and whom it locks out by mistake.
//!
//! Everything is thrown with dice from one seed and runs on a virtual clock: the same seed gives the same table on every
//! machine.

mod attacks;
mod dice;
mod people;
mod places;
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
    /// What the client says that it is.
    pub device: &'static str,
}

impl Attempt {
    /// What the server is asked about.
    fn login(&self) -> Login {
        Login {
            login: BString::from(format!("user{}", self.mailbox)),
            remote: Addr::from_ip(self.from),
            pwhash: BString::from(format!("{:04x}", self.password)),
            protocol: self.protocol.into(),
            device_id: self.device.into(),
            tls: true,
            ..Login::default()
        }
    }
}

/// Two days of attempts, in order. On the first nobody attacks, so that policies can learn who belongs where; it is not scored.
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

    /// The attempts in order, each with the login that it makes, and whether the password is right.
    pub fn logins(&self) -> impl Iterator<Item = (&Attempt, Login, bool)> {
        self.attempts.iter().map(|attempt| {
            let right = attempt.password == self.password(attempt.mailbox);
            (attempt, attempt.login(), right)
        })
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

/// What DNS answers in a simulation: who is on the block list `bl.example.org`.
pub fn dns() -> std::collections::BTreeMap<String, Vec<String>> {
    places::dns()
}

/// Plays a day through a configuration.
///
/// # Errors
/// The configuration does not load.
pub fn play(config: &Path, day: &Day, mut tick: impl FnMut(u64)) -> Result<Score, DeskError> {
    let desk = Desk::open(config, &Options::default())?;
    desk.capabilities.dns.answer_from(dns());
    let start = desk.capabilities.clock.since_epoch();
    let mut score = Score::default();
    for (number, (attempt, mut login, right)) in day.logins().enumerate() {
        desk.until(start + Duration::from_millis(attempt.at));
        let answer = desk.allow(login.clone());
        let refused = answer.as_ref().is_ok_and(|decision| decision.status < 0);
        if attempt.at >= DAY {
            score.add(attempt, &answer, right);
        }
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
