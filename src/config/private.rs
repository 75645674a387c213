//! Files that hold a secret: a key, a password, the headers of an interface.
//!
//! Invariant: one that anybody but its owner may read is refused, and no message about it repeats
//! anything of it.

use std::fs::File;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::base::Finding;

/// Reads a file that only its owner may read.
///
/// # Errors
/// When it cannot be read, or others may read it as well.
pub fn read_private(path: &Path) -> Result<String, Finding> {
    let unreadable =
        |e: io::Error| fault(path, &e.to_string(), "name an existing file that this process may read");
    let file = File::open(path).map_err(unreadable)?;
    // Of the file that was opened, whatever has its name by now.
    let mode = file.metadata().map_err(unreadable)?.permissions().mode();
    if mode & 0o077 != 0 {
        let fix = "chmod 600 it, and replace the secret if they did";
        return Err(fault(path, "others on this machine may read it", fix));
    }
    io::read_to_string(file).map_err(unreadable)
}

fn fault(path: &Path, what: &str, fix: &str) -> Finding {
    Finding::error("private-file", &path.display().to_string(), 0, what, fix)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_file_that_anybody_else_may_touch_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secret");
        fs::write(&path, "canary").unwrap();
        for (mode, private) in [(0o600, true), (0o400, true), (0o640, false), (0o604, false), (0o620, false)]
        {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            match read_private(&path) {
                Ok(text) => assert!(private && text == "canary", "{mode:o}"),
                Err(finding) => {
                    let said = finding.to_string();
                    assert!(
                        !private && said.contains("chmod 600") && !said.contains("canary"),
                        "{mode:o}: {said}"
                    );
                }
            }
        }
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let finding = read_private(Path::new("/nowhere/secret")).unwrap_err();
        assert!(finding.file == "/nowhere/secret" && finding.fix.contains("existing"), "{finding}");
    }
}
