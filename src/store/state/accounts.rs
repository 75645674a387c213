//! Accounts of people: made, changed, read.
//!
//! Invariant: a change, the act that tells of it and the end of the account's sessions are one
//! transaction; and the roles of one person, over all accounts, never hold two duties that exclude
//! each other. Who may change what is not decided here.

use diesel::prelude::*;

use super::account::{Change, Changed, NewAccount, Profile, made_as};
use super::idempotency::Basis;
use super::schema::{account_keys, account_roles, accounts};
use super::{Db, StateError, StateStore, acts, bump, emergency, sessions};
use crate::base::ids::{AccountId, DepartmentId, Fingerprint, PersonId};
use crate::base::{Lang, Timestamp};
use crate::identity::{Account, Outside, Role, role};

/// The most holders of a role that are told of something.
const MOST_HOLDERS: i64 = 200;

/// A row of `accounts`, without credentials.
type Row = (String, String, String, String, Option<String>, String, bool);
/// Whether there is a password, until when it can be used, and the code generator's secret.
type Marks = (Option<String>, Option<i64>, Option<String>);
/// Issuer and subject at the identity provider.
type There = (Option<String>, Option<String>);

impl StateStore {
    /// The account of that id.
    ///
    /// # Errors
    /// When the database cannot be read, or holds what this program cannot.
    pub fn account(&self, id: &AccountId) -> Result<Option<Profile>, StateError> {
        profile(&mut *self.connection()?, id)
    }

    /// All accounts of a natural person.
    ///
    /// # Errors
    /// As for [`StateStore::account`].
    pub fn accounts_of(&self, person: &PersonId) -> Result<Vec<Account>, StateError> {
        let connection = &mut *self.connection()?;
        let own = accounts::table.filter(accounts::person.eq(person.as_str()));
        let ids = own.select(accounts::id).load::<String>(connection)?;
        let ids = ids.iter().filter_map(|id| AccountId::parse(id));
        let found = ids.filter_map(|id| profile(connection, &id).transpose());
        found.map(|found| found.map(|profile| profile.account)).collect()
    }

    /// Accounts that hold the role and may act: of one department, or of any.
    ///
    /// # Errors
    /// As for [`StateStore::account`].
    pub fn holders(&self, role: Role, department: Option<&DepartmentId>) -> Result<Vec<Account>, StateError> {
        let connection = &mut *self.connection()?;
        let mut found = accounts::table
            .inner_join(account_roles::table.on(account_roles::account.eq(accounts::id)))
            .filter(account_roles::role.eq(role.as_str()))
            .filter(accounts::active.eq(true))
            .select(accounts::id)
            .into_boxed();
        if let Some(department) = department {
            found = found.filter(accounts::department.eq(department.as_str()));
        }
        let ids = found.order(accounts::id).limit(MOST_HOLDERS).load::<String>(connection)?;
        let ids = ids.iter().filter_map(|id| AccountId::parse(id));
        let found = ids.filter_map(|id| profile(connection, &id).transpose());
        found.map(|found| found.map(|profile| profile.account)).collect()
    }

    /// Accounts by id, of one department or of all, from behind `after`, at most `limit`.
    ///
    /// # Errors
    /// As for [`StateStore::account`].
    pub fn accounts(
        &self,
        department: Option<&DepartmentId>,
        after: &str,
        limit: i64,
    ) -> Result<Vec<Profile>, StateError> {
        let connection = &mut *self.connection()?;
        let mut found = accounts::table.filter(accounts::id.gt(after)).select(accounts::id).into_boxed();
        if let Some(department) = department {
            found = found.filter(accounts::department.eq(department.as_str()));
        }
        let ids = found.order(accounts::id).limit(limit).load::<String>(connection)?;
        let ids = ids.iter().filter_map(|id| AccountId::parse(id));
        ids.filter_map(|id| profile(connection, &id).transpose()).collect()
    }

