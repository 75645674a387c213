//! Paths of tiles: one path for one tile, and one tile for one path.
#![no_main]

use libfuzzer_sys::fuzz_target;
use sluice::audit::Tile;

fuzz_target!(|data: &str| {
    if let Some(tile) = Tile::parse(data) {
        assert_eq!(tile.to_string(), format!("tile/{data}"));
        assert!(tile.level <= 7 && (1..=256).contains(&tile.width));
    }
});
