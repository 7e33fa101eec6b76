//! Scenarios: files that say what happens to a world and what must hold afterwards, and the player that runs them.
//!
//! | question | file |
//! | --- | --- |
//! | what may a scenario file say? | [`mod@file`] |
//! | how is a mistake in one shown? | [`diagnostic`] |
//! | what keys are there, for people and editors? | [`file::keys`], [`mod@reference`], [`schema`] |
//! | what is expected, and does it hold? | [`verdict`] |
//! | what does a person read of a run? | [`timeline`], [`report`] |
//! | what would others have made of the same world? | [`compare`] |
//! | what happens in worlds that nobody wrote? | [`swarm`] |

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

pub mod all;
pub mod compare;
pub mod diagnostic;
pub mod file;
pub mod library;
pub mod naive;
pub mod new;
pub mod play;
pub mod reference;
pub mod report;
pub mod schema;
pub mod swarm;
pub mod timeline;
pub mod verdict;
pub mod watch;
