//! The walls of the workspace, held by tests.
