package dev.wasmruntime;

import java.nio.file.Files;
import java.nio.file.Paths;
import java.security.MessageDigest;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** Loading, replacing, limiting and watching plugins. */
final class RegistryTests extends Suite {
    private static final String TENANT = "mieter-\uD83D\uDE00";

    void plugins_are_loaded_found_and_unloaded() throws Exception {
        try (PluginRegistry registry = new PluginRegistry()) {
            registry.load("counter", fixture("counter"), null);
            registry.loadFile("echo", System.getProperty("fixtures") + "/echo.wasm", null);
            equal(2L, registry.getSize());
            equal(Arrays.asList("counter", "echo"), registry.getNames());
            try (Plugin plugin = registry.get("counter")) {
                equal("counter", plugin.getName());
                equal("default", plugin.getTenant());
                equal(PluginState.READY, plugin.getState());
                equal(MessageDigest.getInstance("SHA-256").digest(fixture("counter")), plugin.getModuleHash());
                registry.unload("counter");
                fails(ErrorCode.UNLOADED, () -> plugin.call("get"));
            }
            registry.shutdownAll();
            equal(0L, registry.getSize());
        }
    }

    void a_load_that_fails_says_why_and_changes_nothing() throws Exception {
        try (PluginRegistry registry = new PluginRegistry()) {
            fails(ErrorCode.INVALID_MODULE, () -> registry.load("x", utf8("no module"), null));
            fails(ErrorCode.REFUSED, () -> registry.load("x", fixture("misbehaving/missing_import"), null));
            fails(ErrorCode.IO, () -> registry.loadFile("x", "/no/such/file", null));
            equal(0L, registry.getSize());
            registry.load("x", fixture("counter"), null);
            fails(ErrorCode.ALREADY_LOADED, () -> registry.load("x", fixture("counter"), null));
            PluginConfig pinned = new PluginConfig();
            pinned.expectedSha256 = new byte[32];
            fails(ErrorCode.HASH_MISMATCH, () -> registry.load("y", fixture("counter"), pinned));
            PluginConfig small = new PluginConfig();
            small.limits.maxModuleBytes = 10;
            fails(ErrorCode.LIMIT_EXCEEDED, () -> registry.load("y", fixture("counter"), small));
        }
    }

    void what_a_module_asks_for_is_told_before_it_runs() throws Exception {
        try (PluginRegistry registry = new PluginRegistry()) {
            String report = registry.admit(fixture("aggregate"), new PluginConfig());
            check(report.contains("\"soch_scan\"") && report.contains("\"admitted\":"), report);
            check(registry.admit(utf8("?"), null).contains("\"admitted\":false"), "what is no module");
        }
    }

    void every_field_of_a_configuration_arrives() throws Exception {
        PluginConfig config = new PluginConfig();
        config.tenant = TENANT;
        config.timeoutMs = 60_000;
        config.canReadTable.addAll(Arrays.asList("rivers", "lakes*"));
        config.settings.put("column_separator", ";");
        config.fuelBudget = 3_000_000;
        config.maxInstances = 1;
        config.resetAfterCall = true;
        config.quarantineFailures = 1;
        config.quarantineFirstMs = 3_600_000;
        config.quarantineLongestMs = 3_600_000;
        try (PluginRegistry registry = new PluginRegistry()) {
            registry.put(TENANT, "rivers", utf8("Danube"), utf8("2850;km"));
            registry.put(TENANT, "lakes/1", utf8("Baikal"), utf8("636;km"));
            registry.load("sum", fixture("aggregate"), config);
            try (Plugin plugin = registry.get("sum")) {
                equal("count=1 sum=2850 min=2850 max=2850", text(plugin.callBytes("sum", utf8("rivers"))));
                equal("count=1 sum=636 min=636 max=636", text(plugin.callBytes("sum", utf8("lakes/1"))));
                check(plugin.getFuelBudgetLeft() < 3_000_000, "the budget");
                plugin.refuel();
                equal(3_000_000L, plugin.getFuelBudgetLeft());
                try (PluginLease lease = plugin.lease()) {
                    fails(ErrorCode.BUSY, () -> plugin.callBytes("sum", utf8("rivers")));
                    check(lease.memoryBytes("memory") > 0, "the sandbox that is held");
                }
            }
            config.tenant = "other";
            registry.load("counter", fixture("counter"), config);
            try (Plugin plugin = registry.get("counter")) {
                equal(1, plugin.call("increment")[0].asInt());
                equal(1, plugin.call("increment")[0].asInt());
            }
            registry.load("traps", fixture("misbehaving/traps"), config);
            try (Plugin plugin = registry.get("traps")) {
                fails(ErrorCode.TRAP, () -> plugin.call("unreachable"));
                fails(ErrorCode.QUARANTINED, () -> plugin.call("ping"));
                check(plugin.getQuarantineMs() > 3_000_000, "quarantine " + plugin.getQuarantineMs());
                plugin.revive();
                equal(0L, plugin.getQuarantineMs());
                plugin.call("ping");
            }
        }
    }

