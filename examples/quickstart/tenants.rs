//! Three tenants with real rows, and what their plugins must answer whatever a fourth one does.

use crate::{FIXTURES, Outcome, check, search};
use wasm_runtime::{WasmInstanceConfig, WasmPluginCapabilities, WasmPluginRegistry, WasmValue};

/// River systems: length in km, continent.
const RIVERS: [(&str, i64, &str); 7] = [
    ("Nile", 6_650, "Africa"),
    ("Amazon", 6_400, "South America"),
    ("Yangtze", 6_300, "Asia"),
    ("Yellow River", 5_464, "Asia"),
    ("Congo", 4_700, "Africa"),
    ("Volga", 3_531, "Europe"),
    ("Danube", 2_850, "Europe"),
];
/// Peaks: height in m, range.
const PEAKS: [(&str, i64, &str); 6] = [
    ("Everest", 8_849, "Himalaya"),
    ("K2", 8_611, "Karakoram"),
    ("Kangchenjunga", 8_586, "Himalaya"),
    ("Aconcagua", 6_961, "Andes"),
    ("Kilimanjaro", 5_895, "Eastern Rift"),
    ("Mont Blanc", 4_806, "Alps"),
];
/// What no plugin has a grant for, among the rows of one of the three and of the fourth tenant.
pub const SECRET: &[u8] = b"not for plugins";

/// Calls with bytes, and what each must answer each time.
pub struct Promises {
    calls: Vec<(&'static str, &'static str, Vec<u8>, Vec<u8>)>,
    rounds: i32,
}

/// Fills the tenants' tables and loads their plugins, in four languages.
pub fn load(registry: &WasmPluginRegistry) -> Outcome<Promises> {
    // Two tenants use the same table name; neither sees the other's rows.
    for (tenant, rows) in [("hydrology", &RIVERS[..]), ("alpine", &PEAKS[..])] {
        for (name, measure, place) in rows {
            let row = format!("{measure},{place}");
            registry.host().put(tenant, "measures", name.as_bytes(), row.as_bytes())?;
        }
    }
    for tenant in ["hydrology", "stranger"] {
        registry.host().put(tenant, "secret", b"key", SECRET)?;
    }
    for (name, module) in [
        ("emoji.words", "word_frequencies"), // AssemblyScript
        ("hydrology.sum", "aggregate"),      // Rust
        ("hydrology.relay", "caller"),       // Rust
        ("hydrology.counter", "counter"),    // text
        ("alpine.sum", "aggregate"),
        ("alpine.text", "text_transform"), // C
    ] {
        load_plugin(registry, name, module)?;
    }
    let search = registry.get("emoji.search").ok_or("the search is not loaded")?;
    let request = search::request("ocean animal")?;
    let found = search.call_bytes("search", &request)?;
    let peaks = PEAKS.map(|(name, ..)| name).join(" ");
    let relayed = b"hydrology.sum\0sum\0measures".to_vec();
    let calls = vec![
        ("emoji.search", "search", request, found),
        ("emoji.words", "word_frequencies", b"To be or not to be".into(), WORDS.into()),
        ("hydrology.sum", "sum", b"measures".into(), totals(&RIVERS)),
        ("hydrology.relay", "relay", relayed, totals(&RIVERS)),
        ("alpine.sum", "sum", b"measures".into(), totals(&PEAKS)),
        ("alpine.text", "upper", peaks.clone().into(), peaks.to_uppercase().into()),
    ];
    Ok(Promises { calls, rounds: 0 })
}

const WORDS: &str = "be 2\nto 2\nnot 1\nor 1\n";

fn load_plugin(registry: &WasmPluginRegistry, name: &str, module: &str) -> Outcome {
    let tenant = name.split('.').next().unwrap_or_default();
    let config = WasmInstanceConfig {
        tenant: tenant.into(),
        settings: vec![("column_separator".into(), ",".into())],
        capabilities: WasmPluginCapabilities {
            can_call_plugin: vec![format!("{tenant}.*")],
            ..WasmPluginCapabilities::read_only(vec!["measures".into()])
        },
        max_instances: 1, // all calls share one state: the counter's needs that
        ..WasmInstanceConfig::default()
    };
    registry.load_from_file(name, format!("{FIXTURES}/{module}.wasm"), config)?;
    Ok(())
}

/// What the plugin `aggregate` must answer for these rows.
fn totals(rows: &[(&str, i64, &str)]) -> Vec<u8> {
    let measures = || rows.iter().map(|row| row.1);
    let (low, high) = (measures().min().unwrap_or(0), measures().max().unwrap_or(0));
    let (count, sum) = (rows.len(), measures().sum::<i64>());
    format!("count={count} sum={sum} min={low} max={high}").into()
}

impl Promises {
    /// Calls every plugin of the three tenants; each must answer right.
    pub fn keep(&mut self, registry: &WasmPluginRegistry) -> Outcome {
        for (plugin, function, input, expected) in &self.calls {
            let found = registry.get(plugin).ok_or("an honest plugin is gone")?;
            check(found.call_bytes(function, input)? == *expected, plugin)?;
        }
        self.rounds += 1;
        let count = registry.call("hydrology.counter", "increment", &[])?;
        check(*count == [WasmValue::I32(self.rounds)], "the counter keeps its state")
    }

    /// How many calls have been answered right.
    pub fn kept(&self) -> u64 {
        u64::from(self.rounds.unsigned_abs()) * (self.calls.len() as u64 + 1)
    }
}
