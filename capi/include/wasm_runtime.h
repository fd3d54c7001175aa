/*
 * wasm-plugin-runtime: sandboxed WebAssembly plugins of many tenants, for programs that may not have a JIT.
 *
 * Made by capi/header.sh from the documentation in capi/src; do not edit.
 *
 *
 * A first call
 *
 *     wpr_registry_t registry; wpr_plugin_t plugin; wpr_error_t error;
 *     wpr_value_t args[2] = {wpr_i32(20), wpr_i32(22)}, result;
 *
 *     if (wpr_registry_new(NULL, &registry, &error) == WPR_OK &&
 *         wpr_registry_load(registry, "adder", wasm, wasm_length, NULL, &error) == WPR_OK &&
 *         wpr_registry_get(registry, "adder", &plugin, &error) == WPR_OK &&
 *         wpr_plugin_call(plugin, "add", args, 2, NULL, &result, 1, NULL, &error) == WPR_OK)
 *         printf("%d\n", result.of.i32);
 *     else
 *         puts(error.message);
 *     wpr_plugin_release(plugin, NULL);
 *     wpr_registry_release(registry, NULL);
 *
 *
 * Errors
 *
 * Every function that can fail returns a wpr_code_t, WPR_OK (0) if it did what it is for, and takes a wpr_error_t last
 * that says more, or NULL. A function that fails has changed nothing, and has written nothing but the error and, for
 * WPR_BUFFER_TOO_SMALL, how much room it needs; but a call that fails may have run the plugin, and has if its results do
 * not fit. No panic crosses the boundary: WPR_PANIC. Without the standard library a
 * panic calls wpr_hook_abort.
 *
 *
 * Handles and their lifetimes
 *
 * A handle is a number in a struct: copied freely, released once by its _release. It is checked each time it is used: 0,
 * one that was released, one of another kind and one that was never given out are WPR_INVALID_HANDLE. To release a handle
 * ends what it stands for when the last who is using it in that moment is through, and never waits.
 *
 *   - wpr_registry_t: its plugins go with it, but for those that a handle stands for, which can be called on.
 *   - wpr_plugin_t, wpr_function_t: the plugin stays loaded when they are released, and the memory of one that is
 *     unloaded returns when they are. Calls of one that is unloaded are WPR_UNLOADED. Both follow it to other versions.
 *   - wpr_lease_t, wpr_call_t: hold a sandbox of a plugin until they are released; a call, until it has ended.
 *   - wpr_cancel_t: may outlive its call, and then does nothing.
 *   - wpr_bytes_t: the bytes stay where wpr_bytes_view says until it is released.
 *
 *
 * Ownership
 *
 * What is passed to a function is the caller's and is not looked at after it has returned, but for callbacks, their
 * user_data and the host that wpr_registry_new is given: they are used as long as anything of the registry is left, and
 * then drop is called with user_data. The structs themselves are copied. Texts are UTF-8 and end with a zero byte unless a
 * length goes with them; one without an end within 65,536 bytes is WPR_INVALID_ARGUMENT. Bytes and arrays are a pointer
 * and a length; a pointer may be NULL where the length is 0.
 *
 * A text answer is written to a buffer of `capacity` bytes, with a zero byte behind it; `length`, which may be NULL, is set
 * to its length without that. A buffer of NULL and capacity 0 asks for the length: WPR_BUFFER_TOO_SMALL.
 *
 *
 * Structs that grow
 *
 * A struct that begins with struct_size is set up by its _init, which is given its sizeof: that is how a program that was
 * compiled with an older header goes on with a newer library. What a program asks for that the library does not know is
 * WPR_INVALID_STRUCT, never ignored. wpr_value_t, wpr_error_t, wpr_setting_t and the handles never change.
 *
 *
 * Threads
 *
 * Every function may be called from any thread at any time, with the same handles. Calls of one plugin run side by side in
 * its sandboxes, up to max_instances; one more is WPR_BUSY. A lease or a started call is used by one thread at a time;
 * another gets WPR_BUSY. Callbacks are called by the thread that calls the plugin. No lock is held meanwhile. Nothing here
 * waits for another thread but wpr_registry_reload, if it is given a drain_ms or hands state over. wpr_cancel may be used
 * in a signal or interrupt handler, with an error of NULL and a handle that nobody releases meanwhile.
 *
 *
 * Callbacks and reentrancy
 *
 * A callback may use every function but those that run a plugin: those that load, reload, roll back, maintain, call,
 * start, run or lease are WPR_REENTRANT in it. It may release handles, also those of the call that is going on, unload the
 * plugin that called, and cancel. The host call that it is given is good until it returns, on its thread; afterwards, and
 * on others, the wpr_host_call_ functions answer WPR_HOST_NO_CALL. It must return: no C++ exception, no longjmp.
 *
 *
 * What is not checked
 *
 * Pointers that are neither NULL nor valid, lengths longer than what they point at, memory that another thread changes
 * while it is read, callbacks that do not keep to what is said here: that is C, and undefined.
 *
 *
 * Without an operating system
 *
 * Built with --no-default-features --profile embedded, on x86-64 and AArch64 with --features portable-dispatch as well, the
 * library needs nothing but memcpy and the like, and four hooks, below. There is no clock then unless the program gives
 * one, and no files.
 */


#ifndef WASM_PLUGIN_RUNTIME_H
#define WASM_PLUGIN_RUNTIME_H

#include <stddef.h>
#include <stdint.h>

/* The only hooks there are: a program that links the library built without the standard library has to bring them.

void *wpr_hook_alloc(size_t size, size_t align);               size bytes aligned to align, a power of two; or NULL
void wpr_hook_free(void *block, size_t size, size_t align);    takes that back
_Noreturn void wpr_hook_abort(const char *message, size_t length);   ends the program
void **wpr_hook_thread_word(void);                             a word for the thread that asks: NULL at first, always
                                                               the same place; without threads, the address of a static
*/


// The version of the API: a program that was compiled with a header of the same number, or a lower one, can use this
// library.
#define WPR_API_VERSION 1

// The bytes of a message at most, the zero byte at its end included.
#define WPR_MESSAGE_BYTES 1004

// Bytes of a name in a record, the zero byte at its end included.
#define WPR_AUDIT_NAME_BYTES 48

// How many values a call takes or returns at most. Room for as many always suffices.
#define WPR_MAX_VALUES 16

// How a function ended.
enum wpr_code_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It did what it is for.
    WPR_OK = 0,
    // The bytes are not a valid core WebAssembly module; the message says what they look like.
    WPR_INVALID_MODULE = 1,
    // The module or the configuration asks for something that is not allowed here.
    WPR_REFUSED = 2,
    // A size or count is over its limit.
    WPR_LIMIT_EXCEEDED = 3,
    // The name is taken.
    WPR_ALREADY_LOADED = 4,
    // There is nothing of that name or number.
    WPR_NOT_FOUND = 5,
    // The plugin exports no function of that name, or no memory of that name.
    WPR_FUNCTION_NOT_FOUND = 6,
    // The function has another signature, or one that a host cannot call.
    WPR_SIGNATURE_MISMATCH = 7,
    // All sandboxes of the plugin are in use, or what the handle stands for is used by another thread or by this
    // one further up.
    WPR_BUSY = 8,
    // The call has ended already.
    WPR_NOT_READY = 9,
    // The call spent its fuel, or the plugin its fuel budget.
    WPR_OUT_OF_FUEL = 10,
    // The call ran past its timeout.
    WPR_DEADLINE = 11,
    // The call was cancelled.
    WPR_CANCELLED = 12,
    // The guest trapped; `trap_code` says how.
    WPR_TRAP = 13,
    // A host function was denied, and the configuration makes that a trap.
    WPR_DENIED = 14,
    // The plugin failed too often and accepts no calls for now.
    WPR_QUARANTINED = 15,
    // A quota of the tenant or the host was reached.
    WPR_QUOTA_EXCEEDED = 16,
    // The module's SHA-256 is not the pinned one.
    WPR_HASH_MISMATCH = 17,
    // A timeout was asked for and there is no clock.
    WPR_CLOCK_MISSING = 18,
    // This build's interpreter dispatch grows the native stack; no plugin may run in it.
    WPR_UNSOUND_DISPATCH = 19,
    // The guest broke the byte convention, or answered a status: `guest_status`.
    WPR_BAD_GUEST_ANSWER = 20,
    // The table of host functions is full, or holds the name already.
    WPR_TABLE_FULL = 21,
    // A host function stopped the call, or the host's own storage refused.
    WPR_HOST = 22,
    // The plugin was unloaded.
    WPR_UNLOADED = 23,
    // A file could not be read.
    WPR_IO = 24,
    // A pointer is null that must not be.
    WPR_NULL_POINTER = 100,
    // The handle was released, was never given out, or is of another kind; the message says which.
    WPR_INVALID_HANDLE = 101,
    // An argument is not what it may be: a text without an end or not UTF-8, a number that stands for nothing, a
    // length that no memory has.
    WPR_INVALID_ARGUMENT = 102,
    // The size that a struct says it has is impossible, or it asks for what this version does not know.
    WPR_INVALID_STRUCT = 103,
    // The answer does not fit where it was to go; how much room it needs was said, and nothing was written.
    WPR_BUFFER_TOO_SMALL = 104,
    // A callback asked for something that runs a plugin.
    WPR_REENTRANT = 105,
    // The library failed in a way that it should not have. What the handle stands for may be used on; please report
    // the message.
    WPR_PANIC = 106,
    // This build of the library does not have it.
    WPR_NOT_SUPPORTED = 107,
    // There is no memory for another handle.
    WPR_TOO_MANY_HANDLES = 108,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wpr_code_t wpr_code_t;
