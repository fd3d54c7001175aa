// JavaScript binding of wasm-plugin-runtime, over its C API compiled to WebAssembly: `wasm_runtime.wasm`, as
// `build.sh` makes it. No dependency, no generated code; for browsers, workers and Node.js from 20 on.
//
//     const runtime = await WasmRuntime.load(fetch('wasm_runtime.wasm'));
//     const registry = runtime.registry();
//     const plugin = registry.load('adder', bytes);
//     plugin.call('add', 20, 22);  // 42
//
// `docs/embedding/javascript.md` is the guide; what each function promises in detail stands in
// `capi/include/wasm_runtime.h`, under the same names. Options are the fields of its structs in camelCase. 64-bit
// numbers may be given as numbers, as BigInts or as `Infinity`, and come back as numbers, `Infinity` for `UINT64_MAX`.
// An option that does not exist is a TypeError, never ignored.

const API_VERSION = 1;
const PAGE_BYTES = 65_536;
const MAX_VALUES = 16;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const DISPOSE = Symbol.dispose ?? Symbol.for('Symbol.dispose');

const CODES = {
  1: 'WPR_INVALID_MODULE', 2: 'WPR_REFUSED', 3: 'WPR_LIMIT_EXCEEDED', 4: 'WPR_ALREADY_LOADED', 5: 'WPR_NOT_FOUND',
  6: 'WPR_FUNCTION_NOT_FOUND', 7: 'WPR_SIGNATURE_MISMATCH', 8: 'WPR_BUSY', 9: 'WPR_NOT_READY', 10: 'WPR_OUT_OF_FUEL',
  11: 'WPR_DEADLINE', 12: 'WPR_CANCELLED', 13: 'WPR_TRAP', 14: 'WPR_DENIED', 15: 'WPR_QUARANTINED',
  16: 'WPR_QUOTA_EXCEEDED', 17: 'WPR_HASH_MISMATCH', 18: 'WPR_CLOCK_MISSING', 19: 'WPR_UNSOUND_DISPATCH',
  20: 'WPR_BAD_GUEST_ANSWER', 21: 'WPR_TABLE_FULL', 22: 'WPR_HOST', 23: 'WPR_UNLOADED', 24: 'WPR_IO',
  100: 'WPR_NULL_POINTER', 101: 'WPR_INVALID_HANDLE', 102: 'WPR_INVALID_ARGUMENT', 103: 'WPR_INVALID_STRUCT',
  104: 'WPR_BUFFER_TOO_SMALL', 105: 'WPR_REENTRANT', 106: 'WPR_PANIC', 107: 'WPR_NOT_SUPPORTED',
  108: 'WPR_TOO_MANY_HANDLES',
};
const HOST_STATUSES = {
  WPR_HOST_OK: 0, WPR_HOST_DENIED: -1, WPR_HOST_NOT_FOUND: -2, WPR_HOST_INVALID_ARGUMENTS: -3, WPR_HOST_FAILED: -4,
  WPR_HOST_LIMIT_REACHED: -5, WPR_HOST_NOT_SUPPORTED: -6, WPR_HOST_PLUGIN_FAILED: -7, WPR_HOST_OUT_OF_FUEL: -100,
  WPR_HOST_DEADLINE: -101, WPR_HOST_CANCELLED: -102, WPR_HOST_PENDING: -103, WPR_HOST_ABORT: -104,
  WPR_HOST_NO_CALL: -105,
};
const FAULTS = ['guest', 'host', 'configuration'];
const PROGRESS = ['finished', 'running', 'suspended'];
const STATES = ['loading', 'ready', 'executing', 'trapped', 'unloading', 'unloaded'];
const TYPES = ['none', 'i32', 'i64', 'f32', 'f64', 'v128', 'funcref', 'externref'];
const METRICS = ['counter', 'gauge', 'histogram'];
const LEVELS = ['off', 'error', 'warning', 'information', 'debug'];
const AUDIT_DECISIONS = [
  'grant', 'denial', 'limit', 'trap', 'load', 'reload', 'rollback', 'unload', 'quota', 'quarantine', 'revive', 'other',
];

// --- errors --------------------------------------------------------------------------------------------------------

/**
 * What a function of the library did not do, and why: `code` is a `wpr_code_t` by name, `fault` is 'guest', 'host' or
 * 'configuration', `trapCode` says how the guest trapped and `guestStatus` what it answered, both 0 if it did not.
 * `cause` is what a callback threw, if that ended the call.
 */
export class PluginError extends Error {
  constructor(message, { code, fault = 'host', trapCode = 0, guestStatus = 0, cause }) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'PluginError';
    Object.assign(this, { code, fault, trapCode, guestStatus });
  }
}

/**
 * What a callback throws to answer a host call with a `wpr_host_status_t`, by name: `new HostError('WPR_HOST_DENIED')`.
 * Anything else that a callback throws ends the call.
 */
export class HostError extends Error {
  constructor(status, message = status) {
    super(message);
    if (!Object.hasOwn(HOST_STATUSES, status) || status === 'WPR_HOST_OK') throw new TypeError(`no status: ${status}`);
    this.name = 'HostError';
    this.status = status;
  }
}

const hostStatusName = (number) =>
  Object.keys(HOST_STATUSES).find((name) => HOST_STATUSES[name] === number) ?? 'WPR_HOST_ABORT';

// --- structs -------------------------------------------------------------------------------------------------------

// The structs of the header as wasm32 lays them out. `p` is a pointer or a function, `u` 32 bits without a sign, `i`
// with one, `U` 64 bits, `t` text in an array of 48 bytes.
const STRUCTS = {
  wpr_setting_t: 'name:p value:p',
  wpr_call_options_t: 'struct_size:u fuel:U timeout_ms:U tag:U',
  wpr_limits_t: `struct_size:u max_module_bytes:U max_table_elements:U max_growth_step_bytes:U min_stack_bytes:U
    max_stack_bytes:U max_recursion_depth:U max_types:u max_imports:u max_functions:u max_globals:u max_exports:u
    max_memories:u max_tables:u max_element_segments:u max_data_segments:u max_locals:u max_body_bytes:u max_params:u
    max_results:u max_call_depth:u max_answer_bytes:u on_growth_denied:u`,
  wpr_config_t: `struct_size:u tenant:p can_read_table:p can_read_table_count:u can_write_table:p
    can_write_table_count:u can_call_plugin:p can_call_plugin_count:u custom_grants:p custom_grant_count:u settings:p
    setting_count:u can_index_search:u can_vector_search:u memory_limit_bytes:U fuel_limit:U timeout_ms:U
    epoch_interval_ms:U fuel_budget:U max_instances:u reset:u on_denied:u compilation:u enable_fuel:u enable_epochs:u
    debug_mode:u quarantine_failures:u quarantine_first_ms:U quarantine_longest_ms:U expected_sha256:p limits:p
    code_sharing:u min_instances:u trim_idle:u reserved:u`,
  wpr_quota_t: `struct_size:u max_plugins:U max_sandboxes:U max_memory_bytes:U max_table_elements:U max_heap_bytes:U
    max_stored_rows:U max_stored_bytes:U fuel_per_second:U fuel_burst:U`,
  wpr_usage_t: `struct_size:u plugins:U sandboxes:U memory_bytes:U table_elements:U heap_bytes:U stored_rows:U
    stored_bytes:U fuel_left:U`,
  wpr_maintained_t: `struct_size:u made:U dropped:U trimmed:U idle_bytes:U failed:u is_done:u`,
  wpr_stats_t: `struct_size:u total_calls:U total_fuel_consumed:U total_execution_us:U trap_count:U peak_memory_bytes:U
    host_calls:U denied_host_calls:U sandboxes_started:U`,
  wpr_host_t: `struct_size:u user_data:p drop:p read:p scan:p write:p remove:p setting:p metric:p log:p event:p`,
  wpr_host_function_t: `struct_size:u module:p name:p params:p param_count:u result:u grant:u custom_grant:p base_fuel:U
    fuel_per_64_bytes:U fuel_per_item:U callback:p user_data:p drop:p`,
  wpr_registry_options_t: `struct_size:u host:p functions:p function_count:u without_built_in_functions:u audit_level:u
    clock_us:p clock_user_data:p quota:p`,
  wpr_probe_t: `struct_size:u function:p is_bytes:u has_expected:u args:p arg_count:u expected:p expected_count:u
    input:p input_length:u expected_bytes:p expected_length:u`,
  wpr_reload_options_t: 'struct_size:u state:u keep_previous:u drain_ms:U probes:p probe_count:u',
  wpr_audit_record_t: `struct_size:u sequence:U time_us:U fuel:U decision:u status:i tenant:t plugin:t function:t
    resource:t`,
};
const TEXT_FIELD_BYTES = 48;
const VALUE_BYTES = 16; // wpr_value_t: the kind, and at 8 what is in it
const ERROR_BYTES = 1024; // wpr_error_t: five numbers of 32 bits and the message

