//! The clock a host gives, or std's.

/// A monotonic clock, in microseconds from any fixed point.
///
/// With the feature `std` a registry uses the system's monotonic clock unless the builder is given
/// another. Without `std`, and on wasm32-unknown-unknown, there is none, and a configuration that asks
/// for a timeout is refused with [`ErrorKind::ClockMissing`](crate::ErrorKind::ClockMissing).
pub trait Clock: Send + Sync {
    /// Returns microseconds since a fixed point. Never less than an earlier answer.
    ///
    /// It is read in the middle of searches and scans, while an [`EmbeddedHost`](crate::EmbeddedHost)
    /// has the storage of the plugin's tenant locked: it must not call the host, nor wait for who
    /// does. A panic of it may abort the process.
    fn now_us(&self) -> u64;
}

pub(crate) use system::SystemClock;

/// Std's. On wasm32-unknown-unknown std has a clock that panics when it is asked.
#[cfg(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown"))))]
mod system {
    use super::Clock;
    use std::time::Instant;

    /// The system's monotonic clock.
    #[derive(Debug)]
    pub(crate) struct SystemClock(Instant);

    impl SystemClock {
        pub(crate) fn new() -> Option<Self> {
            Some(Self(Instant::now()))
        }
    }

    impl Clock for SystemClock {
        fn now_us(&self) -> u64 {
            u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
        }
    }
}

#[cfg(not(all(feature = "std", not(all(target_family = "wasm", target_os = "unknown")))))]
mod system {
    use super::Clock;

    /// A clock that there is not.
    #[derive(Debug)]
    pub(crate) enum SystemClock {}

    impl SystemClock {
        pub(crate) fn new() -> Option<Self> {
            None
        }
    }

    impl Clock for SystemClock {
        fn now_us(&self) -> u64 {
            match *self {}
        }
    }
}
