//! Records, people and tiles are found; erased people are not.

use super::*;

on_both!(
    every_act_is_found_in_order_and_once_however_far_the_index_is,
    the_newest_records_come_first_and_are_found_over_days_page_by_page,
    records_are_counted_by_hour_and_by_day_and_an_index_of_another_version_is_built_anew,
    a_person_is_found_and_once_erased_found_no_more_while_all_proofs_stay,
    records_are_searched_by_facets_page_by_page,
    a_record_too_large_or_with_too_many_subjects_is_refused_alone,
    tiles_are_served_as_wide_as_the_log_is,
);

async fn a_person_is_found_and_once_erased_found_no_more_while_all_proofs_stay(place: Site) {
    let log = place.open().unwrap();
    for i in 0..6 {
        let mut draft = about(i, "Zhang");
        draft.subject("id_number", &format!("other {i}"));
        log.append(draft).await.unwrap();
    }
    let history = |who: &'static str| {
        let log = log.clone();
        async move { log.read(move |reader| reader.subject_history("id_number", who, None, 4)).await.unwrap() }
    };
    let page = history("Zhang").await;
    assert_eq!(page.records.iter().map(|r| r.index).collect::<Vec<_>>(), [1, 2, 3, 4]);
    let rest = log.reader().subject_history("id_number", "Zhang", page.next, 4).unwrap();
    assert_eq!((rest.records.len(), rest.next), (2, None));
    assert!(history("nobody").await.records.is_empty());
    let before = log.reader().signed_record(3).unwrap().unwrap();

    let mut order = Draft::new("erasure");
    order.members().text("operator", "official-1");
    let erasure = log.erase_subject("id_number", "Zhang", order).await.unwrap();
    assert_eq!((erasure.records, erasure.openings, erasure.receipts.len()), (6, 6, 1));
    assert!(history("Zhang").await.records.is_empty());
    assert_eq!(history("other 3").await.records.len(), 1, "nobody else is erased with them");
    before.check(&place.public()).unwrap();
    let again = log.erase_subject("id_number", "Zhang", Draft::new("erasure")).await.unwrap();
    assert_eq!(again, Erasure { records: 0, openings: 0, receipts: vec![] });
    drop(log);
    assert_eq!(place.damage(), [""; 0]);

    // An index that is built anew does not know the erased person either.
    std::fs::remove_file(place.data().join("audit-index.db")).unwrap();
    let log = place.open().unwrap();
    assert!(log.reader().subject_history("id_number", "Zhang", None, 9).unwrap().records.is_empty());
    assert_eq!(log.reader().subject_history("id_number", "other 3", None, 9).unwrap().records.len(), 1);
}

async fn every_act_is_found_in_order_and_once_however_far_the_index_is(place: Site) {
    let log = place.open().unwrap();
    let mut acts = Vec::new();
    for number in 0..40 {
        log.append(query(number)).await.unwrap();
        let mut act = Draft::new("administration");
        act.members().number("act", number);
        acts.push(log.append(act).await.unwrap().index);
    }
    let found = |log: &AuditLog, from: u64| {
        let mut found = Vec::new();
        let take = |leaf: &str| {
            found.push(serde_json::from_str::<serde_json::Value>(leaf).unwrap()["index"].as_u64().unwrap())
        };
        let read = log.reader().acts(from, 100, take).unwrap();
        assert!(read.all);
        (found, read.next)
    };
    let size = acts.last().unwrap() + 1;
    let (mut next, mut some) = (0, Vec::new());
    loop {
        let read = log.reader().acts(next, 7, |_| some.push(())).unwrap();
        next = read.next;
        if read.all {
            break;
        }
        assert!(some.len() >= 7, "each time there is progress");
    }
    assert_eq!((some.len(), next), (40, size), "some at a time");
    for from in [0, 7, 40, size] {
        let expected: Vec<u64> = acts.iter().copied().filter(|index| *index >= from).collect();
        assert_eq!(found(&log, from), (expected, size), "from {from}");
    }
    drop(log);
    // Without an index, and while it is built anew.
    std::fs::remove_file(place.data().join("audit-index.db")).unwrap();
    let log = place.open().unwrap();
    let (again, next) = found(&log, 0);
    assert_eq!(again, acts);
    assert!(next >= size);
}

