//! HTTP as far as a load generator needs it.

use std::io::Write as _;

use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;

/// A command with a JSON body.
pub(crate) fn post(out: &mut Vec<u8>, command: &str, authorization: &str, body: &[u8]) {
    let written = write!(
        out,
        "POST /?command={command} HTTP/1.1\r\nHost: 127.0.0.1:8084\r\nUser-Agent: dovecot/auth-policy-client\r\n\
         Content-Length: {}\r\nConnection: Keep-Alive\r\nContent-Type: application/json\r\n\
         Authorization: Basic {authorization}\r\n\r\n",
        body.len()
    );
    written.unwrap();
    out.extend_from_slice(body);
}

/// Reads one answer; true if its status is 200.
pub(crate) async fn answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> bool {
    buffer.clear();
    loop {
        let count = stream.read_buf(buffer).await.expect("an answer");
        assert!(count > 0, "the server closed the connection: {:?}", String::from_utf8_lossy(buffer));
        let Some(head) = buffer.windows(4).position(|four| four == b"\r\n\r\n") else { continue };
        let length = content_length(&buffer[..head]);
        if buffer.len() >= head + 4 + length {
            return buffer.starts_with(b"HTTP/1.1 200");
        }
    }
}

fn content_length(head: &[u8]) -> usize {
    let name = b"content-length: ";
    let at =
        head.windows(name.len()).position(|word| word.eq_ignore_ascii_case(name)).expect("a content length");
    let digits = head[at + name.len()..].iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'))
}
