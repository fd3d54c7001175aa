//! Random sequences of all that happens to plugins in their lives, against a plain model: loads, calls,
//! traps, leases, quarantines, revivals, reloads with and without state, rollbacks, quotas, unloads.
//!
//! `SEQUENCES` says how many: 300 by default; `test.sh` checks 100,000.

use crate::support::{StepClock, all_granted, config, wat};
use proptest::prelude::*;
use std::sync::LazyLock;
use wasm_runtime::{
    EmbeddedHost, Error, ErrorKind, PluginLease, QuarantinePolicy, ReloadOptions, StateHandover,
    TenantQuota, WasmInstanceConfig, WasmPluginRegistry,
};

const PLUGINS: usize = 4;
const TENANTS: usize = 2;
const PAGE: u64 = 1 << 16;
/// Pages of all tenants together.
const CEILING: u64 = 9;

/// A module: how many pages it has, whether its state can be handed over, and whether it starts.
struct Module {
    wasm: Vec<u8>,
    pages: u64,
    hands_over: bool,
    starts: bool,
}

static MODULES: LazyLock<[Module; 5]> = LazyLock::new(|| {
    let module = |at: usize, pages: u64, hands_over: bool, starts: bool| {
        let handover = r#"
            (func (export "soch_save") (param i32 i32) (result i64)
                (i32.store (i32.const 16) (global.get $count))
                (i64.const 0x10_00000004))
            (func (export "soch_restore") (param i32 i32) (result i64)
                (global.set $count (i32.load (local.get 0)))
                (i64.const 0))"#;
        let start = "(func $start (unreachable)) (start $start)";
        let wasm = wat(&format!(
            r#"(module
                (memory (export "memory") {pages})
                (global $count (mut i32) (i32.const 0))
                (func (export "soch_alloc") (param i32) (result i32) (i32.const 1024))
                (func (export "count") (result i32)
                    (global.set $count (i32.add (global.get $count) (i32.const 1)))
                    (i32.add (global.get $count) (i32.const {})))
                (func (export "trap") (result i32) (unreachable))
                (func (export "spin") (result i32) (loop (br 0)) (i32.const 0))
                {} {})"#,
            1_000 * at,
            if hands_over { handover } else { "" },
            if starts { "" } else { start },
        ));
        Module { wasm, pages, hands_over, starts }
    };
    [
        module(0, 1, true, true),
        module(1, 1, false, true),
        module(2, 2, true, true),
        module(3, 3, true, true),
        module(4, 1, true, false),
    ]
});

/// A sandbox: of which module, in which version, and how far it has counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sandbox {
    module: usize,
    version: usize,
    count: i32,
    /// Whether it trapped, and is there only because a lease has it.
    is_dead: bool,
}

/// What quarantine there is: which in a row, and until when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Open {
    round: u32,
    until_us: u64,
}

/// What the model says of a plugin that is loaded.
struct Plugin {
    module: usize,
    version: usize,
    previous: Option<(usize, Option<i32>)>,
    /// In its slot, or in the lease that has the slot.
    sandbox: Option<Sandbox>,
    lease: Option<PluginLease<'static, EmbeddedHost>>,
    failures: u32,
    open: Option<Open>,
}

/// What a call does.
#[derive(Debug, Clone, Copy)]
enum What {
    Count,
    Trap,
    Spin,
}

