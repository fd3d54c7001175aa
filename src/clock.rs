//! The clock a host gives, or std's.

/// A monotonic clock, in microseconds from any fixed point.
///
/// With the feature `std` a registry uses the system's monotonic clock unless the builder is given
/// another. Without `std` there is none, and a configuration that asks for a timeout is refused with
/// [`ErrorKind::ClockMissing`](crate::ErrorKind::ClockMissing).
pub trait Clock: Send + Sync {
    /// Returns microseconds since a fixed point. Never less than an earlier answer.
    ///
    /// It is read in the middle of searches and scans, while an [`EmbeddedHost`](crate::EmbeddedHost)
    /// has the storage of the plugin's tenant locked: it must not call the host, nor wait for who
    /// does. A panic of it may abort the process.
    fn now_us(&self) -> u64;
}

/// The system's monotonic clock.
#[cfg(feature = "std")]
#[derive(Debug)]
pub(crate) struct StdClock(std::time::Instant);

#[cfg(feature = "std")]
impl Default for StdClock {
    fn default() -> Self {
        Self(std::time::Instant::now())
    }
}

#[cfg(feature = "std")]
impl Clock for StdClock {
    fn now_us(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_micros()).unwrap_or(u64::MAX)
    }
}
