//! An exact decimal above zero, for rates: no float ever holds it.

use std::fmt;
use std::str::FromStr;

use super::text_value;

/// `units / 10^scale`, kept with the digits it was written with: `1.0850` has scale 4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decimal {
    pub units: i64,
    pub scale: u32,
}

text_value!(Decimal, "pattern": "^[0-9]+(\\.[0-9]+)?$");

const SCALE_MAX: usize = 9;

impl FromStr for Decimal {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refused = || {
            format!(
                "expected a decimal above zero in quotes with at most {SCALE_MAX} digits after the point, such as \"1.0850\""
            )
        };
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > SCALE_MAX {
            return Err(refused());
        }
        let fraction = if text.contains('.') { fraction } else { "" };
        let units = format!("{whole}{fraction}").parse().map_err(|_| refused())?;
        let scale = u32::try_from(fraction.len()).map_err(|_| refused())?;
        if units == 0 { Err(refused()) } else { Ok(Self { units, scale }) }
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scale = 10_i64.pow(self.scale);
        match self.scale {
            0 => write!(out, "{}", self.units),
            digits => {
                write!(out, "{}.{:0width$}", self.units / scale, self.units % scale, width = digits as usize)
            }
        }
    }
}
