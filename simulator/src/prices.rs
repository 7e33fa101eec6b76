//! What Fargate costs, to say of a run what its capacity would have.

use serde::Serialize;

/// Smallest memory that Fargate takes with a vCPU, in GB: 0.5 with 0.25 vCPU, 1 with 0.5, 2 with 1, and so on up to 32 with 16
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/task-cpu-memory-error.html>).
const LEAST_GB_PER_VCPU: f64 = 2.0;

/// Prices of Linux on x86 in one Region, in US dollars.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Prices {
    /// Whose prices.
    pub region: &'static str,
    /// On `FARGATE`.
    pub on_demand: Rate,
    /// On `FARGATE_SPOT`.
    pub spot: Rate,
}

/// What one capacity provider costs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Rate {
    /// One vCPU for an hour.
    #[serde(rename = "vcpu_hour_usd")]
    pub vcpu_hour: f64,
    /// One GB of memory for an hour.
    #[serde(rename = "gb_hour_usd")]
    pub gb_hour: f64,
}

impl Prices {
    /// US East (N. Virginia), from <https://aws.amazon.com/fargate/pricing/>.
    ///
    /// Spot prices move with supply and demand, and the page shows only the current ones: these are 67 % below On-Demand, as users
    /// have quoted them from it. AWS says up to 70 % (aws-facts.md §3).
    pub const US_EAST_1: Self = Self {
        region: "us-east-1",
        on_demand: Rate { vcpu_hour: 0.04048, gb_hour: 0.004445 },
        spot: Rate { vcpu_hour: 0.01334053, gb_hour: 0.00146489 },
    };
}

impl Rate {
    /// One task for an hour. Its memory is not modelled: taken is the smallest that Fargate allows with `cpu` units, so this is
    /// the least that such a task costs.
    pub fn task_hour(&self, cpu: u32) -> f64 {
        f64::from(cpu) / 1024.0 * (self.vcpu_hour + LEAST_GB_PER_VCPU * self.gb_hour)
    }
}
