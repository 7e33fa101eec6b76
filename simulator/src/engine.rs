//! What any simulation needs: a calendar of what is planned, clocks, chance. It knows nothing of AWS.

pub(crate) mod agenda;
pub(crate) mod clock;
pub(crate) mod dial;
pub mod dice;
pub(crate) mod timers;
