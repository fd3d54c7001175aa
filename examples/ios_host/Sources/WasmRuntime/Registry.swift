import CWasmRuntime
import Foundation

/// The version of the library.
public var libraryVersion: String {
    String(cString: wpr_version())
}

/// A registry of plugins. Like everything here it may be used by any thread at any time.
///
/// Its plugins are unloaded once it and all that stands for them are gone.
public final class Registry: @unchecked Sendable {
    let handle: wpr_registry_t

    /// What goes to the audit: nothing, decisions, or every host call as well.
    public enum AuditLevel: UInt32, Sendable { case off = 0, decisions = 1, hostCalls = 2 }

    /// Makes a registry. Closures are kept until nothing of it is left that could call them.
    public init(
        functions: [HostFunction] = [], host: Host? = nil, withBuiltInFunctions: Bool = true,
        audit: AuditLevel = .decisions, quota: Quota? = nil
    ) throws {
        if wpr_api_version() < WPR_API_VERSION {
            throw PluginError.misuse(.notSupported, "the library is older than the header")
        }
        let boxes = functions.map(FunctionBox.init)
        let hostBox = host.map(HostBox.init)
        handle = try Lent.lend { lent in
            var options = wpr_registry_options_t()
            wpr_registry_options_init(&options, MemoryLayout<wpr_registry_options_t>.stride)
            options.without_built_in_functions = withBuiltInFunctions ? 0 : 1
            options.audit_level = audit.rawValue
            options.quota = quota.flatMap { lent.value($0.raw) }
            return try Self.make(options, zip(functions, boxes), hostBox, lent)
        }
    }

    deinit {
        wpr_registry_release(handle, nil)
    }

    /// The library takes the boxes over with the registry. If there is none, they stay the wrapper's.
    private static func make(
        _ options: wpr_registry_options_t, _ functions: Zip2Sequence<[HostFunction], [FunctionBox]>,
        _ host: HostBox?, _ lent: Lent
    ) throws -> wpr_registry_t {
        var options = options
        var taken: [UnsafeMutableRawPointer] = []
        func retained(_ box: Box) -> UnsafeMutableRawPointer {
            taken.append(box.retained())
            return taken[taken.count - 1]
        }
        do {
            let raw = try functions.map { try $0.raw(lent, userData: retained($1)) }
            options.functions = lent.pointers(raw)
            options.function_count = raw.count
            options.host = host.flatMap { lent.value($0.host.raw(userData: retained($0))) }
            var handle = wpr_registry_t()
            try check { wpr_registry_new(&options, &handle, $0) }
            return handle
        } catch {
            taken.forEach(dropBox)
            throw error
        }
    }

    // MARK: Plugins

    /// Loads a module under a name, 1 to 128 bytes.
    @discardableResult
    public func load(_ name: String, wasm: Data, config: Config = Config()) throws -> Plugin {
        let name = try plain(name)
        try Lent.lend { lent in
            let config = try config.raw(lent)
            try withBytes(wasm) { wasm, length in
                try run { wpr_registry_load(handle, name, wasm, length, config, $0) }
            }
        }
        return try plugin(name)
    }

    /// Loads a module from a file.
    @discardableResult
    public func load(_ name: String, contentsOf file: URL, config: Config = Config()) throws -> Plugin {
        let (name, path) = (try plain(name), try plain(file.path))
        try Lent.lend { lent in
            let config = try config.raw(lent)
            try run { wpr_registry_load_file(handle, name, path, config, $0) }
        }
        return try plugin(name)
    }

    /// Finds a plugin.
    public func plugin(_ name: String) throws -> Plugin {
        var found = wpr_plugin_t()
        let name = try plain(name)
        try check { wpr_registry_get(handle, name, &found, $0) }
        return Plugin(found)
    }

    /// Says what a module asks for, and whether `load` would take it with the same configuration, before anything of it
    /// runs.
    public func admit(_ wasm: Data, config: Config = Config()) throws -> Admission {
        var report = wpr_bytes_t()
        try Lent.lend { lent in
            let config = try config.raw(lent)
            try withBytes(wasm) { wasm, length in
                try check { wpr_registry_admit(handle, wasm, length, config, &report, $0) }
            }
        }
        return try JSONDecoder().decode(Admission.self, from: try takeData(report))
    }

    /// Unloads a plugin: new calls are refused at once, and its memory returns with the last call or lease.
    public func unload(_ name: String) throws {
        let name = try plain(name)
        try check { wpr_registry_unload(handle, name, $0) }
    }

    public func unloadAll() throws {
        try check { wpr_registry_shutdown_all(handle, $0) }
    }

