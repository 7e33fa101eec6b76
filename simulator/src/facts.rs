//! What AWS does not promise, as named parameters: each says where its default comes from.

use std::time::Duration;

use crate::engine::dice::Span;

/// Durations and limits the model runs with. Spans are drawn from uniformly.
#[derive(Debug, Clone)]
pub struct Facts {
    /// PROVISIONING to PENDING. With `pending` it makes the 20 to 60 s of aws-facts.md §10.
    pub provisioning: Span,
    /// PENDING to RUNNING.
    pub pending: Span,
    /// RUNNING until a task counts as healthy, without health check or load balancer: 40 s (aws-facts.md §3).
    pub healthy_after: Duration,
    /// SIGTERM to the end of a task that the scheduler stops; most containers end well before `stopTimeout`. Not in the
    /// fact sheet.
    pub scheduler_stop: Span,
    /// End of the containers to STOPPED. Not in the fact sheet.
    pub deprovisioning: Span,
    /// Over how long a falling capacity takes its tasks. Not in the fact sheet.
    pub reclaim_spread: Span,
    /// First pause after a failed placement (aws-facts.md §10).
    pub placement_retry: Duration,
    /// Longest pause after failed placements; documented are 27 min for start failures, for placements 5 min were seen
    /// (aws-facts.md §3).
    pub placement_retry_cap: Duration,
    /// First pause of a service whose tasks repeatedly fail to start; each further one is twice as long. AWS says that it grows,
    /// not from what (aws-facts.md §3).
    pub start_throttle: Duration,
    /// Longest of these pauses (aws-facts.md §3).
    pub start_throttle_cap: Duration,
    /// Tasks that fail to start in a row before the pauses begin; "repeatedly", AWS says (aws-facts.md §3).
    pub start_throttle_after: u32,
    /// Tasks that the scheduler launches for one service within a minute (aws-facts.md §4).
    pub service_launches_per_minute: u32,
    /// Tasks that one service may have (aws-facts.md §4).
    pub tasks_per_service: u32,
    /// From an interruption to the end of the task at the latest: two minutes (aws-facts.md §3).
    pub spot_warning: Duration,
    /// Whether an interrupted task is taken out of its load balancer before SIGTERM: announced in 2023, in 2025 users saw
    /// interruptions without it (aws-facts.md §3).
    pub spot_deregisters: bool,
    /// From the steady state of a service with uneven zones to the begin of AZ rebalancing. Not in the fact sheet.
    pub rebalancing_delay: Duration,
    /// How long a replaced deployment stays listed at least, counted from the update, also when its tasks are gone; 2 to 3 minutes
    /// were seen (aws-facts.md §10).
    pub replaced_listed: Duration,
    /// How long a deployment with alarms goes on after the old tasks are gone; ECS computes it from the alarms (aws-facts.md §1.6;
    /// <https://docs.aws.amazon.com/AmazonECS/latest/developerguide/deployment-alarm-failure.html>).
    pub alarm_bake_time: Duration,
    /// Whether a task that cannot be placed counts as failed for the circuit breaker (aws-facts.md §1.6).
    pub breaker_counts_placement: bool,
    /// Whether a lost task of a revision that is being replaced comes back with that revision; the guide says so for unhealthy
    /// tasks, for interrupted ones it is inferred (aws-facts.md §3).
    pub old_revision_replaces: bool,
    /// vCPU that an account's On-Demand tasks may use together; AWS begins with 6 and raises it with use (aws-facts.md §4).
    /// `None` is no limit.
    pub on_demand_vcpu_quota: Option<u32>,
    /// The same for Spot, a quota of its own.
    pub spot_vcpu_quota: Option<u32>,
    /// Task launches of an account, for On-Demand and Spot each: burst and refill per second; 100 and 20 in large regions
    /// (aws-facts.md §4). `None` is no limit.
    pub launch_bucket: Option<(u32, u32)>,
    /// How often a service in a steady state says so: periodically, how often is not documented (aws-facts.md §2.2); taken is
    /// the time after which a repeated message appears again.
    pub steady_repeat: Duration,
    /// How long a blue/green deployment keeps the old tasks once the new ones are healthy. Not in the fact sheet, and each service
    /// sets it (aws-facts.md §1.5).
    pub bake_time: Duration,
    /// Identical service events are suppressed for this long (aws-facts.md §2.6).
    pub suppress_repeats: Duration,
    /// Least time from a deployment's start to COMPLETED, also with nothing to move (aws-facts.md §10).
    pub empty_deployment: Span,
    /// ECS to a bus, and from bus to bus or queue (aws-facts.md §10).
    pub event_latency: Span,
    /// Chance, in percent, that a message reaches its queue twice; AWS promises at least once (aws-facts.md §2.5, §5, §6).
    pub duplicate_percent: u32,
    /// How much later the second one comes.
    pub duplicate_delay: Span,
    /// Chance, in percent, that an event is lost on its way to the central bus (aws-facts.md §2.6).
    pub lost_percent: u32,
    /// Chance, in percent, that an event is `late_by` late, which also reorders (aws-facts.md §2.5).
    pub late_percent: u32,
    /// How late a late event is.
    pub late_by: Span,
    /// First pause of EventBridge after a delivery that failed; each further one is twice as long. AWS says exponential
    /// with jitter, not how long (aws-facts.md §5).
    pub event_retry: Duration,
    /// Longest pause of EventBridge, such that 185 retries fill about 24 h (aws-facts.md §5).
    pub event_retry_cap: Duration,
    /// Retries of a delivery before the event goes to the DLQ of its rule (aws-facts.md §5).
    pub event_retries: u32,
    /// How old an event may become before it goes to the DLQ of its rule (aws-facts.md §5).
    pub event_max_age: Duration,
    /// Chance, in hundredths of a percent, that an invocation is killed at any one call, before or after the call is made.
    pub kill_per_myriad: u32,
    /// Chance, in percent, that an invocation is killed at some moment, wherever it waits then.
    pub kill_percent: u32,
    /// When it is killed, counted from the handler's first line.
    pub kill_after: Span,
    /// Chance, in percent, that a call is made and its reply lost: the caller sees an error, not the result (aws-facts.md §4, §7).
    pub lost_reply_percent: u32,
    /// Chance, in percent, that a read of a service shows it as it was before its last update, within `stale_for` of it.
    pub stale_read_percent: u32,
    /// Chance, in percent, that the state table throttles a call, after the client's retries (aws-facts.md §7).
    pub table_throttle_percent: u32,
    /// How long the due index lags behind the table (aws-facts.md §7).
    pub index_lag: Span,
    /// How long after an update a read may be stale.
    pub stale_for: Duration,
    /// `UpdateService` bucket per account: burst and refill per second (aws-facts.md §4).
    pub update_bucket: (u32, u32),
    /// `DescribeServices` bucket per account: burst and refill per second (aws-facts.md §4).
    pub describe_bucket: (u32, u32),
    /// Calls at which the invocation that makes them is killed; the first call of a world is 1.
    pub kills: Vec<Kill>,
    /// Message visible until the event-source mapping has it. Not in the fact sheet.
    pub poll_latency: Span,
    /// Start of an invocation until the handler's first line (aws-facts.md §9).
    pub lambda_start: Span,
    /// Chance, in percent, that an invocation needs a new execution environment.
    pub cold_start_percent: u32,
    /// What that costs on top: 14 ms for a Rust function that does nothing, more with SDK clients and TLS (aws-facts.md
    /// §9).
    pub cold_start: Span,
    /// Chance, in percent, that an invocation ends before the handler's first line. Not in the fact sheet.
    pub failed_start_percent: u32,
    /// One AWS call, both ways together. Not in the fact sheet.
    pub call_latency: Span,
    /// Function timeout, the product's own setting.
    pub lambda_timeout: Duration,
    /// Visibility timeout of the queues: six times the function timeout (aws-facts.md §6).
    pub visibility_timeout: Duration,
    /// Receives before a message goes to the DLQ; at least 5 advised (aws-facts.md §6).
    pub max_receive_count: u32,
    /// How long a queue keeps a message, the default of SQS (aws-facts.md §6).
    pub retention: Duration,
    /// How long a DLQ keeps a message, counted from when it was sent to its queue (aws-facts.md §6).
    pub dead_retention: Duration,
    /// Messages a second that a redrive moves at most (aws-facts.md §6).
    pub redrive_per_second: usize,
    /// Messages per invocation, the product's own setting. There is no batch window: what is there is taken
    /// (aws-facts.md §6).
    pub batch_size: usize,
    /// Batches that a mapping has in work at once before it has scaled (aws-facts.md §6).
    pub scaling_start: u32,
    /// How many more each minute while messages wait, up to `max_concurrency` (aws-facts.md §6).
    pub scaling_per_minute: u32,
    /// Invocations of one queue handler at once, the product's own setting.
    pub max_concurrency: u32,
    /// Records per page of the due index; DynamoDB cuts at 1 MB (aws-facts.md §7).
    pub page_size: usize,
    /// Whether the trace keeps what [`is_detail`](crate::observers::trace::Happening::is_detail) too: most of it, which nobody reads of a fleet.
    pub trace_details: bool,
    /// Whether the ledgers keep every change of their counts, to be drawn. Some hundred changes a service and day, 24 bytes each.
    pub series: bool,
}

