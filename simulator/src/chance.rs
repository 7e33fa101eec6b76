//! One stream of chance for each part of the world, so that a draw of one part moves no other.

use crate::engine::dice::Dice;

/// One stream of chance per part.
#[derive(Debug)]
pub(crate) struct AllDice {
    pub(crate) ecs: Dice,
    pub(crate) bus: Dice,
    pub(crate) lambda: Dice,
    pub(crate) faults: Dice,
    /// Pauses of EventBridge.
    pub(crate) retries: Dice,
    /// What may go wrong with an invocation as a whole.
    pub(crate) starts: Dice,
    pub(crate) market: Dice,
    pub(crate) owners: Dice,
}
