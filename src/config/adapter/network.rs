//! A network in an allow list: `10.2.0.0/24`, `10.2.0.7`, `10.2.0.0/24:8443`, `[fd00::1]:8443`.
//!
//! Invariant: the host bits of a parsed network are zero, so a mistyped `10.2.0.7/24` is refused
//! instead of allowing 255 machines more than its author meant.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use serde::{Deserialize, Deserializer};

/// A range of addresses, and a port where only one is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    prefix: u8,
    port: Option<u16>,
}

/// What a network looks like.
const EXPECTED: &str = "an address or network such as 10.2.0.7, 10.2.0.0/24, 10.2.0.0/24:8443 or \
                        [fd00::1]:8443, its host bits zero";

impl Network {
    /// Does `address` lie within? An IPv4 address mapped into IPv6 counts as IPv4.
    pub fn contains(&self, address: SocketAddr) -> bool {
        let ip = address.ip().to_canonical();
        ip.is_ipv4() == self.base.is_ipv4()
            && self.port.is_none_or(|port| port == address.port())
            && masked(ip, self.prefix) == self.base
    }

    /// Does the whole of it lie within loopback?
    pub fn is_loopback(&self) -> bool {
        self.base.is_loopback() && self.prefix >= if self.base.is_ipv4() { 8 } else { 128 }
    }
}

impl FromStr for Network {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        parse(text).ok_or(EXPECTED)
    }
}

fn parse(text: &str) -> Option<Network> {
    // Only brackets tell the port of an IPv6 address from its last group.
    let (range, port) = match text.strip_prefix('[') {
        Some(rest) => rest.split_once("]:").map(|(range, port)| (range, Some(port)))?,
        None if text.matches(':').count() == 1 => {
            text.split_once(':').map(|(range, port)| (range, Some(port)))?
        }
        None => (text, None),
    };
    let (base, prefix) = match range.split_once('/') {
        Some((base, prefix)) => (base, Some(prefix)),
        None => (range, None),
    };
    let base: IpAddr = base.parse().ok()?;
    let width = if base.is_ipv4() { 32 } else { 128 };
    let prefix: u8 = prefix.map_or(Ok(width), str::parse).ok()?;
    let port = port.map(str::parse).transpose().ok()?;
    (prefix <= width && masked(base, prefix) == base).then_some(Network { base, prefix, port })
}

/// `ip` with everything after the first `prefix` bits set to zero.
fn masked(ip: IpAddr, prefix: u8) -> IpAddr {
    let prefix = u32::from(prefix);
    match ip {
        IpAddr::V4(ip) => IpAddr::V4((ip.to_bits() & u32::MAX.checked_shl(32 - prefix).unwrap_or(0)).into()),
        IpAddr::V6(ip) => {
            IpAddr::V6((ip.to_bits() & u128::MAX.checked_shl(128 - prefix).unwrap_or(0)).into())
        }
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) if self.base.is_ipv6() => write!(f, "[{}/{}]:{port}", self.base, self.prefix),
            Some(port) => write!(f, "{}/{}:{port}", self.base, self.prefix),
            None => write!(f, "{}/{}", self.base, self.prefix),
        }
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_its_addresses_and_no_others() {
        for (network, address, inside) in [
            ("10.2.0.0/24", "10.2.0.255:1", true),
            ("10.2.0.0/24", "10.2.1.0:1", false),
            ("10.2.0.7", "10.2.0.7:1", true),
            ("10.2.0.7", "10.2.0.8:1", false),
            ("10.2.0.7:8443", "10.2.0.7:8443", true),
            ("10.2.0.7:8443", "10.2.0.7:443", false),
            ("0.0.0.0/0", "203.0.113.9:1", true),
            ("0.0.0.0/0", "[2001:db8::1]:1", false),
            ("::/0", "10.0.0.1:1", false),
            ("10.0.0.0/8", "[::ffff:10.1.2.3]:1", true),
            ("fd00::/8", "[fd12::1]:1", true),
            ("[fd00::1]:8443", "[fd00::1]:8443", true),
            ("[fd00::/8]:8443", "[fd00::1]:443", false),
        ] {
            let parsed: Network = network.parse().unwrap();
            assert_eq!(parsed.contains(address.parse().unwrap()), inside, "{network} {address}");
            assert_eq!(parsed.to_string().parse(), Ok(parsed), "{network}");
        }
    }

    #[test]
    fn what_is_not_a_network_is_refused() {
        for bad in ["", "10.2.0.7/24", "10.0.0.0/33", "10.0.0.0/", "localhost", "10.0.0.1:", "10.0.0.1:99999"]
        {
            assert!(bad.parse::<Network>().is_err(), "{bad}");
        }
    }

    #[test]
    fn only_a_range_within_loopback_is_loopback() {
        for (network, loopback) in
            [("127.0.0.1", true), ("127.0.0.0/8", true), ("::1", true), ("0.0.0.0/0", false), ("::/0", false)]
        {
            assert_eq!(network.parse::<Network>().unwrap().is_loopback(), loopback, "{network}");
        }
    }
}
