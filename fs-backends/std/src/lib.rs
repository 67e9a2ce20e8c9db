//! Executes the file actions of dlmanager-core on real directories: atomic publish, no symlink followed.
