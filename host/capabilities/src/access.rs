//! Who may talk to the HTTP API: the ACL, the password, and whether `/metrics` needs it.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::{ArcSwap, ArcSwapOption};
use login::{NetmaskError, NetmaskGroup};
use parking_lot::Mutex;
use subtle::ConstantTimeEq;

/// The rules of access. A check takes no lock; a change replaces the whole group at once and holds from the next
/// request on.
pub struct Access {
    acl: ArcSwap<NetmaskGroup>,
    changing: Mutex<()>,
    password: ArcSwapOption<Vec<u8>>,
    metrics_open: AtomicBool,
}

impl Default for Access {
    /// The default ACL (loopback, private and link-local networks), no password.
    fn default() -> Self {
        Self {
            acl: ArcSwap::from_pointee(NetmaskGroup::default_acl()),
            changing: Mutex::new(()),
            password: ArcSwapOption::empty(),
            metrics_open: AtomicBool::new(false),
        }
    }
}

impl Access {
    /// Whether the ACL lets this peer in: longest prefix decides, no match means no.
    pub fn allows(&self, peer: IpAddr) -> bool {
        self.acl.load().matches(peer)
    }

    /// The ACL as it is now.
    pub fn acl(&self) -> Arc<NetmaskGroup> {
        self.acl.load_full()
    }

    /// Adds one mask, `!` in front denies.
    ///
    /// # Errors
    /// Text that is no netmask; nothing is changed then.
    pub fn add_acl(&self, mask: &[u8]) -> Result<(), NetmaskError> {
        let _one_writer = self.changing.lock();
        let mut group = NetmaskGroup::clone(&self.acl.load());
        group.add_mask(mask)?;
        self.acl.store(Arc::new(group));
        Ok(())
    }

    /// Replaces the whole ACL; an empty list denies everybody.
    ///
    /// # Errors
    /// Text that is no netmask; nothing is changed then.
    pub fn set_acl<I: IntoIterator<Item: AsRef<[u8]>>>(&self, masks: I) -> Result<(), NetmaskError> {
        let _one_writer = self.changing.lock();
        let mut group = NetmaskGroup::default();
        for mask in masks {
            group.add_mask(mask.as_ref())?;
        }
        self.acl.store(Arc::new(group));
        Ok(())
    }

    /// From now on all is as it is there.
    pub fn take_over(&self, other: &Access) {
        let _one_writer = self.changing.lock();
        self.acl.store(other.acl());
        self.password.store(other.password.load_full());
        self.metrics_open.store(other.metrics_open(), Ordering::Relaxed);
    }

    /// Sets the password of the HTTP API. An empty one locks everyone out.
    pub fn set_password(&self, password: &[u8]) {
        self.password.store(Some(Arc::new(password.to_vec())));
    }

    /// The password, if one is set and not empty (callbacks to siblings authenticate with it).
    pub fn password(&self) -> Option<Arc<Vec<u8>>> {
        self.password.load_full().filter(|password| !password.is_empty())
    }

    /// Checks the decoded text of a basic `Authorization` header.
    ///
    /// wforce compatibility: split at every `:`, empty parts dropped, exactly two parts must remain and the second is the
    /// password. So the user name is ignored but must not be empty, and a password with a `:` never matches.
    pub fn check_basic(&self, user_pass: &[u8]) -> bool {
        let mut parts = user_pass.split(|byte| *byte == b':').filter(|part| !part.is_empty());
        let (Some(_user), Some(given), None) = (parts.next(), parts.next(), parts.next()) else {
            return false;
        };
        match &*self.password.load() {
            Some(password) if !password.is_empty() => bool::from(password.as_slice().ct_eq(given)),
            _ => false,
        }
    }

    /// `/metrics` needs no password from now on.
    pub fn open_metrics(&self) {
        self.metrics_open.store(true, Ordering::Relaxed);
    }