impl What {
    const fn function(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Trap => "trap",
            Self::Spin => "spin",
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Load(usize, usize),
    Call(usize, What),
    Lease(usize),
    CallInLease(usize, What),
    DropLease(usize),
    Revive(usize),
    Reload(usize, usize, bool),
    Rollback(usize),
    Unload(usize),
    Quota(usize, u64, u64, u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let at = || 0..PLUGINS;
    let what = || prop_oneof![3 => Just(What::Count), 2 => Just(What::Trap), 1 => Just(What::Spin)];
    prop_oneof![
        3 => (at(), 0_usize..5).prop_map(|(at, module)| Step::Load(at, module)),
        8 => (at(), what()).prop_map(|(at, what)| Step::Call(at, what)),
        2 => at().prop_map(Step::Lease),
        2 => (at(), what()).prop_map(|(at, what)| Step::CallInLease(at, what)),
        2 => at().prop_map(Step::DropLease),
        1 => at().prop_map(Step::Revive),
        5 => (at(), 0_usize..5, any::<bool>()).prop_map(|(a, m, keeps)| Step::Reload(a, m, keeps)),
        2 => at().prop_map(Step::Rollback),
        1 => at().prop_map(Step::Unload),
        2 => (0..TENANTS, 0_u64..4, 0_u64..4, 0_u64..8).prop_map(|(t, p, s, m)| Step::Quota(t, p, s, m)),
        2 => (0_u64..3_000).prop_map(Step::Wait),
    ]
}

struct World {
    registry: WasmPluginRegistry,
    clock: StepClock,
    now_us: u64,
    plugins: [Option<Plugin>; PLUGINS],
    /// Plugins, sandboxes and pages of each tenant at most.
    quotas: [[u64; 3]; TENANTS],
}

type Verdict = Result<i32, ErrorKind>;

fn kind(result: Result<i32, Error>) -> Verdict {
    result.map_err(|error| error.kind())
}

impl World {
    fn new() -> Self {
        let clock = StepClock::default();
        let quota = TenantQuota { max_memory_bytes: CEILING * PAGE, ..TenantQuota::default() };
        let registry =
            WasmPluginRegistry::builder().clock(clock.clone()).quota(quota).build().unwrap();
        let quotas = [[u64::MAX, u64::MAX, u64::MAX >> 16]; TENANTS];
        Self { registry, clock, now_us: 0, plugins: Default::default(), quotas }
    }

    fn config(at: usize) -> WasmInstanceConfig {
        let mut capabilities = all_granted();
        capabilities.fuel_limit = 2_000;
        WasmInstanceConfig {
            tenant: (at % TENANTS).to_string(),
            max_instances: 1,
            quarantine: Some(QuarantinePolicy::after(2).backoff_ms(1, 4)),
            ..config(capabilities)
        }
    }

    /// Plugins, sandboxes and pages that a tenant holds.
    fn held(&self, tenant: usize) -> [u64; 3] {
        let plugins = self.plugins.iter().skip(tenant).step_by(TENANTS).flatten();
        plugins.fold([0; 3], |[plugins, sandboxes, pages], plugin| {
            let sandbox = plugin.sandbox.map(|sandbox| MODULES[sandbox.module].pages);
            let is_there = u64::from(sandbox.is_some());
            [plugins + 1, sandboxes + is_there, pages + sandbox.unwrap_or(0)]
        })
    }

    fn fits(&self, at: usize, plugins: u64, module: usize) -> bool {
        let tenant = at % TENANTS;
        let pages = MODULES[module].pages;
        let more = [plugins, 1, pages];
        let all: u64 = (0..TENANTS).map(|tenant| self.held(tenant)[2]).sum();
        let is_over =
            |at: usize| more[at] > 0 && self.held(tenant)[at] + more[at] > self.quotas[tenant][at];
        !(0..3).any(is_over) && all + pages <= CEILING
    }

    /// The model's plugin, which is there.
    fn plugin(&mut self, at: usize) -> &mut Plugin {
        self.plugins[at].as_mut().unwrap()
    }

    /// A fresh sandbox of a module, if it may be and starts.
    fn make(
        &self,
        at: usize,
        plugins: u64,
        module: usize,
        version: usize,
    ) -> Result<Sandbox, ErrorKind> {
        if !self.fits(at, plugins, module) {
            return Err(ErrorKind::QuotaExceeded);
        }
        match MODULES[module].starts {
            true => Ok(Sandbox { module, version, count: 0, is_dead: false }),
            false => Err(ErrorKind::Trap),
        }
    }

    fn load(&mut self, at: usize, module: usize) {
        let name = at.to_string();
        let loaded = self.registry.load(&name, &MODULES[module].wasm, Self::config(at));
        let expected = match self.plugins[at] {
            Some(_) => Err(ErrorKind::AlreadyLoaded),
            None => self.make(at, 1, module, 1),
        };
        assert_eq!(loaded.map_err(|error| error.kind()), expected.map(|_| ()));
        if let Ok(sandbox) = expected {
            self.plugins[at] = Some(Plugin {
                module,
                version: 1,
                previous: None,
                sandbox: Some(sandbox),
                lease: None,
                failures: 0,
                open: None,
            });
        }
    }

    /// What a call does that may run, in the sandbox that is there or is made; whether it is a trial.
    fn run(&mut self, at: usize, what: What, is_trial: bool) -> Verdict {
        let (module, version) = (self.plugin(at).module, self.plugin(at).version);
        let plugin = self.plugin(at);
        plugin.sandbox = plugin.sandbox.filter(|sandbox| !sandbox.is_dead);
        let sandbox = match plugin.sandbox {
            Some(sandbox) => sandbox,
            None => self.make(at, 0, module, version)?,
        };
        let now_us = self.now_us;
        let plugin = self.plugin(at);
        let is_current = sandbox.version == plugin.version;
        match what {
            What::Count => {
                let count = sandbox.count + 1;
                plugin.sandbox = Some(Sandbox { count, ..sandbox });
                if is_current && (is_trial || plugin.open.is_none()) {
                    (plugin.failures, plugin.open) = (0, None);
                }
                Ok(count + 1_000 * i32::try_from(sandbox.module).unwrap())
            }
            What::Trap | What::Spin => {
                let dead = Sandbox { is_dead: true, ..sandbox };
                plugin.sandbox = plugin.lease.is_some().then_some(dead);
                if is_current {
                    plugin.fail(is_trial, now_us);
                }
                Err(match what {
                    What::Trap => ErrorKind::Trap,
                    _ => ErrorKind::OutOfFuel,
                })
            }
        }
    }

    /// Whether a call may run, and then whether it is a trial.
    fn admit(&self, at: usize) -> Result<bool, ErrorKind> {
        match self.plugins[at].as_ref().unwrap().open {
            None => Ok(false),
            Some(open) if self.now_us >= open.until_us => Ok(true),
            Some(_) => Err(ErrorKind::Quarantined),
        }
    }

    fn call(&mut self, at: usize, what: What) {
        let result = self.registry.call(&at.to_string(), what.function(), &[]);
        let expected = match &self.plugins[at] {
            None => Err(ErrorKind::NotFound),
            Some(plugin) if plugin.lease.is_some() => Err(ErrorKind::Busy),
            Some(_) => self.admit(at).and_then(|is_trial| self.run(at, what, is_trial)),
        };
        assert_eq!(kind(result.map(|values| values[0].as_i32().unwrap())), expected);
    }

    fn lease(&mut self, at: usize) {
        let Some(plugin) = &self.plugins[at] else { return };
        // A lease on trial is for the tests of quarantine.
        if plugin.open.is_some() {
            return;
        }
        let expected = match plugin.lease {
            Some(_) => Err(ErrorKind::Busy),
            None => match plugin.sandbox {
                Some(sandbox) => Ok(sandbox),
                None => self.make(at, 0, plugin.module, plugin.version),
            },
        };
        let lease = self.registry.get(&at.to_string()).unwrap().lease_owned();
        assert_eq!(lease.as_ref().map_err(|error| error.kind()).map(|_| ()), expected.map(|_| ()));
        if let (Ok(lease), Ok(sandbox)) = (lease, expected) {
            let plugin = self.plugin(at);
            (plugin.lease, plugin.sandbox) = (Some(lease), Some(sandbox));
        }
    }

    fn call_in_lease(&mut self, at: usize, what: What) {
        let Some(Plugin { lease: Some(lease), sandbox, version, .. }) = &mut self.plugins[at]
        else {
            return;
        };
        let result = lease.call(what.function(), &[]);
        let is_older = sandbox.is_some_and(|held| !held.is_dead && held.version != *version);
        let admitted = if is_older { Ok(false) } else { self.admit(at) };
        let expected = admitted.and_then(|is_trial| self.run(at, what, is_trial));
        assert_eq!(kind(result.map(|values| values[0].as_i32().unwrap())), expected);
    }

    fn drop_lease(&mut self, at: usize) {
        if let Some(plugin) = &mut self.plugins[at]
            && plugin.lease.take().is_some()
        {
            plugin.forget_older();
        }
    }

    /// The state that a reload saves, if it does.
    fn save(&mut self, at: usize, module: usize, keeps: bool) -> Result<Option<i32>, ErrorKind> {
        let plugin = self.plugin(at);
        let old = plugin.module;
        if !(keeps && MODULES[old].hands_over && MODULES[module].hands_over) {
            return Ok(None);
        }
        if plugin.lease.is_some() {
            return Err(ErrorKind::Busy);
        }
        let version = plugin.version;
        let sandbox = match plugin.sandbox {
            Some(sandbox) => sandbox,
            None => self.make(at, 0, old, version)?,
        };
        let plugin = self.plugin(at);
        plugin.sandbox = Some(sandbox);
        if plugin.open.is_none() {
            plugin.failures = 0;
        }
        Ok(Some(sandbox.count))
    }

    /// Lets a module take over, with a state.
    fn take_over(&mut self, at: usize, module: usize, state: Option<i32>) -> Result<(), ErrorKind> {
        let version = self.plugin(at).version + 1;
        let draft = self.make(at, 0, module, version)?;
        let plugin = self.plugin(at);
        (plugin.module, plugin.version) = (module, version);
        (plugin.failures, plugin.open) = (0, None);
        if plugin.lease.is_none() {
            plugin.sandbox = Some(Sandbox { count: state.unwrap_or(0), ..draft });
        }
        Ok(())
    }

    fn reload(&mut self, at: usize, module: usize, keeps: bool) {
        let state = if keeps { StateHandover::IfExported } else { StateHandover::Fresh };
        let options = ReloadOptions { state, ..ReloadOptions::default() };
        let (name, wasm) = (at.to_string(), &MODULES[module].wasm);
        let reloaded = self.registry.reload_with(&name, wasm, Self::config(at), &options);
        let expected = match self.plugins[at] {
            None => Err(ErrorKind::NotFound),
            Some(_) => self.save(at, module, keeps).and_then(|saved| {
                let old = self.plugin(at).module;
                self.take_over(at, module, saved)?;
                self.plugin(at).previous = Some((old, saved));
                Ok(())
            }),
        };
        assert_eq!(reloaded.map_err(|error| error.kind()), expected);
    }

    fn rollback(&mut self, at: usize) {
        let rolled_back = self.registry.rollback(&at.to_string());
        let previous = self.plugins[at].as_ref().and_then(|plugin| plugin.previous);
        let expected = match previous {
            None => Err(ErrorKind::NotFound),
            Some((module, state)) => self.take_over(at, module, state),
        };
        assert_eq!(rolled_back.map_err(|error| error.kind()), expected);
        if expected.is_ok() {
            self.plugin(at).previous = None;
        }
    }

    fn step(&mut self, step: Step) {
        match step {
            Step::Load(at, module) => self.load(at, module),
            Step::Call(at, what) => self.call(at, what),
            Step::Lease(at) => self.lease(at),
            Step::CallInLease(at, what) => self.call_in_lease(at, what),
            Step::DropLease(at) => self.drop_lease(at),
            Step::Reload(at, module, keeps) => self.reload(at, module, keeps),
            Step::Rollback(at) => self.rollback(at),
            Step::Revive(at) => {
                if let Some(plugin) = &mut self.plugins[at] {
                    let revived = self.registry.get(&at.to_string()).unwrap().revive();
                    assert_eq!(revived, plugin.open.take().is_some());
                    plugin.failures = 0;
                }
            }
            Step::Unload(at) => {
                let unloaded = self.registry.unload(&at.to_string());
                assert_eq!(unloaded.is_ok(), self.plugins[at].is_some());
                // With its lease, if there is one.
                self.plugins[at] = None;
            }
            Step::Quota(tenant, plugins, sandboxes, pages) => {
                self.quotas[tenant] = [plugins, sandboxes, pages];
                let quota = TenantQuota {
                    max_plugins: plugins,
                    max_sandboxes: sandboxes,
                    max_memory_bytes: pages * PAGE,
                    ..TenantQuota::default()
                };
                self.registry.tenant(&tenant.to_string()).quota(quota).unwrap();
            }
            Step::Wait(us) => {
                self.clock.advance(us);
                self.now_us += us;
            }
        }
        self.check();
    }

    fn check(&self) {
        let mut all = [0; 3];
        for tenant in 0..TENANTS {
            let usage = self.registry.tenant(&tenant.to_string()).usage();
            let held = self.held(tenant);
            assert_eq!([usage.plugins, usage.sandboxes, usage.memory_bytes / PAGE], held);
            all.iter_mut().zip(held).for_each(|(all, held)| *all += held);
        }
        let usage = self.registry.usage();
        assert_eq!([usage.plugins, usage.sandboxes, usage.memory_bytes / PAGE], all);
        for (at, plugin) in self.plugins.iter().enumerate() {
            let loaded = self.registry.get(&at.to_string());
            assert_eq!(loaded.is_some(), plugin.is_some());
            if let (Some(loaded), Some(plugin)) = (loaded, plugin) {
                assert_eq!(loaded.quarantine().is_some(), plugin.open.is_some());
            }
        }
    }
}

impl Plugin {
    fn fail(&mut self, is_trial: bool, now_us: u64) {
        if self.open.is_some() && !is_trial {
            return;
        }
        self.failures += 1;
        if is_trial || self.failures >= 2 {
            let round = self.open.map_or(0, |open| open.round) + 1;
            let ms = (1 << (round - 1).min(2)).min(4);
            self.open = Some(Open { round, until_us: now_us + 1_000 * ms });
        }
    }

    /// A sandbox that trapped, or of an older version, does not come back from its lease.
    fn forget_older(&mut self) {
        let comes_back = |sandbox: &Sandbox| !sandbox.is_dead && sandbox.version == self.version;
        self.sandbox = self.sandbox.filter(comes_back);
    }
}

fn sequences() -> u32 {
    std::env::var("SEQUENCES").map_or(300, |n| n.parse().unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(sequences()))]

    #[test]
    fn random_sequences_of_lives_are_as_the_model_says(
        steps in prop::collection::vec(step(), 0..60),
    ) {
        let mut world = World::new();
        steps.into_iter().for_each(|step| world.step(step));
        world.plugins = Default::default();
        world.registry.shutdown_all();
        let usage = world.registry.usage();
        prop_assert_eq!((usage.plugins, usage.sandboxes, usage.memory_bytes), (0, 0, 0));
    }
}
