//! The rules of the house, kept by reading the sources.
//!
//! Who may import whom is read from the table in `src/lib.rs`, so that the map and the rule cannot
//! differ. Code under `cfg(test)` may import what it likes.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};

const DOMAIN: [&str; 6] = ["catalogue", "identity", "policy", "approval", "privacy", "audit"];
const EDGES: [&str; 6] = ["store", "adapters", "anchors", "couriers", "oidc", "telemetry"];
const LONGEST: usize = 500;

/// What is found in few places only: what, and the beginnings of the paths where it may stand.
const CONFINED: [(&str, &[&str]); 7] = [
    // The runtime alone, without a web server, is what the commands that serve are started on.
    ("actix_rt", &["src/web/", "src/cli/"]),
    ("actix_web", &["src/web/"]),
    ("diesel", &["src/store/", "src/adapters/sql/", "src/adapters/sql.rs", "src/demo/departments.rs"]),
    ("casbin", &["src/policy/"]),
    ("SystemTime::now", &["src/base/clock.rs"]),
    ("OffsetDateTime::now_utc", &["src/base/clock.rs"]),
    ("std::env", &["src/config/"]),
];

/// One source file, without its comments and the code that only tests have.
struct Source {
    path: String,
    text: String,
    /// Line number and code.
    code: Vec<(usize, String)>,
}

impl Source {
    /// The room: the first part of the path below `src`.
    fn room(&self) -> &str {
        let below = self.path.strip_prefix("src/").unwrap_or_default();
        below.split(['/', '.']).next().unwrap_or_default()
    }
}

#[test]
fn rooms_import_only_what_the_map_says() {
    let sources = sources();
    let table = table(&read("src/lib.rs"));
    let rooms: BTreeSet<&str> =
        sources.iter().map(Source::room).filter(|r| !["lib", "main"].contains(r)).collect();
    assert_eq!(rooms, table.keys().map(String::as_str).collect(), "the map in src/lib.rs names every room");
    none(imports(&sources, &table));
}

#[test]
fn each_crate_and_each_outside_fact_has_its_place() {
    none(confined(&sources()));
}

#[test]
fn every_file_says_what_it_is_for_and_is_short_enough_to_read() {
    none(opened_and_short(&sources()));
    let tests: Vec<_> = rust_files("tests").into_iter().map(|path| source(&path, &read(&path))).collect();
    none(opened_and_short(&tests));
}

#[test]
fn nothing_is_left_to_do() {
    none(unfinished(&sources()));
}

