//! One connection to an SMTP server, from our side: a command out, a reply in.

use std::fmt::Display;
use std::io;

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};

use super::reply::{Reply, Silence, read_reply};

/// A byte stream to the server, encrypted or not.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

pub(super) struct Session {
    wire: BufReader<Box<dyn Wire>>,
}

impl Session {
    pub(super) fn over(wire: Box<dyn Wire>) -> Self {
        Self { wire: BufReader::new(wire) }
    }

    /// The stream itself, to be encrypted. Words that the server (or somebody between) said too early are a reason
    /// to stop: taken for answers later, they would have been said outside the encryption (RFC 3207, section 6).
    pub(super) fn into_wire(self) -> Result<Box<dyn Wire>, Silence> {
        if self.wire.buffer().is_empty() { Ok(self.wire.into_inner()) } else { Err(Silence::Garbled) }
    }

    pub(super) async fn reply(&mut self) -> Result<Reply, Silence> {
        read_reply(&mut self.wire).await
    }

    /// `command` brings its own line end, as lettre's commands do.
    pub(super) async fn ask(&mut self, command: impl Display) -> Result<Reply, Silence> {
        self.write(command.to_string().as_bytes()).await?;
        self.reply().await
    }

    pub(super) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.wire.write_all(bytes).await?;
        self.wire.flush().await
    }
}

/// Doubles the dot of every line that begins with one, so that no line of the message can end it.
pub(super) fn stuff_dots(message: &[u8]) -> Vec<u8> {
    let mut stuffed = Vec::with_capacity(message.len() + 16);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        if line.starts_with(b".") {
            stuffed.push(b'.');
        }
        stuffed.extend_from_slice(line);
    }
    stuffed
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_doubled_at_line_starts_only() {
        assert_eq!(stuff_dots(b".\r\na.b\r\n..\r\n"), b"..\r\na.b\r\n...\r\n");
        assert_eq!(stuff_dots(b""), b"");
    }
}
