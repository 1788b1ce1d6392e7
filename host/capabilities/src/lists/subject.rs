//! The lists as policies use them: one function for each thing they may do, in the context of the call.

use std::net::IpAddr;

use bstr::BString;
use login::Netmask;

use super::list::{ip_text, pair_key};
use super::{Colour, EmptyNetmask, Entry, Kind, Lists};
use crate::context::{self, Step};

/// What an entry is about.
#[derive(Clone, Copy, Debug)]
pub enum Subject<'a> {
    /// An address.
    Ip(IpAddr),
    /// A network.
    Netmask(&'a Netmask),
    /// A login.
    Login(&'a [u8]),
    /// An address with a login.
    IpLogin(IpAddr, &'a [u8]),
    /// A JA3 hash.
    Ja3(&'a [u8]),
    /// An address with a JA3 hash.
    IpJa3(IpAddr, &'a [u8]),
}

impl Subject<'_> {
    /// The kind of its entries.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Ip(_) | Self::Netmask(_) => Kind::Ip,
            Self::Login(_) => Kind::Login,
            Self::IpLogin(..) => Kind::IpLogin,
            Self::Ja3(_) => Kind::Ja3,
            Self::IpJa3(..) => Kind::IpJa3,
        }
    }

    /// Its key in the list.
    pub fn key(&self) -> BString {
        match self {
            Self::Ip(ip) => Netmask::new(*ip, 128).to_string().into(),
            Self::Netmask(mask) => mask.to_string().into(),
            Self::Login(text) | Self::Ja3(text) => (*text).into(),
            Self::IpLogin(ip, text) | Self::IpJa3(ip, text) => pair_key(*ip, text),
        }
    }

    /// What is looked for, in a trace.
    fn asked(&self) -> BString {
        match self {
            Self::Ip(ip) => ip_text(*ip).into(),
            other => other.key(),
        }
    }
}

impl Lists {
    /// A policy lists something for `seconds` from `now` (unix seconds).
    ///
    /// # Errors
    /// A netmask that is empty.
    pub fn add(
        &self,
        now: u64,
        colour: Colour,
        subject: Subject<'_>,
        seconds: u32,
        reason: &[u8],
    ) -> Result<(), EmptyNetmask> {
        let Some(context) = context::current() else {
            return self.add_here(now, colour, subject, seconds, reason);
        };
        context.note(|| change("add", colour, subject, &[seconds.to_string().into(), reason.into()]));
        match context.overlay() {
            None => self.add_here(now, colour, subject, seconds, reason),
            Some(overlay) => {
                overlay.lists.add_here(now, colour, subject, seconds, reason)?;
                overlay.list(colour, subject.kind(), subject.key());
                Ok(())
            }
        }
    }

    fn add_here(
        &self,
        now: u64,
        colour: Colour,
        subject: Subject<'_>,
        seconds: u32,
        reason: &[u8],
    ) -> Result<(), EmptyNetmask> {
        let list = self.list(colour);
        match subject {
            Subject::Ip(ip) => list.add_ip(now, ip, seconds, reason),
            Subject::Netmask(mask) => list.add_netmask(now, mask, seconds, reason)?,
            Subject::Login(login) => list.add_login(now, login, seconds, reason),
            Subject::IpLogin(ip, login) => list.add_ip_login(now, ip, login, seconds, reason),
            Subject::Ja3(ja3) => list.add_ja3(now, ja3, seconds, reason),
            Subject::IpJa3(ip, ja3) => list.add_ip_ja3(now, ip, ja3, seconds, reason),
        }
        Ok(())
    }

    /// A policy takes something off the list; just the entry of exactly that.
    pub fn delete(&self, colour: Colour, subject: Subject<'_>) {
        let Some(context) = context::current() else { return self.delete_here(colour, subject) };
        context.note(|| change("delete", colour, subject, &[]));
        match context.overlay() {
            None => self.delete_here(colour, subject),
            Some(overlay) => {
                overlay.lists.delete_here(colour, subject);
                overlay.unlist(colour, subject.kind(), subject.key());
            }
        }
    }

    fn delete_here(&self, colour: Colour, subject: Subject<'_>) {
        let list = self.list(colour);
        match subject {
            Subject::Ip(ip) => list.delete_ip(ip),
            Subject::Netmask(mask) => list.delete_netmask(mask),
            Subject::Login(login) => list.delete_login(login),
            Subject::IpLogin(ip, login) => list.delete_ip_login(ip, login),
            Subject::Ja3(ja3) => list.delete_ja3(ja3),
            Subject::IpJa3(ip, ja3) => list.delete_ip_ja3(ip, ja3),
        };
    }

    /// A policy asks for the entry that matches; for an address, that of the smallest network that holds it. A netmask
    /// matches the entry of exactly that network.
    pub fn check(&self, now: u64, colour: Colour, subject: Subject<'_>) -> Option<Entry> {
        let Some(context) = context::current() else { return self.check_here(now, colour, subject) };
        let live = self.check_here(now, colour, subject);
        let hit = match context.overlay() {
            None => live,
            Some(overlay) => overlay
                .lists
                .check_here(now, colour, subject)
                .or_else(|| overlay.unless_unlisted(colour, subject.kind(), live?)),
        };
        context.note(|| Step::List { colour, kind: subject.kind(), key: subject.asked(), hit: hit.clone() });
        hit
    }

    pub(super) fn check_here(&self, now: u64, colour: Colour, subject: Subject<'_>) -> Option<Entry> {
        let list = self.list(colour);
        match subject {
            Subject::Ip(ip) => list.check_ip(now, ip),
            Subject::Netmask(mask) => list.check_netmask(now, mask),
            Subject::Login(login) => list.check_login(now, login),
            Subject::IpLogin(ip, login) => list.check_ip_login(now, ip, login),
            Subject::Ja3(ja3) => list.check_ja3(now, ja3),
            Subject::IpJa3(ip, ja3) => list.check_ip_ja3(now, ip, ja3),
        }
    }

    /// Notes what the server's own look at a list found for a login, kind by kind as [`List::check`] goes; up to the first
    /// hit.
    ///
    /// [`List::check`]: super::List::check
    pub fn note_check(
        &self,
        context: &context::Context,
        now: u64,
        colour: Colour,
        ip: IpAddr,
        login: &[u8],
        ja3: &[u8],
    ) {
        for kind in Kind::ALL {
            let subject = match kind {
                Kind::Ip => Subject::Ip(ip),
                Kind::Login => Subject::Login(login),
                Kind::IpLogin => Subject::IpLogin(ip, login),
                Kind::Ja3 | Kind::IpJa3 if ja3.is_empty() => continue,
                Kind::Ja3 => Subject::Ja3(ja3),
                Kind::IpJa3 => Subject::IpJa3(ip, ja3),
            };
            let hit = self.check_here(now, colour, subject);
            let over = hit.is_some();
            context.note(|| Step::List { colour, kind, key: subject.asked(), hit });
            if over {
                return;
            }
        }
    }
}

fn change(verb: &str, colour: Colour, subject: Subject<'_>, more: &[BString]) -> Step {
    let list = match colour {
        Colour::Black => "blacklist",
        Colour::White => "whitelist",
    };
    let what = format!("{verb} {list} {}", subject.kind().api_name());
    let mut arguments = vec![subject.key()];
    arguments.extend_from_slice(more);
    Step::Change { what, arguments }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::sync::Arc;

    use super::*;
    use crate::context::{Context, Overlay};

    const BLACK: Colour = Colour::Black;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn an_overlay_hides_its_writes_from_everybody_else() {
        let lists = Lists::default();
        let (one, two) = (ip("192.0.2.1"), ip("192.0.2.2"));
        lists.add(1000, BLACK, Subject::Ip(one), 60, b"live").unwrap();
        let overlay: Arc<Overlay> = Arc::default();
        let context = Arc::new(Context::traced().over(Arc::clone(&overlay)));
        {
            let _entered = context.enter();
            assert!(lists.check(1000, BLACK, Subject::Ip(one)).is_some(), "what is live is seen");
            lists.delete(BLACK, Subject::Ip(one));
            lists.add(1000, BLACK, Subject::IpLogin(two, b"joe"), 60, b"shadow").unwrap();
            assert!(lists.check(1000, BLACK, Subject::Ip(one)).is_none());
            assert!(lists.check(1000, BLACK, Subject::IpLogin(two, b"joe")).is_some());
            lists.add(1000, BLACK, Subject::Ip(one), 60, b"again").unwrap();
            assert_eq!(lists.check(1000, BLACK, Subject::Ip(one)).unwrap().reason, "again");
        }
        assert_eq!(lists.check(1000, BLACK, Subject::Ip(one)).unwrap().reason, "live");
        assert!(lists.check(1000, BLACK, Subject::IpLogin(two, b"joe")).is_none());
        let names: Vec<_> = context.trace().unwrap().steps().iter().map(|timed| timed.step.name()).collect();
        assert_eq!(names, ["list", "change", "change", "list", "list", "change", "list"]);
    }

    #[test]
    fn a_netmask_matches_its_own_entry() {
        let lists = Lists::default();
        let (wide, narrow) =
            (Netmask::parse(b"192.0.2.0/24").unwrap(), Netmask::parse(b"192.0.2.0/25").unwrap());
        lists.add(1000, BLACK, Subject::Netmask(&wide), 60, b"").unwrap();
        assert!(lists.check(1000, BLACK, Subject::Netmask(&wide)).is_some());
        assert!(lists.check(1000, BLACK, Subject::Netmask(&narrow)).is_none());
        assert!(lists.check(1060, BLACK, Subject::Netmask(&wide)).is_none());
        assert!(lists.check(1000, BLACK, Subject::Ip(ip("192.0.2.77"))).is_some());
    }
}
