//! wip
pub mod file;
