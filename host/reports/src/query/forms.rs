//! JSON forms of types that have none.

pub(crate) mod seconds {
    //! Milliseconds as seconds, with a fraction.
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    /// Seconds beyond which doubles lose milliseconds; far outside any calendar.
    const FARTHEST: f64 = 1e12;

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub(crate) fn serialize<S: Serializer>(ms: &i64, to: S) -> Result<S::Ok, S::Error> {
        if ms % 1000 == 0 { to.serialize_i64(ms / 1000) } else { to.serialize_f64(*ms as f64 / 1000.0) }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<i64, D::Error> {
        let seconds = f64::deserialize(from)?;
        if seconds.abs() > FARTHEST || !seconds.is_finite() {
            return Err(D::Error::custom("this is no time in seconds"));
        }
        Ok((seconds * 1000.0).round() as i64)
    }
}

pub(crate) mod netmask {
    //! A network as `address/bits`.
    use login::Netmask;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub(crate) fn serialize<S: Serializer>(mask: &Netmask, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(mask)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Netmask, D::Error> {
        Netmask::parse(String::deserialize(from)?.as_bytes()).map_err(D::Error::custom)
    }
}

pub(crate) mod optional_netmask {
    //! A network, if any.
    use login::Netmask;
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    #[allow(clippy::ref_option)] // serde's signature
    pub(crate) fn serialize<S: Serializer>(mask: &Option<Netmask>, to: S) -> Result<S::Ok, S::Error> {
        match mask {
            Some(mask) => to.collect_str(mask),
            None => to.serialize_none(),
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Netmask>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| Netmask::parse(text.as_bytes())).transpose().map_err(D::Error::custom)
    }
}
