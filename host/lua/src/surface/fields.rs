//! The fields of objects.

/// One field of an object.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The object.
    pub object: &'static str,
    /// The field.
    pub name: &'static str,
    /// Its type, as the reference names it.
    pub kind: &'static str,
    /// One sentence for policy authors.
    pub doc: &'static str,
}

const fn login(name: &'static str, kind: &'static str, doc: &'static str) -> Field {
    Field { object: "LoginTuple", name, kind, doc }
}

const fn place(name: &'static str, kind: &'static str, doc: &'static str) -> Field {
    Field { object: "GeoIPRecord", name, kind, doc }
}

const fn custom(name: &'static str, kind: &'static str, doc: &'static str) -> Field {
    Field { object: "CustomFuncArgs", name, kind, doc }
}

/// All fields. All can be read and written; writes change only the copy that the policy holds.
pub const FIELDS: &[Field] = &[
    login("t", "number", "When the request came, unix seconds with fraction."),
    login("remote", "ComboAddress", "Where the login came from; v4-mapped IPv6 is IPv4 here."),
    login("login", "string", "The login, canonicalized."),
    login("pwhash", "string", "A short hash of the password that was tried."),
    login("device_id", "string", "What the client said of itself."),
    login("protocol", "string", "`imap`, `http`, ..."),
    login("session_id", "string", "The client's session."),
    login("fail_type", "string", "Why the login failed, if the client says so."),
    login("success", "boolean", "Whether the login succeeded (reports)."),
    login("policy_reject", "boolean", "Whether it failed because of a policy, not of credentials."),
    login("tls", "boolean", "Whether the connection was encrypted."),
    login("attrs", "map of strings", "Further attributes with one value each."),
    login("attrs_mv", "map of lists", "Further attributes with several values."),
    login("device_attrs", "map of strings", "What `device_id` was parsed into."),
    login("report_id", "string", "Names the report in the report store; empty without one."),
    custom("attrs", "map of strings", "The request's attributes with one value each."),
    custom("attrs_mv", "map of lists", "The request's attributes with several values."),
    place("country_code", "string", "ISO code of the country."),
    place("country_name", "string", "English name of the country."),
    place("region", "string", "ISO code of the region, without the country."),
    place("city", "string", "English name of the city."),
    place("postal_code", "string", "Postal code."),
    place("continent_code", "string", "Two letters of the continent."),
    place("latitude", "number", "Degrees north, single precision."),
    place("longitude", "number", "Degrees east, single precision."),
];
