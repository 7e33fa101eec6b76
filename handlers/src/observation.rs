//! What `DescribeServices` says of one service, reduced to what a decision needs.

use std::cmp::Reverse;
use std::sync::Arc;
use std::time::Duration;

use crate::held::HeldReason;
use crate::strategy::Strategy;
use crate::timestamp::Timestamp;

/// Tag and value by which an owner opts a service out.
pub const OPT_OUT: (&str, &str) = ("spot-recovery", "off");

/// The answer to "look at this service".
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// The service is there.
    Found(Arc<Observation>),
    /// No such service or cluster: HTTP 200 with `failures: MISSING` (aws-facts.md §1.5).
    Missing,
    /// We may not look; a person is needed.
    Blocked(HeldReason),
}

/// One service as ECS shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Tells a re-created service of the same name apart from the one we knew.
    pub created_at: Timestamp,
    /// Whether `status` is `ACTIVE`; `DRAINING` and `INACTIVE` services are gone for us.
    pub active: bool,
    /// The strategy, or `None` for a service that runs on a launch type.
    pub strategy: Option<Strategy>,
    /// Who runs deployments.
    pub controller: Controller,
    /// Whether `schedulingStrategy` is `REPLICA`; `DAEMON` does not exist on Fargate (aws-facts.md §1.5).
    pub replica: bool,
    /// Whether the owner opted out: tag [`OPT_OUT`].
    pub opted_out: bool,
    /// Lower bound of healthy tasks in a deployment, in percent of desired; rounds up (aws-facts.md §3).
    pub minimum_healthy_percent: u32,
    /// Tasks the owner or an auto scaler wants.
    pub desired: u32,
    /// Tasks that run, over all deployments.
    pub running: u32,
    /// Tasks on their way there, `pendingCount`.
    pub pending: u32,
    /// Deployments, the primary first.
    pub deployments: Vec<Deployment>,
    /// Service event messages, newest first, at most 100 (aws-facts.md §2.6). Shared, for they are most of what is shown.
    pub messages: Arc<Vec<Message>>,
}

/// `deploymentController.type`, as far as it matters (aws-facts.md §1.5).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Controller {
    /// ECS's own rolling deployments, the only kind we handle.
    Rolling,
    /// Any other, by its AWS name: `CODE_DEPLOY`, `EXTERNAL`, `ECS` with `BLUE_GREEN`…
    Other(String),
}

/// One deployment of a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deployment {
    /// `ecs-svc/…`.
    pub id: String,
    /// `PRIMARY`; the others are being replaced.
    pub primary: bool,
    /// `rolloutState`.
    pub rollout: Rollout,
    /// What it places tasks on.
    pub strategy: Option<Strategy>,
    /// Whether ECS began it to roll another deployment back: `rolloutStateReason` says so until it is complete.
    pub rolls_back: bool,
    /// Tasks of it that run.
    pub running: u32,
    /// When it began.
    pub created_at: Timestamp,
}

/// Service clocks and ours may differ by a second.
const CLOCK_SKEW: Duration = Duration::from_secs(1);

/// So many messages the event log of a service holds: one with fewer goes back to the service's creation (aws-facts.md §2.6).
const LOG_HOLDS: usize = 100;

/// `rolloutState` (aws-facts.md §1.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rollout {
    /// `IN_PROGRESS`.
    InProgress,
    /// `COMPLETED`.
    Completed,
    /// `FAILED`: launches no more tasks.
    Failed,
}

/// One entry of the service's event log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// When ECS wrote it.
    pub at: Timestamp,
    /// Its text (aws-facts.md §2.6).
    pub text: String,
}

/// What a rollback is told by, before the deployment that it goes back to.
const ROLLING_BACK: &str = "rolling back to deployment ";

impl Message {
    fn tells_of_rollback_to(&self, deployment: &str) -> bool {
        let told = self.text.split_once(ROLLING_BACK).and_then(|(_, rest)| rest.strip_prefix(deployment));
        told.is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
    }
}

impl Look {
    /// The service as `seen`.
    pub fn found(seen: Observation) -> Self {
        Self::Found(Arc::new(seen))
    }
}

impl Observation {
    /// The primary deployment.
    pub fn primary(&self) -> Option<&Deployment> {
        self.deployments.iter().find(|d| d.primary)
    }

    /// Whether tasks are missing.
    pub fn is_short(&self) -> bool {
        self.running < self.desired
    }

    /// Whether tasks are missing for which ECS finds no place: they are not even on their way. An application that crashes again
    /// and again is short too, but its tasks always have a place.
    pub fn lacks_capacity(&self) -> bool {
        self.running.saturating_add(self.pending) < self.desired
    }

