//! One stream of chance for each part of the world, so that a draw of one part moves no other.

use crate::engine::dice::Dice;

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

impl AllDice {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            ecs: Dice::new(seed, 0),
            bus: Dice::new(seed, 1),
            lambda: Dice::new(seed, 2),
            faults: Dice::new(seed, 3),
            retries: Dice::new(seed, 4),
            starts: Dice::new(seed, 5),
            market: Dice::new(seed, 6),
            owners: Dice::new(seed, 7),
        }
    }
}
