//! `log_message`.

use crate::probe::{OUT, Probe, VALUE, ordinary};
use log::Level;
use std::sync::Mutex;
use wasm_runtime::{Host, HostCall, HostError, LogMessage, WasmPluginRegistry, WasmValue};

/// Keeps each line: its level, as the guest wrote it, and as it prints.
#[derive(Default)]
struct Journal(Mutex<Vec<(Level, String, String)>>);

impl Host for Journal {
    fn log(
        &self,
        _call: &mut HostCall<'_, Self>,
        level: Level,
        message: LogMessage<'_>,
    ) -> Result<(), HostError> {
        let line = (level, message.unescaped().to_string(), message.to_string());
        self.0.lock().unwrap().push(line);
        Ok(())
    }
}

fn journal() -> Probe<Journal> {
    Probe::on(WasmPluginRegistry::with_host(Journal::default()), ordinary())
}

fn lines(probe: &Probe<Journal>) -> Vec<(Level, String, String)> {
    std::mem::take(&mut *probe.registry.host().0.lock().unwrap())
}

#[test]
fn a_line_arrives_at_its_level() {
    let probe = journal();
    for (level, expected) in
        [(0, Level::Debug), (1, Level::Info), (2, Level::Warn), (3, Level::Error)]
    {
        assert_eq!(probe.call("log_message", &[level, VALUE.0, VALUE.1]), 0);
        assert_eq!(lines(&probe), [(expected, "row!".into(), "row!".into())]);
    }
}

#[test]
fn a_level_that_does_not_exist_is_invalid() {
    let probe = journal();
    for level in [4, 5, -1, i32::MIN, i32::MAX] {
        assert_eq!(probe.call("log_message", &[level, VALUE.0, VALUE.1]), -3);
    }
    assert_eq!(lines(&probe), []);
}

#[test]
fn a_line_has_0_to_1024_bytes() {
    let probe = journal();
    for len in [0_i32, 1, 1023, 1024] {
        let (at, len) = probe.put(OUT.0, &vec![b'x'; len.unsigned_abs() as usize]);
        assert_eq!(probe.call("log_message", &[1, at, len]), 0);
        assert_eq!(lines(&probe)[0].1.len(), len.unsigned_abs() as usize);
    }
    let (at, len) = probe.put(OUT.0, &[b'x'; 1025]);
    assert_eq!(probe.call("log_message", &[1, at, len]), -3);
    assert_eq!(lines(&probe), []);
}

#[test]
fn a_line_is_utf_8() {
    let probe = journal();
    for bytes in [&b"\xff"[..], b"half a \xc3", b"\xed\xa0\x80"] {
        let (at, len) = probe.put(OUT.0, bytes);
        assert_eq!(probe.call("log_message", &[1, at, len]), -3);
    }
    assert_eq!(lines(&probe), []);
}

#[test]
fn a_line_prints_on_one_line_whatever_control_characters_it_has() {
    let probe = journal();
    let (at, len) = probe.put(OUT.0, "a\nb\r\t\0\u{1b}[2J\u{9b}ü".as_bytes());
    assert_eq!(probe.call("log_message", &[1, at, len]), 0);
    let found = lines(&probe);
    assert_eq!(found[0].1, "a\nb\r\t\0\u{1b}[2J\u{9b}ü");
    assert!(!found[0].2.contains(char::is_control), "{:?}", found[0].2);
    assert!(found[0].2.starts_with("a\\nb\\r\\t"));
}

#[test]
fn a_failed_call_tells_the_guest_s_last_line() {
    let probe = Probe::new();
    // The fuel ends in the middle of the loop, after some lines.
    let args = [i32::MAX, 1, VALUE.0, VALUE.1].map(WasmValue::I32);
    let error = probe.plugin.call("loop_log_message", &args).unwrap_err();
    assert_eq!(error.last_log(), "row!");
    assert!(error.to_string().contains("row!"));
}
