//! What a broken catalogue is told: code, file, line.

use super::*;

const DEPARTMENTS: &str = r#"[[department]]
id = "civil"
title = { zh = "民政局", en = "Civil affairs" }
"#;

const PURPOSES: &str = r#"[[purpose]]
id = "aid"
title = { zh = "救助", en = "Aid" }
basis = "《社会救助暂行办法》"
"#;

pub(crate) const LIST: &str = r#"{
  "x-dataset": {
    "code": "civil.list",
    "provider": "civil",
    "title": { "zh": "名单", "en": "List" },
    "summary": { "zh": "名单", "en": "List" },
    "update_cycle": "daily",
    "mode": "service",
    "conditions": { "zh": "无", "en": "None" },
    "subject": { "member": "id_number", "identifier": "resident-id" },
    "purposes": ["aid"]
  },
  "type": "object",
  "properties": {
    "status": {
      "title": "状态",
      "x-title-en": "Status",
      "type": "string",
      "x-sharing": { "class": "unconditional", "level": "internal", "forms": { "exists": {}, "plain": {} } }
    },
    "income": {
      "title": "收入",
      "x-title-en": "Income",
      "type": ["integer", "null"],
      "x-sharing": {
        "class": "conditional",
        "level": "sensitive",
        "forms": { "predicate": { "compare": [{ "op": "<", "value": 3000 }] }, "band": { "by": { "edges": [0, 2000] } } }
      }
    }
  },
  "required": ["status"]
}"#;

/// A catalogue of one dataset.
pub(crate) fn catalogue() -> Catalogue {
    load(LIST).unwrap_or_else(|findings| panic!("{findings}"))
}

fn load(list: &str) -> Result<Catalogue, Findings> {
    let files = [
        ("schemas/departments.toml", DEPARTMENTS),
        ("schemas/purposes.toml", PURPOSES),
        ("schemas/civil.list.json", list),
    ];
    Catalogue::load(&sources_of(&files)).map(|(catalogue, _)| catalogue)
}

/// The faults after replacing `from` by `to`: `code:line`.
fn faults(from: &str, to: &str) -> Vec<String> {
    assert!(LIST.contains(from), "{from}");
    let findings = load(&LIST.replacen(from, to, 1)).err().unwrap_or_default();
    findings.0.iter().map(|f| format!("{}:{}", f.code, f.line)).collect()
}

#[test]
fn a_sound_catalogue_is_read_whole() {
    let catalogue = catalogue();
    let dataset = catalogue.datasets.values().next().unwrap();
    assert_eq!(dataset.fields.iter().map(|f| f.name.as_str()).collect::<Vec<_>>(), ["status", "income"]);
    assert_eq!((dataset.class(), dataset.level().as_str()), (Class::Conditional, "sensitive"));
    assert_eq!(dataset.field("income").unwrap().kind, "integer or null");
}

#[test]
fn each_fault_is_named_with_its_line() {
    for (from, to, fault) in [
        ("\"type\": \"object\",", "\"type\": \"object\"", "json-syntax:14"),
        ("\"code\": \"civil.list\"", "\"code\": \"civil.other\"", "file-name:3"),
        ("\"provider\": \"civil\"", "\"provider\": \"nobody\"", "unknown-department:4"),
        ("\"purposes\": [\"aid\"]", "\"purposes\": [\"curiosity\"]", "unknown-purpose:11"),
        ("\"mode\": \"service\",", "\"mode\": \"service\", \"colour\": 1,", "member-invalid:2"),
        ("      \"x-title-en\": \"Status\",\n", "", "member-missing:15"),
        ("\"class\": \"unconditional\"", "\"class\": \"withheld\"", "withheld-without-basis:19"),
        ("\"forms\": { \"exists\": {}, \"plain\": {} }", "\"forms\": {}", "no-forms:19"),
        ("\"plain\": {}", "\"mask\": {}", "form-terms:19"),
        ("\"plain\": {}", "\"plain\": { \"purposes\": [\"other\"] }", "unknown-purpose:19"),
        ("[0, 2000]", "[2000, 0]", "form-terms:28"),
        ("\"compare\": [{ \"op\": \"<\", \"value\": 3000 }]", "\"compare\": []", "form-terms:28"),
        ("\"type\": \"string\"", "\"type\": \"strange\"", "schema-invalid:15"),
        ("\"type\": \"string\"", "\"$ref\": \"https://elsewhere.example/schema\"", "schema-invalid:15"),
    ] {
        assert_eq!(faults(from, to), [fault], "{to}");
    }
}

#[test]
fn all_faults_are_found_in_one_run() {
    let broken = LIST.replace("\"provider\": \"civil\"", "\"provider\": \"x\"").replace("[0, 2000]", "[]");
    assert_eq!(load(&broken).err().unwrap().0.len(), 2);
}

#[test]
fn a_missing_or_broken_list_of_departments_is_named() {
    let files = [("schemas/departments.toml", "[[department]]\nid = 7\n"), ("schemas/civil.list.json", LIST)];
    let findings = Catalogue::load(&sources_of(&files)).err().unwrap();
    let told: Vec<_> = findings.0.iter().map(|f| (f.code, f.file.as_str(), f.line)).collect();
    assert!(told.contains(&("toml-syntax", "schemas/departments.toml", 2)), "{told:?}");
    assert!(told.contains(&("file-missing", "schemas/purposes.toml", 0)), "{told:?}");
}
