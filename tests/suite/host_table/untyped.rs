//! Functions of a signature that is known only when the program runs.

use super::{Call, forward, load, plain};
use proptest::prelude::*;
use wasm_runtime::{
    EmbeddedHost, Error, ErrorKind, Grant, HostCost, HostError, HostFunctionTable, ValueType,
    WasmValue,
};

const NUMBERS: [ValueType; 4] = [ValueType::I32, ValueType::I64, ValueType::F32, ValueType::F64];

/// What the function of these tests answers: something that depends on each argument and its place.
fn fold(args: &[WasmValue], result: Option<ValueType>) -> Option<WasmValue> {
    let sum = args.iter().zip(1_i64..).fold(7_i64, |sum, (arg, place)| {
        let bits = match *arg {
            WasmValue::I32(value) => value.into(),
            WasmValue::I64(value) => value,
            WasmValue::F32(value) => value.to_bits().into(),
            WasmValue::F64(value) => value.to_bits().cast_signed(),
            WasmValue::ExternRef(_) => 0,
        };
        sum.wrapping_mul(31).wrapping_add(bits.wrapping_mul(place))
    });
    result.map(|result| match result {
        ValueType::I64 => WasmValue::I64(sum),
        ValueType::F32 => WasmValue::F32(sum as f32),
        ValueType::F64 => WasmValue::F64(sum as f64),
        _ => WasmValue::I32(sum as i32),
    })
}

fn define(
    table: &mut HostFunctionTable<EmbeddedHost>,
    params: &[ValueType],
    result: Option<ValueType>,
    function: impl for<'a, 'b> Fn(Call<'a, 'b>, &[WasmValue]) -> Result<Option<WasmValue>, HostError>
    + Send
    + Sync
    + 'static,
) -> Result<(), Error> {
    let signature = (params, result);
    table.define_untyped("env", "f", Grant::Always, HostCost::default(), signature, function)
}

/// What a guest that passes its arguments on gets from the function, through a call of its host.
fn through_a_guest(params: &[ValueType], result: Option<ValueType>, args: &[WasmValue]) {
    let mut table = HostFunctionTable::empty();
    define(&mut table, params, result, move |_, args| Ok(fold(args, result))).unwrap();
    let names = |types: &[ValueType]| types.iter().map(|ty| format!("{ty} ")).collect::<String>();
    let text = forward(&names(params), &names(result.as_slice()));
    let (_registry, plugin) = load(EmbeddedHost::new(), table, &text, plain());
    let results = plugin.call("run", args).unwrap();
    assert_eq!(results.first().copied(), fold(args, result), "{params:?} {args:?}");
}

fn value(ty: ValueType) -> BoxedStrategy<WasmValue> {
    match ty {
        ValueType::I64 => any::<i64>().prop_map(WasmValue::I64).boxed(),
        ValueType::F32 => any::<i16>().prop_map(|n| WasmValue::F32(n.into())).boxed(),
        ValueType::F64 => any::<i32>().prop_map(|n| WasmValue::F64(n.into())).boxed(),
        _ => any::<i32>().prop_map(WasmValue::I32).boxed(),
    }
}

fn signature() -> impl Strategy<Value = (Vec<ValueType>, Option<ValueType>)> {
    let number = || prop::sample::select(&NUMBERS[..]);
    let params = prop_oneof![
        prop::collection::vec(number(), 0..=16),
        prop::collection::vec(Just(ValueType::I32), 0..=16),
    ];
    (params, prop::option::of(number()))
}

proptest! {
    #[test]
    fn a_guest_hands_over_each_argument_and_gets_the_answer_whatever_the_signature(
        ((params, result), args) in signature().prop_flat_map(|(params, result)| {
            let args: Vec<_> = params.iter().map(|&ty| value(ty)).collect();
            (Just((params, result)), args)
        }),
    ) {
        through_a_guest(&params, result, &args);
    }
}

#[test]
fn every_pair_of_types_has_its_own_way_in() {
    let one = |ty| match ty {
        ValueType::I64 => WasmValue::I64(-2),
        ValueType::F32 => WasmValue::F32(-1.5),
        ValueType::F64 => WasmValue::F64(2.5),
        _ => WasmValue::I32(-1),
    };
    for result in [None, Some(ValueType::I32), Some(ValueType::F64)] {
        for a in NUMBERS {
            through_a_guest(&[a], result, &[one(a)]);
            for b in NUMBERS {
                through_a_guest(&[a, b], result, &[one(a), one(b)]);
            }
        }
    }
}

#[test]
fn what_no_function_of_the_host_can_have_is_refused_by_name() {
    let many = [ValueType::I32; 17];
    for (params, result) in [
        (&many[..], None),
        (&[ValueType::V128], None),
        (&[ValueType::ExternRef], None),
        (&[], Some(ValueType::FuncRef)),
    ] {
        let mut table = HostFunctionTable::empty();
        let error = define(&mut table, params, result, |_, _| Ok(None)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::SignatureMismatch);
        assert!(error.to_string().contains("`env` `f`"), "{error}");
        assert!(table.is_empty());
    }
}

#[test]
fn an_answer_of_another_type_ends_the_call_and_names_the_function() {
    let answers = [None, Some(WasmValue::I64(1)), Some(WasmValue::F32(1.0))];
    for answer in answers {
        let mut table = HostFunctionTable::empty();
        define(&mut table, &[], Some(ValueType::I32), move |_, _| Ok(answer)).unwrap();
        let (_registry, plugin) = load(EmbeddedHost::new(), table, &forward("", "i32"), plain());
        let error = plugin.call("run", &[]).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Host);
        let text = error.to_string();
        assert!(text.contains("`env` `f`") && text.contains("another type"), "{text}");
    }
}

#[test]
fn an_error_is_what_it_is_for_any_function() {
    for (result, status) in
        [(ValueType::I32, WasmValue::I32(-2)), (ValueType::I64, WasmValue::I64(-2))]
    {
        let mut table = HostFunctionTable::empty();
        define(&mut table, &[], Some(result), |_, _| Err(HostError::NotFound)).unwrap();
        let text = forward("", &result.to_string());
        let (_registry, plugin) = load(EmbeddedHost::new(), table, &text, plain());
        assert_eq!(plugin.call("run", &[]).unwrap()[0], status);
    }
}