    /// Makes an account; `actor` does it: an account, or the user of the operating system.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn make_account(
        &self,
        new: &NewAccount<'_>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Changed, StateError> {
        self.write(|connection| made(connection, new, actor, now))
    }

    /// The same, if nothing changed that it rests on.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn make_account_if(
        &self,
        basis: &Basis<'_>,
        new: &NewAccount<'_>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Changed, StateError> {
        self.write(|connection| {
            if !basis.stands(connection)? {
                return Ok(Changed::Stale);
            }
            let changed = made(connection, new, actor, now)?;
            if changed.is_done() {
                basis.keep_answer(connection, now)?;
            }
            Ok(changed)
        })
    }

    /// Changes an account and ends its sessions; none when there is no such account.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn change_account(
        &self,
        id: &AccountId,
        change: &Change,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<Changed>, StateError> {
        self.write(|connection| changed(connection, id, change, actor, now))
    }

    /// The same, if nothing changed that it rests on.
    ///
    /// # Errors
    /// When the database cannot be written; nothing has changed then.
    pub fn change_account_if(
        &self,
        basis: &Basis<'_>,
        id: &AccountId,
        change: &Change,
        actor: &str,
        now: Timestamp,
    ) -> Result<Option<Changed>, StateError> {
        self.write(|connection| {
            if !basis.stands(connection)? {
                return Ok(Some(Changed::Stale));
            }
            let changed = changed(connection, id, change, actor, now)?;
            if changed.is_some_and(Changed::is_done) {
                basis.keep_answer(connection, now)?;
            }
            Ok(changed)
        })
    }
}

fn made(
    connection: &mut Db,
    new: &NewAccount<'_>,
    actor: &str,
    now: Timestamp,
) -> Result<Changed, StateError> {
    let account = new.account;
    let id = account.id.as_str();
    if profile(connection, &account.id)?.is_some() {
        return Ok(Changed::Taken);
    }
    let roles = [roles_of_person(connection, &account.person)?, account.roles.clone()].concat();
    if role::conflict(&roles).is_some() {
        return Ok(Changed::Exclusive);
    }
    let row = (
        accounts::id.eq(id),
        accounts::person.eq(account.person.as_str()),
        accounts::name.eq(&account.name),
        accounts::department.eq(account.department.as_str()),
        accounts::email.eq(&account.email),
        accounts::lang.eq(account.lang.tag()),
        accounts::active.eq(account.active),
        accounts::password.eq(new.password.reveal()),
        accounts::password_until.eq(new.until.map(Timestamp::micros)),
        accounts::code_secret.eq(new.code_secret),
        accounts::code_step.eq(0),
    );
    diesel::insert_into(accounts::table).values(row).execute(connection)?;
    acts::add(connection, "account-made", id, &made_as(account), now, actor)?;
    for role in &account.roles {
        give(connection, &account.id, *role)?;
        acts::add(connection, "role-granted", id, role.as_str(), now, actor)?;
    }
    bump(connection)?;
    Ok(Changed::Yes)
}

fn changed(
    connection: &mut Db,
    id: &AccountId,
    change: &Change,
    actor: &str,
    now: Timestamp,
) -> Result<Option<Changed>, StateError> {
    let Some(before) = profile(connection, id)? else { return Ok(None) };
    let changed = make(connection, &before, change, now)?;
    if changed == Changed::Yes {
        let (kind, detail) = told(change);
        acts::add(connection, kind, id.as_str(), &detail, now, actor)?;
        if !matches!(change, Change::SetEmail(_)) {
            sessions::end_all(connection, id)?;
        }
        if matches!(change, Change::Disable) {
            emergency::end_all(connection, id.as_str(), actor, now)?;
        }
        bump(connection)?;
    }
    Ok(Some(changed))
}

/// The kind of act, and its detail: names of ours, no person's.
fn told(change: &Change) -> (&'static str, String) {
    match change {
        Change::GiveRole(role) => ("role-granted", role.as_str().to_owned()),
        Change::WithdrawRole(role) => ("role-withdrawn", role.as_str().to_owned()),
        Change::Disable => ("account-disabled", String::new()),
        Change::Enable => ("account-enabled", String::new()),
        Change::ResetPassword { .. } => ("password-reset", String::new()),
        Change::ResetCode => ("code-reset", String::new()),
        Change::BindCertificate(key) => ("certificate-bound", key.to_string()),
        Change::UnbindCertificate(key) => ("certificate-unbound", key.to_string()),
        Change::BindOutside(outside) => ("oidc-bound", outside.digest()),
        Change::SetEmail(_) => ("email-set", String::new()),
    }
}

