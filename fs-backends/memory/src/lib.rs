//! Executes the file actions of dlmanager-core on a directory in memory that can fail, fill up and be slow.
