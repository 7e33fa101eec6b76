//! What owners and markets plan for later.

use crate::ids::ServiceKey;

#[derive(Debug)]
pub(crate) enum Action {
    Market(u64),
    Autoscale(ServiceKey),
    Terraform(ServiceKey),
}
