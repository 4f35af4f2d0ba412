//! Rust sources as a flat list of tokens with their lines, so that no rule trips over comments and strings.

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};

/// One token; brackets are tokens of their own and `::` is one token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) text: String,
    pub(super) line: usize,
}

/// A function with a body: its name and how many lines it takes from `fn` to the closing brace.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) lines: usize,
}

/// Reads a Rust source; the error names the line where it stops being Rust.
pub(super) fn read(text: &str) -> Result<Vec<Token>, String> {
    let stream: TokenStream =
        text.parse().map_err(|error: proc_macro2::LexError| format!("line {}", error.span().start().line))?;
    let mut tokens = Vec::new();
    flatten(stream, &mut tokens);
    Ok(tokens)
}

fn flatten(stream: TokenStream, tokens: &mut Vec<Token>) {
    let mut colon_before = false;
    for tree in stream {
        let line = tree.span().start().line;
        let mut colon = false;
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = brackets(group.delimiter());
                tokens.push(Token { text: open.into(), line });
                flatten(group.stream(), tokens);
                tokens.push(Token { text: close.into(), line: group.span_close().start().line });
            }
            TokenTree::Punct(punct) if punct.as_char() == ':' && colon_before => {
                if let Some(last) = tokens.last_mut() {
                    last.text.push(':');
                }
            }
            TokenTree::Punct(punct) => {
                colon = punct.as_char() == ':' && punct.spacing() == Spacing::Joint;
                tokens.push(Token { text: punct.as_char().into(), line });
            }
            TokenTree::Ident(ident) => tokens.push(Token { text: ident.to_string(), line }),
            TokenTree::Literal(literal) => tokens.push(Token { text: literal.to_string(), line }),
        }
        colon_before = colon;
    }
}

fn brackets(delimiter: Delimiter) -> (&'static str, &'static str) {
    match delimiter {
        Delimiter::Parenthesis => ("(", ")"),
        Delimiter::Brace => ("{", "}"),
        Delimiter::Bracket => ("[", "]"),
        Delimiter::None => ("", ""),
    }
}

/// Whether the tokens at `at` read as `pattern`.
pub(super) fn reads(tokens: &[Token], at: usize, pattern: &[&str]) -> bool {
    tokens.len() >= at + pattern.len()
        && pattern.iter().zip(&tokens[at..]).all(|(want, token)| token.text == *want)
}

/// Where `pattern` stands, as indices of its first token.
pub(super) fn find<'a>(tokens: &'a [Token], pattern: &'a [&str]) -> impl Iterator<Item = usize> + 'a {
    (0..tokens.len()).filter(move |at| reads(tokens, *at, pattern))
}

/// The index after the bracket that closes the one at `open`.
pub(super) fn after_closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open) {
        match token.text.as_str() {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// The tokens without items marked `#[cfg(test)]`.
pub(super) fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const CFG_TEST: &[&str] = &["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        if reads(tokens, at, CFG_TEST) {
            at = after_item(tokens, at + CFG_TEST.len());
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

/// The index after the item that starts at `from`: after its body, or after its semicolon.
fn after_item(tokens: &[Token], from: usize) -> usize {
    let mut at = from;
    while at < tokens.len() {
        match tokens[at].text.as_str() {
            "{" => return after_closing(tokens, at),
            ";" => return at + 1,
            "(" | "[" => at = after_closing(tokens, at),
            _ => at += 1,
        }
    }
    at
}

/// Every function with a body, nested ones too.
pub(super) fn functions(tokens: &[Token]) -> Vec<Function> {
    let mut found = Vec::new();
    for at in find(tokens, &["fn"]) {
        let Some(name) = tokens.get(at + 1).filter(|name| is_word(&name.text)) else { continue };
        let end = after_item(tokens, at + 2);
        let Some(last) = tokens.get(end - 1).filter(|last| last.text == "}") else { continue };
        let line = tokens[at].line;
        found.push(Function { name: name.text.clone(), line, lines: last.line - line + 1 });
    }
    found
}

fn is_word(text: &str) -> bool {
    text.starts_with(|first: char| first.is_alphabetic() || first == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        read(text).expect("lexes").into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn comments_vanish_strings_are_one_token_and_paths_have_one_colon_token() {
        let text = "// todo!()\nuse a::b; let s = \"todo!() { \"; x: ::y";
        assert_eq!(
            words(text),
            ["use", "a", "::", "b", ";", "let", "s", "=", "\"todo!() { \"", ";", "x", ":", "::", "y"]
        );
    }

    #[test]
    fn functions_are_measured_from_fn_to_brace() {
        let text =
            "trait T { fn none(&self); }\nfn one(\n  a: [u8; 4],\n) -> u8 {\n  let f: fn(u8) = g;\n  1\n}\n";
        let found = functions(&read(text).expect("lexes"));
        assert_eq!(found, [Function { name: "one".into(), line: 2, lines: 6 }]);
    }

    #[test]
    fn test_items_are_left_out_and_nothing_else() {
        let text = "fn a() {} #[cfg(test)] mod tests { fn b() {} } #[cfg(test)] use c; fn d() {}";
        let names: Vec<String> =
            functions(&without_tests(&read(text).expect("lexes"))).into_iter().map(|f| f.name).collect();
        assert_eq!(names, ["a", "d"]);
    }

    #[test]
    fn a_source_that_is_not_rust_says_where() {
        assert_eq!(read("fn a() {\n  }\n}"), Err("line 3".into()));
    }
}
