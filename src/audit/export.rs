//! The log in other forms: JSON Lines with proofs, CSV, OCSF.
//!
//! JSON Lines is the whole truth: the first line holds the signed checkpoint, every other a
//! record with its inclusion proof, so that [`ExportCheck`] needs the public key and nothing
//! else. CSV and OCSF are views for spreadsheets and SIEMs and prove nothing by themselves; each
//! row names the record's leaf hash, by which its proof can be asked for.
//!
//! ```json
//! {"checkpoint": "origin\n2\n...", "first": 0, "count": 2}
//! {"index": 0, "leaf": "{...}", "proof": ["..."]}
//! {"index": 1, "leaf": "{...}", "proof": ["..."]}
//! ```
//!
//! Invariant: no cell of the CSV is ever taken for a formula by a spreadsheet.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::checkpoint::Checkpoint;
use super::facets::Facets;
use super::note::VerifyingKey;
use super::proof::{MAX_PROOF, check_inclusion};
use super::record::LeafHead;
use super::tree::Hash;
use super::verify::{Kind, Place, Report};
use crate::base::Timestamp;

/// The first line of a JSON Lines export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Header {
    /// The signed checkpoint that all proofs lead to.
    pub checkpoint: String,
    /// Index of the first record.
    pub first: u64,
    /// How many records follow.
    pub count: u64,
}

/// Every other line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// The record's index.
    pub index: u64,
    /// Its exact bytes.
    pub leaf: String,
    /// Its inclusion proof.
    pub proof: Vec<Hash>,
}

/// Checks a JSON Lines export line by line.
#[derive(Debug)]
pub struct ExportCheck {
    checkpoint: Option<Checkpoint>,
    next: u64,
    end: u64,
    report: Report,
}

impl ExportCheck {
    /// Begins with the first line.
    pub fn new(first_line: &str, key: &VerifyingKey) -> Self {
        let mut check = Self {
            checkpoint: None,
            next: 0,
            end: 0,
            report: Report { origin: key.name().into(), ..Report::default() },
        };
        let Ok(header) = serde_json::from_str::<Header>(first_line) else {
            check.report.add(Kind::Torn, Place::Store, "the first line is not the header of an export");
            return check;
        };
        check.next = header.first;
        check.end = header.first.saturating_add(header.count);
        match Checkpoint::open(&header.checkpoint, key) {
            Ok(checkpoint) => {
                check.report.size = checkpoint.size;
                check.report.root = Some(checkpoint.root);
                if check.end > checkpoint.size {
                    check.report.add(Kind::Extra, Place::Head, "it promises more records than were signed");
                }
                check.checkpoint = Some(checkpoint);
            }
            Err(_) => {
                check.report.add(
                    Kind::BadSignature,
                    Place::Head,
                    "the checkpoint is not signed by the given key",
                );
            }
        }
        check
    }

    /// Takes the next line.
    pub fn line(&mut self, line: &str) {
        let expected = record(self.next);
        let line: Line = match serde_json::from_str(line) {
            Ok(line) => line,
            Err(e) => {
                let kind = if e.is_eof() { Kind::Torn } else { Kind::Altered };
                self.report.add(kind, expected, "the line is not a record with its proof");
                self.next = self.next.saturating_add(1);
                return;
            }
        };
        let place = record(line.index);
        if line.index < self.next {
            self.report.add(Kind::Reordered, place.clone(), "it stands behind a later record");
        } else {
            self.missing(line.index.min(self.end));
            self.next = line.index.saturating_add(1);
        }
        if line.index >= self.end {
            self.report.add(Kind::Extra, place.clone(), "the header does not count it");
        }
        if LeafHead::parse(line.leaf.as_bytes()).map(|head| head.index) != Ok(line.index) {
            self.report.add(Kind::Altered, place, "it does not say that it stands here");
            return;
        }
        let Some(checkpoint) = &self.checkpoint else { return };
        let leaf = Hash::of_leaf(line.leaf.as_bytes());
        let leads = line.proof.len() <= MAX_PROOF
            && check_inclusion(&leaf, line.index, checkpoint.size, &line.proof, &checkpoint.root);
        if !leads {
            self.report.add(Kind::Altered, place, "its proof does not lead to the signed checkpoint");
        }
    }

