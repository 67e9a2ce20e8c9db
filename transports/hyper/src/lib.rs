//! Executes the network actions of dlmanager-core with hyper on tokio.
