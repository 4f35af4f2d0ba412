//! The approved letters. Values are data: nothing a customer wrote is ever parsed as a template, a missing value is an
//! error and not a gap, and a template that runs too long is stopped.

use std::sync::LazyLock;

use bursar_stripe::decline;
use bursar_stripe::money::Money;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use minijinja::{Environment, UndefinedBehavior, Value, context};

/// Instructions one rendering may take; the longest letter takes about a hundred.
const FUEL: u64 = 5_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Template {
    /// Something failed that may work by itself.
    PaymentFailed,
    UpdatePaymentMethod,
    AuthenticatePayment,
}

impl Template {
    /// Name and version. A changed text is a new version.
    pub(super) fn name(self) -> &'static str {
        match self {
            Template::PaymentFailed => "payment_failed@1",
            Template::UpdatePaymentMethod => "update_payment_method@1",
            Template::AuthenticatePayment => "authenticate_payment@1",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Locale {
    En,
    De,
}

impl Locale {
    const ALL: [Locale; 2] = [Locale::En, Locale::De];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Locale::En => "en",
            Locale::De => "de",
        }
    }

    /// The first wanted language that we have letters in: `de-AT` takes German.
    pub(super) fn preferred(wanted: &[String]) -> Locale {
        let known = |tag: &String| {
            let language = tag.split(['-', '_']).next()?.to_ascii_lowercase();
            Locale::ALL.into_iter().find(|locale| locale.as_str() == language)
        };
        wanted.iter().find_map(known).unwrap_or(Locale::En)
    }

    /// `49.00 USD`, `49,00 EUR`, `500 JPY`.
    pub(super) fn money(self, money: Money) -> String {
        match self {
            Locale::En => money.to_string(),
            Locale::De => money.to_string().replace('.', ","),
        }
    }

    /// `24 November 2026`, in UTC. Nothing for a second that no calendar has.
    pub(super) fn date(self, at_s: i64) -> Option<String> {
        let day = Timestamp::from_second(at_s).ok()?.to_zoned(TimeZone::UTC).date();
        let (months, dot) = match self {
            Locale::En => (ENGLISH_MONTHS, ""),
            Locale::De => (GERMAN_MONTHS, "."),
        };
        let month = usize::try_from(day.month()).ok().and_then(|month| months.get(month.checked_sub(1)?))?;
        Some(format!("{}{dot} {month} {}", day.day(), day.year()))
    }

    /// What the customer may be told about the refusal: nothing that a thief could use, nothing that we do not know.
    pub(super) fn told(self, code: &str) -> Option<&'static str> {
        if !decline::customer_visible(code) {
            return None;
        }
        match (self, code) {
            (Locale::En, "expired_card") => Some("The card on file has expired."),
            (Locale::De, "expired_card") => Some("Die hinterlegte Karte ist abgelaufen."),
            (Locale::En, "insufficient_funds") => Some("The bank reported insufficient funds."),
            (Locale::De, "insufficient_funds") => Some("Die Bank meldete fehlende Deckung."),
            (Locale::En, "incorrect_cvc" | "invalid_cvc") => {
                Some("The security code of the card did not match.")
            }
            (Locale::De, "incorrect_cvc" | "invalid_cvc") => Some("Die Prüfnummer der Karte stimmte nicht."),
            _ => None,
        }
    }
}

const ENGLISH_MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const GERMAN_MONTHS: [&str; 12] = [
    "Januar",
    "Februar",
    "März",
    "April",
    "Mai",
    "Juni",
    "Juli",
    "August",
    "September",
    "Oktober",
    "November",
    "Dezember",
];

/// Every value a letter can show. Each comes from a fact or from the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Values {
    pub(super) company: String,
    pub(super) support_address: String,
    pub(super) name: Option<String>,
    pub(super) amount: String,
    pub(super) invoice_number: Option<String>,
    pub(super) link: String,
    /// When Stripe itself tries again.
    pub(super) next_attempt: Option<String>,
    pub(super) told: Option<&'static str>,
}

impl Values {
    fn as_data(&self) -> Value {
        context! {
            company => self.company.as_str(),
            support_address => self.support_address.as_str(),
            name => self.name.as_deref(),
            amount => self.amount.as_str(),
            invoice_number => self.invoice_number.as_deref(),
            link => self.link.as_str(),
            next_attempt => self.next_attempt.as_deref(),
            told => self.told,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Rendered {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
}

macro_rules! sources {
    ($($locale:literal / $name:literal),* $(,)?) => {
        [$(
            (concat!($locale, "/", $name, ".txt"), include_str!(concat!("templates/", $locale, "/", $name, ".txt"))),
            (concat!($locale, "/", $name, ".html"), include_str!(concat!("templates/", $locale, "/", $name, ".html"))),
        )*]
    };
}

const SOURCES: [(&str, &str); 12] = sources![
    "en" / "payment_failed@1",
    "en" / "update_payment_method@1",
    "en" / "authenticate_payment@1",
    "de" / "payment_failed@1",
    "de" / "update_payment_method@1",
    "de" / "authenticate_payment@1",
];

static ENVIRONMENT: LazyLock<Result<Environment<'static>, minijinja::Error>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    for (name, source) in SOURCES {
        environment.add_template(name, source)?;
    }
    Ok(environment)
});

