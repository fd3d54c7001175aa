//! The module that calls a function of a plugin many times in one entry into the interpreter.
//!
//! It is a second instance in the plugin's store: it imports the function, and loops over a memory of its
//! own, in which item lies after item: the arguments, then room for the results. Entering the interpreter
//! costs several times what a call inside of it does.

use crate::{ValueType, ledger::Paid};
use alloc::vec::Vec;
use wasm_encoder::{
    BlockType, CodeSection, ConstExpr, EntityType, ExportKind, ExportSection, Function,
    FunctionSection, GlobalSection, GlobalType, ImportSection, Instruction, MemArg, MemorySection,
    MemoryType, Module, TypeSection, ValType,
};
use wasmi::{Global, Memory, TypedFunc};

/// The export that makes the calls: from the memory's beginning on, as far as its parameter says.
pub(super) const RUN: &str = "run";
/// The global that says where the item lies that is being called.
pub(super) const AT: &str = "at";
pub(super) const MEMORY: &str = "memory";

/// The drivers of a sandbox.
#[derive(Default)]
pub(super) struct Drivers {
    pub(super) made: Vec<Driver>,
    pub(super) _paid: Vec<Paid>,
}

/// The driver of one function of a sandbox.
#[derive(Clone, Copy)]
pub(super) struct Driver {
    /// Which of the exported functions it calls.
    pub(super) index: usize,
    pub(super) run: TypedFunc<i32, ()>,
    pub(super) memory: Memory,
    /// Where the item lies that is being called.
    pub(super) at: Global,
    pub(super) layout: Layout,
}

/// The most items of one entry.
const MAX_ITEMS: usize = 256;
/// What the memory holds at most, where more than one item is in it.
const MAX_BYTES: usize = 4096;

/// The parameters and the results of a function of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DriverType {
    pub(super) params: &'static [ValueType],
    pub(super) results: &'static [ValueType],
}

/// What is in the memory of a driver, and what it spends.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The bytes of one item. Never 0: the loop counts in them.
    pub(super) item_bytes: usize,
    /// How many items there are in one entry.
    pub(super) items: usize,
    /// What an entry costs besides what it calls: for itself, and for each item.
    pub(super) entry_fuel: u64,
    pub(super) item_fuel: u64,
}

impl Layout {
    /// What the memory holds.
    pub(super) const fn memory_bytes(self) -> usize {
        self.items * self.item_bytes
    }

    /// What an entry of so many items costs.
    pub(super) const fn fuel(self, items: usize) -> u64 {
        self.entry_fuel + self.item_fuel * items as u64
    }
}

impl DriverType {
    pub(super) fn layout(self) -> Layout {
        let item_bytes = self.item_bytes();
        let mut body = Vec::new();
        self.item(&mut body);
        Layout {
            item_bytes,
            items: (MAX_BYTES / item_bytes).clamp(1, MAX_ITEMS),
            entry_fuel: ENTRY_FUEL,
            item_fuel: LOOP_FUEL + body.len() as u64,
        }
    }

    fn item_bytes(self) -> usize {
        let values = self.params.iter().chain(self.results);
        values.map(|ty| size(*ty)).sum::<usize>().max(1)
    }

    /// The module.
    pub(super) fn wasm(self) -> Vec<u8> {
        let of = |types: &[ValueType]| types.iter().copied().map(wasm_type).collect::<Vec<_>>();
        let (mut types, mut imports) = (TypeSection::new(), ImportSection::new());
        types.ty().function(of(self.params), of(self.results));
        types.ty().function([ValType::I32], []);
        imports.import("", "", EntityType::Function(0));
        let (mut functions, mut memories) = (FunctionSection::new(), MemorySection::new());
        functions.function(1);
        let bytes = self.layout().memory_bytes() as u64;
        memories.memory(MemoryType {
            minimum: bytes,
            maximum: Some(bytes),
            memory64: false,
            shared: false,
            page_size_log2: Some(0),
        });
        let (mut globals, mut exports) = (GlobalSection::new(), ExportSection::new());
        let at = GlobalType { val_type: ValType::I32, mutable: true, shared: false };
        globals.global(at, &ConstExpr::i32_const(0));
        exports.export(RUN, ExportKind::Func, 1);
        exports.export(AT, ExportKind::Global, 0);
        exports.export(MEMORY, ExportKind::Memory, 0);
        let mut code = CodeSection::new();
        code.function(&self.run());
        let mut module = Module::new();
        module.section(&types).section(&imports).section(&functions).section(&memories);
        module.section(&globals).section(&exports).section(&code);
        module.finish()
    }

