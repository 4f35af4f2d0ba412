//! The heads of requests as they came. The HTTP library takes a body that comes in chunks by its chunks and drops the
//! `Content-Length` beside them unseen; a proxy in front of us may have gone by the length and sent on somebody else's
//! bytes as the rest. Such a request is found here, and refused. Nothing that arrives is kept: a slow sender costs no
//! memory here.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::{HeaderMap, header};

/// The longer of the two names, and its colon.
const START_BYTES: usize = "transfer-encoding:".len();

/// What the lines of one connection have said so far.
#[derive(Clone, Debug, Default)]
pub struct Heads(Arc<Mutex<Lines>>);

impl Heads {
    pub(super) fn note(&self, bytes: &[u8]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).read(bytes);
    }

    /// Whether a request in chunks came with a length too, on a connection where any block of lines held both. A body
    /// that imitates a head only harms its own connection.
    pub fn say_the_length_twice(&self, headers: &HeaderMap) -> bool {
        headers.contains_key(header::TRANSFER_ENCODING)
            && self.0.lock().unwrap_or_else(PoisonError::into_inner).both
    }
}

#[derive(Debug, Default)]
struct Lines {
    /// How the line that is arriving begins, and how long it is.
    start: [u8; START_BYTES],
    length: usize,
    /// What this block of lines has named.
    chunks: bool,
    says_length: bool,
    /// Whether any block named both.
    both: bool,
}

impl Lines {
    fn read(&mut self, mut bytes: &[u8]) {
        while let Some(end) = memchr::memchr(b'\n', bytes) {
            let (line, rest) = bytes.split_at(end);
            self.add(line);
            self.end_line();
            bytes = rest.get(1..).unwrap_or_default();
        }
        self.add(bytes);
    }

    fn add(&mut self, piece: &[u8]) {
        let room = self.start.get_mut(self.length..).unwrap_or_default();
        for (place, byte) in room.iter_mut().zip(piece) {
            *place = *byte;
        }
        self.length = self.length.saturating_add(piece.len());
    }

    fn end_line(&mut self) {
        let start = self.start.get(..self.length).unwrap_or(&self.start);
        let is_whole = self.length <= START_BYTES;
        self.length = 0;
        let line = if is_whole { start.strip_suffix(b"\r").unwrap_or(start) } else { start };
        if line.is_empty() {
            (self.chunks, self.says_length) = (false, false);
            return;
        }
        let name = line.split(|byte| *byte == b':').next().unwrap_or(line);
        self.chunks |= name.eq_ignore_ascii_case(b"transfer-encoding");
        self.says_length |= name.eq_ignore_ascii_case(b"content-length");
        self.both |= self.chunks && self.says_length;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXTS: [(&str, bool); 8] = [
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", true),
        ("POST / HTTP/1.1\r\ntransfer-ENCODING: chunked\r\ncontent-LENGTH: 5\r\n\r\n", true),
        ("POST / HTTP/1.1\ncontent-length: 5\ntransfer-encoding: chunked\n\n", true),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding:chunked\r\n\r\nand more\r\n\r\n", true),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", false),
        (
            "POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n{}POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            false,
        ),
        ("X-Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false),
        ("Content-Length: 5\r\nTransfer-Encoding-Of-Somebody: chunked\r\n\r\n", false),
    ];

    #[test]
    fn both_headers_in_one_head_are_found_in_any_order_and_spelling() {
        for (text, expected) in TEXTS {
            let mut lines = Lines::default();
            lines.read(text.as_bytes());
            assert_eq!(lines.both, expected, "{text}");
        }
    }

    #[test]
    fn it_does_not_matter_in_what_pieces_they_come() {
        for (text, expected) in TEXTS {
            for size in [1, 2, 3, 7, 18, 19] {
                let mut lines = Lines::default();
                text.as_bytes().chunks(size).for_each(|piece| lines.read(piece));
                assert_eq!(lines.both, expected, "{size}: {text}");
            }
        }
    }

    #[test]
    fn what_was_found_is_remembered_however_much_follows() {
        let mut lines = Lines::default();
        lines.read(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n");
        for _ in 0..100 {
            lines.read(&[b'x'; 4096]);
        }
        assert!(lines.both);
    }
}
