//! Makes the world of a demo in a folder, or finds it there.
//!
//! Invariant: a folder is either a whole world, marked by `world.json`, or not one; making it
//! again after an interruption starts over, and a folder with anything else in it is left alone.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use time::Date;

use super::certificates::{Authority, Issued, Usage};
use super::departments::{self, Table};
use super::files::{self, Ports};
use super::{officials, people};
use crate::app::{apply, keys, world};
use crate::base::ids::{Fingerprint, SystemId};
use crate::base::{Clock, Timestamp};
use crate::catalogue::Catalogue;
use crate::store::state::StateStore;

/// Who owns data here, in the order of the catalogue.
pub const PROVIDERS: [&str; 5] = ["civil", "hrss", "housing", "justice", "medical"];
/// The dataset that the old REST service answers.
pub const LEGACY_DATASET: &str = "housing.ownership";
/// The log's name.
pub const ORIGIN: &str = "sluice.demo.example/log";
/// A system with a good certificate whose key nobody registered.
pub const STRANGER: &str = "stranger";

const MARK: &str = "world.json";
const BEGUN: &str = "world.begun";
/// The revocation list of a demo is signed anew at each start.
const LIST_DAYS: i64 = 30;

/// What makes a world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recipe {
    /// The same seed gives the same people.
    pub seed: u64,
    /// How many people.
    pub people: usize,
}

/// A world, ready to be started.
pub struct World {
    /// Its folder.
    pub dir: PathBuf,
    /// Where its processes listen.
    pub ports: Ports,
    /// The systems that have certificates in it, and their departments.
    pub systems: BTreeMap<String, String>,
    /// The day on which it was started.
    pub today: Date,
}

impl World {
    /// Makes the world of `recipe` in `dir`, or takes the one that is there.
    ///
    /// # Errors
    /// When the folder holds something else, another recipe's world, or cannot be written.
    pub fn open(dir: &Path, recipe: &Recipe, clock: &dyn Clock) -> io::Result<World> {
        match fs::read(dir.join(MARK)) {
            Ok(mark) if serde_json::from_slice::<Recipe>(&mark)? == *recipe => {}
            Ok(_) => return Err(io::Error::other("the folder holds the world of another seed or size")),
            Err(_) => make(dir, recipe, clock)?,
        }
        start(dir, clock.now())
    }
}

fn make(dir: &Path, recipe: &Recipe, clock: &dyn Clock) -> io::Result<()> {
    let now = clock.now();
    let empty = !dir.exists() || fs::read_dir(dir)?.next().is_none();
    if !empty && !dir.join(BEGUN).exists() {
        return Err(io::Error::other("the folder is not empty and not a demo's; name another"));
    }
    if !empty {
        fs::remove_dir_all(dir)?;
    }
    fs::create_dir_all(dir)?;
    fs::write(dir.join(BEGUN), "")?;
    files::write_catalogue(dir)?;
    let sources = apply::read_sources(dir).map_err(io::Error::other)?;
    let checked = world::check(&sources).map_err(io::Error::other)?;
    keys::make(&dir.join("keys"), ORIGIN)?;

    let mut registered = vec![];
    let systems = Authority::open(&dir.join("ca/systems"), "Sluice demo CA for systems", now)?;
    systems
        .issue("sluice.demo", &["localhost", "127.0.0.1"], Usage::Server, now)?
        .write(&dir.join("tls"), "gateway")?;
    for system in checked.registry.systems() {
        let issued = systems.issue(system.id.as_str(), &[], Usage::Client, now)?;
        issued.write(&dir.join("clients"), system.id.as_str())?;
        registered.push((issued.fingerprint, system.id.clone()));
    }
    systems.issue(STRANGER, &[], Usage::Client, now)?.write(&dir.join("clients"), STRANGER)?;
    register(dir, &registered, clock)?;
    officials::enrol(dir, &systems, now)?;

    let adapters = Authority::open(&dir.join("ca/adapters"), "Sluice demo CA for adapters", now)?;
    adapters.issue("gateway", &[], Usage::Client, now)?.write(&dir.join("tls"), "to-adapters")?;
    for provider in PROVIDERS {
        let issued: Issued = adapters.issue(provider, &["localhost", "127.0.0.1"], Usage::Server, now)?;
        issued.write(&dir.join("departments").join(provider), "adapter")?;
    }
    make_departments(dir, recipe, &checked.catalogue, now)?;
    fs::write(dir.join(MARK), serde_json::to_vec_pretty(recipe)?)?;
    fs::remove_file(dir.join(BEGUN))
}

fn register(dir: &Path, keys: &[(Fingerprint, SystemId)], clock: &dyn Clock) -> io::Result<()> {
    let data = dir.join("data");
    fs::create_dir_all(&data)?;
    let seals = keys::act_key(&dir.join("keys/subjects.key"));
    let seals = seals.map_err(|finding| io::Error::other(finding.to_string()))?;
    let state = StateStore::open(&data.join("state.db"), seals).map_err(io::Error::other)?;
    for (key, system) in keys {
        state.register_key(*key, system, clock.now()).map_err(io::Error::other)?;
    }
    Ok(())
}

