//! Observers: callbacks that are told how far a download is, on a thread apart.
