//! Stretches of the way that most journeys have in common: watched, failed over, restored.

use handlers::record::{Phase, Record};
use handlers::service::ServiceId;
use handlers::strategy::Strategy;

use super::JourneyError::{self, Unmet};
use super::walk::{LATER, SOON, Walk};

impl Walk<'_> {
    /// The service's first Spot tasks have made it known.
    pub(super) async fn watched(&self, service: &ServiceId) -> Result<(), JourneyError> {
        self.record(service, "is watched", SOON, |record| record.phase == Phase::Watching).await?;
        self.passed("table: the service is watched since its first Spot task ran");
        Ok(())
    }

    /// The service is on On-Demand: table, ECS and audit event say so.
    pub(super) async fn failed_over(
        &self,
        service: &ServiceId,
        original: &Strategy,
        why: &str,
    ) -> Result<(), JourneyError> {
        self.saved(service, original).await?;
        self.runs_on(service, &original.fallback(), SOON).await?;
        self.announced(service, Some(Phase::Watching), Phase::FailingOver, why).await?;
        self.announced(service, Some(Phase::FailingOver), Phase::OnDemand, "On-Demand strategy is live").await
    }

    /// The item of a service on On-Demand has what the original design asks for: `config`, `event`, `scheduled`.
    pub(super) async fn saved(&self, service: &ServiceId, original: &Strategy) -> Result<(), JourneyError> {
        let record = self.record(service, "is on On-Demand", SOON, |record| record.phase == Phase::OnDemand).await?;
        if record.original.as_ref() != Some(original) || !record.scheduled() {
            return Err(Unmet(format!(
                "table: item {}: {:?}, scheduled {}",
                record.service.record_id(),
                record.original,
                record.scheduled()
            )));
        }
        let id = record.service.record_id();
        self.passed(format!("table: item {id}: OnDemand, config is {original}, scheduled is true"));
        Ok(())
    }

    /// The service is on its original strategy again, and the episode is closed.
    pub(super) async fn restored(&self, service: &ServiceId, original: &Strategy) -> Result<(), JourneyError> {
        let closed = |record: &Record| record.phase == Phase::Watching && record.restored_at.is_some();
        let record = self.record(service, "is restored", LATER, closed).await?;
        self.announced(service, Some(Phase::Restoring), Phase::Watching, "episode closed").await?;
        self.runs_on(service, original, SOON).await?;
        if record.scheduled() {
            return Err(Unmet(format!("table: {service} is restored, and scheduled is true")));
        }
        self.passed("table: scheduled is false".to_string());
        Ok(())
    }
}
