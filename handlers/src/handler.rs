//! The three handlers: each turns its trigger into [`Reconciler`](crate::reconcile::Reconciler) calls, nothing more.

mod interruption;
mod placement_failure;
mod queue;
mod restore;

pub use interruption::handle_interruptions;
pub use placement_failure::handle_placement_failures;
pub use queue::{Failure, Message, MessageError};
pub use restore::handle_restores;