const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());
const alignUp = (number, align) => Math.ceil(number / align) * align;

/** Where each field of a struct is, by the rules of C: a field is aligned to its size, and the whole to its largest. */
function layoutOf(declaration) {
  const fields = new Map();
  let end = 0;
  let align = 4;
  for (const field of declaration.trim().split(/\s+/)) {
    const [name, type] = field.split(':');
    const size = type === 'U' ? 8 : type === 't' ? TEXT_FIELD_BYTES : 4;
    const at = alignUp(end, type === 't' ? 1 : size);
    if (type === 'U') align = 8;
    fields.set(name, { at, type });
    end = at + size;
  }
  return { fields, bytes: alignUp(end, align), names: new Map([...fields.keys()].map((name) => [camel(name), name])) };
}

const LAYOUTS = Object.fromEntries(Object.entries(STRUCTS).map(([name, text]) => [name, layoutOf(text)]));

/** A struct in the memory of the library, for as long as the frame that it was made in. */
class Struct {
  constructor(library, name, pointer = library.arena.alloc(LAYOUTS[name].bytes)) {
    Object.assign(this, { library, layout: LAYOUTS[name], pointer });
  }

  get arena() {
    return this.library.arena;
  }

  set(field, value) {
    const { at, type } = this.layout.fields.get(field);
    if (type === 'U') this.arena.view.setBigUint64(this.pointer + at, toU64(value, camel(field)), true);
    else this.arena.view.setUint32(this.pointer + at, toU32(value, camel(field)), true);
  }

  /** Sets a pointer and the count of what is there, which is always the field behind it. */
  setList(field, pointer, count) {
    const names = [...this.layout.fields.keys()];
    this.set(field, pointer);
    this.set(names[names.indexOf(field) + 1], count);
  }

  /** All fields but the size. */
  read() {
    const object = {};
    for (const [name, { at, type }] of this.layout.fields) {
      if (name !== 'struct_size') object[camel(name)] = this.arena.field(this.pointer + at, type);
    }
    return object;
  }
}

function toU64(value, what) {
  if (value === Infinity) return U64_MAX;
  if (Number.isSafeInteger(value) && value >= 0) return BigInt(value);
  if (typeof value === 'bigint' && value >= 0n && value <= U64_MAX) return value;
  throw new TypeError(`${what} is ${String(value)}; it is a whole number from 0 on, or Infinity`);
}

function toU32(value, what) {
  if (Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff) return value;
  throw new TypeError(`${what} is ${String(value)}; it is a whole number from 0 to 4294967295`);
}

const fromU64 = (value) => (value === U64_MAX ? Infinity : Number(value));

// --- options -------------------------------------------------------------------------------------------------------

// How an option gets into its field.
const number = (struct, field, value) => struct.set(field, value);
const text = (struct, field, value) => struct.set(field, struct.arena.text(value, camel(field)));
const pointer = (write) => (struct, field, value) => struct.set(field, write(struct.library, value));

function flag(struct, field, value) {
  if (typeof value !== 'boolean') throw new TypeError(`${camel(field)} is ${String(value)}; it is true or false`);
  struct.set(field, Number(value));
}

function choice(...names) {
  return (struct, field, value) => {
    const place = names.indexOf(value);
    if (place < 0) throw new TypeError(`${camel(field)} is ${String(value)}; it is ${names.join(' or ')}`);
    struct.set(field, place);
  };
}

function texts(struct, field, values) {
  const pointers = [...values].map((value) => struct.arena.text(value, camel(field)));
  struct.setList(field, struct.arena.numbers(pointers), pointers.length);
}

function settings(struct, field, values) {
  const pairs = Object.entries(values).flat().map((value) => struct.arena.text(String(value), camel(field)));
  struct.setList(field, struct.arena.numbers(pairs), pairs.length / 2);
}

function sha256({ arena }, value) {
  const bytes = toBytes(value, 'expectedSha256');
  if (bytes.length !== 32) throw new TypeError('expectedSha256 has 32 bytes');
  return arena.bytes(bytes);
}

/** The same writer for many options. */
const each = (names, write) => Object.fromEntries(names.trim().split(/\s+/).map((name) => [name, write]));

const OPTIONS = {
  wpr_call_options_t: each('fuel timeoutMs tag', number),
  wpr_limits_t: {
    ...each(`maxModuleBytes maxTableElements maxGrowthStepBytes minStackBytes maxStackBytes maxRecursionDepth maxTypes
      maxImports maxFunctions maxGlobals maxExports maxMemories maxTables maxElementSegments maxDataSegments maxLocals
      maxBodyBytes maxParams maxResults maxCallDepth maxAnswerBytes`, number),
    onGrowthDenied: choice('refuse', 'trap'),
  },
  wpr_config_t: {
    tenant: text,
    ...each('canReadTable canWriteTable canCallPlugin customGrants', texts),
    ...each('canIndexSearch canVectorSearch enableFuel enableEpochs debugMode trimIdle', flag),
    ...each(`memoryLimitBytes fuelLimit timeoutMs epochIntervalMs fuelBudget maxInstances quarantineFailures
      quarantineFirstMs quarantineLongestMs minInstances`, number),
    settings,
    reset: choice('onTrap', 'afterCall'),
    onDenied: choice('status', 'trap'),
    compilation: choice('eager', 'lazy'),
    codeSharing: choice('own', 'tenant', 'registry'),
    expectedSha256: pointer(sha256),
    limits: pointer((library, limits) => library.options('wpr_limits_t', limits)),
  },
  wpr_quota_t: each(`maxPlugins maxSandboxes maxMemoryBytes maxTableElements maxHeapBytes maxStoredRows maxStoredBytes
    fuelPerSecond fuelBurst`, number),
  wpr_host_function_t: {
    grant: choice('none', 'readTable', 'writeTable', 'indexSearch', 'vectorSearch', 'callPlugin'),
    customGrant: text,
    ...each('baseFuel fuelPer64Bytes fuelPerItem', number),
  },
  wpr_registry_options_t: {
    withoutBuiltInFunctions: flag,
    auditLevel: choice('off', 'decisions', 'hostCalls'),
    quota: pointer((library, quota) => library.options('wpr_quota_t', quota)),
  },
  wpr_reload_options_t: {
    state: choice('fresh', 'ifExported', 'required'),
    keepPrevious: flag,
    drainMs: number,
    probes: (struct, field, probes) => {
      const pointers = [...probes].map((probe) => struct.library.probe(probe));
      struct.setList(field, struct.arena.numbers(pointers), pointers.length);
    },
  },
};

/** What the tests hold against the header; not for others. */
export const tables = { CODES, HOST_STATUSES, LAYOUTS, OPTIONS, TYPES, STATES, AUDIT_DECISIONS, PROGRESS };

function toBytes(source, what) {
  if (ArrayBuffer.isView(source)) return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
  if (source instanceof ArrayBuffer) return new Uint8Array(source);
  if (typeof source === 'string') return new TextEncoder().encode(source);
  throw new TypeError(`${what} is bytes (an ArrayBuffer, a typed array) or a string, which is taken as UTF-8`);
}

// --- memory --------------------------------------------------------------------------------------------------------

/**
 * The part of the library's memory that is the binding's: a stack, onto which a call of the library puts its arguments,
 * and which is as it was when that is over. It grows by pages of its own, which the library's allocator never sees.
 */
class Arena {
  #memory;
  #view;
  #blocks = [];
  #block = 0;
  #top = 0;

  constructor(memory) {
    this.#memory = memory;
    this.#view = new DataView(memory.buffer);
  }

