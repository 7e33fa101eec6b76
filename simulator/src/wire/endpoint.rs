//! Where AWS requests to a world arrive.

use handlers::timestamp::Timestamp;

use super::state::State;
use crate::world::World;

/// A world and what AWS remembers about it, for the time of one request.
#[derive(Debug)]
pub(crate) struct Endpoint<'w> {
    pub(super) world: &'w mut World,
    pub(super) state: &'w mut State,
}

impl<'w> Endpoint<'w> {
    pub(crate) fn new(world: &'w mut World, state: &'w mut State) -> Self {
        Self { world, state }
    }

    /// A time as AWS JSON has it: seconds since 1970 with a fraction.
    pub(super) fn seconds(&self, at: Timestamp) -> f64 {
        self.world.dial.shown(at).as_millis() as f64 / 1000.0
    }
}