    /// How far it is, and how far it goes.
    pub fn progress(&self) -> (u64, u64) {
        (self.next, self.end)
    }

    /// Says what was found.
    pub fn finish(mut self) -> Report {
        self.missing(self.end);
        self.report
    }

    /// Notes that no line came for the records from the next one up to `end`. In one step, however
    /// many: the numbers stand in the export, and nobody has signed them.
    fn missing(&mut self, end: u64) {
        let place = match end.saturating_sub(self.next) {
            0 => return,
            1 => record(self.next),
            _ => Place::Records(self.next, end - 1),
        };
        self.report.add(Kind::Missing, place, "there is no such line");
    }
}

/// The place of a record; an index that no log reaches stands for the greatest.
fn record(index: u64) -> Place {
    Place::Record(i64::try_from(index).unwrap_or(i64::MAX))
}

/// The first row of the CSV.
pub const CSV_HEADER: &str =
    "index,time,kind,request_id,department,system,operator,case,purpose,dataset,outcome,leaf_hash\r\n";

/// A row of the CSV (RFC 4180), all cells quoted.
pub fn csv_row(leaf: &[u8]) -> String {
    let facets = Facets::of(leaf);
    let cells = [
        &facets.index.to_string(),
        &*facets.time,
        &facets.kind,
        &facets.request_id,
        &facets.caller.department,
        &facets.caller.system,
        &facets.operator,
        &facets.case,
        &facets.purpose,
        &facets.dataset,
        &facets.outcome,
        &Hash::of_leaf(leaf).to_string(),
    ]
    .map(csv_cell);
    format!("{}\r\n", cells.join(","))
}

/// A cell that no spreadsheet computes: one that begins like a formula gets an apostrophe.
fn csv_cell(text: &str) -> String {
    let bare = text.trim_start();
    let formula = bare.starts_with(['=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}'])
        || text.starts_with(['\t', '\r', '\n']);
    format!("\"{}{}\"", if formula { "'" } else { "" }, text.replace('"', "\"\""))
}

