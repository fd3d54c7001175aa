//! What a module, its sandboxes and their stacks take of the heap at most, and the account that pays
//! for it.
//!
//! The figures are upper bounds, measured with an allocator that counts (`tests/fallible/estimates.rs`
//! holds them against wasmi). They are those of 64 bits; on 32 bits less is taken. A vector that grows is
//! up to twice as long as what is in it, and lies next to its predecessor while it moves: hence most of
//! the factors.

use super::shape::Shape;
use crate::{
    Error, WasmInstanceConfig,
    ledger::{Account, Reached, Resource},
    report,
    sync::{Arc, Mutex},
};
use alloc::boxed::Box;
use wasmparser::{BlockType, DataSectionReader, Operator, Payload};

/// Heap of an element of a table.
pub(super) const TABLE_ELEMENT_BYTES: usize = 4;

/// An engine, a plugin and what it is told apart by.
const BASE: usize = 12 << 10;
/// A place for a sandbox, and for each host function in it.
const SLOT: usize = 768;
const SLOT_FUNCTION: usize = 32;
/// A sandbox without anything in it, with 64 references and a call that pauses.
const SANDBOX: usize = 14 << 10;
/// A frame of the guest's stack of calls, where its vector grows.
const CALL_FRAME: usize = 3 * 32;

/// What is counted in a section: bytes of heap for each item and for each byte of it, in the code and in
/// a sandbox, and for each item besides the code, which may be shared.
#[derive(Clone, Copy)]
struct Section {
    item: usize,
    byte: usize,
    plugin_item: usize,
    sandbox_item: usize,
    sandbox_byte: usize,
}

impl Section {
    const TYPES: Self = Self::of([400, 24, 0, 0]);
    const IMPORTS: Self = Self { plugin_item: 112, ..Self::of([400, 6, 280, 0]) };
    const FUNCTIONS: Self = Self::of([240, 0, 200, 0]);
    const TABLES: Self = Self::of([200, 48, 200, 0]);
    const MEMORIES: Self = Self::of([200, 0, 200, 0]);
    // An initial value may be any number of operators, of which each is boxed.
    const GLOBALS: Self = Self::of([150, 48, 140, 0]);
    const EXPORTS: Self = Self::of([600, 6, 180, 1]);
    const ELEMENTS: Self = Self::of([240, 48, 160, 4]);
    const DATA: Self = Self::of([120, 48, 180, 0]);

    const fn of([item, byte, sandbox_item, sandbox_byte]: [usize; 4]) -> Self {
        Self { item, byte, plugin_item: 0, sandbox_item, sandbox_byte }
    }
}

/// What is taken of the heap for something, as long as that is there.
#[derive(Debug)]
struct Charge {
    account: Arc<Account>,
    bytes: usize,
}

impl Charge {
    const fn new(account: Arc<Account>) -> Self {
        Self { account, bytes: 0 }
    }

    fn add(&mut self, bytes: usize) -> Result<(), Error> {
        let taken = self.account.try_take(Resource::HeapBytes, bytes);
        taken.map_err(|reached| report::over_quota(&reached))?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.account.give(Resource::HeapBytes, self.bytes);
    }
}

/// What a module takes of the heap, charged piece by piece while it is read.
#[derive(Debug)]
pub(super) struct Weight {
    /// What is the plugin's alone.
    own: Charge,
    /// What belongs to its code; nothing if that is there and paid for.
    code: Option<Charge>,
    largest_body: usize,
    sandbox: usize,
    stack: usize,
}

/// What a plugin pays for, and for each of its sandboxes.
#[derive(Debug)]
pub(super) struct Paying {
    own: Charge,
    sandbox: usize,
    code: Arc<PaidCode>,
}

/// A plugin that is paid for.
pub(super) type Shared = Arc<Paying>;
/// Code that is paid for.
pub(super) type Paid = Arc<PaidCode>;

/// Code that is paid for, and the stacks of its engine.
#[derive(Debug)]
pub(super) struct PaidCode {
    charge: Charge,
    stack: usize,
    stacks: Mutex<Stacks>,
}

