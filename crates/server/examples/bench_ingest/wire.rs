//! Just enough HTTP/1.1 to post on a connection that stays open: the request goes out as one write of bytes made before,
//! and of the answer only the status and the length are read.

use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Longer than any answer to a webhook.
const ANSWER_MAX: usize = 4096;

#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    answer: Box<[u8; ANSWER_MAX]>,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, answer: Box::new([0; ANSWER_MAX]) })
    }

    /// Sends a whole request and gives the status of its answer.
    pub async fn send(&mut self, request: &[u8]) -> Result<u16> {
        self.stream.write_all(request).await?;
        let mut held = 0;
        loop {
            let read = self.stream.read(&mut self.answer[held..]).await?;
            if read == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the answer broke off"));
            }
            held += read;
            if let Some(status) = status_when_whole(&self.answer[..held])? {
                return Ok(status);
            }
        }
    }
}

/// The status, once the head and all of the body it announces are there.
fn status_when_whole(answer: &[u8]) -> Result<Option<u16>> {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&answer[..head]).map_err(|_| malformed())?;
    let status = text.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(malformed)?;
    let length = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok()).flatten()
    });
    let length = length.ok_or_else(malformed)?;
    Ok((answer.len() >= head + 4 + length).then_some(status))
}

fn malformed() -> Error {
    Error::new(ErrorKind::InvalidData, "the answer is not what a webhook gets")
}