  /** A view of the whole memory: a new one if the memory has grown, since the old one is detached. */
  get view() {
    if (this.#view.buffer !== this.#memory.buffer) this.#view = new DataView(this.#memory.buffer);
    return this.#view;
  }

  /** Runs `use`; what it puts into the arena is gone afterwards. */
  within(use) {
    const [block, top] = [this.#block, this.#top];
    try {
      return use(this);
    } finally {
      [this.#block, this.#top] = [block, top];
    }
  }

  alloc(bytes) {
    for (;;) {
      const block = this.#blocks[this.#block];
      const at = alignUp(Math.max(this.#top, block?.start ?? 0), 8);
      if (block && at + bytes <= block.end) {
        this.#top = at + bytes;
        return at;
      }
      if (this.#block + 1 < this.#blocks.length) [this.#block, this.#top] = [this.#block + 1, 0];
      else this.#grow(bytes);
    }
  }

  /** By what is needed, or by as much again as there is: a few blocks, however often it grows. */
  #grow(bytes) {
    const total = this.#blocks.reduce((sum, { start, end }) => sum + end - start, 0);
    const pages = Math.ceil(Math.max(bytes, total) / PAGE_BYTES);
    const start = this.#memory.grow(pages) * PAGE_BYTES;
    const last = this.#blocks.at(-1);
    if (last?.end === start) last.end += pages * PAGE_BYTES;
    else this.#blocks.push({ start, end: start + pages * PAGE_BYTES });
  }

  bytes(bytes) {
    const at = this.alloc(bytes.length);
    new Uint8Array(this.#memory.buffer, at, bytes.length).set(bytes);
    return at;
  }

  copy(at, length) {
    return new Uint8Array(this.#memory.buffer, at, length).slice();
  }

  /** A text with a zero byte at its end. */
  text(value, what = 'the name') {
    if (typeof value !== 'string') throw new TypeError(`${what} is ${String(value)}; it is a string`);
    if (value.includes('\0')) throw new TypeError(`${what} has a zero byte`);
    return this.bytes(new TextEncoder().encode(`${value}\0`));
  }

  readText(at, length) {
    return new TextDecoder().decode(new Uint8Array(this.#memory.buffer, at, length));
  }

  numbers(values) {
    const at = this.alloc(4 * values.length);
    values.forEach((value, place) => this.view.setUint32(at + 4 * place, value, true));
    return at;
  }

  u32(at) {
    return this.view.getUint32(at, true);
  }

  u64(at) {
    return fromU64(this.view.getBigUint64(at, true));
  }

  field(at, type) {
    if (type === 'U') return this.u64(at);
    if (type === 'i') return this.view.getInt32(at, true);
    if (type !== 't') return this.u32(at);
    const bytes = this.copy(at, TEXT_FIELD_BYTES);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  /** Values as JavaScript's own conversion makes them: a BigInt for `i64`, a number for the others. */
  values(values, types) {
    const at = this.alloc(VALUE_BYTES * values.length);
    values.forEach((value, place) => this.putValue(at + VALUE_BYTES * place, value, types[place] ?? 'i32'));
    return at;
  }

  putValue(at, value, type) {
    const { view } = this;
    view.setUint32(at, TYPES.indexOf(type), true);
    if (type === 'i32') view.setInt32(at + 8, value, true);
    else if (type === 'f32') view.setFloat32(at + 8, value, true);
    else if (type === 'f64') view.setFloat64(at + 8, value, true);
    else view.setBigInt64(at + 8, value, true);
  }

  readValues(at, count) {
    return Array.from({ length: count }, (_, place) => this.readValue(at + VALUE_BYTES * place));
  }

  readValue(at) {
    const { view } = this;
    switch (TYPES[view.getUint32(at, true)]) {
      case 'i32': return view.getInt32(at + 8, true);
      case 'f32': return view.getFloat32(at + 8, true);
      case 'f64': return view.getFloat64(at + 8, true);
      default: return view.getBigInt64(at + 8, true);
    }
  }
}

// --- the library ---------------------------------------------------------------------------------------------------

// The callbacks of the C API by their C types: `i` is 32 bits, `I` 64, `d` a double.
const CALLBACKS = {
  call: 'iIiii>i', drop: 'i>', clock: 'i>I', line: 'iiii>', event: 'ii>', read: 'iIiiii>i', scan: 'iIiiiii>i',
  write: 'iIiiiiii>i', remove: 'iIiiii>i', setting: 'iIii>i', metric: 'iIiiid>i', log: 'iIiii>i',
};

/**
 * A module that imports each callback and exports it again. That gives a JavaScript function a type of WebAssembly,
 * which it needs to be put into a table, where the library finds it: a pointer to a function is a place there.
 */
function adapterModule(callbacks) {
  const leb = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...leb(n >> 7)]);
  const list = (items) => [...leb(items.length), ...items.flat()];
  const section = (id, items) => [id, ...list([list(items)].flat())];
  const name = (string) => list([...new TextEncoder().encode(string)]);
  const types = (letters) => list([...letters].map((letter) => ({ i: 0x7f, I: 0x7e, d: 0x7c })[letter]));
  const entries = Object.entries(callbacks);
  return new Uint8Array([
    0x00, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
    ...section(1, entries.map(([, type]) => [0x60, ...type.split('>').flatMap(types)])),
    ...section(2, entries.map(([key], place) => [...name('js'), ...name(key), 0, place])),
    ...section(7, entries.map(([key], place) => [...name(key), 0, place])),
  ]);
}

/** An instance of the library: its exports, its memory, and the callbacks that it was given. */
class Library {
  arena;
  /** Rises with each reload and rollback: what was read of a plugin before may not be so any more. */
  generation = 0;
  /** By `user_data`: what callbacks of that number are for. */
  callbacks = new Map();
  /** By ticket: answers that callbacks have promised in the run that is going on. */
  promised = new Map();
  #exports;
  #error;
  #places = {};
  #broken;
  #thrown;
  /** How many callbacks are running inside one another. */
  #depth = 0;
  #numbers = 1;
  #finalizers = new FinalizationRegistry(({ release, id }) => {
    if (!this.#broken) this.invoke(release, id, 0);
  });

  constructor(exports) {
    this.#exports = exports;
    this.arena = new Arena(exports.memory);
    this.#error = this.arena.alloc(ERROR_BYTES);
    const version = exports.wpr_api_version();
    if (version < API_VERSION) {
      throw new PluginError(`the library has version ${version} of its API; ${API_VERSION} is needed`, {
        code: 'WPR_NOT_SUPPORTED',
      });
    }
    this.#installCallbacks();
  }

  get memoryBytes() {
    return this.#exports.memory.buffer.byteLength;
  }

  #installCallbacks() {
    const js = {};
    for (const name of Object.keys(CALLBACKS)) js[name] = (...args) => this.#called(name, args);
    const adapter = new WebAssembly.Instance(new WebAssembly.Module(adapterModule(CALLBACKS)), { js });
    const table = this.#exports.__indirect_function_table;
    let place = table.grow(Object.keys(CALLBACKS).length);
    for (const [name, callback] of Object.entries(adapter.exports)) {
      table.set(place, callback);
      this.#places[name] = place++;
    }
  }

  /** The pointer to a callback. */
  place(name) {
    return this.#places[name];
  }

  /** A number that was not given before: for `user_data` and tickets. */
  nextNumber() {
    return this.#numbers++;
  }

  /**
   * Runs an export. What comes out of it as an exception is a panic, or the stack that ran out: it has left the
   * library's memory in the middle of something, so that nothing more can be done with this instance.
   */
  invoke(name, ...args) {
    if (this.#broken) throw this.#broken;
    try {
      return this.#exports[name](...args);
    } catch (cause) {
      const message = `the library failed in ${name}; load it again`;
      this.#broken = new PluginError(message, { code: 'WPR_PANIC', cause });
      throw this.#broken;
    }
  }

  /** Runs an export that answers a code and takes an error last; throws what is not `WPR_OK`. */
  check(name, ...args) {
    if (this.#depth === 0) this.#thrown = undefined;
    const code = this.invoke(name, ...args, this.#error);
    if (code !== 0) throw this.#readError(code);
  }

  #readError(code) {
    const { arena } = this;
    const [fault, trapCode, guestStatus, length] = [4, 8, 12, 16].map((at) => arena.field(this.#error + at, 'i'));
    const bytes = arena.copy(this.#error + 20, Math.min(length, ERROR_BYTES - 20));
    const end = bytes.indexOf(0);
    const message = new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
    const name = CODES[code] ?? `WPR_CODE_${code}`;
    const cause = name === 'WPR_HOST' ? this.#thrown : undefined;
    return new PluginError(message, { code: name, fault: FAULTS[fault], trapCode, guestStatus, cause });
  }

  /** Sets a struct up with its defaults. */
  init(name) {
    const struct = new Struct(this, name);
    this.invoke(name.replace(/_t$/, '_init'), struct.pointer, struct.layout.bytes);
    return struct;
  }

  /** Makes a struct of options; 0, which is its defaults, if there are none. */
  options(name, options) {
    if (options === undefined) return 0;
    const struct = this.init(name);
    setOptions(struct, OPTIONS[name], options, name);
    return struct.pointer;
  }

  /** Runs an export that writes a handle, and answers its number. */
  handle(name, ...args) {
    return this.arena.within((arena) => {
      const id = arena.alloc(8);
      this.check(name, ...args, id);
      return arena.view.getBigUint64(id, true);
    });
  }

  /** Runs an export that writes numbers of so many bits behind its other arguments, and answers them. */
  numbers(bits, name, ...args) {
    return this.arena.within((arena) => {
      const places = bits.map(() => arena.alloc(8));
      this.check(name, ...args, ...places);
      return bits.map((size, place) => (size === 64 ? arena.u64(places[place]) : arena.u32(places[place])));
    });
  }

  /** Runs an export that answers a text, or bytes: first with room for most, then for as much as it says it needs. */
  fill(name, ...args) {
    for (let capacity = 256; ; ) {
      const answer = this.arena.within((arena) => {
        const [buffer, length] = [arena.alloc(capacity), arena.alloc(4)];
        try {
          this.check(name, ...args, buffer, capacity, length);
        } catch (error) {
          if (error.code !== 'WPR_BUFFER_TOO_SMALL') throw error;
          capacity = arena.u32(length) + 1;
          return undefined;
        }
        return arena.copy(buffer, arena.u32(length));
      });
      if (answer) return answer;
    }
  }

  fillText(name, ...args) {
    return new TextDecoder().decode(this.fill(name, ...args));
  }

  /** Runs an export that answers bytes by a handle, and answers them. */
  answer(name, ...args) {
    const handle = this.handle(name, ...args);
    try {
      const [data, length] = this.numbers([32, 32], 'wpr_bytes_view', handle);
      return this.arena.copy(data, length);
    } finally {
      this.invoke('wpr_bytes_release', handle, 0);
    }
  }

  /** Runs an export that calls a function of a plugin, and answers what that returned. */
  results(name, ...args) {
    return this.arena.within((arena) => {
      const [results, count] = [arena.alloc(VALUE_BYTES * MAX_VALUES), arena.alloc(4)];
      this.check(name, ...args, results, MAX_VALUES, count);
      const values = arena.readValues(results, arena.u32(count));
      return values.length > 1 ? values : values[0];
    });
  }

  /** Releases a handle once `owner` is garbage, unless that was done before. */
  watch(owner, release, id) {
    this.#finalizers.register(owner, { release, id }, owner);
  }

  release(owner, release, id) {
    this.#finalizers.unregister(owner);
    if (!this.#broken) this.check(release, id);
  }

  /** A call that a new version has to answer, and the types that its function has there. */
  probe({ function: name, args = [], input, expected, types }) {
    const { arena } = this;
    const probe = this.init('wpr_probe_t');
    probe.set('function', arena.text(name, 'function'));
    probe.set('is_bytes', Number(input !== undefined));
    probe.set('has_expected', Number(expected !== undefined));
    if (input === undefined) {
      const results = expected ?? [];
      probe.setList('args', arena.values(args, types?.params ?? []), args.length);
      probe.setList('expected', arena.values(results, types?.results ?? []), results.length);
    } else {
      const [given, wanted] = [input, expected ?? ''].map((value) => toBytes(value, 'what a probe hands over'));
      probe.setList('input', arena.bytes(given), given.length);
      probe.setList('expected_bytes', arena.bytes(wanted), wanted.length);
    }
    return probe.pointer;
  }

  // --- callbacks

  /** Whatever happens in a callback, no exception goes through the library. */
  #called(name, [user, ...args]) {
    const letters = CALLBACKS[name];
    const callbacks = this.callbacks.get(user);
    const numbers = args.map((value, place) => (letters[place + 1] === 'i' ? value >>> 0 : value));
    this.#depth += 1;
    try {
      return RECEIVERS[name](this, callbacks, ...numbers);
    } catch (error) {
      return this.#failed(name, error);
    } finally {
      this.#depth -= 1;
      if (name === 'drop') this.callbacks.delete(user);
    }
  }

  #failed(name, error) {
    if (error instanceof HostError) return HOST_STATUSES[error.status];
    if (!CALLBACKS[name].endsWith('>i')) surface(error);
    this.#thrown = error;
    return name === 'clock' ? 0n : HOST_STATUSES.WPR_HOST_ABORT;
  }

  /** Suspends a call until a promise has been kept; `settle` says what that means for the plugin. */
  suspend(host, promise, settle) {
    const ticket = this.nextNumber();
    const outcome = Promise.resolve(promise).then(settle).catch((error) => ({ error }));
    const status = this.invoke('wpr_host_call_suspend', host.id, BigInt(ticket));
    if (status === HOST_STATUSES.WPR_HOST_PENDING) this.promised.set(ticket, outcome);
    return status;
  }
}

function setOptions(struct, writers, options, what) {
  for (const [name, value] of Object.entries(options)) {
    if (!Object.hasOwn(writers, name)) throw new TypeError(`${what} has no option ${name}`);
    if (value !== undefined) writers[name](struct, struct.layout.names.get(name), value);
  }
}

/** Lets an error come up that has no caller: as an uncaught one. */
const surface = (error) => queueMicrotask(() => { throw error; });
const isPromise = (value) => typeof value?.then === 'function';
const nowUs = () => performance.now() * 1000;

/** How the library's callbacks reach those of the program. */
const RECEIVERS = {
  drop() {},
  clock: (library, callbacks) => BigInt(Math.trunc((callbacks?.clockUs ?? nowUs)())),
  line: ({ arena }, { line }, level, at, length) => line({ level: LEVELS[level], line: arena.readText(at, length) }),
  event: (library, { event }, record) => event(readRecord(new Struct(library, 'wpr_audit_record_t', record))),

  call(library, { call, result }, id, args, count, answerAt) {
    const host = new HostCall(library, id);
    const answer = call(host, ...library.arena.readValues(args, count));
    if (isPromise(answer)) return library.suspend(host, answer, (value) => ({ type: result, ...withOutput(value) }));
    if (result !== 'none') library.arena.putValue(answerAt, answer, result);
    return 0;
  },

  read(library, { read }, id, table, tableLength, key, keyLength) {
    const host = new HostCall(library, id);
    const answer = read(host, library.arena.readText(table, tableLength), library.arena.copy(key, keyLength));
    return isPromise(answer) ? library.suspend(host, answer, laterOutput) : host.output(found(answer));
  },

  setting(library, { setting }, id, name, nameLength) {
    const host = new HostCall(library, id);
    const answer = setting(host, library.arena.readText(name, nameLength));
    return isPromise(answer) ? library.suspend(host, answer, laterOutput) : host.output(found(answer));
  },

  scan(library, { scan }, id, table, tableLength, from, fromLength, limit) {
    const host = new HostCall(library, id);
    const rows = scan(host, library.arena.readText(table, tableLength), library.arena.copy(from, fromLength), limit);
    let left = limit;
    for (const [key, value] of rows) {
      const status = left-- > 0 ? host.record(toBytes(key, 'a key'), toBytes(value, 'a value')) : 0;
      if (status <= 0) return status;
    }
    return 0;
  },

  write(library, { write }, id, table, tableLength, key, keyLength, value, valueLength) {
    const host = new HostCall(library, id);
    const { arena } = library;
    const [name, row] = [arena.readText(table, tableLength), arena.copy(value, valueLength)];
    const answer = write(host, name, arena.copy(key, keyLength), row);
    const settle = (replaced) => ({ type: 'i32', value: Number(Boolean(replaced)) });
    return isPromise(answer) ? library.suspend(host, answer, settle) : settle(answer).value;
  },

  remove(library, { remove }, id, table, tableLength, key, keyLength) {
    const host = new HostCall(library, id);
    const answer = remove(host, library.arena.readText(table, tableLength), library.arena.copy(key, keyLength));
    const settle = (removed) => ({ type: 'i32', value: Number(found(removed || undefined)) });
    return isPromise(answer) ? library.suspend(host, answer, settle) : settle(answer).value;
  },

  metric(library, { metric }, id, kind, name, nameLength, value) {
    const host = new HostCall(library, id);
    const labels = host.labels();
    metric(host, { kind: METRICS[kind], name: library.arena.readText(name, nameLength), value, labels });
    return 0;
  },

  log(library, { log }, id, level, line, lineLength) {
    log(new HostCall(library, id), { level: LEVELS[level], line: library.arena.readText(line, lineLength) });
    return 0;
  },
};

/** Bytes that were promised go where the function said; their length is what it returns. */
function withOutput(value) {
  return value instanceof Uint8Array ? { value: value.length, output: value } : { value };
}

const laterOutput = (value) => ({ type: 'i32', ...withOutput(toBytes(found(value), 'a value')) });

function found(value) {
  if (value === undefined || value === null) throw new HostError('WPR_HOST_NOT_FOUND');
  return value;
}

function readRecord(struct) {
  const record = struct.read();
  return { ...record, decision: AUDIT_DECISIONS[record.decision] ?? 'other' };
}

/** The host call that a callback answers: good until the callback returns, and not after an `await` in it. */
export class HostCall {
  #library;

  constructor(library, id) {
    this.#library = library;
    this.id = id;
  }

  #do(name, ...args) {
    const status = this.#library.invoke(name, this.id, ...args);
    if (status < 0) throw new HostError(hostStatusName(status));
    return status;
  }

  /** A copy of bytes in the plugin's memory. */
  bytes(pointer, length) {
    return this.#library.arena.within((arena) => {
      const place = arena.alloc(4);
      this.#do('wpr_host_call_memory', pointer, length, place);
      return arena.copy(arena.u32(place), length >>> 0);
    });
  }

  /** UTF-8 in the plugin's memory, as a string. */
  text(pointer, length) {
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(this.bytes(pointer, length));
    } catch (error) {
      throw error instanceof HostError ? error : new HostError('WPR_HOST_INVALID_ARGUMENTS', 'it is not UTF-8');
    }
  }

  /** Writes bytes, or a string as UTF-8, into the plugin's memory. */
  write(pointer, bytes) {
    this.#withBytes(bytes, (at, length) => this.#do('wpr_host_call_write', pointer, at, length));
  }

  /** Charges fuel to the call. */
  charge(fuel) {
    this.#do('wpr_host_call_charge', toU64(fuel, 'fuel'));
  }

  /** Charges for so many bytes, at what the function was defined to cost. */
  chargeBytes(length) {
    this.#do('wpr_host_call_charge_bytes', length);
  }

  /** Throws what ends the callback if the call is past its deadline, or cancelled. */
  checkpoint() {
    this.#do('wpr_host_call_checkpoint');
  }

  /** Says which part of the plugin's memory the bytes go to that the callback promises. */
  answerTo(pointer, length) {
    this.#do('wpr_host_call_answer_to', pointer, length);
  }

  get fuelLeft() {
    return fromU64(BigInt.asUintN(64, this.#library.invoke('wpr_host_call_fuel_left', this.id)));
  }

  get tag() {
    return fromU64(BigInt.asUintN(64, this.#library.invoke('wpr_host_call_tag', this.id)));
  }

  get plugin() {
    return this.#texts(1, 'wpr_host_call_plugin')[0];
  }

  get tenant() {
    return this.#texts(1, 'wpr_host_call_tenant')[0];
  }

  /** A setting of the plugin's configuration; `undefined` if there is none of that name. */
  setting(name) {
    return this.#library.arena.within((arena) => {
      const texts = this.#optional(() => this.#texts(1, 'wpr_host_call_setting', arena.text(name)));
      return texts?.[0];
    });
  }

  /** For `metric`: all labels as pairs of name and value. */
  labels() {
    const labels = [];
    for (;;) {
      const label = this.#optional(() => this.#texts(2, 'wpr_host_call_label', labels.length));
      if (!label) return labels;
      labels.push(label);
    }
  }

  /** For `read` and `setting`: gives the plugin a value if it fits where it wants it. */
  output(value) {
    return this.#withBytes(value, (at, length) => this.#library.invoke('wpr_host_call_output', this.id, at, length));
  }

  /** For `scan`: gives the plugin a row. */
  record(key, value) {
    return this.#withBytes(key, (keyAt, keyLength) =>
      this.#withBytes(value, (at, length) =>
        this.#library.invoke('wpr_host_call_record', this.id, keyAt, keyLength, at, length)));
  }

  #withBytes(value, use) {
    const bytes = toBytes(value, 'the value');
    return this.#library.arena.within((arena) => use(arena.bytes(bytes), bytes.length));
  }

  #texts(count, name, ...args) {
    return this.#library.arena.within((arena) => {
      const places = Array.from({ length: 2 * count }, () => arena.alloc(4));
      this.#do(name, ...args, ...places);
      const numbers = places.map((place) => arena.u32(place));
      return Array.from({ length: count }, (_, text) => arena.readText(numbers[2 * text], numbers[2 * text + 1]));
    });
  }

  #optional(ask) {
    try {
      return ask();
    } catch (error) {
      if (error.status === 'WPR_HOST_NOT_FOUND') return undefined;
      throw error;
    }
  }
}

// --- handles -------------------------------------------------------------------------------------------------------

/** Something of the library's that is to be closed. What is forgotten is closed when it is garbage, some time. */
class Handle {
  #release;
  #closed = false;

  constructor(library, release, id) {
    Object.defineProperties(this, { library: { value: library }, id: { value: id } });
    this.#release = release;
    library.watch(this, release, id);
  }

  /** Gives it back. What is done with it afterwards is `WPR_INVALID_HANDLE`; closing it again is nothing. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.library.release(this, this.#release, this.id);
  }

  [DISPOSE]() {
    this.close();
  }
}

/** The library: one instance of it, with a memory of its own. */
export class WasmRuntime {
  #library;
  #log;

  /**
   * Loads the library from a `Response`, a promise of one, the bytes, a `WebAssembly.Module`, or an address to fetch.
   */
  static async load(source) {
    const exports = await instantiate(await source);
    return new WasmRuntime(new Library(exports));
  }

  /** For `load`. */
  constructor(library) {
    this.#library = library;
  }

  get version() {
    const { arena } = this.#library;
    const at = this.#library.invoke('wpr_version') >>> 0;
    const bytes = arena.copy(at, 32);
    return new TextDecoder().decode(bytes.subarray(0, bytes.indexOf(0)));
  }

  /** All the memory that the library has, for everything; it grows and is never given back. */
  get memoryBytes() {
    return this.#library.memoryBytes;
  }

  /** Sends lines of the library's own log, down to a level, to `line({ level, line })`; nothing with `undefined`. */
  setLog(line, level = 'information') {
    const library = this.#library;
    const user = library.nextNumber();
    if (line) library.callbacks.set(user, { line });
    library.check('wpr_set_log', line ? library.place('line') : 0, user, line ? LEVELS.indexOf(level) : 0);
    library.callbacks.delete(this.#log);
    this.#log = user;
  }

  /**
   * Makes a registry. All options may be left out:
   *
   * - `functions`: functions that plugins import, by module and name:
   *   `{ env: { print: { params: ['i32', 'i32'], result: 'i32', call: (host, pointer, length) => 0 } } }`. `host` is a
   *   `HostCall`. A function that returns a promise suspends the call, if it is one of `start`. Also `grant`,
   *   `customGrant`, `baseFuel`, `fuelPer64Bytes` and `fuelPerItem`.
   * - `log(host, { level, line })`, `metric(host, { kind, name, value, labels })`, `event(record)`;
   *   `setting(host, name)`, which answers a string or bytes, or nothing if there is none. What `event` throws has
   *   nobody to go to: it is an uncaught error.
   * - `read(host, table, key)`, `scan(host, table, from, limit)`, `write(host, table, key, value)` and
   *   `remove(host, table, key)`: storage in the place of the library's. Keys and values are bytes; all but `scan` may
   *   return a promise. `read` answers bytes, or nothing if there is no such row; `scan` yields pairs in order; `write`
   *   and `remove` answer whether there was such a row.
   * - `clockUs()`: microseconds that never go back; `performance.now()` if left out.
   * - `auditLevel`: 'off', 'decisions' or 'hostCalls'; `quota`; `withoutBuiltInFunctions`.
   */
  registry(options = {}) {
    return new Registry(this.#library, options);
  }
}

async function instantiate(source) {
  if (source instanceof WebAssembly.Module) return (await WebAssembly.instantiate(source, {})).exports;
  if (typeof source === 'string' || source instanceof URL) return instantiate(await fetch(source));
  if (typeof Response === 'undefined' || !(source instanceof Response)) {
    return (await WebAssembly.instantiate(source, {})).instance.exports;
  }
  if (!source.ok) throw new TypeError(`the library is not there: ${source.status} for ${source.url}`);
  // A server that does not know the type is no reason to fail.
  const type = source.headers.get('content-type') ?? '';
  if (!type.startsWith('application/wasm')) return instantiate(await source.arrayBuffer());
  return (await WebAssembly.instantiateStreaming(source, {})).instance.exports;
}

const HOST_CALLBACKS = ['read', 'scan', 'write', 'remove', 'setting', 'metric', 'log', 'event'];

/** A registry of plugins. */
export class Registry extends Handle {
  /** For `WasmRuntime.registry`. */
  constructor(library, options) {
    super(library, 'wpr_registry_release', newRegistry(library, options));
  }

  /** Says what a module asks for and whether `load` would take it, before anything of it runs. */
  admit(wasm, config) {
    const json = this.#withModule(wasm, config, (...args) =>
      this.library.answer('wpr_registry_admit', this.id, ...args));
    return JSON.parse(new TextDecoder().decode(json));
  }

  /** Loads a module under a name, with the fields of `wpr_config_t`, and answers the plugin. */
  load(name, wasm, config) {
    this.#withModule(wasm, config, (...args) => this.#check('wpr_registry_load', this.#text(name), ...args));
    return this.get(name);
  }

  get(name) {
    return this.library.arena.within(() =>
      new Plugin(this.library, this.library.handle('wpr_registry_get', this.id, this.#text(name))));
  }

  /**
   * Replaces the code and configuration of a plugin, or throws and leaves the version before. Options: `state` 'fresh',
   * 'ifExported' or 'required'; `keepPrevious`; `drainMs`; `probes`, calls that the new version has to answer first:
   * `{ function, args: [], expected: [] }`, or `{ function, input, expected }` with bytes.
   */
  reload(name, wasm, config, { probes = [], ...options } = {}) {
    const functions = probes.length ? this.admit(wasm, config).functions : [];
    const typed = probes.map((probe) => ({ ...probe, types: functions.find((f) => f.name === probe.function) }));
    this.#withModule(wasm, config, (...args) => {
      const pointer = this.library.options('wpr_reload_options_t', { ...options, probes: typed });
      this.library.generation += 1;
      this.#check('wpr_registry_reload', this.#text(name), ...args, pointer);
    });
  }

  /** Brings back the version that the last reload replaced. */
  rollback(name) {
    this.library.generation += 1;
    this.#named('wpr_registry_rollback', name);
  }

  unload(name) {
    this.#named('wpr_registry_unload', name);
  }

  unloadAll() {
    this.#check('wpr_registry_shutdown_all');
  }

  get count() {
    return this.library.numbers([32], 'wpr_registry_count', this.id)[0];
  }

  /** What the plugins are called, in the order they were loaded. */
  names() {
    return Array.from({ length: this.count }, (_, place) =>
      this.library.fillText('wpr_registry_name_at', this.id, place));
  }

  /**
   * Makes the sandboxes that calls will want, and drops those that none will: for idle time. It drops what is used up;
   * then, while idle sandboxes hold more than `maxIdleBytes` together, what was idle for longest; then it makes what
   * plugins lack of their `minInstances`. Each sandbox is a step, and it does no more than `steps`. Start functions of
   * plugins run in it, under the limits of a call. Answers `{ made, dropped, trimmed, failed, idleBytes, isDone }`.
   */
  maintain({ steps = Infinity, maxIdleBytes = Infinity, ...others } = {}) {
    for (const name of Object.keys(others)) throw new TypeError(`maintain has no option ${name}`);
    return this.library.arena.within(() => {
      const done = this.library.init('wpr_maintained_t');
      this.#check('wpr_registry_maintain', toU64(steps, 'steps'), toU64(maxIdleBytes, 'maxIdleBytes'), done.pointer);
      const answer = done.read();
      return { ...answer, isDone: answer.isDone !== 0 };
    });
  }

  cancelTenant(tenant) {
    return this.library.arena.within(() =>
      this.library.numbers([32], 'wpr_registry_cancel_tenant', this.id, this.#text(tenant))[0]);
  }

  setQuota(tenant, quota = {}) {
    this.library.arena.within(() =>
      this.#check('wpr_registry_set_quota', this.#text(tenant), this.library.options('wpr_quota_t', quota)));
  }

  /** What a tenant's plugins hold. */
  usage(tenant = 'default') {
    return this.#struct('wpr_usage_t', 'wpr_registry_usage', tenant);
  }

  tenantStats(tenant = 'default') {
    return this.#struct('wpr_stats_t', 'wpr_registry_tenant_stats', tenant);
  }

  globalStats() {
    const [calls, traps] = this.library.numbers([64, 64], 'wpr_registry_global_stats', this.id);
    return { calls, traps };
  }

  /** All metrics in the text format of Prometheus. */
  renderPrometheus() {
    return new TextDecoder().decode(this.library.answer('wpr_registry_render_prometheus', this.id));
  }

  /** Takes all records out of the audit ring, the oldest first. */
  drainAudit() {
    return this.library.arena.within(() => {
      const struct = this.library.init('wpr_audit_record_t');
      const records = [];
      while (this.library.invoke('wpr_registry_audit_pop', this.id, struct.pointer, 0) === 0) {
        records.push(readRecord(struct));
      }
      return records;
    });
  }

  get auditDropped() {
    return this.library.numbers([64], 'wpr_registry_audit_dropped', this.id)[0];
  }

  /** Stores a row of a tenant's table; answers whether it replaced one. Keys and values are bytes, or strings. */
  put(tenant, table, key, value) {
    return this.#row([tenant, table], [key, value], (...args) =>
      this.library.numbers([32], 'wpr_registry_put', this.id, ...args)[0] !== 0);
  }

  /** The bytes of a row; `undefined` if there is none. */
  getRow(tenant, table, key) {
    return this.#row([tenant, table], [key], (...args) =>
      ifThere(() => this.library.fill('wpr_registry_get_row', this.id, ...args)));
  }

  /** Removes a row; answers whether there was one. */
  deleteRow(tenant, table, key) {
    return this.#row([tenant, table], [key], (...args) =>
      ifThere(() => this.#check('wpr_registry_delete_row', ...args) ?? true) ?? false);
  }

  /** Adds an index over `fieldLength` bytes of a table's values from `fieldOffset` on. */
  createIndex(tenant, index, table, fieldOffset, fieldLength) {
    this.#row([tenant, index, table], [], (...args) =>
      this.#check('wpr_registry_create_index', ...args, fieldOffset, fieldLength));
  }

  /** Adds a collection of vectors to a table. `distance` is 'cosine', 'dot' or 'euclidean'. */
  createCollection(tenant, collection, table, dims, distance = 'cosine') {
    const place = ['cosine', 'dot', 'euclidean'].indexOf(distance);
    this.#row([tenant, collection, table], [], (...args) =>
      this.#check('wpr_registry_create_collection', ...args, dims, place));
  }

  /** Stores the vector of a row; answers whether it replaced one. */
  insertVector(tenant, collection, rowId, vector) {
    const bytes = new Uint8Array(Float32Array.from(vector).buffer);
    return this.#row([tenant, collection], [], (...args) =>
      this.library.numbers([32], 'wpr_registry_insert_vector', this.id, ...args, toU64(rowId, 'rowId'),
        this.library.arena.bytes(bytes), vector.length)[0] !== 0);
  }

  #check(name, ...args) {
    this.library.check(name, this.id, ...args);
  }

  #text(value) {
    return this.library.arena.text(value);
  }

  #named(name, plugin) {
    this.library.arena.within(() => this.#check(name, this.#text(plugin)));
  }

  #withModule(wasm, config, use) {
    const bytes = toBytes(wasm, 'the module');
    return this.library.arena.within((arena) =>
      use(arena.bytes(bytes), bytes.length, this.library.options('wpr_config_t', config)));
  }

  #struct(struct, name, tenant) {
    return this.library.arena.within(() => {
      const answer = this.library.init(struct);
      this.#check(name, this.#text(tenant), answer.pointer);
      return answer.read();
    });
  }

  #row(names, bytes, use) {
    return this.library.arena.within((arena) => {
      const args = bytes.map((value) => toBytes(value, 'a key or value')).flatMap((b) => [arena.bytes(b), b.length]);
      return use(...names.map((name) => arena.text(name)), ...args);
    });
  }
}

function ifThere(find) {
  try {
    return find();
  } catch (error) {
    if (error.code === 'WPR_NOT_FOUND') return undefined;
    throw error;
  }
}

/** Makes a registry. What its callbacks are for is kept until the library says that it drops them. */
function newRegistry(library, options) {
  const users = [];
  const keep = (callbacks) => {
    const user = library.nextNumber();
    library.callbacks.set(user, callbacks);
    users.push(user);
    return user;
  };
  try {
    return library.arena.within(() =>
      library.handle('wpr_registry_new', registryOptions(library, options, keep).pointer));
  } catch (error) {
    for (const user of users) library.callbacks.delete(user);
    throw error;
  }
}

function registryOptions(library, { functions = {}, clockUs = nowUs, ...others }, keep) {
  const callbacks = { clockUs };
  for (const name of HOST_CALLBACKS) {
    if (others[name]) callbacks[name] = others[name];
    delete others[name];
  }
  const user = keep(callbacks);
  const struct = library.init('wpr_registry_options_t');
  setOptions(struct, OPTIONS.wpr_registry_options_t, others, 'a registry');
  struct.set('host', hostStruct(library, callbacks, user));
  struct.set('clock_us', library.place('clock'));
  struct.set('clock_user_data', user);
  const list = Object.entries(functions).flatMap(([module, entries]) =>
    Object.entries(entries).map(([name, definition]) => functionStruct(library, module, name, definition, keep)));
  struct.setList('functions', library.arena.numbers(list), list.length);
  return struct;
}

function hostStruct(library, callbacks, user) {
  const host = library.init('wpr_host_t');
  host.set('user_data', user);
  host.set('drop', library.place('drop'));
  for (const name of HOST_CALLBACKS) {
    if (callbacks[name]) host.set(name, library.place(name));
  }
  return host.pointer;
}

function functionStruct(library, module, name, { params = [], result = 'none', call, ...others }, keep) {
  if (typeof call !== 'function') throw new TypeError(`${module} ${name} has no function \`call\``);
  const { arena } = library;
  const struct = library.init('wpr_host_function_t');
  setOptions(struct, OPTIONS.wpr_host_function_t, others, `${module} ${name}`);
  struct.set('module', arena.text(module));
  struct.set('name', arena.text(name));
  struct.setList('params', arena.numbers(params.map(typeNumber)), params.length);
  struct.set('result', typeNumber(result));
  struct.set('callback', library.place('call'));
  struct.set('user_data', keep({ call, result }));
  struct.set('drop', library.place('drop'));
  return struct.pointer;
}

function typeNumber(type) {
  const number = TYPES.indexOf(type);
  if (number < 0) throw new TypeError(`there is no type ${String(type)}`);
  return number;
}

/**
 * A loaded plugin. Arguments are converted as WebAssembly in JavaScript does it: an `i64` is a BigInt, the others are
 * numbers. A function answers nothing, its result, or an array of its results.
 */
export class Plugin extends Handle {
  #signatures = new Map();
  #generation;

  /** For `Registry.load` and `Registry.get`. */
  constructor(library, id) {
    super(library, 'wpr_plugin_release', id);
  }

  /** Calls a function. */
  call(name, ...args) {
    return this.callWith(undefined, name, ...args);
  }

  /** Calls a function within narrower limits: `{ fuel, timeoutMs, tag }`. */
  callWith(options, name, ...args) {
    return this.#prepare(options, name, args, (...prepared) =>
      this.library.results('wpr_plugin_call', this.id, ...prepared));
  }

  /** Hands bytes, or a string as UTF-8, to a function of the byte convention, and answers the bytes that it answers. */
  callBytes(name, input = '') {
    return this.#prepareBytes(name, input, (...args) =>
      this.library.answer('wpr_plugin_call_bytes', this.id, ...args));
  }