#[tokio::test]
async fn no_file_of_the_log_holds_an_identifier() {
    let place = Site::new();
    let log = place.open().unwrap();
    log.append(about(1, "CANARY-11010519491231002X")).await.unwrap();
    assert_eq!(
        log.reader()
            .subject_history("id_number", "CANARY-11010519491231002X", None, 9)
            .unwrap()
            .records
            .len(),
        1
    );
    drop(log);
    for file in std::fs::read_dir(place.data()).unwrap() {
        let bytes = std::fs::read(file.unwrap().path()).unwrap();
        assert!(!bytes.windows(6).any(|window| window == b"CANARY"));
    }
}

async fn records_are_searched_by_facets_page_by_page(place: Site) {
    let log = place.open().unwrap();
    for i in 0..10 {
        place.clock.set(NOON.plus_seconds(i as i64));
        log.append(query(i)).await.unwrap();
    }
    let reader = log.reader();
    let housing = Filter { department: Some("housing".into()), ..Filter::default() };
    let page = reader.records(&housing, None, 3).unwrap();
    assert_eq!(page.records.iter().map(|r| r.index).collect::<Vec<_>>(), [1, 3, 5]);
    let rest = reader.records(&housing, page.next, 3).unwrap();
    assert_eq!((rest.records.len(), rest.next, rest.lag), (2, None, 0));
    let span =
        Filter { from: Some(NOON.plus_seconds(2)), until: Some(NOON.plus_seconds(4)), ..Filter::default() };
    assert_eq!(reader.records(&span, None, 1000).unwrap().records.len(), 2);
    let none = Filter { datasets: vec!["other".into()], ..Filter::default() };
    assert!(reader.records(&none, None, 10).unwrap().records.is_empty());
    assert_eq!(reader.find_request(&format!("{:032x}", 4)).unwrap().unwrap().index, 5);
    assert_eq!(reader.find_request("").unwrap(), None);
}

async fn a_record_too_large_or_with_too_many_subjects_is_refused_alone(place: Site) {
    let log = place.open().unwrap();
    let mut long = query(1);
    long.members().text("case", &"x".repeat(MAX_LEAF));
    assert_eq!(log.append(long).await, Err(AppendError::TooLarge));
    let mut many = query(1);
    for i in 0..=MAX_SUBJECTS {
        many.subject("id_number", &i.to_string());
    }
    assert_eq!(log.append(many).await, Err(AppendError::TooLarge));
    log.append(query(1)).await.unwrap();
}

async fn tiles_are_served_as_wide_as_the_log_is(place: Site) {
    let log = place.open().unwrap();
    fill(&log, 300).await;
    let reader = log.reader();
    let width = |level, index, width| {
        reader.tile(crate::audit::Tile { level, index, width }).unwrap().map(|bytes| bytes.len() / 32)
    };
    assert_eq!(width(0, 0, 256), Some(256));
    assert_eq!(width(0, 1, 45), Some(45));
    assert_eq!(width(0, 1, 46), None);
    assert_eq!(width(1, 0, 1), Some(1));
    assert_eq!(width(2, 0, 1), None);
}

/// A query about which everything can be asked: every third is refused, by rule `r-2`.
fn telling(number: u64) -> Draft {
    let mut draft = query(number);
    let refused = number.is_multiple_of(3);
    let mut field = Object::new();
    field.text("field", "status").text("rule", if refused { "r-2" } else { "r-1" });
    if refused {
        field.text("code", "no-rule");
    } else {
        field.text("form", "plain");
    }
    let members = draft.members();
    members.text("operator", &format!("official-{}", number % 5)).objects("fields", &[field]);
    members.text("outcome", if refused { "refused" } else { "ok" });
    draft
}