fn make(
    connection: &mut Db,
    before: &Profile,
    change: &Change,
    now: Timestamp,
) -> Result<Changed, StateError> {
    let account = &before.account;
    let row = accounts::table.find(account.id.as_str());
    match change {
        Change::GiveRole(role) if account.roles.contains(role) => return Ok(Changed::Unchanged),
        Change::GiveRole(role) => {
            let mut roles = roles_of_person(connection, &account.person)?;
            roles.push(*role);
            if role::conflict(&roles).is_some() {
                return Ok(Changed::Exclusive);
            }
            if is_unclaimed(connection, &account.id, now)? {
                return Ok(Changed::Unclaimed);
            }
            give(connection, &account.id, *role)?;
        }
        Change::WithdrawRole(role) if !account.roles.contains(role) => return Ok(Changed::Unchanged),
        Change::WithdrawRole(role) => {
            let row = account_roles::table.find((account.id.as_str(), role.as_str()));
            diesel::delete(row).execute(connection)?;
        }
        Change::Disable | Change::Enable => {
            let active = matches!(change, Change::Enable);
            if account.active == active {
                return Ok(Changed::Unchanged);
            }
            diesel::update(row).set(accounts::active.eq(active)).execute(connection)?;
        }
        Change::ResetPassword { password, until, guarded } => {
            let code = accounts::table.find(account.id.as_str()).select(accounts::code_secret);
            if *guarded && before.has_roles && code.first::<Option<String>>(connection)?.is_none() {
                return Ok(Changed::HasRoles);
            }
            let set = (accounts::password.eq(password.reveal()), accounts::password_until.eq(until.micros()));
            diesel::update(row).set(set).execute(connection)?;
        }
        Change::ResetCode => {
            let none = None::<String>;
            let set = (accounts::code_secret.eq(&none), accounts::code_pending.eq(&none));
            diesel::update(row).set(set).execute(connection)?;
        }
        Change::BindCertificate(key) => return bind(connection, before, *key),
        Change::UnbindCertificate(key) => {
            let text = key.to_string();
            let of_account = account_keys::account.eq(account.id.as_str());
            let bound = account_keys::table.filter(account_keys::fingerprint.eq(&text).and(of_account));
            if diesel::delete(bound).execute(connection)? == 0 {
                return Ok(Changed::Unchanged);
            }
        }
        Change::BindOutside(outside) => return bind_outside(connection, before, outside),
        Change::SetEmail(email) if account.email == *email => return Ok(Changed::Unchanged),
        Change::SetEmail(email) => {
            diesel::update(row).set(accounts::email.eq(email)).execute(connection)?;
        }
    }
    Ok(Changed::Yes)
}

/// Can a one-time password of the account still be used, with no code asked for beside? Whoever made
/// the account, or reset its password, knows that one, and would have the roles that another gives.
fn is_unclaimed(connection: &mut Db, id: &AccountId, now: Timestamp) -> Result<bool, StateError> {
    let open = accounts::table
        .find(id.as_str())
        .filter(accounts::password_until.gt(now.micros()))
        .filter(accounts::code_secret.is_null());
    Ok(open.count().get_result::<i64>(connection)? > 0)
}

fn bind(connection: &mut Db, before: &Profile, key: Fingerprint) -> Result<Changed, StateError> {
    use super::schema::system_keys;
    if before.keys.contains(&key) {
        return Ok(Changed::Unchanged);
    }
    let text = key.to_string();
    // A key that is, or was, a system's is not a person's: its private half is on a machine.
    let of_system = system_keys::table.find(&text).count().get_result::<i64>(connection)?;
    let of_person = account_keys::table.find(&text).count().get_result::<i64>(connection)?;
    if of_system + of_person > 0 {
        return Ok(Changed::Taken);
    }
    if before.has_roles {
        return Ok(Changed::HasRoles);
    }
    let row = (account_keys::fingerprint.eq(&text), account_keys::account.eq(before.account.id.as_str()));
    diesel::insert_into(account_keys::table).values(row).execute(connection)?;
    close_one_time(connection, &before.account.id)?;
    Ok(Changed::Yes)
}

/// Once and for all: whom a subject stands for is not to change under the records that name the account.
fn bind_outside(connection: &mut Db, before: &Profile, outside: &Outside) -> Result<Changed, StateError> {
    match &before.outside {
        Some(bound) if bound == outside => return Ok(Changed::Unchanged),
        Some(_) => return Ok(Changed::Bound),
        None => {}
    }
    if outside_holder(connection, outside)?.is_some() {
        return Ok(Changed::Taken);
    }
    if before.has_roles {
        return Ok(Changed::HasRoles);
    }
    let row = accounts::table.find(before.account.id.as_str());
    let set = (accounts::oidc_issuer.eq(outside.issuer()), accounts::oidc_subject.eq(outside.subject()));
    diesel::update(row).set(set).execute(connection)?;
    close_one_time(connection, &before.account.id)?;
    Ok(Changed::Yes)
}