fn make_departments(dir: &Path, recipe: &Recipe, catalogue: &Catalogue, now: Timestamp) -> io::Result<()> {
    let people = people::people(recipe.seed, recipe.people, now.day());
    let mut records = people::rows::all(recipe.seed, &people, now.day());
    for provider in PROVIDERS {
        let home = dir.join("departments").join(provider);
        let tables: Vec<(Table, Vec<Map<String, Value>>)> = tables_of(catalogue, provider)
            .into_iter()
            .map(|table| {
                let rows = records.remove(table.dataset.as_str()).unwrap_or_default();
                (table, rows)
            })
            .collect();
        departments::make(&home.join("data.db"), &tables)?;
    }
    let register = records.remove(LEGACY_DATASET).unwrap_or_default();
    let home = dir.join("departments/housing");
    fs::write(home.join("legacy.json"), serde_json::to_vec(&legacy(&register))?)?;
    keys::write_private(&home.join("legacy-headers"), "X-Api-Key: demo-housing-2016")
}

/// The tables of a provider, but for the dataset that its old service answers.
fn tables_of(catalogue: &Catalogue, provider: &str) -> Vec<Table> {
    let own = catalogue.datasets.values().filter(|d| d.entry.provider.as_str() == provider);
    own.filter(|d| d.id().as_str() != LEGACY_DATASET).map(|d| Table::of(d)).collect()
}

/// The housing register as the old service keeps it: everything is text.
fn legacy(rows: &[Map<String, Value>]) -> BTreeMap<String, Value> {
    let text = |row: &Map<String, Value>, field: &str| match row.get(field) {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Bool(flag)) => u8::from(*flag).to_string(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    rows.iter()
        .map(|row| {
            let record = json!({
                "XM": text(row, "name"),
                "ZJHM": text(row, "id_number"),
                "FWTS": text(row, "homes"),
                "ZMJ": text(row, "total_area"),
                "XZQH": text(row, "region_code"),
                "ZL": text(row, "address"),
                "DJRQ": text(row, "acquired_on").replace('-', ""),
                "DYZT": text(row, "mortgaged"),
                "BZ": "",
            });
            (text(row, "id_number"), record)
        })
        .collect()
}

/// Writes what holds for this start alone: ports, the revocation list, configurations.
fn start(dir: &Path, now: Timestamp) -> io::Result<World> {
    let sources = apply::read_sources(dir).map_err(io::Error::other)?;
    let checked = world::check(&sources).map_err(io::Error::other)?;
    let ports = choose_ports()?;
    let authority = Authority::open(&dir.join("ca/systems"), "", now)?;
    let list = authority.revocation_list(&[], now.plus_seconds(-60), now.plus_seconds(LIST_DAYS * 86_400))?;
    fs::write(dir.join("tls/systems.crl.pem"), list)?;

    let mut datasets: BTreeMap<&'static str, Vec<&str>> = BTreeMap::new();
    let gateway = certificate_key(&dir.join("tls/to-adapters.pem"))?;
    for provider in PROVIDERS {
        let tables = tables_of(&checked.catalogue, provider);
        let port = ports.adapters.get(provider).copied().unwrap_or_default();
        let config = files::adapter_config(port, &gateway.to_string(), &tables);
        fs::write(dir.join("departments").join(provider).join("adapter.toml"), config)?;
        let own = checked.catalogue.datasets.values().filter(|d| d.entry.provider.as_str() == provider);
        datasets.insert(provider, own.map(|d| d.id().as_str()).filter(|id| *id != LEGACY_DATASET).collect());
    }
    fs::write(dir.join("sluice.toml"), files::gateway_config(&ports, &datasets))?;
    let systems = checked.registry.systems().map(|s| (s.id.to_string(), s.department.to_string())).collect();
    Ok(World { dir: dir.to_owned(), ports, systems, today: now.day() })
}

fn certificate_key(path: &Path) -> io::Result<Fingerprint> {
    crate::web::tls::key_of_certificate(path).map_err(io::Error::other)
}

/// The usual ports where they are free, any others where not.
fn choose_ports() -> io::Result<Ports> {
    // All are held until all are chosen, so that none is chosen twice.
    let mut held = Vec::new();
    let mut choose = |preferred: u16| -> io::Result<u16> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, preferred))
            .or_else(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))?;
        let port = listener.local_addr()?.port();
        held.push(listener);
        Ok(port)
    };
    let (gateway, ops, legacy) = (choose(8443)?, choose(8444)?, choose(8450)?);
    let adapters = PROVIDERS
        .into_iter()
        .zip(8451..)
        .map(|(provider, preferred)| Ok((provider, choose(preferred)?)))
        .collect::<io::Result<_>>()?;
    Ok(Ports { gateway, ops, legacy, adapters })
}
