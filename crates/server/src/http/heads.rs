//! The heads of requests as they came. The HTTP library takes a body that comes in chunks by its chunks and drops the
//! `Content-Length` beside them unseen; a proxy in front of us may have gone by the length and sent on somebody else's
//! bytes as the rest. Such a request is found here, and refused.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use axum::http::{HeaderMap, header};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection brought last: more than the library holds back for a head and what it read with it.
const KEPT_BYTES: usize = 128 * 1024;

/// The last bytes of one connection.
#[derive(Clone, Debug, Default)]
pub struct Heads(Arc<Mutex<Vec<u8>>>);

impl Heads {
    fn note(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() + bytes.len() > KEPT_BYTES {
            let surplus = (kept.len() + bytes.len() - KEPT_BYTES / 2).min(kept.len());
            kept.drain(..surplus);
        }
        kept.extend_from_slice(bytes);
    }

    /// Whether a request in chunks came with a length too. Looks no further where there are no chunks.
    pub fn say_the_length_twice(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(header::TRANSFER_ENCODING)
            && has_both(&self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Whether any block of lines holds both headers. A body that imitates a head only harms the request it belongs to.
fn has_both(bytes: &[u8]) -> bool {
    let (mut chunks, mut length) = (false, false);
    for line in bytes.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            (chunks, length) = (false, false);
            continue;
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or(line);
        chunks |= name.eq_ignore_ascii_case(b"transfer-encoding");
        length |= name.eq_ignore_ascii_case(b"content-length");
        if chunks && length {
            return true;
        }
    }
    false
}

/// A stream whose incoming bytes are remembered.
#[derive(Debug)]
pub struct Watched<S> {
    stream: S,
    heads: Heads,
}

impl<S> Watched<S> {
    pub fn new(stream: S, heads: Heads) -> Self {
        Self { stream, heads }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(cx, buf);
        if let Some(new) = buf.filled().get(before..).filter(|new| !new.is_empty()) {
            self.heads.note(new);
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_headers_in_one_head_are_found_in_any_order_and_spelling() {
        for (text, expected) in [
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", true),
            ("POST / HTTP/1.1\r\ntransfer-ENCODING: chunked\r\ncontent-LENGTH: 5\r\n\r\n", true),
            ("POST / HTTP/1.1\ncontent-length: 5\ntransfer-encoding: chunked\n\n", true),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false),
            (
                "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
                false,
            ),
            ("X-Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ] {
            assert_eq!(has_both(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn only_the_last_bytes_are_kept() {
        let heads = Heads::default();
        for _ in 0..100 {
            heads.note(&vec![b'x'; 32 * 1024]);
        }
        heads.note(&vec![b'y'; 2 * KEPT_BYTES]);
        heads.note(b"end");
        let kept = heads.0.lock().unwrap();
        assert!(kept.ends_with(b"end") && kept.len() <= 2 * KEPT_BYTES + 3);
    }
}
