//! The gateway's own keys: made once, read at every start.
//!
//! Invariant: a key file that others on the machine may read is refused, and no message about a
//! key repeats anything of it.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use ring::hkdf::{HKDF_SHA256, KeyType, Salt};
use ring::rand::{SecureRandom, SystemRandom};

use super::consents::ConsentKey;
use super::sealing::CredentialKey;
use super::session::journey::JourneyKey;
use crate::audit::{SigningKey, SubjectKey};
use crate::base::ids::{decode_hex, hex};
use crate::base::{Finding, Secret};
use crate::config::{AuditSection, read_private};
use crate::privacy::{CountingKey, PseudonymKey};
use crate::store::state::ActKey;

/// What the key of acts is derived for.
const ACTS: &[u8] = b"sluice acts v1";

/// The keys of a gateway.
pub struct Keys {
    /// Signs checkpoints.
    pub signing: SigningKey,
    /// Signed them before, when keys are being changed.
    pub previous: Option<SigningKey>,
    /// Seals openings and names people in the search index.
    pub subjects: SubjectKey,
    /// Makes pseudonyms.
    pub pseudonyms: PseudonymKey,
    /// Counts different people.
    pub counting: CountingKey,
    /// Seals the secrets of people's code generators.
    pub credentials: CredentialKey,
    /// Knows again who was sent to the identity provider.
    pub journeys: JourneyKey,
    /// Knows again whose history a consent is about.
    pub consents: ConsentKey,
    /// Seals acts in the state database.
    pub acts: ActKey,
}

impl Keys {
    /// Reads the keys that the configuration names.
    ///
    /// # Errors
    /// The file that is missing, open to others, or not a key.
    pub fn read(config: &AuditSection) -> Result<Keys, Finding> {
        let signing = read_signing(&config.signing_key_file)?;
        let previous = config.previous_signing_key_file.as_deref().map(read_signing).transpose()?;
        let master = read_master(&config.subject_key_file)?;
        let derive = |purpose: &[u8]| {
            derive(&master, purpose)
                .ok_or_else(|| fault(&config.subject_key_file, "cannot be used", "make another"))
        };
        Ok(Keys {
            signing,
            previous,
            subjects: SubjectKey::new(&derive(b"sluice subjects v1")?)
                .map_err(|_| fault(&config.subject_key_file, "cannot be used", "make another"))?,
            pseudonyms: PseudonymKey::new(&derive(b"sluice pseudonyms v1")?),
            counting: CountingKey::new(&derive(b"sluice counting v1")?),
            credentials: CredentialKey::new(
                &derive(b"sluice credentials v1")?,
                &derive(b"sluice devices v1")?,
                derive(b"sluice passwords v1")?,
            )
            .ok_or_else(|| fault(&config.subject_key_file, "cannot be used", "make another"))?,
            journeys: JourneyKey::new(&derive(b"sluice journeys v1")?),
            consents: ConsentKey::new(&derive(b"sluice consents v1")?),
            acts: ActKey::new(&derive(ACTS)?),
        })
    }
}

/// The key under which acts are sealed, from the file of the subject key: all that a command needs that
/// does an act.
///
/// # Errors
/// When the file is missing, open to others, or not a key.
pub fn act_key(file: &Path) -> Result<ActKey, Finding> {
    let key = derive(&read_master(file)?, ACTS);
    key.map(|key| ActKey::new(&key)).ok_or_else(|| fault(file, "cannot be used", "make another"))
}

/// Makes the keys in `dir`, keeping those that are there: `audit.key` (secret), `audit.vkey`
/// (public: what a verifier needs), `subjects.key` (secret). Gives the public key's text.
///
/// # Errors
/// When a file cannot be written, or the machine gives no randomness.
pub fn make(dir: &Path, origin: &str) -> io::Result<String> {
    fs::create_dir_all(dir)?;
    let rng = SystemRandom::new();
    let random = || io::Error::other("the machine gives no randomness, or the origin is not a key name");
    let audit = dir.join("audit.key");
    if !audit.exists() {
        let key = SigningKey::generate(origin, &rng).ok_or_else(random)?;
        write_private(&audit, key.to_secret_text().reveal())?;
    }
    let subjects = dir.join("subjects.key");
    if !subjects.exists() {
        let mut bytes = [0; 32];
        rng.fill(&mut bytes).map_err(|_| random())?;
        write_private(&subjects, &hex(&bytes))?;
    }
    let signing = SigningKey::parse(fs::read_to_string(&audit)?.trim()).map_err(io::Error::other)?;
    let public = signing.public().to_string();
    fs::write(dir.join("audit.vkey"), format!("{public}\n"))?;
    Ok(public)
}

/// Writes a file that only this user may read.
///
/// # Errors
/// When it exists already, or cannot be written.
pub fn write_private(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

/// Keys for different purposes from one master key (RFC 5869).
fn derive(master: &[u8; 32], purpose: &[u8]) -> Option<Secret<[u8; 32]>> {
    struct Bytes32;
    impl KeyType for Bytes32 {
        fn len(&self) -> usize {
            32
        }
    }
    let prk = Salt::new(HKDF_SHA256, b"sluice").extract(master);
    let mut bytes = [0; 32];
    prk.expand(&[purpose], Bytes32).ok()?.fill(&mut bytes).ok()?;
    Some(Secret::new(bytes))
}

fn read_signing(path: &Path) -> Result<SigningKey, Finding> {
    SigningKey::parse(read(path)?.trim())
        .map_err(|_| fault(path, "not a signing key", "make one with `sluice keys`"))
}

fn read_master(path: &Path) -> Result<[u8; 32], Finding> {
    decode_hex(read(path)?.trim())
        .ok_or_else(|| fault(path, "not 64 lower-case hex digits", "make one with `sluice keys`"))
}

fn read(path: &Path) -> Result<String, Finding> {
    read_private(path).map_err(|finding| match path.exists() {
        true => finding,
        false => Finding { fix: "make it with `sluice keys`".to_owned(), ..finding },
    })
}

fn fault(path: &Path, what: &str, fix: &str) -> Finding {
    Finding::error("key", &path.display().to_string(), 0, what, fix)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn made_keys_can_be_read_and_are_kept_the_second_time() {
        let dir = tempfile::tempdir().unwrap();
        let public = make(dir.path(), "sluice.test/log").unwrap();
        assert_eq!(make(dir.path(), "sluice.test/log").unwrap(), public);
        let keys = Keys::read(&section(dir.path())).unwrap_or_else(|f| panic!("{f}"));
        assert_eq!(keys.signing.public().to_string(), public);
    }

    #[test]
    fn a_key_that_others_may_read_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        make(dir.path(), "sluice.test/log").unwrap();
        fs::set_permissions(dir.path().join("subjects.key"), fs::Permissions::from_mode(0o640)).unwrap();
        let fault = Keys::read(&section(dir.path())).err().unwrap();
        assert!(fault.file.ends_with("subjects.key") && fault.fix.contains("chmod 600"), "{fault}");
    }

    fn section(dir: &Path) -> AuditSection {
        AuditSection {
            signing_key_file: dir.join("audit.key"),
            previous_signing_key_file: None,
            subject_key_file: dir.join("subjects.key"),
            checkpoint_copy_file: dir.join("checkpoint"),
            queue: std::num::NonZeroUsize::MIN,
        }
    }
}
