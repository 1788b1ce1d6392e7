//! Room for connections: so many of one address, so many of all together.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use parking_lot::Mutex;

/// Connections at once, of all siblings together.
const ALL: usize = 1024;
/// Connections at once of one address. A sibling has one or two; several may share an address.
pub(super) const EACH: usize = 64;

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Full {
    /// All of them together have too many.
    All,
    /// This address has too many.
    Address,
}

#[derive(Default)]
struct Taken {
    all: usize,
    of: HashMap<IpAddr, usize>,
}

/// Who has how many.
#[derive(Default)]
pub(super) struct Room {
    taken: Mutex<Taken>,
}

impl Room {
    /// Takes a place for a connection.
    pub(super) fn take(self: &Arc<Self>, ip: IpAddr) -> Result<Place, Full> {
        let ip = ip.to_canonical();
        let mut taken = self.taken.lock();
        if taken.all >= ALL {
            return Err(Full::All);
        }
        let of = taken.of.entry(ip).or_default();
        if *of >= EACH {
            return Err(Full::Address);
        }
        *of += 1;
        taken.all += 1;
        Ok(Place { room: Arc::clone(self), ip })
    }
}

/// One connection's place, until it is dropped.
pub(super) struct Place {
    room: Arc<Room>,
    ip: IpAddr,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.room.taken.lock();
        taken.all -= 1;
        if let Some(of) = taken.of.get_mut(&self.ip) {
            *of -= 1;
            if *of == 0 {
                taken.of.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_address_does_not_take_the_room_of_others() {
        let room = Arc::new(Room::default());
        let ip = |last: u8| IpAddr::from([192, 0, 2, last]);
        let mapped: IpAddr = "::ffff:192.0.2.1".parse().unwrap();
        let places: Vec<Place> = (0..EACH).map(|_| room.take(ip(1)).ok().unwrap()).collect();
        assert_eq!(room.take(ip(1)).err(), Some(Full::Address));
        assert_eq!(room.take(mapped).err(), Some(Full::Address));
        assert!(room.take(ip(2)).is_ok());
        drop(places);
        assert!(room.taken.lock().of.is_empty());
        let all: Vec<Place> = (0..ALL).map(|n| room.take(ip((n % 200) as u8)).ok().unwrap()).collect();
        assert_eq!(room.take(ip(201)).err(), Some(Full::All));
        drop(all);
        assert!(room.take(ip(201)).is_ok());
    }
}
