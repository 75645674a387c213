//! One log on a server, written by several gateways, and what may befall it there.

use std::path::PathBuf;
use std::time::Instant;

use super::*;
use crate::base::SystemClock;
use crate::config::DatabaseSection;
use crate::store::testing::Postgres;
use crate::store::testing_proxy::{Network, Proxy};
use crate::store::upkeep::Schema;

/// The roles and schemas that an administrator makes.
const ROLES: &str = include_str!("../../../../deploy/postgres/roles.sql");
const OWNER: &str = "sluice_owner";

impl Site {
    /// A log on a server of its own, under the gateway's role.
    pub(super) fn on_server() -> Self {
        let postgres = Postgres::start();
        postgres.execute("postgres", ROLES);
        upkeep::migrate_on(&server(&postgres.configured(OWNER, "postgres"))).unwrap();
        let server = server(&postgres.configured("sluice_gateway", "postgres"));
        Self { postgres: Some(Arc::new(postgres)), server: Some(server), ..Self::new() }
    }

    /// Another gateway's place on the same log. It has seen nothing of it yet, and may say so.
    fn beside(&self) -> Self {
        let place = Self {
            postgres: self.postgres.clone(),
            server: self.server.clone(),
            key: self.key.clone(),
            ..Self::new()
        };
        std::fs::create_dir_all(place.copy().parent().unwrap()).unwrap();
        std::fs::write(place.copy(), "").unwrap();
        place
    }

    fn postgres(&self) -> &Postgres {
        self.postgres.as_ref().unwrap()
    }

    /// The same place, with a network between it and the server.
    fn far(self) -> (Self, Proxy) {
        let socket = PathBuf::from(self.postgres().socket()).join(".s.PGSQL.5432");
        let proxy = Proxy::start(socket);
        let server = server(&format!("postgres://sluice_gateway@{}/postgres", proxy.address));
        (Self { server: Some(server), ..self }, proxy)
    }
}

fn server(url: &str) -> Server {
    let section: DatabaseSection = toml::from_str(&format!("url = '{url}'")).unwrap();
    Server::new(&section).unwrap()
}

#[tokio::test]
async fn a_server_without_the_tables_is_refused_with_what_to_do() {
    let place = Site::on_server();
    let server = place.server.as_ref().unwrap();
    assert_eq!(upkeep::schema_on(server).unwrap(), Schema::Current("1".into()));
    upkeep::migrate_on(&super::server::server(&place.postgres().configured(OWNER, "postgres"))).unwrap();
    place.tamper("INSERT INTO __diesel_schema_migrations VALUES ('0099')");
    place.open().unwrap();
    place.tamper("INSERT INTO __diesel_schema_migrations VALUES ('9001')");
    assert!(place.refusal().to_string().contains("it has schema 9001"), "{}", place.refusal());
    place.tamper("DROP TABLE __diesel_schema_migrations");
    assert!(place.refusal().to_string().contains("run `sluice migrate`"), "{}", place.refusal());
}

/// The indexes of receipts, in order.
fn indexes(receipts: &[Receipt]) -> Vec<u64> {
    let mut indexes: Vec<_> = receipts.iter().map(|receipt| receipt.index).collect();
    indexes.sort_unstable();
    indexes
}

#[tokio::test]
async fn several_gateways_write_one_log_without_a_gap() {
    let place = Site::on_server();
    let first = place.open().unwrap();
    let others: Vec<_> = (0..2).map(|_| place.beside()).collect();
    let logs: Vec<_> =
        std::iter::once(first).chain(others.iter().map(|place| place.open().unwrap())).collect();
    let began = logs.iter().map(|log| log.stats().size).max().unwrap();
    let mut receipts = Vec::new();
    for _ in 0..10 {
        let filled = join_all(logs.iter().map(|log| fill(log, 200))).await;
        receipts.extend(filled.into_iter().flatten());
    }
    assert_eq!(indexes(&receipts), (began..began + 6000).collect::<Vec<_>>());
    for receipt in receipts.iter().step_by(131) {
        // Whoever is asked: all know of all.
        for log in &logs {
            let record = log.reader().signed_record(receipt.index).unwrap().unwrap();
            record.check(&place.public()).unwrap();
            assert_eq!(Hash::of_leaf(record.leaf.as_bytes()), receipt.leaf_hash);
        }
    }
    let housing = Filter { department: Some("housing".into()), ..Filter::default() };
    for log in &logs {
        let mut after = None;
        let mut found = 0;
        loop {
            let page = log.reader().records(&housing, after, 1000).unwrap();
            found += page.records.len();
            after = page.next;
            if after.is_none() && page.lag == 0 {
                break;
            }
        }
        assert!(found >= 3000, "searches find what others wrote: {found}");
    }
    drop(logs);
    assert_eq!(place.damage(), [""; 0]);
}

