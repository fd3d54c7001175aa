//! Runs each model in every order with up to three preemptions, and holds the number of orders against
//! what it was: a model that has become smaller shows less.

use interleavings::{explore, models};

/// Preemptions of a thread that could go on. What goes wrong shows with two, as a rule.
const PREEMPTIONS: usize = 3;

/// What all models together explore at least.
const ORDERS: usize = 100_000;

macro_rules! models {
    ($($model:ident >= $orders:literal)*) => {
        $(
            #[test]
            fn $model() {
                let orders = explore(PREEMPTIONS, models::$model);
                println!("{}: {orders} orders", stringify!($model));
                assert!(orders >= $orders, "{orders} orders");
            }
        )*

        const SUM: usize = 0 $(+ $orders)*;
        const _: () = assert!(SUM >= ORDERS);
    };
}

models! {
    two_tokens_of_the_first_call >= 3_000
    a_token_and_one_who_cancels_what_runs >= 20_000
    a_call_that_began_before_is_cancelled_or_over >= 15_000
    two_who_cancel_what_runs >= 60_000
    two_callers_and_one_who_unloads >= 2_000
    a_lease_a_caller_and_one_who_unloads >= 1_000
    a_lease_given_back_to_a_plugin_that_is_unloaded >= 2_000
    two_leases_and_one_who_unloads >= 1_000
    callers_and_a_lease_of_a_plugin_that_stays >= 700
    two_callers_and_one_who_reloads >= 30_000
    a_caller_and_one_who_reloads >= 700
    a_lease_a_caller_and_one_who_reloads >= 4_000
    a_lease_and_one_who_reloads_and_unloads >= 1_500
    one_who_is_told_of_a_reload >= 100_000
    two_callers_and_one_who_maintains >= 5_000
    a_caller_one_who_maintains_and_one_who_reloads >= 100_000
    a_caller_one_who_maintains_and_one_who_unloads >= 9_000
    two_who_maintain_and_a_lease >= 15_000
    the_token_of_a_call_and_the_next_caller >= 700
    the_token_of_a_lease_and_the_next_caller >= 1_000
    the_token_of_a_lease_that_never_calls >= 500
    two_who_use_a_handle_and_one_who_releases_it >= 1_500
    two_who_release_a_handle >= 70
    an_old_handle_while_its_slot_gets_something_new >= 180
    two_callers_and_one_who_cancels_them >= 9_000
    a_caller_and_one_who_cancels_and_unloads >= 5_000
}