    /// The deployment that brought the live strategy, as far as deployments are listed: who deploys again does not change the
    /// strategy.
    fn brought_it(&self) -> Option<&Deployment> {
        self.newest_first().into_iter().take_while(|d| d.strategy == self.strategy).last()
    }

    /// Whether the live strategy was so before `at`: then nobody has chosen it since.
    pub fn was_live_before(&self, at: Timestamp) -> bool {
        self.brought_it().is_some_and(|d| d.created_at + CLOCK_SKEW < at)
    }

    /// Whether the live strategy clearly came after `at`.
    pub fn came_after(&self, at: Timestamp) -> bool {
        self.brought_it().is_some_and(|d| d.created_at > at + CLOCK_SKEW)
    }

    /// Whether a deployment on another strategy than the live one is still listed.
    pub fn lists_another_strategy(&self) -> bool {
        self.deployments.iter().any(|d| d.strategy != self.strategy)
    }

    /// Whether a deployment on `strategy` that began at `since` or later is still listed.
    pub fn lists(&self, strategy: &Strategy, since: Timestamp) -> bool {
        self.deployments.iter().any(|d| d.strategy.as_ref() == Some(strategy) && d.created_at + CLOCK_SKEW >= since)
    }

    /// The deployment that the primary one replaced, as long as it is still listed.
    pub fn replaced(&self) -> Option<&Deployment> {
        self.newest_first().into_iter().find(|d| !d.primary)
    }

    /// Whether ECS itself, by a rollback, put the strategy that is live in the place of a change of ours made at `since`: `false` means
    /// that somebody called `UpdateService`, `None` that nothing shown tells the two apart. ECS rolls back only what is not
    /// COMPLETED (aws-facts.md §1.6), and says so as it begins (aws-facts.md §2.6).
    pub fn is_rollback(&self, since: Timestamp) -> Option<bool> {
        let brought_it = self.brought_it()?;
        if brought_it.rolls_back || self.since(since).any(|m| m.tells_of_rollback_to(&brought_it.id)) {
            return Some(true);
        }
        let replaced = self.newest_first().into_iter().find(|d| d.strategy != self.strategy).map(|d| d.rollout);
        match (brought_it.rollout, replaced) {
            // A rollback under way would say that it is one.
            (_, Some(Rollout::Completed)) | (Rollout::InProgress, Some(_)) => Some(false),
            (_, Some(_)) if self.log_reaches(brought_it.created_at.max(since)) => Some(false),
            (_, Some(Rollout::Failed)) => Some(true),
            _ => self.by_log_alone(brought_it, since),
        }
    }

    /// The same where no deployment on another strategy is listed any more, and the log tells of no rollback to `brought_it`: the
    /// first word since our change counts. ECS says so when it rolls back (aws-facts.md §2.6), so a whole log without a word knows of
    /// none.
    fn by_log_alone(&self, brought_it: &Deployment, since: Timestamp) -> Option<bool> {
        let completed = |m: &Message| m.text.contains(") deployment completed") && m.at <= brought_it.created_at;
        // A rollback from before our change: its result is what we changed.
        let rolled_back = |m: &Message| m.text.contains(ROLLING_BACK) && m.at > since;
        match self.since(since).filter(|m| rolled_back(m) || completed(m)).last() {
            // To a deployment that is not listed any more: who deploys on its strategy does not choose it.
            Some(message) if !completed(message) => None,
            Some(_) => Some(false),
            None => self.log_reaches(since).then_some(false),
        }
    }

    /// Messages from `at` on, newest first.
    fn since(&self, at: Timestamp) -> impl Iterator<Item = &Message> {
        self.messages.iter().take_while(move |m| m.at + CLOCK_SKEW >= at)
    }

    /// Whether the log holds all that was said since `at`.
    fn log_reaches(&self, at: Timestamp) -> bool {
        let is_whole = self.messages.len() < LOG_HOLDS;
        self.messages.last().is_some_and(|oldest| is_whole || oldest.at + CLOCK_SKEW < at)
    }

    /// Until a deployment is complete, ECS may take the service back to what it was before (aws-facts.md §1.6): to a strategy of ours,
    /// if an owner chose to do without Spot while it was on one.
    pub fn may_be_rolled_back(&self) -> bool {
        self.primary().is_some_and(|primary| primary.rollout != Rollout::Completed)
    }

