//! A record's bytes out of a log that somebody may have changed: what is shown of it is one line
//! of CSV that no spreadsheet computes, and one event.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::audit::export::{csv_row, ocsf};
use sluice::audit::facets::Facets;
use sluice::audit::record::LeafHead;

fuzz_target!(|data: &[u8]| {
    let head = LeafHead::parse(data);
    let row = csv_row(data);
    let cells = cells(&row);
    assert_eq!(cells.len(), 12);
    for cell in cells.iter().map(|cell| cell.trim_start()) {
        assert!(!cell.starts_with(['=', '+', '-', '@']), "{cell:?}");
    }
    let event = ocsf("log", data);
    // What cannot be read whole is shown as empty; what can be names the record that it is.
    if let Ok(head) = head
        && Facets::of(data) != Facets::default()
    {
        assert_eq!(cells[0], head.index.to_string());
        assert_eq!(event["metadata"]["sequence"], head.index);
    }
});

/// The cells of one row, all of them quoted (RFC 4180).
fn cells(row: &str) -> Vec<String> {
    let row = row.strip_suffix("\r\n").unwrap();
    let mut cells = vec![String::new()];
    let (mut quoted, mut before) = (false, ',');
    for c in row.chars() {
        match c {
            '"' if !quoted && before == '"' => cells.last_mut().unwrap().push('"'),
            '"' => {}
            ',' if !quoted => cells.push(String::new()),
            c => {
                assert!(quoted, "{c:?} stands outside of quotes");
                cells.last_mut().unwrap().push(c);
            }
        }
        quoted ^= c == '"';
        before = c;
    }
    assert!(!quoted);
    cells
}