#else
typedef int32_t wpr_code_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Whose doing an error is.
enum wpr_fault_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // The plugin's.
    WPR_FAULT_GUEST = 0,
    // The host program's: its arguments, its callbacks, its build or its load.
    WPR_FAULT_HOST = 1,
    // The configuration's: a limit or grant that does not fit the plugin.
    WPR_FAULT_CONFIGURATION = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wpr_fault_t wpr_fault_t;
#else
typedef int32_t wpr_fault_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What was decided.
enum wpr_audit_decision_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // At load: a plugin imports a function and holds the grant that is the resource. At `WPR_AUDIT_HOST_CALLS`: a host
    // call was let through.
    WPR_AUDIT_GRANT = 0,
    // A grant is missing: for a function that is imported, or for what a host call named.
    WPR_AUDIT_DENIAL = 1,
    // A host call answered -5, or a call spent its fuel or its time.
    WPR_AUDIT_LIMIT = 2,
    // A call trapped, a host function stopped it, or it was cancelled.
    WPR_AUDIT_TRAP = 3,
    // A plugin was loaded (status 0), or was not (-1).
    WPR_AUDIT_LOAD = 4,
    // A plugin was reloaded, or was not.
    WPR_AUDIT_RELOAD = 5,
    // A plugin was rolled back, or was not.
    WPR_AUDIT_ROLLBACK = 6,
    // A plugin was unloaded.
    WPR_AUDIT_UNLOAD = 7,
    // A quota was reached.
    WPR_AUDIT_QUOTA = 8,
    // A plugin was put in quarantine.
    WPR_AUDIT_QUARANTINE = 9,
    // A plugin came out of quarantine.
    WPR_AUDIT_REVIVE = 10,
    // Something that a later version of the library decides.
    WPR_AUDIT_OTHER = 11,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wpr_audit_decision_t wpr_audit_decision_t;
#else
typedef uint32_t wpr_audit_decision_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// What a callback that answers a host call returns: one of these, or a number from 0 on if it went well.
//
// Down to -7 the plugin gets the number as its answer, if the function it called returns an integer; the others end
// its call, or suspend it.
enum wpr_host_status_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It went well.
    WPR_HOST_OK = 0,
    // A grant is missing. `on_denied` says whether the plugin gets this, or its call ends with `WPR_DENIED`.
    WPR_HOST_DENIED = -1,
    // There is no such thing.
    WPR_HOST_NOT_FOUND = -2,
    // The arguments are invalid.
    WPR_HOST_INVALID_ARGUMENTS = -3,
    // The host failed.
    WPR_HOST_FAILED = -4,
    // A quota or limit was reached, or the answer does not fit.
    WPR_HOST_LIMIT_REACHED = -5,
    // This host does not support it.
    WPR_HOST_NOT_SUPPORTED = -6,
    // A plugin that was called failed.
    WPR_HOST_PLUGIN_FAILED = -7,
    // The call has not enough fuel left: ends it with `WPR_OUT_OF_FUEL`.
    WPR_HOST_OUT_OF_FUEL = -100,
    // The call is past its deadline: ends it with `WPR_DEADLINE`.
    WPR_HOST_DEADLINE = -101,
    // The call was cancelled: ends it with `WPR_CANCELLED`.
    WPR_HOST_CANCELLED = -102,
    // The answer comes later: suspends the call, for which `wpr_host_call_suspend` has to have said the ticket.
    WPR_HOST_PENDING = -103,
    // Ends the call with `WPR_HOST`.
    WPR_HOST_ABORT = -104,
    // Of a `wpr_host_call_*` function: the host call is over, or another thread's.
    WPR_HOST_NO_CALL = -105,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wpr_host_status_t wpr_host_status_t;
#else
typedef int32_t wpr_host_status_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// How far a call came.
enum wpr_progress_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // It has ended; `wpr_call_results` or `wpr_call_answer` has what it returned.
    WPR_FINISHED = 0,
    // It spent what it was given, and goes on with the next run.
    WPR_RUNNING = 1,
    // A callback answers later, under a ticket: the call goes on once it is completed.
    WPR_SUSPENDED = 2,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wpr_progress_t wpr_progress_t;
#else
typedef uint32_t wpr_progress_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// Where a plugin is in its life.
enum wpr_state_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // Not initialised yet.
    WPR_LOADING = 0,
    // Accepts calls; none is running.
    WPR_READY = 1,
    // At least one call is running or one lease is held.
    WPR_EXECUTING = 2,
    // The last call trapped, and no call has begun since; or the plugin is in quarantine.
    WPR_TRAPPED = 3,
    // Unloaded, while calls or leases that began before are still going on.
    WPR_UNLOADING = 4,
    // Unloaded.
    WPR_UNLOADED_STATE = 5,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wpr_state_t wpr_state_t;
