use super::{length, not_later};
use crate::host::{Host, HostCall, HostError, MAX_DIMS, MAX_K, Nearest, Query};

/// Searches a collection for the vectors nearest to a query. Returns the hits written, nearest
/// first.
#[allow(clippy::too_many_arguments)] // the ABI has them
pub(super) fn vector_search<H: Host>(
    call: &mut HostCall<'_, H>,
    collection: i32,
    collection_len: i32,
    query: i32,
    dims: i32,
    k: i32,
    out: i32,
    out_cap: i32,
) -> Result<i32, HostError> {
    let (collection, [query], out) = call.named_arguments(
        (collection, collection_len),
        may_search,
        [(query, bytes_of(dims), MAX_DIMS * COMPONENT_BYTES)],
        (out, out_cap),
    )?;
    let k = usize::try_from(k).ok().filter(|k| *k <= MAX_K).ok_or(HostError::InvalidArguments)?;
    call.charge_bytes(query.len())?;
    let query = Query::parse(query)?;
    if k == 0 {
        return Ok(0);
    }
    let mut hits = Nearest::new(out, k);
    call.with_host(|host, call| host.vector_search(call, collection, query, &mut hits))?;
    hits.finish(call).and_then(length)
}

const COMPONENT_BYTES: usize = size_of::<f32>();

/// The bytes of so many components; the largest length there is if they are more than that.
fn bytes_of(dims: i32) -> i32 {
    dims.cast_unsigned().saturating_mul(COMPONENT_BYTES as u32).cast_signed()
}

/// Checks the grants: for searching, and for reading the table that the collection belongs to.
fn may_search<H: Host>(call: &HostCall<'_, H>, collection: &str) -> Result<(), HostError> {
    call.require(|grants| grants.can_vector_search)?;
    let table = call.host().collection_table(call, collection).map_err(not_later)?;
    call.require(|grants| grants.can_read(&table))
}
