//! Calls that their host runs piece by piece: paused, suspended, cancelled, dropped.

mod bench;
mod cancelling;
mod future;
mod nesting;
mod pausing;
mod sequences;
mod suspending;