    void defaults_are_what_the_documentation_says() {
        PluginConfig config = new PluginConfig();
        equal(16L << 20, config.memoryLimitBytes);
        equal(1_000_000L, config.fuelLimit);
        equal(100L, config.timeoutMs);
        equal(10L, config.epochIntervalMs);
        equal(-1L, config.fuelBudget);
        equal(4, config.maxInstances);
        check(config.enableFuel && config.enableEpochs && !config.debugMode, "flags");
        check(!config.resetAfterCall && !config.trapOnDenied && !config.compileLazily, "policies");
        equal(0, config.quarantineFailures);
        equal(1_000L, config.quarantineFirstMs);
        equal(60_000L, config.quarantineLongestMs);
        equal(CodeSharing.OWN, config.codeSharing);
        equal(0, config.minInstances);
        check(!config.trimIdle, "what is idle stays");
        equal(4L << 20, config.limits.maxModuleBytes);
        equal(1_000_000L, config.limits.maxStackBytes);
        equal(10_000, config.limits.maxTypes);
        equal(32, config.limits.maxResults);
        equal(8, config.limits.maxCallDepth);
        equal(1 << 20, config.limits.maxAnswerBytes);
        HostFunction function = new HostFunction("a", "b", Arrays.asList(), ValueType.NONE, call -> { });
        equal(40L, function.baseFuel);
        equal(2L, function.fuelPer64Bytes);
        equal(12L, function.fuelPerItem);
    }

    void enumerations_are_those_of_the_header() throws Exception {
        Map<String, Long> codes = new TreeMap<>();
        for (ErrorCode code : ErrorCode.values()) {
            codes.put(code.name(), (long) code.number);
        }
        codes.put("OK", 0L);
        equal(codes, header("wpr_code_t", ""));
        Map<String, Long> statuses = new TreeMap<>();
        for (HostStatus status : HostStatus.values()) {
            statuses.put(status.name(), (long) status.number);
        }
        statuses.put("OK", 0L);
        statuses.put("PENDING", (long) HostStatus.PENDING);
        statuses.put("NO_CALL", (long) HostStatus.NO_CALL);
        equal(statuses, header("wpr_host_status_t", "HOST_"));
        equal(ordinals(Fault.values()), header("wpr_fault_t", "FAULT_"));
        equal(ordinals(AuditDecision.values()), header("wpr_audit_decision_t", "AUDIT_"));
        equal(ordinals(Progress.values()), header("wpr_progress_t", ""));
        equal(ordinals(ValueType.values()), header("wpr_value_type_t", ""));
        Map<String, Long> states = header("wpr_state_t", "");
        states.put("UNLOADED", states.remove("UNLOADED_STATE"));
        equal(ordinals(PluginState.values()), states);
    }

    private static Map<String, Long> ordinals(Enum<?>[] values) {
        Map<String, Long> ordinals = new TreeMap<>();
        for (Enum<?> value : values) {
            ordinals.put(value.name(), (long) value.ordinal());
        }
        return ordinals;
    }

