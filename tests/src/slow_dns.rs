//! A DNS server that answers when the test lets it.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::{PATIENCE, address};

/// A server that takes questions and keeps them until it is released; then each gets one address.
pub struct SlowDns {
    /// Where it listens.
    pub address: SocketAddr,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    asked: AtomicUsize,
    released: Mutex<bool>,
    changed: Condvar,
}

impl SlowDns {
    /// Starts one.
    pub fn start() -> SlowDns {
        let socket = UdpSocket::bind(address::fresh()).unwrap();
        let address = socket.local_addr().unwrap();
        let state = Arc::new(State::default());
        let mine = state.clone();
        std::thread::Builder::new()
            .name("slow dns".into())
            .spawn(move || {
                let mut question = [0; 512];
                while let Ok((length, client)) = socket.recv_from(&mut question) {
                    mine.asked.fetch_add(1, Ordering::SeqCst);
                    mine.changed.notify_all();
                    let answer = answer(&question[..length]);
                    let (mine, socket) = (mine.clone(), socket.try_clone().unwrap());
                    std::thread::spawn(move || {
                        let mut released = mine.released.lock();
                        while !*released {
                            mine.changed.wait(&mut released);
                        }
                        // A client that has given up does not hear it.
                        let _ = socket.send_to(&answer, client);
                    });
                }
            })
            .unwrap();
        SlowDns { address, state }
    }

    /// Waits until so many questions were asked.
    pub fn wait_for(&self, questions: usize) {
        let deadline = Instant::now() + PATIENCE;
        while self.state.asked.load(Ordering::SeqCst) < questions {
            assert!(Instant::now() < deadline, "no {questions} questions in time");
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Answers everything, also what is asked from now on.
    pub fn release(&self) {
        *self.state.released.lock() = true;
        self.state.changed.notify_all();
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
