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
    /// The function, which the session name tells the workload account.
    pub function: String,
    /// Sent with `AssumeRole` when the roles' trust policies ask for it.
    pub external_id: Option<String>,
}