#[tokio::test]
async fn gateways_that_start_together_begin_one_log() {
    let place = Site::on_server();
    let places: Vec<_> = (0..3).map(|_| place.beside()).collect();
    let logs: Vec<_> = std::thread::scope(|scope| {
        let starting: Vec<_> = places.iter().map(|place| scope.spawn(|| place.open())).collect();
        starting.into_iter().map(|start| start.join().unwrap().unwrap()).collect()
    });
    join_all(logs.iter().map(|log| fill(log, 10))).await;
    drop(logs);
    assert_eq!(place.damage(), [""; 0]);
    let (size, _) = crate::audit::verify::Stored::head(&mut place.database()).unwrap().unwrap();
    let records = crate::audit::verify::Stored::records(&mut place.database(), 0, size).unwrap();
    let created = records.iter().filter(|(_, leaf)| LeafHead::parse(leaf).unwrap().kind == kind::CREATED);
    assert_eq!(created.count(), 1);
}

#[tokio::test]
async fn a_commit_whose_end_was_not_heard_is_looked_up_and_answered_as_done() {
    let (place, proxy) = Site::on_server().far();
    let log = place.open().unwrap();
    fill(&log, 300).await;
    proxy.set(Network::BreaksAfterCommit);
    let receipt = log.append(query(1)).await.unwrap();
    assert_eq!(receipt.index, 301);
    assert!(log.reader().record(301).unwrap().unwrap().leaf.contains(&format!("{:032x}", 1)));
    assert_eq!(log.append(query(2)).await.unwrap().index, 302);
    drop(log);
    assert_eq!(place.damage(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_takes_what_is_sent_and_says_nothing_is_given_up() {
    let (place, proxy) = Site::on_server().far();
    let log = place.open().unwrap();
    fill(&log, 10).await;
    proxy.deafen();
    let began = Instant::now();
    assert_eq!(log.append(query(1)).await.unwrap_err(), AppendError::NotDurable);
    // Not cut short for another reason, and not waited for longer than anybody waits for a record.
    assert!((8..12).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    // What was swallowed is not there, and the next takes its place; the old connections are dumb still.
    assert_eq!(log.append(query(2)).await.unwrap().index, 11);
    assert!(log.reader().record(11).unwrap().unwrap().leaf.contains(&format!("{:032x}", 2)));
    drop(log);
    assert_eq!(place.damage(), [""; 0]);
}

#[tokio::test]
async fn a_commit_that_did_not_reach_the_server_is_not_answered_as_done() {
    let (place, proxy) = Site::on_server().far();
    let log = place.open().unwrap();
    fill(&log, 10).await;
    proxy.set(Network::BreaksBeforeCommit);
    assert_eq!(log.append(query(1)).await.unwrap_err(), AppendError::NotDurable);
    assert_eq!(log.append(query(2)).await.unwrap().index, 11, "its place is another's");
    drop(log);
    assert_eq!(place.damage(), [""; 0]);
}

#[tokio::test]
async fn a_server_that_is_started_anew_is_found_again() {
    let place = Site::on_server();
    let log = place.open().unwrap();
    fill(&log, 10).await;
    let Site { postgres, .. } = place;
    let mut postgres = Arc::into_inner(postgres.unwrap()).unwrap();
    postgres.stop("QUIT");
    assert_eq!(log.append(query(1)).await.unwrap_err(), AppendError::NotDurable);
    assert!(!log.stats().writes);
    postgres.run();
    assert_eq!(log.append(query(1)).await.unwrap().index, 11);
    assert!(log.stats().writes);
}

/// What a log on a server is put back with.
const KEPT: [&str; 5] = ["record", "tile", "checkpoint", "head", "opening"];

impl Site {
    fn keep(&self) {
        self.tamper(&KEPT.map(|table| format!("CREATE TABLE old_{table} AS TABLE {table};")).concat());
    }

    fn put_back(&self) {
        let put_back = |table| format!("TRUNCATE {table}; INSERT INTO {table} TABLE old_{table};");
        self.tamper(&KEPT.map(put_back).concat());
    }
}

/// A server whose data was put back, or a standby that took over without all of it.
#[tokio::test]
async fn a_server_that_lost_what_was_given_out_is_not_written_to() {
    let place = Site::on_server();
    let log = place.open().unwrap();
    fill(&log, 20).await;
    place.keep();
    fill(&log, 20).await;
    place.put_back();

    // Shorter than it was.
    assert_eq!(log.append(query(1)).await.unwrap_err(), AppendError::NotDurable);
    // Longer again, by one that knows nothing of what is gone: another history.
    let stranger = place.beside();
    fill(&stranger.open().unwrap(), 400).await;
    assert!(matches!(log.reader().record(400), Err(ReadError::Damaged(_))), "nor is it followed");
    assert_eq!(log.append(query(1)).await.unwrap_err(), AppendError::NotDurable);
    drop(log);
    assert!(matches!(place.refusal(), OpenError::Forked(41)));
}

/// By what it has followed, and not only by what it has written.
#[tokio::test]
async fn a_server_that_was_put_back_to_what_this_gateway_wrote_last_is_not_written_to() {
    let place = Site::on_server();
    let log = place.open().unwrap();
    let other = place.beside();
    let writing = other.open().unwrap();
    fill(&log, 10).await;
    place.keep();
    fill(&writing, 10).await;
    until(|| log.stats().size == writing.stats().size);
    place.put_back();
    assert_eq!(log.append(query(1)).await.unwrap_err(), AppendError::NotDurable);
}

/// Hardly further than this one knows, and signed by the log's key.
#[tokio::test]
async fn another_history_is_not_gone_on_from_however_near_it_is() {
    let place = Site::on_server();
    let log = place.open().unwrap();
    fill(&log, 20).await;
    place.keep();
    fill(&log, 10).await;
    place.put_back();
    let stranger = place.beside();
    let forked = stranger.open().unwrap();
    fill(&forked, 20).await;
    let size = forked.stats().size;
    assert_eq!(log.append(query(1)).await.unwrap_err(), AppendError::NotDurable);
    assert_eq!(forked.append(query(1)).await.unwrap().index, size, "nothing came between");
}

#[tokio::test]
async fn the_clock_of_another_gateway_is_no_step_of_this_ones() {
    let place = Site::on_server();
    let ahead = place.beside();
    ahead.clock.set(NOON.plus_seconds(3));
    let (log, early) = (place.open().unwrap(), ahead.open().unwrap());
    for _ in 0..3 {
        fill(&early, 1).await;
        fill(&log, 2).await;
    }
    let time =
        |index| LeafHead::parse(log.reader().record(index).unwrap().unwrap().leaf.as_bytes()).unwrap().time;
    let times: Vec<_> = (0..log.stats().size).map(time).collect();
    assert!(times.is_sorted(), "{times:?}");
    let steps = Filter { kind: Some(kind::CLOCK.into()), ..Filter::default() };
    assert!(log.reader().records(&steps, None, 10).unwrap().records.is_empty());
    // Nobody follows a clock that is far ahead.
    ahead.clock.set(NOON.plus_seconds(30));
    fill(&early, 1).await;
    assert_eq!(log.append(query(1)).await, Err(AppendError::Clock));
    fill(&early, 1).await;
    assert_eq!(place.damage(), [""; 0]);
}

/// However many turns others have meanwhile: whoever waits is in the next.
#[tokio::test]
async fn whoever_comes_while_another_gateway_writes_is_in_the_same_batch() {
    let place = Site::on_server();
    let log = place.open().unwrap();
    let mut other = place.writing();
    on!(&mut other, conn => conn.batch_execute(place.alone())).unwrap();
    let before = log.stats().batches;
    let first = log.submit(query(0), Vec::new()).unwrap();
    until(|| log.stats().waiting == 0);
    let later: Vec<_> = (1..50).map(|i| log.submit(query(i), Vec::new()).unwrap()).collect();
    on!(&mut other, conn => conn.batch_execute("COMMIT")).unwrap();
    for waiting in std::iter::once(first).chain(later) {
        waiting.await.unwrap().unwrap();
    }
    assert_eq!(log.stats().batches, before + 1);
}

#[tokio::test]
async fn an_auditor_who_may_only_read_verifies_the_log() {
    let place = Site::on_server();
    fill(&place.open().unwrap(), 300).await;
    place.tamper(
        "CREATE ROLE auditor LOGIN; ALTER ROLE auditor SET default_transaction_read_only = on; \
        GRANT CONNECT ON DATABASE postgres TO auditor; GRANT USAGE ON SCHEMA sluice_log TO auditor; \
        GRANT SELECT ON record, tile, checkpoint, head, opening TO auditor",
    );
    let auditor = server(&place.postgres().configured("auditor", "postgres"));
    let mut database = Database::on(&auditor.to_read()).unwrap();
    assert!(verify(&mut database, &place.public(), &[], &mut |_, _| {}).unwrap().is_intact());
}

#[tokio::test]
async fn that_a_server_keeps_its_connection_and_does_nothing_is_seen() {
    let (place, proxy) = Site::on_server().far();
    let log = place.open().unwrap();
    proxy.set(Network::Silent);
    let waiting = log.submit(query(1), Vec::new()).unwrap();
    until(|| log.lasts() > std::time::Duration::from_millis(300));
    proxy.set(Network::Up);
    waiting.await.unwrap().unwrap();
    until(|| log.lasts().is_zero());
}

/// Of a log that is put back, only what was not put back with it can tell: a gateway that wrote
/// nothing, too.
#[tokio::test]
async fn a_gateway_that_only_looked_on_knows_a_log_that_was_put_back() {
    let place = Site::on_server();
    let (log, idle) = (place.open().unwrap(), place.beside());
    let onlooker = idle.open().unwrap();
    fill(&log, 20).await;
    place.keep();
    fill(&log, 20).await;
    let newest = log.stats().size;
    until(|| onlooker.stats().size == newest);
    let seen = second_place::slots(&std::fs::read(idle.copy()).unwrap());
    let seen = seen.iter().map(|note| Checkpoint::open(note, &place.public()).unwrap().size).max();
    assert_eq!(seen, Some(newest));

    place.put_back();
    until(|| !onlooker.stats().writes);
    drop((log, onlooker));
    assert!(matches!(idle.refusal(), OpenError::RolledBack { .. }), "{}", idle.refusal());
}

/// Waits for what comes about by itself.
fn until(done: impl Fn() -> bool) {
    let began = std::time::Instant::now();
    while !done() {
        assert!(began.elapsed() < std::time::Duration::from_secs(20));
        std::thread::yield_now();
    }
}

/// A record from the future would stop every gateway whose clock is right, for good.
#[tokio::test]
async fn a_gateway_whose_clock_is_ahead_of_the_servers_writes_nothing() {
    let place = Site::on_server();
    let log = place.open().unwrap();
    let ahead = place.beside();
    let early = ahead.open().unwrap();
    let size = early.stats().size;
    ahead.clock.set(SystemClock.now().plus_seconds(60));
    assert_eq!(early.append(query(1)).await, Err(AppendError::Clock));
    assert!(!early.stats().writes);
    drop(early);
    // Nor does it begin to, were it only to say that its copy was begun anew.
    std::fs::write(ahead.copy(), "").unwrap();
    assert!(ahead.refusal().to_string().contains("ahead of the database server's"), "{}", ahead.refusal());
    assert_eq!(log.append(query(1)).await.unwrap().index, size, "the others go on");
    ahead.clock.set(NOON);
    assert_eq!(
        ahead.open().unwrap().append(query(2)).await.unwrap().index,
        size + 2,
        "as it does once it is right"
    );
    assert_eq!(place.damage(), [""; 0]);
}

#[tokio::test]
async fn whoever_holds_the_head_and_stands_still_lets_the_others_go_on() {
    let place = Site::on_server();
    let log = place.open().unwrap();
    // As the writer of a gateway that was stopped in the middle of its turn.
    let mut stopped = place.writing();
    on!(&mut stopped, conn => conn.batch_execute(place.alone())).unwrap();
    log.append(query(1)).await.unwrap();
    on!(&mut stopped, conn => conn.batch_execute("COMMIT")).unwrap_err();
}

#[tokio::test]
async fn the_gateways_role_can_add_to_the_log_and_change_none_of_it() {
    let place = Site::on_server();
    let log = place.open().unwrap();
    log.append(about(1, "Zhang")).await.unwrap();
    fill(&log, 300).await;
    let mut conn = place.postgres().connect("sluice_gateway", "postgres");
    for sql in [
        "UPDATE sluice_log.record SET leaf = ''",
        "DELETE FROM sluice_log.record",
        "TRUNCATE sluice_log.record",
        "UPDATE sluice_log.tile SET hashes = ''",
        "DELETE FROM sluice_log.tile",
        "DELETE FROM sluice_log.checkpoint",
        "DELETE FROM sluice_log.head",
        "UPDATE sluice_log.head SET id = 1",
        "INSERT INTO sluice_log.head VALUES (1, 1, '', '')",
        "UPDATE sluice_log.opening SET sealed = ''",
        "DROP TABLE sluice_log.record",
        "CREATE TABLE sluice_log.mine (id BIGINT)",
    ] {
        let said = conn.batch_execute(sql).unwrap_err().to_string();
        assert!(said.contains("permission denied") || said.contains("must be owner"), "{sql}: {said}");
    }
    let erased = log.erase_subject("id_number", "Zhang", Draft::new("erasure")).await.unwrap();
    assert_eq!(erased.openings, 1);
    drop(log);
    assert_eq!(place.damage(), [""; 0]);
}

/// What verification says after each way to harm a log of 601 records on a server.
#[tokio::test]
async fn every_harm_on_a_server_is_named_with_its_place() {
    let place = Site::on_server();
    let log = place.open().unwrap();
    for i in 0..10 {
        log.append(about(i, &format!("person {i}"))).await.unwrap();
    }
    fill(&log, 590).await;
    drop(log);
    assert_eq!(place.damage(), [""; 0]);
    for (harm, mend, named) in [
        (
            "UPDATE record SET leaf = overlay(leaf PLACING 'X'::bytea FROM 40) WHERE idx = 17",
            "UPDATE record SET leaf = (SELECT leaf FROM kept WHERE idx = 17) WHERE idx = 17",
            "altered: record 17: its bytes are not those that were signed",
        ),
        (
            "DELETE FROM record WHERE idx = 17",
            "INSERT INTO record TABLE kept",
            "missing: record 17: there is no such record",
        ),
        (
            "INSERT INTO record VALUES (601, '{}')",
            "DELETE FROM record WHERE idx = 601",
            "extra: record 601: it is not part of the log that was signed",
        ),
        (
            "UPDATE tile SET id = 9 WHERE id = 1",
            "UPDATE tile SET id = 1 WHERE id = 9",
            "missing: tile 1 of level 0: there is no such tile of hashes",
        ),
        (
            "INSERT INTO tile VALUES (2, '')",
            "DELETE FROM tile WHERE id = 2",
            "extra: tile 2 of level 0: it is not part of the log that was signed",
        ),
        (
            "UPDATE head SET edge = set_byte(edge, 40, get_byte(edge, 40) # 1)",
            "UPDATE head SET edge = set_byte(edge, 40, get_byte(edge, 40) # 1)",
            "altered: tile 2 of level 0: the record is as it was signed, its hash here is not",
        ),
        (
            "UPDATE head SET edge = edge || '\\x00'",
            "UPDATE head SET edge = substr(edge, 1, length(edge) - 1)",
            "missing: tile 2 of level 0: there is no such tile of hashes",
        ),
        (
            "UPDATE head SET size = 600",
            "UPDATE head SET size = 601",
            "altered: head: the newest checkpoint: the size noted beside it is not the one that was signed",
        ),
    ] {
        place.tamper(&format!(
            "DROP TABLE IF EXISTS kept; CREATE TABLE kept AS SELECT * FROM record WHERE idx = 17; {harm}"
        ));
        let damage = place.damage();
        assert!(damage.iter().any(|found| found == named), "{harm}\n{damage:#?}");
        place.tamper(mend);
        assert_eq!(place.damage(), [""; 0], "{mend}");
    }
}
