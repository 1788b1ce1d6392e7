//! The answer to an `allow` request.

use bstr::BString;

use crate::attrs::{Attrs, write_attrs};
use crate::json::ObjectWriter;

/// What a policy or a list says about a login. The default lets it go on.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct Decision {
    /// Below 0: deny. 0: allow. Above 0: the client shall wait that many seconds.
    pub status: i32,
    /// What the user may be told.
    pub msg: BString,
    /// What the log line says; not in the answer.
    pub log: BString,
    /// Attributes for the client.
    pub attrs: Attrs,
}

impl Decision {
    /// Appends `{"msg": ..., "r_attrs": {...}, "status": ...}`.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        let mut object = ObjectWriter::new(out);
        self.write_members(&mut object);
        object.finish();
    }

    /// Writes its members into an object that the caller may have begun with keys below `msg`.
    pub fn write_members(&self, object: &mut ObjectWriter<'_>) {
        object.str(b"msg", &self.msg);
        write_attrs(object.member(b"r_attrs"), &self.attrs);
        object.int(b"status", i64::from(self.status));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(decision: &Decision) -> String {
        let mut out = Vec::new();
        decision.write_json(&mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    #[test]
    fn default_lets_the_login_go_on() {
        assert_eq!(json(&Decision::default()), r#"{"msg": "", "r_attrs": {}, "status": 0}"#);
    }

    #[test]
    fn log_message_stays_inside() {
        let decision = Decision {
            status: -1,
            msg: "no \"way\"".into(),
            log: "internal".into(),
            attrs: vec![("a".into(), "1".into()), ("b".into(), "x".into())],
        };
        assert_eq!(
            json(&decision),
            r#"{"msg": "no \"way\"", "r_attrs": {"a": "1", "b": "x"}, "status": -1}"#
        );
    }
}