    /// Whether `/metrics` can be read without password.
    pub fn metrics_open(&self) -> bool {
        self.metrics_open.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn default_acl_lets_private_networks_in() {
        let access = Access::default();
        for peer in
            ["127.0.0.1", "10.1.2.3", "192.168.7.7", "172.31.0.1", "100.64.0.1", "::1", "fe80::1", "fd00::1"]
        {
            assert!(access.allows(ip(peer)), "{peer}");
        }
        for peer in ["8.8.8.8", "172.32.0.1", "2001:db8::1"] {
            assert!(!access.allows(ip(peer)), "{peer}");
        }
    }

    #[test]
    fn add_extends_and_set_replaces() {
        let access = Access::default();
        access.add_acl(b"192.0.2.0/24").unwrap();
        access.add_acl(b"!192.0.2.128/25").unwrap();
        assert!(access.allows(ip("192.0.2.1")));
        assert!(!access.allows(ip("192.0.2.200")));
        assert!(access.allows(ip("127.0.0.1")));
        access.set_acl(["198.51.100.7"]).unwrap();
        assert!(access.allows(ip("198.51.100.7")));
        assert!(!access.allows(ip("127.0.0.1")));
        access.set_acl::<[&str; 0]>([]).unwrap();
        assert!(!access.allows(ip("198.51.100.7")));
    }

    #[test]
    fn a_bad_mask_changes_nothing() {
        let access = Access::default();
        assert!(access.add_acl(b"nonsense").is_err());
        assert!(access.set_acl(["192.0.2.0/24", "1.2.3.4/x"]).is_err());
        assert!(access.allows(ip("127.0.0.1")));
        assert!(!access.allows(ip("192.0.2.1")));
    }

    #[test]
    fn the_user_is_ignored_but_must_be_there() {
        let access = Access::default();
        access.set_password(b"super");
        assert!(access.check_basic(b"wforce:super"));
        assert!(access.check_basic(b"\xff:super"));
        assert!(access.check_basic(b"::wforce:::super:"));
        for wrong in
            [&b"wforce:Super"[..], b":super", b"super", b"wforce:", b"", b"wforce:super:x", b"a:b:super"]
        {
            assert!(!access.check_basic(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn no_or_empty_password_locks_everyone_out() {
        let access = Access::default();
        assert!(!access.check_basic(b"wforce:"));
        assert!(!access.check_basic(b"wforce:x"));
        access.set_password(b"");
        assert!(!access.check_basic(b"wforce:"));
        assert!(!access.check_basic(b"wforce::"));
        assert!(access.password().is_none());
        access.set_password(b"with:colon");
        assert!(!access.check_basic(b"wforce:with:colon"));
    }

    #[test]
    fn metrics_can_be_opened() {
        let access = Access::default();
        assert!(!access.metrics_open());
        access.open_metrics();
        assert!(access.metrics_open());
    }

    #[test]
    fn all_can_be_replaced_at_once() {
        let (access, other) = (Access::default(), Access::default());
        access.open_metrics();
        access.set_password(b"old");
        other.set_acl(["192.0.2.0/24"]).unwrap();
        other.set_password(b"new");
        access.take_over(&other);
        assert_eq!((access.allows(ip("192.0.2.1")), access.allows(ip("127.0.0.1"))), (true, false));
        assert_eq!((access.check_basic(b"a:new"), access.check_basic(b"a:old")), (true, false));
        assert!(!access.metrics_open());
    }

    proptest! {
        /// Whatever a client sends, only USER:PASSWORD with a user and the very password gets in.
        #[test]
        fn nothing_but_the_password_gets_in(given in proptest::collection::vec(prop_oneof![Just(b':'), any::<u8>()], 0..12)) {
            let access = Access::default();
            access.set_password(b"ab");
            let parts: Vec<&[u8]> = given.split(|byte| *byte == b':').filter(|part| !part.is_empty()).collect();
            prop_assert_eq!(access.check_basic(&given), parts.len() == 2 && parts[1] == b"ab");
        }
    }
}