/// The letter as it would be sent. The first line of a text template is its subject.
pub(super) fn render(template: Template, locale: Locale, values: &Values) -> Result<Rendered, String> {
    let part = |kind: &str| {
        let environment = ENVIRONMENT.as_ref().map_err(ToString::to_string)?;
        let name = format!("{}/{}.{kind}", locale.as_str(), template.name());
        let template = environment.get_template(&name).map_err(|error| error.to_string())?;
        template.render(values.as_data()).map_err(|error| error.to_string())
    };
    let (letter, html) = (part("txt")?, part("html")?);
    let (subject, text) =
        letter.split_once("\n\n").ok_or_else(|| format!("{} has no subject", template.name()))?;
    Ok(Rendered { subject: subject.to_owned(), text: text.to_owned(), html })
}

#[cfg(test)]
mod tests {
    use bursar_stripe::currency::Currency;

    use super::*;

    const ALL: [Template; 3] =
        [Template::PaymentFailed, Template::UpdatePaymentMethod, Template::AuthenticatePayment];

    fn values(name: Option<&str>) -> Values {
        Values {
            company: "Example & Sons".to_owned(),
            support_address: "billing@example.com".to_owned(),
            name: name.map(str::to_owned),
            amount: "49.00 USD".to_owned(),
            invoice_number: Some("A-1".to_owned()),
            link: "https://invoice.stripe.com/i/1?s=ap&t=2".to_owned(),
            next_attempt: Some("24 November 2026".to_owned()),
            told: None,
        }
    }

    #[test]
    fn every_letter_renders_in_every_language_and_never_speaks_without_its_facts() {
        for template in ALL {
            for locale in Locale::ALL {
                let full = render(template, locale, &values(Some("Ada"))).unwrap();
                assert!(!full.subject.contains('\n') && full.subject.len() < 120, "{}", full.subject);
                for part in [&full.text, &full.html] {
                    assert!(part.contains("49.00 USD") && part.contains("billing@example.com"), "{part}");
                }
                assert!(full.text.contains("https://invoice.stripe.com/i/1?s=ap&t=2"));
                let bare = Values { name: None, invoice_number: None, next_attempt: None, ..values(None) };
                let bare = render(template, locale, &bare).unwrap();
                assert!(!bare.text.contains("none") && !bare.text.contains("A-1"), "{}", bare.text);
                assert_eq!(bare.subject, full.subject, "subjects hold nothing of the customer's");
            }
        }
    }

    #[test]
    fn a_name_is_printed_and_never_run() {
        for name in
            ["{{7*7}}", "{% for x in range(1000000000) %}x{% endfor %}", "<script>alert(1)</script>", "{# a"]
        {
            let letter = render(Template::PaymentFailed, Locale::En, &values(Some(name))).unwrap();
            assert!(letter.text.contains(name), "{}", letter.text);
            assert!(!letter.html.contains("<script") && !letter.text.contains("49 "), "{}", letter.html);
        }
        let letter = render(Template::PaymentFailed, Locale::En, &values(Some("\" onclick=\"x"))).unwrap();
        assert!(!letter.html.contains("\" onclick"), "{}", letter.html);
    }

    #[test]
    fn a_missing_value_or_an_endless_template_is_an_error() {
        let mut environment = ENVIRONMENT.as_ref().unwrap().clone();
        environment.add_template("missing.txt", "{{ nobody }}").unwrap();
        environment.add_template("endless.txt", "{% for x in range(9000) %}{{ x }}{% endfor %}").unwrap();
        for name in ["missing.txt", "endless.txt"] {
            assert!(
                environment.get_template(name).unwrap().render(values(None).as_data()).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn locales_fall_back_and_formats_follow_them() {
        let wanted =
            |tags: &[&str]| Locale::preferred(&tags.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>());
        assert_eq!(wanted(&["de-AT", "en"]), Locale::De);
        assert_eq!(wanted(&["fr", "DE_ch"]), Locale::De);
        assert_eq!(wanted(&["fr", ""]), Locale::En);
        assert_eq!(wanted(&[]), Locale::En);
        let kwd = Money::new(5_120, Currency::parse("kwd").unwrap());
        assert_eq!((Locale::En.money(kwd), Locale::De.money(kwd)), ("5.120 KWD".into(), "5,120 KWD".into()));
        assert_eq!(Locale::De.money(Money::new(500, Currency::JPY)), "500 JPY");
        assert_eq!(Locale::En.date(1_795_168_800).as_deref(), Some("20 November 2026"));
        assert_eq!(Locale::De.date(1_772_323_199).as_deref(), Some("28. Februar 2026"));
        assert_eq!(Locale::De.date(i64::MAX), None);
    }

    #[test]
    fn what_stripe_wants_untold_is_never_told() {
        for code in
            ["lost_card", "stolen_card", "fraudulent", "merchant_blacklist", "pickup_card", "brand_new_code"]
        {
            for locale in Locale::ALL {
                assert_eq!(locale.told(code), None, "{code}");
            }
        }
        assert!(Locale::ALL.iter().all(|locale| locale.told("expired_card").is_some()));
    }
}
