//! Every host function does what it says, and answers a status to everything else.

use crate::{
    Device,
    check::{Result, checks, same, some, that},
    probe::{ORDINARY, Probe, WILD},
    setup::{alone, call_i32, granted, with_fuel},
};
use alloc::{string::ToString, vec, vec::Vec};
use wasm_runtime::{MetricKind, WasmValue};

checks![
    each_succeeds_and_leaves_what_it_says,
    each_answers_minus_3_to_a_wild_pointer,
    each_that_needs_a_grant_answers_minus_1_without_it,
    what_is_not_there_is_minus_2,
    a_write_is_in_the_table_and_a_metric_in_the_tenant_s,
    a_tenant_has_256_series_and_one_more_answers_minus_5,
    each_costs_what_it_cost_the_time_before,
];

fn each_succeeds_and_leaves_what_it_says(_: &mut dyn Device) -> Result {
    let probe = Probe::new(granted())?;
    for call in &ORDINARY {
        let status = probe.call(call.function, call.args)?;
        same(call.function, status, call.status)?;
        same(call.function, probe.output(call.output.len())?.as_slice(), call.output)?;
    }
    let used: Vec<_> = probe.plugin.host_function_stats();
    let called = |name: &str| used.iter().any(|used| used.name == name && used.calls > 0);
    for call in &ORDINARY {
        that(call.function, called(call.function))?;
    }
    Ok(())
}

/// Each pointer of each function in turn: the arguments that are addresses in the ordinary call.
fn each_answers_minus_3_to_a_wild_pointer(_: &mut dyn Device) -> Result {
    let probe = Probe::new(granted())?;
    let mut pointers = 0;
    for call in &ORDINARY {
        for (at, _) in call.args.iter().enumerate().filter(|(_, arg)| is_pointer(arg)) {
            let mut args = call.args.to_vec();
            *some("argument", args.get_mut(at))? = WasmValue::I32(WILD);
            same(format_args!("{} {at}", call.function), probe.call(call.function, &args)?, -3)?;
            pointers += 1;
        }
    }
    same("pointers", pointers, 31)
}

fn is_pointer(arg: &WasmValue) -> bool {
    matches!(arg, WasmValue::I32(at) if *at >= 256)
}

fn each_that_needs_a_grant_answers_minus_1_without_it(_: &mut dyn Device) -> Result {
    let mut config = granted();
    config.capabilities.can_read_table.clear();
    config.capabilities.can_write_table.clear();
    config.capabilities.can_call_plugin.clear();
    config.capabilities.can_index_search = false;
    config.capabilities.can_vector_search = false;
    let probe = Probe::new(config)?;
    let mut denied = 0;
    for call in &ORDINARY {
        let free = ["emit_metric", "log_message", "get_config", "last_answer"];
        let expected = if free.contains(&call.function) { call.status } else { -1 };
        same(call.function, probe.call(call.function, call.args)?, expected)?;
        denied += u64::from(expected == -1);
    }
    same("denied", probe.plugin.stats().denied_host_calls, denied)
}

fn what_is_not_there_is_minus_2(_: &mut dyn Device) -> Result {
    let probe = Probe::new(granted())?;
    probe.plugin.lease()?.write("memory", 256, b"absnt")?;
    probe.plugin.lease()?.write("memory", 1024, b"none")?;
    for call in &ORDINARY {
        let lookups = [
            "soch_read",
            "vector_search",
            "index_lookup",
            "index_range",
            "get_config",
            "call_plugin",
            "soch_delete",
        ];
        if lookups.contains(&call.function) {
            same(call.function, probe.call(call.function, call.args)?, -2)?;
        }
    }
    Ok(())
}

fn a_write_is_in_the_table_and_a_metric_in_the_tenant_s(_: &mut dyn Device) -> Result {
    let probe = Probe::new(granted())?;
    probe.plugin.lease()?.write("memory", 768, b"new")?;
    for call in &ORDINARY {
        probe.call(call.function, call.args)?;
        let row = probe.registry.host().get("default", "users", b"key");
        match call.function {
            "soch_write" => same("row", row, Some(b"new".to_vec()))?,
            "soch_delete" => same("row", row, None)?,
            _ => {}
        }
    }
    let metrics = probe.registry.host().metrics("default");
    let metric = some("a metric", metrics.first())?;
    let labels = vec![("a".to_string(), "b".to_string())];
    same("name", (metric.name.as_str(), metric.kind), ("users", MetricKind::Counter))?;
    same("value", (metric.value, &metric.labels), (2.5, &labels))
}

fn a_tenant_has_256_series_and_one_more_answers_minus_5(_: &mut dyn Device) -> Result {
    let (registry, plugin) = alone("misbehaving/metric_flood", with_fuel(30_000_000))?;
    let refused = call_i32(&plugin, "flood", &[300])?;
    same("refused", refused, 300 - 256)?;
    same("series", registry.host().metrics("default").len(), 256)
}

fn each_costs_what_it_cost_the_time_before(_: &mut dyn Device) -> Result {
    let probe = Probe::new(granted())?;
    for call in ORDINARY.iter().filter(|call| call.function != "soch_delete") {
        let cost = || {
            let before = probe.plugin.stats().total_fuel_consumed;
            probe.call(call.function, call.args)?;
            Result::Ok(probe.plugin.stats().total_fuel_consumed - before)
        };
        same(call.function, cost()?, cost()?)?;
    }
    Ok(())
}
