//! Three tenants share a registry, a plugin and a table name, and never see each other.
//!
//! `cargo run --release --example tenants`

use wasm_runtime::{
    CallOptions, EmbeddedHost, ErrorKind, FuelRate, HostQuota, TenantQuota, WasmInstanceConfig,
    WasmPluginCapabilities, WasmPluginRegistry,
};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// What each tenant has in its table `prices`, in cents.
const SHOPS: [(&str, &[i64]); 3] =
    [("bakery", &[120, 350, 480]), ("bookshop", &[1_299, 2_450]), ("kiosk", &[99; 20])];

fn main() -> Outcome {
    // No tenant may keep more than 25 rows.
    let host = EmbeddedHost::with_quota(HostQuota { max_rows: 25, ..HostQuota::default() });
    let registry = WasmPluginRegistry::builder().host(host).build()?;
    for (tenant, prices) in SHOPS {
        open_shop(&registry, tenant, prices)?;
    }

    println!("The same plugin and the same table name, and each tenant's own rows:");
    for (tenant, prices) in SHOPS {
        let plugin = registry.get(&format!("{tenant}.sum")).ok_or("not loaded")?;
        let totals = String::from_utf8(plugin.call_bytes("sum", b"prices")?)?;
        println!("  {tenant:10} {totals}");
        assert!(totals.contains(&format!("sum={}", prices.iter().sum::<i64>())));
    }

    println!("A plugin can call its own tenant's plugins; others do not exist for it:");
    let relay = registry.get("bakery.relay").ok_or("not loaded")?;
    let own = relay.call_bytes("relay", b"bakery.sum\0sum\0prices")?;
    println!("  bakery.sum: {}", String::from_utf8_lossy(&own));
    let error = relay.call_bytes("relay", b"kiosk.sum\0sum\0prices").err().ok_or("it exists")?;
    println!("  kiosk.sum: {error}");
    assert_eq!(error.guest_status(), Some(-2));

    println!("A quota ends one tenant's growth, and no other's:");
    let price = |row: u32, tenant: &str| {
        registry.host().put(tenant, "prices", format!("new {row}").as_bytes(), b"150")
    };
    let error = (0..10).find_map(|row| price(row, "kiosk").err()).ok_or("no quota")?;
    println!("  {error}");
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    assert!((0..10).all(|row| price(row, "bakery").is_ok()));

    println!("Another one is on what its plugins hold and spend together:");
    let fuel_rate = Some(FuelRate { per_second: 1_000_000, burst: 50_000_000 });
    let quota = TenantQuota { max_plugins: 2, fuel_rate, ..TenantQuota::default() };
    registry.tenant("kiosk").quota(quota)?;
    let counter = include_bytes!("../fixtures/wasm/counter.wasm");
    let config = WasmInstanceConfig { tenant: "kiosk".into(), ..Default::default() };
    let error = registry.load("kiosk.third", counter, config).err().ok_or("no quota")?;
    println!("  {error}");
    assert_eq!(error.kind(), ErrorKind::QuotaExceeded);
    // While a call goes on, it has all the fuel that it may use.
    let plugin = registry.get("kiosk.sum").ok_or("not loaded")?;
    let mut call = plugin.start_bytes("sum", b"prices", CallOptions::default())?;
    call.run(100)?;
    let usage = registry.tenant("kiosk").usage();
    println!("  {usage:?}");
    assert_eq!((usage.plugins, usage.stored_rows), (2, 25));
    assert!(usage.fuel_left < Some(50_000_000));
    drop(call);

    println!("What each tenant used:");
    for (tenant, _) in SHOPS {
        let stats = registry.tenant_stats(tenant);
        let (calls, fuel) = (stats.total_calls, stats.total_fuel_consumed);
        println!("  {tenant:10} {calls} calls, {fuel:6} fuel");
        // One call of its own; the kiosk's that was dropped; the bakery's relay made two, one of which
        // reached the sum again.
        let expected = match tenant {
            "bakery" => 4,
            "kiosk" => 2,
            _ => 1,
        };
        assert_eq!(calls, expected);
    }
    Ok(())
}

fn open_shop(registry: &WasmPluginRegistry, tenant: &str, prices: &[i64]) -> Outcome {
    for (id, price) in (0_u32..).zip(prices) {
        registry.host().put(tenant, "prices", &id.to_be_bytes(), price.to_string().as_bytes())?;
    }
    let capabilities = WasmPluginCapabilities {
        can_call_plugin: vec!["*".into()],
        ..WasmPluginCapabilities::read_only(vec!["prices".into()])
    };
    let config = WasmInstanceConfig { tenant: tenant.into(), capabilities, ..Default::default() };
    let sum = include_bytes!("../fixtures/wasm/aggregate.wasm");
    registry.load(&format!("{tenant}.sum"), sum, config.clone())?;
    let relay = include_bytes!("../fixtures/wasm/caller.wasm");
    registry.load(&format!("{tenant}.relay"), relay, config)?;
    Ok(())
}
