//! Answers the network actions of dlmanager-core from a script, in memory and on a virtual clock.
