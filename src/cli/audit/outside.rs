//! What others say of a log that is verified: cosignatures of witnesses, timestamps.
//!
//! Invariant: as in [`super::verify`], nothing is trusted but what is given on the command line:
//! here the keys of witnesses and the CA of the timestamp authority.

use std::path::PathBuf;

use super::{Failure, remote::Remote};
use crate::audit::cosignature::{Witnessed, witnessed};
use crate::audit::stamp::{self, Roots};
use crate::audit::verify::{Kind, Place, Report};
use crate::audit::{Checkpoint, WitnessKey};
use crate::store::anchors::AnchorStore;

/// Timestamps that are read at a time.
const PAGE: u32 = 1000;

/// What outsiders must say.
#[derive(Debug, clap::Args)]
pub struct Demands {
    /// Key of a witness, or a file that holds one: the log must have been cosigned.
    #[arg(long, value_name = "KEY|FILE", conflicts_with = "export")]
    witness_key: Vec<String>,
    /// How many of the witnesses must have cosigned one and the same checkpoint; all when left out.
    #[arg(long, value_name = "K", requires = "witness_key")]
    require: Option<usize>,
    /// With --db: the CA of the timestamp authority: the stored timestamps must hold.
    #[arg(long, value_name = "FILE", requires = "db")]
    tsa_ca: Option<PathBuf>,
}

/// What they said: checkpoints that the log must contain, and what is wrong already.
#[derive(Default)]
pub struct Outside {
    /// Checkpoints for which others vouch.
    pub seen: Vec<Checkpoint>,
    /// What is wrong, for the report.
    damage: Vec<(Kind, Place, &'static str)>,
    /// What to tell at the end.
    told: Vec<String>,
}

impl Demands {
    /// Reads what the database of anchors in `dir` has.
    pub fn beside(&self, dir: &std::path::Path, origin: &str) -> Result<Outside, Failure> {
        let mut outside = Outside::default();
        if self.witness_key.is_empty() && self.tsa_ca.is_none() {
            return Ok(outside);
        }
        let store = AnchorStore::open_beside(dir)?;
        let keys = self.keys()?;
        if !keys.is_empty() {
            let require = self.require(&keys)?;
            let mut before = None;
            let enough = loop {
                let Some((size, note)) = store.cosigned(1, before)? else { break None };
                let said = witnessed(&note, origin, &keys);
                if !said.broken.is_empty() {
                    outside.broken(size);
                }
                if said.by >= require {
                    break Some(said);
                }
                before = Some(size);
            };
            outside.witnesses(enough, require, keys.len());
        }
        if let Some(ca) = &self.tsa_ca {
            let pem = std::fs::read(ca).map_err(|e| format!("{}: {e}", ca.display()))?;
            let roots =
                Roots::parse(&pem).ok_or_else(|| format!("{}: holds no CA certificate", ca.display()))?;
            outside.timestamps(&store, origin, &roots)?;
        }
        Ok(outside)
    }

    /// Asks the gateway for a checkpoint that enough witnesses have cosigned.
    pub fn of_gateway(&self, gateway: &mut Remote, origin: &str) -> Result<Outside, Failure> {
        let mut outside = Outside::default();
        let keys = self.keys()?;
        if !keys.is_empty() {
            let require = self.require(&keys)?;
            let note = gateway.cosigned(require)?;
            let said = note.map(|note| witnessed(&note, origin, &keys)).filter(|said| said.by >= require);
            outside.witnesses(said, require, keys.len());
        }
        Ok(outside)
    }

    fn keys(&self) -> Result<Vec<WitnessKey>, Failure> {
        let parse = |given: &String| match WitnessKey::parse(given) {
            Ok(key) => Ok(key),
            Err(_) => {
                let text = std::fs::read_to_string(given).map_err(|e| {
                    format!("--witness-key is neither a witness's key nor a file that can be read: {e}")
                })?;
                Ok(WitnessKey::parse(&text).map_err(|e| format!("{given}: {e}"))?)
            }
        };
        self.witness_key.iter().map(parse).collect()
    }

    fn require(&self, keys: &[WitnessKey]) -> Result<usize, Failure> {
        match self.require.unwrap_or(keys.len()) {
            require if (1..=keys.len()).contains(&require) => Ok(require),
            _ => Err("--require must be between 1 and the number of --witness-key".into()),
        }
    }
}

impl Outside {
    fn broken(&mut self, size: u64) {
        let place = Place::Checkpoint(i64::try_from(size).unwrap_or(i64::MAX));
        self.damage.push((Kind::BadSignature, place, "a witness's cosignature beside it does not hold"));
    }

    fn witnesses(&mut self, said: Option<Witnessed>, require: usize, of: usize) {
        match said {
            Some(Witnessed { checkpoint: Some(checkpoint), by, since: Some(since), .. }) => {
                self.told
                    .push(format!("witnessed: {} records by {by} of {of}, since {since}", checkpoint.size));
                self.seen.push(checkpoint);
            }
            _ => {
                self.told.push(format!("NOT WITNESSED: no checkpoint by {require} of {of}"));
                let what = "there is no checkpoint that as many witnesses have cosigned as are required";
                self.damage.push((Kind::Unwitnessed, Place::Store, what));
            }
        }
    }

    fn timestamps(&mut self, store: &AnchorStore, origin: &str, roots: &Roots) -> Result<(), Failure> {
        let mut read = 0;
        let mut newest = None;
        loop {
            let stamps = store.stamps(read, PAGE)?;
            for kept in &stamps {
                let place = Place::Checkpoint(i64::try_from(kept.size).unwrap_or(i64::MAX));
                let stamped = stamp::check(&kept.token, &kept.note, roots).ok();
                let checkpoint = stamped.as_ref().and_then(|s| stamp::checkpoint(&kept.note, origin, s));
                match checkpoint.zip(stamped) {
                    Some((checkpoint, stamped)) => {
                        newest = Some((checkpoint.size, stamped.time));
                        self.seen.push(checkpoint);
                    }
                    None => self.damage.push((Kind::BadTimestamp, place, "its timestamp does not hold")),
                }
            }
            read += PAGE;
            if stamps.len() < PAGE as usize {
                break;
            }
        }
        match newest {
            Some((size, time)) => {
                self.told.push(format!("stamped: {} times, last {size} records at {time}", self.seen.len()));
            }
            None => {
                let what = "there is no timestamp that holds";
                self.damage.push((Kind::BadTimestamp, Place::Store, what));
            }
        }
        Ok(())
    }

    /// Adds to the report what is wrong, and prints the rest.
    pub fn conclude(self, report: &mut Report) {
        self.damage.into_iter().for_each(|(kind, place, what)| report.add(kind, place, what));
        self.told.iter().for_each(|line| println!("{line}"));
    }
}