/// How many sandboxes there are, and how many stacks are paid for. An engine keeps the stack of a
/// sandbox that went for the next.
#[derive(Debug, Default)]
struct Stacks {
    in_use: usize,
    paid: usize,
    /// What was paid for drivers.
    drivers: usize,
}

impl Weight {
    /// Pays for a plugin with `functions` host functions in its table, whose code `payer` is to pay for.
    pub(super) fn new(
        account: &Arc<Account>,
        payer: Option<&Arc<Account>>,
        config: &WasmInstanceConfig,
        functions: usize,
    ) -> Result<Self, Error> {
        let limits = &config.limits;
        let frames = limits.max_recursion_depth.saturating_mul(CALL_FRAME);
        let mut own = Charge::new(Arc::clone(account));
        let slot = functions.saturating_mul(SLOT_FUNCTION).saturating_add(SLOT);
        let slots = usize::try_from(config.max_instances).unwrap_or(usize::MAX);
        own.add(slots.saturating_mul(slot).saturating_add(BASE))?;
        Ok(Self {
            own,
            code: payer.map(|payer| Charge::new(Arc::clone(payer))),
            largest_body: 0,
            sandbox: SANDBOX,
            stack: limits.max_stack_bytes.saturating_mul(2).saturating_add(frames),
        })
    }

    /// For the code to have, with what was paid for it.
    pub(super) fn pay_for_code(&mut self) -> Paid {
        let charge = self.code.take().unwrap_or_else(|| Charge::new(Arc::clone(&self.own.account)));
        Arc::new(PaidCode { charge, stack: self.stack, stacks: Mutex::default() })
    }

    /// For the plugin to have, with its sandboxes and its code.
    pub(super) fn share(self, code: Paid) -> Shared {
        let Self { own, sandbox, .. } = self;
        Arc::new(Paying { own, sandbox, code })
    }

    /// Pays for `bytes` more of code.
    fn add(&mut self, bytes: usize) -> Result<(), Error> {
        self.code.as_mut().map_or(Ok(()), |code| code.add(bytes))
    }

    /// Pays for a section, before it is read.
    pub(super) fn pay(&mut self, payload: &Payload<'_>) -> Result<(), Error> {
        use Payload as P;
        let (section, items, range) = match payload {
            P::TypeSection(types) => (Section::TYPES, types.count(), types.range()),
            P::ImportSection(imports) => (Section::IMPORTS, imports.count(), imports.range()),
            P::FunctionSection(functions) => {
                (Section::FUNCTIONS, functions.count(), functions.range())
            }
            P::TableSection(tables) => (Section::TABLES, tables.count(), tables.range()),
            P::MemorySection(memories) => (Section::MEMORIES, memories.count(), memories.range()),
            P::GlobalSection(globals) => (Section::GLOBALS, globals.count(), globals.range()),
            P::ExportSection(exports) => (Section::EXPORTS, exports.count(), exports.range()),
            P::ElementSection(elements) => (Section::ELEMENTS, elements.count(), elements.range()),
            P::DataSection(data) => return self.data(data.clone()),
            _ => return Ok(()),
        };
        self.section(section, items, range.len())
    }

    fn section(&mut self, section: Section, items: u32, bytes: usize) -> Result<(), Error> {
        // An item has a byte at least, whatever the section claims.
        let items = (items as usize).min(bytes);
        let sum = |item: usize, byte: usize| {
            items.saturating_mul(item).saturating_add(bytes.saturating_mul(byte))
        };
        let in_sandbox = sum(section.sandbox_item, section.sandbox_byte);
        self.sandbox = self.sandbox.saturating_add(in_sandbox);
        self.own.add(sum(section.plugin_item, 0))?;
        self.add(sum(section.item, section.byte))
    }