    fn newest_first(&self) -> Vec<&Deployment> {
        let mut deployments: Vec<_> = self.deployments.iter().collect();
        // Of two of the same moment, the one listed first is the later.
        deployments.sort_by_key(|d| (!d.primary, Reverse(d.created_at)));
        deployments
    }

    /// Whether the primary deployment began before `at`: then it is not the answer to anything done since.
    pub fn is_older_than(&self, at: Timestamp) -> bool {
        self.primary().is_some_and(|p| p.created_at + CLOCK_SKEW < at)
    }

    /// Whether the live strategy places tasks on Spot.
    pub fn uses_spot(&self) -> bool {
        self.strategy.as_ref().is_some_and(Strategy::uses_spot)
    }

    /// Whether `strategy` is fully deployed: the primary deployment has it, is complete and runs every task. Counts alone
    /// prove nothing (aws-facts.md §11.26).
    pub fn runs_fully_on(&self, strategy: &Strategy) -> bool {
        !self.is_short() && self.completed_on(strategy).is_some_and(|primary| primary.running >= self.desired)
    }

    /// Whether `strategy` was fully deployed, and every task of it that is missing since is on its way: an auto scaler may add some
    /// all the time.
    pub fn holds_on(&self, strategy: &Strategy) -> bool {
        let running = self.completed_on(strategy).map(|primary| primary.running);
        running.is_some_and(|running| running.saturating_add(self.pending) >= self.desired)
    }

    /// The primary deployment, if it has `strategy` and is complete.
    fn completed_on(&self, strategy: &Strategy) -> Option<&Deployment> {
        self.primary().filter(|p| p.rollout == Rollout::Completed && p.strategy.as_ref() == Some(strategy))
    }

    /// Whether a deployment younger than `grace` is still under way and so explains missing tasks.
    pub fn is_deploying(&self, now: Timestamp, grace: Duration) -> bool {
        self.primary().is_some_and(|p| p.rollout == Rollout::InProgress && now.since(p.created_at) < grace)
    }

    /// Whether as many tasks as its owner `wanted` as it began run in the primary deployment, on `strategy`, and those wanted since
    /// are on their way: what is left to do is to drain the tasks of the one before, or to wait for alarms.
    pub fn only_drains(&self, strategy: &Strategy, wanted: u32) -> bool {
        self.primary().is_some_and(|p| {
            p.rollout == Rollout::InProgress
                && p.strategy.as_ref() == Some(strategy)
                && p.running >= self.desired.min(wanted)
                && p.running.saturating_add(self.pending) >= self.desired
        })
    }

    /// Whether ECS has given up the primary deployment: it starts no more tasks.
    pub fn gave_up(&self) -> bool {
        self.primary().is_some_and(|p| p.rollout == Rollout::Failed)
    }

    /// Whether the application must be taken to fail: ECS blames it, or has given up the deployment and does not say why.
    pub fn application_fails(&self) -> bool {
        self.blames_application().unwrap_or_else(|| self.gave_up())
    }

    /// Whether ECS blames the application, by the newest message since the primary deployment began that judges task starts; `None`
    /// if there is no such message. `failedTasks` would not do, it also counts tasks ECS could not place (aws-facts.md §1.6).
    pub fn blames_application(&self) -> Option<bool> {
        let since = self.primary().map(|p| p.created_at);
        self.messages.iter().take_while(|m| Some(m.at) >= since).find_map(|m| {
            if m.text.contains("unable to consistently start tasks successfully") {
                Some(true)
            } else if m.text.contains("unable to place a task") || m.text.contains("steady state") {
                Some(false)
            } else {
                None
            }
        })
    }

    /// How many healthy tasks ECS may stop in a deployment before new ones run.
    pub fn stoppable(&self) -> u32 {
        let kept = (u64::from(self.desired) * u64::from(self.minimum_healthy_percent)).div_ceil(100);
        self.desired.saturating_sub(u32::try_from(kept).unwrap_or(u32::MAX))
    }

    /// Why we cannot handle this service at all, if so (architecture.md rule 11).
    pub fn unsupported(&self) -> Option<HeldReason> {
        self.undeployable().or_else(|| {
            let other = self.strategy.as_ref().and_then(Strategy::other_provider)?;
            Some(HeldReason::Provider(other.as_str().to_owned()))
        })
    }

    /// Why no deployment of this service may be forced, whatever its strategy is, if so.
    pub fn undeployable(&self) -> Option<HeldReason> {
        if let Controller::Other(name) = &self.controller {
            return Some(HeldReason::Controller(name.clone()));
        }
        (!self.replica).then_some(HeldReason::Daemon)
    }
}
