//! Accounts of people: who makes them, who gives them roles.
//!
//! Invariant: it takes two to give somebody a power: the system administrator makes accounts and
//! grants no role; the security administrator grants roles and makes no account, nor can bind a
//! certificate or a subject at the identity provider, or reset a password. Nobody changes an account of their own. Every change is an act
//! in the log before it is answered.

mod form;
pub mod view;

use serde::Deserialize;
use time::Date;

pub use form::{NewPerson, OneTime, checked, one_time, outside};

use self::view::{PeoplePage, PersonMade, PersonView};
use super::call::{Call, Known, PersonCaller};
use super::gateway::Gateway;
use super::subject;
use super::trail::Trail;
use crate::base::ids::{AccountId, DepartmentId, Fingerprint};
use crate::base::{Code, Error, Result};
use crate::identity::Role;
use crate::policy::Action;
use crate::store::state::{Change, Changed, NewAccount, Profile};

/// The most accounts on a page.
const PAGE: usize = 200;

/// Which accounts are asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// Of this department.
    pub department: Option<DepartmentId>,
    /// From behind this account: the `next` of the page before.
    pub after: Option<AccountId>,
}

/// The accounts that the caller may see: all, or those of the own department.
///
/// # Errors
/// `forbidden`, `invalid-request`; `audit-unavailable`, `not-ready`.
pub async fn list(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    search: Result<Search>,
) -> Result<PeoplePage> {
    let mut trail = Trail::new("people-read", call);
    let search = match search.and_then(|search| narrowed(gateway, call, search)) {
        Ok(search) => search,
        Err(error) => return Err(gateway.record_failure(&call.caller, trail, error).await),
    };
    let after = search.after.map(|id| id.to_string()).unwrap_or_default();
    let limit = i64::try_from(PAGE).unwrap_or(i64::MAX);
    let department = search.department;
    let found = gateway.with_state(move |state| state.accounts(department.as_ref(), &after, limit)).await?;
    trail.count("found", found.len() as u64);
    gateway.record(trail.end(Code::Ok)).await?;
    let next = found.last().filter(|_| found.len() == PAGE).map(|last| last.account.id.to_string());
    Ok(PeoplePage { people: found.iter().map(PersonView::from).collect(), next })
}

fn narrowed(gateway: &Gateway, call: &Call<PersonCaller>, search: Search) -> Result<Search> {
    let policy = &gateway.world().policy;
    if call.caller.may(policy, Action::PeopleReadAll) {
        Ok(search)
    } else if call.caller.may(policy, Action::PeopleReadOwn) {
        Ok(Search { department: Some(call.caller.department().clone()), ..search })
    } else {
        Err(Code::Forbidden.into())
    }
}

