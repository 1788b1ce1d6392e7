//! Calls any function of the contract by its name, with arguments in text, and answers in text, so that a test can compare it
//! with the same call in Lua. It goes by the bindings, not by what the SDK makes of them: every function counts.

mod args;
mod outside;
mod reports;
mod stats;

use portcullis::bindings::imports::portcullis::policy as host;
use portcullis::{Failure, Login, Policy, Reply, Result, Verdict};
use serde::de::IgnoredAny;

use args::Args;
use host::types::Error;

/// What a function answered.
pub type Answer = core::result::Result<String, Error>;

/// Nothing but its functions.
pub struct Everything;

fn call(function: &str, args: &Args<'_>) -> Answer {
    let (interface, function) = function.split_once('.').unwrap_or((function, ""));
    match interface {
        "request" => Ok(request(function, args)),
        "addresses" => addresses(function, args),
        "stats" => stats::call(function, args),
        "reports" => reports::call(function, args),
        _ => outside::call(interface, function, args),
    }
}

fn request(function: &str, args: &Args<'_>) -> String {
    let pairs = |pairs: Vec<(String, String)>| {
        pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
    };
    match function {
        "attribute" => args::option(host::request::attribute(args.text("name"))),
        "attribute-values" => host::request::attribute_values(args.text("name")).join(" "),
        "attributes" => pairs(host::request::attributes()),
        "multi-attributes" => {
            let all = host::request::multi_attributes();
            pairs(all.into_iter().map(|(name, values)| (name, values.join("+"))).collect())
        }
        "device-attribute" => args::option(host::request::device_attribute(args.text("name"))),
        "device-attributes" => pairs(host::request::device_attributes()),
        other => args::unknown(other),
    }
}

fn addresses(function: &str, args: &Args<'_>) -> Answer {
    Ok(match function {
        "parse" => host::addresses::text(host::addresses::parse(args.text("text"))?),
        "text" => host::addresses::text(args.address("ip")),
        "parse-netmask" => host::addresses::netmask_text(host::addresses::parse_netmask(args.text("text"))?),
        "netmask-text" => {
            let mask = host::types::Netmask { address: args.address("ip"), bits: args.number("bits") };
            host::addresses::netmask_text(mask)
        }
        "is-in" => {
            let networks: Vec<_> = args
                .list("networks")
                .map(host::addresses::parse_netmask)
                .collect::<core::result::Result<_, _>>()?;
            host::addresses::is_in(args.address("ip"), &networks).to_string()
        }
        other => args::unknown(other),
    })
}

/// What the hook `allow` was called with, beside the attributes.
fn seen(login: &Login) -> Vec<(String, String)> {
    let attribute = |function: &str, name: &str| {
        let pairs = [("name".to_owned(), name.to_owned())];
        request(function, &Args(&pairs))
    };
    [
        ("t", login.t.to_string()),
        ("remote", host::addresses::text(login.remote)),
        ("login", login.login.clone()),
        ("pwhash", login.pwhash.clone()),
        ("device_id", login.device_id.clone()),
        ("protocol", login.protocol.clone()),
        ("session_id", login.session_id.clone()),
        ("fail_type", login.fail_type.clone()),
        ("success", login.success.to_string()),
        ("policy_reject", login.policy_reject.to_string()),
        ("tls", login.tls.to_string()),
        ("one", attribute("attribute", "one")),
        ("none", attribute("attribute", "none")),
        ("many", attribute("attribute-values", "many")),
        ("attributes", attribute("attributes", "")),
        ("multi_attributes", attribute("multi-attributes", "")),
        ("family", attribute("device-attribute", "imapc.family")),
        ("device_attributes", attribute("device-attributes", "")),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .to_vec()
}

#[portcullis::policy]
impl Policy for Everything {
    /// Any.
    type Settings = IgnoredAny;

    fn new(_: IgnoredAny) -> Result<Self> {
        Ok(Self)
    }

    fn allow(&mut self, login: &Login) -> Result<Verdict> {
        let mut verdict = Verdict::allow();
        for (name, value) in seen(login) {
            verdict = verdict.attr(&name, value);
        }
        Ok(verdict)
    }

    fn report(&mut self, _: &Login) -> Result<()> {
        portcullis::info!("a component was told"; report = args::option(host::reports::current()));
        Ok(())
    }

    fn post(&mut self, _: &str, attrs: &[(String, String)], _: &[(String, Vec<String>)]) -> Result<Reply> {
        let args = Args(attrs);
        let (kind, text) = match call(args.text("call"), &args) {
            Ok(text) => ("value", text),
            Err(Error::Unknown(text)) => ("unknown", text),
            Err(Error::Invalid(text)) => ("invalid", text),
            Err(Error::Denied(text)) => ("denied", text),
            Err(Error::Unavailable(text)) => ("unavailable", text),
            Err(Error::Limit(text)) => ("limit", text),
        };
        Ok(Reply { success: true, attrs: vec![(kind.to_owned(), text)] })
    }

    fn get(&mut self, name: &str) -> Result<String> {
        Err(Failure::new(name))
    }
}
