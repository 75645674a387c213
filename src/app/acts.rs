//! Administrative acts on their way from the state database into the log.
//!
//! Invariant: the log takes in an act once, and only one that a program with the gateway's keys did.
//! Whoever can write the state database can add a row, change one, or have one that was recorded wait
//! again; the first two have no seal that holds, and the third is found in the log.

use std::time::Duration;

use tokio::time::timeout;

use super::apply::{NotTaken, blocking};
use super::deeds::Told;
use super::gateway::Gateway;
use crate::audit::record::{Draft, kind};
use crate::store::audit::{ReadError, Reader};
use crate::store::state::{Act, StateError};

/// How often whoever has an act in hand shows the database server that it is alive.
const SIGN_OF_LIFE: Duration = Duration::from_secs(1);

/// How much earlier than it says an act may stand in the log, in seconds: whoever did it may have had
/// another clock than the gateway that recorded it.
const OTHER_CLOCK: i64 = 86_400;

/// Records of acts that are read at a time.
const AT_A_TIME: usize = 1_000;

/// The most acts that are counted as waiting in vain.
const COUNTED: usize = 1_000;

impl Gateway {
    /// Records the administrative acts that the log does not have yet: each is in one gateway's
    /// hands at a time, so that it is recorded once.
    pub(super) async fn record_acts(&self) -> Result<(), NotTaken> {
        loop {
            let state = self.state.clone();
            let in_hand = self.taking_up.begin();
            let Some(mut taken) = blocking(move || Ok(state.take_act()?)).await? else { return Ok(()) };
            drop(in_hand);
            let act = taken.act().clone();
            let mut recorded = std::pin::pin!(self.recorded(&act));
            // However long the log takes, this gateway is not one that stands still.
            let index = loop {
                match timeout(SIGN_OF_LIFE, &mut recorded).await {
                    Ok(index) => break index?,
                    Err(_) => {
                        let shown = blocking(move || Ok(taken.still_in_hand().map(|()| taken)?));
                        taken = shown.await?;
                    }
                }
            };
            let _in_hand = self.taking_up.begin();
            blocking(move || Ok(taken.recorded(index)?)).await?;
        }
    }

    /// Gives an act its place in the log: the one that it has, or else the next. It has one if whoever
    /// recorded it could not note that, or if the row was made to wait again.
    async fn recorded(&self, act: &Act) -> Result<u64, NotTaken> {
        self.read_on().await?;
        let number = u64::try_from(act.seq).unwrap_or_default();
        if !self.deeds(|deeds| deeds.is_new(number, act.at)) {
            let sought = act.clone();
            let found = self.log.read(move |log| find(log, &sought)).await;
            if let Some(index) = found.map_err(|e| NotTaken::Unconfirmed(e.to_string()))? {
                return Ok(index);
            }
        }
        Ok(self.record(draft(act)).await?.index)
    }

    /// Counts the acts that wait in vain, up to a bound: no seal shows that a program with the gateway's
    /// keys did them, so they are not recorded.
    ///
    /// # Errors
    /// When the state database cannot be read.
    pub async fn count_unsealed(&self) -> Result<usize, StateError> {
        let state = self.state.clone();
        let found = tokio::task::spawn_blocking(move || state.unsealed_acts(COUNTED));
        let unsealed = found.await.map_err(StateError::new)??.len();
        self.metrics.acts_unsealed(unsealed);
        Ok(unsealed)
    }
}

/// Does the record tell of this act?
pub fn tells_of(leaf: &[u8], act: &Act) -> bool {
    std::str::from_utf8(leaf).is_ok_and(|leaf| Told::read(leaf).is(act))
}

/// The place of an act in the log, looked for from some time before it was done, and then in all of it:
/// whoever did it may have had a clock that was wrong.
fn find(log: &Reader, act: &Act) -> Result<Option<u64>, ReadError> {
    let likely = log.first_since(act.at.plus_seconds(-OTHER_CLOCK))?;
    match find_from(log, act, likely)? {
        None if likely > 0 => find_from(log, act, 0),
        found => Ok(found),
    }
}

fn find_from(log: &Reader, act: &Act, mut from: u64) -> Result<Option<u64>, ReadError> {
    loop {
        let mut place = None;
        let read = log.acts(from, AT_A_TIME, |leaf| {
            let told = Told::read(leaf);
            if told.is(act) {
                place.get_or_insert(told.index);
            }
        })?;
        if place.is_some() || read.all {
            return Ok(place);
        }
        from = read.next;
    }
}

/// The record of an act.
pub(super) fn draft(act: &Act) -> Draft {
    let mut draft = Draft::new(kind::ADMINISTRATION);
    let members = draft.members();
    members.number("act", u64::try_from(act.seq).unwrap_or_default());
    members.text("action", &act.kind).text("object", &act.object).text("detail", &act.detail);
    members.text("done_at", &act.at.to_string()).text("done_by", &act.actor);
    draft
}
