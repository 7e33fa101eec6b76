//! Proves what the adapters send to AWS, what they make of each kind of answer, and what the functions answer Lambda. A server on
//! loopback plays AWS: requests have the fields of the service models, answers the shapes of the API references.

mod bench;
#[path = "../common/mod.rs"]
mod common;

mod audit;
mod bad_input;
mod binaries;
mod calls;
mod clock;
mod describe;
mod invocation;
mod page;
mod queue;
mod session;
mod store;
mod update;
