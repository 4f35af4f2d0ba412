//! Texts of statements that are put together, and what the other database wants changed in them.

use std::fmt::Write as _;

use super::Database;

/// Rows that one statement carries at most.
pub(crate) const ROWS_MAX: usize = 64;

/// `(?, ?), (?, ?)`: room for so many rows, rounded up to a power of two, so that a few texts serve every number of rows
/// and stay prepared. What is left over is NULL, and the statement must leave it out. The parameters have no numbers:
/// `SQLite` looks for a numbered one among all of them.
pub(crate) fn values(rows: usize, columns: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(", "));
    vec![row; rows.next_power_of_two()].join(", ")
}

/// The same text as `PostgreSQL` wants it, its parameters numbered where they are not, and how many of those there are.
/// No literal in our statements holds a question mark.
pub(super) fn numbered(sql: String) -> (String, usize) {
    if !sql.contains('?') {
        return (sql, 0);
    }
    let mut text = String::with_capacity(sql.len() * 2);
    let mut places = 0;
    for (before, part) in sql.split('?').enumerate() {
        if before > 0 {
            places += 1;
            let _ = write!(text, "${places}");
        }
        text.push_str(part);
    }
    (text, places)
}

/// A statement of a migration. `PostgreSQL` has another word for bytes, and orders text by the bytes it is made of only
/// where it is told to.
pub(crate) fn schema_text(database: Database, statement: &str) -> String {
    match database {
        Database::Sqlite => statement.to_owned(),
        Database::Postgres => statement.replace(" TEXT", " TEXT COLLATE \"C\"").replace(" BLOB", " BYTEA"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_for_all_rows_in_a_few_texts() {
        assert_eq!(values(1, 2), "(?, ?)");
        assert_eq!(values(2, 1), "(?), (?)");
        assert_eq!(values(33, 16), values(ROWS_MAX, 16));
    }

    #[test]
    fn places_get_numbers_in_their_order() {
        let (text, places) = numbered(format!("VALUES {}", values(2, 2)));
        assert_eq!((text.as_str(), places), ("VALUES ($1, $2), ($3, $4)", 4));
        assert_eq!(numbered("WHERE id = $1".to_owned()), ("WHERE id = $1".to_owned(), 0));
    }

    #[test]
    fn the_schema_is_one_text_with_two_accents() {
        let text = "CREATE TABLE a (id TEXT PRIMARY KEY, body BLOB NOT NULL)";
        assert_eq!(schema_text(Database::Sqlite, text), text);
        assert_eq!(
            schema_text(Database::Postgres, text),
            "CREATE TABLE a (id TEXT COLLATE \"C\" PRIMARY KEY, body BYTEA NOT NULL)"
        );
    }
}
