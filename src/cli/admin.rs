//! `sluice admin`: the first administrators, and the way back in for one who is locked out.
//!
//! It writes the state database, beside a gateway that runs or none; the act stands in the log, by
//! the user of the operating system, before it is in force.

use std::path::PathBuf;
use std::process::ExitCode;

use ring::rand::SystemRandom;

use crate::app::keys::Keys;
use crate::app::people::{self, NewPerson, OneTime};
use crate::app::sealing::CredentialKey;
use crate::app::session::own::ISSUER;
use crate::app::{apply, world};
use crate::base::ids::{AccountId, Fingerprint};
use crate::base::{Clock, Lang, Secret, SystemClock};
use crate::config::Config;
use crate::identity::{CodeSecret, Role, password};
use crate::store::state::{Change, Changed, NewAccount, machine_user};
use crate::web::tls;

const NO_RANDOMNESS: &str = "the machine gives no randomness";

/// What to do about an account.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Make an account with a one-time password and a code generator, which are printed once
    Create {
        #[command(flatten)]
        of: Of,
        /// The personnel number of the person: no number of an identity card
        #[arg(long)]
        person: String,
        /// How the person is called
        #[arg(long)]
        name: String,
        /// A department of the catalogue
        #[arg(long)]
        department: String,
        /// One of the three duties that exclude each other
        #[arg(long, value_parser = ["system_admin", "security_admin", "auditor"])]
        role: Option<String>,
    },
    /// Give an account a one-time password, and forget its code generator
    Reset {
        #[command(flatten)]
        of: Of,
    },
    /// Have an account sign in with a certificate; while it has no roles
    BindCertificate {
        #[command(flatten)]
        of: Of,
        /// The certificate, in PEM
        #[arg(long)]
        certificate: PathBuf,
    },
    /// Have an account sign in with a certificate no longer: its sessions end at once
    UnbindCertificate {
        #[command(flatten)]
        of: Of,
        /// The SHA-256 of the certificate's public key, in hex, as the account shows it
        #[arg(long)]
        fingerprint: String,
    },
    /// Have an account sign in at the identity provider of `[oidc]`; while it has no roles
    BindOidc {
        #[command(flatten)]
        of: Of,
        /// Who the person is there: the `sub` of its tokens
        #[arg(long)]
        subject: String,
    },
    /// Stop an account: its sessions end at once
    Disable {
        #[command(flatten)]
        of: Of,
    },
}

/// Which account, of which gateway.
#[derive(clap::Args)]
pub(super) struct Of {
    /// The gateway's configuration
    #[arg(long, short)]
    config: PathBuf,
    /// The account: the name to sign in with
    #[arg(long)]
    account: String,
}

pub(super) fn run(command: &Command) -> ExitCode {
    let done = match command {
        Command::Create { of, person, name, department, role } => create(of, person, name, department, role),
        Command::Reset { of } => reset(of),
        Command::BindCertificate { of, certificate } => bind(of, certificate),
        Command::UnbindCertificate { of, fingerprint } => unbind(of, fingerprint),
        Command::BindOidc { of, subject } => bind_outside(of, subject),
        Command::Disable { of } => change(of, &Change::Disable).map(|()| "it is disabled".to_owned()),
    };
    match done {
        Ok(said) => {
            println!("{said}");
            ExitCode::SUCCESS
        }
        Err(why) => super::fail(why),
    }
}

