//! What somebody wants to do to an application.

use serde::{Deserialize, Serialize};

use super::event::{LeftOut, Missing};
use super::terms::Terms;
use crate::base::ids::AccountId;
use crate::identity::Role;

/// A command. Its name in the interface is the last segment of its path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// Write the terms anew, while it is a draft or was returned.
    Revise {
        /// The new terms.
        terms: Terms,
    },
    /// Hand it in.
    Submit,
    /// As the requester's sharing lead: let it go to the provider.
    Consent,
    /// As the requester's sharing lead: do not, or do not take the offer.
    Decline {
        /// Why.
        note: String,
    },
    /// Vote for it.
    Approve {
        /// Fields to leave out.
        #[serde(default)]
        without: Vec<LeftOut>,
    },
    /// Send it back, once, with everything that is missing.
    Return {
        /// What is missing.
        missing: Vec<Missing>,
    },
    /// Refuse it.
    Refuse {
        /// The code of the reason.
        reason: String,
        /// The law that is cited.
        basis: String,
        /// In words.
        note: String,
    },
    /// As the provider's sharing lead, whose vote is the last that is missing: offer less.
    Counter {
        /// The terms that are offered.
        terms: Terms,
    },
    /// Take the offer, and with it the terms of use.
    Accept,
    /// As the provider: ask for more time.
    Extend {
        /// Working days.
        days: u16,
        /// Why.
        note: String,
    },
    /// As the supervising department: allow it.
    GrantExtension,
    /// As the supervising department: do not.
    RefuseExtension {
        /// Why.
        note: String,
    },
    /// Say something.
    Comment {
        /// What.
        text: String,
    },
    /// Take it back.
    Withdraw,
    /// Stop the grant for the time being.
    Suspend {
        /// Why.
        note: String,
    },
    /// Have it in force again; the second person who says so makes it so.
    Resume,
    /// End the grant, as its owner.
    Revoke {
        /// Why.
        note: String,
    },
    /// End the grant, as who has it.
    Close,
    /// A clock ran out: only the timers say this.
    Fire {
        /// Which.
        timer: TimerKind,
    },
}

/// Which command it is, without what goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs, reason = "each is a command, documented there")]
pub enum Kind {
    Revise,
    Submit,
    Consent,
    Decline,
    Approve,
    Return,
    Refuse,
    Counter,
    Accept,
    Extend,
    GrantExtension,
    RefuseExtension,
    Comment,
    Withdraw,
    Suspend,
    Resume,
    Revoke,
    Close,
    Fire,
}

impl Kind {
    /// Every command that a person may give, in the order of an application's life.
    pub const OF_PEOPLE: [Kind; 18] = [
        Kind::Revise,
        Kind::Submit,
        Kind::Consent,
        Kind::Decline,
        Kind::Approve,
        Kind::Return,
        Kind::Refuse,
        Kind::Counter,
        Kind::Extend,
        Kind::GrantExtension,
        Kind::RefuseExtension,
        Kind::Accept,
        Kind::Suspend,
        Kind::Resume,
        Kind::Revoke,
        Kind::Close,
        Kind::Withdraw,
        Kind::Comment,
    ];

    /// Its name in the interface.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Revise => "revise",
            Kind::Submit => "submit",
            Kind::Consent => "consent",
            Kind::Decline => "decline",
            Kind::Approve => "approve",
            Kind::Return => "return",
            Kind::Refuse => "refuse",
            Kind::Counter => "counter",
            Kind::Accept => "accept",
            Kind::Extend => "extend",
            Kind::GrantExtension => "grant-extension",
            Kind::RefuseExtension => "refuse-extension",
            Kind::Comment => "comment",
            Kind::Withdraw => "withdraw",
            Kind::Suspend => "suspend",
            Kind::Resume => "resume",
            Kind::Revoke => "revoke",
            Kind::Close => "close",
            Kind::Fire => "fire",
        }
    }
}

impl Command {
    /// Which command it is.
    pub fn kind(&self) -> Kind {
        match self {
            Command::Revise { .. } => Kind::Revise,
            Command::Submit => Kind::Submit,
            Command::Consent => Kind::Consent,
            Command::Decline { .. } => Kind::Decline,
            Command::Approve { .. } => Kind::Approve,
            Command::Return { .. } => Kind::Return,
            Command::Refuse { .. } => Kind::Refuse,
            Command::Counter { .. } => Kind::Counter,
            Command::Accept => Kind::Accept,
            Command::Extend { .. } => Kind::Extend,
            Command::GrantExtension => Kind::GrantExtension,
            Command::RefuseExtension { .. } => Kind::RefuseExtension,
            Command::Comment { .. } => Kind::Comment,
            Command::Withdraw => Kind::Withdraw,
            Command::Suspend { .. } => Kind::Suspend,
            Command::Resume => Kind::Resume,
            Command::Revoke { .. } => Kind::Revoke,
            Command::Close => Kind::Close,
            Command::Fire { .. } => Kind::Fire,
        }
    }
}

/// What a clock that runs out is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TimerKind {
    /// A deadline comes near.
    Remind,
    /// A deadline is over.
    Overdue,
    /// Nobody went on with it.
    Lapse,
    /// The grant's last day is over.
    Expire,
    /// The grant ends in 30 days.
    OfferRenewal,
    /// The calendar of a year may have been published.
    Recompute,
}

impl TimerKind {
    /// Every kind.
    pub const ALL: [TimerKind; 6] = [
        TimerKind::Remind,
        TimerKind::Overdue,
        TimerKind::Lapse,
        TimerKind::Expire,
        TimerKind::OfferRenewal,
        TimerKind::Recompute,
    ];
}

/// Who gives a command, and as whom.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct As {
    /// In which role; where none is named, the one that the command needs.
    #[serde(default)]
    pub role: Option<Role>,
    /// For which account, by its delegation.
    #[serde(default)]
    pub for_account: Option<AccountId>,
}
