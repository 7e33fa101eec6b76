//! What acts on ECS from outside: owners, auto scalers, Terraform, and the Spot market.

pub(crate) mod action;
mod automation;
mod owner;
pub(crate) mod spot_market;
