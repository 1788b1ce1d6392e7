//! A way between two daemons that a test can cut, hold up or spoil.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// What happens to the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// They arrive.
    Open = 0,
    /// Connections break, and new ones are closed at once.
    Cut = 1,
    /// They are not read: the sender's buffers fill.
    Held = 2,
    /// One byte of each piece is another one.
    Spoiled = 3,
}

/// A relay of TCP connections; what passes the other way is not touched. Ends with the test's process.
pub struct Relay {
    /// Where it listens.
    pub addr: SocketAddr,
    way: Arc<AtomicU8>,
    /// Connections so far.
    connections: Arc<AtomicUsize>,
    /// What was sent over the last connection.
    recorded: Arc<Mutex<Arc<Mutex<Vec<u8>>>>>,
}

/// How often a relay looks whether its way has changed.
const LOOK: Duration = Duration::from_millis(5);

impl Relay {
    /// Listens at `addr` and connects to `to`, where connections seem to come from `from`.
    pub fn start(addr: SocketAddr, to: SocketAddr, from: IpAddr) -> Relay {
        let listener = TcpListener::bind(addr).unwrap();
        let relay =
            Relay { addr, way: Arc::default(), connections: Arc::default(), recorded: Arc::default() };
        let (way, connections) = (Arc::clone(&relay.way), Arc::clone(&relay.connections));
        let recorded = Arc::clone(&relay.recorded);
        thread::spawn(move || {
            for inward in listener.incoming() {
                let Ok(inward) = inward else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                let (way, recorded) = (Arc::clone(&way), Arc::clone(&recorded));
                if way.load(Ordering::SeqCst) == Way::Cut as u8 {
                    continue;
                }
                thread::spawn(move || {
                    let Ok(outward) = connect_from(from, to) else { return };
                    let record = Arc::new(Mutex::new(Vec::new()));
                    *recorded.lock().unwrap() = Arc::clone(&record);
                    let (there, back) = (inward.try_clone().unwrap(), outward.try_clone().unwrap());
                    let back_way = Arc::clone(&way);
                    thread::spawn(move || copy(&back, &inward, &back_way, None));
                    copy(&there, &outward, &way, Some(&record));
                });
            }
        });
        relay
    }

    /// Changes what happens to the bytes.
    pub fn set(&self, way: Way) {
        self.way.store(way as u8, Ordering::SeqCst);
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What was sent over the last connection.
    pub fn recorded(&self) -> Vec<u8> {
        self.recorded.lock().unwrap().lock().unwrap().clone()
    }
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, way: &AtomicU8, record: Option<&Mutex<Vec<u8>>>) {
    from.set_read_timeout(Some(LOOK)).unwrap();
    let mut buffer = [0; 16 << 10];
    loop {
        let now = way.load(Ordering::SeqCst);
        if now == Way::Cut as u8 {
            break;
        }
        if now == Way::Held as u8 {
            thread::sleep(LOOK);
            continue;
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                if let Some(record) = record {
                    record.lock().unwrap().extend_from_slice(&buffer[..read]);
                    if now == Way::Spoiled as u8 {
                        buffer[read / 2] ^= 1;
                    }
                }
                if to.write_all(&buffer[..read]).is_err() {
                    break;
                }
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
            Err(_) => break,
        }
    }
    // The other end may be gone already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// A connection whose other end sees it come from `ip`.
pub fn connect_from(ip: IpAddr, to: SocketAddr) -> std::io::Result<TcpStream> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let stream = runtime.block_on(async {
        let socket =
            if ip.is_ipv4() { tokio::net::TcpSocket::new_v4() } else { tokio::net::TcpSocket::new_v6() }?;
        socket.bind(SocketAddr::new(ip, 0))?;
        socket.connect(to).await?.into_std()
    })?;
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(crate::PATIENCE))?;
    Ok(stream)
}
