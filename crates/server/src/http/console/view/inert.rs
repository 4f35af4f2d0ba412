//! Text that somebody outside wrote: capped, never markup, with everything that could deceive the eye made visible.
//!
//! Bidirectional controls and zero-width characters are shown as their code points, words that mix Latin with look-alike
//! alphabets are marked, and a ten-thousand-letter name cannot push the amount off the card.

use askama::Template;
use askama::filters::HtmlSafe;

/// As many characters as a line of a card shows before the rest is counted instead.
const LINE_CHARS: usize = 160;

#[derive(Clone, Debug, PartialEq, Eq, Template)]
#[template(path = "parts/inert.html")]
pub struct Inert {
    parts: Vec<Part>,
    /// Characters left out at the end.
    omitted: usize,
    /// A word mixes alphabets that look alike.
    mixed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Plain(String),
    /// A character that would be invisible, as `U+202E`.
    Hidden(String),
}

impl HtmlSafe for Inert {}

impl Inert {
    /// A name or a one-line remark.
    pub fn line(raw: &str) -> Self {
        Self::capped(raw, LINE_CHARS)
    }

    /// At most `chars` characters on one line; the rest is counted.
    pub fn capped(raw: &str, chars: usize) -> Self {
        Self::shown(raw, chars, |_| ' ')
    }

    /// The same with its line breaks kept, for a whole message or request.
    pub fn block(raw: &str, chars: usize) -> Self {
        Self::shown(raw, chars, |space| if space == '\n' { '\n' } else { ' ' })
    }

    fn shown(raw: &str, chars: usize, space: fn(char) -> char) -> Self {
        let total = raw.chars().count();
        let mut parts = Vec::new();
        let mut plain = String::new();
        for character in raw.chars().take(chars) {
            if hides(character) {
                if !plain.is_empty() {
                    parts.push(Part::Plain(std::mem::take(&mut plain)));
                }
                parts.push(Part::Hidden(format!("U+{:04X}", u32::from(character))));
            } else {
                plain.push(if character.is_whitespace() { space(character) } else { character });
            }
        }
        if !plain.is_empty() {
            parts.push(Part::Plain(plain));
        }
        Self {
            parts,
            omitted: total.saturating_sub(chars),
            mixed: raw.split_whitespace().any(mixes_alphabets),
        }
    }

    /// For attributes and titles: the same text with code points spelled out.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Plain(text) => out.push_str(text),
                Part::Hidden(code) => {
                    out.push('[');
                    out.push_str(code);
                    out.push(']');
                }
            }
        }
        if self.omitted > 0 {
            out.push('\u{2026}');
        }
        out
    }
}

/// Controls, bidirectional overrides and isolates, zero-width and invisible formatting, tag characters.
fn hides(character: char) -> bool {
    let invisible = matches!(u32::from(character),
        0x00AD | 0x034F | 0x061C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F
        | 0x2028..=0x202E | 0x2060..=0x206F | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF9..=0xFFFB
        | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF);
    invisible || (character.is_control() && !matches!(character, '\n' | '\r' | '\t'))
}

fn mixes_alphabets(word: &str) -> bool {
    let latin = word.chars().any(|letter| letter.is_ascii_alphabetic());
    let lookalike = word.chars().any(|letter| {
        matches!(u32::from(letter), 0x0370..=0x03FF | 0x0400..=0x052F | 0x0530..=0x058F | 0x13A0..=0x13FF | 0x1D400..=0x1D7FF)
    });
    latin && lookalike
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_override_is_shown_instead_of_obeyed() {
        let text = Inert::line("Acme\u{202E}fdp.exe\u{200B}");
        assert_eq!(text.text(), "Acme[U+202E]fdp.exe[U+200B]");
        assert!(!text.render().unwrap().contains('\u{202E}'));
    }

    #[test]
    fn a_long_name_is_cut_and_counted() {
        let text = Inert::line(&"x".repeat(10_000));
        assert_eq!(text.omitted, 10_000 - LINE_CHARS);
        assert!(text.render().unwrap().contains("9840"));
    }

    #[test]
    fn look_alike_letters_are_marked_and_honest_ones_are_not() {
        assert!(Inert::line("\u{0410}pple Inc").mixed);
        for honest in
            ["Apple Inc", "\u{041C}\u{043E}\u{0441}\u{043A}\u{0432}\u{0430} LLC", "Zoë & Søn", "日本電気 NEC"]
        {
            assert!(!Inert::line(honest).mixed, "{honest}");
        }
    }

    #[test]
    fn markup_stays_text() {
        let html = Inert::line("<img src=x onerror=alert(1)>").render().unwrap();
        assert!(!html.contains("<img"), "{html}");
    }

    #[test]
    fn line_breaks_do_not_forge_rows() {
        assert_eq!(Inert::line("a\nb\tc").text(), "a b c");
        assert_eq!(Inert::block("a\nb\tc", 9).text(), "a\nb c");
    }
}
