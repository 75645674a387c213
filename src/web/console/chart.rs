//! Bars over time, drawn by the server: a picture that needs no script.
//!
//! Invariant: each bar is a link with its numbers in words, so nothing is told by the picture alone.

use super::asked::Asked;
use super::messages::Messages;
use crate::app::search::Bar;

const WIDTH: u64 = 600;
const HEIGHT: u64 = 100;

/// A chart.
pub struct Chart {
    /// The bars.
    pub bars: Vec<Drawn>,
    /// When the first begins, as people read it.
    pub from: String,
    /// When the last ends.
    pub until: String,
    /// The largest number.
    pub most: u64,
}

/// One bar.
pub struct Drawn {
    /// Its left edge.
    pub x: u64,
    /// Its top.
    pub y: u64,
    /// Its width.
    pub width: u64,
    /// Its height.
    pub height: u64,
    /// The room it is in.
    pub room: u64,
    /// What it says.
    pub title: String,
    /// What leads closer.
    pub href: String,
}

/// Draws `bars`; each leads to the events of its time among those of `asked`.
pub fn draw(bars: &[Bar], asked: &Asked, path: &str, m: &Messages) -> Option<Chart> {
    let (first, last) = (bars.first()?, bars.last()?);
    let most = bars.iter().map(|bar| bar.records).max().filter(|most| *most > 0)?;
    let room = (WIDTH / bars.len() as u64).max(1);
    let drawn = (0..).zip(bars).map(|(at, bar): (u64, &Bar)| {
        let height = bar.records.saturating_mul(HEIGHT).div_ceil(most);
        let (from, until) = (super::asked::local(bar.from), super::asked::local(bar.until));
        let span = format!("{} – {}", m.moment(&bar.from.to_string()), m.moment(&bar.until.to_string()));
        Drawn {
            x: at * room,
            y: HEIGHT - height,
            width: room.saturating_sub(1).max(1),
            height,
            room,
            title: m.fill2("security.bar", span, m.number(bar.records)),
            href: asked.with("from", &from).with("until", &until).at(path),
        }
    });
    Some(Chart {
        bars: drawn.collect(),
        from: m.moment(&first.from.to_string()).to_string(),
        until: m.moment(&last.until.to_string()).to_string(),
        most,
    })
}
