//! What EventBridge plans for later.

use handlers::service::AccountId;

use crate::eventbridge::{Delivery, Envelope, Reforward};

#[derive(Debug)]
pub(crate) enum Action {
    Forward(AccountId, Box<Envelope>),
    Reforward(Box<Reforward>),
    CentralBus(Box<Envelope>),
    Deliver(Box<Delivery>),
}