  /** Begins a call that runs piece by piece. */
  start(name, ...args) {
    return this.startWith(undefined, name, ...args);
  }

  startWith(options, name, ...args) {
    return this.#prepare(options, name, args, (...prepared) =>
      new Call(this.library, this.library.handle('wpr_call_start', this.id, ...prepared), false));
  }

  /** Begins to hand bytes to a function of the byte convention. */
  startBytes(name, input = '', options = undefined) {
    return this.#prepareBytes(name, input, (...args) => {
      const pointer = this.library.options('wpr_call_options_t', options);
      return new Call(this.library, this.library.handle('wpr_call_start_bytes', this.id, ...args, pointer), true);
    });
  }

  /** Looks a function up once. */
  function(name) {
    return this.library.arena.within((arena) =>
      new PluginFunction(this, name, this.library.handle('wpr_plugin_function', this.id, arena.text(name))));
  }

  /** Takes a sandbox out of the pool, for several calls and a look at its memory. */
  lease() {
    return new Lease(this, this.library.handle('wpr_plugin_lease', this.id));
  }

  /** The types of a function: `{ params, results }`. */
  signature(name) {
    if (this.#generation !== this.library.generation) this.#signatures.clear();
    this.#generation = this.library.generation;
    if (!this.#signatures.has(name)) this.#signatures.set(name, this.#readSignature(name));
    return this.#signatures.get(name);
  }

  /** All exported functions: `{ name, params, results }`. */
  functions() {
    const functions = [];
    for (;;) {
      const name = ifThere(() => this.library.fillText('wpr_plugin_function_at', this.id, functions.length));
      if (name === undefined) return functions;
      functions.push({ name, ...this.signature(name) });
    }
  }

  get name() {
    return this.library.fillText('wpr_plugin_name', this.id);
  }

  get tenant() {
    return this.library.fillText('wpr_plugin_tenant', this.id);
  }

  /** 'loading', 'ready', 'executing', 'trapped', 'unloading' or 'unloaded'. */
  get state() {
    return STATES[this.library.numbers([32], 'wpr_plugin_state', this.id)[0]];
  }

  /** The SHA-256 of the module. */
  get sha256() {
    return this.library.arena.within((arena) => {
      const hash = arena.alloc(32);
      this.library.check('wpr_plugin_module_hash', this.id, hash);
      return arena.copy(hash, 32);
    });
  }

  /** What it has done since it was loaded. */
  stats() {
    return this.library.arena.within(() => {
      const stats = this.library.init('wpr_stats_t');
      this.library.check('wpr_plugin_stats', this.id, stats.pointer);
      return stats.read();
    });
  }

  get fuelBudgetLeft() {
    return this.library.numbers([64], 'wpr_plugin_fuel_budget_left', this.id)[0];
  }

  refuel() {
    this.library.check('wpr_plugin_refuel', this.id);
  }

  /** Cancels the calls that are running; answers how many. */
  cancelCalls() {
    return this.library.numbers([32], 'wpr_plugin_cancel_calls', this.id)[0];
  }

  /** How long it is still in quarantine; 0 if it is not. */
  get quarantineMs() {
    return this.library.numbers([64], 'wpr_plugin_quarantine_ms', this.id)[0];
  }

  revive() {
    this.library.check('wpr_plugin_revive', this.id);
  }

  #prepare(options, name, args, use) {
    const { params } = this.signature(name);
    return this.library.arena.within((arena) =>
      use(arena.text(name), arena.values(args, params), args.length,
        this.library.options('wpr_call_options_t', options)));
  }

  #prepareBytes(name, input, use) {
    const bytes = toBytes(input, 'the input');
    return this.library.arena.within((arena) => use(arena.text(name), arena.bytes(bytes), bytes.length));
  }

  #readSignature(name) {
    return this.library.arena.within((arena) => {
      const [function_, counts] = [arena.text(name), [arena.alloc(4), arena.alloc(4)]];
      const ask = (capacity) => {
        const [params, results] = [arena.alloc(4 * capacity), arena.alloc(4 * capacity)];
        const args = [function_, params, counts[0], results, counts[1], capacity];
        this.library.check('wpr_plugin_signature', this.id, ...args);
        return { params: readTypes(arena, params, counts[0]), results: readTypes(arena, results, counts[1]) };
      };
      try {
        return ask(MAX_VALUES);
      } catch (error) {
        if (error.code !== 'WPR_BUFFER_TOO_SMALL') throw error;
        return ask(Math.max(...counts.map((count) => arena.u32(count))));
      }
    });
  }
}

