//! Card numbers that strayed into free text are masked before anything is stored.
//!
//! A run counts when it has 13 to 19 digits, single or grouped by one space or hyphen, begins as cards do,
//! passes the Luhn check and stands apart from letters (so that ids stay whole). All but the last four
//! digits become `*`; the length stays.

use std::borrow::Cow;
use std::ops::Range;

use serde_json::Value;

const DIGITS_MIN: usize = 13;
const DIGITS_MAX: usize = 19;
const DIGITS_KEPT: usize = 4;
const GROUP_DIGITS_MIN: usize = 4;

/// Masks card numbers in every text of the value; says whether there were any. Without digits in a row it
/// only looks at each text once and copies nothing.
pub fn mask_card_numbers(value: &mut Value) -> bool {
    match value {
        Value::String(text) => match masked(text) {
            Some(clean) => {
                *text = clean;
                true
            }
            None => false,
        },
        Value::Array(items) => items.iter_mut().fold(false, |any, item| mask_card_numbers(item) | any),
        Value::Object(fields) => fields.values_mut().fold(false, |any, item| mask_card_numbers(item) | any),
        _ => false,
    }
}

/// The same on a body as it came. In JSON only texts are touched, so that it stays the same JSON but for the
/// stars; a body that is something else is masked all over. Borrowed when there was nothing to mask.
pub fn mask_card_numbers_in_bytes(body: &[u8]) -> Cow<'_, [u8]> {
    if !has_long_run(body) {
        return Cow::Borrowed(body);
    }
    let is_json = matches!(body.trim_ascii_start().first(), Some(b'{' | b'[' | b'"'));
    let stretches = if is_json { texts(body) } else { std::iter::once(0..body.len()).collect() };
    let in_stretch = |stretch: Range<usize>| {
        let cards = find_cards(&body[stretch.clone()]).into_iter();
        cards.map(move |card| card.start + stretch.start..card.end + stretch.start)
    };
    let cards: Vec<_> = stretches.into_iter().flat_map(in_stretch).collect();
    if cards.is_empty() { Cow::Borrowed(body) } else { Cow::Owned(with_stars(body, &cards)) }
}

fn masked(text: &str) -> Option<String> {
    let cards = find_cards(text.as_bytes());
    let clean = (!cards.is_empty()).then(|| with_stars(text.as_bytes(), &cards))?;
    Some(String::from_utf8(clean).expect("ASCII digits were replaced by ASCII stars"))
}

fn with_stars(text: &[u8], cards: &[Range<usize>]) -> Vec<u8> {
    let mut clean = text.to_owned();
    for card in cards {
        let digits = clean[card.clone()].iter_mut().filter(|byte| byte.is_ascii_digit());
        let mut digits: Vec<&mut u8> = digits.collect();
        let hidden = digits.len().saturating_sub(DIGITS_KEPT);
        digits.iter_mut().take(hidden).for_each(|digit| **digit = b'*');
    }
    clean
}

/// Whether any closer look is worth it: Stripe's own numbers and ids hardly ever have 13 digits in a row.
fn has_long_run(bytes: &[u8]) -> bool {
    let mut at = 0;
    while at < bytes.len() {
        if bytes[at].is_ascii_digit() {
            let run = run_from(bytes, at);
            if run.len() >= DIGITS_MIN {
                return true;
            }
            at = run.end;
        }
        at += 1;
    }
    false
}

/// The stretches of plain characters inside the texts of a JSON document; an escape ends a stretch.
fn texts(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut stretches = Vec::new();
    let (mut start, mut at) = (None, 0);
    while at < bytes.len() {
        match (bytes[at], start) {
            (b'"', None) => start = Some(at + 1),
            (b'"', Some(from)) => {
                stretches.push(from..at);
                start = None;
            }
            (b'\\', Some(from)) => {
                stretches.push(from..at);
                at += if bytes.get(at + 1) == Some(&b'u') { 5 } else { 1 };
                start = Some(at + 1);
            }
            _ => {}
        }
        at += 1;
    }
    stretches.retain(|stretch| stretch.start < stretch.end);
    stretches
}

fn find_cards(bytes: &[u8]) -> Vec<Range<usize>> {
    let mut cards = Vec::new();
    if bytes.len() < DIGITS_MIN {
        return cards;
    }
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let run = run_from(bytes, at);
        at = run.end;
        if stands_apart(bytes, &run) && is_card(&bytes[run.clone()]) {
            cards.push(run);
        }
    }
    cards
}

/// Digits from `start` on, across single separators between groups of at least four digits.
fn run_from(bytes: &[u8], start: usize) -> Range<usize> {
    let mut end = digits_end(bytes, start);
    let mut group = end - start;
    while group >= GROUP_DIGITS_MIN && matches!(bytes.get(end), Some(b' ' | b'-')) {
        let next = digits_end(bytes, end + 1);
        if next == end + 1 {
            break;
        }
        group = next - (end + 1);
        end = next;
    }
    start..end
}

fn digits_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    from + rest.iter().take_while(|byte| byte.is_ascii_digit()).count()
}

fn stands_apart(bytes: &[u8], run: &Range<usize>) -> bool {
    let part_of_word =
        |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    let before = run.start.checked_sub(1).and_then(|index| bytes.get(index));
    !part_of_word(before) && !part_of_word(bytes.get(run.end))
}

fn is_card(run: &[u8]) -> bool {
    let digits: Vec<u8> = run.iter().filter(|byte| byte.is_ascii_digit()).map(|byte| byte - b'0').collect();
    (DIGITS_MIN..=DIGITS_MAX).contains(&digits.len()) && begins_as_card(&digits) && luhn(&digits)
}

/// 3 to 6, or Mastercard's 2221 to 2720: no year and no timestamp begins so.
fn begins_as_card(digits: &[u8]) -> bool {
    let first_four = digits.iter().take(4).fold(0_u16, |number, digit| number * 10 + u16::from(*digit));
    matches!(digits[0], 3..=6) || (2221..=2720).contains(&first_four)
}

fn luhn(digits: &[u8]) -> bool {
    let sum: u32 = digits.iter().rev().enumerate().map(|(index, digit)| weigh(index, *digit)).sum();
    sum.is_multiple_of(10)
}

fn weigh(index_from_end: usize, digit: u8) -> u32 {
    let doubled = u32::from(digit) * if index_from_end.is_multiple_of(2) { 1 } else { 2 };
    if doubled > 9 { doubled - 9 } else { doubled }
}

#[cfg(test)]
mod tests;