/// One account.
///
/// # Errors
/// `not-found` when there is none, or the caller may not know of it; `audit-unavailable`.
pub async fn view(gateway: &Gateway, call: &Call<PersonCaller>, account: &str) -> Result<PersonView> {
    let mut trail = Trail::new("people-read", call);
    let found = async {
        let search = narrowed(gateway, call, Search::default()).map_err(|_| Code::NotFound)?;
        let profile = find(gateway, account).await?;
        let known = search.department.is_none_or(|own| own == profile.account.department);
        if known { Ok(profile) } else { Err(Error::new(Code::NotFound)) }
    };
    match found.await {
        Ok(profile) => {
            trail.note("account", profile.account.id.as_str());
            gateway.record(trail.end(Code::Ok)).await?;
            Ok(PersonView::from(&profile))
        }
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

/// Makes an account without roles; for the system administrator.
///
/// # Errors
/// `forbidden`, `account-taken`; the faults of the body; `overloaded`, `audit-unavailable`,
/// `not-ready`.
pub async fn make(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<PersonMade> {
    let mut trail = Trail::new("people-change", call);
    match made(gateway, call, body).await {
        Ok(made) => {
            trail.note("command", "make");
            trail.note("account", &made.person.account);
            gateway.in_force().await?;
            gateway.record(trail.end(Code::Ok)).await?;
            Ok(made)
        }
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

async fn made(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    body: Result<impl AsRef<[u8]>>,
) -> Result<PersonMade> {
    permit(gateway, call, &[Action::PeopleManage])?;
    let now = gateway.now();
    let account = checked(subject::read(body?.as_ref())?, &gateway.world().catalogue, now.day())?;
    if account.person == call.caller.account.person {
        return Err(Code::NotSeparate.into());
    }
    let one_time = one_time(&gateway.rng, now)?;
    let kept = gateway.entry.hashing.keep(one_time.password.clone()).await?;
    let (actor, until) = (call.caller.account.id.to_string(), one_time.until);
    let profile = Profile {
        account: account.clone(),
        has_password: false,
        has_code: false,
        keys: vec![],
        outside: None,
    };
    let done = gateway.with_state(move |state| {
        let new = NewAccount { account: &account, password: &kept, until: Some(until), code_secret: None };
        state.make_account(&new, &actor, now)
    });
    outcome(done.await?)?;
    Ok(PersonMade::of(&profile, &one_time))
}

/// Carries out a command on an account.
///
/// # Errors
/// `forbidden`, `not-found`, `not-separate`, `exclusive-roles`, `account-taken`, `wrong-state`; the
/// faults of the body; `overloaded`, `audit-unavailable`, `not-ready`.
pub async fn command(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    account: &str,
    command: &str,
    body: Result<impl AsRef<[u8]>>,
) -> Result<PersonMade> {
    let mut trail = Trail::new("people-change", call);
    match carried_out(gateway, call, &mut trail, account, command, body).await {
        Ok((account, one_time)) => {
            gateway.in_force().await?;
            gateway.record(trail.end(Code::Ok)).await?;
            let profile = find(gateway, account.as_str()).await?;
            Ok(match one_time {
                Some(one_time) => PersonMade::of(&profile, &one_time),
                None => PersonMade::without_password(&profile),
            })
        }
        Err(error) => Err(gateway.record_failure(&call.caller, trail, error).await),
    }
}

async fn carried_out(
    gateway: &Gateway,
    call: &Call<PersonCaller>,
    trail: &mut Trail,
    account: &str,
    command: &str,
    body: Result<impl AsRef<[u8]>>,
) -> Result<(AccountId, Option<OneTime>)> {
    let command = Command::named(command).ok_or(Code::NotFound)?;
    permit(gateway, call, command.actions())?;
    trail.note("command", command.as_str());
    let profile = find(gateway, account).await?;
    let id = profile.account.id.clone();
    trail.note("account", id.as_str());
    if profile.account.person == call.caller.account.person {
        return Err(Code::NotSeparate.into());
    }
    let now = gateway.now();
    let (change, one_time) = match command.change(body?.as_ref(), now.day())? {
        Some(change) => (change, None),
        None => {
            let one_time = one_time(&gateway.rng, now)?;
            let password = gateway.entry.hashing.keep(one_time.password.clone()).await?;
            (Change::ResetPassword { password, until: one_time.until, guarded: true }, Some(one_time))
        }
    };
    let (target, actor) = (id.clone(), call.caller.account.id.to_string());
    let done = gateway.with_state(move |state| state.change_account(&target, &change, &actor, now)).await?;
    outcome(done.ok_or(Code::NotFound)?)?;
    Ok((id, one_time))
}

fn permit(gateway: &Gateway, call: &Call<PersonCaller>, actions: &[Action]) -> Result<()> {
    let policy = &gateway.world().policy;
    let permitted = actions.iter().any(|action| call.caller.may(policy, *action));
    if permitted { Ok(()) } else { Err(Code::Forbidden.into()) }
}

async fn find(gateway: &Gateway, account: &str) -> Result<Profile> {
    let id = AccountId::parse(account).ok_or(Code::NotFound)?;
    let found = gateway.with_state(move |state| state.account(&id)).await?;
    found.ok_or_else(|| Code::NotFound.into())
}

fn outcome(changed: Changed) -> Result<()> {
    match changed {
        Changed::Yes | Changed::Unchanged => Ok(()),
        Changed::Taken => Err(Code::AccountTaken.into()),
        Changed::Exclusive => Err(Code::ExclusiveRoles.into()),
        Changed::HasRoles | Changed::Bound => Err(Code::WrongState.into()),
    }
}

/// What can be done about an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Command {
    GiveRole,
    WithdrawRole,
    Disable,
    Enable,
    ResetPassword,
    ResetTotp,
    BindCertificate,
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
    const ALL: [Command; 9] = [
        Command::GiveRole,
        Command::WithdrawRole,
        Command::Disable,
        Command::Enable,
        Command::ResetPassword,
        Command::ResetTotp,
        Command::BindCertificate,
        Command::BindOidc,
        Command::SetEmail,
    ];

    fn as_str(self) -> &'static str {
        match self {
            Command::GiveRole => "give-role",
            Command::WithdrawRole => "withdraw-role",
            Command::Disable => "disable",
            Command::Enable => "enable",
            Command::ResetPassword => "reset-password",
            Command::ResetTotp => "reset-totp",
            Command::BindCertificate => "bind-certificate",
            Command::BindOidc => "bind-oidc",
            Command::SetEmail => "set-email",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str() == name)
    }

    /// What one of must be permitted. Who resets the password does not reset the code generator:
    /// whoever could do both could be anybody; nor does who gives roles say who signs in.
    fn actions(self) -> &'static [Action] {
        match self {
            Command::GiveRole | Command::WithdrawRole | Command::ResetTotp => &[Action::PeopleRoles],
            Command::Disable => &[Action::PeopleManage, Action::PeopleRoles],
            Command::Enable
            | Command::ResetPassword
            | Command::BindCertificate
            | Command::BindOidc
            | Command::SetEmail => &[Action::PeopleManage],
        }
    }

    /// The change that it comes to; none for a password, which is made first.
    fn change(self, body: &[u8], today: Date) -> Result<Option<Change>> {
        let at = |pointer, fault| Error::at(Code::InvalidRequest, pointer, fault);
        Ok(Some(match self {
            Command::GiveRole | Command::WithdrawRole => {
                let role = Role::parse(&subject::read::<OfRole>(body)?.role);
                // That role is a system's.
                let role = role.filter(|role| *role != Role::CitizenService);
                let role = role.ok_or_else(|| at("/role", Code::NotAllowedValue))?;
                if self == Command::GiveRole { Change::GiveRole(role) } else { Change::WithdrawRole(role) }
            }
            Command::BindCertificate => {
                let key = Fingerprint::parse(&subject::read::<OfKey>(body)?.fingerprint);
                Change::BindCertificate(key.ok_or_else(|| at("/fingerprint", Code::WrongPattern))?)
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
            assert!(command == Command::Disable || manage(command) != grant(command), "{command:?}");
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
