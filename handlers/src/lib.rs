//! wip
#![allow(missing_docs)]
pub mod policy;
pub mod service;
pub mod strategy;
pub mod timestamp;
