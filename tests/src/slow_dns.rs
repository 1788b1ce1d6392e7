//! A DNS server that answers when the test lets it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Condvar, Mutex};

use crate::{PATIENCE, address};

/// A server that takes questions and keeps them until it is released; then each gets one address.
pub struct SlowDns {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
    socket: UdpSocket,
}

#[derive(Default)]
struct State {
    kept: Mutex<Kept>,
    changed: Condvar,
}

#[derive(Default)]
struct Kept {
    asked: usize,
    released: bool,
    /// What is to be sent to whom.
    answers: Vec<(Vec<u8>, SocketAddr)>,
}

impl SlowDns {
    /// Starts one.
    pub fn start() -> SlowDns {
        let socket = UdpSocket::bind(address::fresh()).unwrap();
        let address = socket.local_addr().unwrap();
        let state = Arc::new(State::default());
        let dns = SlowDns { address, state: state.clone(), socket: socket.try_clone().unwrap() };
        let listen = move || {
            let mut question = [0; 512];
            while let Ok((length, client)) = socket.recv_from(&mut question) {
                let mut kept = state.kept.lock();
                kept.asked += 1;
                kept.answers.push((answer(&question[..length]), client));
                if kept.released {
                    send(&mut kept, &socket);
                }
                state.changed.notify_all();
            }
        };
        std::thread::Builder::new().name("slow dns".into()).spawn(listen).unwrap();
        dns
    }

    /// Waits until so many questions were asked.
    pub fn wait_for(&self, questions: usize) {
        let deadline = Instant::now() + PATIENCE;
        let mut kept = self.state.kept.lock();
        while kept.asked < questions {
            let late = self.state.changed.wait_until(&mut kept, deadline).timed_out();
            assert!(!late, "{} of {questions} questions in time", kept.asked);
        }
    }

    /// Answers everything, also what is asked from now on.
    pub fn release(&self) {
        let mut kept = self.state.kept.lock();
        kept.released = true;
        send(&mut kept, &self.socket);
    }
}

fn send(kept: &mut Kept, socket: &UdpSocket) {
    for (answer, client) in kept.answers.drain(..) {
        // A client that has given up does not hear it.
        let _ = socket.send_to(&answer, client);
    }
}

/// The question with an answer: 192.0.2.1 for a question of type A, nothing for others.
fn answer(question: &[u8]) -> Vec<u8> {
    // Header, name, type and class; what may follow (EDNS) is left out.
    let name = 12 + question[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let kind = [question[name], question[name + 1]];
    let mut answer = question[..name + 4].to_vec();
    let is_a = kind == [0, 1];
    answer[2] = 0x81;
    answer[3] = 0x80;
    answer[6..12].copy_from_slice(&[0, u8::from(is_a), 0, 0, 0, 0]);
    if is_a {
        // The name of the question, A, IN, 60 seconds, four bytes.
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
    }
    answer
}
