//! `call_plugin` and `last_answer`: one plugin calls another.

mod asker;
mod budget;
mod chains;
mod failures;
mod stack;
mod success;