#[test]
fn migrations_go_up_and_down() {
    let ups = files("migrations", "up.sql");
    let downs = files("migrations", "down.sql");
    let folders = |files: &[String]| {
        files.iter().map(|f| Path::new(f).parent().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert!(!ups.is_empty());
    assert_eq!(folders(&ups), folders(&downs), "each migration has an up.sql and a down.sql");
    for file in ups.iter().chain(&downs) {
        assert!(!read(file).trim().is_empty(), "{file} is empty");
    }
}

#[test]
fn both_engines_have_the_same_migrations() {
    // What each gateway has for itself, and what a witness has, is never on a server.
    const LOCAL: [&str; 3] = ["/anchors/", "/witness/", "/audit/0001_index/"];
    let of = |engine: &str| {
        let folder = format!("migrations/{engine}");
        let names = files(&folder, "up.sql");
        names.iter().filter_map(|name| name.strip_prefix(&folder)).map(str::to_owned).collect::<BTreeSet<_>>()
    };
    let mut in_files = of("sqlite");
    in_files.retain(|name| !LOCAL.iter().any(|local| name.starts_with(local)));
    assert!(in_files.len() > 5, "{in_files:?}");
    assert_eq!(in_files, of("postgres"));
}

/// The rules themselves, each broken once.
#[test]
fn a_broken_rule_is_named_with_file_and_line() {
    let table = table(
        "//! | [`base`] | x | nothing of ours |\n//! | [`audit`] | x | base |\n//! | [`app`] | x | base, domain |",
    );
    let text = "//! x\nuse crate::base::Code;\nuse crate::app::Gateway;\n";
    let broken = |path: &str, text: &str| imports(&[source(path, text)], &table);
    assert_eq!(broken("src/audit/a.rs", text), ["src/audit/a.rs:3: audit may not import app"]);
    assert_eq!(broken("src/app/a.rs", text), [""; 0]);
    assert_eq!(
        broken("src/audit/a.rs", "use crate::{\n    app::{X, Y},\n    base,\n};"),
        ["src/audit/a.rs:2: audit may not import app"]
    );
    assert_eq!(
        broken("src/audit/a.rs", "fn f() { crate::app::x() }"),
        ["src/audit/a.rs:1: audit may not import app"]
    );
    assert_eq!(
        broken("src/audit/a.rs", "use super::super::app;"),
        ["src/audit/a.rs:1: leaves its room upwards"]
    );
    assert_eq!(
        broken("src/audit/mod.rs", "use super::app;"),
        ["src/audit/mod.rs:1: leaves its room upwards"]
    );
    assert_eq!(broken("src/audit/a.rs", "/// [`crate::app::X`]\nfn f() {}"), [""; 0]);
    assert_eq!(broken("src/audit/a.rs", "#[cfg(test)]\nmod tests {\n    use crate::app::X;\n}"), [""; 0]);
    assert_eq!(
        broken("src/audit/a.rs", "#[cfg(test)]\nmod tests {\n}\nuse crate::app::X;"),
        ["src/audit/a.rs:4: audit may not import app"]
    );

    for (what, allowed) in CONFINED {
        let text = format!("//! x\nfn f() {{ {what}::x() }}");
        assert_eq!(confined(&[source("src/privacy/a.rs", &text)]).len(), 1, "{what}");
        let place = allowed[0];
        let place = if place.ends_with('/') { format!("{place}a.rs") } else { place.to_owned() };
        assert_eq!(confined(&[source(&place, &text)]), [""; 0], "{what}");
    }
    let long = format!("//! x\n{}", "\n".repeat(LONGEST));
    assert_eq!(opened_and_short(&[source("src/a.rs", &long)]), ["src/a.rs:501: longer than 500 lines"]);
    assert_eq!(opened_and_short(&[source("src/a.rs", "fn f() {}")]), ["src/a.rs:1: does not open with //!"]);
    let left = format!("fn f() {{ {}!() }}", "todo");
    assert_eq!(unfinished(&[source("src/a.rs", &left)]), ["src/a.rs:1: something is left to do"]);
}

fn imports(sources: &[Source], table: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        let Some(allowed) = table.get(source.room()) else { continue };
        for (line, room) in imported(source) {
            let known = table.contains_key(&room);
            if known && room != source.room() && !allowed.contains(&room) {
                found.push(format!("{}:{line}: {} may not import {room}", source.path, source.room()));
            }
        }
        let below = source.path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
        let climb = "super::".repeat(below.split('/').count());
        let climbs = source.code.iter().filter(|(_, code)| code.contains(&climb));
        found.extend(climbs.map(|(line, _)| format!("{}:{line}: leaves its room upwards", source.path)));
    }
    found
}

/// The rooms named behind `crate::`, alone or in braces, with their lines.
fn imported(source: &Source) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut depth = 0;
    for (line, code) in &source.code {
        let mut rest = code.as_str();
        if depth == 0 {
            while let Some(at) = rest.find("crate::") {
                rest = &rest[at + "crate::".len()..];
                if let Some(inside) = rest.strip_prefix('{') {
                    depth = 1;
                    rest = inside;
                    break;
                }
                found.push((*line, word(rest)));
            }
        }
        // Names at the first level of the braces begin after the brace or after a comma.
        let mut begins = depth == 1;
        for (at, c) in rest.char_indices().take_while(|_| depth > 0).collect::<Vec<_>>() {
            match c {
                '{' => depth += 1,
                '}' => depth -= 1,
                ',' => begins = depth == 1,
                c if c.is_alphanumeric() && begins => {
                    found.push((*line, word(&rest[at..])));
                    begins = false;
                }
                _ => {}
            }
        }
    }
    found
}

fn word(text: &str) -> String {
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

fn confined(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        for (what, allowed) in CONFINED {
            if allowed.iter().any(|place| source.path.starts_with(place)) {
                continue;
            }
            // A module of ours may well be called like a crate's part: only whole words count.
            let uses = source.code.iter().filter(|(_, code)| {
                // Where the program itself is, a command that starts others must ask.
                if code.contains("std::env::current_exe") && ["cli", "demo"].contains(&source.room()) {
                    return false;
                }
                code.match_indices(what).any(|(at, _)| {
                    let before = code[..at].chars().next_back();
                    let after = code[at + what.len()..].chars().next();
                    !before.is_some_and(|c| c.is_alphanumeric() || "_\"".contains(c))
                        && (what.contains("::") || after == Some(':') || after == Some(';'))
                })
            });
            found.extend(uses.map(|(line, _)| {
                format!("{}:{line}: {what} belongs in {}", source.path, allowed.join(", "))
            }));
        }
    }
    found
}

