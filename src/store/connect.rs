//! Connecting to a PostgreSQL server.
//!
//! Invariant: of the servers that a URL names the one is found that takes writes, so that a standby
//! that was promoted is; each is waited for for seconds, and so is every answer afterwards: see
//! [`wire`]. By a socket in a folder there is no such bound.

use std::net::{SocketAddr, ToSocketAddrs};
use std::time::Duration;

use diesel::connection::SimpleConnection;
use diesel::{Connection, ConnectionError, PgConnection};

use super::db::{Server, set};
use super::wire;
use crate::config::Host;

/// How long a server may be silent when it was asked something: longer than any statement of ours
/// takes, and than any lock is waited for.
const PATIENCE: Duration = Duration::from_secs(8);
/// The same for a change of the schema.
const MIGRATION: Duration = Duration::from_secs(3600);

impl Server {
    /// Connects, and runs `session`, which sets what the session is to have. Takes a few seconds
    /// at most for each server that does not answer; afterwards, what is not answered in
    /// [`PATIENCE`] breaks the connection.
    ///
    /// # Errors
    /// Why not, for each server, in the words of libpq, which repeat no password.
    pub fn connect(&self, session: &str) -> Result<PgConnection, ConnectionError> {
        self.connect_with(session, PATIENCE)
    }

    /// The same for a change of the schema, which may take as long as it takes.
    ///
    /// # Errors
    /// As for [`Server::connect`].
    pub fn connect_to_migrate(&self, session: &str) -> Result<PgConnection, ConnectionError> {
        self.connect_with(session, MIGRATION)
    }

    /// Whichever server takes writes, so that a standby that was promoted is found.
    fn connect_with(&self, session: &str, patience: Duration) -> Result<PgConnection, ConnectionError> {
        let mut refused = Vec::new();
        for (host, port) in self.hosts.iter() {
            let places = match host {
                Host::Socket(_) => vec![None],
                Host::Network(name) => match (name.as_str(), *port).to_socket_addrs() {
                    Ok(addresses) => addresses.map(Some).collect(),
                    Err(error) => {
                        refused.push(format!("{name}: {error}"));
                        continue;
                    }
                },
            };
            for place in places {
                match self.connect_at(host, *port, place, session, patience) {
                    Ok(connection) => return Ok(connection),
                    Err(error) => refused.push(format!("{}:{port}: {error}", host.as_str())),
                }
            }
        }
        Err(ConnectionError::BadConnection(refused.join("; ")))
    }

    /// At one address, by a wire that is not waited on without an end; or by a socket in a folder.
    fn connect_at(
        &self,
        host: &Host,
        port: u16,
        address: Option<SocketAddr>,
        session: &str,
        patience: Duration,
    ) -> Result<PgConnection, ConnectionError> {
        let mut conninfo = self.conninfo.reveal().clone();
        // The name is what the certificate is of, wherever the bytes go.
        set(&mut conninfo, "host", host.as_str());
        let mut port = port;
        if let Some(address) = address {
            port = wire::lead(address, patience, self.silences.clone())
                .map_err(|error| ConnectionError::BadConnection(error.to_string()))?;
            set(&mut conninfo, "hostaddr", "127.0.0.1");
        }
        set(&mut conninfo, "port", &port.to_string());
        let mut connection = PgConnection::establish(&conninfo)?;
        connection.batch_execute(session).map_err(ConnectionError::CouldntSetupConfiguration)?;
        Ok(connection)
    }
}
