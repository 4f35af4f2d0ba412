//! What came out, for people and for machines.

use bursar_store::Database;
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

/// Makes the figures of one database.
#[derive(Clone, Copy, Debug)]
pub struct On(pub Database);

impl On {
    pub fn alone(self, name: &'static str, value: f64, unit: &'static str) -> Figure {
        let database = match self.0 {
            Database::Sqlite => "sqlite",
            Database::Postgres => "postgres",
        };
        Figure { name, database, value: rounded(value), unit, beside: None, ratio: None }
    }

    pub fn beside(self, name: &'static str, value: f64, unit: &'static str, beside: f64) -> Figure {
        let ratio = if beside > 0.0 { Some(rounded(value / beside)) } else { None };
        Figure { beside: Some(rounded(beside)), ratio, ..self.alone(name, value, unit) }
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
    println!("{:<50} {:<8} {:>11} {:<4} {:>11} {:>7}", "", "", "value", "", "beside", "ratio");
    for figure in figures {
        let text = |number: Option<f64>| number.map_or(String::new(), |number| format!("{number:.2}"));
        let (value, beside, ratio) = (text(Some(figure.value)), text(figure.beside), text(figure.ratio));
        let (name, database, unit) = (figure.name, figure.database, figure.unit);
        println!("{name:<50} {database:<8} {value:>11} {unit:<4} {beside:>11} {ratio:>7}");
    }
    Ok(())
}