    fn run(self) -> Function {
        let results = self.results.iter().map(|ty| wasm_type(*ty));
        let mut run =
            Function::new_with_locals_types(core::iter::once(ValType::I32).chain(results));
        run.instruction(&Instruction::Loop(BlockType::Empty));
        let mut body = Vec::new();
        self.item(&mut body);
        for instruction in &body {
            run.instruction(instruction);
        }
        run.instruction(&Instruction::End);
        run.instruction(&Instruction::End);
        run
    }

    /// The call of one item, and the step to the next.
    fn item(self, body: &mut Vec<Instruction<'static>>) {
        body.extend([Instruction::LocalGet(ITEM), Instruction::GlobalSet(0)]);
        let mut at = 0;
        // A result goes to where its address lies already, if there is but one.
        let is_single = self.results.len() == 1;
        if is_single {
            body.push(Instruction::LocalGet(ITEM));
        }
        for ty in self.params {
            body.extend([Instruction::LocalGet(ITEM), load(*ty, at)]);
            at += size(*ty) as u64;
        }
        body.push(Instruction::Call(0));
        match self.results {
            [ty] => body.push(store(*ty, at)),
            results => {
                let locals = || RESULTS..RESULTS + results.len() as u32;
                body.extend(locals().rev().map(Instruction::LocalSet));
                for (ty, local) in results.iter().zip(locals()) {
                    let value = Instruction::LocalGet(local);
                    body.extend([Instruction::LocalGet(ITEM), value, store(*ty, at)]);
                    at += size(*ty) as u64;
                }
            }
        }
        body.extend([
            Instruction::LocalGet(ITEM),
            Instruction::I32Const(i32::try_from(self.item_bytes()).unwrap_or(i32::MAX)),
            Instruction::I32Add,
            Instruction::LocalTee(ITEM),
            Instruction::LocalGet(END),
            Instruction::I32LtU,
            Instruction::BrIf(0),
        ]);
    }
}

/// The parameter: where the last item ends.
const END: u32 = 0;
/// Where the item lies that is being called.
const ITEM: u32 = 1;
/// The first of several results.
const RESULTS: u32 = 2;

/// What is charged when an entry begins.
const ENTRY_FUEL: u64 = 1;

/// What is charged when the loop begins anew, besides 1 for each instruction in it.
const LOOP_FUEL: u64 = 1;

fn size(ty: ValueType) -> usize {
    match ty {
        ValueType::I32 | ValueType::F32 => 4,
        _ => 8,
    }
}

fn wasm_type(ty: ValueType) -> ValType {
    match ty {
        ValueType::I32 => ValType::I32,
        ValueType::F32 => ValType::F32,
        ValueType::F64 => ValType::F64,
        _ => ValType::I64,
    }
}

fn at(offset: u64) -> MemArg {
    MemArg { offset, align: 0, memory_index: 0 }
}

fn load(ty: ValueType, offset: u64) -> Instruction<'static> {
    match ty {
        ValueType::I32 => Instruction::I32Load(at(offset)),
        ValueType::F32 => Instruction::F32Load(at(offset)),
        ValueType::F64 => Instruction::F64Load(at(offset)),
        _ => Instruction::I64Load(at(offset)),
    }
}

fn store(ty: ValueType, offset: u64) -> Instruction<'static> {
    match ty {
        ValueType::I32 => Instruction::I32Store(at(offset)),
        ValueType::F32 => Instruction::F32Store(at(offset)),
        ValueType::F64 => Instruction::F64Store(at(offset)),
        _ => Instruction::I64Store(at(offset)),
    }
}
