//! The host ABI, version 1: each function's answers, statuses and price, seen by a real guest.

mod bounds;
mod config;
mod fuel;
mod indexes;
mod log;
mod metrics;
mod scan;
mod statuses;
mod tables;
mod vectors;
