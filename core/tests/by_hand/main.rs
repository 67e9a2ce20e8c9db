//! A manager whose actions a test answers by hand: what it does about each answer that a directory or a server may give.

mod by_space;
mod claimed;
mod compared;
mod directory;
mod hand;
mod kept;
mod limited;
mod locked;
mod many_victims;
mod noted;
mod published;
mod redirected;
mod retried;
mod roomless;
mod scene;
mod sent;
mod went_on;
