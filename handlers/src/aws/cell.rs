//! The cell that an adapter works for.

use crate::service::Region;

/// What the adapters need to know of the cell and of the function they work for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// The cell's region.
    pub region: Region,
    /// The state table.
    pub table: String,
    /// The bus that transitions are announced on.
    pub bus: String,
    /// URL of the queue by which work is handed on; without one, what there is no time for waits for the next event or sweep.
    pub queue: Option<String>,
    /// The function, which the session name tells the workload account.
    pub function: String,
    /// Sent with `AssumeRole` when the roles' trust policies ask for it.
    pub external_id: Option<String>,
}