const readTypes = (arena, at, count) =>
  Array.from({ length: arena.u32(count) }, (_, place) => TYPES[arena.u32(at + 4 * place)]);

/** A function of a plugin, looked up once. */
export class PluginFunction extends Handle {
  #plugin;
  #name;

  /** For `Plugin.function`. */
  constructor(plugin, name, id) {
    super(plugin.library, 'wpr_function_release', id);
    this.#plugin = plugin;
    this.#name = name;
  }

  call(...args) {
    return this.callWith(undefined, ...args);
  }

  callWith(options, ...args) {
    const { params } = this.#plugin.signature(this.#name);
    return this.library.arena.within((arena) =>
      this.library.results('wpr_function_call', this.id, arena.values(args, params), args.length,
        this.library.options('wpr_call_options_t', options)));
  }
}

/** A call that runs piece by piece, so that whoever runs it can do something else in between. */
export class Call extends Handle {
  #token;
  #isBytes;
  #promised;
  #ticket;
  #cause;
  #wake = () => {};

  /** For `Plugin.start`. */
  constructor(library, id, isBytes) {
    super(library, 'wpr_call_release', id);
    this.#isBytes = isBytes;
    this.#token = new CancelToken(library, library.handle('wpr_call_cancel_token', id));
  }

  /** Runs it until it has spent so much fuel; answers 'finished', 'running' or 'suspended'. An error ends it. */
  run(fuel = 100_000) {
    try {
      const [progress, ticket] = this.library.numbers([32, 64], 'wpr_call_run', this.id, toU64(fuel, 'fuel'));
      if (PROGRESS[progress] === 'suspended') this.#suspended(ticket);
      return PROGRESS[progress];
    } catch (error) {
      if (error.code === 'WPR_HOST' && this.#cause !== undefined) error.cause ??= this.#cause;
      throw error;
    } finally {
      this.library.promised.clear();
    }
  }

  /**
   * Runs it to its end and answers what it returned. Options: `sliceMs`, for how long it runs at a time; `sliceFuel`,
   * after how much fuel it looks at the time; `signal`, an AbortSignal that cancels it; `onSlice(call)`, called after
   * each slice; `pause()`, which says by a promise when to go on: by default when the event loop has had its turn, also
   * in a page that is hidden.
   */
  async finish({ sliceMs = 8, sliceFuel = 100_000, signal, onSlice, pause = nextTask } = {}) {
    const abort = () => this.cancel();
    if (signal?.aborted) abort();
    signal?.addEventListener('abort', abort);
    try {
      for (;;) {
        const progress = this.#slice(sliceMs, sliceFuel, onSlice);
        if (progress === 'finished') return this.results;
        await (progress === 'suspended' ? this.answered() : pause());
      }
    } finally {
      signal?.removeEventListener('abort', abort);
    }
  }

  #slice(sliceMs, sliceFuel, onSlice) {
    const end = performance.now() + sliceMs;
    try {
      for (;;) {
        const progress = this.run(sliceFuel);
        if (progress !== 'running' || performance.now() >= end) return progress;
      }
    } finally {
      onSlice?.(this);
    }
  }

