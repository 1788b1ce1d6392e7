//! A way between two daemons that a test can cut, hold up or spoil.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// What happens to the bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Way {
    /// They arrive.
    Open,
    /// Connections break, and new ones are closed at once.
    Cut,
    /// They are not read: the sender's buffers fill.
    Held,
    /// One byte of each piece is another one.
    Spoiled,
}

/// The way as it is now.
struct Gate {
    way: Mutex<Way>,
    changed: Condvar,
    /// How long nothing passes over a new connection.
    delay: Mutex<Duration>,
}

impl Gate {
    /// The way, once it is not held.
    fn pass(&self) -> Way {
        let mut way = self.way.lock();
        self.changed.wait_while(&mut way, |way| *way == Way::Held);
        *way
    }
}

/// A relay of TCP connections; what passes the other way is not touched. Ends with the test's process.
pub struct Relay {
    /// Where it listens.
    pub addr: SocketAddr,
    gate: Arc<Gate>,
    /// Connections so far.
    connections: Arc<AtomicUsize>,
    /// What was sent over the last connection.
    recorded: Arc<Mutex<Record>>,
}

type Record = Arc<Mutex<Vec<u8>>>;

/// How often a relay looks whether its way has changed.
const LOOK: Duration = Duration::from_millis(5);

/// Runs on a thread of its own, to the end of the process if need be.
pub fn aside(what: impl FnOnce() + Send + 'static) {
    thread::Builder::new().name("aside".to_owned()).spawn(what).unwrap();
}

impl Relay {
    /// Listens at `addr` and connects to `to`, where connections seem to come from `from`.
    pub fn start(addr: SocketAddr, to: SocketAddr, from: IpAddr) -> Relay {
        let listener = TcpListener::bind(addr).unwrap();
        let gate =
            Arc::new(Gate { way: Mutex::new(Way::Open), changed: Condvar::new(), delay: Mutex::default() });
        let relay = Relay { addr, gate, connections: Arc::default(), recorded: Arc::default() };
        let (gate, connections) = (Arc::clone(&relay.gate), Arc::clone(&relay.connections));
        let recorded = Arc::clone(&relay.recorded);
        aside(move || {
            for inward in listener.incoming() {
                let Ok(inward) = inward else { continue };
                connections.fetch_add(1, Ordering::SeqCst);
                if *gate.way.lock() == Way::Cut {
                    continue;
                }
                let (gate, recorded) = (Arc::clone(&gate), Arc::clone(&recorded));
                aside(move || serve(inward, (to, from), &gate, &recorded));
            }
        });
        relay
    }

    /// Changes what happens to the bytes.
    pub fn set(&self, way: Way) {
        *self.gate.way.lock() = way;
        self.gate.changed.notify_all();
    }

    /// Of each new connection: nothing passes over it for so long.
    pub fn delay(&self, delay: Duration) {
        *self.gate.delay.lock() = delay;
    }

    /// Connections so far.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// What was sent over the last connection.
    pub fn recorded(&self) -> Vec<u8> {
        let record = Arc::clone(&self.recorded.lock());
        record.lock().clone()
    }
}

fn serve(inward: TcpStream, (to, from): (SocketAddr, IpAddr), gate: &Arc<Gate>, recorded: &Mutex<Record>) {
    let until = Instant::now() + *gate.delay.lock();
    while let Some(left) = until.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        thread::park_timeout(left);
    }
    let Ok(outward) = connect_from(from, to) else { return };
    let record = Record::default();
    *recorded.lock() = Arc::clone(&record);
    let (there, back) = (inward.try_clone().unwrap(), outward.try_clone().unwrap());
    let back_gate = Arc::clone(gate);
    aside(move || copy(&back, &inward, &back_gate, None));
    copy(&there, &outward, gate, Some(&record));
}

fn copy(mut from: &TcpStream, mut to: &TcpStream, gate: &Gate, record: Option<&Mutex<Vec<u8>>>) {
    from.set_read_timeout(Some(LOOK)).unwrap();
    let mut buffer = [0; 16 << 10];
    loop {
        let way = gate.pass();
        if way == Way::Cut {
            break;
        }
        match from.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => {
                if let Some(record) = record {
                    record.lock().extend_from_slice(&buffer[..read]);
                    if way == Way::Spoiled {
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

/// Passes datagrams that come to `addr` on to `to`, where they seem to come from `from`. Every `nth` is lost.
pub fn pass_datagrams(addr: SocketAddr, to: SocketAddr, from: IpAddr, nth: usize) {
    let (inward, outward) = (UdpSocket::bind(addr).unwrap(), UdpSocket::bind((from, 0)).unwrap());
    aside(move || {
        let mut buffer = [0; 2048];
        for number in 1.. {
            let Ok(read) = inward.recv(&mut buffer) else { continue };
            if number % nth != 0 {
                // Nobody may be there any more.
                let _ = outward.send_to(&buffer[..read], to);
            }
        }
    });
}

/// A connection whose other end sees it come from `ip`.
///
/// # Errors
/// If nobody listens there.
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
