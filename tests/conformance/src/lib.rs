//! The suite that every file backend of dlmanager has to pass.
