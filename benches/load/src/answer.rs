//! The head of an answer: its status and how long its body is.
//!
//! Only what the measured servers send is understood: HTTP/1.1 with a `content-length`.

/// The longest head that is read.
const MAX_HEAD: usize = 16 * 1024;

/// What a head says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    pub status: u16,
    /// Bytes of the head and the body together.
    pub len: usize,
    pub closes: bool,
}

/// The head in front of `bytes`; `None` when it is not there whole.
pub fn head(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() > MAX_HEAD { Err("the head of an answer is too long") } else { Ok(None) };
    };
    let text =
        std::str::from_utf8(bytes.get(..end).unwrap_or_default()).map_err(|_| "a head that is not text")?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|line| line.get(..3)?.parse().ok())
        .ok_or("not an answer in HTTP/1.1")?;
    let (mut body, mut closes) = (None, false);
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            body = value.trim().parse::<usize>().ok();
        } else if name.eq_ignore_ascii_case("connection") {
            closes |= value.trim().eq_ignore_ascii_case("close");
        }
    }
    let body = body.ok_or("an answer without a content-length")?;
    Ok(Some(Head { status, len: end + 4 + body, closes }))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_head_is_read_when_it_is_whole() {
        let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nconnection: close\r\n\r\n";
        assert_eq!(head(answer.get(..30).unwrap()), Ok(None));
        assert_eq!(head(answer), Ok(Some(Head { status: 200, len: answer.len() + 12, closes: true })));
    }

    #[test]
    fn an_answer_of_unknown_length_is_refused() {
        assert!(head(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
        assert!(head(b"SSH-2.0\r\n\r\n").is_err());
    }
}
