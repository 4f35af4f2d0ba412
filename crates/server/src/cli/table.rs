//! Rows under a header.

use comfy_table::{Cell, CellAlignment, ColumnConstraint, ContentArrangement, Width, presets};

use super::inert::inert;

/// A terminal that claims to be narrower does not know how wide it is.
const WIDTH_MIN: u16 = 40;
/// A column of words is not squeezed below this.
const WORDS_MIN: u16 = 16;
/// Longer than any id; what is longer is a text without spaces.
const WORD_MAX: usize = 48;

/// A column: its header, and whether its cells are numbers.
#[derive(Clone, Copy, Debug)]
pub enum Column {
    Text(&'static str),
    Number(&'static str),
}

#[derive(Debug)]
pub struct Table {
    columns: Vec<Column>,
    rows: Vec<Vec<String>>,
    nothing: &'static str,
}

impl Table {
    /// `nothing` is what people read when there is no row.
    pub fn new<const N: usize>(columns: [Column; N], nothing: &'static str) -> Self {
        Self { columns: columns.to_vec(), rows: Vec::new(), nothing }
    }

    /// Cells are made inert: whatever stands in them, they write no other line and move no cursor.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.into_iter().map(|cell| inert(&cell)).collect());
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    pub fn nothing(&self) -> &'static str {
        self.nothing
    }

    /// As wide as the terminal; where that is not known or too narrow for columns, as wide as it becomes.
    pub fn for_people(&self) -> String {
        self.laid_out(comfy_table::Table::new().width())
    }

    fn laid_out(&self, width: Option<u16>) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        match width.filter(|width| *width >= WIDTH_MIN) {
            None => table.set_content_arrangement(ContentArrangement::Disabled),
            Some(width) => table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width),
        };
        table.set_header(self.columns.iter().map(|column| match column {
            Column::Text(name) => Cell::new(name.to_uppercase()),
            Column::Number(name) => Cell::new(name.to_uppercase()).set_alignment(CellAlignment::Right),
        }));
        for row in &self.rows {
            table.add_row(row.iter().zip(&self.columns).map(|(cell, column)| match column {
                Column::Text(_) => Cell::new(cell),
                Column::Number(_) => Cell::new(cell).set_alignment(CellAlignment::Right),
            }));
        }
        for index in 0..self.columns.len() {
            if let Some(column) = table.column_mut(index) {
                column.set_constraint(if self.is_whole(index) {
                    ColumnConstraint::ContentWidth
                } else {
                    let widest = self.cells(index).map(|cell| cell.chars().count()).max().unwrap_or_default();
                    let least = u16::try_from(widest).map_or(WORDS_MIN, |widest| widest.min(WORDS_MIN));
                    ColumnConstraint::LowerBoundary(Width::Fixed(least))
                });
            }
        }
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n")
    }

    /// Ids and amounts are copied, so they are never broken, whatever that does to the width of the table.
    fn is_whole(&self, column: usize) -> bool {
        let is_word = |cell: &String| !cell.contains(' ') && cell.chars().count() <= WORD_MAX;
        matches!(self.columns.get(column), Some(Column::Number(_))) || self.cells(column).all(is_word)
    }

    fn cells(&self, column: usize) -> impl Iterator<Item = &String> {
        self.rows.iter().filter_map(move |row| row.get(column))
    }

    pub fn for_programs(&self) -> String {
        let lines: Vec<String> = self.rows.iter().map(|row| row.join("\t")).collect();
        lines.join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([Column::Text("case"), Column::Number("amount")], "no case");
        table.row(["case_1".into(), "640.00 USD".into()]);
        table.row(["a\tb\n\u{1b}[2Jc".into(), "5 JPY".into()]);
        table
    }

    #[test]
    fn an_id_is_never_broken_and_a_terminal_of_no_width_breaks_nothing() {
        let id = "apreq_01KDE4BC2XJ7ZQ9V0M5T8W3YHN";
        let mut table =
            Table::new([Column::Text("approval"), Column::Number("amount"), Column::Text("what")], "");
        let what = "Refund 1,490.00 GBP to Juniper Analytics and Partners Limited of Leeds";
        table.row([id.into(), "1490.00 GBP".into(), what.into()]);
        for width in [None, Some(0), Some(80), Some(60)] {
            let shown = table.laid_out(width);
            assert!(shown.contains(id) && shown.contains("1490.00 GBP"), "{width:?}\n{shown}");
            assert!(shown.lines().count() < 10, "{width:?}\n{shown}");
        }
        assert!(table.laid_out(Some(80)).lines().count() > 2, "words are what gives way");
        assert!(table.laid_out(Some(0)).contains(what));
    }

    #[test]
    fn people_get_columns_and_programs_tabs() {
        let people = " CASE          AMOUNT\n case_1    640.00 USD\n a b [2Jc       5 JPY";
        assert_eq!(table().for_people(), people);
        assert_eq!(table().for_programs(), "case_1\t640.00 USD\na b [2Jc\t5 JPY");
    }
}
