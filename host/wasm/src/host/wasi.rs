//! WASI, for guests whose language runtime cannot do without: clocks, random numbers, an empty file system, standard
//! output and error to the log. No sockets, no environment, no arguments.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use capabilities::Level;
use parking_lot::Mutex;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::{WasiCtx, WasiCtxBuilder};

use crate::state::Common;

/// Lines that all instances of a policy may write in each second, to both outputs together: a traceback has dozens.
const LINES: u32 = 100;
const SECOND: Duration = Duration::from_secs(1);
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

/// What a policy's instances have written.
pub(crate) struct Output {
    /// Since when, and how many lines since then.
    spent: Mutex<(Instant, u32)>,
}

impl Default for Output {
    fn default() -> Self {
        Self { spent: Mutex::new((Instant::now(), 0)) }
    }
}

impl Output {
    /// Whether one more line may be written; that there may be no more is told once a second.
    fn line(&self, common: &Common) -> bool {
        let mut spent = self.spent.lock();
        if spent.0.elapsed() >= SECOND {
            *spent = (Instant::now(), 0);
        }
        spent.1 = spent.1.saturating_add(1);
        if spent.1 == LINES + 1 {
            common.capabilities.log.warn(format!(
                "policy {}: more than {LINES} lines of output within a second: the others are left out",
                common.name
            ));
        }
        spent.1 <= LINES
    }
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
        if self.line.is_empty() {
            return;
        }
        let line = std::mem::take(&mut self.line);
        let common = &self.common;
        if common.output.line(common) {
            let text = [format!("policy {}: ", common.name).as_bytes(), &line].concat();
            common.capabilities.log.log(self.level, text);
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
