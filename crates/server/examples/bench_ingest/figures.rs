//! What came out, for people and for machines.

use serde::Serialize;

/// A number, and what ran beside it. Numbers of the same unit make the ratio.
#[derive(Debug, Serialize)]
pub struct Figure {
    pub name: &'static str,
    pub database: &'static str,
    pub value: f64,
    pub unit: &'static str,
    pub beside: Option<f64>,
    pub ratio: Option<f64>,
}

impl Figure {
    pub fn alone(name: &'static str, value: f64, unit: &'static str) -> Self {
        Self { name, database: "sqlite", value: rounded(value), unit, beside: None, ratio: None }
    }

    pub fn beside(name: &'static str, value: f64, unit: &'static str, beside: f64) -> Self {
        let ratio = if beside > 0.0 { Some(rounded(value / beside)) } else { None };
        Self { beside: Some(rounded(beside)), ratio, ..Self::alone(name, value, unit) }
    }
}

/// To three places: more is noise.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

#[expect(clippy::print_stdout, reason = "the figures are what the command is for")]
pub fn print(figures: &[Figure], as_json: bool) -> anyhow::Result<()> {
    if as_json {
        println!("{}", serde_json::to_string_pretty(figures)?);
        return Ok(());
    }
    println!("{:<44} {:>12} {:<6} {:>12} {:>7}", "SQLite, FULL", "value", "", "beside", "ratio");
    for figure in figures {
        let text = |number: Option<f64>| number.map_or(String::new(), |number| format!("{number:.2}"));
        let (value, beside, ratio) = (text(Some(figure.value)), text(figure.beside), text(figure.ratio));
        println!("{:<44} {value:>12} {:<6} {beside:>12} {ratio:>7}", figure.name, figure.unit);
    }
    Ok(())
}
