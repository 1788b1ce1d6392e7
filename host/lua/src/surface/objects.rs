//! Addresses, netmasks and groups of them.

use super::Kind::{Addr, Byte, Text};
use super::{Entry, Group, param};

const G: Group = Group::Addresses;
const CA: &str = "ComboAddress";

pub(super) const ENTRIES: &[Entry] = &[
    Entry::anywhere(G, "newCA", &[param("address", Text)],
        "An address from `ip`, `ip:port`, `ip6` or `[ip6]:port`. Text that is none gives 0.0.0.0 and a line in the log, not an \
         error. IPv4 is read as `inet_aton` does: `1` is 0.0.0.1.")
        .returns("ComboAddress"),
    Entry::method(G, CA, "ComboAddress:tostring", &[],
        "The address as text, without port. (`tostring(address)` does not show the address.)")
        .returns("string"),
    Entry::method(G, CA, "ComboAddress:isIPv4", &[], "Whether it is an IPv4 address.").returns("boolean"),
    Entry::method(G, CA, "ComboAddress:isIPv6", &[], "Whether it is an IPv6 address; v4-mapped ones are.")
        .returns("boolean"),
    Entry::method(G, CA, "ComboAddress:isMappedIPv4", &[], "Whether it is a v4-mapped IPv6 address (`::ffff:192.0.2.1`).")
        .returns("boolean"),
    Entry::anywhere(G, "newNetmask", &[param("netmask", Text)],
        "A netmask from `ip/bits` or `ip`. A bad address gives an empty netmask and a line in the log; bad bits are an error.")
        .returns("Netmask"),
    Entry::anywhere(G, "newNetmaskFromCA", &[param("address", Addr), param("bits", Byte)],
        "The network of an address. Bits beyond 32 or 128 are clamped.")
        .returns("Netmask"),
    Entry::method(G, "Netmask", "Netmask:toStringNetwork", &[], "`network/bits`, host bits cleared; an empty text for an empty netmask.")
        .returns("string"),
    Entry::anywhere(G, "newNetmaskGroup", &[], "An empty group of netmasks.").returns("NetmaskGroup"),
    Entry::method(G, "NetmaskGroup", "NetmaskGroup:addMask", &[param("netmask", Text)],
        "Adds a netmask, or with a leading `!` an exception. Text that is none is an error."),
    Entry::method(G, "NetmaskGroup", "NetmaskGroup:match", &[param("address", Addr)],
        "Whether the longest matching netmask is in the group rather than an exception. IPv4 and IPv6 are separate.")
        .returns("boolean"),
    Entry::method(G, "NetmaskGroup", "NetmaskGroup:size", &[], "How many netmasks there are.").returns("integer"),
    Entry::method(G, "NetmaskGroup", "NetmaskGroup:clear", &[], "Removes all netmasks."),
];