fn create(
    of: &Of,
    person: &str,
    name: &str,
    department: &str,
    role: &Option<String>,
) -> Result<String, String> {
    let config = Config::read(&of.config).map_err(text)?;
    let sources = apply::read_sources(&config.gateway.catalogue_dir).map_err(text)?;
    let catalogue = world::check(&sources).map_err(text)?.catalogue;
    let (rng, now) = (SystemRandom::new(), SystemClock.now());
    let new = NewPerson {
        account: of.account.clone(),
        person: person.to_owned(),
        name: name.to_owned(),
        department: department.to_owned(),
        email: None,
        lang: Lang::default(),
    };
    let mut account = people::checked(new, &catalogue, now.day()).map_err(|error| {
        let fault = error.invalid.first();
        let what = fault.map_or(error.code, |fault| fault.code).detail(Lang::En);
        format!("--{}: {what}", fault.map_or("", |fault| fault.pointer.trim_start_matches('/')))
    })?;
    account.roles = role.iter().filter_map(|role| Role::parse(role)).collect();

    let key = Keys::read(&config.audit).map_err(text)?.credentials;
    let (one_time, kept) = one_time(&key)?;
    let code = CodeSecret::random(&rng).ok_or(NO_RANDOMNESS)?;
    let sealed = key.seal(&account.id, &code, &rng).ok_or(NO_RANDOMNESS)?;
    let state = super::state(&config)?;
    let new = NewAccount {
        account: &account,
        password: &kept,
        until: Some(one_time.until),
        code_secret: Some(&sealed),
    };
    let made = state.make_account(&new, &machine_user().map_err(text)?, now).map_err(text)?;
    refused(made)?;
    let uri = code.uri(ISSUER, account.id.as_str());
    Ok(format!("{}\nfor the code generator: {}", told(&one_time), uri.reveal()))
}

fn reset(of: &Of) -> Result<String, String> {
    let config = Config::read(&of.config).map_err(text)?;
    let (one_time, kept) = one_time(&Keys::read(&config.audit).map_err(text)?.credentials)?;
    change(of, &Change::ResetCode)?;
    change(of, &Change::ResetPassword { password: kept, until: one_time.until, guarded: false })?;
    Ok(told(&one_time))
}

/// A one-time password, and what is kept of it.
fn one_time(key: &CredentialKey) -> Result<(OneTime, Secret<String>), String> {
    let rng = SystemRandom::new();
    let one_time = people::one_time(&rng, SystemClock.now()).map_err(text)?;
    let kept = password::keep(one_time.password.reveal(), key.pepper(), &rng).ok_or(NO_RANDOMNESS)?;
    Ok((one_time, kept))
}

fn bind(of: &Of, certificate: &std::path::Path) -> Result<String, String> {
    let key: Fingerprint = tls::key_of_certificate(certificate).map_err(text)?;
    change(of, &Change::BindCertificate(key))?;
    Ok(format!("it signs in with the key {key}"))
}

fn unbind(of: &Of, fingerprint: &str) -> Result<String, String> {
    let key = Fingerprint::parse(fingerprint).ok_or("--fingerprint: 64 lower-case hex digits")?;
    change(of, &Change::UnbindCertificate(key))?;
    Ok(format!("it does not sign in with the key {key}"))
}

fn bind_outside(of: &Of, subject: &str) -> Result<String, String> {
    let config = Config::read(&of.config).map_err(text)?;
    let issuer = config.oidc.ok_or("the configuration has no [oidc]")?.issuer;
    let outside = people::outside(issuer.as_str(), subject, SystemClock.now().day());
    let outside =
        outside.map_err(|_| "--subject: 1 to 255 printable characters, and no number of a person")?;
    change(of, &Change::BindOutside(outside))?;
    Ok(format!("it signs in at {}", issuer.as_str()))
}

fn change(of: &Of, change: &Change) -> Result<(), String> {
    let state = super::state(&Config::read(&of.config).map_err(text)?)?;
    let id = AccountId::parse(&of.account).ok_or("--account: there is none of that name")?;
    let changed = state.change_account(&id, change, &machine_user().map_err(text)?, SystemClock.now());
    refused(changed.map_err(text)?.ok_or("--account: there is none of that name")?)
}

fn refused(changed: Changed) -> Result<(), String> {
    match changed {
        Changed::Yes | Changed::Unchanged => Ok(()),
        Changed::Taken => Err("that account, or that key, is taken".into()),
        Changed::Exclusive => {
            Err("of system_admin, security_admin and auditor a person may hold one only".into())
        }
        Changed::Bound => Err("it is bound to somebody else there already".into()),
        Changed::Unclaimed => Err("its one-time password can still be used, with no code beside".into()),
        Changed::Stale => Err("something else changed meanwhile: try again".into()),
        Changed::HasRoles => Err("it has roles: what it signs in with is bound before they are given".into()),
    }
}

fn told(one_time: &OneTime) -> String {
    format!(
        "one-time password: {}\n(usable until {}; it is changed at the first sign-in)",
        one_time.password.reveal(),
        one_time.until
    )
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
