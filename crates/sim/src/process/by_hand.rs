//! HTTP by hand: what is sent is exactly what is written here, also where no client library would send it.

use anyhow::Context as _;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// What was answered to one request.
#[derive(Clone, Debug)]
pub(super) struct Answered {
    pub status: u16,
    /// Names of headers are in small letters, as ours are.
    pub head: String,
    pub body: String,
}

/// One connection, used for one request after the other.
pub(super) struct Connection(TcpStream);

impl Connection {
    pub(super) async fn open(address: &str) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self(stream))
    }

    pub(super) async fn ask(&mut self, request: &[u8]) -> anyhow::Result<Answered> {
        self.0.write_all(request).await?;
        let (mut heard, mut piece) = (Vec::new(), [0; 8192]);
        loop {
            if let Some(answered) = whole(&heard)? {
                return Ok(answered);
            }
            let length = self.0.read(&mut piece).await?;
            anyhow::ensure!(length > 0, "closed without an answer");
            heard.extend_from_slice(&piece[..length]);
        }
    }
}

impl Answered {
    pub(super) fn closes(&self) -> bool {
        self.head.contains("\r\nconnection: close")
    }

    /// Told to come again, and when.
    pub(super) fn is_put_off(&self) -> bool {
        self.status == 503 && self.head.contains("\r\nretry-after: ")
    }
}

/// Asks on a connection of its own.
pub(super) async fn ask(address: &str, request: &[u8]) -> anyhow::Result<Answered> {
    Connection::open(address).await?.ask(request).await
}

/// A request without a body. `headers` are whole lines.
pub(super) fn get(address: &str, path: &str, headers: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n").into_bytes()
}

/// A request with a body of whatever `headers` say of it.
pub(super) fn post(address: &str, path: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nhost: {address}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

/// An answer once all of it is here. Ours have a length, or come in chunks that end with an empty one.
fn whole(heard: &[u8]) -> anyhow::Result<Option<Answered>> {
    let Some(end) = heard.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let head = String::from_utf8_lossy(&heard[..end]).into_owned();
    let body = &heard[end + 4..];
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let is_whole = match length {
        Some(length) => body.len() >= length.trim().parse::<usize>().context("a length")?,
        None => status == 204 || status == 304 || body.ends_with(b"0\r\n\r\n"),
    };
    let body = String::from_utf8_lossy(body).into_owned();
    Ok(is_whole.then_some(Answered { status, head, body }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_when_all_of_it_is_here() {
        for (text, status) in [
            ("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", 200),
            ("HTTP/1.1 503 Busy\r\nretry-after: 1\r\ncontent-length: 0\r\n\r\n", 503),
            ("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 200),
        ] {
            let answered = whole(text.as_bytes()).unwrap().unwrap();
            assert_eq!((answered.status, answered.is_put_off()), (status, status == 503), "{text}");
            for cut in 0..text.len() {
                assert!(whole(&text.as_bytes()[..cut]).unwrap().is_none(), "{cut} of {text}");
            }
        }
    }
}