  #suspended(ticket) {
    if (this.#ticket === ticket) return;
    this.#ticket = ticket;
    this.#promised = this.library.promised.get(ticket);
  }

  /** Waits until a suspended call can go on: until what a callback promised is there, or the call is cancelled. */
  async answered() {
    const woken = new Promise((wake) => { this.#wake = wake; });
    const outcome = await Promise.race([this.#promised, woken]);
    if (!outcome) return;
    this.#promised = undefined;
    if (outcome.error === undefined) this.#complete(outcome);
    else this.#fail(outcome.error);
  }

  #complete({ type, value, output = new Uint8Array() }) {
    this.library.arena.within((arena) => {
      const answer = type === 'none' ? 0 : arena.values([value], [type]);
      const args = [BigInt(this.#ticket), answer, arena.bytes(output), output.length];
      this.library.check('wpr_call_complete', this.id, ...args);
    });
  }

  #fail(error) {
    const status = error instanceof HostError ? error.status : 'WPR_HOST_ABORT';
    if (!(error instanceof HostError)) this.#cause = error;
    this.library.check('wpr_call_fail', this.id, BigInt(this.#ticket), HOST_STATUSES[status]);
  }

  /** What it returned, once it has finished: as `Plugin.call`, or as `Plugin.callBytes` if it was begun with bytes. */
  get results() {
    if (this.#isBytes) return this.library.answer('wpr_call_answer', this.id);
    return this.library.results('wpr_call_results', this.id);
  }

  get fuelSpent() {
    return this.library.numbers([64], 'wpr_call_fuel_spent', this.id)[0];
  }

  /** Cancels it: the next run ends it with `WPR_CANCELLED`. Answers false if it has ended, or is cancelled already. */
  cancel() {
    const cancelled = this.library.invoke('wpr_cancel', this.#token.id, 0) === 0;
    this.#wake();
    return cancelled;
  }

  /** Gives back everything it has; one that has not ended is cancelled. */
  close() {
    super.close();
    this.#token.close();
    this.#wake();
  }
}

class CancelToken extends Handle {
  constructor(library, id) {
    super(library, 'wpr_cancel_release', id);
  }
}

/** A turn of the event loop: unlike a timer's, not made longer the more often it is asked for. */
function nextTask() {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = () => {
      port1.close();
      resolve();
    };
    port2.postMessage(undefined);
  });
}

/** One sandbox of a plugin, held across several calls. */
export class Lease extends Handle {
  #plugin;

  /** For `Plugin.lease`. */
  constructor(plugin, id) {
    super(plugin.library, 'wpr_lease_release', id);
    this.#plugin = plugin;
  }

  call(name, ...args) {
    const { params } = this.#plugin.signature(name);
    return this.library.arena.within((arena) =>
      this.library.results('wpr_lease_call', this.id, arena.text(name), arena.values(args, params), args.length, 0));
  }

  /** Hands bytes to a function of the byte convention, whose answer may have `capacity` bytes. */
  callBytes(name, input = '', capacity = PAGE_BYTES) {
    const bytes = toBytes(input, 'the input');
    return this.library.arena.within((arena) => {
      const [output, length] = [arena.alloc(capacity), arena.alloc(4)];
      const args = [arena.text(name), arena.bytes(bytes), bytes.length, output, capacity, length];
      this.library.check('wpr_lease_call_bytes_into', this.id, ...args);
      return arena.copy(output, arena.u32(length));
    });
  }

  /** A copy of bytes of a memory, by the name of its export. */
  read(memory, offset, length) {
    return this.library.arena.within((arena) => {
      const bytes = arena.alloc(length);
      this.library.check('wpr_lease_read', this.id, arena.text(memory), toU64(offset, 'offset'), bytes, length);
      return arena.copy(bytes, length);
    });
  }

  write(memory, offset, value) {
    const bytes = toBytes(value, 'the value');
    this.library.arena.within((arena) => {
      const args = [arena.text(memory), toU64(offset, 'offset'), arena.bytes(bytes), bytes.length];
      this.library.check('wpr_lease_write', this.id, ...args);
    });
  }

  memoryBytes(memory = 'memory') {
    return this.library.arena.within((arena) =>
      this.library.numbers([64], 'wpr_lease_memory_bytes', this.id, arena.text(memory))[0]);
  }

  /** Grows a memory by so many pages; answers how many it had. */
  grow(memory, pages) {
    return this.library.arena.within((arena) =>
      this.library.numbers([64], 'wpr_lease_grow', this.id, arena.text(memory), toU64(pages, 'pages'))[0]);
  }

  global(name) {
    return this.library.arena.within((arena) => {
      const value = arena.alloc(VALUE_BYTES);
      this.library.check('wpr_lease_global', this.id, arena.text(name), value);
      return arena.readValue(value);
    });
  }
}
