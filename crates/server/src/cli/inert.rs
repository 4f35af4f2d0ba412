//! Text from outside, made harmless for a terminal: no control character, no escape sequence, nothing that turns the
//! reading direction around.

/// One line of `text` without anything a terminal would act on. Blanks of any kind become one space.
pub fn inert(text: &str) -> String {
    let visible = text.chars().map(|character| if character.is_whitespace() { ' ' } else { character });
    let mut shown = String::with_capacity(text.len());
    for character in visible.filter(|character| !acts(*character)) {
        if character != ' ' || !shown.ends_with(' ') {
            shown.push(character);
        }
    }
    shown
}

/// Control characters, and those that embed or override a direction or are not seen.
fn acts(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_reaches_the_terminal() {
        assert_eq!(inert("a\u{1b}]0;title\u{7}b"), "a]0;titleb");
        assert_eq!(inert("one\r\n\ttwo"), "one two");
        assert_eq!(inert("640\u{202e}00.1"), "64000.1");
        assert_eq!(inert("Müller 株式会社"), "Müller 株式会社");
    }
}
