//! Rows under a header.

use comfy_table::{Cell, CellAlignment, ContentArrangement, presets};

use super::inert::inert;

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

    pub fn for_people(&self) -> String {
        let mut table = comfy_table::Table::new();
        table.load_style(presets::NOTHING);
        table.set_content_arrangement(ContentArrangement::Dynamic);
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
        let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        lines.join("\n")
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
    fn people_get_columns_and_programs_tabs() {
        let people = " CASE          AMOUNT\n case_1    640.00 USD\n a b [2Jc       5 JPY";
        assert_eq!(table().for_people(), people);
        assert_eq!(table().for_programs(), "case_1\t640.00 USD\na b [2Jc\t5 JPY");
    }
}
