//! The policies that are checked in.

use std::path::Path;

use super::world::{World, at, try_load};
use crate::base::Sources;
use crate::policy::matrix;

fn read(root: &Path, folder: &str, sources: &mut Sources) {
    for entry in std::fs::read_dir(root.join(folder)).unwrap() {
        let entry = entry.unwrap();
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            read(root, &path, sources);
        } else {
            sources.0.insert(path, std::fs::read_to_string(entry.path()).unwrap());
        }
    }
}

fn checked_in() -> (Sources, World) {
    let mut sources = Sources::default();
    for folder in ["schemas", "policies"] {
        read(Path::new(env!("CARGO_MANIFEST_DIR")), folder, &mut sources);
    }
    let world = try_load(&sources).unwrap_or_else(|found| panic!("{found}"));
    (sources, world)
}

#[test]
fn the_policies_hold_together_and_nothing_in_them_is_worn() {
    let (_, world) = checked_in();
    assert_eq!(world.warnings.to_string(), "");
    assert_eq!(world.policy.worn(at("2026-06-01T00:00:00Z")).to_string(), "");
    assert!(!world.policy.worn(at("2031-01-01T00:00:00Z")).0.is_empty());
}

#[test]
fn the_matrix_that_is_checked_in_is_what_the_policies_come_to() {
    let (sources, world) = checked_in();
    let now = matrix(&world.policy, &world.catalogue, &world.registry);
    let then = sources.file("policies/matrix.txt").unwrap_or_default();
    let (gone, come): (Vec<_>, Vec<_>) = (only_in(then, &now), only_in(&now, then));
    assert!(
        now == then,
        "policies/matrix.txt is out of date\n- {}\n+ {}\nRead the difference; if it is meant: cargo run -- check --matrix > policies/matrix.txt",
        gone.join("\n- "),
        come.join("\n+ ")
    );
}

fn only_in<'a>(text: &'a str, other: &str) -> Vec<&'a str> {
    text.lines().filter(|line| !other.lines().any(|known| known == *line)).collect()
}
