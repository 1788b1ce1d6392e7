//! What is sent.

use std::sync::{Arc, OnceLock};

use login::{CustomArgs, Login};

/// A datagram on its way to several sinks, written once somebody sends it.
#[derive(Debug)]
pub struct Message {
    what: What,
    json: OnceLock<Vec<u8>>,
}

#[derive(Debug)]
enum What {
    Report(Arc<Login>),
    Custom(Arc<CustomArgs>),
}

impl Message {
    pub(super) fn report(login: Arc<Login>) -> Message {
        Message { what: What::Report(login), json: OnceLock::new() }
    }

    pub(super) fn custom(args: Arc<CustomArgs>) -> Message {
        Message { what: What::Custom(args), json: OnceLock::new() }
    }

    /// The datagram's bytes.
    pub fn bytes(&self) -> &[u8] {
        self.json.get_or_init(|| {
            let mut out = Vec::with_capacity(512);
            match &self.what {
                What::Report(login) => login.write_json(&mut out),
                What::Custom(args) => args.write_json(&mut out),
            }
            out
        })
    }
}
