//! Lines of SMTP, never longer than the reader is willing to hold.

use std::io;

use tokio::io::{AsyncBufRead, AsyncBufReadExt, AsyncReadExt};

/// What stood between two line ends.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// Ended by CRLF, which is left out.
    Whole(Vec<u8>),
    /// Ended by a bare LF, which is left out, or holds a CR inside.
    Crooked(Vec<u8>),
    /// More bytes than allowed before any line end. What follows is the rest of it.
    TooLong,
    /// The other side closed; a line it had begun is dropped.
    Closed,
}

/// Reads to the next LF, at most `len_max` bytes with the line end.
pub(super) async fn read_line<R: AsyncBufRead + Unpin>(reader: &mut R, len_max: u64) -> io::Result<Line> {
    let mut bytes = Vec::with_capacity(80);
    let read = reader.take(len_max).read_until(b'\n', &mut bytes).await?;
    if bytes.pop_if(|last| *last == b'\n').is_none() {
        return Ok(if read as u64 == len_max { Line::TooLong } else { Line::Closed });
    }
    let ended_well = bytes.pop_if(|last| *last == b'\r').is_some();
    Ok(if ended_well && !bytes.contains(&b'\r') { Line::Whole(bytes) } else { Line::Crooked(bytes) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn lines_are_told_apart() {
        let mut input = &b"one\r\n\r\nlf\na\rb\r\n0123456789\r\ncut"[..];
        let mut lines = Vec::new();
        for _ in 0..8 {
            lines.push(read_line(&mut input, 8).await.unwrap());
        }
        let expected = [
            Line::Whole(b"one".to_vec()),
            Line::Whole(Vec::new()),
            Line::Crooked(b"lf".to_vec()),
            Line::Crooked(b"a\rb".to_vec()),
            Line::TooLong,
            Line::Whole(b"89".to_vec()),
            Line::Closed,
            Line::Closed,
        ];
        assert_eq!(lines, expected);
    }
}
