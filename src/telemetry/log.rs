//! Sets up log lines: for people on a terminal, one JSON object a line otherwise.

use std::io::{self, IsTerminal};

use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use super::writer::Background;
use crate::base::Finding;
use crate::config::{LogFormat, LogSection, TracesSection};

/// Flushes the last lines when dropped: keep it until the end of `main`.
#[must_use]
pub struct LogGuard {
    _background: Background,
}

/// Starts logging to standard error. To be called once, by the command that serves.
///
/// # Errors
/// `level` is not one, or logging was started before.
pub fn start(config: &LogSection) -> Result<LogGuard, Finding> {
    start_with(config, None)
}

/// The same, and spans for the collector that `traces` names.
///
/// # Errors
/// Besides: the collector cannot be used, or the program was built without the feature `otel`.
pub fn start_with(config: &LogSection, traces: Option<&TracesSection>) -> Result<LogGuard, Finding> {
    let background = Background::start(io::stderr())
        .map_err(|e| fault("log-thread", e, "the machine gives no more threads: free some"))?;
    let json = match config.format {
        LogFormat::Auto => !io::stderr().is_terminal(),
        LogFormat::Text => false,
        LogFormat::Json => true,
    };
    let spans = traces.map(spans).transpose()?;
    let subscriber = subscriber(&config.level, json, background.lines(), spans)?;
    subscriber.try_init().map_err(|e| fault("log-started", e, "start logging once in a process"))?;
    tell_panics_without_their_message();
    Ok(LogGuard { _background: background })
}

/// A panic's message may quote what the code was working on, as slicing a text does: only the
/// place in the source is told.
fn tell_panics_without_their_message() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(panic.place = place, "panic");
    }));
}

fn subscriber<W>(
    level: &str,
    json: bool,
    writer: W,
    spans: Option<Heard>,
) -> Result<impl tracing::Subscriber + Send + Sync, Finding>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let filter = EnvFilter::builder().parse(level).map_err(|e| {
        fault("log-level", e, "give `level` as in \"info\" or \"info,sluice::adapters=debug\"")
    })?;
    let lines = tracing_subscriber::fmt::layer().with_writer(writer);
    let lines = if json {
        lines.json().flatten_event(true).with_current_span(false).with_span_list(false).boxed()
    } else {
        lines.with_ansi(io::stderr().is_terminal()).boxed()
    };
    Ok(Registry::default().with(spans).with(lines.with_filter(filter)))
}

/// Who else hears what is told.
type Heard = Box<dyn Layer<Registry> + Send + Sync>;

#[cfg(feature = "otel")]
fn spans(config: &TracesSection) -> Result<Heard, Finding> {
    let stages = tracing_subscriber::filter::filter_fn(|told| told.target() == super::traces::TARGET);
    Ok(super::traces::Spans::start(config)?.with_filter(stages).boxed())
}

#[cfg(not(feature = "otel"))]
fn spans(_: &TracesSection) -> Result<Heard, Finding> {
    let fix = "build it with `--features otel`, or leave [traces] out";
    Err(Finding::error("traces", "[traces]", 0, "this program was built without traces", fix))
}

fn fault(code: &'static str, what: impl ToString, fix: &str) -> Finding {
    Finding::error(code, "[log]", 0, what.to_string(), fix)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Page(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Page {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn lines_of(level: &str, json: bool) -> String {
        let page = Page::default();
        let writer = page.clone();
        let subscriber = subscriber(level, json, move || writer.clone(), None).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(request.id = "abc", status = 200_u16, "request");
            tracing::debug!("too fine");
        });
        let bytes = page.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_json_line_is_one_object_with_dotted_members() {
        let text = lines_of("info", true);
        assert_eq!(text.lines().count(), 1);
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(line["request.id"], "abc");
        assert_eq!(line["status"], 200);
        assert_eq!(line["message"], "request");
        assert_eq!(line["level"], "INFO");
    }

    #[test]
    fn the_level_decides_for_text_as_well() {
        assert!(lines_of("info", false).contains("request.id=\"abc\""));
        assert_eq!(lines_of("warn", false), "");
        assert_eq!(lines_of("debug", false).lines().count(), 2);
    }

    #[test]
    fn by_default_our_lines_are_told_and_those_of_the_server_beneath_only_when_they_warn() {
        let page = Page::default();
        let writer = page.clone();
        let subscriber =
            subscriber(&LogSection::default().level, false, move || writer.clone(), None).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(target: "sluice::web", "ours");
            tracing::info!(target: "actix_server::builder", "starting service");
            tracing::warn!(target: "actix_server::accept", "cannot accept");
        });
        let text = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
        assert!(
            text.contains("ours") && text.contains("cannot accept") && !text.contains("starting"),
            "{text}"
        );
    }

    #[test]
    fn a_level_that_is_none_is_a_finding() {
        let wrong = subscriber("loud,=", false, io::sink, None).err().unwrap();
        assert_eq!(wrong.code, "log-level");
    }
}
