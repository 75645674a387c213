//! Writes log lines on a thread of its own.
//!
//! Lines are put one behind the other into a buffer, which the thread empties every few
//! milliseconds: under load one wake-up and one write serve many lines.
//!
//! Invariant: whoever logs never waits for whoever reads the log. A reader that stands still
//! costs lines, which are counted and reported when it moves again, never a request.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tracing_subscriber::fmt::MakeWriter;

/// Bytes of lines that may wait.
const WAITING: usize = 4 << 20;

/// How long a line waits for others before it is written.
const GATHER: Duration = Duration::from_millis(5);

/// The largest buffer that is kept for the next lines.
const KEPT: usize = 64 << 10;

/// The thread that writes; dropping it writes what waits, then ends.
pub(super) struct Background {
    lines: Lines,
    thread: Option<JoinHandle<()>>,
}

/// Where lines go. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines(Arc<Desk>);

/// Between those who log and the one who writes.
#[derive(Default)]
pub(super) struct Desk {
    waiting: Mutex<Waiting>,
    /// Told when there is something again after a while without, and at the end.
    changed: Condvar,
}

#[derive(Default)]
struct Waiting {
    /// Whole lines.
    bytes: Vec<u8>,
    /// Lines for which there was no room.
    lost: u64,
    /// The writer sleeps until it is told.
    idle: bool,
    ended: bool,
}

impl Background {
    /// Starts a thread that writes to `out`.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let lines = Lines(Arc::default());
        let desk = Arc::clone(&lines.0);
        let thread = thread::Builder::new().name("log".into()).spawn(move || desk.serve(out))?;
        Ok(Self { lines, thread: Some(thread) })
    }

    /// Where lines go.
    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.lines.0.lock().ended = true;
        self.lines.0.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A panic of the writer has nobody left to be told to.
            thread.join().ok();
        }
    }
}

impl Desk {
    /// Writes until the end.
    fn serve(&self, mut out: impl Write) {
        let mut spare = Vec::new();
        loop {
            let Waiting { mut bytes, lost, ended, .. } = self.take(spare);
            if lost > 0 {
                writeln!(bytes, "{{\"level\":\"WARN\",\"message\":\"log lines lost\",\"log.lost\":{lost}}}")
                    .ok();
            }
            // When the log's reader is gone there is nobody to tell: failed writes are dropped.
            out.write_all(&bytes).ok();
            out.flush().ok();
            if ended {
                return;
            }
            bytes.clear();
            bytes.shrink_to(KEPT);
            spare = bytes;
        }
    }

    /// Waits for lines, gives them a moment to gather, and takes them; `spare` is filled next.
    fn take(&self, spare: Vec<u8>) -> Waiting {
        let mut waiting = self.lock();
        waiting.idle = true;
        let waited = self.changed.wait_while(waiting, |w| w.bytes.is_empty() && w.lost == 0 && !w.ended);
        waiting = waited.unwrap_or_else(PoisonError::into_inner);
        waiting.idle = false;
        let waited = self.changed.wait_timeout_while(waiting, GATHER, |w| !w.ended);
        waiting = waited.unwrap_or_else(PoisonError::into_inner).0;
        let ended = waiting.ended;
        std::mem::replace(&mut *waiting, Waiting { bytes: spare, ended, ..Waiting::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // What a panic may leave half done is one line.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = &'a Desk;

    fn make_writer(&'a self) -> &'a Desk {
        &self.0
    }
}

/// The subscriber hands over each line whole.
impl Write for &Desk {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut waiting = self.lock();
        if waiting.bytes.len() + line.len() <= WAITING {
            waiting.bytes.extend_from_slice(line);
        } else {
            waiting.lost += 1;
        }
        let tell = std::mem::take(&mut waiting.idle);
        drop(waiting);
        if tell {
            self.changed.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::sync::{Condvar, Mutex};

    use super::*;

    /// A reader that takes nothing until it is opened.
    #[derive(Clone, Default)]
    struct Gate(Arc<(Mutex<Taken>, Condvar)>);

    /// Whether it is open, and what it took.
    type Taken = (bool, Vec<u8>);

    impl Gate {
        fn open(&self) {
            self.0.0.lock().unwrap().0 = true;
            self.0.1.notify_all();
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.0.lock().unwrap().1.clone()).unwrap()
        }
    }

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut state = self.0.1.wait_while(self.0.0.lock().unwrap(), |(open, _)| !*open).unwrap();
            state.1.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log(lines: &Lines, text: &str) {
        lines.make_writer().write_all(format!("{text}\n").as_bytes()).unwrap();
    }

    #[test]
    fn all_lines_are_written_in_order_by_the_end() {
        let gate = Gate::default();
        gate.open();
        let background = Background::start(gate.clone()).unwrap();
        (0..100).for_each(|n| log(&background.lines(), &format!("line {n}")));
        drop(background);
        let expected: String = (0..100).map(|n| format!("line {n}\n")).collect();
        assert_eq!(gate.text(), expected);
    }

    #[test]
    fn a_reader_that_stands_still_costs_lines_and_says_so() {
        let gate = Gate::default();
        let background = Background::start(gate.clone()).unwrap();
        // More than can wait: this ends although nobody reads.
        (0..WAITING / 20).for_each(|n| log(&background.lines(), &format!("line {n:0>60}")));
        gate.open();
        drop(background);
        assert!(gate.text().contains("\"log.lost\":"));
        assert!(gate.text().starts_with("line 000"));
    }
}
