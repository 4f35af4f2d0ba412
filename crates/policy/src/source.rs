//! Policy files as text: where each statement begins and ends, what its condition says, and which line an offset is on.
//! Statements are found without Cedar's parser, so that one broken policy does not hide the complaints about the others.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// One file of a policy set. `path` is what people are shown and part of the content hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyFile {
    pub path: String,
    pub text: String,
}

impl PolicyFile {
    pub fn new(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into() }
    }
}

/// One policy within a file, annotations included, comments before it not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Statement {
    pub range: Range<usize>,
    /// How deep brackets nest.
    pub depth: usize,
    /// Operators that make the tree deeper: `&&`, `||`, arithmetic and `if`. Dots are counted apart.
    pub operators: usize,
    pub dots: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Piece {
    Code(char),
    Quoted(char),
}

/// Everything but comments, with where it stands. A quote belongs to what it quotes.
fn pieces(text: &str) -> impl Iterator<Item = (usize, Piece)> {
    #[derive(PartialEq)]
    enum Within {
        Code,
        Comment,
        Quotes,
        Escape,
    }
    let mut within = Within::Code;
    text.char_indices().filter_map(move |(at, letter)| {
        let (next, piece) = match (&within, letter) {
            (Within::Comment, '\n') => (Within::Code, Some(Piece::Code(letter))),
            (Within::Comment, _) => (Within::Comment, None),
            (Within::Quotes, '\\') => (Within::Escape, Some(Piece::Quoted(letter))),
            (Within::Quotes, '"') => (Within::Code, Some(Piece::Quoted(letter))),
            (Within::Quotes | Within::Escape, _) | (Within::Code, '"') => {
                (Within::Quotes, Some(Piece::Quoted(letter)))
            }
            (Within::Code, '/') if text[at..].starts_with("//") => (Within::Comment, None),
            (Within::Code, _) => (Within::Code, Some(Piece::Code(letter))),
        };
        within = next;
        piece.map(|piece| (at, piece))
    })
}

/// The statements of a file in order. Text after the last `;` is a statement too: Cedar says what is wrong with it.
pub(crate) fn statements(text: &str) -> Vec<Statement> {
    let mut found = Vec::new();
    let mut current: Option<Statement> = None;
    let mut depth = 0_usize;
    for (at, piece) in pieces(text) {
        if matches!(piece, Piece::Code(letter) if letter.is_whitespace()) {
            continue;
        }
        let statement = current.get_or_insert(Statement { range: at..at, depth: 0, operators: 0, dots: 0 });
        match piece {
            Piece::Code('(' | '[' | '{') => depth += 1,
            Piece::Code(')' | ']' | '}') => depth = depth.saturating_sub(1),
            Piece::Code('.') => statement.dots += 1,
            // Two letters make one of these operators, except in arithmetic.
            Piece::Code('&' | '|') => statement.operators += usize::from(text[..at].ends_with(['&', '|'])),
            Piece::Code('+' | '-' | '*') => statement.operators += 1,
            Piece::Code('i') if text[at..].starts_with("if") => statement.operators += 1,
            Piece::Code(_) | Piece::Quoted(_) => {}
        }
        statement.depth = statement.depth.max(depth);
        if piece == Piece::Code(';') {
            statement.range.end = at + 1;
            found.extend(current.take());
            depth = 0;
        }
    }
    if let Some(mut unfinished) = current {
        unfinished.range.end = text.trim_end().len();
        found.push(unfinished);
    }
    found
}

/// The `when` and `unless` clauses as written, or the scope where there are none; on one line and without comments.
pub(crate) fn condition(statement: &str) -> String {
    let (mut annotation_end, mut head_end, mut begins) = (0, None, None);
    let mut code = pieces(statement).filter_map(|(at, piece)| match piece {
        Piece::Code(letter) => Some((at, letter)),
        Piece::Quoted(_) => None,
    });
    for (at, letter) in code.by_ref() {
        match letter {
            ')' => {
                annotation_end = head_end.unwrap_or(0);
                head_end = Some(at + 1);
            }
            '{' => {
                begins = head_end;
                break;
            }
            _ => {}
        }
    }
    let written = one_line(&statement[begins.unwrap_or(annotation_end)..]);
    written.trim_end_matches(';').trim_end().to_owned()
}

fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for (_, piece) in pieces(text) {
        match piece {
            Piece::Code(letter) if letter.is_whitespace() => {
                if !line.is_empty() && !line.ends_with(' ') {
                    line.push(' ');
                }
            }
            Piece::Code(letter) | Piece::Quoted(letter) => line.push(letter),
        }
    }
    line
}

/// Line and column of an offset, both from 1, the column in characters.
pub(crate) fn position(text: &str, offset: usize) -> (u32, u32) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = &text[..end];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().unwrap_or("").chars().count() + 1;
    (u32::try_from(line).unwrap_or(u32::MAX), u32::try_from(column).unwrap_or(u32::MAX))
}

/// The first character that makes a text look other than it is: a bidirectional control or a zero-width one.
pub(crate) fn deceptive(text: &str) -> Option<(usize, char)> {
    text.char_indices().find(|(_, letter)| {
        matches!(letter, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<&str> {
        statements(text).into_iter().map(|statement| &text[statement.range]).collect()
    }

    #[test]
    fn semicolons_in_strings_and_comments_end_nothing() {
        let text =
            "// first; not a policy\n@id(\"a;\\\"b;\")\npermit(p); // tail;\nforbid(q)\n  // unfinished\n";
        assert_eq!(texts(text), ["@id(\"a;\\\"b;\")\npermit(p);", "forbid(q)\n  // unfinished"]);
        assert!(texts("  // only a comment;").is_empty());
    }

    #[test]
    fn conditions_come_on_one_line_without_comments() {
        let whole = "@id(\"a\")\npermit(principal, action, resource)\nwhen {\n  // why\n  context.x == \"a  // b\" // tail\n};";
        assert_eq!(condition(whole), "when { context.x == \"a  // b\" }");
        assert_eq!(
            condition("@id(\"a\") @ask(\"c\") permit(principal, action,\n resource);"),
            "permit(principal, action, resource)"
        );
    }

    #[test]
    fn positions_count_characters_from_one() {
        let text = "ä b\ncd";
        assert_eq!(position(text, 0), (1, 1));
        assert_eq!(position(text, 3), (1, 3));
        assert_eq!(position(text, 1), (1, 1), "inside a character");
        assert_eq!(position(text, 6), (2, 2));
        assert_eq!(position(text, 99), (2, 3));
    }
}
