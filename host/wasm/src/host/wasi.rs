//! WASI, for guests whose language runtime cannot do without: clocks, random numbers, an empty file system, standard
//! output and error to the log. No sockets, no environment, no arguments.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use capabilities::Level;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::state::Common;

/// Lines that say the same come at most this often.
const EVERY: Duration = Duration::from_secs(1);
/// Longest line.
const LINE: usize = 1024;

/// A context that gives away nothing.
pub(crate) fn context(common: &Arc<Common>) -> WasiCtx {
    let mut builder = WasiCtxBuilder::new();
    builder
        .stdout(Lines { common: common.clone(), level: Level::Info })
        .stderr(Lines { common: common.clone(), level: Level::Warning })
        .allow_tcp(false)
        .allow_udp(false)
        .allow_ip_name_lookup(false);
    builder.build()
}

/// Standard output as log lines.
struct Lines {
    common: Arc<Common>,
    level: Level,
}

impl IsTerminal for Lines {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Lines {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(Writer { common: self.common.clone(), level: self.level, line: Vec::new() })
    }
}

struct Writer {
    common: Arc<Common>,
    level: Level,
    line: Vec<u8>,
}

impl Writer {
    fn flush_line(&mut self) {
        if !self.line.is_empty() {
            let mut text = format!("policy {}: ", self.common.name).into_bytes();
            text.append(&mut self.line);
            let key = format!("stdout {}", self.common.name);
            self.common.capabilities.log.limited(&key, EVERY, self.level, text);
        }
    }
}

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        for byte in bytes {
            if *byte == b'\n' || self.line.len() >= LINE {
                self.flush_line();
            }
            if *byte != b'\n' {
                self.line.push(*byte);
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.flush_line();
        Poll::Ready(Ok(()))
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush_line();
    }
}
