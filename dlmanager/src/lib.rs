//! A download manager to embed: one directory, many downloads, every file under its final name absent or complete.
