//! A rule of the house: migrations only add.
//!
//! Gateways are upgraded one by one while the others serve, and one may have to be put back, so a
//! gateway of the release before works on the schema of this one. What is no longer used is taken away
//! a release later, under a number that begins with a higher digit: older programs refuse it then.

use std::collections::BTreeSet;
use std::path::Path;

/// Those from before the rule.
const BEFORE: [&str; 22] = [
    "postgres/audit/0001_log",
    "postgres/state/00000000000001_state",
    "postgres/state/00000000000002_grants",
    "postgres/state/00000000000003_people",
    "postgres/state/00000000000004_flow",
    "postgres/state/00000000000005_notices",
    "postgres/state/00000000000006_grants_use",
    "postgres/state/00000000000011_attempts",
    "postgres/state/00000000000012_seals",
    "sqlite/anchors/00000000000001_anchors",
    "sqlite/audit/0001_index",
    "sqlite/audit/0001_log",
    "sqlite/audit/0002_index",
    "sqlite/state/00000000000001_state",
    "sqlite/state/00000000000002_grants",
    "sqlite/state/00000000000003_people",
    "sqlite/state/00000000000004_flow",
    "sqlite/state/00000000000005_notices",
    "sqlite/state/00000000000006_grants_use",
    "sqlite/state/00000000000011_attempts",
    "sqlite/state/00000000000012_seals",
    "sqlite/witness/00000000000001_witness",
];

/// Those that do more than add, and were looked at: why a gateway of the release before goes on.
const LOOKED_AT: [&str; 2] = [
    // What it fills is its own new column; its trigger does so for rows that an older gateway inserts.
    "postgres/state/00000000000050_inbox",
    "sqlite/state/00000000000050_inbox",
];

/// What each gateway builds anew by itself, so that it may change freely.
const BUILT_ANEW: &str = "sqlite/audit/0003_index";

#[test]
fn migrations_only_add() {
    let mut found = Vec::new();
    let mut seen = 0;
    for folder in folders() {
        seen += 1;
        if [&BEFORE[..], &LOOKED_AT].concat().contains(&folder.as_str())
            || takes_away(&folder)
            || folder == BUILT_ANEW
        {
            continue;
        }
        let up = root().join(&folder).join("up.sql");
        found.extend(harms(&std::fs::read_to_string(up).unwrap()).map(|harm| format!("{folder}: {harm}")));
    }
    assert!(seen >= BEFORE.len(), "{seen}");
    assert!(found.is_empty(), "a gateway of the release before could not go on:\n{}", found.join("\n"));
}

#[test]
fn each_rule_is_kept_by_what_adds_and_broken_by_what_does_not() {
    let adds = "-- A table; DROP TABLE in words.\nCREATE TABLE consents (id TEXT NOT NULL PRIMARY KEY,\n\
                state TEXT NOT NULL CHECK (state IN ('a', 'b;c')));\nCREATE UNIQUE INDEX c ON consents (state);\n\
                INSERT INTO consents (id, state) VALUES ('x', 'a');\nCREATE INDEX a ON acts (at);\n\
                ALTER TABLE grants ADD COLUMN note TEXT;\n\
                ALTER TABLE quota ADD COLUMN people BIGINT NOT NULL DEFAULT 0;\n\
                GRANT SELECT ON consents TO sluice_gateway;\n";
    assert_eq!(harms(adds).collect::<Vec<_>>(), [""; 0]);
    for harm in [
        "DROP TABLE grants",
        "DROP INDEX acts_object",
        "ALTER TABLE grants DROP COLUMN digest",
        "ALTER TABLE grants RENAME COLUMN digest TO hash",
        "ALTER TABLE grants RENAME TO rights",
        "ALTER TABLE grants ADD COLUMN note TEXT NOT NULL",
        "ALTER TABLE grants ADD COLUMN note TEXT UNIQUE",
        "ALTER TABLE grants ADD COLUMN note TEXT, DROP COLUMN digest",
        "ALTER TABLE grants ADD COLUMN note TEXT, ALTER COLUMN state SET NOT NULL",
        "ALTER TABLE grants ADD COLUMN note TEXT, ADD CONSTRAINT c CHECK (note <> '')",
        "ALTER TABLE grants ADD CONSTRAINT c CHECK (since > 0)",
        "ALTER TABLE grants ALTER COLUMN since TYPE TEXT",
        "CREATE UNIQUE INDEX g ON grants (digest)",
        "CREATE TRIGGER t BEFORE INSERT ON acts BEGIN SELECT 1; END",
        "UPDATE grants SET state = 'ended'",
        "DELETE FROM acts",
        "INSERT INTO acts (kind) VALUES ('x')",
        "REVOKE INSERT ON acts FROM sluice_gateway",
        "CREATE TABLE acts_new (seq BIGINT); INSERT INTO acts_new SELECT seq FROM acts; DROP TABLE acts",
    ] {
        assert!(harms(harm).next().is_some(), "{harm}");
    }
    assert!(
        takes_away("postgres/state/10000000000001_grants") && !takes_away("postgres/state/00000000000040_x")
    );
}

