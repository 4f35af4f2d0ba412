//! One durable store: a writer, readers, migrations, one file per table.
