//! `[anchors]`, `[[witness]]`, `[timestamp]`: who outside vouches for the log, and how long the
//! gateway goes on without them.
//!
//! Invariant: keys and policies are parsed here, so that a mistyped one is named with its line.

use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use serde::Deserialize;

use crate::audit::WitnessKey;
use crate::audit::cosignature::MAX_WITNESSES;
use crate::audit::stamp::Policy;
use crate::base::{Finding, Findings};

/// `[anchors]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AnchorsSection {
    /// Seconds between two times at which the newest checkpoint is offered to the witnesses.
    pub every_seconds: NonZeroU32,
    /// How many witnesses must have cosigned a checkpoint for it to count. Default: all.
    pub require: Option<NonZeroUsize>,
    /// Minutes without a checkpoint that counts, after which the gateway says so.
    pub alarm_after_minutes: NonZeroU32,
    /// Minutes after which it answers no more queries until there is one. Default: never.
    pub stop_after_minutes: Option<NonZeroU32>,
}

impl Default for AnchorsSection {
    fn default() -> Self {
        let number = |n| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        Self {
            every_seconds: number(60),
            require: None,
            alarm_after_minutes: number(30),
            stop_after_minutes: None,
        }
    }
}

/// One `[[witness]]`: another department's witness (`sluice witness`, or any of C2SP tlog-witness).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WitnessEntry {
    /// Its name in logs, metrics and records. Unique.
    pub name: String,
    /// Where it listens: https, host, port and the path in front of `/add-checkpoint`.
    pub url: String,
    /// Its public key: NAME+ID+KEY, as `sluice witness keys` prints it.
    pub key: WitnessKey,
    /// PEM file: the CA that its certificate must come from.
    pub ca_file: PathBuf,
}

/// `[timestamp]`: an authority that stamps checkpoints (RFC 3161).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TimestampSection {
    /// Where it takes requests, such as `https://tsa.example/tsr`. Plain http is allowed: an answer
    /// is signed, and bound to its request.
    pub url: String,
    /// PEM file: the CA to which the certificate that signs timestamps must lead.
    pub ca_file: PathBuf,
    /// PEM file: the CA that its server's certificate must come from; required for https.
    pub tls_ca_file: Option<PathBuf>,
    /// The policy to ask for, such as `1.2.156.1.1`. Default: the authority's own.
    pub policy: Option<Policy>,
    /// Minutes between two timestamps.
    #[serde(default = "every_minutes")]
    pub every_minutes: NonZeroU32,
}

fn every_minutes() -> NonZeroU32 {
    NonZeroU32::new(10).unwrap_or(NonZeroU32::MIN)
}

/// What types cannot say of the three sections together.
pub(super) fn check(
    file: &str,
    section: &AnchorsSection,
    witnesses: &[WitnessEntry],
    timestamp: Option<&TimestampSection>,
) -> Findings {
    let mut findings = Findings::default();
    let mut wrong = |what: String, fix: &str| findings.push(Finding::error("anchors", file, 0, what, fix));
    if witnesses.len() > MAX_WITNESSES {
        wrong(format!("more than {MAX_WITNESSES} witnesses"), "their signatures would not fit a note");
    }
    for (at, witness) in witnesses.iter().enumerate() {
        if witnesses.iter().take(at).any(|other| other.name == witness.name || other.key == witness.key) {
            wrong(format!("witness `{}` has the name or the key of another", witness.name), "name each once");
        }
    }
    if section.require.is_some_and(|require| require.get() > witnesses.len()) {
        wrong("`require` is more than there are witnesses".into(), "name more witnesses, or require fewer");
    }
    if section.stop_after_minutes.is_some_and(|stop| stop < section.alarm_after_minutes) {
        wrong("`stop_after_minutes` comes before `alarm_after_minutes`".into(), "alarm first, then stop");
    }
    if section.stop_after_minutes.is_some() && witnesses.is_empty() && timestamp.is_none() {
        wrong(
            "`stop_after_minutes` without a witness or a timestamp authority".into(),
            "add [[witness]] or [timestamp]",
        );
    }
    if timestamp.is_some_and(|timestamp| timestamp.every_minutes >= section.alarm_after_minutes) {
        wrong(
            "the next timestamp is due after the alarm that there is none".into(),
            "lower [timestamp] every_minutes, or raise [anchors] alarm_after_minutes",
        );
    }
    findings
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::config::file;

    #[derive(Debug, Deserialize)]
    struct Sample {
        #[serde(default)]
        anchors: AnchorsSection,
        #[serde(default)]
        witness: Vec<WitnessEntry>,
        timestamp: Option<TimestampSection>,
    }

    const KEY: &str = "w+6b6f4fd0+BAOhB7/zzhC+HXDdGOdLwJln5PYwm6UNXx3chmQSVTG4";

    fn found(text: &str) -> String {
        match file::parse::<Sample>("sluice.toml", text, &[]) {
            Err(findings) => findings.to_string(),
            Ok(read) => {
                check("sluice.toml", &read.anchors, &read.witness, read.timestamp.as_ref()).to_string()
            }
        }
    }

    fn key(name: &str) -> String {
        let rng = ring::rand::SystemRandom::new();
        crate::audit::WitnessSigningKey::generate(name, &rng).unwrap().public().to_string()
    }

    fn witness(name: &str, key: &str) -> String {
        format!(
            "[[witness]]\nname = \"{name}\"\nurl = \"https://w\"\nkey = \"{key}\"\nca_file = \"ca.pem\"\n"
        )
    }

    #[test]
    fn a_key_that_is_none_and_a_policy_that_is_none_are_named_with_their_line() {
        assert!(
            found(&witness("w", KEY)).starts_with("sluice.toml:4: error[config]: not a key"),
            "{}",
            found(&witness("w", KEY))
        );
        let stamp = "[timestamp]\nurl = \"http://t\"\nca_file = \"c\"\npolicy = \"1.x\"\n";
        assert!(
            found(stamp).starts_with("sluice.toml:4: error[config]: not an object identifier"),
            "{}",
            found(stamp)
        );
    }

    #[test]
    fn sections_that_do_not_go_together_are_refused() {
        let (one, two) = (key("w1"), key("w2"));
        let pair = |name, key| [witness("a", &one), witness(name, key)].concat();
        let both = pair("b", &two);
        assert_eq!(found(&both), "");
        for (text, said) in [
            (pair("a", &two), "has the name or the key"),
            (pair("b", &one), "has the name or the key"),
            (format!("[anchors]\nrequire = 3\n{both}"), "more than there are witnesses"),
            (format!("[anchors]\nstop_after_minutes = 29\n{both}"), "comes before"),
            ("[anchors]\nstop_after_minutes = 60\n".into(), "without a witness"),
            (
                "[timestamp]\nurl = \"http://t\"\nca_file = \"c\"\nevery_minutes = 30\n".into(),
                "due after the alarm",
            ),
        ] {
            assert!(found(&text).contains(said), "{text}: {}", found(&text));
        }
    }
}
