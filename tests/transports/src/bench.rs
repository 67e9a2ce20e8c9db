//! What a case works with.

use std::sync::Arc;

use crate::subject::{Settings, Subject};
use crate::world::World;

/// The transport that a case tries.
pub(crate) struct Bench {
    subject: Arc<dyn Subject>,
}

impl Bench {
    pub(crate) fn new(subject: Arc<dyn Subject>) -> Self {
        Self { subject }
    }

    /// A new transport, and an origin for it.
    pub(crate) fn world(&self) -> World {
        self.world_with(Settings::default())
    }

    pub(crate) fn world_with(&self, settings: Settings) -> World {
        World::new(Arc::clone(&self.subject), settings)
    }
}