    private static Map<String, Long> header(String name, String prefix) throws Exception {
        String header = text(Files.readAllBytes(Paths.get(System.getProperty("header"))));
        Matcher body = Pattern.compile("enum " + name + "\\b[^;]*?\\{(.*?)\\};", Pattern.DOTALL).matcher(header);
        check(body.find(), name);
        Map<String, Long> constants = new TreeMap<>();
        Matcher constant = Pattern.compile("^ *WPR_" + prefix + "(\\w+) = (-?\\d+),", Pattern.MULTILINE)
                .matcher(body.group(1));
        while (constant.find()) {
            constants.put(constant.group(1), Long.parseLong(constant.group(2)));
        }
        return constants;
    }

    // --- reloading

    void a_reload_takes_the_state_along_and_a_rollback_brings_the_version_before_back() throws Exception {
        PluginConfig config = new PluginConfig();
        config.maxInstances = 1;
        ReloadOptions options = new ReloadOptions();
        options.state = StateTransfer.REQUIRED;
        Value[] noArgs = {};
        options.probes.add(Probe.ofValues("total", noArgs, null));
        try (PluginRegistry registry = new PluginRegistry()) {
            registry.load("tally", fixture("tally"), config);
            try (Plugin plugin = registry.get("tally"); PluginFunction vote = plugin.function("vote")) {
                equal(1, vote.callInt(2));
                equal(2, vote.callInt(2));
                registry.reload("tally", fixture("tally_wide"), config, options);
                equal(2L, plugin.call("votes", Value.i32(2))[0].asLong());
                equal(2L, plugin.call("total")[0].asLong());
                registry.rollback("tally");
                fails(ErrorCode.FUNCTION_NOT_FOUND, () -> plugin.call("total"));
                fails(ErrorCode.NOT_FOUND, () -> registry.rollback("tally"));
            }
        }
    }

    void a_new_version_that_answers_a_probe_wrongly_does_not_take_over() throws Exception {
        try (PluginRegistry registry = with("counter"); Plugin plugin = registry.get("counter")) {
            plugin.call("add", Value.i32(3));
            Value[] noArgs = {};
            Value[] one = {Value.i32(1)};
            Value[] two = {Value.i32(2)};
            ReloadOptions options = new ReloadOptions();
            options.keepPrevious = false;
            options.probes.add(Probe.ofValues("increment", noArgs, two));
            throwing(PluginException.class, () -> registry.reload("counter", fixture("counter"), null, options));
            equal(3, plugin.call("get")[0].asInt());
            options.probes.set(0, Probe.ofValues("increment", noArgs, one));
            registry.reload("counter", fixture("counter"), null, options);
            fails(ErrorCode.NOT_FOUND, () -> registry.rollback("counter"));
        }
    }

    void a_probe_of_bytes_is_compared_to_the_byte() throws Exception {
        try (PluginRegistry registry = with("echo")) {
            ReloadOptions options = new ReloadOptions();
            options.probes.add(Probe.ofBytes("copy", utf8(TEXT), utf8(TEXT)));
            options.probes.add(Probe.ofBytes("nothing", new byte[0], new byte[0]));
            registry.reload("echo", fixture("echo"), null, options);
            options.probes.add(Probe.ofBytes("copy", utf8("a"), utf8("b")));
            throwing(PluginException.class, () -> registry.reload("echo", fixture("echo"), null, options));
        }
    }

    // --- tenants and their tables

