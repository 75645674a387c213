//! What broken rules of the workflow are told: code, file, line.

use super::world::{WORKFLOW, sources};
use crate::approval::workflow::CALENDAR;
use crate::approval::{Terms, Workflow};
use crate::base::{Finding, Sources, Timestamp};
use crate::catalogue::{Catalogue, Form};

fn load(sources: &Sources) -> Vec<Finding> {
    let (catalogue, _) = Catalogue::load(sources).unwrap();
    match Workflow::load(sources, &catalogue) {
        Ok((_, warnings)) => warnings.0,
        Err(findings) => findings.0,
    }
}

/// The codes found after a replacement, each with the line it is on.
fn found(from: &str, to: &str) -> Vec<(&'static str, String)> {
    assert!(WORKFLOW.contains(from), "{from}");
    let text = WORKFLOW.replacen(from, to, 1);
    let line = |n: usize| text.lines().nth(n.wrapping_sub(1)).unwrap_or_default().to_owned();
    load(&sources(&text)).iter().map(|finding| (finding.code, line(finding.line))).collect()
}

fn in_calendar(text: &str) -> Vec<(&'static str, usize)> {
    let mut sources = sources(WORKFLOW);
    sources.0.insert(CALENDAR.to_owned(), text.to_owned());
    load(&sources).iter().map(|finding| (finding.code, finding.line)).collect()
}

#[test]
fn the_rules_of_the_small_world_hold_together() {
    assert_eq!(load(&sources(WORKFLOW)), []);
}