    /// Pays for data, and for where it goes. What cannot be read is left for the compiler to refuse.
    fn data(&mut self, section: DataSectionReader<'_>) -> Result<(), Error> {
        let (items, range) = (section.count(), section.range());
        let segments = section.into_iter().flatten();
        let data = segments.map(|segment| segment.data.len()).sum();
        let bytes = range.len().saturating_sub(data);
        self.section(Section::DATA, items, bytes)?;
        self.add(data.saturating_mul(3))
    }

    /// Pays for names that are kept.
    pub(super) fn names(&mut self, bytes: usize) -> Result<(), Error> {
        self.add(bytes)
    }

    /// Has every sandbox pay for an answer of so many bytes, which it keeps.
    pub(super) fn answer(&mut self, bytes: u32) {
        self.sandbox = self.sandbox.saturating_add(bytes as usize);
    }

    /// Pays for a function of so many bytes. Its operators stay translated; what translates it is kept
    /// for the next, so the largest of all counts.
    pub(super) fn body(&mut self, body: &Body, bytes: usize) -> Result<(), Error> {
        let largest = body.code.saturating_add(body.scratch).saturating_mul(3);
        let more = largest.saturating_sub(self.largest_body);
        self.largest_body = self.largest_body.max(largest);
        // Lazy compilation keeps the bytes too.
        self.add(body.code.saturating_add(more).saturating_add(bytes))
    }

    /// Pays for a module of so many bytes to be put together anew.
    pub(super) fn rewrite(&mut self, bytes: usize) -> Result<(), Error> {
        self.add(bytes.saturating_mul(6))
    }
}

impl Paying {
    /// Pays for a sandbox, and for a stack if there is none left from another.
    pub(super) fn enter(&self) -> Result<(), Box<Reached>> {
        let account = &self.own.account;
        account.try_take(Resource::HeapBytes, self.sandbox)?;
        self.code.enter().inspect_err(|_| account.give(Resource::HeapBytes, self.sandbox))
    }

    /// What a sandbox takes, but for its stack, its memories and its tables.
    pub(super) const fn sandbox(&self) -> usize {
        self.sandbox
    }

    /// Gives back what a sandbox took, but for its stack.
    pub(super) fn leave(&self) {
        self.code.stacks.lock().in_use -= 1;
        self.own.account.give(Resource::HeapBytes, self.sandbox);
    }
}

impl PaidCode {
    fn enter(&self) -> Result<(), Box<Reached>> {
        let mut stacks = self.stacks.lock();
        if stacks.in_use >= stacks.paid {
            self.charge.account.try_take(Resource::HeapBytes, self.stack)?;
            stacks.paid = stacks.in_use + 1;
        }
        stacks.in_use += 1;
        Ok(())
    }

    /// Pays for the code of a driver.
    pub(super) fn driver(&self, bytes: usize) -> Result<(), Box<Reached>> {
        self.charge.account.try_take(Resource::HeapBytes, bytes)?;
        self.stacks.lock().drivers += bytes;
        Ok(())
    }
}

impl Drop for PaidCode {
    fn drop(&mut self) {
        let Stacks { paid, drivers, .. } = *self.stacks.lock();
        let bytes = paid.saturating_mul(self.stack).saturating_add(drivers);
        self.charge.account.give(Resource::HeapBytes, bytes);
    }
}

/// An operator's code, with what moves its result out of a register.
const OPERATOR: usize = 40;
/// The code that copies a value.
const COPY: usize = 24;
/// The code that charges fuel, or returns.
const FUEL: usize = 24;
/// Code around a branch: the branch, one over it, and the fuel of what follows.
const BRANCH: usize = 56;
/// Code of one target among many.
const TARGET: usize = 16;
/// What a value on the stack takes while it is translated.
const SCRATCH_VALUE: usize = 48;
/// A block that is open, and its label.
const SCRATCH_BLOCK: usize = 104;
/// A branch whose target is not reached yet.
const SCRATCH_TARGET: usize = 56;
const SCRATCH_LOCAL: usize = 32;

/// What a function takes of the heap, counted operator by operator.
#[derive(Default)]
pub(super) struct Body {
    code: usize,
    scratch: usize,
    /// The most values that a branch or a block may move, as far as is known.
    values: usize,
}

