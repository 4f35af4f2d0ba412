//! Amounts spelled out, so that a confirmation cannot be misread by a decimal point.

const ONES: [&str; 20] = [
    "zero",
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
];
const TENS: [&str; 10] =
    ["", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"];
const GROUPS: [(u64, &str); 6] = [
    (1_000_000_000_000_000_000, "quintillion"),
    (1_000_000_000_000_000, "quadrillion"),
    (1_000_000_000_000, "trillion"),
    (1_000_000_000, "billion"),
    (1_000_000, "million"),
    (1_000, "thousand"),
];

/// Singular and plural of a currency's unit and of its hundredth. Others are spelled with their code.
const NAMES: [(&str, [&str; 4]); 8] = [
    ("AUD", ["Australian dollar", "Australian dollars", "cent", "cents"]),
    ("CAD", ["Canadian dollar", "Canadian dollars", "cent", "cents"]),
    ("CHF", ["Swiss franc", "Swiss francs", "centime", "centimes"]),
    ("EUR", ["euro", "euros", "cent", "cents"]),
    ("GBP", ["pound sterling", "pounds sterling", "penny", "pence"]),
    ("JPY", ["yen", "yen", "", ""]),
    ("NZD", ["New Zealand dollar", "New Zealand dollars", "cent", "cents"]),
    ("USD", ["US dollar", "US dollars", "cent", "cents"]),
];

/// `minor` units of the currency `code` (upper case, `exponent` decimals) in words.
pub(super) fn spell(minor: i64, exponent: u8, code: &str) -> String {
    let unit = 10_u64.saturating_pow(u32::from(exponent));
    let (whole, part) = (minor.unsigned_abs() / unit, minor.unsigned_abs() % unit);
    let sign = if minor < 0 { "minus " } else { "" };
    let spelled = cardinal(whole);
    let Some((_, [one, many, minor_one, minor_many])) = NAMES.iter().find(|(name, _)| *name == code) else {
        let fraction = if unit > 1 {
            format!(" and {part:0>width$}/{unit}", width = usize::from(exponent))
        } else {
            String::new()
        };
        return format!("{sign}{spelled}{fraction} {code}");
    };
    let name = if whole == 1 { one } else { many };
    match part {
        0 => format!("{sign}{spelled} {name}"),
        1 => format!("{sign}{spelled} {name} and one {minor_one}"),
        _ => format!("{sign}{spelled} {name} and {} {minor_many}", cardinal(part)),
    }
}

fn cardinal(number: u64) -> String {
    if number < 20 {
        return ones(number).to_owned();
    }
    let mut parts = Vec::new();
    let mut rest = number;
    for (size, name) in GROUPS {
        if rest >= size {
            parts.push(format!("{} {name}", below_thousand(rest / size)));
            rest %= size;
        }
    }
    if rest > 0 {
        parts.push(below_thousand(rest));
    }
    parts.join(" ")
}

fn below_thousand(number: u64) -> String {
    let mut parts = Vec::new();
    if number >= 100 {
        parts.push(format!("{} hundred", ones(number / 100)));
    }
    let rest = number % 100;
    if rest >= 20 {
        let ten = TENS.get(usize::try_from(rest / 10).unwrap_or_default()).copied().unwrap_or_default();
        parts.push(if rest.is_multiple_of(10) {
            ten.to_owned()
        } else {
            format!("{ten}-{}", ones(rest % 10))
        });
    } else if rest > 0 {
        parts.push(ones(rest).to_owned());
    }
    parts.join(" ")
}

fn ones(number: u64) -> &'static str {
    ONES.get(usize::try_from(number).unwrap_or_default()).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spells_what_is_confirmed() {
        let cases = [
            (64000, 2, "USD", "six hundred forty US dollars"),
            (64050, 2, "USD", "six hundred forty US dollars and fifty cents"),
            (100, 2, "EUR", "one euro"),
            (1, 2, "GBP", "zero pounds sterling and one penny"),
            (4980, 0, "JPY", "four thousand nine hundred eighty yen"),
            (
                123_456_789,
                2,
                "USD",
                "one million two hundred thirty-four thousand five hundred sixty-seven US dollars and eighty-nine cents",
            ),
            (5120, 3, "KWD", "five and 120/1000 KWD"),
            (105, 2, "SEK", "one and 05/100 SEK"),
            (-1240, 2, "USD", "minus twelve US dollars and forty cents"),
            (100_000_000, 2, "USD", "one million US dollars"),
            (2000, 0, "KRW", "two thousand KRW"),
        ];
        for (minor, exponent, code, expected) in cases {
            assert_eq!(spell(minor, exponent, code), expected);
        }
    }

    #[test]
    fn the_largest_amounts_do_not_overflow() {
        assert!(spell(i64::MIN, 0, "JPY").starts_with("minus nine quintillion"));
        assert!(spell(i64::MAX, 19, "USD").contains("US dollars"));
    }
}
