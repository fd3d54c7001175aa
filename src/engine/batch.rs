//! Many calls of one function in few entries into the interpreter.

use super::{
    code::Code,
    compiled::Compiled,
    driver::{self, Driver, DriverType},
    failure::Failure,
    limits::CallLimits,
    run::run_typed,
    sandbox::{Sandbox, no_such_export},
    signature::{Params, Results},
};
use crate::{
    host::Host,
    ledger::{Paid, Resource},
    stats::SlotCounts,
};
use alloc::{boxed::Box, vec::Vec};
use wasmi::{Extern, Instance, Module, Val};

/// What a driver's instance takes of the heap besides its memory, at most.
const INSTANCE_HEAP: usize = 2 << 10;
/// What a driver's code takes of the heap, at most.
pub(super) const MODULE_HEAP: usize = 16 << 10;

impl<H: Host> Sandbox<H> {
    /// Calls an exported function, which has that signature, with each of `inputs`, as one call under
    /// `limits`; the results go to `outputs`, which is as long.
    ///
    /// # Errors
    ///
    /// How many items have ended, and how the next one failed.
    pub(crate) fn call_many<P: Params, R: Results>(
        &mut self,
        index: usize,
        inputs: &[P],
        outputs: &mut [R],
        limits: &CallLimits,
    ) -> Result<(), (usize, Failure)> {
        let driver = self.driver::<P, R>(index).map_err(|failure| (0, failure))?;
        self.store.data().call.counts.cancel.begin();
        self.begin(Some(limits));
        // Whatever is left of the batch can be gone on with.
        self.store.data_mut().call.whole = false;
        let mut batch = Batch { driver, ended: 0, driver_fuel: 0 };
        let result = batch.run(self, inputs, outputs);
        let call = &mut self.store.data_mut().call;
        call.meter.forgive(batch.driver_fuel);
        call.pace.forgive(batch.driver_fuel);
        let us = self.end_outlined();
        let begun = batch.ended + usize::from(result.is_err());
        book(self.counts(), us, begun as u64);
        match result {
            Ok(()) => {
                self.midway = false;
                Ok(())
            }
            Err(failure) => {
                self.count_stop(&failure);
                self.store.data_mut().caught.resume();
                Err((batch.ended, failure))
            }
        }
    }

    /// The driver of an exported function, made by the first batch.
    fn driver<P: Params, R: Results>(&mut self, index: usize) -> Result<Driver, Failure> {
        let mut made = self.drivers.iter().flat_map(|drivers| &drivers.made);
        match made.find(|driver| driver.index == index) {
            Some(driver) => Ok(*driver),
            None => self.make_driver(index, driver_type::<P, R>()),
        }
    }

    #[cold]
    #[inline(never)]
    fn make_driver(&mut self, index: usize, ty: DriverType) -> Result<Driver, Failure> {
        let module = self.code().driver(ty)?;
        let function = *self.functions.get(index).ok_or_else(no_such_export)?;
        let store = &mut self.store;
        let layout = ty.layout();
        let heap = INSTANCE_HEAP + layout.memory_bytes();
        let paid = Paid::take(&store.data().context.account, Resource::HeapBytes, heap)?;
        let drivers = self.drivers.get_or_insert_default();
        // Paid for even if it fails: the store keeps what was made of it.
        drivers._paid.push(paid);
        store.data_mut().limiter.is_own = true;
        let instance = Instance::new(&mut *store, &module, &[Extern::Func(function)]);
        store.data_mut().limiter.is_own = false;
        let instance = instance.map_err(|error| Failure::from(&error))?;
        let run = instance.get_typed_func(&*store, driver::RUN);
        let memory = instance.get_memory(&*store, driver::MEMORY);
        let at = instance.get_global(&*store, driver::AT);
        match (run, memory, at) {
            (Ok(run), Some(memory), Some(at)) => {
                let driver = Driver { index, run, memory, at, layout };
                drivers.made.push(driver);
                Ok(driver)
            }
            _ => Err(no_such_export()),
        }
    }
}

