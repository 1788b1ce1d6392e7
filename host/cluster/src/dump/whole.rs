//! Whether a dump came to its end: a connection that breaks early looks like one that ends.

use super::repair::{NoDump, Repair};

/// Looks at a dump that is passed on as it is.
#[derive(Debug)]
pub(super) enum Whole {
    /// JSON.
    Json(Braces),
    /// What wforce writes; none once it was not understood, which is then for whoever reads it to judge.
    Old(Option<Repair>),
}

#[derive(Debug, Default)]
pub(super) struct Braces {
    open: u64,
    begun: bool,
    in_text: bool,
    escaped: bool,
}

impl Whole {
    pub(super) fn read(&mut self, bytes: &[u8]) {
        match self {
            Whole::Json(braces) => bytes.iter().for_each(|byte| braces.next(*byte)),
            Whole::Old(old) => {
                if let Some(repair) = old
                    && repair.read(bytes, &mut Vec::new()).is_err()
                {
                    *old = None;
                }
            }
        }
    }

    /// Nothing more comes.
    pub(super) fn finish(&self) -> Result<(), NoDump> {
        match self {
            Whole::Json(Braces { open: 0, begun: true, .. }) | Whole::Old(None) => Ok(()),
            Whole::Json(_) => Err(NoDump::Incomplete),
            Whole::Old(Some(repair)) => repair.finish(),
        }
    }
}

impl Braces {
    fn next(&mut self, byte: u8) {
        match byte {
            _ if self.escaped => self.escaped = false,
            b'\\' if self.in_text => self.escaped = true,
            b'"' => self.in_text = !self.in_text,
            b'{' if !self.in_text => {
                self.open += 1;
                self.begun = true;
            }
            b'}' if !self.in_text => self.open = self.open.saturating_sub(1),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(mut of: Whole, text: &str) -> bool {
        text.as_bytes().chunks(3).for_each(|piece| of.read(piece));
        of.finish().is_ok()
    }

    #[test]
    fn every_cut_is_noticed() {
        let json = r#"{"db": {"k": {"i": [7, 0]}, "\"}}q\\": {"i": [7, 0]}}, "sh": {}}"#;
        let old = r#"{"db": {"k": {"i": [7, 0]},"}q": {"i": [7, 0]}}"sh": {}}"#;
        assert!(whole(Whole::Json(Braces::default()), json) && whole(Whole::Json(Braces::default()), "{}"));
        assert!(whole(Whole::Old(Some(Repair::default())), old));
        for end in 0..json.len() {
            assert!(!whole(Whole::Json(Braces::default()), &json[..end]), "{}", &json[..end]);
        }
        for end in 0..old.len() {
            assert!(!whole(Whole::Old(Some(Repair::default())), &old[..end]), "{}", &old[..end]);
        }
        assert!(whole(Whole::Old(Some(Repair::default())), "something else"));
    }
}
