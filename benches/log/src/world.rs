//! What is recorded: queries of many systems, as uneven as they are in life; a year of them, however
//! many there are.
//!
//! One record in a hundred is an administrative act and three are pages of the console. Of each
//! facet there is a value that is in most records, and one that is in one of a million.

use std::sync::atomic::{AtomicI64, Ordering};

use sluice::audit::{Draft, Object};
use sluice::base::{Clock, Timestamp};

/// The first moment of the year: 1 January 2026 in Shanghai.
const BEGIN: i64 = 1_767_196_800_000_000;
/// Its length in microseconds.
const YEAR: i64 = 365 * 86_400 * 1_000_000;

const DEPARTMENTS: u64 = 12;
const SYSTEMS: u64 = 150;
const DATASETS: u64 = 80;
/// Officials of each system.
const OFFICIALS: u64 = 40;
/// One record of so many has the rare value of every facet.
const RARE: u64 = 1_000_003;

/// The forms in which the fields of a query are given, the first the most often.
const FORMS: [&str; 4] = ["plain", "masked", "predicate", "banded"];

/// A clock that goes with the records, and never back.
#[derive(Debug)]
pub struct Pace {
    now: AtomicI64,
    step: i64,
}

impl Pace {
    /// So that so many records make a year.
    pub fn new(records: u64) -> Self {
        Self { now: AtomicI64::new(BEGIN), step: YEAR / records.max(1) as i64 }
    }

    /// The time has come of that record.
    pub fn reach(&self, index: u64) {
        self.now.fetch_max(BEGIN + self.step * index as i64, Ordering::SeqCst);
    }
}

impl Clock for Pace {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.now.load(Ordering::SeqCst))
    }
}

/// What happened as that record, about as long as the gateway's own.
pub fn happened(number: u64, people: u64) -> Draft {
    let chance = scattered(number);
    match chance % 100 {
        0 => act(number),
        1..4 => page(chance),
        _ => query(number, chance, people),
    }
}

fn act(number: u64) -> Draft {
    let mut draft = Draft::new("administration");
    draft
        .members()
        .number("act", number)
        .text("action", if number.is_multiple_of(2) { "grant-active" } else { "grant-ended" })
        .text("object", &format!("G-2026-{:06}", number % 50_000))
        .text("detail", &"ab".repeat(32))
        .text("done_at", &Timestamp::from_micros(BEGIN + number as i64).to_string())
        .text("done_by", "uid 0");
    draft
}

fn page(chance: u64) -> Draft {
    let mut caller = Object::new();
    caller
        .text("department", &format!("department-{}", chance % DEPARTMENTS))
        .text("account", &format!("account-{}", chance / 7 % 300));
    let mut draft = Draft::new("console");
    draft
        .members()
        .object("caller", &caller)
        .text("request_id", &format!("{chance:032x}"))
        .text("outcome", "ok");
    draft
}

fn query(number: u64, chance: u64, people: u64) -> Draft {
    let rare = number > 0 && number.is_multiple_of(RARE);
    let or_rare = |name: String| if rare { "rare".to_owned() } else { name };
    let system = uneven(chance >> 8, SYSTEMS);
    let dataset = (system * 7 + uneven(chance >> 16, 3) * 13) % DATASETS;
    let refused = (chance >> 24).is_multiple_of(25);
    let mut caller = Object::new();
    caller
        .text("certificate", &"5f".repeat(32))
        .text("department", &or_rare(format!("department-{}", system % DEPARTMENTS)))
        .text("system", &or_rare(format!("system-{system}")));
    let field = |at: u64| {
        let mut field = Object::new();
        let name = if at == 0 { "status".to_owned() } else { format!("field_{}_{at}", dataset % 20) };
        field.text("field", &or_rare(name));
        let rule = if at.is_multiple_of(2) {
            format!("R-{dataset:03}-{at}")
        } else {
            format!("grant:G-2026-{system:03}{dataset:03}")
        };
        field.text("rule", &or_rare(rule));
        match refused && at == 1 {
            true => field.text("code", "no-rule"),
            false => field.text("form", if rare { "full" } else { FORMS[(at % 4) as usize] }),
        };
        field
    };
    let fields: Vec<Object> = (0..2 + uneven(chance >> 32, 3)).map(field).collect();
    let outcome = if rare {
        "provider-timeout"
    } else if refused {
        "field-refused"
    } else {
        "ok"
    };
    let operator = format!("official-{}", system * OFFICIALS + uneven(chance >> 40, OFFICIALS));
    let mut draft = Draft::new("query");
    draft
        .members()
        .text("request_id", &format!("{number:032x}"))
        .object("caller", &caller)
        .text("operator", &or_rare(operator))
        .text("case", "AQ-2026-000007")
        .text("dataset", &or_rare(format!("register.dataset-{dataset}")))
        .text("purpose", &or_rare(format!("purpose-{}.review", (system + uneven(chance >> 48, 2)) % 30)))
        .objects("fields", &fields)
        .text("outcome", outcome);
    draft.subject("resident-id", &person(scattered(number) % people));
    draft
}

/// Somebody's number.
pub fn person(number: u64) -> String {
    format!("110105{number:012}")
}

/// One of `count`, the first ones much more often than the last.
fn uneven(chance: u64, count: u64) -> u64 {
    let share = (chance % 1024) as f64 / 1024.0;
    (share.powi(3) * count as f64) as u64
}

/// Spreads neighbouring numbers (the finaliser of SplitMix64), so that nothing comes in order.
fn scattered(number: u64) -> u64 {
    let mixed = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}
