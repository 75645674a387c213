//! What the operating system says of a gateway's process.

use std::collections::BTreeSet;

use super::TestGateway;

impl TestGateway {
    /// Memory in use (resident), in MiB.
    pub fn memory(&self) -> f64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches("kB").trim().parse::<f64>().unwrap() / 1024.0
    }

    /// Open file descriptors.
    pub fn descriptors(&self) -> usize {
        self.targets().len()
    }

    /// Open sockets; one that has two descriptors is one.
    pub fn sockets(&self) -> usize {
        let targets = self.targets();
        let sockets: BTreeSet<_> = targets.iter().filter(|target| target.starts_with("socket:")).collect();
        sockets.len()
    }

    fn targets(&self) -> Vec<String> {
        let folder = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap();
        // One may be closed while they are listed.
        folder
            .filter_map(|fd| fd.unwrap().path().read_link().ok())
            .map(|to| to.display().to_string())
            .collect()
    }
}