    void rows_are_put_found_and_removed() throws Exception {
        byte[] key = {0, 1, -1};
        byte[] large = new byte[10_000];
        Arrays.fill(large, (byte) 7);
        try (PluginRegistry registry = new PluginRegistry()) {
            equal(false, registry.put(TENANT, "tisch-\uD83E\uDD80", key, utf8("1")));
            equal(true, registry.put(TENANT, "tisch-\uD83E\uDD80", key, large));
            equal(large, registry.getRow(TENANT, "tisch-\uD83E\uDD80", key));
            equal(null, registry.getRow("another", "tisch-\uD83E\uDD80", key));
            registry.put(TENANT, "t", new byte[] {1}, new byte[0]);
            equal(new byte[0], registry.getRow(TENANT, "t", new byte[] {1}));
            equal(true, registry.deleteRow(TENANT, "tisch-\uD83E\uDD80", key));
            equal(false, registry.deleteRow(TENANT, "tisch-\uD83E\uDD80", key));
        }
    }

    void indexes_and_vectors_follow_a_table() throws Exception {
        try (PluginRegistry registry = new PluginRegistry()) {
            byte[] row = {0, 0, 0, 0, 0, 0, 0, 1};
            registry.put(TENANT, "t", row, utf8("value"));
            registry.createIndex(TENANT, "i", "t", 0, 2);
            registry.createCollection(TENANT, "c", "t", 3, Distance.EUCLIDEAN);
            equal(false, registry.insertVector(TENANT, "c", 1, new float[] {1, 2, 3}));
            equal(true, registry.insertVector(TENANT, "c", 1, new float[] {3, 2, 1}));
            throwing(PluginException.class, () -> registry.insertVector(TENANT, "c", 1, new float[] {1}));
        }
    }

    void a_quota_is_held_and_usage_is_told() throws Exception {
        RegistryOptions options = new RegistryOptions();
        options.quota = new Quota();
        options.quota.maxPlugins = 2;
        try (PluginRegistry registry = new PluginRegistry(options)) {
            Quota one = new Quota();
            one.maxPlugins = 1;
            registry.setQuota(TENANT, one);
            PluginConfig config = new PluginConfig();
            config.tenant = TENANT;
            registry.load("a", fixture("counter"), config);
            PluginException error =
                    fails(ErrorCode.QUOTA_EXCEEDED, () -> registry.load("b", fixture("counter"), config));
            check(error.getMessage().contains("`max_plugins` is 1"), error.getMessage());
            registry.load("b", fixture("counter"), null);
            fails(ErrorCode.QUOTA_EXCEEDED, () -> registry.load("c", fixture("counter"), null));
            Usage usage = registry.usage(TENANT);
            equal(1L, usage.plugins);
            equal(1L, usage.sandboxes);
            equal(65_536L, usage.memoryBytes);
            check(usage.heapBytes > 65_536, "heap " + usage.heapBytes);
            equal(-1L, usage.fuelLeft);
        }
    }

    void maintenance_makes_what_calls_will_want() throws Exception {
        PluginConfig config = new PluginConfig();
        config.resetAfterCall = true;
        config.minInstances = 2;
        try (PluginRegistry registry = new PluginRegistry()) {
            registry.load("counter", fixture("counter"), config);
            try (Plugin plugin = registry.get("counter")) {
                equal(false, registry.maintain(0, -1).isDone);
                equal(1L, registry.maintain(-1, -1).made);
                equal(Value.i32(1), plugin.call("increment")[0]);
                equal(Value.i32(1), plugin.call("increment")[0]);
                equal(2L, plugin.getStats().sandboxesStarted);
                Maintained done = registry.maintain(-1, 0);
                equal(2L, done.dropped);
                equal(2L, done.made);
                equal(0L, done.trimmed + done.failed);
                check(done.isDone && done.idleBytes >= 131_072, "idle " + done.idleBytes);
            }
            config.minInstances = 5;
            PluginException error = fails(ErrorCode.REFUSED, () -> registry.load("x", fixture("counter"), config));
            check(error.getMessage().contains("`min_instances` is 5"), error.getMessage());
            fails(ErrorCode.INVALID_ARGUMENT, () -> registry.maintain(-2, 0));
        }
    }