#else
typedef uint32_t wpr_state_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// The type of a value.
enum wpr_value_type_t
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : uint32_t
#endif // defined(__cplusplus) || __STDC_VERSION__ >= 202311L
 {
    // No value: the result of a function that has none.
    WPR_NONE = 0,
    // A 32-bit integer.
    WPR_I32 = 1,
    // A 64-bit integer.
    WPR_I64 = 2,
    // A 32-bit float.
    WPR_F32 = 3,
    // A 64-bit float.
    WPR_F64 = 4,
    // A 128-bit vector, which does not cross the boundary.
    WPR_V128 = 5,
    // A reference to a function, which does not cross the boundary.
    WPR_FUNCREF = 6,
    // A reference of the host's.
    WPR_EXTERNREF = 7,
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum wpr_value_type_t wpr_value_type_t;
#else
typedef uint32_t wpr_value_type_t;
#endif // __STDC_VERSION__ >= 202311L
#endif // __cplusplus

// One decision. Names are UTF-8, cut, and end with a zero byte.
typedef struct wpr_audit_record_t {
    // The size of the struct: `wpr_audit_record_init` sets it.
    size_t struct_size;
    // The record's number, counting from 0; a number that is missing was dropped.
    uint64_t sequence;
    // What the registry's clock said, in microseconds; `UINT64_MAX` without a clock.
    uint64_t time_us;
    // The fuel that the host call was charged, or the call spent; 0 for the others.
    uint64_t fuel;
    // What was decided: a `wpr_audit_decision_t`.
    uint32_t decision;
    // What a host call answered; `INT32_MIN` if it stopped the guest without a status; the code of a trap; else 0 or -1.
    int32_t status;
    // The tenant of the plugin.
    char tenant[WPR_AUDIT_NAME_BYTES];
    // The plugin.
    char plugin[WPR_AUDIT_NAME_BYTES];
    // The host function that was called or imported; for a call that trapped, reached a limit or led to quarantine,
    // the function of the plugin; else empty.
    char function[WPR_AUDIT_NAME_BYTES];
    // What it is about: the table, index, collection, metric, setting or plugin that a host call named, the grant, the
    // limit or quota, or how a call trapped.
    char resource[WPR_AUDIT_NAME_BYTES];
} wpr_audit_record_t;

// A registry of plugins.
typedef struct wpr_registry_t {
    // The handle's number; 0 is none.
    uint64_t id;
} wpr_registry_t;

// What there is to say of an error. 1,024 bytes, which will never be more or others: what is new gets a function.
//
// Filled in when a function answers anything but `WPR_OK`, and otherwise left alone.
typedef struct wpr_error_t {
    // What the function answered.
    wpr_code_t code;
    // Whose doing it is.
    wpr_fault_t fault;
    // How the guest trapped: 1 `unreachable`, 2 memory access out of bounds, 3 table access out of bounds, 4 call of
    // a null reference, 5 integer division by zero, 6 integer overflow, 7 float has no integer value, 8 call stack
    // exhausted, 9 indirect call of another type, 10 growth over a limit, 11 out of system memory; 0 if it did not.
    int32_t trap_code;
    // The negative status that a function of the byte convention answered; 0 if it did not.
    int32_t guest_status;
    // How long the whole message is in bytes, which may be more than there is room for.
    uint32_t message_length;
    // The message: UTF-8 with a zero byte at its end, cut if it is longer. It names plugin, function, limit and value.
    char message[WPR_MESSAGE_BYTES];
} wpr_error_t;

// Bytes that the library answered.
typedef struct wpr_bytes_t {
    // The handle's number; 0 is none.
    uint64_t id;
} wpr_bytes_t;

// A loaded plugin. It follows the plugin to other versions, and outlives its registry.
typedef struct wpr_plugin_t {
    // The handle's number; 0 is none.
    uint64_t id;
} wpr_plugin_t;

// What is in a value, by its type.
typedef union wpr_value_of_t {
    // Of a `WPR_I32`.
    int32_t i32;
    // Of a `WPR_I64`.
    int64_t i64;
    // Of a `WPR_F32`.
    float f32;
    // Of a `WPR_F64`.
    double f64;
    // Of a `WPR_EXTERNREF`: a number of the host's own, which the plugin can keep and hand back and not read. 0 is the
    // null reference; one sandbox holds at most 64 different others.
    uint64_t externref;
} wpr_value_of_t;

// A value passed to or returned from a plugin's function.
typedef struct wpr_value_t {
    // A `wpr_value_type_t`.
    uint32_t kind;
    // The value.
    union wpr_value_of_t of;
} wpr_value_t;

// How one call is narrowed below what the plugin may use. `wpr_call_options_init`: not at all.
typedef struct wpr_call_options_t {
    // The size of the struct.
    size_t struct_size;
    // Fuel for this call, if less than the plugin's `fuel_limit`. Default: `UINT64_MAX`.
    uint64_t fuel;
    // Time for this call in milliseconds, if less than the plugin's `timeout_ms`; 0 narrows nothing. Default: 0.
    uint64_t timeout_ms;
    // A number that callbacks can read: `wpr_host_call_tag`. Default: 0.
    uint64_t tag;
} wpr_call_options_t;

// A call that the host runs piece by piece.
typedef struct wpr_call_t {
    // The handle's number; 0 is none.
    uint64_t id;
} wpr_call_t;

// What cancels one call.
typedef struct wpr_cancel_t {
    // The handle's number; 0 is none.
    uint64_t id;
} wpr_cancel_t;

// A setting that `get_config` answers.
typedef struct wpr_setting_t {
    // Its name, which may not start `soch.`.
    const char *name;
    // Its value.
    const char *value;
} wpr_setting_t;

// What a module may contain, and how much stack its code may use: the fields of `ModuleLimits`, of the same names and
// defaults.
typedef struct wpr_limits_t {
    // The size of the struct: `wpr_limits_init` sets it.
    size_t struct_size;
    // Bytes of the module. Default: 4 MiB.
    uint64_t max_module_bytes;
    // Elements of all tables of a sandbox together. Default: 20,000.
    uint64_t max_table_elements;
    // Bytes that one `memory.grow` may add. Default: 16 MiB.
    uint64_t max_growth_step_bytes;
    // Bytes of stack that a sandbox begins with. Default: 1,000.
    uint64_t min_stack_bytes;
    // Bytes of stack that its calls may use. Default: 1,000,000.
    uint64_t max_stack_bytes;
    // Calls inside one another. Default: 1,000.
    uint64_t max_recursion_depth;
    // Types. Default: 10,000.
    uint32_t max_types;
    // Imports. Default: 256.
    uint32_t max_imports;
    // Functions. Default: 10,000.
    uint32_t max_functions;
    // Globals. Default: 1,000.
    uint32_t max_globals;
    // Exports. Default: 1,000.
    uint32_t max_exports;
    // Memories. Default: 4.
    uint32_t max_memories;
    // Tables. Default: 16.
    uint32_t max_tables;
    // Element segments. Default: 1,000.
    uint32_t max_element_segments;
    // Data segments. Default: 1,000.
    uint32_t max_data_segments;
    // Locals of one function. Default: 2,000.
    uint32_t max_locals;
    // Bytes of one function's body. Default: 1 MiB.
    uint32_t max_body_bytes;
    // Parameters of one function. Default: 32.
    uint32_t max_params;
    // Results of one function. Default: 32.
    uint32_t max_results;
    // Plugins that call one another by `call_plugin`, the first not counted; up to 16. Default: 8.
    uint32_t max_call_depth;
    // Bytes of an answer kept for `last_answer`. Default: 1 MiB.
    uint32_t max_answer_bytes;
    // 0: a growth over a limit answers -1. 1: it traps. Default: 0.
    uint32_t on_growth_denied;
} wpr_limits_t;

// How one plugin is to be run. `wpr_config_init` sets every field to its default: nothing is granted, and every limit
// is finite. Lists may be null if they are empty; nothing of it is used after the call that it is given to.
typedef struct wpr_config_t {
    // The size of the struct.
    size_t struct_size;
    // The tenant that the plugin belongs to. Default: null, which is `"default"`.
    const char *tenant;
    // Tables that the plugin may read: a name, `"prefix*"` or `"*"`. Default: none.
    const char *const *can_read_table;
    // How many.
    size_t can_read_table_count;
    // Tables that it may write, likewise. Default: none.
    const char *const *can_write_table;
    // How many.
    size_t can_write_table_count;
    // Plugins of the same tenant that it may call, likewise. Default: none.
    const char *const *can_call_plugin;
    // How many.
    size_t can_call_plugin_count;
    // Names of custom grants that it holds. Default: none.
    const char *const *custom_grants;
    // How many.
    size_t custom_grant_count;
    // What `get_config` answers. Default: nothing.
    const struct wpr_setting_t *settings;
    // How many.
    size_t setting_count;
    // 1 to allow `index_lookup` and `index_range`, on readable tables. Default: 0.
    uint32_t can_index_search;
    // 1 to allow `vector_search`, on readable tables. Default: 0.
    uint32_t can_vector_search;
    // All linear memories of one sandbox together, in bytes. Default: 16 MiB.
    uint64_t memory_limit_bytes;
    // Fuel for one call, guest and host work together. Default: 1,000,000.
    uint64_t fuel_limit;
    // Time for one call, in milliseconds; 0 for no limit. Default: 100. Without a clock it has to be 0.
    uint64_t timeout_ms;
    // How soon after its deadline a call is to be noticed, in milliseconds. Default: 10.
    uint64_t epoch_interval_ms;
    // Fuel over all calls until `wpr_plugin_refuel`. Default: `UINT64_MAX`, no such budget.
    uint64_t fuel_budget;
    // How many calls may run at once, each in its own sandbox, 1 to 1,024; with 1 all calls share one state. Default: 4.
    uint32_t max_instances;
    // 0: a sandbox is replaced after a trap. 1: after every call. Default: 0.
    uint32_t reset;
    // 0: a denied host call answers -1. 1: it ends the call with `WPR_DENIED`. Default: 0.
    uint32_t on_denied;
    // 0: code is compiled at load. 1: each function on its first call. Default: 0.
    uint32_t compilation;
    // 0 for calls that are not metered: nothing contains such a plugin. Default: 1.
    uint32_t enable_fuel;
    // 0 for calls without a timeout. Default: 1.
    uint32_t enable_epochs;
    // 1 to write failed calls to the log as well. Default: 0.
    uint32_t debug_mode;
    // After how many failures in a row the plugin is put in quarantine; 0 for never. Default: 0.
    uint32_t quarantine_failures;
    // How long the first quarantine is, in milliseconds; each further one is twice as long. Default: 1,000.
    uint64_t quarantine_first_ms;
    // How long the longest is. Default: 60,000.
    uint64_t quarantine_longest_ms;
    // The 32 bytes of the SHA-256 that the module must have. Default: null, any.
    const uint8_t *expected_sha256;
    // What the module may contain, and how much stack its code may use. Default: null, `wpr_limits_init`.
    const struct wpr_limits_t *limits;
    // With which other plugins of the same module, stack limits and `enable_fuel` it shares its compiled code, which has to
    // be compiled at load. 0: with none. 1: with those of its tenant that say so too. 2: with those of any tenant: for
    // modules that the program brings. Default: 0.
    uint32_t code_sharing;
    // How many sandboxes `wpr_registry_maintain` keeps ready for calls, 0 to `max_instances`. From 1 on, a call leaves one
    // that is used up for it to replace: with a `reset` of 1, each call finds fresh state that was made before. Default: 0.
    uint32_t min_instances;
    // 1 to let `wpr_registry_maintain` drop idle sandboxes for want of memory although they hold what earlier calls left.
    // Default: 0.
    uint32_t trim_idle;
    // For what comes later: 0, which `wpr_config_init` sets. Else `WPR_INVALID_STRUCT`.
    uint32_t reserved;
} wpr_config_t;

// A function of a plugin, looked up once: the fastest way to call one.
typedef struct wpr_function_t {
    // The handle's number; 0 is none.
    uint64_t id;
} wpr_function_t;

// The host call that a callback answers: good in that callback, on its thread. Afterwards and elsewhere each function
// answers `WPR_HOST_NO_CALL`, 0 or nothing.
typedef struct wpr_host_call_t {
    // Its number.
    uint64_t id;
} wpr_host_call_t;

// One sandbox of a plugin, held across several calls.
typedef struct wpr_lease_t {
    // The handle's number; 0 is none.
    uint64_t id;
} wpr_lease_t;

// What gets the lines of the log: `level` 1 error, 2 warning, 3 information, 4 debug. The line is UTF-8, ended by no
// zero byte, and good until the callback returns.
typedef void (*wpr_log_callback_t)(void *user_data, uint32_t level, const char *line, size_t length);

// What maintenance has done. `wpr_maintained_init` sets its size.
typedef struct wpr_maintained_t {
    // The size of the struct.
    size_t struct_size;
    // Sandboxes made ahead of calls.
    uint64_t made;
    // Sandboxes dropped that were used up.
    uint64_t dropped;
    // Sandboxes dropped for want of memory.
    uint64_t trimmed;
    // What all idle sandboxes hold now, in bytes; above the ceiling if no more may be dropped.
    uint64_t idle_bytes;
    // Sandboxes that did not start, one of a plugin at most: no other is made ahead before a call of it has made one, or it
    // is reloaded.
    uint32_t failed;
    // 1 if nothing is left to do, 0 if the steps were used up before.
    uint32_t is_done;
} wpr_maintained_t;

// What plugins get from the host program, instead of what the library has in memory.
//
// A callback that is null leaves its function to the library: tables, settings and metrics are kept in memory, log
// lines go to the callback of `wpr_set_log`, and events to nobody. Searches are always over tables in memory.
//
// Callbacks are called by the thread that calls the plugin, several at once if several threads do, with `user_data`
// first. Texts and bytes that they are given are not ended by a zero byte, and are good until they return. They must
// return: no exception, no `longjmp`.
typedef struct wpr_host_t {
    // The size of the struct: `wpr_host_init` sets it.
    size_t struct_size;
    // What each callback gets first.
    void *user_data;
    // Called with `user_data` once nothing of the registry is left that could call back. Not called if
    // `wpr_registry_new` fails.
    void (*drop)(void *user_data);
    // Finds a value, gives it to `wpr_host_call_output` and returns what that returns; `WPR_HOST_NOT_FOUND` if there
    // is no such row.
    int32_t (*read)(void *user_data,
                    struct wpr_host_call_t call,
                    const char *table,
                    size_t table_length,
                    const uint8_t *key,
                    size_t key_length);
    // Gives the rows with keys from `from` on, in order, to `wpr_host_call_record`, until `limit` are written or that
    // returns 0 or less; returns 0, or what was less than 0.
    int32_t (*scan)(void *user_data,
                    struct wpr_host_call_t call,
                    const char *table,
                    size_t table_length,
                    const uint8_t *from,
                    size_t from_length,
                    uint32_t limit);
    // Stores a value; returns 1 if it replaced one and 0 if not.
    int32_t (*write)(void *user_data,
                     struct wpr_host_call_t call,
                     const char *table,
                     size_t table_length,
                     const uint8_t *key,
                     size_t key_length,
                     const uint8_t *value,
                     size_t value_length);
    // Removes a row; returns 0, or `WPR_HOST_NOT_FOUND`. The word is not `delete`, which C++ keeps for itself.
    int32_t (*remove)(void *user_data,
                      struct wpr_host_call_t call,
                      const char *table,
                      size_t table_length,
                      const uint8_t *key,
                      size_t key_length);
    // Finds a setting that the plugin's configuration does not have, gives it to `wpr_host_call_output` and returns
    // what that returns.
    int32_t (*setting)(void *user_data, struct wpr_host_call_t call, const char *name, size_t name_length);
    // Takes in one observation: `kind` 0 adds to a counter, 1 sets a gauge, 2 counts in a histogram. The value is a
    // number. Labels: `wpr_host_call_label`.
    int32_t (*metric)(void *user_data,
                      struct wpr_host_call_t call,
                      uint32_t kind,
                      const char *name,
                      size_t name_length,
                      double value);
    // Takes in a line that a plugin logs: `level` 1 error, 2 warning, 3 information, 4 debug. Its control characters
    // are escaped.
    int32_t (*log)(void *user_data,
                   struct wpr_host_call_t call,
                   uint32_t level,
                   const char *line,
                   size_t line_length);
    // Hears what happened to a plugin, in the words of the audit; the record has no number and is good until the
    // callback returns. Everything that runs no plugin may be done here.
    void (*event)(void *user_data, const struct wpr_audit_record_t *record);
} wpr_host_t;

// A callback that plugins import: gets the arguments, of the types it was defined with, and fills in `result`, which is
// a zero of the type it was defined with. Returns a `wpr_host_status_t`, or a number from 0 on.
typedef int32_t (*wpr_host_callback_t)(void *user_data,
                                       struct wpr_host_call_t call,
                                       const struct wpr_value_t *args,
                                       size_t arg_count,
                                       struct wpr_value_t *result);

// A function of the program's own that plugins may import. `wpr_host_function_init` sets the defaults.
//
// A call of it allocates nothing if it has up to two parameters, or up to eight that are all `WPR_I32`, and otherwise
// one buffer for the values.
typedef struct wpr_host_function_t {
    // The size of the struct.
    size_t struct_size;
    // The import module, such as `"env"`.
    const char *module;
    // The import name.
    const char *name;
    // The types of the parameters: `WPR_I32` to `WPR_F64`, up to 16. Default: none.
    const uint32_t *params;
    // How many.
    size_t param_count;
    // The type of the result. Default: `WPR_NONE`.
    uint32_t result;
    // What a plugin needs to call it: 0 nothing, 1 some table to read, 2 some table to write, 3 `can_index_search`, 4
    // `can_vector_search`, 5 some plugin to call. Default: 0.
    uint32_t grant;
    // The name of a custom grant that a plugin needs instead. Default: null, none.
    const char *custom_grant;
    // Fuel for being called. Default: 40.
    uint64_t base_fuel;
    // Fuel for 64 bytes: `wpr_host_call_charge_bytes`. Default: 2.
    uint64_t fuel_per_64_bytes;
    // Fuel for a row. Default: 12.
    uint64_t fuel_per_item;
    // What is called.
    wpr_host_callback_t callback;
    // What it gets first.
    void *user_data;
    // Called with `user_data` once nothing of the registry is left. Not called if `wpr_registry_new` fails.
    void (*drop)(void *user_data);
} wpr_host_function_t;

// What the plugins of one tenant may hold and spend together, or those of all. `wpr_quota_init`: no ceiling, which is
// `UINT64_MAX`.
typedef struct wpr_quota_t {
    // The size of the struct.
    size_t struct_size;
    // Loaded plugins.
    uint64_t max_plugins;
    // Sandboxes, idle ones included.
    uint64_t max_sandboxes;
    // Bytes of all linear memories of all sandboxes.
    uint64_t max_memory_bytes;
    // Elements of all tables of all sandboxes.
    uint64_t max_table_elements;
    // Bytes of heap for all of it: code, sandboxes, memories, tables and stacks, by an estimate that is never too low.
    uint64_t max_heap_bytes;
    // Rows that plugins have stored.
    uint64_t max_stored_rows;
    // Bytes that plugins have stored.
    uint64_t max_stored_bytes;
    // Fuel that comes each second. Default: `UINT64_MAX`, no limit over time.
    uint64_t fuel_per_second;
    // The most fuel that can have come together.
    uint64_t fuel_burst;
} wpr_quota_t;

// What a registry has for its plugins. `wpr_registry_options_init` sets the defaults.
typedef struct wpr_registry_options_t {
    // The size of the struct.
    size_t struct_size;
    // What plugins get from the program. Default: null, everything from memory.
    const struct wpr_host_t *host;
    // Pointers to the functions of the program's own; with the built-in ones 64 at most. Default: none.
    const struct wpr_host_function_t *const *functions;
    // How many.
    size_t function_count;
    // 1 to leave out the built-in functions `soch_v1`. Default: 0.
    uint32_t without_built_in_functions;
    // What goes to the audit ring: 0 nothing, 1 decisions, 2 every host call as well. Default: 1.
    uint32_t audit_level;
    // A clock: microseconds that never go back. Default: null, the system's. Without the standard library, and on
    // wasm32-unknown-unknown, there is none then, and `timeout_ms` has to be 0. It must not use this library.
    uint64_t (*clock_us)(void *user_data);
    // What the clock gets.
    void *clock_user_data;
    // What all plugins of all tenants may hold together. Default: null, no ceiling.
    const struct wpr_quota_t *quota;
} wpr_registry_options_t;

// What the plugins of one tenant hold. `wpr_usage_init` sets its size.
typedef struct wpr_usage_t {
    // The size of the struct.
    size_t struct_size;
    // Loaded plugins.
    uint64_t plugins;
    // Sandboxes.
    uint64_t sandboxes;
    // Bytes of linear memories.
    uint64_t memory_bytes;
    // Elements of tables.
    uint64_t table_elements;
    // Bytes of heap, by an estimate that is never too low.
    uint64_t heap_bytes;
    // Rows stored.
    uint64_t stored_rows;
    // Bytes stored.
    uint64_t stored_bytes;
    // Fuel that is there now; `UINT64_MAX` without a limit over time.
    uint64_t fuel_left;
} wpr_usage_t;

// A call that a new version has to answer before it takes over: with values, or of the byte convention.
// `wpr_probe_init` sets the defaults.
typedef struct wpr_probe_t {
    // The size of the struct.
    size_t struct_size;
    // The exported function.
    const char *function;
    // 1 if it is of the byte convention. Default: 0.
    uint32_t is_bytes;
    // 1 if it has to answer what is expected; with 0 any answer will do. Default: 0.
    uint32_t has_expected;
    // Its arguments.
    const struct wpr_value_t *args;
    // How many.
    size_t arg_count;
    // The results it must have, to the bit.
    const struct wpr_value_t *expected;
    // How many.
    size_t expected_count;
    // The bytes it is handed.
    const uint8_t *input;
    // How many.
    size_t input_length;
    // The bytes it must answer.
    const uint8_t *expected_bytes;
    // How many.
    size_t expected_length;
} wpr_probe_t;

// How a plugin is reloaded. `wpr_reload_options_init` sets the defaults.
typedef struct wpr_reload_options_t {
    // The size of the struct.
    size_t struct_size;
    // Whether the new version takes over the state of the old one, by `soch_save` and `soch_restore`: 0 no, 1 if both
    // have the functions, 2 or the reload fails. Default: 0.
    uint32_t state;
    // 1 to keep the version that is replaced for a rollback. Default: 1.
    uint32_t keep_previous;
    // How long calls of the old version may go on until they are cancelled, in milliseconds. Default: `UINT64_MAX`, as
    // long as they like, and nobody waits.
    uint64_t drain_ms;
    // Pointers to calls that the new version has to answer first. Default: none.
    const struct wpr_probe_t *const *probes;
    // How many.
    size_t probe_count;
} wpr_reload_options_t;

// What a plugin has done since it was loaded, over all its sandboxes. `wpr_stats_init` sets its size.
typedef struct wpr_stats_t {
    // The size of the struct.
    size_t struct_size;
    // Calls that ran, however they ended.
    uint64_t total_calls;
    // Fuel charged to guest and host work, sandbox starts included.
    uint64_t total_fuel_consumed;
    // Time spent in calls, in microseconds, sampled; 0 without a clock.
    uint64_t total_execution_us;
    // Calls that ended in a trap, were stopped at a limit or by a host function, or were cancelled.
    uint64_t trap_count;
    // The largest sum of linear memories that one sandbox has held, in bytes.
    uint64_t peak_memory_bytes;
    // Host function calls that the guest made.
    uint64_t host_calls;
    // Host function calls that were denied for want of a grant.
    uint64_t denied_host_calls;
    // Sandboxes made, the first one included.
    uint64_t sandboxes_started;
} wpr_stats_t;

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Returns the version of the API that the library has: `WPR_API_VERSION` of its header.
uint32_t wpr_api_version(void);

// Returns the version of the library: a text that stays.
const char *wpr_version(void);

// Sets the size of a record.
void wpr_audit_record_init(struct wpr_audit_record_t *record, size_t struct_size);

// Takes the oldest record out of the ring of the last 64 decisions. `WPR_NOT_FOUND` if there is none.
wpr_code_t wpr_registry_audit_pop(struct wpr_registry_t registry,
                                  struct wpr_audit_record_t *record,
                                  struct wpr_error_t *error);

// Says how many records were lost because nobody took them, or because two threads were at the ring at once.
wpr_code_t wpr_registry_audit_dropped(struct wpr_registry_t registry, uint64_t *dropped, struct wpr_error_t *error);

// Says where the bytes are. They stay there, unchanged, until the handle is released.
wpr_code_t wpr_bytes_view(struct wpr_bytes_t bytes,
                          const uint8_t * *data,
                          size_t *length,
                          struct wpr_error_t *error);

// Releases bytes.
wpr_code_t wpr_bytes_release(struct wpr_bytes_t bytes, struct wpr_error_t *error);

// Begins a call of a function by name, of which nothing runs yet. It has a sandbox of its own until it ends.
wpr_code_t wpr_call_start(struct wpr_plugin_t plugin,
                          const char *function,
                          const struct wpr_value_t *args,
                          size_t arg_count,
                          const struct wpr_call_options_t *options,
                          struct wpr_call_t *call,
                          struct wpr_error_t *error);

// Begins to hand bytes to a function of the byte convention.
wpr_code_t wpr_call_start_bytes(struct wpr_plugin_t plugin,
                                const char *function,
                                const uint8_t *input,
                                size_t input_length,
                                const struct wpr_call_options_t *options,
                                struct wpr_call_t *call,
                                struct wpr_error_t *error);

// Runs a call until it has spent `fuel`, waits for its host, or has ended; says how far it came, a `wpr_progress_t`,
// and the ticket if it is suspended.
//
// It may be left alone after that for as long as one likes: that is how it is paused, and this how it is resumed. Its
// deadline counts from the first run on. An error ends it.
wpr_code_t wpr_call_run(struct wpr_call_t call,
                        uint64_t fuel,
                        uint32_t *progress,
                        uint64_t *ticket,
                        struct wpr_error_t *error);

// Answers the host call that a call is suspended in. It goes on with the next run.
//
// `value` is what the host function returns to the plugin, null if it returns nothing. `output` goes to the part of
// the plugin's memory that the function has its output in, if it fits, and is charged for; `value` is then its length
// for `soch_read`, and so on as the host ABI says. `WPR_NOT_FOUND` if the call is not suspended with this ticket;
// `WPR_SIGNATURE_MISMATCH` if the host function returns another type.
wpr_code_t wpr_call_complete(struct wpr_call_t call,
                             uint64_t ticket,
                             const struct wpr_value_t *value,
                             const uint8_t *output,
                             size_t output_length,
                             struct wpr_error_t *error);

// Answers the host call that a call is suspended in with an error: a negative `wpr_host_status_t`. `WPR_NOT_FOUND` if
// the call is not suspended with this ticket.
wpr_code_t wpr_call_fail(struct wpr_call_t call,
                         uint64_t ticket,
                         int32_t status,
                         struct wpr_error_t *error);

// Answers the results of a call that has finished, any number of times.
wpr_code_t wpr_call_results(struct wpr_call_t call,
                            struct wpr_value_t *results,
                            size_t result_capacity,
                            size_t *result_count,
                            struct wpr_error_t *error);

// Answers the bytes that a function of the byte convention answered, once the call has finished.
wpr_code_t wpr_call_answer(struct wpr_call_t call, struct wpr_bytes_t *answer, struct wpr_error_t *error);

// Says how much fuel a call has spent so far.
wpr_code_t wpr_call_fuel_spent(struct wpr_call_t call, uint64_t *fuel, struct wpr_error_t *error);

// Gives what cancels a call, wherever it is, from any thread.
wpr_code_t wpr_call_cancel_token(struct wpr_call_t call, struct wpr_cancel_t *token, struct wpr_error_t *error);

// Releases a call. One that has not ended is cancelled, and everything it had is given back.
wpr_code_t wpr_call_release(struct wpr_call_t call, struct wpr_error_t *error);

// Cancels a call: it ends with `WPR_CANCELLED` at the end of its slice, at its next host call or at its next
// checkpoint. `WPR_NOT_FOUND` if it has ended, or is cancelled already. May be asked from any thread and any callback.
wpr_code_t wpr_cancel(struct wpr_cancel_t token,
                      struct wpr_error_t *error);

// Releases what cancels a call.
wpr_code_t wpr_cancel_release(struct wpr_cancel_t token, struct wpr_error_t *error);

// Fills a configuration with defaults. `struct_size` is `sizeof *config`.
void wpr_config_init(struct wpr_config_t *config, size_t struct_size);

// Fills limits with defaults. `struct_size` is `sizeof *limits`.
void wpr_limits_init(struct wpr_limits_t *limits, size_t struct_size);

// Fills options with defaults. `struct_size` is `sizeof *options`.
void wpr_call_options_init(struct wpr_call_options_t *options, size_t struct_size);

// Looks up an exported function. The handle outlives the plugin handle, and follows the plugin to other versions.
// `WPR_FUNCTION_NOT_FOUND` if there is none of that name.
wpr_code_t wpr_plugin_function(struct wpr_plugin_t plugin,
                               const char *name,
                               struct wpr_function_t *function,
                               struct wpr_error_t *error);

// Calls a function, as `wpr_plugin_call` does.
wpr_code_t wpr_function_call(struct wpr_function_t function,
                             const struct wpr_value_t *args,
                             size_t arg_count,
                             const struct wpr_call_options_t *options,
                             struct wpr_value_t *results,
                             size_t result_capacity,
                             size_t *result_count,
                             struct wpr_error_t *error);

// Releases a function handle.
wpr_code_t wpr_function_release(struct wpr_function_t function, struct wpr_error_t *error);

// Charges for the whole of a value and gives it to the plugin if it fits where the plugin wants it. Returns its
// length, which is what the callback returns in turn. For `read` and `setting`.
int32_t wpr_host_call_output(struct wpr_host_call_t call,
                             const uint8_t *value,
                             size_t length);

// Charges for a row and gives it to the plugin if it fits. Returns 1 if it does; 0 if it does not and others did;
// `WPR_HOST_LIMIT_REACHED` if it is the first. For `scan`.
int32_t wpr_host_call_record(struct wpr_host_call_t call,
                             const uint8_t *key,
                             size_t key_length,
                             const uint8_t *value,
                             size_t value_length);

// Says where in its memory the plugin has `length` bytes at `pointer`, both as the plugin gave them. What is there is
// good until something is written, and until the callback returns. Returns 0, or `WPR_HOST_INVALID_ARGUMENTS` if it
// is not all inside.
int32_t wpr_host_call_memory(struct wpr_host_call_t call,
                             uint32_t pointer,
                             uint32_t length,
                             const uint8_t * *bytes);

// Writes bytes into the plugin's memory, at a pointer that the plugin gave. Returns 0, or
// `WPR_HOST_INVALID_ARGUMENTS` if they are not all inside; nothing is written then. Charges nothing:
// `wpr_host_call_charge_bytes`.
int32_t wpr_host_call_write(struct wpr_host_call_t call, uint32_t pointer, const uint8_t *bytes, size_t length);

// Charges fuel to the running call. Returns 0, or `WPR_HOST_OUT_OF_FUEL`, which the callback returns in turn, if less
// is left; nothing is charged then.
int32_t wpr_host_call_charge(struct wpr_host_call_t call,
                             uint64_t fuel);

// Charges for so many bytes, at what the function was defined to cost.
int32_t wpr_host_call_charge_bytes(struct wpr_host_call_t call, size_t length);

// Says whether the call may go on: 0, `WPR_HOST_DEADLINE` or `WPR_HOST_CANCELLED`. To be asked every 64 KiB or 1,024
// rows of a long loop.
int32_t wpr_host_call_checkpoint(struct wpr_host_call_t call);

// Returns 1 if the callback may answer later, 0 if not: only the calls of `wpr_call_start` can wait.
int32_t wpr_host_call_can_suspend(struct wpr_host_call_t call);

// Says under which ticket the answer will be given, with `wpr_call_complete`, and returns `WPR_HOST_PENDING`, which
// the callback returns in turn; `WPR_HOST_NOT_SUPPORTED` if the call cannot wait: only one of `wpr_call_start` can.
int32_t wpr_host_call_suspend(struct wpr_host_call_t call,
                              uint64_t ticket);

// Says which part of the plugin's memory a later answer goes to, for a function of the program's own that suspends
// its call. The memory cannot be looked at after that. Returns 0, or `WPR_HOST_INVALID_ARGUMENTS`.
int32_t wpr_host_call_answer_to(struct wpr_host_call_t call,
                                uint32_t pointer,
                                uint32_t length);

// Returns the fuel that guest and host may still spend in the running call; `UINT64_MAX` if it is not metered.
uint64_t wpr_host_call_fuel_left(struct wpr_host_call_t call);

// Returns the tag that the running call was given, 0 if none.
uint64_t wpr_host_call_tag(struct wpr_host_call_t call);

// Says which plugin calls: UTF-8 of `length` bytes, good until the callback returns. Returns 0.
int32_t wpr_host_call_plugin(struct wpr_host_call_t call, const char * *name, size_t *length);

// Says which tenant the plugin that calls belongs to, likewise.
int32_t wpr_host_call_tenant(struct wpr_host_call_t call, const char * *name, size_t *length);

// Finds a setting of the plugin's configuration, likewise; `WPR_HOST_NOT_FOUND` if it has none of that name.
int32_t wpr_host_call_setting(struct wpr_host_call_t call,
                              const char *name,
                              const char * *value,
                              size_t *length);

// Says what the label of that place of a metric is, counted from 0: name and value, likewise. Returns 0;
// `WPR_HOST_NOT_FOUND` behind the last. For `metric`.
int32_t wpr_host_call_label(struct wpr_host_call_t call,
                            size_t place,
                            const char * *name,
                            size_t *name_length,
                            const char * *value,
                            size_t *value_length);

// Takes a sandbox out of the pool, for several calls; it is returned when the handle is released. `WPR_BUSY` if all
// are in use.
wpr_code_t wpr_plugin_lease(struct wpr_plugin_t plugin,
                            struct wpr_lease_t *lease,
                            struct wpr_error_t *error);

// Returns the sandbox; when whoever is using it has ended, if someone is.
wpr_code_t wpr_lease_release(struct wpr_lease_t lease, struct wpr_error_t *error);

// Calls a function in the sandbox, as `wpr_plugin_call` does.
wpr_code_t wpr_lease_call(struct wpr_lease_t lease,
                          const char *function,
                          const struct wpr_value_t *args,
                          size_t arg_count,
                          const struct wpr_call_options_t *options,
                          struct wpr_value_t *results,
                          size_t result_capacity,
                          size_t *result_count,
                          struct wpr_error_t *error);

// Hands bytes to a function of the byte convention in the sandbox, as `wpr_plugin_call_bytes_into` does.
wpr_code_t wpr_lease_call_bytes_into(struct wpr_lease_t lease,
                                     const char *function,
                                     const uint8_t *input,
                                     size_t input_length,
                                     uint8_t *output,
                                     size_t output_capacity,
                                     size_t *output_length,
                                     struct wpr_error_t *error);

// Reads from a memory of the sandbox, by the name of its export: `length` bytes at `offset`. `WPR_LIMIT_EXCEEDED` if
// they are not all inside.
wpr_code_t wpr_lease_read(struct wpr_lease_t lease,
                          const char *memory,
                          uint64_t offset,
                          uint8_t *bytes,
                          size_t length,
                          struct wpr_error_t *error);

// Writes into a memory of the sandbox, likewise; nothing if it does not all fit.
wpr_code_t wpr_lease_write(struct wpr_lease_t lease,
                           const char *memory,
                           uint64_t offset,
                           const uint8_t *bytes,
                           size_t length,
                           struct wpr_error_t *error);

// Says how many bytes a memory of the sandbox has. `WPR_NOT_FOUND` if none is exported under that name.
wpr_code_t wpr_lease_memory_bytes(struct wpr_lease_t lease,
                                  const char *memory,
                                  uint64_t *bytes,
                                  struct wpr_error_t *error);

// Grows a memory of the sandbox by so many pages; says how many it had before.
wpr_code_t wpr_lease_grow(struct wpr_lease_t lease,
                          const char *memory,
                          uint64_t pages,
                          uint64_t *pages_before,
                          struct wpr_error_t *error);

// Answers the value of a global of the sandbox. `WPR_NOT_FOUND` if none is exported under that name that could cross.
wpr_code_t wpr_lease_global(struct wpr_lease_t lease,
                            const char *name,
                            struct wpr_value_t *value,
                            struct wpr_error_t *error);

// Gives what cancels the next call of the lease, from any thread.
wpr_code_t wpr_lease_cancel_token(struct wpr_lease_t lease, struct wpr_cancel_t *token, struct wpr_error_t *error);

// Sets what gets the log of the whole program's library, down to `max_level`: 0 nothing to 4 debug. The callback may
// be null. One that is replaced may still be called by threads that are about to.
//
// `WPR_REFUSED` if another logger of Rust's `log` was set before, by other Rust code in the program.
wpr_code_t wpr_set_log(wpr_log_callback_t callback,
                       void *user_data,
                       uint32_t max_level,
                       struct wpr_error_t *error);

// Sets the size of what maintenance answers.
void wpr_maintained_init(struct wpr_maintained_t *maintained, size_t struct_size);

// Makes the sandboxes that calls will want, and drops those that none will: for idle time. First it drops what is used
// up; then, while idle sandboxes hold more than `max_idle_bytes` together, what was idle for longest, but for state of
// earlier calls (`trim_idle`) and `min_instances` of each plugin; then it makes what plugins lack of their
// `min_instances`. Each sandbox that it drops or makes is a step, of which it does no more than `steps`; `UINT64_MAX` in
// either is no bound. A sandbox that does not start is counted, and no error.
//
// Any thread may call it, also while others call, load and unload, and none waits or is refused for it. It runs start
// functions, each under the limits of a call, and so the callbacks of host functions, on the thread that calls it:
// `WPR_REENTRANT` in a callback.
wpr_code_t wpr_registry_maintain(struct wpr_registry_t registry,
                                 uint64_t steps,
                                 uint64_t max_idle_bytes,
                                 struct wpr_maintained_t *maintained,
                                 struct wpr_error_t *error);

// Fills a host with no callbacks.
void wpr_host_init(struct wpr_host_t *host, size_t struct_size);

// Fills a host function with defaults.
void wpr_host_function_init(struct wpr_host_function_t *function, size_t struct_size);

// Fills options with defaults.
void wpr_registry_options_init(struct wpr_registry_options_t *options, size_t struct_size);

// Releases a plugin handle. The plugin itself stays loaded.
wpr_code_t wpr_plugin_release(struct wpr_plugin_t plugin, struct wpr_error_t *error);

// Calls a function by name. `options` may be null. `results` has room for `result_capacity` values, of which
// `result_count` says how many there are; `WPR_MAX_VALUES` always suffice. Either may be null if nothing is wanted.
//
// A call that succeeds allocates nothing once the sandbox is warm.
wpr_code_t wpr_plugin_call(struct wpr_plugin_t plugin,
                           const char *function,
                           const struct wpr_value_t *args,
                           size_t arg_count,
                           const struct wpr_call_options_t *options,
                           struct wpr_value_t *results,
                           size_t result_capacity,
                           size_t *result_count,
                           struct wpr_error_t *error);

// Hands bytes to a function of the byte convention and answers what it answers.
wpr_code_t wpr_plugin_call_bytes(struct wpr_plugin_t plugin,
                                 const char *function,
                                 const uint8_t *input,
                                 size_t input_length,
                                 struct wpr_bytes_t *answer,
                                 struct wpr_error_t *error);

// Hands bytes to a function of the byte convention and writes what it answers to `output`, which must not be where
// `input` is. `WPR_LIMIT_EXCEEDED` if it does not fit; the plugin has run by then. Allocates nothing once the sandbox
// is warm.
wpr_code_t wpr_plugin_call_bytes_into(struct wpr_plugin_t plugin,
                                      const char *function,
                                      const uint8_t *input,
                                      size_t input_length,
                                      uint8_t *output,
                                      size_t output_capacity,
                                      size_t *output_length,
                                      struct wpr_error_t *error);

// Says what the plugin is called: a text answer.
wpr_code_t wpr_plugin_name(struct wpr_plugin_t plugin,
                           char *name,
                           size_t capacity,
                           size_t *length,
                           struct wpr_error_t *error);

// Says which tenant the plugin belongs to: a text answer.
wpr_code_t wpr_plugin_tenant(struct wpr_plugin_t plugin,
                             char *tenant,
                             size_t capacity,
                             size_t *length,
                             struct wpr_error_t *error);

// Says where the plugin is in its life: a `wpr_state_t`.
wpr_code_t wpr_plugin_state(struct wpr_plugin_t plugin, uint32_t *state, struct wpr_error_t *error);

// Answers the SHA-256 of the module: 32 bytes.
wpr_code_t wpr_plugin_module_hash(struct wpr_plugin_t plugin, uint8_t *sha256, struct wpr_error_t *error);

// Says what the exported function at that place is called, counted from 0: a text answer. `WPR_NOT_FOUND` behind the
// last.
wpr_code_t wpr_plugin_function_at(struct wpr_plugin_t plugin,
                                  size_t place,
                                  char *name,
                                  size_t capacity,
                                  size_t *length,
                                  struct wpr_error_t *error);

// Says of which types a function's parameters and results are: each a `wpr_value_type_t`. `params` and `results` have
// room for `capacity` each, of which the counts say how many there are; `WPR_BUFFER_TOO_SMALL` if one does not fit.
wpr_code_t wpr_plugin_signature(struct wpr_plugin_t plugin,
                                const char *function,
                                uint32_t *params,
                                size_t *param_count,
                                uint32_t *results,
                                size_t *result_count,
                                size_t capacity,
                                struct wpr_error_t *error);

// Tells what else is known of the plugin: traps by kind, how long calls took, calls of each host function, quarantine,
// history of versions. JSON, as `docs/embedding/c.md` describes it.
wpr_code_t wpr_plugin_report(struct wpr_plugin_t plugin,
                             struct wpr_bytes_t *json,
                             struct wpr_error_t *error);

// Gives the plugin its whole fuel budget again.
wpr_code_t wpr_plugin_refuel(struct wpr_plugin_t plugin, struct wpr_error_t *error);

// Says how much of the fuel budget is left; `UINT64_MAX` if there is none.
wpr_code_t wpr_plugin_fuel_budget_left(struct wpr_plugin_t plugin, uint64_t *fuel, struct wpr_error_t *error);

// Cancels the calls of the plugin that are running; says how many. May be asked from any thread and any callback.
wpr_code_t wpr_plugin_cancel_calls(struct wpr_plugin_t plugin,
                                   size_t *cancelled,
                                   struct wpr_error_t *error);

// Says how long the plugin is still in quarantine, in milliseconds; 0 if it is not; `UINT64_MAX` if the next call, or
// one that is running, decides.
wpr_code_t wpr_plugin_quarantine_ms(struct wpr_plugin_t plugin,
                                    uint64_t *left_ms,
                                    struct wpr_error_t *error);

// Takes the plugin out of quarantine. `WPR_NOT_FOUND` if it is not in it.
wpr_code_t wpr_plugin_revive(struct wpr_plugin_t plugin, struct wpr_error_t *error);

// Calls a function of a plugin by the names of both, without a handle on either: looks both up each time.
wpr_code_t wpr_registry_call(struct wpr_registry_t registry,
                             const char *plugin,
                             const char *function,
                             const struct wpr_value_t *args,
                             size_t arg_count,
                             struct wpr_value_t *results,
                             size_t result_capacity,
                             size_t *result_count,
                             struct wpr_error_t *error);

// Fills a quota with no ceilings.
void wpr_quota_init(struct wpr_quota_t *quota, size_t struct_size);

// Sets the size of a usage.
void wpr_usage_init(struct wpr_usage_t *usage, size_t struct_size);

// Sets what a tenant's plugins may hold and spend together, in the place of what was set before. What is over a
// ceiling stays; nothing is added until enough has gone.
wpr_code_t wpr_registry_set_quota(struct wpr_registry_t registry,
                                  const char *tenant,
                                  const struct wpr_quota_t *quota,
                                  struct wpr_error_t *error);

// Answers what a tenant's plugins hold.
wpr_code_t wpr_registry_usage(struct wpr_registry_t registry,
                              const char *tenant,
                              struct wpr_usage_t *usage,
                              struct wpr_error_t *error);

// Makes a registry. `options` may be null. `WPR_UNSOUND_DISPATCH` if no plugin may run in this build of the library;
// `WPR_TABLE_FULL` if there are too many functions, or two of one name.
wpr_code_t wpr_registry_new(const struct wpr_registry_options_t *options,
                            struct wpr_registry_t *registry,
                            struct wpr_error_t *error);

// Releases a registry: its plugins are unloaded once nobody uses them. Plugin and function handles go on.
wpr_code_t wpr_registry_release(struct wpr_registry_t registry, struct wpr_error_t *error);

// Says what a module asks for, and whether `wpr_registry_load` would take it with the same configuration, before
// anything of it runs: JSON, as `docs/embedding/c.md` describes it.
wpr_code_t wpr_registry_admit(struct wpr_registry_t registry,
                              const uint8_t *wasm,
                              size_t wasm_length,
                              const struct wpr_config_t *config,
                              struct wpr_bytes_t *report,
                              struct wpr_error_t *error);

// Loads a module under a name, 1 to 128 bytes. `config` may be null. The bytes are not needed afterwards.
wpr_code_t wpr_registry_load(struct wpr_registry_t registry,
                             const char *name,
                             const uint8_t *wasm,
                             size_t wasm_length,
                             const struct wpr_config_t *config,
                             struct wpr_error_t *error);

// Loads a module from a file. `WPR_NOT_SUPPORTED` without the standard library.
wpr_code_t wpr_registry_load_file(struct wpr_registry_t registry,
                                  const char *name,
                                  const char *path,
                                  const struct wpr_config_t *config,
                                  struct wpr_error_t *error);

// Unloads a plugin: new calls are refused at once, and its memory returns with the last call or lease.
wpr_code_t wpr_registry_unload(struct wpr_registry_t registry, const char *name, struct wpr_error_t *error);

// Unloads all plugins, in reverse load order.
wpr_code_t wpr_registry_shutdown_all(struct wpr_registry_t registry, struct wpr_error_t *error);

// Says how many plugins are loaded.
wpr_code_t wpr_registry_count(struct wpr_registry_t registry, size_t *count, struct wpr_error_t *error);

// Says what the plugin is called that was loaded at that place, counted from 0: a text answer.
// `WPR_NOT_FOUND` behind the last.
wpr_code_t wpr_registry_name_at(struct wpr_registry_t registry,
                                size_t place,
                                char *name,
                                size_t capacity,
                                size_t *length,
                                struct wpr_error_t *error);

// Finds a plugin.
wpr_code_t wpr_registry_get(struct wpr_registry_t registry,
                            const char *name,
                            struct wpr_plugin_t *plugin,
                            struct wpr_error_t *error);

// Cancels all calls that are running in a tenant's plugins; says how many.
wpr_code_t wpr_registry_cancel_tenant(struct wpr_registry_t registry,
                                      const char *tenant,
                                      size_t *cancelled,
                                      struct wpr_error_t *error);

// Writes all metrics in the text format of Prometheus.
wpr_code_t wpr_registry_render_prometheus(struct wpr_registry_t registry,
                                          struct wpr_bytes_t *text,
                                          struct wpr_error_t *error);

// Fills a probe with defaults.
void wpr_probe_init(struct wpr_probe_t *probe, size_t struct_size);

// Fills options with defaults.
void wpr_reload_options_init(struct wpr_reload_options_t *options, size_t struct_size);

// Replaces the code and configuration of a plugin, altogether or not at all: if anything fails, the version before
// serves on. A call that begins after this has returned never sees the old version. `config` and `options` may be null.
wpr_code_t wpr_registry_reload(struct wpr_registry_t registry,
                               const char *name,
                               const uint8_t *wasm,
                               size_t wasm_length,
                               const struct wpr_config_t *config,
                               const struct wpr_reload_options_t *options,
                               struct wpr_error_t *error);

// Brings back the version that the last reload replaced. `WPR_NOT_FOUND` if none is kept.
wpr_code_t wpr_registry_rollback(struct wpr_registry_t registry, const char *name, struct wpr_error_t *error);

// Sets the size of statistics.
void wpr_stats_init(struct wpr_stats_t *stats, size_t struct_size);

// Answers what a plugin has done.
wpr_code_t wpr_plugin_stats(struct wpr_plugin_t plugin, struct wpr_stats_t *stats, struct wpr_error_t *error);

// Answers what the loaded plugins of a tenant have done together.
wpr_code_t wpr_registry_tenant_stats(struct wpr_registry_t registry,
                                     const char *tenant,
                                     struct wpr_stats_t *stats,
                                     struct wpr_error_t *error);

// Says how many calls of all plugins there were, and how many of them trapped.
wpr_code_t wpr_registry_global_stats(struct wpr_registry_t registry,
                                     uint64_t *calls,
                                     uint64_t *traps,
                                     struct wpr_error_t *error);

// Stores a row of a tenant's table. `replaced` is 1 if it replaced one.
wpr_code_t wpr_registry_put(struct wpr_registry_t registry,
                            const char *tenant,
                            const char *table,
                            const uint8_t *key,
                            size_t key_length,
                            const uint8_t *value,
                            size_t value_length,
                            uint32_t *replaced,
                            struct wpr_error_t *error);

// Answers a row of a tenant's table: bytes. `WPR_NOT_FOUND` if there is none.
wpr_code_t wpr_registry_get_row(struct wpr_registry_t registry,
                                const char *tenant,
                                const char *table,
                                const uint8_t *key,
                                size_t key_length,
                                uint8_t *value,
                                size_t capacity,
                                size_t *length,
                                struct wpr_error_t *error);

// Removes a row of a tenant's table. `WPR_NOT_FOUND` if there is none.
wpr_code_t wpr_registry_delete_row(struct wpr_registry_t registry,
                                   const char *tenant,
                                   const char *table,
                                   const uint8_t *key,
                                   size_t key_length,
                                   struct wpr_error_t *error);

// Adds an index to a tenant's table, over `field_length` bytes of the values from `field_offset` on.
wpr_code_t wpr_registry_create_index(struct wpr_registry_t registry,
                                     const char *tenant,
                                     const char *index,
                                     const char *table,
                                     size_t field_offset,
                                     size_t field_length,
                                     struct wpr_error_t *error);

// Adds a collection of vectors of `dims` components to a tenant's table. Distance: 0 cosine, 1 dot product negated, 2
// Euclidean.
wpr_code_t wpr_registry_create_collection(struct wpr_registry_t registry,
                                          const char *tenant,
                                          const char *collection,
                                          const char *table,
                                          size_t dims,
                                          uint32_t distance,
                                          struct wpr_error_t *error);

// Stores the vector of a row in a tenant's collection. `replaced` is 1 if it replaced one.
wpr_code_t wpr_registry_insert_vector(struct wpr_registry_t registry,
                                      const char *tenant,
                                      const char *collection,
                                      uint64_t row_id,
                                      const float *vector,
                                      size_t dims,
                                      uint32_t *replaced,
                                      struct wpr_error_t *error);

// Returns `size` bytes aligned to `align`, which is a power of two, or null.
extern void *wpr_hook_alloc(size_t size, size_t align);

// Takes back what `wpr_hook_alloc` returned for the same `size` and `align`.
extern void wpr_hook_free(void *block, size_t size, size_t align);

// Ends the program. The message has `length` bytes.
extern void wpr_hook_abort(const char *message, size_t length);

// Returns where the library may keep one word for the thread that asks: null at first, always the same place.
extern void **wpr_hook_thread_word(void);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* WASM_PLUGIN_RUNTIME_H */

#ifndef WASM_PLUGIN_RUNTIME_VALUES
#define WASM_PLUGIN_RUNTIME_VALUES
#ifndef __cplusplus

// Values, for C.
static inline wpr_value_t wpr_i32(int32_t value) { return (wpr_value_t){WPR_I32, {.i32 = value}}; }
static inline wpr_value_t wpr_i64(int64_t value) { return (wpr_value_t){WPR_I64, {.i64 = value}}; }
static inline wpr_value_t wpr_f32(float value) { return (wpr_value_t){WPR_F32, {.f32 = value}}; }
static inline wpr_value_t wpr_f64(double value) { return (wpr_value_t){WPR_F64, {.f64 = value}}; }

#else

// Values, for C++.
static inline wpr_value_t wpr_i32(int32_t value) { wpr_value_t v; v.kind = WPR_I32; v.of.i32 = value; return v; }
static inline wpr_value_t wpr_i64(int64_t value) { wpr_value_t v; v.kind = WPR_I64; v.of.i64 = value; return v; }
static inline wpr_value_t wpr_f32(float value) { wpr_value_t v; v.kind = WPR_F32; v.of.f32 = value; return v; }
static inline wpr_value_t wpr_f64(double value) { wpr_value_t v; v.kind = WPR_F64; v.of.f64 = value; return v; }

#endif
#endif
