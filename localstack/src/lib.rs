//! End to end on LocalStack: starts it, deploys the cell, runs the functions' own binaries, and looks at every stage.

pub mod backend;
pub mod cell;
pub mod clients;
pub mod functions;
pub mod journey;
pub mod onboarding;
pub mod operator;
pub mod pace;
pub mod process;
pub mod run;
pub mod scenario;
pub mod world;
