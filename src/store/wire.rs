//! The wire to a database server. What passes on it is not looked at, only whether anything does.
//!
//! Invariant: whoever asks over it is answered, or the connection breaks. libpq waits for an answer
//! without an end, and TCP ends a connection when the other machine is gone, not when something there
//! takes what is sent and never answers: a server that was stopped, or a balancer that lost what is
//! behind it. So libpq is led through a port of this machine that lets in one connection, and two
//! threads carry its bytes, encrypted where they are. Whoever else on this machine came in first would
//! have what it could have without us: a connection to the server, and nobody let in yet. A wire that
//! breaks is nothing new to anybody: what was asked is looked up, or refused, as when a server is
//! restarted.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use socket2::{SockRef, TcpKeepalive};

/// How long a server may take to take a connection.
const CONNECT: Duration = Duration::from_secs(2);
/// How often one looks whether an answer is overdue.
const TICK: Duration = Duration::from_millis(250);
/// Bytes that the other machine does not acknowledge for so long are given up, and it with them.
const UNACKNOWLEDGED: Duration = Duration::from_secs(3);
/// Ends a connection that rests, when the other machine is gone: after 4 seconds.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(2))
    .with_interval(Duration::from_secs(1))
    .with_retries(2);

/// What the wires to one server know of each other: when the last of them was given up. Those that
/// were there before it lead to what fell silent, as far as anybody knows: they are not asked any more.
#[derive(Debug, Clone, Default)]
pub(super) struct Silences(Arc<Mutex<Option<Instant>>>);

impl Silences {
    fn note(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }

    fn last(&self) -> Option<Instant> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Connects to `server`, and gives the port of this machine that leads there: one connection, within
/// seconds. It is broken when what was asked over it is not answered within `patience`.
///
/// # Errors
/// When the server is not reached.
pub(super) fn lead(server: SocketAddr, patience: Duration, silences: Silences) -> io::Result<u16> {
    let far = TcpStream::connect_timeout(&server, CONNECT)?;
    far.set_nodelay(true)?;
    far.set_read_timeout(Some(TICK))?;
    SockRef::from(&far).set_tcp_keepalive(&KEEPALIVE)?;
    SockRef::from(&far).set_tcp_user_timeout(Some(UNACKNOWLEDGED))?;
    let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    // For the accepting too: whoever was to come may have failed before.
    SockRef::from(&door).set_read_timeout(Some(CONNECT))?;
    let port = door.local_addr()?.port();
    let carry = move || {
        let Ok((near, _)) = door.accept() else { return };
        drop(door);
        // It has the door's patience otherwise.
        if near.set_read_timeout(None).and(near.set_nodelay(true)).is_err() {
            return;
        }
        Wire { near, far, patience, silences, laid: Instant::now(), asked: Mutex::default() }.carry();
    };
    thread::Builder::new().name("wire".into()).spawn(carry)?;
    Ok(port)
}

struct Wire {
    /// To libpq.
    near: TcpStream,
    /// To the server.
    far: TcpStream,
    patience: Duration,
    silences: Silences,
    laid: Instant,
    /// When something was asked that the server has not said anything to since.
    asked: Mutex<Option<Instant>>,
}

impl Wire {
    /// Carries until either side has ended, or the server was silent for too long.
    fn carry(&self) {
        thread::scope(|scope| {
            let upwards = thread::Builder::new().name("wire-up".into()).spawn_scoped(scope, || {
                self.upwards().ok();
                self.end();
            });
            if upwards.is_ok() {
                self.downwards().ok();
            }
            self.end();
        });
    }