/// A crash: the invocation that makes call number `call` is killed before or after the call takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Kill {
    /// Which call, counted over the world, from 1.
    pub call: u64,
    /// Whether the call still takes effect.
    pub after: bool,
}

impl Facts {
    /// Ends what goes wrong by chance.
    pub fn calm(&mut self) {
        self.duplicate_percent = 0;
        self.lost_percent = 0;
        self.late_percent = 0;
        self.kill_per_myriad = 0;
        self.kill_percent = 0;
        self.lost_reply_percent = 0;
        self.stale_read_percent = 0;
        self.table_throttle_percent = 0;
        self.index_lag = Span::millis(0, 0);
        self.cold_start_percent = 0;
        self.failed_start_percent = 0;
    }
}

impl Default for Facts {
    fn default() -> Self {
        Self {
            provisioning: Span::secs(5, 15),
            pending: Span::secs(15, 45),
            healthy_after: Duration::from_secs(40),
            scheduler_stop: Span::secs(1, 10),
            deprovisioning: Span::secs(5, 20),
            reclaim_spread: Span::secs(0, 10),
            placement_retry: Duration::from_secs(30),
            placement_retry_cap: Duration::from_secs(300),
            start_throttle: Duration::from_secs(30),
            start_throttle_cap: Duration::from_secs(27 * 60),
            start_throttle_after: 3,
            service_launches_per_minute: 500,
            tasks_per_service: 5000,
            spot_warning: Duration::from_secs(120),
            spot_deregisters: true,
            rebalancing_delay: Duration::from_secs(300),
            replaced_listed: Duration::from_secs(150),
            alarm_bake_time: Duration::from_secs(300),
            breaker_counts_placement: true,
            old_revision_replaces: true,
            on_demand_vcpu_quota: None,
            spot_vcpu_quota: None,
            launch_bucket: None,
            steady_repeat: Duration::from_secs(6 * 3600),
            bake_time: Duration::from_secs(300),
            suppress_repeats: Duration::from_secs(6 * 3600),
            empty_deployment: Span::secs(60, 90),
            event_latency: Span::millis(100, 2000),
            duplicate_percent: 0,
            duplicate_delay: Span::secs(0, 300),
            lost_percent: 0,
            late_percent: 0,
            late_by: Span::secs(30, 1800),
            event_retry: Duration::from_secs(1),
            event_retry_cap: Duration::from_secs(600),
            event_retries: 185,
            event_max_age: Duration::from_secs(24 * 3600),
            kill_per_myriad: 0,
            kill_percent: 0,
            kill_after: Span::secs(0, 1),
            lost_reply_percent: 0,
            stale_read_percent: 0,
            table_throttle_percent: 0,
            index_lag: Span::millis(0, 0),
            stale_for: Duration::from_secs(30),
            update_bucket: (50, 5),
            describe_bucket: (100, 20),
            kills: Vec::new(),
            poll_latency: Span::millis(20, 200),
            lambda_start: Span::millis(10, 60),
            cold_start_percent: 0,
            cold_start: Span::millis(15, 400),
            failed_start_percent: 0,
            call_latency: Span::millis(5, 60),
            lambda_timeout: Duration::from_secs(40),
            visibility_timeout: Duration::from_secs(240),
            max_receive_count: 10,
            retention: Duration::from_secs(4 * 24 * 3600),
            dead_retention: Duration::from_secs(14 * 24 * 3600),
            redrive_per_second: 500,
            batch_size: 10,
            scaling_start: 5,
            scaling_per_minute: 300,
            max_concurrency: 100,
            page_size: 100,
            trace_details: true,
            series: false,
        }
    }
}