#[test]
fn each_fault_is_found_on_its_line() {
    let cases = [
        (r#"internal = [["sharing_lead"]]"#, "internal = []", "stages-empty", "internal = []"),
        (r#"public = [["sharing_lead"]]"#, r#"public = [[], ["sharing_lead"]]"#, "stage-empty", "public"),
        (r#"public = [["sharing_lead"]]"#, r#"public = [["leader"]]"#, "stages-without-lead", "public"),
        (
            r#"public = [["sharing_lead"]]"#,
            r#"public = [["sharing_lead"], ["sharing_lead"]]"#,
            "stage-role-twice",
            "public",
        ),
        (
            r#"public = [["sharing_lead"]]"#,
            r#"public = [["auditor"], ["sharing_lead"]]"#,
            "stage-role",
            "public",
        ),
        (r#"public = [["sharing_lead"]]"#, r#"public = [["king"]]"#, "toml-syntax", "public"),
        (
            "[answer]",
            "[[stages.dataset]]\ndataset = \"civil.none\"\nstages = [[\"sharing_lead\"]]\n[answer]",
            "unknown-dataset",
            "[[stages.dataset]]",
        ),
        ("remind = 2", "remind = 10", "out-of-bounds", "[answer]"),
        ("conditional = 10", "conditional = 0", "out-of-bounds", "[answer]"),
        ("resume = 2", "resume = 1", "out-of-bounds", "[grant]"),
        ("delegation = 30", "delegation = 0", "out-of-bounds", "[people]"),
        ("consent = 10", "consent = 0", "out-of-bounds", "[lapse]"),
        (r#"code = "beyond-need""#, r#"code = "material-incomplete""#, "reason-incomplete", "[[reason]]"),
        (r#"zh = "超出必要范围""#, r#"zh = "材料不全""#, "reason-incomplete", "[[reason]]"),
        (r#"en = "More than needed""#, r#"en = """#, "reason-text", "[[reason]]"),
        (
            "[[toxic]]",
            "[[reason]]\ncode = \"beyond-need\"\nzh = \"超\"\nen = \"x\"\nbasis = \"法\"\n[[toxic]]",
            "reason-twice",
            "[[reason]]",
        ),
        ("civil.list.sex", "civil.list.gender", "unknown-field", "  { fields = [\"civil.list.gender\"]"),
        (
            r#"["civil.list.sex"], forms = ["plain"]"#,
            r#"["civil.list.sex"], forms = ["mask"]"#,
            "toxic-form",
            "  { fields",
        ),
        (r#"name = "masked-id-and-age""#, r#"name = "birth-sex-community""#, "toxic-twice", "[[toxic]]"),
        (r#"identifier = "resident-id""#, r#"identifier = "bank-card""#, "toxic-part", "  { identifier"),
        ("minutes = 60", "minutes = 0", "out-of-bounds", "[emergency]"),
        (
            r#"field = "name", form = "plain""#,
            r#"field = "custody", form = "plain""#,
            "withheld-in-plain",
            "[[emerg",
        ),
        (
            r#"field = "name", form = "plain""#,
            r#"field = "name", form = "band""#,
            "form-not-listed",
            "[[emerg",
        ),
        ("purpose = \"aid\"", "purpose = \"fun\"", "unknown-purpose", "[[emerg"),
    ];
    for (from, to, code, line) in cases {
        let found = found(from, to);
        assert!(found.iter().any(|(c, l)| *c == code && l.starts_with(line)), "{to}: {found:?}");
    }
}

#[test]
fn files_that_are_missing_are_errors() {
    for file in ["policies/workflow.toml", CALENDAR] {
        let mut sources = sources(WORKFLOW);
        sources.0.remove(file);
        assert_eq!(
            load(&sources).iter().map(|f| (f.code, f.file.as_str())).collect::<Vec<_>>(),
            [("file-missing", file)]
        );
    }
}

#[test]
fn a_calendar_that_contradicts_itself_is_refused() {
    let year = |year: i32, off: &str, work: &str| {
        format!("[[year]]\nyear = {year}\nnotice = \"通知\"\noff = [{off}]\nwork = [{work}]\n")
    };
    assert_eq!(in_calendar(&year(2026, r#""2026-01-01""#, r#""2026-01-04""#)), []);
    assert_eq!(in_calendar(&year(2026, r#""2025-01-01""#, "")), [("calendar-day", 4)], "another year");
    assert_eq!(in_calendar(&year(2026, "", r#""2026-01-05""#)), [("calendar-day", 5)], "a Monday");
    let both = in_calendar(&year(2026, r#""2026-01-04""#, r#""2026-01-04""#));
    assert_eq!(both, [("calendar-day", 1)], "off and worked");
    assert_eq!(in_calendar(&year(2026, r#""2026-01-01", "2026-01-01""#, "")), [("calendar-day", 4)]);
    assert_eq!(in_calendar(&[2025, 2027].map(|n| year(n, "", "")).concat()), [("calendar-gap", 1)]);
    assert_eq!(in_calendar(&[2025, 2025].map(|n| year(n, "", "")).concat()), [("calendar-twice", 6)]);
    assert_eq!(in_calendar(""), [("calendar-empty", 1)]);
    assert_eq!(in_calendar(&year(2026, r#""2026-02-30""#, "")), [("toml-syntax", 4)]);
}

#[test]
fn a_year_that_is_not_published_is_worth_a_look_when_it_is_near() {
    let sources = sources(WORKFLOW);
    let (catalogue, _) = Catalogue::load(&sources).unwrap();
    let (workflow, _) = Workflow::load(&sources, &catalogue).unwrap();
    let years = |now: &str| workflow.worn(Timestamp::parse(now).unwrap()).0.len();
    assert_eq!(years("2026-11-22T00:00:00Z"), 0);
    assert_eq!(years("2026-11-30T16:00:00Z"), 1, "December in Shanghai");
    assert_eq!(years("2027-12-01T00:00:00Z"), 2);
}

#[test]
fn stages_go_by_what_is_asked_the_level_and_the_dataset() {
    let own =
        "[[stages.dataset]]\ndataset = \"civil.pay\"\nstages = [[\"leader\", \"sharing_lead\"]]\n[answer]";
    let sources = sources(&WORKFLOW.replacen("[answer]", own, 1));
    let (catalogue, _) = Catalogue::load(&sources).unwrap();
    let (workflow, _) = Workflow::load(&sources, &catalogue).unwrap();
    let stages = |dataset: &str, field: &str| {
        let fields = vec![super::world::field(field, Form::Exists)];
        let dataset = crate::base::ids::DatasetId::parse(dataset).unwrap();
        workflow.stages(&Terms { dataset, fields, ..super::world::terms() }, &catalogue).len()
    };
    assert_eq!(stages("civil.list", "status"), 0, "unconditional");
    assert_eq!(stages("civil.list", "income"), 3, "sensitive");
    assert_eq!(stages("civil.secret", "held"), 2, "core");
    assert_eq!(stages("civil.pay", "amount"), 1, "its own way");
    assert_eq!(stages("civil.gone", "amount"), 1, "a dataset that is gone needs everybody");
}
