//! What a server answers: three digits and some lines, of bounded size.

use tokio::io::AsyncBufRead;

use super::lines::{Line, read_line};

/// RFC 5321 allows 512; generous servers write more.
const LINE_LEN_MAX: u64 = 2048;
const LINES_MAX: usize = 64;
const TEXT_CHARS_MAX: usize = 300;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

/// No reply came, or what came was none.
#[derive(Debug, thiserror::Error)]
pub(super) enum Silence {
    #[error("the connection broke: {0}")]
    Broken(#[from] std::io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("the server's answer makes no sense")]
    Garbled,
}

impl Reply {
    pub(super) fn is_positive(&self) -> bool {
        (200..300).contains(&self.code)
    }

    /// The server's words on one line, fit to be shown: no control characters, not endless.
    pub(super) fn text(&self) -> String {
        let words = self.lines.join(" ");
        words.chars().filter(|character| !character.is_control()).take(TEXT_CHARS_MAX).collect()
    }

    /// The code, and the enhanced one (RFC 3463) where the words begin with it: no word of the server's.
    pub(super) fn codes(&self) -> String {
        let first =
            self.lines.first().and_then(|line| line.split_ascii_whitespace().next()).unwrap_or_default();
        let parts: Vec<&str> = first.split('.').collect();
        let is_number =
            |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
        if parts.len() == 3 && parts.iter().all(is_number) {
            format!("{} {first}", self.code)
        } else {
            self.code.to_string()
        }
    }

    /// The parameters of an extension named in an answer to EHLO, in capitals.
    pub(super) fn extension(&self, name: &str) -> Option<Vec<String>> {
        self.lines.iter().skip(1).find_map(|line| {
            let mut words = line.split_ascii_whitespace().map(str::to_ascii_uppercase);
            (words.next()? == name).then(|| words.collect())
        })
    }
}

pub(super) async fn read_reply<R: AsyncBufRead + Unpin>(reader: &mut R) -> Result<Reply, Silence> {
    let mut code = None;
    let mut lines = Vec::new();
    while lines.len() < LINES_MAX {
        let bytes = match read_line(reader, LINE_LEN_MAX).await? {
            Line::Whole(bytes) | Line::Crooked(bytes) => bytes,
            Line::TooLong => return Err(Silence::Garbled),
            Line::Closed => return Err(Silence::Closed),
        };
        let (line_code, more, text) = split(&bytes).ok_or(Silence::Garbled)?;
        if *code.get_or_insert(line_code) != line_code {
            return Err(Silence::Garbled);
        }
        lines.push(text);
        if !more {
            return Ok(Reply { code: line_code, lines });
        }
    }
    Err(Silence::Garbled)
}

/// The code, whether more lines follow, and the words.
fn split(line: &[u8]) -> Option<(u16, bool, String)> {
    let (digits, rest) = line.split_at_checked(3)?;
    let code = std::str::from_utf8(digits).ok()?.parse().ok().filter(|code| (200..600).contains(code))?;
    let (more, words) = match rest.split_first() {
        None => (false, rest),
        Some((b' ', words)) => (false, words),
        Some((b'-', words)) => (true, words),
        Some(_) => return None,
    };
    Some((code, more, String::from_utf8_lossy(words).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(mut input: &[u8]) -> Result<Reply, Silence> {
        read_reply(&mut input).await
    }

    #[tokio::test]
    async fn several_lines_make_one_reply() {
        let reply = read(b"250-mx.example at your service\r\n250-SIZE 1048576\r\n250 auth plain LOGIN\r\n")
            .await
            .unwrap();
        assert_eq!(reply.code, 250);
        assert_eq!(reply.extension("SIZE"), Some(vec!["1048576".to_owned()]));
        assert_eq!(reply.extension("AUTH"), Some(vec!["PLAIN".to_owned(), "LOGIN".to_owned()]));
        assert_eq!(reply.extension("MX.EXAMPLE"), None, "the first line is a greeting");
        assert_eq!(read(b"354\r\n").await.unwrap().code, 354);
    }

    #[tokio::test]
    async fn nonsense_is_no_reply() {
        for bad in [
            &b"OK\r\n"[..],
            b"99 low\r\n",
            b"250_x\r\n",
            b"250-a\r\n550 b\r\n",
            b"\xff\xff\xff x\r\n",
            b"+25 x\r\n",
        ] {
            assert!(matches!(read(bad).await, Err(Silence::Garbled)), "{bad:?}");
        }
        assert!(matches!(read(b"250-half\r\n").await, Err(Silence::Closed)));
    }

    #[tokio::test]
    async fn an_endless_reply_is_cut_off() {
        assert!(matches!(read(&b"2".repeat(1 << 20)).await, Err(Silence::Garbled)));
        assert!(matches!(read(&b"250-more\r\n".repeat(1000)).await, Err(Silence::Garbled)));
    }

    #[tokio::test]
    async fn shown_words_are_tame() {
        let reply = read(format!("550 no\x1b[31m {}\r\n", "x".repeat(600)).as_bytes()).await.unwrap();
        assert!(reply.text().starts_with("no[31m x"), "{}", reply.text());
        assert_eq!(reply.text().chars().count(), TEXT_CHARS_MAX);
    }
}