/// Takes a one-time password away: there is another way in now, and whoever made the account knows it.
fn close_one_time(connection: &mut Db, id: &AccountId) -> Result<(), StateError> {
    let open = accounts::table.find(id.as_str()).filter(accounts::password_until.is_not_null());
    let none = (accounts::password.eq(None::<String>), accounts::password_until.eq(None::<i64>));
    diesel::update(open).set(none).execute(connection)?;
    Ok(())
}

/// The account that is bound to this subject.
pub(super) fn outside_holder(connection: &mut Db, outside: &Outside) -> Result<Option<String>, StateError> {
    let there = accounts::oidc_issuer.eq(outside.issuer()).and(accounts::oidc_subject.eq(outside.subject()));
    Ok(accounts::table.filter(there).select(accounts::id).first(connection).optional()?)
}

fn give(connection: &mut Db, id: &AccountId, role: Role) -> Result<(), StateError> {
    let row = (account_roles::account.eq(id.as_str()), account_roles::role.eq(role.as_str()));
    diesel::insert_into(account_roles::table).values(row).execute(connection)?;
    Ok(())
}

/// The roles of all accounts of a person, disabled ones too: they can be enabled. What a role that a
/// newer program has given excludes cannot be said here, so that such a person is given none.
fn roles_of_person(connection: &mut Db, person: &PersonId) -> Result<Vec<Role>, StateError> {
    let of_person = accounts::table.filter(accounts::person.eq(person.as_str())).select(accounts::id);
    let names = account_roles::table.filter(account_roles::account.eq_any(of_person));
    let names: Vec<String> = names.select(account_roles::role).load(connection)?;
    let roles = names.iter().map(|name| Role::parse(name));
    roles.collect::<Option<_>>().ok_or_else(|| StateError::new("account_roles holds an unknown role"))
}

/// The account of that id, as this transaction sees it.
pub(super) fn profile(connection: &mut Db, id: &AccountId) -> Result<Option<Profile>, StateError> {
    let row = accounts::table.find(id.as_str()).select((
        (
            accounts::id,
            accounts::person,
            accounts::name,
            accounts::department,
            accounts::email,
            accounts::lang,
            accounts::active,
        ),
        (accounts::password, accounts::password_until, accounts::code_secret),
        (accounts::oidc_issuer, accounts::oidc_subject),
    ));
    let Some((row, marks, there)) = row.first::<(Row, Marks, There)>(connection).optional()? else {
        return Ok(None);
    };
    let roles = account_roles::table.filter(account_roles::account.eq(id.as_str()));
    let roles: Vec<String> = roles.order(account_roles::role).select(account_roles::role).load(connection)?;
    let known = roles.iter().filter_map(|name| Role::parse(name)).collect();
    let keys = account_keys::table.filter(account_keys::account.eq(id.as_str()));
    let keys = keys.select(account_keys::fingerprint).load::<String>(connection)?;
    let malformed = || StateError::new("accounts holds a malformed row");
    let keys: Option<Vec<_>> = keys.iter().map(|key| Fingerprint::parse(key)).collect();
    Ok(Some(Profile {
        account: account(row, known).ok_or_else(malformed)?,
        has_roles: !roles.is_empty(),
        has_password: marks.0.is_some() && marks.1.is_none(),
        has_code: marks.2.is_some(),
        keys: keys.ok_or_else(malformed)?,
        outside: match there {
            (Some(issuer), Some(subject)) => Some(Outside::new(&issuer, &subject).ok_or_else(malformed)?),
            _ => None,
        },
    }))
}

fn account((id, person, name, department, email, lang, active): Row, roles: Vec<Role>) -> Option<Account> {
    Some(Account {
        id: AccountId::parse(&id)?,
        person: PersonId::parse(&person)?,
        name,
        department: DepartmentId::parse(&department)?,
        roles,
        email,
        lang: [Lang::Zh, Lang::En].into_iter().find(|known| known.tag() == lang)?,
        active,
    })
}
