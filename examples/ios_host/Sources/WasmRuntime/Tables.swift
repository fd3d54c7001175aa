import CWasmRuntime
import Foundation

// The tables that the library keeps in memory. A program with a `Storage` of its own has no use for them.
extension Registry {
    /// How near two vectors are.
    public enum Distance: UInt32, Sendable { case cosine = 0, dotNegated = 1, euclidean = 2 }

    /// Stores a row of a tenant's table; says whether it replaced one.
    @discardableResult
    public func put(_ value: Data, table: String, key: Data, tenant: String = "default") throws -> Bool {
        var replaced: UInt32 = 0
        let (tenant, table) = (try plain(tenant), try plain(table))
        try withBytes(key) { key, keyLength in
            try withBytes(value) { value, length in
                try check {
                    wpr_registry_put(handle, tenant, table, key, keyLength, value, length, &replaced, $0)
                }
            }
        }
        return replaced != 0
    }

    /// A row of a tenant's table; nil if there is none.
    public func get(table: String, key: Data, tenant: String = "default") throws -> Data? {
        let (tenant, table) = (try plain(tenant), try plain(table))
        do {
            return try withRoom(256) { room in
                var buffer = [UInt8](repeating: 0, count: room)
                let capacity = room
                try withBytes(key) { key, length in
                    try check {
                        wpr_registry_get_row(handle, tenant, table, key, length, &buffer, capacity, &room, $0)
                    }
                }
                return Data(buffer.prefix(room))
            }
        } catch let error as PluginError where error.code == .notFound {
            return nil
        }
    }

    /// Removes a row of a tenant's table; says whether there was one.
    @discardableResult
    public func remove(table: String, key: Data, tenant: String = "default") throws -> Bool {
        let (tenant, table) = (try plain(tenant), try plain(table))
        do {
            try withBytes(key) { key, length in
                try check { wpr_registry_delete_row(handle, tenant, table, key, length, $0) }
            }
            return true
        } catch let error as PluginError where error.code == .notFound {
            return false
        }
    }

    /// Adds an index to a tenant's table, over so many bytes of the values from an offset on.
    public func createIndex(
        _ index: String, table: String, fieldOffset: Int, fieldLength: Int, tenant: String = "default"
    ) throws {
        let (tenant, table, index) = (try plain(tenant), try plain(table), try plain(index))
        try check {
            wpr_registry_create_index(handle, tenant, index, table, fieldOffset, fieldLength, $0)
        }
    }

    /// Adds a collection of vectors to a tenant's table.
    public func createCollection(
        _ collection: String, table: String, dims: Int, distance: Distance, tenant: String = "default"
    ) throws {
        let (tenant, table, collection) = (try plain(tenant), try plain(table), try plain(collection))
        try check {
            wpr_registry_create_collection(handle, tenant, collection, table, dims, distance.rawValue, $0)
        }
    }

    /// Stores the vector of a row in a tenant's collection; says whether it replaced one.
    @discardableResult
    public func insert(
        _ vector: [Float], collection: String, rowID: UInt64, tenant: String = "default"
    ) throws -> Bool {
        var replaced: UInt32 = 0
        let (tenant, collection) = (try plain(tenant), try plain(collection))
        try check {
            wpr_registry_insert_vector(handle, tenant, collection, rowID, vector, vector.count, &replaced, $0)
        }
        return replaced != 0
    }
}