    void maintenance_leaves_state_unless_the_plugin_can_do_without() throws Exception {
        for (boolean trims : new boolean[] {false, true}) {
            PluginConfig config = new PluginConfig();
            config.trimIdle = trims;
            try (PluginRegistry registry = new PluginRegistry()) {
                registry.load("counter", fixture("counter"), config);
                try (Plugin plugin = registry.get("counter")) {
                    plugin.call("increment");
                    equal(trims ? 1L : 0L, registry.maintain(-1, 0).trimmed);
                    equal(Value.i32(trims ? 1 : 2), plugin.call("increment")[0]);
                }
            }
        }
    }

    void compiled_code_is_shared_with_whom_it_is_to_be() throws Exception {
        long[] second = new long[3];
        for (CodeSharing sharing : CodeSharing.values()) {
            PluginConfig config = new PluginConfig();
            config.tenant = TENANT;
            config.codeSharing = sharing;
            try (PluginRegistry registry = new PluginRegistry()) {
                registry.load("a", fixture("aggregate"), config);
                long before = registry.usage(TENANT).heapBytes;
                registry.load("b", fixture("aggregate"), config);
                second[sharing.ordinal()] = registry.usage(TENANT).heapBytes - before;
                config.compileLazily = true;
                if (sharing != CodeSharing.OWN) {
                    fails(ErrorCode.REFUSED, () -> registry.load("c", fixture("aggregate"), config));
                }
            }
        }
        check(second[1] < second[0] && second[2] < second[0], Arrays.toString(second));
    }

    void statistics_and_metrics_tell_of_calls() throws Exception {
        PluginConfig config = new PluginConfig();
        config.tenant = TENANT;
        try (PluginRegistry registry = new PluginRegistry()) {
            registry.load("traps", fixture("misbehaving/traps"), config);
            try (Plugin plugin = registry.get("traps")) {
                plugin.call("ping");
                fails(ErrorCode.TRAP, () -> plugin.call("unreachable"));
                Stats stats = plugin.getStats();
                equal(2L, stats.totalCalls);
                equal(1L, stats.trapCount);
                check(stats.totalFuelConsumed > 0, "fuel");
                equal(2L, registry.stats(TENANT).totalCalls);
                equal(0L, registry.stats("another").totalCalls);
                equal(1L, registry.getTotals().traps);
                equal(2L, registry.getTotals().calls);
                equal(PluginState.TRAPPED, plugin.getState());
                check(plugin.getReport().startsWith("{"), plugin.getReport());
            }
            check(registry.renderPrometheus().contains("tenant=\"" + TENANT + "\""), "the page");
        }
    }

    void the_audit_tells_what_was_decided() throws Exception {
        RegistryOptions options = new RegistryOptions();
        options.auditLevel = AuditLevel.HOST_CALLS;
        PluginConfig config = new PluginConfig();
        config.tenant = TENANT;
        try (PluginRegistry registry = new PluginRegistry(options)) {
            registry.load("table", fixture("misbehaving/forbidden_table"), config);
            try (Plugin plugin = registry.get("table")) {
                plugin.call("read");
            }
            List<String> decisions = new ArrayList<>();
            long next = 0;
            for (AuditRecord record : registry.drainAudit()) {
                equal(next++, record.sequence);
                decisions.add(record.toString());
            }
            check(decisions.get(0).matches("LOAD " + TENANT + "/table  [0-9a-f]+ 0"), "" + decisions);
            check(decisions.contains("DENIAL " + TENANT + "/table soch_read secret -1"), "" + decisions);
            equal(0, registry.drainAudit().size());
            equal(0L, registry.getAuditDropped());
            for (int turn = 0; turn < 70; turn++) {
                fails(ErrorCode.ALREADY_LOADED, () -> registry.load("table", fixture("counter"), null));
            }
            equal(64, registry.drainAudit().size());
            check(registry.getAuditDropped() >= 6, "dropped " + registry.getAuditDropped());
        }
    }

    void the_library_says_its_version() {
        check(WasmRuntime.getVersion().matches("\\d+\\.\\d+\\.\\d+.*"), WasmRuntime.getVersion());
    }
}
