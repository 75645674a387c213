//! The way out: which addresses the gateway connects to, and the connecting.
//!
//! A name is resolved, the addresses are checked, and the connection is made to exactly an
//! address that was checked: a name that resolves differently a moment later (DNS rebinding)
//! changes nothing. Invariant: no connection leaves this room to an address that the provider's
//! allow list does not hold; addresses that lead to the machine itself or to its cloud's metadata
//! service are refused even then, except loopback where the list names loopback itself.

use std::io;
use std::net::{IpAddr, SocketAddr};

use tokio::net::{TcpStream, lookup_host};

use crate::config::adapter::Network;

/// Metadata services that do not stand at link-local addresses: of Alibaba Cloud, Azure and,
/// over IPv6, Amazon.
const METADATA: [&str; 3] = ["100.100.100.200", "168.63.129.16", "fd00:ec2::254"];

/// May the gateway connect to `address`?
pub fn permits(allow: &[Network], address: SocketAddr) -> bool {
    let ip = address.ip().to_canonical();
    let by_list = |network: &&Network| network.contains(address);
    if ip.is_loopback() {
        return allow.iter().filter(|network| network.is_loopback()).any(|network| by_list(&network));
    }
    !always_refused(ip) && allow.iter().any(|network| by_list(&network))
}

fn always_refused(ip: IpAddr) -> bool {
    let special = match ip {
        IpAddr::V4(ip) => {
            ip.is_link_local()
                || ip.is_broadcast()
                || ip.is_multicast()
                || ip.octets().first().is_some_and(|&net| net == 0)
        }
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_multicast() || ip.is_unspecified(),
    };
    special || METADATA.iter().any(|metadata| metadata.parse() == Ok(ip))
}

/// Resolves `host`, and gives those of its addresses that are permitted.
///
/// # Errors
/// Those of resolving; `PermissionDenied` when no address is permitted.
pub async fn addresses(allow: &[Network], host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = lookup_host((host, port)).await?.filter(|address| permits(allow, *address));
    let permitted: Vec<SocketAddr> = found.collect();
    if permitted.is_empty() {
        let what = "none of the host's addresses is on the allow list";
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, what));
    }
    Ok(permitted)
}

/// Resolves `host` and connects to the first address of it that is permitted and answers.
///
/// # Errors
/// Those of resolving and connecting; `PermissionDenied` when no address is permitted.
pub async fn connect(allow: &[Network], host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for address in addresses(allow, host, port).await? {
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    fn networks(allow: &[&str]) -> Vec<Network> {
        allow.iter().map(|network| network.parse().unwrap()).collect()
    }

    #[test]
    fn only_listed_addresses_are_permitted() {
        for (allow, address, permitted) in [
            (&[][..], "10.0.0.1:443", false),
            (&["10.0.0.0/8"], "10.0.0.1:443", true),
            (&["10.0.0.0/8"], "192.168.0.1:443", false),
            (&["0.0.0.0/0", "::/0"], "203.0.113.9:443", true),
        ] {
            assert_eq!(permits(&networks(allow), address.parse().unwrap()), permitted, "{allow:?} {address}");
        }
    }

    #[test]
    fn the_machine_itself_and_metadata_are_refused_even_when_everything_is_allowed() {
        let everything = networks(&["0.0.0.0/0", "::/0"]);
        for address in [
            "169.254.169.254:80",
            "[::ffff:169.254.169.254]:80",
            "[fe80::1]:80",
            "100.100.100.200:80",
            "168.63.129.16:80",
            "[fd00:ec2::254]:80",
            "127.0.0.1:80",
            "[::1]:80",
            "[::ffff:127.0.0.1]:80",
            "0.0.0.0:80",
            "0.1.2.3:80",
            "[::]:80",
            "224.0.0.1:80",
            "[ff02::1]:80",
            "255.255.255.255:80",
        ] {
            assert!(!permits(&everything, address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn metadata_is_refused_even_when_listed_by_itself() {
        assert!(!permits(&networks(&["169.254.169.254"]), "169.254.169.254:80".parse().unwrap()));
    }

    #[test]
    fn loopback_is_permitted_where_the_list_names_it() {
        let allow = networks(&["127.0.0.1:9000"]);
        assert!(permits(&allow, "127.0.0.1:9000".parse().unwrap()));
        assert!(!permits(&allow, "127.0.0.1:9001".parse().unwrap()));
        assert!(!permits(&allow, "127.0.0.2:9000".parse().unwrap()));
    }

    #[tokio::test]
    async fn a_name_that_resolves_to_an_address_not_listed_is_not_connected_to() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let refused = connect(&networks(&["10.0.0.0/8"]), "localhost", port).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::PermissionDenied);
        let listed = connect(&networks(&["127.0.0.1"]), "localhost", port).await.unwrap();
        assert_eq!(listed.peer_addr().unwrap(), listener.local_addr().unwrap());
    }
}
