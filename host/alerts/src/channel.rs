//! The ways to tell somebody.

mod block;
mod mail;

use std::sync::Arc;

pub(crate) use block::Blocker;
pub(crate) use mail::Mailer;

use crate::story::Story;
use crate::templates::Audience;

/// Why an attempt failed.
#[derive(Debug)]
pub(crate) struct Failed {
    pub(crate) why: String,
    /// Whether another attempt may fare better.
    pub(crate) again: bool,
}

impl Failed {
    pub(crate) fn for_good(why: impl Into<String>) -> Failed {
        Failed { why: why.into(), again: false }
    }

    pub(crate) fn for_now(why: impl Into<String>) -> Failed {
        Failed { why: why.into(), again: true }
    }
}

/// One way.
pub(crate) enum Channel {
    /// By mail.
    Mail(Arc<Mailer>, Audience),
    /// By a custom webhook of this name, which has a queue and attempts of its own.
    Webhook(String),
    /// By an entry on a blacklist.
    Block(Box<Blocker>),
}

impl Channel {
    /// What is told here waits for the report store to say more.
    pub(crate) fn wants_report(&self) -> bool {
        !matches!(self, Channel::Block(_))
    }

    /// Whether this telling may carry the link of "was this you?": to the user alone.
    pub(crate) fn is_for_user(&self) -> bool {
        matches!(self, Channel::Mail(_, Audience::User))
    }

    /// For the log: what would be done.
    pub(crate) fn plan(&self, story: &Story) -> Result<String, Failed> {
        match self {
            Channel::Mail(mailer, audience) => {
                let mail = mailer.write(story, *audience)?;
                Ok(format!("mail to {}", Mailer::recipients_of(&mail)))
            }
            Channel::Webhook(name) => Ok(format!("webhook {name}")),
            Channel::Block(blocker) => {
                let (what, seconds) = blocker.entry(story)?;
                Ok(format!("block {what} for {seconds} s at {}", blocker.shown()))
            }
        }
    }
}
