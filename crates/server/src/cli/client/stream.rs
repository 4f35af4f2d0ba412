//! The API's stream of server-sent events, read as a bell: something happened, look.

use reqwest::Response;

use crate::cli::code::Code;
use crate::cli::failure::Failure;

/// Longest message that is read; a longer one is not ours.
const MESSAGE_BYTES_MAX: usize = 1 << 20;

pub struct Wakes {
    response: Response,
    line: LineReader,
}

impl Wakes {
    pub(super) fn new(response: Response) -> Self {
        Self { response, line: LineReader::default() }
    }

    /// Waits for the next message with data. `false` when the stream ended.
    pub async fn next(&mut self) -> Result<bool, Failure> {
        loop {
            match self.response.chunk().await {
                Ok(Some(bytes)) => {
                    if self.line.feed(&bytes)? {
                        return Ok(true);
                    }
                }
                Ok(None) | Err(_) => return Ok(false),
            }
        }
    }
}

/// The time of day is told every second and is no news.
const CLOCK: &[u8] = b"event: clock";

/// Finds the ends of messages that carry news: those with data that are not the clock. Heartbeats carry none.
#[derive(Default)]
struct LineReader {
    line: Vec<u8>,
    has_data: bool,
    is_clock: bool,
    bytes: usize,
}

impl LineReader {
    /// Whether at least one whole message with data ended in `bytes`.
    fn feed(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let mut rang = false;
        for byte in bytes {
            self.bytes += 1;
            if self.bytes > MESSAGE_BYTES_MAX {
                return Err(Failure::new(
                    Code::AnswerNotUnderstood,
                    "the stream of the API is not understood",
                ));
            }
            match byte {
                b'\r' => {}
                b'\n' if self.line.is_empty() => {
                    let (has_data, is_clock) =
                        (std::mem::take(&mut self.has_data), std::mem::take(&mut self.is_clock));
                    rang |= has_data && !is_clock;
                    self.bytes = 0;
                }
                b'\n' => {
                    self.has_data |= self.line.starts_with(b"data");
                    self.is_clock |= self.line == CLOCK;
                    self.line.clear();
                }
                byte => self.line.push(*byte),
            }
        }
        Ok(rang)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rings(chunks: &[&str]) -> Vec<bool> {
        let mut reader = LineReader::default();
        chunks.iter().map(|chunk| reader.feed(chunk.as_bytes()).unwrap()).collect()
    }

    #[test]
    fn a_message_rings_when_it_is_whole() {
        assert_eq!(rings(&["id: 1\nevent: case\ndata: {}\n", "\n"]), [false, true]);
        assert_eq!(rings(&["data: a\r\n\r\n: hi\n\n"]), [true]);
        assert_eq!(rings(&[": heartbeat\n\n", "retry: 2000\n\n"]), [false, false]);
        assert_eq!(rings(&["event: clock\ndata: {}\n\n", "event: case\ndata: {}\n\n"]), [false, true]);
        assert_eq!(rings(&["da", "ta: {}\n\nda", "ta: x"]), [false, true, false]);
    }

    #[test]
    fn a_message_without_end_is_not_gathered_for_ever() {
        let mut reader = LineReader::default();
        assert!(reader.feed(&vec![b'a'; MESSAGE_BYTES_MAX + 1]).is_err());
    }
}
