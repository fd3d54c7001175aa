use crate::host::{Host, HostCall, HostError, Labels, Metric, MetricKind};

/// Takes in one observation of a metric. Returns 0.
pub(super) fn emit_metric<H: Host>(
    call: &mut HostCall<'_, H>,
    kind: i32,
    name: i32,
    name_len: i32,
    value: f64,
    labels: i32,
    labels_len: i32,
) -> Result<i32, HostError> {
    let (name, [labels], _) = call.named_arguments(
        (name, name_len),
        |_, _| Ok(()),
        [(labels, labels_len, MAX_LABELS_BYTES)],
        (0, 0),
    )?;
    let kind = match kind {
        0 => MetricKind::Counter,
        1 => MetricKind::Gauge,
        2 => MetricKind::Histogram,
        _ => return Err(HostError::InvalidArguments),
    };
    if value.is_nan() {
        return Err(HostError::InvalidArguments);
    }
    call.charge_name_and_long(name.len(), labels.len())?;
    let labels = Labels::parse(labels)?;
    let metric = Metric { kind, name, value, labels };
    call.with_host(|host, call| host.emit_metric(call, &metric)).map(|()| 0)
}

/// The longest labels of one observation, in bytes on the wire.
const MAX_LABELS_BYTES: usize = 1 << 10;
