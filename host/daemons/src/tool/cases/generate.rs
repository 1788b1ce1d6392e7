//! Texts with generators: `{n}`, `{ip 192.0.2.0/24}`, `{pick a b c}`, `{random 1000}`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use login::Netmask;

/// A text for the `n`-th time, from 1. `{{` and `}}` are the braces themselves.
///
/// # Errors
/// A generator that is none; the text says which there are.
pub(super) fn expand(text: &str, n: u32) -> Result<String, String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let tail = &rest[at..];
        if let Some(after) = tail.strip_prefix("{{").or_else(|| tail.strip_prefix("}}")) {
            out.push_str(&tail[..1]);
            rest = after;
        } else if let Some(inside) = tail.strip_prefix('{') {
            let end = inside.find('}').ok_or_else(|| format!("\"{text}\": a {{ is not closed"))?;
            out.push_str(&generated(&inside[..end], n).map_err(|reason| format!("\"{text}\": {reason}"))?);
            rest = &inside[end + 1..];
        } else {
            return Err(format!("\"{text}\": a }} without its {{; write }}}} for the brace itself"));
        }
    }
    out.push_str(rest);
    Ok(out)
}

fn generated(what: &str, n: u32) -> Result<String, String> {
    let mut words = what.split_whitespace();
    let name = words.next().unwrap_or_default();
    let words: Vec<&str> = words.collect();
    let index = u64::from(n.saturating_sub(1));
    match (name, words.as_slice()) {
        ("n", []) => Ok(n.to_string()),
        ("n", [every]) => match every.parse::<u32>() {
            Ok(every) if every > 0 => Ok((n.div_ceil(every)).to_string()),
            _ => Err(format!("{{n {every}}}: how many times each number? 1 or more")),
        },
        ("ip", [network]) => address(network, index),
        ("pick", [_, ..]) => Ok(words[(index % words.len() as u64) as usize].to_owned()),
        ("random", [below]) => match below.parse::<u64>() {
            Ok(below) if below > 0 => Ok((mixed(index) % below).to_string()),
            _ => Err(format!("{{random {below}}}: below which number? 1 or more")),
        },
        _ => Err(format!(
            "{{{what}}} is no generator; there are {{n}}, {{n TIMES}}, {{ip NETWORK}}, {{pick A B C}} and {{random BELOW}}"
        )),
    }
}

/// The addresses of a network in their order, over and over.
fn address(network: &str, index: u64) -> Result<String, String> {
    let mask = Netmask::parse(network.as_bytes()).map_err(|error| error.to_string())?;
    let Some((base, bits)) = parts(&mask.to_string()) else {
        return Err(format!("{network} is no network"));
    };
    Ok(match base {
        IpAddr::V4(base) => {
            let size = 1u64 << (32 - u32::from(bits.min(32)));
            Ipv4Addr::from(u32::from(base).wrapping_add((index % size) as u32)).to_string()
        }
        IpAddr::V6(base) => {
            let free = 128 - u32::from(bits.min(128));
            let offset = if free >= 64 { index } else { index % (1u64 << free) };
            Ipv6Addr::from(u128::from(base).wrapping_add(u128::from(offset))).to_string()
        }
    })
}

fn parts(mask: &str) -> Option<(IpAddr, u8)> {
    let (base, bits) = mask.split_once('/')?;
    Some((base.parse().ok()?, bits.parse().ok()?))
}

/// Numbers in no order, always the same ones (`SplitMix64`).
pub(crate) fn mixed(index: u64) -> u64 {
    let mut z = index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// A value whose texts are expanded, all the way down.
pub(super) fn expand_value(value: &toml::Value, n: u32) -> Result<serde_json::Value, String> {
    use serde_json::Value as Json;
    Ok(match value {
        toml::Value::String(text) => Json::String(expand(text, n)?),
        toml::Value::Integer(number) => Json::from(*number),
        toml::Value::Float(number) => Json::from(*number),
        toml::Value::Boolean(yes) => Json::Bool(*yes),
        toml::Value::Datetime(time) => Json::String(time.to_string()),
        toml::Value::Array(items) => {
            Json::Array(items.iter().map(|item| expand_value(item, n)).collect::<Result<_, _>>()?)
        }
        toml::Value::Table(table) => Json::Object(expand_table(table, n)?),
    })
}

/// The same for a table.
pub(super) fn expand_table(
    table: &toml::Table,
    n: u32,
) -> Result<serde_json::Map<String, serde_json::Value>, String> {
    table.iter().map(|(key, value)| Ok((key.clone(), expand_value(value, n)?))).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn generators() {
        let all = |text: &str, upto: u32| (1..=upto).map(|n| expand(text, n).unwrap()).collect::<Vec<_>>();
        assert_eq!(all("user{n}", 3), ["user1", "user2", "user3"]);
        assert_eq!(all("{n 2}", 5), ["1", "1", "2", "2", "3"]);
        assert_eq!(all("{ip 192.0.2.254/31}", 3), ["192.0.2.254", "192.0.2.255", "192.0.2.254"]);
        assert_eq!(all("{ip 2001:db8::/64}", 2), ["2001:db8::", "2001:db8::1"]);
        assert_eq!(all("{pick a b}@{pick x y z}", 3), ["a@x", "b@y", "a@z"]);
        assert_eq!(all("{{n}}", 1), ["{n}"]);
        assert_eq!(all("{random 10}", 3), all("{random 10}", 3));
        for wrong in ["{", "}", "{m}", "{ip nonsense}", "{pick}", "{random 0}", "{n 0}", "{n x y}"] {
            assert!(expand(wrong, 1).is_err(), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_expanded_or_refused(text in "\\PC{0,40}", n in 0u32..) {
            let _ = expand(&text, n);
        }

        #[test]
        fn generator_like_texts_are_no_trap(text in "\\{(n|ip|pick|random) [0-9a-f:./]{0,20}\\}", n in 0u32..) {
            let _ = expand(&text, n);
        }
    }
}
