//! The heap of one idle tenant with 2 KiB of memory, after its first call: part by part, to the byte.
//!
//! Printed by `cargo test --test allocations small_tenant -- --nocapture`.

use crate::{heap::kept_bytes, support::fixture};
use wasm_runtime::{
    AuditLevel, ModuleLimits, PluginFunction, WasmInstanceConfig, WasmPluginRegistry,
};

/// The most that all of it may be. The interpreter takes the greater part, in blocks of sizes that it chooses.
const MAX_BYTES: i64 = if cfg!(debug_assertions) { 21_299 } else { 21_243 };
/// What of it is the library's and the configuration's.
#[cfg(debug_assertions)]
const MAX_OWN_BYTES: usize = 2_968;

/// One sandbox, and a stack as small as the plugin allows.
fn config() -> WasmInstanceConfig {
    WasmInstanceConfig {
        max_instances: 1,
        settings: vec![("rate".into(), "10".into()), ("burst".into(), "20".into())],
        limits: ModuleLimits {
            min_stack_bytes: 256,
            max_stack_bytes: 4_096,
            max_recursion_depth: 64,
            ..ModuleLimits::default()
        },
        ..WasmInstanceConfig::default()
    }
}

fn load_and_call(registry: &WasmPluginRegistry, name: &str) {
    registry.load(name, &fixture("rate_limiter"), config()).unwrap();
    let plugin = registry.get(name).unwrap();
    let allow: PluginFunction<(i32, i32), i32> = plugin.function("allow").unwrap();
    assert_eq!(allow.call((1, 0)).unwrap(), 1);
}

/// A registry with two plugins and, in its own tables, places for two more.
fn registry() -> WasmPluginRegistry {
    let registry = WasmPluginRegistry::builder().audit(AuditLevel::Off).build().unwrap();
    ["tenant 1", "tenant 2"].into_iter().for_each(|name| load_and_call(&registry, name));
    registry
}

#[test]
fn an_idle_tenant_of_two_kibibytes_takes_no_more_than_it_is_said_to() {
    let registry = registry();
    let (bytes, ()) = kept_bytes(|| load_and_call(&registry, "tenant 3"));
    println!("an idle tenant with 2,048 bytes of memory: {bytes} bytes");
    assert!((1..=MAX_BYTES).contains(&bytes), "{bytes} bytes");
    let (returned, ()) = kept_bytes(|| registry.unload("tenant 3").unwrap());
    // The account of the tenant is there already, and the places in the registry stay.
    assert_eq!(returned, -bytes);
}

#[test]
fn a_hundred_small_tenants_take_a_hundred_times_as_much_as_one() {
    const TENANTS: i64 = 100;
    let registry = registry();
    let (one, ()) = kept_bytes(|| load_and_call(&registry, "tenant 100"));
    let load = |n| load_and_call(&registry, &format!("tenant {n}"));
    let (all, ()) = kept_bytes(|| (101..=100 + TENANTS).for_each(load));
    println!("{TENANTS} idle tenants: {} bytes each", all / TENANTS);
    // Two vectors, up to twice as long as they have to be.
    assert!(all <= TENANTS * (one + 2 * 48), "{all} bytes");
}

/// Parts are told apart by the functions that ask for the blocks, which only a build without optimisation names.
#[cfg(debug_assertions)]
mod parts {
    use super::{MAX_OWN_BYTES, kept_bytes, load_and_call, registry};
    use crate::heap::{WATCH, Watch};
    use std::{backtrace::Backtrace, cell::RefCell, collections::BTreeMap};

    /// What a part is for.
    #[derive(PartialEq, Clone, Copy)]
    enum Of {
        Plugin,
        Code,
        Sandbox,
    }