async fn the_newest_records_come_first_and_are_found_over_days_page_by_page(place: Site) {
    let log = place.open().unwrap();
    // Thirty records, five hours apart: more than six days.
    for i in 0..30 {
        place.clock.set(NOON.plus_seconds(i as i64 * 5 * 3600));
        log.append(telling(i)).await.unwrap();
    }
    let reader = log.reader();
    let refused = Filter { outcome: Some("refused".into()), ..Filter::default() };
    let indexes = |found: &Found| found.records.iter().map(|r| r.index).collect::<Vec<_>>();
    // Record 0 is the log's own.
    let page = reader.newest(&refused, None, 4).unwrap();
    assert_eq!((indexes(&page), page.lag), (vec![28, 25, 22, 19], 0));
    let rest = reader.newest(&refused, page.next, 100).unwrap();
    assert_eq!((indexes(&rest), rest.next, rest.stopped), (vec![16, 13, 10, 7, 4, 1], None, false));

    let span = Filter {
        from: Some(NOON.plus_seconds(10 * 3600)),
        until: Some(NOON.plus_seconds(20 * 3600)),
        ..Filter::default()
    };
    assert_eq!(indexes(&reader.newest(&span, None, 9).unwrap()), [4, 3]);

    let by = |field: &str, rule: Option<&str>, operator: Option<&str>| Filter {
        operator: operator.map(str::to_owned),
        field: Some(field.to_owned()),
        rule: rule.map(str::to_owned),
        ..Filter::default()
    };
    let found = reader.newest(&by("status", Some("r-2"), Some("official-0")), None, 9).unwrap();
    assert_eq!(indexes(&found), [16, 1]);
    let page = reader.newest(&by("status", Some("r-2"), None), None, 3).unwrap();
    assert_eq!(indexes(&page), [28, 25, 22]);
    let next = reader.newest(&by("status", Some("r-2"), None), page.next, 2).unwrap();
    assert_eq!(indexes(&next), [19, 16], "the page after begins behind the last that was shown");
    assert_eq!(indexes(&reader.newest(&by("income", None, None), None, 9).unwrap()), [0; 0]);
}

async fn records_are_counted_by_hour_and_by_day_and_an_index_of_another_version_is_built_anew(place: Site) {
    let log = place.open().unwrap();
    for i in 0..30 {
        place.clock.set(NOON.plus_seconds(i as i64 * 5 * 3600));
        log.append(telling(i)).await.unwrap();
    }
    let counted = |log: &AuditLog| {
        let refused = Filter { outcome: Some("refused".into()), ..Filter::default() };
        let days = log.reader().histogram(Span::Day, &refused).unwrap();
        let hours = log.reader().histogram(Span::Hour, &refused).unwrap();
        let counts = log.reader().counts(&refused).unwrap();
        let sums: u64 = counts.iter().map(|count| count.records).sum();
        (days.len(), hours.len(), sums, log.reader().first_calls().unwrap().len())
    };
    // 30 * 5 hours from 20:00 in Shanghai: refused ones are 15 hours apart, on seven days.
    let expected = (7, 10, 10, 2);
    assert_eq!(counted(&log), expected);
    drop(log);
    let index = place.data().join("audit-index.db");
    sqlite::open_index(&index).unwrap().batch_execute("DROP TABLE block; PRAGMA user_version=2").unwrap();
    assert_eq!(counted(&place.open().unwrap()), expected);
}