impl Body {
    pub(super) fn new(results: usize, locals: u64) -> Self {
        let locals = usize::try_from(locals).unwrap_or(usize::MAX);
        Self {
            code: OPERATOR.saturating_add(BRANCH),
            scratch: locals.saturating_mul(SCRATCH_LOCAL).saturating_add(SCRATCH_BLOCK),
            values: results,
        }
    }

    pub(super) fn operator(&mut self, operator: &Operator<'_>, shape: &Shape) {
        let (code, scratch) = match operator {
            Operator::Nop | Operator::Drop => (0, 0),
            Operator::LocalGet { .. }
            | Operator::I32Const { .. }
            | Operator::I64Const { .. }
            | Operator::F32Const { .. }
            | Operator::F64Const { .. }
            | Operator::RefNull { .. } => (COPY, SCRATCH_VALUE),
            Operator::Block { blockty } | Operator::Loop { blockty } => {
                self.widen(*blockty, shape);
                (FUEL + self.moves(), SCRATCH_BLOCK + SCRATCH_VALUE * self.values)
            }
            // Its parameters are kept for its `else`.
            Operator::If { blockty } => {
                self.widen(*blockty, shape);
                (self.branch(), SCRATCH_BLOCK + 2 * SCRATCH_VALUE * self.values)
            }
            Operator::BrTable { targets } => {
                let targets = targets.len() as usize + 1;
                (self.branch() + targets * TARGET, targets * SCRATCH_TARGET)
            }
            Operator::End | Operator::Return => (FUEL + self.moves(), 0),
            Operator::Else => (self.branch(), 0),
            Operator::Br { .. } | Operator::BrIf { .. } => (self.branch(), SCRATCH_TARGET),
            Operator::Call { function_index } => {
                (OPERATOR, SCRATCH_VALUE * shape.results(shape.type_of(*function_index)))
            }
            Operator::CallIndirect { type_index, .. } => {
                (OPERATOR, SCRATCH_VALUE * shape.results(Some(*type_index)))
            }
            Operator::GlobalGet { .. }
            | Operator::MemorySize { .. }
            | Operator::TableSize { .. }
            | Operator::RefFunc { .. } => (OPERATOR, SCRATCH_VALUE),
            #[cfg(feature = "simd")]
            Operator::V128Const { .. } => (OPERATOR, SCRATCH_VALUE),
            _ => (OPERATOR, 0),
        };
        self.code = self.code.saturating_add(code);
        self.scratch = self.scratch.saturating_add(scratch);
    }

    /// Takes in how many values a block takes and gives.
    fn widen(&mut self, block: BlockType, shape: &Shape) {
        let values = match block {
            BlockType::Empty => 0,
            BlockType::Type(_) => 1,
            BlockType::FuncType(index) => shape
                .type_at(index)
                .map_or(0, |signature| signature.params.len().max(signature.results.len())),
        };
        self.values = self.values.max(values);
    }

    fn branch(&self) -> usize {
        BRANCH + self.moves()
    }

    /// The code that moves what a branch or a block takes or gives.
    fn moves(&self) -> usize {
        COPY * self.values
    }
}

/// The heap that all memories of a sandbox take, or all its tables: vectors, of which each that has grown
/// may be twice as long as it has to be.
#[derive(Debug, Default)]
pub(super) struct Share {
    bytes: usize,
}

impl Share {
    /// What a growth by `added`, to `total` bytes of all, adds to it.
    pub(super) fn needs(&self, added: usize, total: usize, is_first: bool) -> usize {
        match (added, is_first) {
            (0, _) => 0,
            (_, true) => added,
            (_, false) => total.saturating_mul(2).saturating_sub(self.bytes),
        }
    }

    pub(super) fn grow(&mut self, needs: usize) {
        self.bytes = self.bytes.saturating_add(needs);
    }

    /// Takes back what the last growth has added.
    pub(super) fn shrink(&mut self, needs: usize) {
        self.bytes = self.bytes.saturating_sub(needs);
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }
}
