//! A new version tried in a sandbox outside of the pool, before anything changes.

use super::WasmPluginInstance;
use crate::{
    CallOptions, Error, ErrorKind, Probe, WasmValue,
    engine::{CallLimits, Failure, Narrowed, Sandbox, Version},
    host::Host,
    report,
    stats::SlotCounts,
    sync::Arc,
    value::filled,
};
use alloc::{format, string::String};

impl<H: Host> WasmPluginInstance<H> {
    /// Makes a sandbox of a version, and hands it the state, if there is one.
    pub(super) fn draft(
        &self,
        version: &Arc<Version<H>>,
        state: Option<&[u8]>,
    ) -> Result<Sandbox<H>, Error> {
        let counts = Arc::new(SlotCounts::new(self.table.len()));
        let mut draft = Sandbox::start(version, &counts).map_err(|(failure, evidence)| {
            let options = CallOptions::default();
            self.failed("", failure, &options, &evidence, &version.context)
        })?;
        if let Some(state) = state {
            let index = self.find_in(&mut draft, "soch_restore")?;
            self.run_in_draft(&mut draft, "soch_restore", |sandbox, limits| {
                sandbox.call_bytes(index, state, limits, |_| Ok(()))
            })?;
        }
        Ok(draft)
    }

    /// Makes the call of a probe, and compares what it returns.
    pub(super) fn run_probe(
        &self,
        draft: &mut Sandbox<H>,
        at: usize,
        probe: &Probe<'_>,
    ) -> Result<(), Error> {
        let function = probe.function();
        let index = self.find_in(draft, function)?;
        let exported = draft.export(index);
        let verdict = match probe {
            Probe::Values { args, .. } => report::check_arguments(exported, args),
            Probe::Bytes { .. } => report::check_byte_function(exported),
        };
        verdict.map_err(|error| self.name_error(error, function))?;
        let difference = match probe {
            Probe::Values { args, expected, .. } => {
                let results = filled(|results| {
                    self.run_in_draft(draft, function, |sandbox, limits| {
                        sandbox.call_values(index, args, results, limits)
                    })
                })?;
                expected.and_then(|expected| values_differ(&results, expected))
            }
            Probe::Bytes { input, expected, .. } => {
                let answer = self.run_in_draft(draft, function, |sandbox, limits| {
                    sandbox.call_bytes(index, *input, limits, report::copy)
                })?;
                expected.and_then(|expected| bytes_differ(&answer, expected))
            }
        };
        match difference {
            None => Ok(()),
            Some(difference) => {
                let what = format!("probe {at} of the new version {difference}");
                Err(self.name_error(Error::guest(ErrorKind::Refused, what), function))
            }
        }
    }

    /// Makes a call on the limits of the sandbox's version, which the tenant's rate of fuel pays for.
    fn run_in_draft<T>(
        &self,
        draft: &mut Sandbox<H>,
        function: &str,
        call: impl FnOnce(&mut Sandbox<H>, Narrowed<'_>) -> Result<T, Failure>,
    ) -> Result<T, Error> {
        let context = Arc::clone(&draft.version().context);
        let full = draft.version().limits;
        let result = match context.take_fuel(full.fuel) {
            Ok(fuel) => {
                let result = call(draft, Some(&CallLimits { fuel, ..full }));
                context.give_fuel(fuel.saturating_sub(draft.spent()));
                result
            }
            Err(reached) => Err(reached.into()),
        };
        result.map_err(|failure| {
            let evidence = draft.evidence();
            self.failed(function, failure, &CallOptions::default(), &evidence, &context)
        })
    }
}

/// How results differ from those expected, to the bit; nothing if they do not.
fn values_differ(results: &[WasmValue], expected: &[WasmValue]) -> Option<String> {
    let is_same = results.len() == expected.len()
        && results.iter().zip(expected).all(|(result, expected)| result.is_same(*expected));
    (!is_same).then(|| format!("returned {results:?}; expected is {expected:?}"))
}

/// How an answer differs from the one expected; nothing if it does not.
fn bytes_differ(answer: &[u8], expected: &[u8]) -> Option<String> {
    if answer == expected {
        return None;
    }
    let alike = answer.iter().zip(expected).take_while(|(a, b)| a == b).count();
    Some(format!(
        "answered {} bytes; expected are {}, and they differ from byte {alike} on",
        answer.len(),
        expected.len()
    ))
}
