//! Places, countries and times as numbers that a field of a stats DB can hold.

#![expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "degrees, minutes and letters are small numbers"
)]

use core::fmt;

/// Minutes from 1970 to 2020: minutes since then fit into a field for four thousand years.
const MINUTES_2020: f64 = 26_297_280.0;
/// The earth's mean radius in km.
const RADIUS: f64 = 6371.0;

/// The minute of a time in seconds since 1970, counted from 2020; at least 1, because 0 is a field without a value.
pub fn minute(t: f64) -> i32 {
    ((t / 60.0).floor() - MINUTES_2020).max(1.0) as i32
}

/// A place, to a tenth of a degree (11 km): a database knows no better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Tenths of degrees from the south pole.
    north: i32,
    /// Tenths of degrees from the date line.
    east: i32,
}

impl Place {
    /// `None` for what databases say of places that they do not know: 0 degrees north and east, in the sea.
    pub fn new(latitude: f64, longitude: f64) -> Option<Self> {
        let known =
            (latitude != 0.0 || longitude != 0.0) && latitude.abs() <= 90.0 && longitude.abs() <= 180.0;
        known.then(|| Self {
            north: ((latitude + 90.0) * 10.0 + 0.5).floor() as i32,
            east: ((longitude + 180.0) * 10.0 + 0.5).floor() as i32,
        })
    }

    /// As one number above 0.
    pub fn pack(self) -> i32 {
        self.north * 3601 + self.east + 1
    }

    /// The place that this number stands for; 0 stands for none.
    pub fn unpack(packed: i32) -> Option<Self> {
        (packed > 0).then(|| Self { north: (packed - 1) / 3601, east: (packed - 1) % 3601 })
    }

    /// The distance along the earth's surface.
    pub fn km_to(self, other: Self) -> f64 {
        let radians = |tenths: i32| f64::from(tenths).mul_add(0.1, -90.0).to_radians();
        let (here, there) = (radians(self.north), radians(other.north));
        let east = (f64::from(other.east - self.east) * 0.1).to_radians();
        let half =
            ((there - here) / 2.0).sin().powi(2) + here.cos() * there.cos() * (east / 2.0).sin().powi(2);
        2.0 * RADIUS * half.sqrt().min(1.0).asin()
    }
}

/// A country: its two letters as a number from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Country(pub i32);

impl Country {
    /// Two capital letters.
    pub fn parse(code: &str) -> Option<Self> {
        match code.as_bytes() {
            [a @ b'A'..=b'Z', b @ b'A'..=b'Z'] => {
                Some(Self(i32::from(a - b'A') * 26 + i32::from(b - b'A') + 1))
            }
            _ => None,
        }
    }
}

impl fmt::Display for Country {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letter = |at: i32| char::from(b'A' + at.clamp(0, 25) as u8);
        write!(f, "{}{}", letter((self.0 - 1) / 26), letter((self.0 - 1) % 26))
    }
}

#[cfg(test)]
mod tests {
    use super::{Country, Place, minute};

    #[test]
    fn places_survive_packing() {
        for (latitude, longitude) in [(51.5, -0.1), (-90.0, -180.0), (90.0, 180.0), (-33.9, 151.2)] {
            let place = Place::new(latitude, longitude).unwrap();
            assert_eq!(Place::unpack(place.pack()), Some(place));
        }
        assert_eq!(Place::unpack(0), None);
        assert_eq!(Place::new(0.0, 0.0), None);
        assert_eq!(Place::new(100.0, 0.0), None);
    }

    #[test]
    fn distances_are_those_of_the_globe() {
        let (london, sydney) = (Place::new(51.5, -0.1).unwrap(), Place::new(-33.9, 151.2).unwrap());
        assert!((london.km_to(sydney) - 16_990.0).abs() < 50.0, "{}", london.km_to(sydney));
        assert!(london.km_to(london) < 0.001);
        // Across the date line it is not far.
        let (fiji, samoa) = (Place::new(-17.7, 178.0).unwrap(), Place::new(-13.8, -171.8).unwrap());
        assert!((fiji.km_to(samoa) - 1170.0).abs() < 50.0, "{}", fiji.km_to(samoa));
    }

    #[test]
    fn countries_and_minutes() {
        for code in ["AA", "DE", "ZZ"] {
            assert_eq!(Country::parse(code).unwrap().to_string(), code);
        }
        assert_eq!(Country::parse("de"), None);
        assert_eq!(minute(1_577_836_800.0 + 600.0), 10);
        assert_eq!(minute(0.0), 1);
    }
}
