//! `fargate-spot-restore-handler`: the scheduled sweep, which restores, confirms, and finds what no event announced.

use crate::ports::{Ports, StoreError};
use crate::reconcile::{Reconciler, SweepReport};

/// Looks at every record that is due.
///
/// # Errors
/// [`StoreError`] when the due index cannot be read.
pub async fn handle_restores<P: Ports>(reconciler: &Reconciler<'_, P>) -> Result<SweepReport, StoreError> {
    let report = reconciler.sweep().await?;
    tracing::info!(looked_at = report.looked_at, failed = report.failed, "sweep");
    Ok(report)
}
