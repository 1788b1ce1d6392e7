//! What is handed over most on its way into a component: as few entries into its code, and as few writes, as the contract
//! allows. Here a login; in [`counts`] the answers of stats DBs.
#![allow(unsafe_code)]

mod counts;

use std::mem::MaybeUninit;
use std::sync::atomic::{AtomicU32, Ordering};

use wasmtime::Result;
use wasmtime::component::__internal::wasmtime_environ::component::StringEncoding;
use wasmtime::component::__internal::{CanonicalAbiInfo, InstanceType, InterfaceType, LowerContext};
use wasmtime::component::{ComponentType, Lower};

pub(crate) use counts::Counted;

use crate::bindings::types::IpAddress;

/// Where an instance wants texts of no length, as far as that is known: 0, or an address.
#[derive(Debug, Default)]
pub(crate) struct Nothing(AtomicU32);

/// A text, lent. Most logins have several empty ones, and asking a component for room for each costs an entry into its code.
/// So an instance is asked once; if its answer is no place in memory (1 or 2, the alignment, as every generator of bindings
/// makes it), it stands for all others as well. One that answers with a place gets one for each text.
#[derive(Clone, Copy)]
pub(crate) struct Text<'a> {
    pub(crate) text: &'a str,
    pub(crate) nothing: &'a Nothing,
}

// SAFETY: all of it is that of a text.
unsafe impl ComponentType for Text<'_> {
    type Lower = <str as ComponentType>::Lower;

    const ABI: CanonicalAbiInfo = <str as ComponentType>::ABI;
    const MAY_REQUIRE_REALLOC: bool = <str as ComponentType>::MAY_REQUIRE_REALLOC;

    fn typecheck(ty: &InterfaceType, types: &InstanceType<'_>) -> Result<()> {
        <str as ComponentType>::typecheck(ty, types)
    }
}

impl Text<'_> {
    /// Puts it into the component's memory and tells where: the address and the length, as they lie in a record. `field`:
    /// where the record will have them.
    fn place<T>(&self, cx: &mut LowerContext<'_, T>, field: usize) -> Result<[u8; 8]> {
        if self.text.is_empty() {
            let known = self.nothing.0.load(Ordering::Relaxed);
            if known != 0 {
                return Ok(pair(known, 0));
            }
        }
        let utf8 = matches!(cx.options().string_encoding, StringEncoding::Utf8);
        let placed = if let (true, Ok(length)) = (utf8, i32::try_from(self.text.len())) {
            let at = cx.realloc(0, 0, 1, self.text.len())?;
            // `realloc` has checked that there is so much memory.
            cx.as_slice_mut()[at..][..self.text.len()].copy_from_slice(self.text.as_bytes());
            pair(u32::try_from(at)?, length.cast_unsigned())
        } else {
            // Another encoding, or too long, which it says.
            self.text.linear_lower_to_memory(cx, InterfaceType::String, field)?;
            *cx.get(field)
        };
        if self.text.is_empty() {
            let at = u32::from_le_bytes([placed[0], placed[1], placed[2], placed[3]]);
            // The address of nothing is one that the component gave for nothing, with the same encoding; being no place in
            // memory, nothing was allocated there and it is good for ever.
            if at == 1 || at == 2 {
                self.nothing.0.store(at, Ordering::Relaxed);
            }
        }
        Ok(placed)
    }
}

fn pair(at: u32, length: u32) -> [u8; 8] {
    (u64::from(at) | u64::from(length) << 32).to_le_bytes()
}

/// A login, lent.
#[derive(Clone, Copy, ComponentType)]
#[component(record)]
#[allow(clippy::struct_field_names, reason = "the names of the contract")]
pub(crate) struct Login<'a> {
    pub(crate) t: f64,
    pub(crate) remote: IpAddress,
    pub(crate) login: Text<'a>,
    pub(crate) pwhash: Text<'a>,
    #[component(name = "device-id")]
    pub(crate) device_id: Text<'a>,
    pub(crate) protocol: Text<'a>,
    #[component(name = "session-id")]
    pub(crate) session_id: Text<'a>,
    #[component(name = "fail-type")]
    pub(crate) fail_type: Text<'a>,
    pub(crate) success: bool,
    #[component(name = "policy-reject")]
    pub(crate) policy_reject: bool,
    pub(crate) tls: bool,
}

