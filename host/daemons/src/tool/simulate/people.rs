//! The people the mailboxes belong to, and a day of theirs.

use std::net::{IpAddr, Ipv4Addr};

use super::dice::Dice;
use super::{Attempt, DAY, Day, Who};

/// Everybody who has a mailbox.
pub(super) struct People {
    /// Their mailboxes.
    pub(super) mailboxes: Vec<u32>,
}

const MINUTE: u64 = 60_000;
const HOUR: u64 = 60 * MINUTE;

/// Networks whose place the free test file of `MaxMind` knows; homes are in the first, journeys go to the others.
const LONDON: [u8; 3] = [81, 2, 69];
const ABROAD: [[u8; 3]; 3] = [[89, 160, 20], [175, 16, 199], [216, 160, 83]];

fn address([a, b, c]: [u8; 3], d: u64) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d as u8))
}

/// An address of the `number`-th household or office.
fn home(number: u64) -> IpAddr {
    if number < 64 {
        return address(LONDON, 142 + number % 51);
    }
    IpAddr::V4(Ipv4Addr::new(100, 64 + (number >> 16) as u8, (number >> 8) as u8, number as u8))
}

/// Settles everybody and has them live a day.
pub(super) fn settle(day: &mut Day, dice: &mut Dice, scale: f64) -> People {
    let of = |full: u64| ((full as f64 * scale).ceil() as u64).max(1);
    let mut mailboxes = Vec::new();
    // Households: one address, one to four people, phones and laptops that fetch mail.
    for number in 0..of(120) {
        for _ in 0..dice.between(1, 4) {
            let mailbox = day.mailbox(dice);
            mailboxes.push(mailbox);
            live(day, dice, mailbox, "imap", |_, _| home(number));
        }
    }
    // Offices: all of a company behind one address.
    for number in 0..3 {
        for _ in 0..of(100) {
            let mailbox = day.mailbox(dice);
            mailboxes.push(mailbox);
            live(day, dice, mailbox, "imap", |_, _| address([198, 51, 100], 10 + number));
        }
    }
    // On the road: a carrier's few addresses, another one each time.
    for _ in 0..of(80) {
        let mailbox = day.mailbox(dice);
        mailboxes.push(mailbox);
        live(day, dice, mailbox, "imap", |_, dice| address([203, 0, 113], 100 + dice.below(8)));
    }
    // Travellers: at home until they fly at noon; nine hours later they are somewhere else.
    for number in 0..of(20) {
        let mailbox = day.mailbox(dice);
        mailboxes.push(mailbox);
        let there = ABROAD[(number % 3) as usize];
        live(day, dice, mailbox, "imap", |at, _| match at {
            at if at < 4 * HOUR => home(number),
            at if at < 13 * HOUR => address([203, 0, 113], 100 + number % 8),
            _ => address(there, 112 + number % 16),
        });
    }
    // Webmail: whoever uses it comes from the two addresses of its servers.
    for _ in 0..of(150) {
        let mailbox = day.mailbox(dice);
        mailboxes.push(mailbox);
        live(day, dice, mailbox, "http", |_, dice| address([192, 0, 2], 80 + dice.below(2)));
    }
    People { mailboxes }
}

/// One mailbox's day.
fn live(
    day: &mut Day,
    dice: &mut Dice,
    mailbox: u32,
    protocol: &'static str,
    from: impl Fn(u64, &mut Dice) -> IpAddr,
) {
    let password = day.password(mailbox);
    let types = protocol == "http";
    let mut at = dice.below(2 * HOUR);
    while at < DAY {
        let place = from(at, dice);
        // Who types a password mistypes one in twenty, and most find the right one at the next try.
        if dice.of_thousand(if types { 50 } else { 3 }) {
            for _ in 0..dice.between(1, 3) {
                let typo = dice.below(65_536) as u16;
                day.attempts.push(Attempt {
                    at,
                    who: Who::Owner,
                    mailbox,
                    from: place,
                    password: typo,
                    protocol,
                });
                at += dice.between(4000, 20_000);
            }
        }
        day.attempts.push(Attempt { at, who: Who::Owner, mailbox, from: place, password, protocol });
        at += if types { dice.between(HOUR, 6 * HOUR) } else { dice.between(15 * MINUTE, 90 * MINUTE) };
    }
    // One in fifty changed the password lately, and the old phone in the drawer does not know.
    if !types && dice.of_thousand(20) {
        let stale = dice.below(65_536) as u16;
        let mut at = dice.below(HOUR);
        while at < DAY {
            let place = from(at, dice);
            day.attempts.push(Attempt {
                at,
                who: Who::Owner,
                mailbox,
                from: place,
                password: stale,
                protocol,
            });
            at += dice.between(4 * MINUTE, 6 * MINUTE);
        }
    }
}