    /// The names of the plugins, in the order they were loaded in.
    public func names() throws -> [String] {
        try list { place in
            try textAnswer { wpr_registry_name_at(handle, place, $0, $1, $2, $3) }
        }
    }

    // MARK: Other versions

    /// Replaces the code and configuration of a plugin, altogether or not at all. A call that begins after this has
    /// returned never sees the old version.
    public func reload(
        _ name: String, wasm: Data, config: Config = Config(), options: ReloadOptions = ReloadOptions()
    ) throws {
        let name = try plain(name)
        try Lent.lend { lent in
            let (config, options) = (try config.raw(lent), try options.raw(lent))
            try withBytes(wasm) { wasm, length in
                try run { wpr_registry_reload(handle, name, wasm, length, config, options, $0) }
            }
        }
    }

    /// Brings back the version that the last reload replaced.
    public func rollback(_ name: String) throws {
        let name = try plain(name)
        try run { wpr_registry_rollback(handle, name, $0) }
    }

    // MARK: Idle time

    /// Makes the sandboxes that calls will want, and drops those that none will. It drops what is used up; then, while
    /// idle sandboxes hold more than `maxIdleBytes` together, what was idle for longest; then it makes what plugins lack
    /// of their `minInstances`. Each sandbox is a step, and it does no more than `steps`. Start functions of plugins run
    /// in it, under the limits of a call.
    @discardableResult
    public func maintain(steps: UInt64 = .max, maxIdleBytes: UInt64 = .max) throws -> Maintained {
        var raw = wpr_maintained_t()
        wpr_maintained_init(&raw, MemoryLayout<wpr_maintained_t>.stride)
        try run { wpr_registry_maintain(handle, steps, maxIdleBytes, &raw, $0) }
        return Maintained(raw)
    }

    // MARK: Tenants

    /// Sets what a tenant's plugins may hold and spend together. What is over a ceiling stays.
    public func setQuota(_ quota: Quota, tenant: String = "default") throws {
        var raw = quota.raw
        let tenant = try plain(tenant)
        try check { wpr_registry_set_quota(handle, tenant, &raw, $0) }
    }

    /// What a tenant's plugins hold.
    public func usage(tenant: String = "default") throws -> Usage {
        var raw = wpr_usage_t()
        wpr_usage_init(&raw, MemoryLayout<wpr_usage_t>.stride)
        let tenant = try plain(tenant)
        try check { wpr_registry_usage(handle, tenant, &raw, $0) }
        return Usage(raw)
    }

    /// Cancels all calls that are running in a tenant's plugins; says how many.
    @discardableResult
    public func cancelCalls(tenant: String) throws -> Int {
        var cancelled = 0
        let tenant = try plain(tenant)
        try check { wpr_registry_cancel_tenant(handle, tenant, &cancelled, $0) }
        return cancelled
    }

    // MARK: Watching

    /// What the loaded plugins of a tenant have done together.
    public func stats(tenant: String) throws -> Stats {
        let tenant = try plain(tenant)
        return try Stats { wpr_registry_tenant_stats(handle, tenant, $0, $1) }
    }

    /// How many calls of all plugins there were, and how many of them trapped.
    public func callsAndTraps() throws -> (calls: UInt64, traps: UInt64) {
        var (calls, traps): (UInt64, UInt64) = (0, 0)
        try check { wpr_registry_global_stats(handle, &calls, &traps, $0) }
        return (calls, traps)
    }

    /// All metrics in the text format of Prometheus.
    public func prometheus() throws -> String {
        var page = wpr_bytes_t()
        try check { wpr_registry_render_prometheus(handle, &page, $0) }
        return String(decoding: try takeData(page), as: UTF8.self)
    }

    /// Takes the records out of the ring of the last 64 decisions, oldest first.
    public func drainAudit() throws -> [AuditRecord] {
        try list { _ in
            var raw = wpr_audit_record_t()
            wpr_audit_record_init(&raw, MemoryLayout<wpr_audit_record_t>.stride)
            try check { wpr_registry_audit_pop(handle, &raw, $0) }
            return AuditRecord(raw)
        }
    }

    /// How many records were lost because nobody took them, or because two threads were at the ring at once.
    public func auditDropped() throws -> UInt64 {
        var dropped: UInt64 = 0
        try check { wpr_registry_audit_dropped(handle, &dropped, $0) }
        return dropped
    }
}

/// Asks for one after the other until there is no more.
func list<T>(_ next: (Int) throws -> T) throws -> [T] {
    var found: [T] = []
    do {
        while true { found.append(try next(found.count)) }
    } catch let error as PluginError where error.code == .notFound {
        return found
    }
}
