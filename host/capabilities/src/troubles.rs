//! What does not work although the daemon serves: told to probes beside their answer, which stays the same. A daemon that
//! decides logins must not be taken out of service because its disk is full.

use std::collections::BTreeMap;

use parking_lot::RwLock;

/// By name of what does not work. Texts are for whoever may ask without a password: no paths, nothing of users.
#[derive(Debug, Default)]
pub struct Troubles(RwLock<BTreeMap<&'static str, String>>);

impl Troubles {
    /// `what` does not work.
    pub fn set(&self, what: &'static str, text: impl Into<String>) {
        self.0.write().insert(what, text.into());
    }

    /// `what` works. Whether it did not before.
    pub fn over(&self, what: &'static str) -> bool {
        self.0.write().remove(what).is_some()
    }

    /// All of it in one line; `None` if everything works.
    pub fn told(&self) -> Option<String> {
        let troubles = self.0.read();
        (!troubles.is_empty()).then(|| {
            troubles.iter().map(|(what, text)| format!("{what}: {text}")).collect::<Vec<_>>().join("; ")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_works_again_is_told_no_longer() {
        let troubles = Troubles::default();
        assert_eq!(troubles.told(), None);
        troubles.set("state", "full");
        troubles.set("reports", "gone");
        troubles.set("state", "fuller");
        assert_eq!(troubles.told().as_deref(), Some("reports: gone; state: fuller"));
        assert!(troubles.over("reports") && !troubles.over("reports"));
        assert_eq!(troubles.told().as_deref(), Some("state: fuller"));
    }
}