    fn upwards(&self) -> io::Result<()> {
        let mut buffer = [0; 16_384];
        loop {
            match (&self.near).read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    self.asked().get_or_insert_with(Instant::now);
                    (&self.far).write_all(buffer.get(..count).unwrap_or_default())?;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn downwards(&self) -> io::Result<()> {
        let mut buffer = [0; 16_384];
        loop {
            match (&self.far).read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(count) => {
                    *self.asked() = None;
                    (&self.near).write_all(buffer.get(..count).unwrap_or_default())?;
                }
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock | ErrorKind::TimedOut if self.is_given_up() => return Ok(()),
                    ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }

    /// Is an answer overdue here? Or is it overdue elsewhere, and nobody waits here since before that?
    fn is_given_up(&self) -> bool {
        let asked = *self.asked();
        if asked.is_some_and(|asked| asked.elapsed() >= self.patience) {
            tracing::warn!(seconds = self.patience.as_secs(), "a database server does not answer: given up");
            self.silences.note();
            return true;
        }
        let silent = self.silences.last().filter(|silent| self.laid < *silent);
        silent.is_some_and(|silent| asked.is_none_or(|asked| asked > silent))
    }

    fn asked(&self) -> MutexGuard<'_, Option<Instant>> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends both sides, and so both threads.
    fn end(&self) {
        self.near.shutdown(Shutdown::Both).ok();
        self.far.shutdown(Shutdown::Both).ok();
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    /// Short, and still long enough for a busy machine to answer in.
    const PATIENCE: Duration = Duration::from_secs(1);

    /// A server, and a wire to it: its end there, and its end here.
    fn wire(server: &TcpListener, silences: &Silences) -> (TcpStream, TcpStream) {
        let port = lead(server.local_addr().unwrap(), PATIENCE, silences.clone()).unwrap();
        let near = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        (server.accept().unwrap().0, near)
    }

    fn server() -> TcpListener {
        TcpListener::bind("127.0.0.1:0").unwrap()
    }

    /// Waits for the end of a stream, and gives when it came.
    fn ended(mut stream: &TcpStream) -> Instant {
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
        assert_eq!(rest, b"");
        Instant::now()
    }

    #[test]
    fn what_is_asked_and_answered_arrives_and_a_wire_may_rest() {
        let (mut far, mut near) = wire(&server(), &Silences::default());
        let long = vec![7; 300_000];
        for _ in 0..3 {
            thread::scope(|scope| {
                scope.spawn(|| near.write_all(&long).unwrap());
                let mut asked = vec![0; long.len()];
                far.read_exact(&mut asked).unwrap();
                assert_eq!(asked, long);
            });
            far.write_all(b"answer").unwrap();
            let mut answer = [0; 6];
            near.read_exact(&mut answer).unwrap();
            assert_eq!(&answer, b"answer");
        }
        // Longer than an answer may take, and than anybody is let in.
        near.set_read_timeout(Some(PATIENCE + CONNECT)).unwrap();
        assert_eq!(near.read(&mut [0]).unwrap_err().kind(), ErrorKind::WouldBlock);
        drop(near);
        ended(&far);
    }

    #[test]
    fn a_server_that_says_nothing_is_given_up_and_so_are_the_wires_that_rest() {
        let (server, silences) = (server(), Silences::default());
        let [(_a, mut asks), (_b, rests)] = [wire(&server, &silences), wire(&server, &silences)];
        let began = Instant::now();
        asks.write_all(b"?").unwrap();
        let given_up = ended(&asks);
        assert!(given_up - began >= PATIENCE);
        assert!(ended(&rests) - began < PATIENCE * 3);
        // One that was laid since is not concerned.
        let (mut far, mut near) = wire(&server, &silences);
        near.write_all(b"?").unwrap();
        far.write_all(b"!").unwrap();
        near.set_read_timeout(Some(TICK * 3)).unwrap();
        let mut answer = [0; 2];
        assert_eq!(near.read(&mut answer).unwrap(), 1);
        assert_eq!(near.read(&mut answer).unwrap_err().kind(), ErrorKind::WouldBlock);
    }

    #[test]
    fn a_server_that_ends_the_connection_ends_it_here() {
        let (far, near) = wire(&server(), &Silences::default());
        drop(far);
        ended(&near);
    }

    #[test]
    fn nobody_is_let_in_after_the_first() {
        let server = server();
        let port = lead(server.local_addr().unwrap(), PATIENCE, Silences::default()).unwrap();
        let _first = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        let _far = server.accept().unwrap();
        let began = Instant::now();
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            assert!(began.elapsed() < CONNECT * 5, "the door is still open");
            thread::sleep(Duration::from_millis(5));
        }
    }
}