impl<H: Host> Code<H> {
    /// The driver of the functions of one type, which is compiled for the first.
    fn driver(&self, ty: DriverType) -> Result<Module, Failure> {
        let Compiled { engine, drivers, .. }: &Compiled = &self.compiled;
        let mut kept = drivers.lock();
        let kept = kept.get_or_insert_with(|| Box::new(Modules::new()));
        let modules = kept.downcast_mut::<Modules>().ok_or_else(no_such_export)?;
        if let Some((_, module)) = modules.iter().find(|(known, _)| *known == ty) {
            return Ok(module.clone());
        }
        self.compiled.paid().driver(MODULE_HEAP)?;
        let module = Module::new(engine, ty.wasm()).map_err(|error| Failure::from(&error))?;
        modules.push((ty, module.clone()));
        Ok(module)
    }
}

/// The drivers that were compiled, by the type of what they call.
type Modules = Vec<(DriverType, Module)>;

fn driver_type<P: Params, R: Results>() -> DriverType {
    DriverType { params: P::TYPES, results: R::TYPES }
}

/// Counts the calls of a batch that took `us`.
fn book(counts: &SlotCounts, us: u64, calls: u64) {
    counts.cancel.end();
    counts.latencies.add_all(us.div_ceil(calls.max(1)), calls);
}

/// How far a batch came.
struct Batch {
    driver: Driver,
    /// How many items have ended.
    ended: usize,
    /// What the driver itself was charged, which is not the plugin's.
    driver_fuel: u64,
}

impl Batch {
    fn run<H: Host, P: Params, R: Results>(
        &mut self,
        sandbox: &mut Sandbox<H>,
        inputs: &[P],
        outputs: &mut [R],
    ) -> Result<(), Failure> {
        let Driver { memory, layout, .. } = self.driver;
        let (inputs, outputs) = (inputs.chunks(layout.items), outputs.chunks_mut(layout.items));
        for (inputs, outputs) in inputs.zip(outputs) {
            let result = self.enter(sandbox, inputs);
            let ended = match result {
                Ok(()) => inputs.len(),
                Err(_) => self.ended_of_entry(sandbox),
            };
            let items = memory.data(&sandbox.store).chunks_exact(layout.item_bytes);
            for (output, item) in outputs.iter_mut().take(ended).zip(items) {
                *output = R::load(item.get(P::BYTES..).unwrap_or_default());
            }
            let begun = ended + usize::from(result.is_err());
            self.ended += ended;
            self.driver_fuel = self.driver_fuel.saturating_add(layout.fuel(begun));
            result?;
        }
        Ok(())
    }

    /// Makes the calls of one entry.
    fn enter<H: Host, P: Params>(
        &self,
        sandbox: &mut Sandbox<H>,
        inputs: &[P],
    ) -> Result<(), Failure> {
        let Driver { run, memory, at, layout, .. } = self.driver;
        let store = &mut sandbox.store;
        // An entry may be stopped before its first item.
        at.set(&mut *store, Val::I32(0)).map_err(|_| no_such_export())?;
        store.data_mut().call.meter.allow(layout.fuel(inputs.len()));
        let items = memory.data_mut(&mut *store).chunks_exact_mut(layout.item_bytes);
        for (input, item) in inputs.iter().zip(items) {
            input.store(item);
        }
        // At most the size of the memory.
        let end = i32::try_from(inputs.len() * layout.item_bytes).unwrap_or(i32::MAX);
        run_typed(store, run, end)
    }

    /// How many items of an entry that failed have ended.
    fn ended_of_entry<H: Host>(&self, sandbox: &Sandbox<H>) -> usize {
        let at = self.driver.at.get(&sandbox.store).i32().unwrap_or(0);
        usize::try_from(at).unwrap_or(0) / self.driver.layout.item_bytes
    }
}