/// Where the fields of a login's record are, by the rules of the canonical ABI.
const REMOTE: usize = 8;
const TEXTS: usize = 28;
const FLAGS: usize = 76;
const SIZE: usize = 80;
const _: () = assert!(
    Login::SIZE32 == SIZE
        && IpAddress::SIZE32 == TEXTS - REMOTE
        && IpAddress::ALIGN32 == 4
        && Text::SIZE32 * 6 == FLAGS - TEXTS
);

// SAFETY: it writes each field where the derived implementation would (the tests compare the two), once, and in bounds:
// `get` checks that.
unsafe impl Lower for Login<'_> {
    fn linear_lower_to_flat<T>(
        &self,
        _cx: &mut LowerContext<'_, T>,
        _ty: InterfaceType,
        _dst: &mut MaybeUninit<Self::Lower>,
    ) -> Result<()> {
        // It has 21 parts, and no more than 16 go by registers.
        Err(wasmtime::format_err!("a login goes by memory"))
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        _ty: InterfaceType,
        offset: usize,
    ) -> Result<()> {
        let mut record = [0; SIZE];
        record[..REMOTE].copy_from_slice(&self.t.to_bits().to_le_bytes());
        record[REMOTE..TEXTS].copy_from_slice(&address(self.remote));
        let texts = [self.login, self.pwhash, self.device_id, self.protocol, self.session_id, self.fail_type];
        for (text, at) in texts.iter().zip((TEXTS..FLAGS).step_by(Text::SIZE32)) {
            record[at..at + Text::SIZE32].copy_from_slice(&text.place(cx, offset + at)?);
        }
        record[FLAGS..FLAGS + 3].copy_from_slice(&[
            u8::from(self.success),
            u8::from(self.policy_reject),
            u8::from(self.tls),
        ]);
        *cx.get(offset) = record;
        Ok(())
    }
}

/// An address as it lies in memory: which family, then its words.
fn address(address: IpAddress) -> [u8; TEXTS - REMOTE] {
    let words = match address {
        IpAddress::Ipv4(bits) => [0, bits, 0, 0, 0],
        IpAddress::Ipv6((a, b, c, d)) => [1, a, b, c, d],
    };
    let mut bytes = [0; TEXTS - REMOTE];
    for (bytes, word) in bytes.chunks_exact_mut(4).zip(words) {
        bytes.copy_from_slice(&word.to_le_bytes());
    }
    bytes
}

