//! Where a PostgreSQL server is, as one URL.
//!
//! Invariant: user, servers and database, and nothing else. A password or a parameter, such as one
//! that turns the checking of certificates off, has no place in it.

use std::net::IpAddr;

use serde::{Deserialize, Deserializer};

/// Where a PostgreSQL server is, or the several of which one takes writes at a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    /// The role to be there.
    pub user: String,
    /// The servers, in the order in which they are tried, with their ports.
    pub hosts: Vec<(Host, u16)>,
    /// The database.
    pub database: String,
}

/// One server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Host {
    /// By name or address.
    Network(String),
    /// By the folder of its socket on this machine.
    Socket(String),
}

impl Host {
    /// Does what is sent there stay on this machine?
    pub fn is_this_machine(&self) -> bool {
        match self {
            Host::Socket(_) => true,
            Host::Network(name) => name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback()),
        }
    }

    /// As libpq takes it.
    pub fn as_str(&self) -> &str {
        match self {
            Host::Network(name) | Host::Socket(name) => name,
        }
    }
}

impl PostgresUrl {
    /// Parses `postgres://user@host:port,other:port/database`. A port left out is 5432; a host that
    /// begins with `%2F` is the folder of a socket; an IPv6 address stands in brackets.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("postgres://").or_else(|| text.strip_prefix("postgresql://"))?;
        let (user, rest) = rest.split_once('@')?;
        let (hosts, database) = rest.split_once('/')?;
        let hosts = hosts.split(',').map(host).collect::<Option<Vec<_>>>()?;
        let named = [user, database].into_iter().all(is_name);
        named.then(|| Self { user: user.to_owned(), hosts, database: database.to_owned() })
    }
}

fn host(text: &str) -> Option<(Host, u16)> {
    let (host, rest) = match text.strip_prefix('[') {
        Some(address) => address.split_once(']')?,
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let port = match rest.strip_prefix(':') {
        Some(port) => port.parse().ok().filter(|port| *port > 0)?,
        None if rest.is_empty() => 5432,
        None => return None,
    };
    let folder = host.replace("%2F", "/").replace("%2f", "/");
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:/".contains(c);
    match folder.starts_with('/') {
        _ if folder.is_empty() || !folder.chars().all(plain) => None,
        true => Some((Host::Socket(folder), port)),
        false => (!folder.contains('/')).then_some((Host::Network(folder), port)),
    }
}

/// A name that needs no quoting anywhere.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
}

impl<'de> Deserialize<'de> for PostgresUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        PostgresUrl::parse(&text).ok_or_else(|| {
            // The text is not repeated: somebody may have put the password there.
            serde::de::Error::custom(
                "expected postgres://user@host:port/database, without a password and without parameters; \
                 several servers as host:port,host:port",
            )
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Section {
        #[allow(dead_code)]
        url: PostgresUrl,
    }

    #[test]
    fn a_url_names_user_servers_and_database() {
        let hosts = |url: &str| PostgresUrl::parse(url).unwrap().hosts;
        let network = |name: &str, port| (Host::Network(name.into()), port);
        let two =
            PostgresUrl::parse("postgres://sluice_gateway@db1.example:5433,db2.example/sluice").unwrap();
        assert_eq!((two.user.as_str(), two.database.as_str()), ("sluice_gateway", "sluice"));
        assert_eq!(two.hosts, [network("db1.example", 5433), network("db2.example", 5432)]);
        assert_eq!(hosts("postgresql://u@[::1]:7/d"), [network("::1", 7)]);
        assert_eq!(
            hosts("postgres://u@%2Frun%2Fpostgresql/d"),
            [(Host::Socket("/run/postgresql".into()), 5432)]
        );
    }

    #[test]
    fn what_is_no_such_url_is_refused_without_being_repeated() {
        for bad in [
            "",
            "db1.example",
            "mysql://u@h/d",
            "postgres://h/d",
            "postgres://u:canary@h/d",
            "postgres://u@h",
            "postgres://u@h/",
            "postgres://u@/d",
            "postgres://u@h:0/d",
            "postgres://u@h:x/d",
            "postgres://u@h,/d",
            "postgres://u@h/d?sslmode=disable",
            "postgres://u@a b/d",
            "postgres://u@h'/d",
        ] {
            let found = toml::from_str::<Section>(&format!("url = \"{bad}\"")).unwrap_err();
            assert!(!found.message().contains("canary"), "{bad}: {found}");
        }
    }
}
