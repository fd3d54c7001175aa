//! How the host program's callbacks answer the host calls of plugins.

use crate::{
    host::CHost,
    host_call::{Asked, ask},
    record::wpr_audit_record_t,
    thread::{Frame, in_callback},
};
use alloc::{borrow::Cow, string::ToString};
use core::ffi::c_char;
use runtime::{
    EmbeddedHost, Host, HostCall, HostError, LogLevel, LogMessage, Metric, MetricKind, Output,
    PluginEvent,
};

impl Host for CHost {
    fn embedded(&self) -> Option<&EmbeddedHost> {
        Some(&self.tables)
    }

    fn read(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let Some(read) = self.callbacks.read else {
            return self.tables.serve_read(call, table, key, out);
        };
        let answer = ask(call, Asked::with(out), |call| {
            let (table, key, user) = (Parts::of(table), Parts::of(key), self.user.get());
            // SAFETY: the program says that its callback may be called so.
            unsafe { read(user, call, table.text(), table.len, key.bytes, key.len) }
        });
        answer.map(|len| usize::try_from(len).unwrap_or(0))
    }

    fn scan(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        from: &[u8],
        limit: u32,
        out: &mut Output<'_>,
    ) -> Result<(), HostError> {
        let Some(scan) = self.callbacks.scan else {
            return self.tables.serve_scan(call, table, from, limit, out);
        };
        let answer = ask(call, Asked::with(out), |call| {
            let (table, from, user) = (Parts::of(table), Parts::of(from), self.user.get());
            // SAFETY: the program says that its callback may be called so.
            unsafe { scan(user, call, table.text(), table.len, from.bytes, from.len, limit) }
        });
        answer.map(|_| ())
    }

    fn write(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
        value: &[u8],
    ) -> Result<bool, HostError> {
        let Some(write) = self.callbacks.write else {
            return self.tables.serve_write(call, table, key, value);
        };
        let answer = ask(call, Asked::default(), |call| {
            let (table, key, value) = (Parts::of(table), Parts::of(key), Parts::of(value));
            let (user, name) = (self.user.get(), table.text());
            // SAFETY: the program says that its callback may be called so.
            unsafe {
                write(user, call, name, table.len, key.bytes, key.len, value.bytes, value.len)
            }
        });
        answer.map(|replaced| replaced != 0)
    }

    fn delete(
        &self,
        call: &mut HostCall<'_, Self>,
        table: &str,
        key: &[u8],
    ) -> Result<(), HostError> {
        let Some(remove) = self.callbacks.remove else {
            return self.tables.serve_delete(call, table, key);
        };
        let answer = ask(call, Asked::default(), |call| {
            let (table, key, user) = (Parts::of(table), Parts::of(key), self.user.get());
            // SAFETY: the program says that its callback may be called so.
            unsafe { remove(user, call, table.text(), table.len, key.bytes, key.len) }
        });
        answer.map(|_| ())
    }

    fn emit_metric(
        &self,
        call: &mut HostCall<'_, Self>,
        metric: &Metric<'_>,
    ) -> Result<(), HostError> {
        let Some(observe) = self.callbacks.metric else {
            return self.tables.serve_emit_metric(call, metric);
        };
        let kind = match metric.kind {
            MetricKind::Counter => 0,
            MetricKind::Gauge => 1,
            MetricKind::Histogram => 2,
        };
        let answer = ask(call, Asked::about(metric.labels), |call| {
            let (name, user) = (Parts::of(metric.name), self.user.get());
            // SAFETY: the program says that its callback may be called so.
            unsafe { observe(user, call, kind, name.text(), name.len, metric.value) }
        });
        answer.map(|_| ())
    }

    fn log(
        &self,
        call: &mut HostCall<'_, Self>,
        level: LogLevel,
        message: LogMessage<'_>,
    ) -> Result<(), HostError> {
        let Some(log) = self.callbacks.log else {
            return self.tables.serve_log(call, level, message);
        };
        let line = match message.unescaped().chars().any(char::is_control) {
            true => Cow::Owned(message.to_string()),
            false => Cow::Borrowed(message.unescaped()),
        };
        let answer = ask(call, Asked::default(), |call| {
            let (line, user) = (Parts::of(&*line), self.user.get());
            // SAFETY: the program says that its callback may be called so.
            unsafe { log(user, call, level as u32, line.text(), line.len) }
        });
        answer.map(|_| ())
    }

    fn setting(
        &self,
        call: &mut HostCall<'_, Self>,
        name: &str,
        out: &mut Output<'_>,
    ) -> Result<usize, HostError> {
        let Some(setting) = self.callbacks.setting else {
            return Err(HostError::NotFound);
        };
        let answer = ask(call, Asked::with(out), |call| {
            let (name, user) = (Parts::of(name), self.user.get());
            // SAFETY: the program says that its callback may be called so.
            unsafe { setting(user, call, name.text(), name.len) }
        });
        answer.map(|len| usize::try_from(len).unwrap_or(0))
    }

    fn event(&self, event: &PluginEvent<'_>) {
        let Some(hear) = self.callbacks.event else {
            return;
        };
        let (record, user) = (wpr_audit_record_t::of_event(event), self.user.get());
        in_callback(&mut Frame::plain(), || {
            // SAFETY: the program says that its callback may be called so.
            unsafe { hear(user, &raw const record) }
        });
    }
}

/// A slice as a callback gets it.
struct Parts {
    bytes: *const u8,
    len: usize,
}

impl Parts {
    fn of(slice: &(impl AsRef<[u8]> + ?Sized)) -> Self {
        let slice = slice.as_ref();
        Self { bytes: slice.as_ptr(), len: slice.len() }
    }

    fn text(&self) -> *const c_char {
        self.bytes.cast()
    }
}