#[tokio::test]
async fn a_search_goes_over_blocks_and_the_index_goes_on_within_one_after_a_restart() {
    let place = Site::new();
    let log = place.open().unwrap();
    // More than two blocks, a minute apart.
    for i in 0..50 {
        place.clock.set(NOON.plus_seconds(i * 60));
        fill(&log, 100).await;
    }
    drop(log);
    let log = place.open().unwrap();
    place.clock.set(NOON.plus_seconds(50 * 60));
    fill(&log, 100).await;
    let reader = log.reader();
    let size = log.stats().size;
    let housing = Filter { department: Some("housing".into()), ..Filter::default() };
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let (found, counted) = reader.look(Span::Hour, &housing, before, 700).unwrap();
        assert_eq!(counted.histogram.iter().map(|(_, records)| records).sum::<u64>(), 51 * 50);
        seen.extend(found.records.iter().map(|record| record.index));
        before = found.next;
        if before.is_none() {
            break;
        }
    }
    let all: Vec<u64> = (1..size)
        .rev()
        .filter(|index| reader.record(*index).unwrap().unwrap().leaf.contains(r#""department":"housing""#))
        .collect();
    assert_eq!(seen, all);
    let page = reader.records(&housing, Some(4000), 10).unwrap();
    let on: Vec<u64> = all.iter().rev().copied().filter(|index| *index > 4000).take(10).collect();
    assert_eq!(page.records.iter().map(|r| r.index).collect::<Vec<_>>(), on);
    let minute = Filter {
        from: Some(NOON.plus_seconds(21 * 60)),
        until: Some(NOON.plus_seconds(22 * 60)),
        ..housing.clone()
    };
    let (found, counted) = reader.look(Span::Hour, &minute, None, 1000).unwrap();
    assert_eq!((found.records.len(), counted.histogram[0].1, counted.histogram.len()), (50, 50, 1));
    assert_eq!(counted.sorts.iter().map(|count| count.records).sum::<u64>(), 100, "of other departments too");
}

#[tokio::test]
async fn records_that_the_index_does_not_tell_apart_are_looked_at_themselves() {
    let place = Site::new();
    let log = place.open().unwrap();
    for i in 0..30 {
        log.append(telling(i)).await.unwrap();
    }
    assert_eq!(log.reader().newest(&Filter::default(), None, 50).unwrap().records.len(), 31);
    drop(log);
    let mut index = sqlite::open_index(&place.data().join("audit-index.db")).unwrap();
    let untold = vec![0xff_u8; 31 * 3];
    diesel::update(schema::block::table)
        .set((schema::block::sorts.eq(&untold), schema::block::actors.eq(&untold)))
        .execute(&mut index)
        .unwrap();
    drop(index);
    let log = place.open().unwrap();
    let asked = Filter {
        operator: Some("official-0".into()),
        rule: Some("r-2".into()),
        outcome: Some("refused".into()),
        ..Filter::default()
    };
    let (found, counted) = log.reader().look(Span::Day, &asked, None, 9).unwrap();
    assert_eq!(found.records.iter().map(|r| r.index).collect::<Vec<_>>(), [16, 1]);
    assert_eq!((counted.untold, counted.histogram.len(), counted.sorts.len()), (31, 0, 0));
}

#[tokio::test]
async fn who_acted_is_counted_beside_what_matches_in_all_else() {
    let place = Site::new();
    let log = place.open().unwrap();
    for i in 0..30 {
        log.append(telling(i)).await.unwrap();
    }
    let asked = Filter { operator: Some("official-0".into()), rule: Some("r-2".into()), ..Filter::default() };
    let (_, counted) = log.reader().look(Span::Day, &asked, None, 9).unwrap();
    // Ten were refused, two of each of five officials; official-0 asked six times.
    let by: Vec<u64> = counted.operators.iter().map(|(_, records)| *records).collect();
    assert_eq!((by, counted.histogram[0].1), (vec![2; 5], 2));
    assert_eq!(counted.sorts.iter().map(|count| count.records).sum::<u64>(), 6);
}

#[tokio::test]
async fn what_the_index_could_not_read_does_not_count_as_filed() {
    let place = filled(20).await;
    let home = Home::of(&place.data(), None).unwrap();
    let indexer = index::Indexer {
        log: home.clone(),
        index: place.data().join("another.db"),
        readers: Arc::default(),
        key: Arc::new(SubjectKey::new(&Secret::new([7; 32])).unwrap()),
        shared: Arc::new(Shared::new("sluice.test/log")),
    };
    let another = sqlite::open_index(&indexer.index).unwrap();
    let mut another = filing::Filing::of(another, &indexer.index, 0).unwrap();
    indexer.chunk(&mut home.open_read_only().unwrap(), &mut another, 0, 21).unwrap();
    place.tamper("DELETE FROM record WHERE idx = 5");
    indexer.chunk(&mut home.open_read_only().unwrap(), &mut another, 0, 21).unwrap_err();
}