#[cfg(test)]
#[path = "../tests/support/guest.rs"]
mod guest;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use wasmtime::component::{Component, Linker};
    use wasmtime::{Engine, Store};
    use wit_component::StringEncoding;

    use super::*;

    /// As wasmtime would do it.
    #[derive(Clone, Copy, ComponentType, Lower)]
    #[component(record)]
    #[allow(clippy::struct_field_names)]
    struct Derived<'a> {
        t: f64,
        remote: IpAddress,
        login: &'a str,
        pwhash: &'a str,
        #[component(name = "device-id")]
        device_id: &'a str,
        protocol: &'a str,
        #[component(name = "session-id")]
        session_id: &'a str,
        #[component(name = "fail-type")]
        fail_type: &'a str,
        success: bool,
        #[component(name = "policy-reject")]
        policy_reject: bool,
        tls: bool,
    }

    /// Answers with all that it was given: the memory that it gave away. `of`: its parameters.
    fn mirror(encoding: StringEncoding, of: &str) -> Vec<u8> {
        let world = format!(
            "package test:mirror; world mirror {{ use portcullis:policy/types@0.1.0.{{login, error}};
            export seen: func({of}) -> list<u8>; }}"
        );
        let body = r#"
            (func (export "seen") (param $record i32) (result i32)
                (i32.store (i32.const 0) (i32.const 1024))
                (i32.store (i32.const 4) (i32.sub (global.get $top) (i32.const 1024)))
                (i32.const 0))"#;
        guest::of_own_world(&world, encoding, body)
    }

    /// What a component of this encoding sees in three calls.
    fn seen<P>(encoding: StringEncoding, of: &str, given: impl Fn() -> P) -> Vec<Vec<u8>>
    where
        P: wasmtime::component::ComponentNamedList + Lower + Send + Sync + 'static,
    {
        let engine = Engine::default();
        let component = Component::new(&engine, mirror(encoding, of)).unwrap();
        let mut store = Store::new(&engine, ());
        let instance = Linker::new(&engine).instantiate(&mut store, &component).unwrap();
        let seen = instance.get_typed_func::<P, (Vec<u8>,)>(&mut store, "seen").unwrap();
        (0..3).map(|_| seen.call(&mut store, given()).unwrap().0).collect()
    }

    #[test]
    fn counts_are_written_as_the_canonical_abi_has_them() {
        use crate::bindings::types::Error;

        // So many parts before them that all go by memory.
        let many = ["u64"; 16].join(", ");
        let room = (
            1u64, 2u64, 3u64, 4u64, 5u64, 6u64, 7u64, 8u64, 9u64, 10u64, 11u64, 12u64, 13u64, 14u64, 15u64,
            16u64,
        );
        let error = || Error::Limit("1000 steps of a batch".to_owned());
        let one = format!("many: tuple<{many}>, counted: result<s32, error>");
        for count in [Ok(7), Ok(-1), Err(())] {
            let count = || count.map_err(|()| error());
            let ours = seen(StringEncoding::UTF8, &one, || (room, Counted(count())));
            assert_eq!(ours, seen(StringEncoding::UTF8, &one, || (room, count())));
            assert!(ours[0].len() > 128);
        }
        let several = format!("many: tuple<{many}>, counted: result<list<s32>, error>");
        for counts in [Ok(vec![]), Ok(vec![1, -2, i32::MAX]), Err(())] {
            let counts = || counts.clone().map_err(|()| error());
            let ours = seen(StringEncoding::UTF8, &several, || (room, Counted(counts())));
            assert_eq!(ours, seen(StringEncoding::UTF8, &several, || (room, counts())));
        }
    }

    #[test]
    fn a_login_is_written_as_the_canonical_abi_has_it() {
        let addresses = [IpAddress::Ipv4(0xc000_0201), IpAddress::Ipv6((0x2001_0db8, 1, 2, u32::MAX))];
        let texts: [[&'static str; 6]; 4] = [
            ["joe", "", "", "imap", "", ""],
            ["", "", "", "", "", ""],
            ["j\u{f6}rg@example.com", "2cf2", "\u{1f4f1} phone", "imap", "s1", "credentials"],
            ["", "a", "", "", "", "b"],
        ];
        for encoding in [StringEncoding::UTF8, StringEncoding::UTF16, StringEncoding::CompactUTF16] {
            for (n, [login, pwhash, device_id, protocol, session_id, fail_type]) in
                texts.into_iter().enumerate()
            {
                let (t, remote) = (1_700_000_000.25 - f64::from(n as u32), addresses[n % 2]);
                let (success, policy_reject, tls) = (n == 0, n == 1, n != 1);
                let derived = Derived {
                    t,
                    remote,
                    login,
                    pwhash,
                    device_id,
                    protocol,
                    session_id,
                    fail_type,
                    success,
                    policy_reject,
                    tls,
                };
                let nothing: &'static Nothing = Box::leak(Box::default());
                let lend = |text| Text { text, nothing };
                let ours = Login {
                    t,
                    remote,
                    login: lend(login),
                    pwhash: lend(pwhash),
                    device_id: lend(device_id),
                    protocol: lend(protocol),
                    session_id: lend(session_id),
                    fail_type: lend(fail_type),
                    success,
                    policy_reject,
                    tls,
                };
                let of = "login: login";
                let (ours, derived) = (seen(encoding, of, || (ours,)), seen(encoding, of, || (derived,)));
                assert!(derived[0].len() >= SIZE);
                assert_eq!(ours, derived, "login {n}, {encoding:?}");
            }
        }
    }
}
