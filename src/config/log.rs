//! `[log]` and `[traces]`: what the program says about its own running, on standard error and to a
//! collector of traces.

use std::path::PathBuf;

use serde::Deserialize;

/// `[log]`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSection {
    /// The least important lines to write, such as `info`; single rooms may differ, as in
    /// `info,sluice::adapters=debug`. Default: `info,actix_server=warn`, for that crate tells of
    /// each of its threads.
    pub level: String,
    /// The form of the lines. Default: `auto`.
    pub format: LogFormat,
}

/// `[traces]`: an OpenTelemetry collector, in a program built with the feature `otel`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TracesSection {
    /// Where it takes traces, such as `https://collector.example:4318/v1/traces`. Plain http is for
    /// a collector on the same machine.
    pub url: String,
    /// With https, a PEM file: the CA that its certificate must come from.
    pub ca_file: Option<PathBuf>,
}

/// The form of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// `text` on a terminal, `json` otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// One JSON object a line, for machines.
    Json,
}

impl Default for LogSection {
    fn default() -> Self {
        Self { level: "info,actix_server=warn".into(), format: LogFormat::default() }
    }
}
