//! Writes log lines on a thread of its own.
//!
//! Invariant: whoever logs never waits for whoever reads the log. A reader that stands still
//! costs lines, which are counted and reported when it moves again, never a request.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use tracing_subscriber::fmt::MakeWriter;

/// The number of lines that may wait.
const WAITING: usize = 8192;

/// The thread that writes; dropping it writes what waits, then ends.
pub(super) struct Background {
    lines: Lines,
    thread: Option<JoinHandle<()>>,
}

/// Where lines go. Cheap to clone.
#[derive(Clone)]
pub(super) struct Lines {
    sender: SyncSender<Message>,
    lost: Arc<AtomicU64>,
}

enum Message {
    Line(Vec<u8>),
    End,
}

impl Background {
    /// Starts a thread that writes to `out`.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<Self> {
        let (sender, receiver) = sync_channel(WAITING);
        let lost = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&lost);
        let thread =
            thread::Builder::new().name("log".into()).spawn(move || write_all(out, &receiver, &counted))?;
        Ok(Self { lines: Lines { sender, lost }, thread: Some(thread) })
    }

    /// Where lines go.
    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        let told = self.lines.sender.send(Message::End);
        if let (Ok(()), Some(thread)) = (told, self.thread.take()) {
            // A panic of the writer has nobody left to be told to.
            thread.join().ok();
        }
    }
}

fn write_all(out: impl Write, lines: &Receiver<Message>, lost: &AtomicU64) {
    let mut out = io::BufWriter::with_capacity(64 * 1024, out);
    while let Ok(Message::Line(first)) = lines.recv() {
        // When the log's reader is gone there is nobody to tell: failed writes are dropped.
        out.write_all(&first).ok();
        // What else waits goes out with the same system call.
        let mut ended = false;
        for message in lines.try_iter() {
            match message {
                Message::Line(line) => out.write_all(&line).ok(),
                Message::End => {
                    ended = true;
                    break;
                }
            };
        }
        let missing = lost.swap(0, Ordering::Relaxed);
        if missing > 0 {
            writeln!(out, "{{\"level\":\"WARN\",\"message\":\"log lines lost\",\"log.lost\":{missing}}}")
                .ok();
        }
        out.flush().ok();
        if ended {
            return;
        }
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line { to: self, bytes: Vec::with_capacity(384) }
    }
}

/// One line being made; sent when dropped.
pub(super) struct Line<'a> {
    to: &'a Lines,
    bytes: Vec<u8>,
}

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Line<'_> {
    fn drop(&mut self) {
        if self.bytes.is_empty() {
            return;
        }
        let line = Message::Line(std::mem::take(&mut self.bytes));
        if self.to.sender.try_send(line).is_err() {
            self.to.lost.fetch_add(1, Ordering::Relaxed);
        }
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
        writeln!(lines.make_writer(), "{text}").unwrap();
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
        (0..WAITING * 2 + 10_000).for_each(|n| log(&background.lines(), &format!("line {n:0>60}")));
        gate.open();
        drop(background);
        assert!(gate.text().contains("\"log.lost\":"));
        assert!(gate.text().starts_with("line 000"));
    }
}
