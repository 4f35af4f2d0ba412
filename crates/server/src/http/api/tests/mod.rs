//! The API over the real router, row by row.
