//! What `assets/style/tokens.css` promises, kept: colours that can be told apart, one scale.

use super::assets::STYLE;

const FILE: &str = include_str!("assets/style/tokens.css");

/// The colours of a theme: the first block, with those of the block that begins with `theme` over it.
fn colours(theme: &str) -> Vec<(String, [f64; 3])> {
    let block = |from: &str| {
        let behind = FILE.split_once(from).map_or("", |(_, behind)| behind);
        behind.split('}').next().unwrap_or_default().to_owned()
    };
    let mut known: Vec<(String, [f64; 3])> = Vec::new();
    for text in [block(":root {"), block(theme)] {
        for (name, value) in text.split(';').filter_map(|line| line.trim().split_once(": #")) {
            let name = name.rsplit("--").next().unwrap_or_default().to_owned();
            known.retain(|(other, _)| *other != name);
            known.push((name, channels(value)));
        }
    }
    known
}

fn channels(hex: &str) -> [f64; 3] {
    let wide: String = if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex.into() };
    [0, 2, 4].map(|at| {
        let part = wide.get(at..at + 2).and_then(|part| u8::from_str_radix(part, 16).ok());
        let value = f64::from(part.unwrap_or_else(|| panic!("a colour: {hex}"))) / 255.0;
        if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
    })
}

/// How well two colours are told apart (WCAG 2.2).
fn contrast(a: [f64; 3], b: [f64; 3]) -> f64 {
    let light = |[r, g, b]: [f64; 3]| 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
    let (a, b) = (light(a), light(b));
    a.max(b) / a.min(b)
}

#[test]
fn words_borders_and_the_ring_of_the_focus_are_seen_in_every_theme() {
    for theme in [":root {", ":root:not([data-theme=\"light\"]) {", ":root[data-theme=\"dark\"] {"] {
        let known = colours(theme);
        let colour = |name: &str| {
            known.iter().find(|(other, _)| other == name).unwrap_or_else(|| panic!("{name} of {theme}")).1
        };
        let mut pairs = vec![("accent-ink", "accent", 4.5), ("accent", "accent-soft", 4.5)];
        for ground in ["paper", "ground", "sunk"] {
            pairs.extend([("ink", ground, 7.0), ("ink-2", ground, 4.5), ("accent", ground, 4.5)]);
            pairs.extend([("good", ground, 4.5), ("warn", ground, 4.5), ("bad", ground, 4.5)]);
            pairs.extend([("focus", ground, 3.0)]);
        }
        for ground in ["good-soft", "warn-soft", "bad-soft", "accent-soft"] {
            pairs.extend([("ink", ground, 7.0)]);
        }
        pairs.extend([("good", "good-soft", 4.5), ("warn", "warn-soft", 4.5), ("bad", "bad-soft", 4.5)]);
        pairs.extend([("line-2", "paper", 3.0), ("line-2", "ground", 2.8)]);
        for (word, ground, least) in pairs {
            let has = contrast(colour(word), colour(ground));
            assert!(has >= least, "{word} on {ground} in {theme}: {has:.2}, not {least}");
        }
    }
}

#[test]
fn the_two_ways_to_the_dark_theme_are_one() {
    let of = |theme| colours(theme);
    assert_eq!(of(":root:not([data-theme=\"light\"]) {"), of(":root[data-theme=\"dark\"] {"));
    assert!(contrast(channels("fff"), channels("000000")) > 20.9);
}

/// The declarations of a style sheet: what ends with a semicolon or a brace, not what a brace begins.
fn declarations(style: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let without: String =
        style.split("/*").map(|part| part.split_once("*/").map_or(part, |(_, text)| text)).collect();
    let mut rest = without.as_str();
    while let Some(end) = rest.find(['{', '}', ';']) {
        let (text, behind) = (rest.get(..end).unwrap_or_default(), rest.get(end..).unwrap_or_default());
        if let (false, Some((name, value))) = (behind.starts_with('{'), text.split_once(':')) {
            found.push((name.trim().to_owned(), value.trim().to_owned()));
        }
        rest = behind.get(1..).unwrap_or_default();
    }
    found
}

#[test]
fn no_other_file_names_a_colour_a_size_of_type_or_a_space_of_its_own() {
    let declared = declarations(STYLE.split_once(FILE).map_or(STYLE, |(_, others)| others));
    assert!(declared.len() > 500, "{}", declared.len());
    for (name, value) in declared {
        let what = format!("{name}: {value}");
        for colour in ["#", "rgb", "hsl", "white", "black"] {
            assert!(!value.contains(colour) || value.contains("white-space"), "{what}");
        }
        let tokens: Vec<&str> =
            value.split("var(--").skip(1).filter_map(|part| part.split(')').next()).collect();
        if name == "font-size" {
            assert!(value == "100%" || tokens.iter().any(|token| token.starts_with("t-")), "{what}");
        }
        if ["padding", "margin", "gap"].iter().any(|space| name.starts_with(space)) {
            let own =
                tokens.iter().fold(value.clone(), |text, token| text.replace(&format!("var(--{token})"), ""));
            assert!(!["rem", "em", "px"].iter().any(|unit| own.contains(unit)) || value == "15mm", "{what}");
        }
    }
}