fn opened_and_short(sources: &[Source]) -> Vec<String> {
    let mut found = Vec::new();
    for source in sources {
        if !source.text.starts_with("//!") {
            found.push(format!("{}:1: does not open with //!", source.path));
        }
        let lines = source.text.lines().count();
        if lines > LONGEST {
            found.push(format!("{}:{lines}: longer than {LONGEST} lines", source.path));
        }
    }
    found
}

fn unfinished(sources: &[Source]) -> Vec<String> {
    let marks = ["todo", "unimplemented"].map(|word| format!("{word}!("));
    let mut found = Vec::new();
    for source in sources {
        let left = source.code.iter().filter(|(_, code)| marks.iter().any(|mark| code.contains(mark)));
        found.extend(left.map(|(line, _)| format!("{}:{line}: something is left to do", source.path)));
    }
    found
}

/// The table in `src/lib.rs`: what each room may import.
fn table(map: &str) -> BTreeMap<String, BTreeSet<String>> {
    let rows: Vec<Vec<&str>> = map
        .lines()
        .filter_map(|line| line.strip_prefix("//! | [`"))
        .map(|row| row.split('|').map(str::trim).collect())
        .collect();
    let name = |row: &[&str]| row[0].trim_end_matches("`]").to_owned();
    let rooms: BTreeSet<String> = rows.iter().map(|row| name(row)).collect();
    let expand = |row: &Vec<&str>| {
        let words = row[2].split(',').map(str::trim);
        let imported = words.flat_map(|word| match word {
            "anything" => rooms.iter().cloned().collect(),
            "nothing of ours" => Vec::new(),
            "domain" => DOMAIN.map(str::to_owned).to_vec(),
            "edges" => EDGES.map(str::to_owned).to_vec(),
            room => vec![room.to_owned()],
        });
        (name(row), imported.collect())
    };
    rows.iter().map(expand).collect()
}

/// The sources of the program, without the files that only tests have.
fn sources() -> Vec<Source> {
    let all: Vec<(String, String)> =
        rust_files("src").into_iter().map(|path| (path.clone(), read(&path))).collect();
    let testing: HashSet<PathBuf> = all.iter().flat_map(|(path, text)| only_for_tests(path, text)).collect();
    let of_tests =
        |path: &str| Path::new(path).with_extension("").ancestors().any(|part| testing.contains(part));
    let kept: Vec<_> =
        all.iter().filter(|(path, _)| !of_tests(path)).map(|(path, text)| source(path, text)).collect();
    assert!(kept.len() > 100, "the sources were not found");
    kept
}

/// The modules that a file declares for tests only, as paths without an ending.
fn only_for_tests(path: &str, text: &str) -> Vec<PathBuf> {
    let path = Path::new(path);
    let own = path.file_stem().unwrap();
    let dir = if own == "mod" || own == "lib" {
        path.parent().unwrap().to_owned()
    } else {
        path.with_extension("")
    };
    let mut modules = Vec::new();
    let mut testing = false;
    for line in text.lines().map(str::trim) {
        match line {
            "#[cfg(test)]" => testing = true,
            attribute if attribute.starts_with("#[") => {}
            item => {
                if let Some((_, name)) =
                    item.strip_suffix(';').and_then(|i| i.split_once("mod ")).filter(|_| testing)
                {
                    modules.push(dir.join(name));
                }
                testing = false;
            }
        }
    }
    modules
}

/// Code without comments, and without items under `cfg(test)`.
fn source(path: &str, text: &str) -> Source {
    let mut code = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            let indent = line.len() - line.trim_start().len();
            let item = lines.by_ref().map(|(_, l)| l).find(|l| !l.trim_start().starts_with("#["));
            if item.is_some_and(|item| !item.ends_with(';') && !item.ends_with('}')) {
                let end = format!("{}}}", " ".repeat(indent));
                lines.by_ref().find(|(_, l)| l.starts_with(&end));
            }
        } else if !line.trim_start().starts_with("//") {
            code.push((number + 1, line.split(" // ").next().unwrap_or_default().to_owned()));
        }
    }
    Source { path: path.to_owned(), text: text.to_owned(), code }
}

fn none(found: Vec<String>) {
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn rust_files(folder: &str) -> Vec<String> {
    files(folder, ".rs")
}

/// The files below a folder whose names end so, in order.
fn files(folder: &str, ending: &str) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            found.extend(files(&path, ending));
        } else if path.ends_with(ending) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
