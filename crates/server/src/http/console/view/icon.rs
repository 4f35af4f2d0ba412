//! The pictures of the console, drawn once in `parts/sprite.html` and named here, so that a page cannot ask for one that
//! does not exist.

use std::fmt;

use askama::filters::HtmlSafe;

macro_rules! icons {
    ($($name:ident => $id:literal),+ $(,)?) => {
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Icon { $($name),+ }

        impl Icon {
            #[cfg(test)]
            pub const ALL: &[Icon] = &[$(Icon::$name),+];

            /// The id of its symbol.
            pub fn id(self) -> &'static str {
                match self { $(Icon::$name => $id),+ }
            }
        }
    };
}

icons! {
    Agent => "i-agent",
    Arrow => "i-arrow",
    Audit => "i-audit",
    Back => "i-back",
    Bursar => "i-bursar",
    Check => "i-check",
    Clock => "i-clock",
    Cross => "i-cross",
    Dot => "i-dot",
    Flask => "i-flask",
    Hand => "i-hand",
    Health => "i-health",
    Inbox => "i-inbox",
    Key => "i-key",
    Keyboard => "i-keyboard",
    Link => "i-link",
    Mail => "i-mail",
    Out => "i-out",
    Person => "i-person",
    Playbook => "i-playbook",
    Refund => "i-refund",
    Retry => "i-retry",
    Shield => "i-shield",
    Spin => "i-spin",
    Stripe => "i-stripe",
    Theme => "i-theme",
    Warn => "i-warn",
}

impl HtmlSafe for Icon {}

impl fmt::Display for Icon {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r##"<svg class="icon" aria-hidden="true"><use href="#{}"/></svg>"##, self.id())
    }
}

impl askama::FastWritable for Icon {
    fn write_into(&self, out: &mut dyn fmt::Write, _: &dyn askama::Values) -> askama::Result<()> {
        Ok(write!(out, "{self}")?)
    }
}

/// Who did something, as its picture and the word read aloud with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActorIcon {
    Person,
    Agent,
    ApiKey,
    Playbook,
    Stripe,
    Engine,
}

impl ActorIcon {
    pub fn icon(self) -> Icon {
        match self {
            ActorIcon::Person => Icon::Person,
            ActorIcon::Agent => Icon::Agent,
            ActorIcon::ApiKey => Icon::Key,
            ActorIcon::Playbook => Icon::Playbook,
            ActorIcon::Stripe => Icon::Stripe,
            ActorIcon::Engine => Icon::Bursar,
        }
    }

    pub fn word(self) -> &'static str {
        match self {
            ActorIcon::Person => "Person",
            ActorIcon::Agent => "Agent",
            ActorIcon::ApiKey => "API key",
            ActorIcon::Playbook => "Playbook",
            ActorIcon::Stripe => "Stripe",
            ActorIcon::Engine => "Bursar",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_icon_is_drawn() {
        let sprite = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/parts/sprite.html"));
        for icon in Icon::ALL {
            assert!(sprite.contains(&format!("id=\"{}\"", icon.id())), "{icon:?} has no symbol");
        }
    }
}
