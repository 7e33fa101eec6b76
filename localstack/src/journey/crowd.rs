//! todo
pub(super) const JOURNEYS: &[super::Journey] = &[];
