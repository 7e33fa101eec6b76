//! Transitions on the bus, and metrics in the log.

use std::io::Write;

use aws_sdk_eventbridge::primitives::DateTime;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;

use super::clients::Aws;
use super::failure::Failure;
use crate::metrics;
use crate::ports::{AuditError, AuditLog};
use crate::transition::Transition;

/// `source` of our events.
pub const SOURCE: &str = "spot-recovery";
/// `detail-type` of our events; the detail is a [`Transition`].
pub const DETAIL_TYPE: &str = "Spot Recovery Transition";

impl AuditLog for Aws {
    async fn announce(&self, transitions: &[Transition]) -> Result<(), AuditError> {
        let refused = |why: String| AuditError(format!("bus {}: {why}", self.cell.bus));
        let entries = transitions.iter().map(|transition| self.entry(transition)).collect::<Result<_, _>>()?;
        let answer = self.eventbridge.put_events().set_entries(Some(entries)).send().await;
        let answer = answer.map_err(|error| refused(Failure::of(&error).text()))?;
        // Entries fail one by one, in an answer of HTTP 200 (aws-facts.md §5).
        match answer.entries().iter().find(|entry| entry.error_code().is_some()) {
            None if answer.failed_entry_count() == 0 => Ok(()),
            None => Err(refused("an entry failed, and the answer does not say why".into())),
            Some(failed) => {
                let [code, message] = [failed.error_code(), failed.error_message()].map(Option::unwrap_or_default);
                Err(refused(format!("{code}: {message}")))
            }
        }
    }

    /// Writes its line in the embedded metric format to the log, as it is.
    fn measure(&self, transition: &Transition) {
        let line = metrics::line(transition);
        // One line, one write: CloudWatch counts a line only as a whole.
        if let Err(error) = std::io::stdout().write_all(format!("{line}\n").as_bytes()) {
            tracing::error!(%error, %line, "metric not written");
        }
    }
}

impl Aws {
    fn entry(&self, transition: &Transition) -> Result<PutEventsRequestEntry, AuditError> {
        let detail = serde_json::to_string(transition).map_err(|error| AuditError(error.to_string()))?;
        Ok(PutEventsRequestEntry::builder()
            .event_bus_name(&self.cell.bus)
            .source(SOURCE)
            .detail_type(DETAIL_TYPE)
            .resources(&transition.service)
            .time(DateTime::from_millis(i64::try_from(transition.at.as_millis()).unwrap_or(i64::MAX)))
            .detail(detail)
            .build())
    }
}
