//! What somebody wrote among the acts of the state database, and what the log takes of it.

use super::*;
use crate::base::ids::{Fingerprint, SystemId};

const SYSTEM: &str = "housing.aid";
const BUMP: &str = "UPDATE revision SET value = value + 1";

fn key(name: &str) -> Fingerprint {
    Fingerprint::of_spki(name.as_bytes())
}

impl Stage {
    fn register(&self, name: &str) {
        self.store().register_key(key(name), &SystemId::parse(SYSTEM).unwrap(), self.clock.now()).unwrap();
    }

    fn knows(&self, name: &str) -> bool {
        self.gateway.registry().unwrap().by_key(&key(name)).is_some()
    }

    /// Takes up what is in the database; gives how many records that took.
    async fn take_up(&self) -> u64 {
        let before = self.gateway.log.stats().size;
        self.gateway.take_up_changes().await.unwrap();
        self.gateway.log.stats().size - before
    }

    /// Where each act was recorded.
    fn places(&self) -> Vec<(i64, Option<u64>)> {
        self.store().recorded_acts()
    }
}

#[tokio::test]
async fn an_act_that_was_written_into_the_database_is_not_recorded_and_nothing_of_it_in_force() {
    let stage = Stage::new().await;
    let forged = key("forged");
    stage.store().tamper(&format!(
        "INSERT INTO system_keys (fingerprint, system, registered_at) VALUES ('{forged}', '{SYSTEM}', 1);
         INSERT INTO acts (kind, object, detail, at, actor) VALUES ('key-registered', '{SYSTEM}', '{forged}', 1, 'uid 0');
         {BUMP}"
    ));
    assert_eq!(stage.take_up().await, 0);
    assert!(!stage.knows("forged"));
    assert_eq!(stage.gateway.count_unsealed().await.unwrap(), 1);
    // What is done after it comes into force.
    stage.register("real");
    assert_eq!(stage.take_up().await, 1);
    assert!(stage.knows("real") && !stage.knows("forged"));
}

#[tokio::test]
async fn what_a_gateway_of_the_release_before_records_itself_comes_into_force_then() {
    let stage = Stage::new().await;
    stage.register("new");
    let act = stage.store().pending_acts(1).unwrap().remove(0);
    stage.store().tamper("UPDATE acts SET seal = NULL WHERE log_index IS NULL");
    assert_eq!(stage.take_up().await, 0);
    assert!(!stage.knows("new"));
    // It does not raise the revision by that.
    let index = stage.gateway.record(crate::app::acts::draft(&act)).await.unwrap().index;
    stage.store().act_recorded(act.seq, index).unwrap();
    assert_eq!(stage.take_up().await, 0);
    assert!(stage.knows("new"));
}

#[tokio::test]
async fn an_act_that_waits_once_more_is_found_in_the_log_and_not_recorded_again() {
    let stage = Stage::new().await;
    stage.register("lost");
    assert_eq!(stage.take_up().await, 1);
    stage.store().revoke_key(key("lost"), stage.clock.now()).unwrap();
    assert_eq!(stage.take_up().await, 1);
    let places = stage.places();
    assert!(places.iter().all(|(_, index)| index.is_some()), "{places:?}");
    stage.store().tamper(&format!(
        "UPDATE acts SET log_index = NULL; UPDATE system_keys SET revoked_at = NULL; {BUMP}"
    ));
    assert_eq!(stage.take_up().await, 0);
    assert_eq!(stage.places(), places);
    assert!(!stage.knows("lost"), "what was undone stays so");
}

#[tokio::test]
async fn beside_a_database_that_was_put_back_acts_go_on_and_those_it_lost_are_not_recorded_again() {
    let stage = Stage::new().await;
    let before = stage.places().len();
    stage.register("one");
    stage.register("two");
    stage.register("three");
    assert_eq!(stage.take_up().await, 3);
    let places = stage.places();
    // As it was before them, but for copies that somebody kept.
    stage.store().tamper(&format!(
        "CREATE TABLE kept AS SELECT * FROM acts WHERE seq > {before};
         DELETE FROM acts WHERE seq > {before}; DELETE FROM system_keys; {BUMP}"
    ));
    assert_eq!(stage.take_up().await, 0);
    stage.clock.set(stage.clock.now().plus_seconds(60));
    stage.register("new");
    assert_eq!(stage.take_up().await, 1, "under the number of one that was lost");
    assert!(stage.knows("new") && !stage.knows("two"));
    stage.store().tamper(&format!(
        "UPDATE kept SET log_index = NULL; INSERT INTO acts SELECT * FROM kept WHERE seq > {before} + 1; {BUMP}"
    ));
    assert_eq!(stage.take_up().await, 0);
    assert_eq!(stage.places()[before + 1..], places[before + 1..]);
}
