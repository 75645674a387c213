//! What is sent: requests as bytes, in a fixed order that mixes them.

use std::path::PathBuf;
use std::str::FromStr;

/// One kind of request, as it is named on the command line.
#[derive(Debug, Clone)]
pub struct Kind {
    weight: usize,
    path: String,
    file: PathBuf,
}

impl FromStr for Kind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ',');
        let (Some(weight), Some(path), Some(file)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("WEIGHT,PATH,FILE".into());
        };
        let weight =
            weight.parse().ok().filter(|weight| (1..=100).contains(weight)).ok_or("a weight is 1 to 100")?;
        if !path.starts_with('/') || !path.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err("a path begins with `/`".into());
        }
        Ok(Self { weight, path: path.into(), file: file.into() })
    }
}

/// All requests, ready to be sent.
pub struct Requests {
    bytes: Vec<Vec<u8>>,
    /// One round: places in `bytes`.
    round: Vec<usize>,
}

impl Requests {
    /// Reads the bodies.
    pub fn new(kinds: &[Kind]) -> Result<Self, String> {
        let bytes = kinds.iter().map(request).collect::<Result<_, _>>()?;
        // Heavy kinds are spread over the round, as the places that a line of each weight crosses.
        let total: usize = kinds.iter().map(|kind| kind.weight).sum();
        let mut round: Vec<(usize, usize)> = kinds
            .iter()
            .enumerate()
            .flat_map(|(at, kind)| (0..kind.weight).map(move |nth| ((2 * nth + 1) * total / kind.weight, at)))
            .collect();
        round.sort_unstable();
        Ok(Self { bytes, round: round.into_iter().map(|(_, at)| at).collect() })
    }

    /// The `nth` request of a connection; without end. Connections begin at different places.
    pub fn nth(&self, connection: usize, nth: usize) -> &[u8] {
        let at = (connection + nth) % self.round.len().max(1);
        self.round.get(at).and_then(|at| self.bytes.get(*at)).map(Vec::as_slice).unwrap_or_default()
    }
}

fn request(kind: &Kind) -> Result<Vec<u8>, String> {
    let body = std::fs::read(&kind.file).map_err(|e| format!("{}: {e}", kind.file.display()))?;
    let head = format!(
        "POST {} HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        kind.path,
        body.len()
    );
    Ok([head.into_bytes(), body].concat())
}
