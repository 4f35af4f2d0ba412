//! Makes it happen: ingest, mirror, decide, govern, approve, execute, schedule.