/// A record as an OCSF 1.3 event of class API Activity (6003).
pub fn ocsf(origin: &str, leaf: &[u8]) -> serde_json::Value {
    let facets = Facets::of(leaf);
    // Read for queries, Other for the rest (`activity_id`).
    let activity = if facets.kind == "query" { 2 } else { 99 };
    let millis = Timestamp::parse(&facets.time).map_or(0, |time| time.micros() / 1000);
    let (status, status_id) = match &*facets.outcome {
        "ok" => ("Success", 1),
        "" => ("Unknown", 0),
        _ => ("Failure", 2),
    };
    json!({
        "class_uid": 6003,
        "class_name": "API Activity",
        "category_uid": 6,
        "category_name": "Application Activity",
        "activity_id": activity,
        "activity_name": if activity == 2 { "Read" } else { &*facets.kind },
        "type_uid": 600_300 + activity,
        "severity_id": 1,
        "time": millis,
        "status": status,
        "status_id": status_id,
        "status_code": facets.outcome,
        "actor": { "app_name": facets.caller.system, "user": { "uid": facets.operator, "org": { "name": facets.caller.department } } },
        "src_endpoint": { "name": facets.caller.system },
        "api": {
            "operation": facets.kind,
            "service": { "name": facets.dataset },
            "request": { "uid": facets.request_id },
        },
        "metadata": {
            "version": "1.3.0",
            "product": { "name": "Sluice", "vendor_name": "Sluice" },
            "log_name": origin,
            "sequence": facets.index,
            "uid": Hash::of_leaf(leaf),
        },
        "unmapped": { "purpose": facets.purpose, "case": facets.case },
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use super::super::note::SigningKey;
    use super::super::proof::{inclusion, tests::Tiles};
    use super::super::record::{Draft, leaf};
    use super::*;

    fn export() -> (Vec<String>, SigningKey) {
        let key = SigningKey::generate("log", &ring::rand::SystemRandom::new()).unwrap();
        let leaves: Vec<_> =
            (0..6).map(|i| leaf(&mut Draft::new("query").into_parts().0, i, Timestamp::default())).collect();
        let (mut tiles, tree) = Tiles::of(leaves.iter().map(|l| Hash::of_leaf(l)));
        let checkpoint = Checkpoint::sign(6, &tree.root(), &key, &[]);
        let header = Header { checkpoint, first: 0, count: 6 };
        let mut lines = vec![serde_json::to_string(&header).unwrap()];
        for (index, leaf) in (0u64..).zip(&leaves) {
            let proof = inclusion(&mut tiles, index, 6).unwrap();
            let line = Line { index, leaf: String::from_utf8(leaf.clone()).unwrap(), proof };
            lines.push(serde_json::to_string(&line).unwrap());
        }
        (lines, key)
    }

    fn check(lines: &[String], key: &SigningKey) -> Vec<String> {
        let mut check = ExportCheck::new(&lines[0], key.public());
        lines[1..].iter().for_each(|line| check.line(line));
        check.finish().damage.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn an_export_checks_with_the_public_key_alone() {
        let (lines, key) = export();
        assert!(check(&lines, &key).is_empty());
    }

    #[test]
    fn every_way_to_spoil_an_export_is_named() {
        let (lines, key) = export();
        let spoil = |change: &dyn Fn(&mut Vec<String>)| {
            let mut lines = lines.clone();
            change(&mut lines);
            check(&lines, &key)
        };
        let altered = spoil(&|l| l[3] = l[3].replace("query", "quern"));
        assert_eq!(altered, ["altered: record 2: its proof does not lead to the signed checkpoint"]);
        let missing = spoil(&|l| drop(l.remove(3)));
        assert_eq!(missing, ["missing: record 2: there is no such line"]);
        let cut = spoil(&|l| l.truncate(4));
        assert_eq!(cut, ["missing: records 3 to 5: there is no such line"]);
        let swapped = spoil(&|l| l.swap(3, 4));
        assert!(swapped.contains(&"reordered: record 2: it stands behind a later record".to_owned()));
        let torn = spoil(&|l| l[6].truncate(20));
        assert_eq!(torn, ["torn: record 5: the line is not a record with its proof"]);
        let forged = spoil(&|l| l[0] = l[0].replace("\\n6\\n", "\\n7\\n"));
        assert_eq!(
            forged,
            ["bad-signature: head: the newest checkpoint: the checkpoint is not signed by the given key"]
        );
    }

    #[test]
    fn numbers_that_no_log_reaches_are_named_at_once() {
        let (lines, key) = export();
        let mut header: Header = serde_json::from_str(&lines[0]).unwrap();
        (header.first, header.count) = (1, u64::MAX);
        let mut last: Line = serde_json::from_str(&lines[6]).unwrap();
        last.index = u64::MAX;
        let header = serde_json::to_string(&header).unwrap();
        let last = serde_json::to_string(&last).unwrap();
        let found = check(&[header.clone(), "{".into(), last, "{".into()], &key);
        let missing = format!("missing: records 2 to {}: there is no such line", u64::MAX - 1);
        assert!(found.contains(&missing), "{found:?}");
        assert_eq!(check(&[header], &key).len(), 2, "more is promised than was signed, and nothing comes");
    }

    #[test]
    fn no_cell_is_a_formula() {
        for text in ["=1+1", "+1", "-1", "@x", "\t=1", " =1", "\r1", "\u{ff1d}1"] {
            assert!(csv_cell(text).starts_with("\"'"), "{text:?}");
        }
        assert_eq!(csv_cell("a\"b"), "\"a\"\"b\"");
        let mut draft = Draft::new("query");
        draft.members().text("operator", "=HYPERLINK(\"x\")").text("outcome", "ok");
        let row = csv_row(&leaf(&mut draft.into_parts().0, 4, Timestamp::default()));
        assert!(row.starts_with(
            "\"4\",\"1970-01-01T00:00:00.000000Z\",\"query\",\"\",\"\",\"\",\"'=HYPERLINK(\"\"x\"\")\","
        ));
    }

    #[test]
    fn a_query_is_an_ocsf_read_and_a_refusal_a_failure() {
        let mut draft = Draft::new("query");
        draft.members().text("outcome", "refused").text("dataset", "civil.subsistence");
        let event = ocsf("log", &leaf(&mut draft.into_parts().0, 4, Timestamp::from_micros(5_000_000)));
        assert_eq!(
            (&event["type_uid"], &event["status_id"], &event["time"]),
            (&json!(600_302), &json!(2), &json!(5000))
        );
        assert_eq!(event["api"]["service"]["name"], "civil.subsistence");
    }
}
