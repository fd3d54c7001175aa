//! The tables in memory, as the host program fills and reads them.

use crate::{
    bytes::put_bytes_out,
    code::{Failure, wpr_code_t},
    config::choice,
    error::{boundary, wpr_error_t},
    handle::take,
    host::wpr_registry_t,
    pointers::{In, Out, Text},
};
use alloc::format;
use runtime::{Distance, IndexKey};

/// Stores a row of a tenant's table. `replaced` is 1 if it replaced one.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_put(
    registry: wpr_registry_t,
    tenant: Text,
    table: Text,
    key: In<u8>,
    key_length: usize,
    value: In<u8>,
    value_length: usize,
    replaced: Out<u32>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        let (tenant, table) = (tenant.get("tenant")?, table.get("table")?);
        let (key, value) = (key.slice(key_length, "key")?, value.slice(value_length, "value")?);
        replaced.set(registry.host().tables.put(tenant, table, key, value)?.into());
        Ok(())
    })
}

/// Answers a row of a tenant's table: bytes. `WPR_NOT_FOUND` if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_get_row(
    registry: wpr_registry_t,
    tenant: Text,
    table: Text,
    key: In<u8>,
    key_length: usize,
    value: Out<u8>,
    capacity: usize,
    length: Out<usize>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        let (tenant, table) = (tenant.get("tenant")?, table.get("table")?);
        let found = registry.host().tables.get(tenant, table, key.slice(key_length, "key")?);
        put_bytes_out(&found.ok_or_else(|| no_row(tenant, table))?, &value, capacity, &length)
    })
}

/// Removes a row of a tenant's table. `WPR_NOT_FOUND` if there is none.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_delete_row(
    registry: wpr_registry_t,
    tenant: Text,
    table: Text,
    key: In<u8>,
    key_length: usize,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        let (tenant, table) = (tenant.get("tenant")?, table.get("table")?);
        let deleted = registry.host().tables.delete(tenant, table, key.slice(key_length, "key")?);
        deleted.then_some(()).ok_or_else(|| no_row(tenant, table))
    })
}

/// Adds an index to a tenant's table, over `field_length` bytes of the values from `field_offset` on.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_create_index(
    registry: wpr_registry_t,
    tenant: Text,
    index: Text,
    table: Text,
    field_offset: usize,
    field_length: usize,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        let key = IndexKey::field(field_offset, field_length);
        let (tenant, index) = (tenant.get("tenant")?, index.get("index")?);
        Ok(registry.host().tables.create_index(tenant, index, table.get("table")?, key)?)
    })
}

/// Adds a collection of vectors of `dims` components to a tenant's table. Distance: 0 cosine, 1 dot product negated, 2
/// Euclidean.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_create_collection(
    registry: wpr_registry_t,
    tenant: Text,
    collection: Text,
    table: Text,
    dims: usize,
    distance: u32,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        let distances = [Distance::Cosine, Distance::Dot, Distance::L2];
        let distance = choice(distance, "distance", distances)?;
        let (tenant, collection) = (tenant.get("tenant")?, collection.get("collection")?);
        let tables = &registry.host().tables;
        Ok(tables.create_collection(tenant, collection, table.get("table")?, dims, distance)?)
    })
}

/// Stores the vector of a row in a tenant's collection. `replaced` is 1 if it replaced one.
#[unsafe(no_mangle)]
pub extern "C" fn wpr_registry_insert_vector(
    registry: wpr_registry_t,
    tenant: Text,
    collection: Text,
    row_id: u64,
    vector: In<f32>,
    dims: usize,
    replaced: Out<u32>,
    error: Out<wpr_error_t>,
) -> wpr_code_t {
    boundary(error, || {
        let registry = take(registry)?;
        let (tenant, collection) = (tenant.get("tenant")?, collection.get("collection")?);
        let vector = vector.slice(dims, "vector")?;
        let inserted = registry.host().tables.insert_vector(tenant, collection, row_id, vector)?;
        replaced.set(inserted.into());
        Ok(())
    })
}

fn no_row(tenant: &str, table: &str) -> Failure {
    let what = format!("tenant `{tenant}` has no such row in table `{table}`");
    Failure::misuse(wpr_code_t::WPR_NOT_FOUND, what)
}