    /// A part of the heap of a plugin.
    struct Part {
        name: &'static str,
        of: Of,
        /// Whether it is the library's, and not the interpreter's.
        own: bool,
        max: usize,
        /// One of these functions asks for its blocks, or calls who does.
        sites: &'static [&'static str],
    }

    impl Part {
        const fn own(
            name: &'static str,
            of: Of,
            max: usize,
            sites: &'static [&'static str],
        ) -> Self {
            Self { name, of, own: true, max, sites }
        }

        const fn wasmi(
            name: &'static str,
            of: Of,
            max: usize,
            sites: &'static [&'static str],
        ) -> Self {
            Self { name, of, own: false, max, sites }
        }
    }

    /// A block is of the first part of which a function is on its stack.
    const PARTS: &[Part] = &[
        Part::wasmi("linear memory", Of::Sandbox, 2_048, &["ByteBuffer::new"]),
        Part::wasmi("32 places for memories", Of::Sandbox, 2_048, &["StoreInner::alloc_memory"]),
        Part::wasmi("32 places for functions", Of::Sandbox, 1_280, &["StoreInner::alloc_func"]),
        Part::wasmi("32 places for data", Of::Sandbox, 512, &["StoreInner::alloc_data_segment"]),
        Part::wasmi("wrappers of 3 host functions", Of::Sandbox, 232, &["Func::wrap"]),
        Part::wasmi("instance, exports", Of::Sandbox, 627, &["wasmi::instance::Instance::new"]),
        Part::wasmi("stack", Of::Sandbox, 832, &["executor::handler::state", "EngineStacks"]),
        Part::own("call, limiter", Of::Sandbox, 632, &["TypedStoreInner"]),
        Part::own("slot, counts", Of::Plugin, 744, &["pool::Pool", "SlotCounts"]),
        Part::own("functions, one resolved", Of::Sandbox, 32, &["resolve_anew", "::instantiate"]),
        Part::wasmi("sandbox, of which 120 own", Of::Sandbox, 1_808, &["::refill"]),
        Part::wasmi("translated code", Of::Code, 2_080, &["CompiledFuncEntry::new"]),
        Part::wasmi("32 places for code", Of::Code, 2_048, &["FuncsBucket::new"]),
        Part::wasmi("4 places for what compiling needs", Of::Code, 2_336, &["recycle_"]),
        Part::wasmi("function types", Of::Code, 416, &["alloc_func_type"]),
        Part::wasmi("module", Of::Code, 1_009, &["wasmi::module::Module::new"]),
        Part::wasmi("engine", Of::Code, 1_055, &["interpreter::engine"]),
        Part::own("exports", Of::Code, 8, &["exported_functions"]),
        Part::own("imports", Of::Code, 156, &["code::link"]),
        Part::own("what it is charged for", Of::Code, 48, &["Weight::share"]),
        Part::own("configuration", Of::Plugin, 116, &["small_tenant::config"]),
        Part::own("name in the registry", Of::Plugin, 8, &["Plugins<H>::reserve"]),
        Part::own("plugin, context, version", Of::Plugin, 1_224, &["load_plugin"]),
    ];

    thread_local! {
        static BLOCKS: RefCell<BTreeMap<usize, (usize, Backtrace)>> = RefCell::default();
    }

    fn note(block: usize, size: Option<usize>) {
        BLOCKS.with_borrow_mut(|blocks| match size {
            Some(size) => drop(blocks.insert(block, (size, Backtrace::force_capture()))),
            None => drop(blocks.remove(&block)),
        });
    }

    /// Does `work` while `watch` hears of this thread's blocks.
    fn watched(watch: Watch, work: impl FnOnce()) {
        WATCH.set(Some(watch));
        work();
        WATCH.set(None);
    }

    /// The bytes of each part.
    fn measured() -> Vec<usize> {
        let registry = registry();
        let (all, ()) = kept_bytes(|| load_and_call(&registry, "tenant 3"));
        registry.unload("tenant 3").unwrap();
        watched(note, || load_and_call(&registry, "tenant 3"));
        let mut bytes = vec![0; PARTS.len()];
        for (size, stack) in BLOCKS.take().into_values() {
            let stack = stack.to_string();
            let is_of = |part: &Part| part.sites.iter().any(|site| stack.contains(site));
            let part = PARTS.iter().position(is_of);
            bytes[part.unwrap_or_else(|| panic!("{size} bytes of no part:\n{stack}"))] += size;
        }
        assert_eq!(i64::try_from(bytes.iter().sum::<usize>()), Ok(all), "all that is kept");
        bytes
    }

    #[test]
    fn no_part_of_an_idle_tenant_takes_more_than_it_is_said_to() {
        let measured = measured();
        let parts = || PARTS.iter().zip(&measured);
        let sum = |of: &dyn Fn(&Part) -> bool| -> usize {
            parts().filter(|(part, _)| of(part)).map(|(_, bytes)| bytes).sum()
        };
        for (title, of) in [("plugin", Of::Plugin), ("code", Of::Code), ("sandbox", Of::Sandbox)] {
            println!("{title:<36}{:>7}", sum(&|part| part.of == of));
            for (part, bytes) in parts().filter(|(part, _)| part.of == of) {
                println!("  {:<34}{bytes:>7}{}", part.name, if part.own { "" } else { "  wasmi" });
            }
        }
        println!("{:<36}{:>7}, of which own {}", "all", sum(&|_| true), sum(&|part| part.own));
        for (part, bytes) in parts() {
            assert!(*bytes > 0 && *bytes <= part.max, "{}: {bytes} bytes", part.name);
        }
        assert!(sum(&|part| part.own) <= MAX_OWN_BYTES);
    }
}
