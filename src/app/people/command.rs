//! What can be done about an account, by whom, and what it takes.
//!
//! Invariant: no command of those that give a power is permitted by what permits those that say who
//! somebody is.

use serde::Deserialize;
use time::Date;

use super::form;
use crate::app::subject;
use crate::base::ids::Fingerprint;
use crate::base::{Code, Error, Result};
use crate::identity::Role;
use crate::policy::Action;
use crate::store::state::{Change, Profile};

/// What can be done about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Command {
    GiveRole,
    WithdrawRole,
    Disable,
    Enable,
    ResetPassword,
    ResetTotp,
    BindCertificate,
    UnbindCertificate,
    BindOidc,
    SetEmail,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfRole {
    role: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfKey {
    fingerprint: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfOutside {
    issuer: String,
    subject: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfEmail {
    email: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Command {
    const ALL: [Command; 10] = [
        Command::GiveRole,
        Command::WithdrawRole,
        Command::Disable,
        Command::Enable,
        Command::ResetPassword,
        Command::ResetTotp,
        Command::BindCertificate,
        Command::UnbindCertificate,
        Command::BindOidc,
        Command::SetEmail,
    ];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Command::GiveRole => "give-role",
            Command::WithdrawRole => "withdraw-role",
            Command::Disable => "disable",
            Command::Enable => "enable",
            Command::ResetPassword => "reset-password",
            Command::ResetTotp => "reset-totp",
            Command::BindCertificate => "bind-certificate",
            Command::UnbindCertificate => "unbind-certificate",
            Command::BindOidc => "bind-oidc",
            Command::SetEmail => "set-email",
        }
    }

    pub(super) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str() == name)
    }

    /// What one of must be permitted. Who resets the password does not reset the code generator:
    /// whoever could do both could be anybody; nor does who gives roles say who signs in.
    pub(super) fn actions(self) -> &'static [Action] {
        match self {
            Command::GiveRole | Command::WithdrawRole | Command::ResetTotp => &[Action::PeopleRoles],
            Command::Disable | Command::Enable | Command::UnbindCertificate => {
                &[Action::PeopleManage, Action::PeopleRoles]
            }
            Command::ResetPassword | Command::BindCertificate | Command::BindOidc | Command::SetEmail => {
                &[Action::PeopleManage]
            }
        }
    }

    /// What one of must be permitted for that account: to put one back in force is to give what it
    /// has.
    pub(super) fn actions_on(self, profile: &Profile) -> &'static [Action] {
        match self {
            Command::Enable if !profile.has_roles => &[Action::PeopleManage],
            Command::Enable => &[Action::PeopleRoles],
            _ => self.actions(),
        }
    }

    /// The change that it comes to; none for a password, which is made first.
    pub(super) fn change(self, body: &[u8], today: Date) -> Result<Option<Change>> {
        let at = |pointer, fault| Error::at(Code::InvalidRequest, pointer, fault);
        Ok(Some(match self {
            Command::GiveRole | Command::WithdrawRole => {
                let role = Role::parse(&subject::read::<OfRole>(body)?.role);
                // That role is a system's.
                let role = role.filter(|role| *role != Role::CitizenService);
                let role = role.ok_or_else(|| at("/role", Code::NotAllowedValue))?;
                if self == Command::GiveRole { Change::GiveRole(role) } else { Change::WithdrawRole(role) }
            }
            Command::BindCertificate | Command::UnbindCertificate => {
                let key = Fingerprint::parse(&subject::read::<OfKey>(body)?.fingerprint);
                let key = key.ok_or_else(|| at("/fingerprint", Code::WrongPattern))?;
                match self {
                    Command::BindCertificate => Change::BindCertificate(key),
                    _ => Change::UnbindCertificate(key),
                }
            }
            Command::BindOidc => {
                let OfOutside { issuer, subject } = subject::read(body)?;
                Change::BindOutside(form::outside(&issuer, &subject, today)?)
            }
            Command::SetEmail => {
                let email = subject::read::<OfEmail>(body)?.email;
                form::check_email(email.as_deref())?;
                Change::SetEmail(email)
            }
            Command::Disable | Command::Enable | Command::ResetTotp | Command::ResetPassword => {
                let Nothing {} = subject::read(body)?;
                match self {
                    Command::Disable => Change::Disable,
                    Command::Enable => Change::Enable,
                    Command::ResetTotp => Change::ResetCode,
                    _ => return Ok(None),
                }
            }
        }))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use time::macros::date;

    use super::*;

    const TODAY: Date = date!(2026 - 11 - 22);

    #[test]
    fn who_makes_accounts_can_give_no_power_and_who_gives_it_cannot_become_another() {
        let manage = |command: Command| command.actions().contains(&Action::PeopleManage);
        let grant = |command: Command| command.actions().contains(&Action::PeopleRoles);
        for command in Command::ALL {
            let takes_away = [Command::Disable, Command::UnbindCertificate].contains(&command);
            let by_roles = command == Command::Enable;
            assert!(takes_away || by_roles || manage(command) != grant(command), "{command:?}");
        }
        assert!(grant(Command::GiveRole) && manage(Command::ResetPassword) && grant(Command::ResetTotp));
    }

    #[test]
    fn a_command_takes_its_own_members_and_no_others() {
        let fault =
            |command: Command, body: &str| command.change(body.as_bytes(), TODAY).err().map(|e| e.code);
        assert_eq!(fault(Command::Disable, "{}"), None);
        assert_eq!(fault(Command::Disable, r#"{"role":"leader"}"#), Some(Code::InvalidRequest));
        assert_eq!(fault(Command::GiveRole, r#"{"role":"leader"}"#), None);
        assert_eq!(fault(Command::GiveRole, r#"{"role":"citizen_service"}"#), Some(Code::InvalidRequest));
        let there = |issuer: &str, subject: &str| format!(r#"{{"issuer":"{issuer}","subject":"{subject}"}}"#);
        assert_eq!(fault(Command::BindOidc, &there("https://id.example", "a1b2")), None);
        for (issuer, subject) in [
            ("http://id.example", "a1b2"),
            ("https://id.example", ""),
            ("https://id.example", "11010519491231002X"),
        ] {
            assert_eq!(fault(Command::BindOidc, &there(issuer, subject)), Some(Code::InvalidRequest));
        }
        assert_eq!(fault(Command::SetEmail, r#"{"email":"a@b"}"#), None);
        assert_eq!(fault(Command::SetEmail, r#"{"email":"a b@c"}"#), Some(Code::InvalidRequest));
    }
}