/// Is its number one under which something may be taken away?
fn takes_away(folder: &str) -> bool {
    folder.rsplit('/').next().is_some_and(|name| !name.starts_with('0'))
}

/// The statements that do more than add.
fn harms(sql: &str) -> impl Iterator<Item = String> {
    let statements = statements(sql);
    // What a migration makes itself is nobody else's yet.
    let own: BTreeSet<String> =
        statements.iter().filter_map(|words| words.strip_prefix("CREATE TABLE ").map(name)).collect();
    statements.into_iter().filter(move |statement| !adds(statement, &own))
}

fn adds(statement: &str, own: &BTreeSet<String>) -> bool {
    let is_own = |behind: &str| own.contains(&name(behind));
    if statement.starts_with("CREATE TABLE ")
        || statement.starts_with("CREATE INDEX ")
        || statement.starts_with("GRANT ")
    {
        return true;
    }
    if let Some(index) = statement.strip_prefix("CREATE UNIQUE INDEX ") {
        return index.split_once(" ON ").is_some_and(|(_, table)| is_own(table));
    }
    if let Some(table) = statement.strip_prefix("INSERT INTO ") {
        return is_own(table);
    }
    let Some((_, column)) =
        statement.strip_prefix("ALTER TABLE ").and_then(|rest| rest.split_once(" ADD COLUMN "))
    else {
        return false;
    };
    let words: Vec<&str> = column.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let has = |word: &str| words.contains(&word);
    let more = ["DROP", "RENAME", "ALTER", "ADD", "UNIQUE", "PRIMARY", "CONSTRAINT"].into_iter().any(has);
    let needs_a_value = column.contains("NOT NULL") && !has("DEFAULT");
    !more && !needs_a_value
}

/// The statements in capitals, each on one line, without comments and what is in quotes.
fn statements(sql: &str) -> Vec<String> {
    let code: String = sql
        .lines()
        .map(|line| line.split("--").next().unwrap_or_default())
        .fold(String::new(), |code, line| code + line + " ");
    let unquoted: String = code.split('\'').step_by(2).collect::<Vec<_>>().join("''");
    let one_line =
        |statement: &str| statement.split_whitespace().collect::<Vec<_>>().join(" ").to_uppercase();
    unquoted.split(';').map(one_line).filter(|statement| !statement.is_empty()).collect()
}

/// The first name of what is behind a keyword.
fn name(behind: &str) -> String {
    let behind = behind.trim_start_matches("IF NOT EXISTS ");
    behind.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned()
}

/// The folders of migrations, such as `postgres/state/00000000000012_seals`.
fn folders() -> Vec<String> {
    let below = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
        folders.sort();
        folders
    };
    let places = below(&root()).into_iter().flat_map(|engine| below(&engine));
    let migrations = places.flat_map(|place| below(&place));
    migrations.map(|path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()).collect()
}

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations")
}
