//! Notices: that something happened, for somebody.
//!
//! Invariant: a notice is made of ids, codes and days. There is no member in which a value, an
//! identifier of a subject, or anything that a person typed could travel.

use serde::{Deserialize, Serialize};
use time::Date;

use crate::base::ids::{AccountId, ApplicationId, DatasetId, DepartmentId};
use crate::identity::Role;

/// That something happened, for somebody.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Notice {
    /// For whom.
    pub recipient: Recipient,
    /// What happened.
    pub kind: Kind,
    /// The application or the emergency access, by its id.
    pub object: ApplicationId,
    /// Particulars.
    pub about: About,
}

/// For whom a notice is.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Recipient {
    /// One account.
    Account(AccountId),
    /// Whoever holds the role in the department when the letter is written.
    Role(Role, DepartmentId),
    /// Whoever holds the role, in whatever department: a role of the operator.
    Office(Role),
    /// The department's own program, by its webhook.
    Department(DepartmentId),
}

/// Particulars of a notice. What a newer program adds to them is passed over.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct About {
    /// The number of events that the object then had.
    pub version: u32,
    /// The dataset.
    pub dataset: DatasetId,
    /// The department that asks.
    pub requester: DepartmentId,
    /// The department that owns the dataset.
    pub provider: DepartmentId,
    /// The day by which something is to be done, in Asia/Shanghai.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Date>,
}

/// When a notice is told of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Urgency {
    /// At once, in a letter of its own.
    Immediate,
    /// In the one letter of the day.
    Digest,
}

impl Urgency {
    /// The name in the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Urgency::Immediate => "immediate",
            Urgency::Digest => "digest",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident $text:literal $urgency:ident,)+) => {
        /// What happened.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $name,)+ }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Kind] = &[$(Kind::$name,)+];

            /// The name in the database and in webhooks: it never changes its meaning.
            pub fn as_str(self) -> &'static str {
                match self { $(Kind::$name => $text,)+ }
            }

            /// When people are told.
            pub fn urgency(self) -> Urgency {
                match self { $(Kind::$name => Urgency::$urgency,)+ }
            }
        }
    };
}

kinds! {
    /// It waits for the consent of the requester's sharing lead.
    ConsentNeeded "consent-needed" Immediate,
    /// It waits for a vote.
    VoteNeeded "vote-needed" Immediate,
    /// An offer waits to be accepted.
    AcceptanceNeeded "acceptance-needed" Immediate,
    /// More time was asked for: it waits for the consent of the coordinator.
    ExtensionNeeded "extension-needed" Immediate,
    /// A second person must agree that a grant is resumed.
    ResumeNeeded "resume-needed" Immediate,
    /// The requester's own sharing lead did not consent.
    NotConsented "not-consented" Immediate,
    /// It was sent back for what is missing.
    Returned "returned" Immediate,
    /// It was refused.
    Refused "refused" Immediate,
    /// A deadline passed without an answer.
    Overdue "overdue" Immediate,
    /// A grant is stopped for the time being.
    Suspended "suspended" Immediate,
    /// A grant was ended by the owner.
    Revoked "revoked" Immediate,
    /// Emergency access was opened.
    EmergencyOpened "emergency-opened" Immediate,
    /// Emergency access waits for its review.
    EmergencyReviewNeeded "emergency-review-needed" Immediate,
    /// An enrolment for emergency access was suspended, for want of a review or for misuse.
    EnrolmentSuspended "enrolment-suspended" Immediate,
    /// It went to the provider.
    Consented "consented" Digest,
    /// A vote was cast for it.
    Approved "approved" Digest,
    /// Every vote was cast: an offer was made.
    Offered "offered" Digest,
    /// The offer was accepted: a grant is in force.
    InForce "in-force" Digest,
    /// The offer was declined.
    OfferDeclined "offer-declined" Digest,
    /// More time was asked for.
    ExtensionAsked "extension-asked" Digest,
    /// More time was allowed.
    ExtensionGranted "extension-granted" Digest,
    /// More time was not allowed.
    ExtensionRefused "extension-refused" Digest,
    /// Somebody commented.
    Commented "commented" Digest,
    /// A grant is in force again.
    Resumed "resumed" Digest,
    /// A grant was ended by the requester.
    Closed "closed" Digest,
    /// A grant ended by its last day.
    Expired "expired" Digest,
    /// It was taken back.
    Withdrawn "withdrawn" Digest,
    /// Nobody went on with it in time.
    Lapsed "lapsed" Digest,
    /// A deadline comes near.
    Reminded "reminded" Digest,
    /// A deadline was worked out anew.
    Recomputed "recomputed" Digest,
    /// A renewal may be applied for.
    RenewalOffered "renewal-offered" Digest,
    /// It is late: for the coordinator's list.
    Late "late" Digest,
}

impl Kind {
    /// Parses the name.
    pub fn parse(name: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.as_str() == name)
    }
}

impl Notice {
    /// When it is told of: a department's program can take everything at once.
    pub fn urgency(&self) -> Urgency {
        match self.recipient {
            Recipient::Department(_) => Urgency::Immediate,
            _ => self.kind.urgency(),
        }
    }
}

impl Recipient {
    /// As the database has it. The role stands first: an id may hold a colon, a role does not.
    pub(super) fn to_text(&self) -> String {
        match self {
            Recipient::Account(account) => format!("account:{account}"),
            Recipient::Role(role, department) => format!("role:{}:{department}", role.as_str()),
            Recipient::Office(role) => format!("office:{}", role.as_str()),
            Recipient::Department(department) => format!("department:{department}"),
        }
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let (what, rest) = text.split_once(':')?;
        match what {
            "account" => AccountId::parse(rest).map(Recipient::Account),
            "role" => {
                let (role, department) = rest.split_once(':')?;
                Some(Recipient::Role(Role::parse(role)?, DepartmentId::parse(department)?))
            }
            "office" => Role::parse(rest).map(Recipient::Office),
            "department" => DepartmentId::parse(rest).map(Recipient::Department),
            _ => None,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_known_by_its_name() {
        assert!(Kind::ALL.iter().all(|kind| Kind::parse(kind.as_str()) == Some(*kind)));
    }

    #[test]
    fn a_recipient_survives_the_database_even_with_colons_in_its_ids() {
        let department = DepartmentId::parse("a:b").unwrap();
        for recipient in [
            Recipient::Account(AccountId::parse("civil:zhang").unwrap()),
            Recipient::Role(Role::SharingLead, department.clone()),
            Recipient::Office(Role::Coordinator),
            Recipient::Department(department),
        ] {
            assert_eq!(Recipient::parse(&recipient.to_text()), Some(recipient));
        }
        for bad in ["", "account", "account:", "role:civil", "role:king:civil", "office:king", "x:y"] {
            assert_eq!(Recipient::parse(bad), None, "{bad}");
        }
    }
}
