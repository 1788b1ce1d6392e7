//! A mail server of the test's own: aiosmtpd, which prints what it is sent.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::{self, Process};
use crate::{address, tools};

/// A running server; killed when dropped.
pub struct Smtp {
    process: Process,
    /// Where it listens.
    pub addr: SocketAddr,
    folder: TempDir,
}

impl Smtp {
    /// `security`: `none`, `starttls` or `tls`; `more`: see `smtp_server.py`.
    pub fn start(security: &str, more: &[&str]) -> Smtp {
        Smtp::start_at(address::fresh(), security, more)
    }

    /// The same at an address that the test chose.
    pub fn start_at(addr: SocketAddr, security: &str, more: &[&str]) -> Smtp {
        Smtp::start_as(addr, &addr.ip().to_string(), security, more)
    }

    /// The same with a certificate for another IP address.
    pub fn start_as(addr: SocketAddr, certified: &str, security: &str, more: &[&str]) -> Smtp {
        let folder = TempDir::with_prefix("portcullis-smtp-").unwrap();
        if security != "none" {
            certificate(folder.path(), certified);
        }
        let mut command = Command::new(tools::python_tool("python"));
        command
            .arg(tools::workspace().join("tests/src/smtp_server.py"))
            .args([&addr.ip().to_string(), &addr.port().to_string(), security])
            .arg(folder.path())
            .args(more);
        let process = Process::start(&command);
        process.stdout.wait_for("listening");
        Smtp { process, addr, folder }
    }

    /// The certificate that clients have to trust.
    pub fn authority(&self) -> String {
        self.folder.path().join("cert.pem").display().to_string()
    }

    /// Waits until this many lines with this text were printed, and returns the last one.
    pub fn wait_for(&self, text: &str, count: usize) -> Value {
        let lines = self.process.stdout.wait_for_count(text, count);
        let line = lines.into_iter().rfind(|line| line.contains(text)).unwrap();
        serde_json::from_str(&line).unwrap()
    }

    /// Waits for the mail of this number, counted from 1.
    pub fn mail(&self, number: usize) -> Value {
        self.wait_for("\"sender\"", number)
    }

    /// How many mails came.
    pub fn mails(&self) -> usize {
        self.process.stdout.count("\"sender\"")
    }
}

/// A certificate for an address, which is its own authority: `cert.pem` and `key.pem`.
fn certificate(folder: &Path, address: &str) {
    process::run_ok(
        Command::new(tools::system_tool("openssl"))
            .current_dir(folder)
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=mail.test"])
            // Marked as an authority it could not be a server's own.
            .args(["-addext", "basicConstraints=critical,CA:FALSE", "-addext"])
            .arg(format!("subjectAltName=IP:{address}")),
    );
}
