//! The people the mailboxes belong to, and two days of theirs.

use std::net::IpAddr;

use super::dice::Dice;
use super::{Attempt, DAY, Day, Who, places};

/// Everybody who has a mailbox.
pub(super) struct People {
    /// Their mailboxes.
    pub(super) mailboxes: Vec<u32>,
    /// Of these, those at home in London all day.
    pub(super) londoners: Vec<u32>,
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// How somebody reads mail.
#[derive(Clone, Copy)]
struct Habit {
    protocol: &'static str,
    /// What the client says that it is; most say nothing.
    device: &'static str,
}

const CLIENT: Habit = Habit { protocol: "imap", device: "" };
const BROWSER: Habit = Habit { protocol: "http", device: "" };
const PHONE: Habit = Habit { protocol: "imap", device: "\"name\" \"iPhone Mail\"" };
const DESKTOP: Habit = Habit { protocol: "imap", device: "\"name\" \"Thunderbird\"" };

/// Settles everybody and has them live two days.
pub(super) fn settle(day: &mut Day, dice: &mut Dice, scale: f64) -> People {
    let of = |full: u64| ((full as f64 * scale).ceil() as u64).max(1);
    let mut people = People { mailboxes: Vec::new(), londoners: Vec::new() };
    // Households: one address, one to four people, phones and laptops that fetch mail.
    for number in 0..of(120) {
        for _ in 0..dice.between(1, 4) {
            let mailbox = people.new_mailbox(day, dice);
            if number < 48 {
                people.londoners.push(mailbox);
            }
            live(day, dice, mailbox, CLIENT, |_, _| places::home(number));
        }
    }
    // Offices: all of a company behind one address.
    for number in 0..3 {
        for _ in 0..of(100) {
            let mailbox = people.new_mailbox(day, dice);
            live(day, dice, mailbox, CLIENT, |_, _| places::office(number));
        }
    }
    // On the road: a carrier's few addresses, another one each time.
    for _ in 0..of(80) {
        let mailbox = people.new_mailbox(day, dice);
        live(day, dice, mailbox, CLIENT, |_, dice| places::carrier(dice.below(8)));
    }
    // Travellers: at home until they fly on the second morning; nine hours later they are somewhere else. Some leave a machine
    // at home that goes on fetching mail, and of these some have clients that say what they are.
    for number in 0..of(30) {
        let mailbox = people.new_mailbox(day, dice);
        let journey = move |at: u64, _: &mut Dice| match at {
            at if at < DAY + 4 * HOUR => places::home(number),
            at if at < DAY + 13 * HOUR => places::carrier(number),
            _ => places::abroad(number),
        };
        match number % 3 {
            0 => live(day, dice, mailbox, CLIENT, journey),
            1 => {
                live(day, dice, mailbox, PHONE, journey);
                live(day, dice, mailbox, DESKTOP, |_, _| places::home(number));
            }
            _ => {
                live(day, dice, mailbox, CLIENT, journey);
                live(day, dice, mailbox, CLIENT, |_, _| places::home(number));
            }
        }
    }
    // Webmail: whoever uses it comes from the two addresses of its servers.
    for _ in 0..of(150) {
        let mailbox = people.new_mailbox(day, dice);
        live(day, dice, mailbox, BROWSER, |_, dice| places::webmail(dice.below(2)));
    }
    people
}

impl People {
    fn new_mailbox(&mut self, day: &mut Day, dice: &mut Dice) -> u32 {
        let mailbox = day.mailbox(dice);
        self.mailboxes.push(mailbox);
        mailbox
    }
}

/// One client's two days.
fn live(day: &mut Day, dice: &mut Dice, mailbox: u32, habit: Habit, from: impl Fn(u64, &mut Dice) -> IpAddr) {
    let Habit { protocol, device } = habit;
    let own = day.password(mailbox);
    let attempt =
        |at, from, password| Attempt { at, who: Who::Owner, mailbox, from, password, protocol, device };
    let types = protocol == "http";
    let mut at = dice.below(2 * HOUR);
    while at < 2 * DAY {
        let place = from(at, dice);
        // Who types a password mistypes one in twenty, and most find the right one at the next try.
        if dice.of_thousand(if types { 50 } else { 3 }) {
            for _ in 0..dice.between(1, 3) {
                let typo = dice.below(65_536) as u16;
                day.attempts.push(attempt(at, place, typo));
                at += dice.between(4000, 20_000);
            }
        }
        day.attempts.push(attempt(at, place, own));
        at += if types { dice.between(HOUR, 6 * HOUR) } else { dice.between(15 * MINUTE, 90 * MINUTE) };
    }
    // One in fifty changed the password lately, and the old phone in the drawer does not know.
    if !types && dice.of_thousand(20) {
        let stale = dice.below(65_536) as u16;
        let mut at = dice.below(HOUR);
        while at < 2 * DAY {
            let place = from(at, dice);
            day.attempts.push(attempt(at, place, stale));
            at += dice.between(4 * MINUTE, 6 * MINUTE);
        }
    }
}
