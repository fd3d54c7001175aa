// The binding under Node.js.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import v8 from 'node:v8';
import vm from 'node:vm';
import { HostError, PluginError, WasmRuntime, tables } from './wasm_runtime.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const web = process.env.WEB_DIR ?? join(root, 'target/web');
const library = new WebAssembly.Module(readFileSync(join(web, 'wasm_runtime.wasm')));

const fixture = (name) => readFileSync(join(root, `fixtures/wasm/${name}.wasm`));
const misbehaving = (name) => fixture(`misbehaving/${name}`);
const text = (bytes) => new TextDecoder().decode(bytes);
const bytesOf = (string) => new TextEncoder().encode(string);
const runtimeOf = () => WasmRuntime.load(library);
const turn = () => new Promise((resolve) => setImmediate(resolve));

/** A registry whose clock stands still, so that no call is late on a machine that is busy. */
const registryOf = (runtime, options) => runtime.registry({ clockUs: () => 0, ...options });

/** Says how something failed: the code, and whatever else is asked for. */
function failure(act, ...fields) {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof PluginError, error.stack);
    return fields.length ? [error.code, ...fields.map((field) => error[field])] : error.code;
  }
  return 'it did not fail';
}

async function laterFailure(promise) {
  return promise.then(() => 'it did not fail', (error) => error.code ?? String(error));
}

describe('the binding and the header', () => {
  const header = readFileSync(join(root, 'capi/include/wasm_runtime.h'), 'utf8').replace(/\/\/.*/g, '');

  function constants(name) {
    const [, body] = header.match(new RegExp(`enum ${name}\\b[^{]*\\{([^}]*)\\}`));
    return Object.fromEntries([...body.matchAll(/(WPR_\w+) = (-?\d+)/g)].map(([, key, value]) => [key, Number(value)]));
  }

  /** The fields of a struct, in the binding's letters. */
  function fieldsOf(name) {
    const [, body] = header.match(new RegExp(`typedef struct ${name} \\{([^]*?)\\n\\} ${name};`));
    return body.split(';').map((line) => line.trim()).filter(Boolean).map((line) => {
      const callback = line.match(/\(\*(\w+)\)/);
      if (callback) return [callback[1], 'p'];
      const [, type, field, count] = line.match(/^([^]*?)\b(\w+)(\[\w+\])?$/);
      if (count) return [field, 't'];
      if (type.includes('*') || type.includes('callback')) return [field, 'p'];
      return [field, { size_t: 'u', uint32_t: 'u', int32_t: 'i', uint64_t: 'U' }[type.trim()]];
    });
  }

  test('each error code has its name', () => {
    const named = Object.fromEntries(Object.entries(tables.CODES).map(([code, name]) => [name, Number(code)]));
    assert.deepEqual({ WPR_OK: 0, ...named }, constants('wpr_code_t'));
  });

  test('each host status has its number', () => {
    assert.deepEqual(tables.HOST_STATUSES, constants('wpr_host_status_t'));
  });

  test('each struct has the fields that it has there', () => {
    for (const [name, { fields }] of Object.entries(tables.LAYOUTS)) {
      assert.deepEqual([...fields].map(([field, { type }]) => [field, type]), fieldsOf(name), name);
    }
  });

  test('types, states, progress and decisions are in their order', () => {
    const simple = (name) => name.toLowerCase().replace(/^wpr_(audit_)?/, '').replace(/_state$/, '');
    const order = (name) => Object.keys(constants(name)).map(simple);
    assert.deepEqual(tables.TYPES, order('wpr_value_type_t'));
    assert.deepEqual(tables.STATES, order('wpr_state_t'));
    assert.deepEqual(tables.PROGRESS, order('wpr_progress_t'));
    assert.deepEqual(tables.AUDIT_DECISIONS, order('wpr_audit_decision_t'));
  });

  test('each option is a field', () => {
    for (const [name, writers] of Object.entries(tables.OPTIONS)) {
      const missing = Object.keys(writers).filter((option) => !tables.LAYOUTS[name].names.has(option));
      assert.deepEqual(missing, [], name);
    }
  });
});

describe('calls', async () => {
  const runtime = await runtimeOf();
  const registry = registryOf(runtime);
  const load = (name, config) => registry.load(name, fixture(name), config);

  test('a function takes and returns numbers, and BigInts for i64', () => {
    const plugin = load('no_memory');
    assert.equal(plugin.call('add', 20, 22), 42);
    assert.equal(plugin.call('add', 0xffff_ffff, 0), -1);
    assert.equal(plugin.call('add64', 2n ** 62n, -1n), 2n ** 62n - 1n);
    assert.equal(plugin.call('scale', 1.5, 2), 3);
    assert.equal(plugin.call('halve', 0.3), 0.15);
    assert.equal(plugin.call('mixed', 1, 2n, 3, 4), 4321);
    assert.equal(plugin.call('nothing'), undefined);
  });

  test('several results are an array, up to sixteen', () => {
    const plugin = load('multi_value');
    assert.deepEqual(plugin.call('swap', 1, 2), [2, 1]);
    assert.deepEqual(plugin.call('fibonacci', 90).map((n) => typeof n), ['bigint', 'bigint']);
    assert.equal(plugin.call('sixteen', 5).length, 16);
    assert.equal(failure(() => plugin.call('seventeen', 5)), 'WPR_SIGNATURE_MISMATCH');
  });

  test('a reference of the host comes back as it went in', () => {
    const plugin = load('externref', { maxInstances: 1 });
    assert.equal(plugin.call('identity', 7n), 7n);
    plugin.call('store', 3, 2n ** 40n);
    assert.equal(plugin.call('load', 3), 2n ** 40n);
    assert.equal(plugin.call('is_null', 0n), 1);
    assert.equal(failure(() => plugin.call('function')), 'WPR_SIGNATURE_MISMATCH');
  });

  test('what is no argument is refused', () => {
    const plugin = registry.get('no_memory');
    assert.throws(() => plugin.call('add64', 1, 2), TypeError);
    assert.throws(() => plugin.call('add', 1n, 2n), TypeError);
    assert.equal(failure(() => plugin.call('add', 1)), 'WPR_SIGNATURE_MISMATCH');
    assert.equal(failure(() => plugin.call('add', 1, 2, 3)), 'WPR_SIGNATURE_MISMATCH');
    assert.equal(failure(() => plugin.call('add', ...Array(17).fill(0))), 'WPR_INVALID_ARGUMENT');
    assert.equal(failure(() => plugin.call('no such function')), 'WPR_FUNCTION_NOT_FOUND');
    assert.throws(() => plugin.call('a\0b'), /zero byte/);
    assert.throws(() => plugin.call(undefined), TypeError);
  });

  test('a function that was looked up is called like one by name', () => {
    const add = registry.get('no_memory').function('add64');
    assert.equal(add.call(1n, 2n), 3n);
    assert.equal(add.callWith({ fuel: 1_000 }, 1n, 2n), 3n);
    add.close();
    assert.equal(failure(() => add.call(1n, 2n)), 'WPR_INVALID_HANDLE');
  });

  test('bytes and text are handed over and come back', () => {
    const echo = load('echo', { memoryLimitBytes: 8 << 20, fuelLimit: Infinity });
    const large = Uint8Array.from({ length: 1 << 20 }, (_, n) => n * 31);
    assert.deepEqual(echo.callBytes('copy', large), large);
    assert.deepEqual(echo.callBytes('echo'), new Uint8Array());
    assert.equal(text(echo.callBytes('echo', 'Grüße, 🌍')), 'Grüße, 🌍');
    assert.equal(text(load('text_transform').callBytes('upper', 'quiet')), 'QUIET');
  });

  test('a status that a plugin answers is an error that has it', () => {
    const status = new Uint8Array(Int32Array.of(-7).buffer);
    const echo = registry.get('echo');
    assert.deepEqual(failure(() => echo.callBytes('status', status), 'guestStatus'), ['WPR_BAD_GUEST_ANSWER', -7]);
  });

  test('a plugin tells its functions, name, tenant, state and hash', () => {
    const plugin = load('counter', { tenant: 'acme' });
    const names = plugin.functions().map(({ name, params, results }) => `${name}(${params}) ${results}`);
    assert.deepEqual(names.sort(), ['add(i32) i32', 'get() i32', 'increment() i32', 'reset() ']);
    assert.deepEqual([plugin.name, plugin.tenant, plugin.state], ['counter', 'acme', 'ready']);
    const { sha256 } = registry.admit(fixture('counter'));
    assert.equal(Buffer.from(plugin.sha256).toString('hex'), sha256);
  });

  test('names longer than most are told whole', () => {
    const name = 'ü'.repeat(64);
    assert.equal(registry.load(name, fixture('no_memory')).name, name);
    assert.ok(registry.names().includes(name));
    registry.unload(name);
  });

  test('statistics are of what has run', () => {
    const plugin = load('kernels');
    for (const limit of [10, 100]) plugin.call('sieve', limit);
    const stats = plugin.stats();
    assert.equal(stats.totalCalls, 2);
    assert.equal(stats.sandboxesStarted, 1);
    assert.ok(stats.totalFuelConsumed > 0 && stats.peakMemoryBytes > 0, JSON.stringify(stats));
    assert.ok(registry.globalStats().calls > 2);
    assert.match(registry.renderPrometheus(), /wasm_plugin_calls_total\{.*plugin="kernels".*\} 2/);
  });
});

describe('admission', async () => {
  const runtime = await runtimeOf();
  const registry = registryOf(runtime);

  test('a module is described before it runs', () => {
    const report = registry.admit(fixture('aggregate'), { canReadTable: ['rivers'] });
    assert.equal(report.admitted, true);
    const scan = report.imports.find(({ name }) => name === 'soch_scan');
    assert.deepEqual(scan, { module: 'soch_v1', name: 'soch_scan', defined: true, granted: true });
    const sum = report.functions.find(({ name }) => name === 'sum');
    assert.deepEqual(sum, { name: 'sum', params: ['i32', 'i32'], results: ['i64'] });
    const without = registry.admit(fixture('aggregate'));
    assert.equal(without.imports.find(({ name }) => name === 'soch_scan').granted, false);
  });

  test('one that is refused says why, and is not loaded', () => {
    const report = registry.admit(misbehaving('foreign_import'));
    assert.equal(report.admitted, false);
    assert.match(report.refusals[0].message, /imports `env` `print`/);
    assert.equal(failure(() => registry.load('x', misbehaving('foreign_import'))), 'WPR_REFUSED');
    assert.equal(failure(() => registry.load('x', bytesOf('no module'))), 'WPR_INVALID_MODULE');
    assert.equal(failure(() => registry.load('x', new Uint8Array())), 'WPR_INVALID_MODULE');
    assert.equal(registry.count, 0);
  });

  test('one of another hash is refused', () => {
    const module = fixture('no_memory');
    const hash = Uint8Array.from(registry.admit(module).sha256.match(/../g), (byte) => parseInt(byte, 16));
    registry.load('pinned', module, { expectedSha256: hash }).close();
    hash[0] ^= 1;
    assert.equal(failure(() => registry.load('x', module, { expectedSha256: hash })), 'WPR_HASH_MISMATCH');
    assert.throws(() => registry.load('x', module, { expectedSha256: hash.subarray(1) }), /32 bytes/);
  });

  test('an option that does not exist, or is of another kind, is no option', () => {
    const load = (config) => () => registry.load('x', fixture('no_memory'), config);
    assert.throws(load({ fuelLimt: 1 }), /no option fuelLimt/);
    assert.throws(load({ constructor: 1 }), /no option constructor/);
    assert.throws(load({ limits: { maxType: 1 } }), /no option maxType/);
    assert.throws(load({ reset: 'never' }), /onTrap or afterCall/);
    assert.throws(load({ enableFuel: 0 }), /true or false/);
    assert.throws(load({ fuelLimit: -1 }), /fuelLimit is -1/);
    assert.throws(load({ fuelLimit: 1.5 }), TypeError);
    assert.throws(load({ maxInstances: 2 ** 32 }), TypeError);
    assert.throws(() => registry.load('x', 42), /the module is bytes/);
    assert.throws(() => runtime.registry({ audit: 'off' }), /no option audit/);
    assert.equal(registry.count, 1);
  });
});

describe('limits', async () => {
  const runtime = await runtimeOf();
  const registry = registryOf(runtime);

  test('a trap has its code', () => {
    const plugin = registry.load('traps', misbehaving('traps'));
    const trap = (name) => failure(() => plugin.call(name), 'fault', 'trapCode');
    assert.deepEqual(trap('unreachable'), ['WPR_TRAP', 'guest', 1]);
    assert.deepEqual(trap('load_out_of_bounds'), ['WPR_TRAP', 'guest', 2]);
    assert.deepEqual(trap('div_by_zero'), ['WPR_TRAP', 'guest', 5]);
    assert.equal(typeof plugin.call('ping'), 'number');
  });

  test('recursion without end is a stack overflow, not the browser’s', () => {
    const plugin = registry.load('recursion', misbehaving('deep_recursion'), { fuelLimit: Infinity });
    assert.deepEqual(failure(() => plugin.call('endless'), 'trapCode'), ['WPR_TRAP', 8]);
  });

  test('an endless loop ends with its fuel', () => {
    const plugin = registry.load('loop', misbehaving('endless_loop'));
    assert.deepEqual(failure(() => plugin.call('run'), 'fault'), ['WPR_OUT_OF_FUEL', 'guest']);
    assert.deepEqual(failure(() => plugin.callWith({ fuel: 10n }, 'run')), 'WPR_OUT_OF_FUEL');
    assert.equal(plugin.stats().trapCount, 2);
  });

  test('it ends with its time, by the clock that it is given', () => {
    let now = 0;
    const timed = runtime.registry({ clockUs: () => (now += 1_000) });
    const plugin = timed.load('loop', misbehaving('endless_loop'), { fuelLimit: Infinity, timeoutMs: 20 });
    assert.equal(failure(() => plugin.call('run')), 'WPR_DEADLINE');
    assert.ok(now >= 20_000);
  });

  test('it ends with its time by the clock that there is', () => {
    const config = { fuelLimit: Infinity, timeoutMs: 20 };
    const plugin = runtime.registry().load('timed', misbehaving('endless_loop'), config);
    const began = performance.now();
    assert.equal(failure(() => plugin.call('run')), 'WPR_DEADLINE');
    assert.ok(performance.now() - began >= 20);
  });

  test('growing over the memory limit is refused, or a trap', () => {
    const limit = { memoryLimitBytes: 1 << 20 };
    const refused = registry.load('grower', misbehaving('memory_grower'), limit);
    assert.equal(refused.call('grow_all'), 16);
    assert.equal(refused.stats().peakMemoryBytes, 1 << 20);
    const config = { ...limit, limits: { onGrowthDenied: 'trap' } };
    const trapped = registry.load('trapped', misbehaving('memory_grower'), config);
    assert.deepEqual(failure(() => trapped.call('grow_all'), 'trapCode'), ['WPR_TRAP', 10]);
  });

  test('a fuel budget over all calls is spent, and given again', () => {
    const plugin = registry.load('budget', fixture('kernels'), { fuelBudget: 10_000 });
    assert.equal(plugin.fuelBudgetLeft, 10_000);
    assert.equal(failure(() => { for (;;) plugin.call('sieve', 100); }), 'WPR_OUT_OF_FUEL');
    plugin.refuel();
    assert.equal(plugin.fuelBudgetLeft, 10_000);
    assert.equal(registry.get('loop').fuelBudgetLeft, Infinity);
  });

  test('a plugin that fails again and again is left alone until it is revived', () => {
    const config = { quarantineFailures: 2, quarantineFirstMs: 1_000_000, quarantineLongestMs: 1_000_000 };
    const plugin = registry.load('sick', misbehaving('traps'), config);
    for (let n = 0; n < 2; n++) failure(() => plugin.call('unreachable'));
    assert.equal(failure(() => plugin.call('ping')), 'WPR_QUARANTINED');
    assert.ok(plugin.quarantineMs > 0);
    plugin.revive();
    assert.equal(plugin.quarantineMs, 0);
    plugin.call('ping');
  });

  test('a tenant has no more than its quota', () => {
    const load = (name) => registry.load(name, fixture('no_memory'), { tenant: 'small' });
    registry.setQuota('small', { maxPlugins: 1 });
    load('one');
    assert.equal(failure(() => load('two')), 'WPR_QUOTA_EXCEEDED');
    assert.equal(registry.usage('small').plugins, 1);
    assert.equal(registry.usage('small').fuelLeft, Infinity);
    registry.setQuota('small');
    load('two');
    assert.equal(registry.usage('small').plugins, 2);
  });

  test('maintenance makes what calls will want', () => {
    const own = registryOf(runtime);
    const config = { reset: 'afterCall', minInstances: 2 };
    const plugin = own.load('counter', fixture('counter'), config);
    assert.deepEqual({ ...own.maintain({ steps: 0 }), idleBytes: 0 },
      { made: 0, dropped: 0, trimmed: 0, failed: 0, idleBytes: 0, isDone: false });
    assert.equal(own.maintain().made, 1);
    for (let n = 0; n < 2; n++) assert.equal(plugin.call('increment'), 1);
    assert.equal(plugin.stats().sandboxesStarted, 2);
    const done = own.maintain({ maxIdleBytes: 0 });
    assert.ok(done.idleBytes >= 131_072);
    assert.deepEqual({ ...done, idleBytes: 0 },
      { made: 2, dropped: 2, trimmed: 0, failed: 0, idleBytes: 0, isDone: true });
    assert.equal(failure(() => own.load('over', fixture('counter'), { minInstances: 5 })), 'WPR_REFUSED');
    assert.throws(() => own.maintain({ step: 1 }), TypeError);
    assert.throws(() => own.maintain({ steps: -1 }), TypeError);
  });

  test('maintenance leaves state unless the plugin can do without', () => {
    for (const trimIdle of [false, true]) {
      const own = registryOf(runtime);
      const plugin = own.load('counter', fixture('counter'), { trimIdle });
      plugin.call('increment');
      assert.equal(own.maintain({ maxIdleBytes: 0 }).trimmed, Number(trimIdle));
      assert.equal(plugin.call('increment'), trimIdle ? 1 : 2);
    }
  });

  test('compiled code is shared with whom it is to be', () => {
    const [none, tenant, all] = ['own', 'tenant', 'registry'].map((codeSharing) => {
      const own = registryOf(runtime);
      own.load('a', fixture('aggregate'), { codeSharing });
      const before = own.usage().heapBytes;
      own.load('b', fixture('aggregate'), { codeSharing });
      return own.usage().heapBytes - before;
    });
    assert.ok(tenant < none && all < none);
    assert.throws(() => registry.load('c', fixture('aggregate'), { codeSharing: 'anyone' }), TypeError);
  });

  test('a registry has no more than its own', () => {
    const small = registryOf(runtime, { quota: { maxPlugins: 1 } });
    small.load('one', fixture('no_memory'));
    assert.equal(failure(() => small.load('two', fixture('no_memory'))), 'WPR_QUOTA_EXCEEDED');
  });
});

describe('host functions', async () => {
  const runtime = await runtimeOf();

  test('one in JavaScript reads the plugin’s memory and knows who calls', () => {
    const calls = [];
    const call = (host, pointer, length) => {
      calls.push([host.bytes(pointer, length), host.plugin, host.tenant, host.setting('colour'), host.setting('size')]);
    };
    const registry = registryOf(runtime, { functions: { env: { print: { params: ['i32', 'i32'], call } } } });
    const config = { tenant: 'acme', settings: { colour: 'green' } };
    const plugin = registry.load('printer', misbehaving('foreign_import'), config);
    assert.equal(plugin.call('run'), 1);
    assert.deepEqual(calls, [[new Uint8Array(1), 'printer', 'acme', 'green', undefined]]);
  });

  test('it gets and returns values of its types, and writes into the plugin’s memory', () => {
    const seen = [];
    const functions = {
      later: { params: ['i32', 'i32', 'i32'], result: 'i32', call: (host, ...args) => seen.push(args) },
      later_f64: { params: ['i32'], result: 'f64', call: (host, n) => n / 4 },
      later_nothing: { params: ['i32'], call: (host) => host.write(0x100, 'written') },
    };
    const registry = registryOf(runtime, { functions: { env: functions } });
    const plugin = registry.load('waiter', fixture('waiter'), { maxInstances: 1 });
    assert.equal(plugin.call('wait', 5), 1001);
    assert.deepEqual(seen, [[5, 0x1000, 8]]);
    assert.equal(plugin.call('wait_f64', 3), 1.5);
    assert.equal(plugin.call('wait_for_nothing', 3), 5);
    const lease = plugin.lease();
    assert.equal(text(lease.read('memory', 0x100, 7)), 'written');
    lease.close();
  });

  test('it may not write outside of that memory', () => {
    const call = (host) => host.write(0xffff_fff0, 'x');
    const registry = registryWithLater(call);
    assert.equal(registry.get('waiter').call('wait', 1), 997); // -3: invalid arguments
  });

  test('what it throws ends the call and is the cause', () => {
    const reason = new Error('no paper');
    // What another callback does meanwhile makes no difference.
    let registry;
    const event = () => registry?.usage();
    registry = registryWithLater(() => { throw reason; }, { event });
    assert.throws(() => registry.get('waiter').call('wait', 1), (error) => {
      assert.deepEqual([error.code, error.fault, error.cause], ['WPR_HOST', 'host', reason]);
      return true;
    });
    assert.equal(registry.get('waiter').call('spin', 3), 3);
  });

  test('a result of another kind is such an error', () => {
    const registry = registryWithLater(() => 1n);
    assert.throws(() => registry.get('waiter').call('wait', 1), (error) => error.cause instanceof TypeError);
  });

  test('a status that it throws is the plugin’s answer', () => {
    const registry = registryWithLater(() => { throw new HostError('WPR_HOST_LIMIT_REACHED'); });
    assert.equal(registry.get('waiter').call('wait', 1), 995);
    assert.throws(() => new HostError('WPR_HOST_NO_SUCH_STATUS'), TypeError);
    assert.throws(() => new HostError('toString'), TypeError);
  });

  test('what it charges is the call’s fuel, and ends it', () => {
    const charged = (fuel) => {
      const plugin = registryWithLater((host) => (host.charge(fuel), host.checkpoint(), 0)).get('waiter');
      const outcome = failure(() => plugin.call('wait', 1));
      return [outcome, plugin.stats().totalFuelConsumed];
    };
    const [[none, before], [some, after]] = [charged(0), charged(5_000)];
    assert.deepEqual([none, some, after - before], ['it did not fail', 'it did not fail', 5_000]);
    assert.equal(charged(2_000_000)[0], 'WPR_OUT_OF_FUEL');
  });

  test('it knows the fuel that is left and the tag of the call', () => {
    const seen = [];
    const plugin = registryWithLater((host) => seen.push(host.tag, host.fuelLeft)).get('waiter');
    plugin.callWith({ tag: 77, fuel: 9_000 }, 'wait', 1);
    plugin.call('wait', 1);
    assert.deepEqual([seen[0], seen[2]], [77, 0]);
    assert.ok(seen[1] < 9_000 && seen[3] > 9_000, String(seen));
  });

  test('it runs no plugin, and may do the rest', () => {
    const seen = [];
    const registry = registryWithLater((host, ticket, pointer) => {
      seen.push(failure(() => registry.get('waiter').call('spin', 1)), registry.usage().plugins, registry.names());
      registry.put('default', 'log', 'key', new Uint8Array(200_000));
      return host.bytes(pointer, 8).length;
    });
    assert.equal(registry.get('waiter').call('wait', 1), 1008);
    assert.deepEqual(seen, ['WPR_REENTRANT', 1, ['waiter']]);
    assert.equal(registry.getRow('default', 'log', 'key').length, 200_000);
  });

  test('its host call is over when it has returned', () => {
    let kept;
    registryWithLater((host) => { kept = host; return 0; }).get('waiter').call('wait', 1);
    assert.throws(() => kept.bytes(0, 1), { status: 'WPR_HOST_NO_CALL' });
    assert.equal(kept.fuelLeft, 0);
  });

  test('a grant is needed for one that asks for it', () => {
    const printer = (config) => {
      const print = { params: ['i32', 'i32'], call: () => {}, customGrant: 'paper' };
      const registry = registryOf(runtime, { functions: { env: { print } } });
      return registry.load('printer', misbehaving('foreign_import'), { onDenied: 'trap', ...config });
    };
    assert.equal(failure(() => printer().call('run')), 'WPR_DENIED');
    assert.equal(printer({ customGrants: ['paper'] }).call('run'), 1);
  });

  test('what is no function of the program is refused', () => {
    const define = (definition) => () => runtime.registry({ functions: { env: { f: definition } } });
    assert.throws(define({}), /no function `call`/);
    assert.throws(define({ call() {}, params: ['i31'] }), /no type i31/);
    assert.throws(define({ call() {}, param: [] }), /no option param/);
    assert.equal(failure(define({ call() {}, params: Array(17).fill('i32') })), 'WPR_SIGNATURE_MISMATCH');
  });

  /** A registry with `waiter` in it, whose `env.later` is the function. */
  function registryWithLater(later, options) {
    const registry = registryOf(runtime, { functions: { env: waiterFunctions(later) }, ...options });
    registry.load('waiter', fixture('waiter'), { maxInstances: 1 });
    return registry;
  }
});

function waiterFunctions(later) {
  return {
    later: { params: ['i32', 'i32', 'i32'], result: 'i32', call: later },
    later_f64: { params: ['i32'], result: 'f64', call: later },
    later_nothing: { params: ['i32'], call: later },
  };
}

describe('a host of the program’s own', async () => {
  const runtime = await runtimeOf();
  const NAMES = { table: [0, 'stars'], key: [16, 'vega'], value: [32, 'bright'] };

  /** Has `abi_probe` make a host call with the names above in its memory; answers the status and what came to 256. */
  function probe(options, call) {
    const registry = registryOf(runtime, options);
    const config = { maxInstances: 1, canReadTable: ['*'], canWriteTable: ['*'], tenant: 'acme' };
    const lease = registry.load('probe', fixture('abi_probe'), config).lease();
    for (const [at, name] of Object.values(NAMES)) lease.write('memory', at, name);
    const status = lease.call(...call);
    return [status, text(lease.read('memory', 256, 64).filter((byte) => byte !== 0))];
  }

  const row = [0, 5, 16, 4];

  test('its storage is read', () => {
    const read = (host, table, key) => (table === 'stars' ? `${host.tenant} ${text(key)}` : undefined);
    assert.deepEqual(probe({ read }, ['call_soch_read', ...row, 256, 64]), [9, 'acme vega']);
    assert.deepEqual(probe({ read: () => null }, ['call_soch_read', ...row, 256, 64]), [-2, '']);
  });

  test('its storage is written, and rows are removed', () => {
    const seen = [];
    const write = (host, ...args) => seen.push(args.map((arg) => (typeof arg === 'string' ? arg : text(arg)))) > 1;
    const remove = (host, table, key) => text(key) !== 'vega';
    assert.equal(probe({ write }, ['call_soch_write', ...row, 32, 6])[0], 0);
    assert.equal(probe({ write }, ['call_soch_write', ...row, 32, 6])[0], 1);
    assert.deepEqual(seen[0], ['stars', 'vega', 'bright']);
    assert.equal(probe({ remove }, ['call_soch_delete', ...row])[0], -2);
    assert.equal(probe({ remove: () => true }, ['call_soch_delete', ...row])[0], 1);
  });

  test('its rows are gone through as far as there is room and the limit', () => {
    const asked = [];
    function* scan(host, table, from, limit) {
      asked.push([table, text(from), limit]);
      for (const key of ['a', 'b', 'c']) yield [key, key.repeat(3)];
    }
    const read = (limit, room) => probe({ scan }, ['call_soch_scan', 0, 5, 16, 1, limit, 256, room]);
    assert.deepEqual(read(9, 64), [36, '\x01a\x03aaa\x01b\x03bbb\x01c\x03ccc']);
    assert.deepEqual(read(2, 64)[0], 24);
    assert.deepEqual(read(9, 30)[0], 24);
    assert.deepEqual(read(9, 5)[0], -5);
    assert.deepEqual(asked[0], ['stars', 'v', 9]);
  });

  test('it answers settings, and takes in metrics and lines', () => {
    const seen = [];
    const options = {
      setting: (host, name) => (name === 'vega' ? 'a star' : undefined),
      metric: (host, metric) => seen.push(metric),
      log: (host, line) => seen.push(line),
    };
    assert.deepEqual(probe(options, ['call_get_config', 16, 4, 256, 64]), [6, 'a star']);
    assert.equal(probe(options, ['call_get_config', 0, 5, 256, 64])[0], -2);
    probe(options, ['call_emit_metric', 1, 16, 4, 0.5, 0, 0]);
    probe(options, ['call_log_message', 2, 32, 6]);
    const metric = { kind: 'gauge', name: 'vega', value: 0.5, labels: [] };
    assert.deepEqual(seen, [metric, { level: 'warning', line: 'bright' }]);
  });

  test('a metric has its labels', () => {
    const seen = [];
    const registry = registryOf(runtime, { metric: (host, metric) => seen.push(metric) });
    registry.load('flood', misbehaving('metric_flood')).call('labels', 2);
    assert.ok(seen.length === 2 && seen.every(({ labels }) => labels.length === 1 && labels[0].length === 2));
  });

  test('it hears what becomes of a plugin', () => {
    const events = [];
    const event = ({ decision, plugin, status }) => events.push([decision, plugin, status]);
    const registry = registryOf(runtime, { event });
    const plugin = registry.load('traps', misbehaving('traps'));
    failure(() => plugin.call('div_by_zero'));
    registry.unload('traps');
    assert.deepEqual(events, [['load', 'traps', 0], ['trap', 'traps', 5], ['unload', 'traps', 0]]);
  });

  test('the library’s own log has lines as well', () => {
    const seen = [];
    runtime.setLog((line) => seen.push(line), 'debug');
    const plugin = registryOf(runtime).load('traps', misbehaving('traps'), { debugMode: true });
    failure(() => plugin.call('unreachable'));
    runtime.setLog(undefined);
    failure(() => plugin.call('unreachable'));
    assert.equal(seen.filter(({ line }) => line.includes('unreachable')).length, 1, JSON.stringify(seen));
  });
});

describe('started calls', async () => {
  const runtime = await runtimeOf();
  const registry = registryOf(runtime);
  const loop = registry.load('loop', misbehaving('endless_loop'), { fuelLimit: 1e15, timeoutMs: 0 });

  test('one runs piece by piece and costs what it costs at once', () => {
    const plugin = registry.load('kernels', fixture('kernels'));
    const call = plugin.start('sieve', 10_000);
    let pieces = 1;
    while (call.run(10_000) === 'running') pieces += 1;
    assert.ok(pieces > 5);
    assert.equal(call.results, 1229);
    assert.equal(call.results, 1229);
    const before = plugin.stats().totalFuelConsumed;
    plugin.call('sieve', 10_000);
    assert.equal(plugin.stats().totalFuelConsumed - before, call.fuelSpent);
    assert.equal(failure(() => call.run()), 'WPR_NOT_READY');
    assert.equal(call.cancel(), false);
  });

  test('others get their turn while it runs', async () => {
    const call = loop.startWith({ fuel: 3_000_000 }, 'run');
    let [turns, slices] = [0, 0];
    const other = setInterval(() => { turns += 1; }, 0);
    const ended = await laterFailure(call.finish({ sliceMs: 0, onSlice: () => { slices += 1; } }));
    clearInterval(other);
    assert.equal(ended, 'WPR_OUT_OF_FUEL');
    assert.ok(slices >= 30 && turns >= 1, `${slices} slices, ${turns} turns`);
    assert.ok(call.fuelSpent <= 3_000_000 && call.fuelSpent > 2_900_000);
  });

  test('one that is cancelled ends at its next run', () => {
    const call = loop.start('run');
    assert.equal(call.run(), 'running');
    assert.equal(call.cancel(), true);
    assert.equal(failure(() => call.run()), 'WPR_CANCELLED');
    assert.equal(call.cancel(), false);
  });

  test('a signal cancels it, before and while it runs', async () => {
    assert.equal(await laterFailure(loop.start('run').finish({ signal: AbortSignal.abort() })), 'WPR_CANCELLED');
    const controller = new AbortController();
    const onSlice = () => controller.abort();
    const ended = loop.start('run').finish({ signal: controller.signal, onSlice });
    assert.equal(await laterFailure(ended), 'WPR_CANCELLED');
  });

  test('calls are cancelled by their plugin and by their tenant', () => {
    const calls = [loop.start('run'), loop.start('run')];
    for (const call of calls) call.run();
    assert.equal(loop.cancelCalls(), 2);
    for (const call of calls) assert.equal(failure(() => call.run()), 'WPR_CANCELLED');
    const another = loop.start('run');
    assert.equal(registry.cancelTenant('default'), 1);
    assert.equal(failure(() => another.run()), 'WPR_CANCELLED');
  });

  test('one that is closed gives its sandbox back', () => {
    const config = { maxInstances: 1, fuelLimit: 1e15, timeoutMs: 0 };
    const single = registry.load('single', misbehaving('endless_loop'), config);
    const call = single.start('run');
    call.run();
    assert.equal(failure(() => single.call('ping')), 'WPR_BUSY');
    call.close();
    single.call('ping');
    assert.equal(failure(() => call.run()), 'WPR_INVALID_HANDLE');
  });

  test('bytes are handed over and come back', async () => {
    const plugin = registry.load('text', fixture('text_transform'));
    const call = plugin.startBytes('upper', 'piece by piece');
    assert.equal(failure(() => call.results), 'WPR_NOT_READY');
    assert.equal(text(await call.finish({ sliceFuel: 10 })), 'PIECE BY PIECE');
    assert.equal(text(call.results), 'PIECE BY PIECE');
  });

  test('a function that returns a promise suspends it', async () => {
    const later = async (host, ticket, pointer, length) => {
      host.answerTo(pointer, length);
      await turn();
      return bytesOf(`ticket ${ticket}`);
    };
    const plugin = waiting(later);
    const call = plugin.start('wait', 5);
    assert.equal(call.run(), 'suspended');
    assert.equal(call.run(), 'suspended');
    await call.answered();
    assert.equal(call.run(), 'finished');
    assert.equal(call.results, 1008);
    assert.equal(text(plugin.lease().read('memory', 0x1000, 8)), 'ticket 5');
  });

  test('what it resolves to is the answer, of each type', async () => {
    const plugin = waiting(async (host, ticket) => ticket * 2);
    assert.equal(await plugin.start('wait_often', 3).finish(), 12);
    assert.equal(await plugin.start('wait_f64', 3).finish(), 12);
    assert.equal(await plugin.start('wait_for_nothing', 3).finish(), 5);
  });

  test('what it rejects with ends the call, or is the answer', async () => {
    const reason = new Error('offline');
    const finish = (later) => waiting(later).start('wait', 1).finish();
    await assert.rejects(finish(() => Promise.reject(reason)), { code: 'WPR_HOST', cause: reason });
    assert.equal(await finish(() => Promise.reject(new HostError('WPR_HOST_FAILED'))), 996);
    await assert.rejects(finish(async () => 1n), TypeError);
  });

  test('a call that waits is cancelled while it waits', async () => {
    const controller = new AbortController();
    const ended = waiting(() => new Promise(() => {})).start('wait', 1).finish({ signal: controller.signal });
    await turn();
    controller.abort();
    assert.equal(await laterFailure(ended), 'WPR_CANCELLED');
  });

  test('a call that cannot wait is told so', () => {
    assert.equal(waiting(async () => 1).call('wait', 1), 994);
  });

  test('storage of the program’s own may answer later', async () => {
    const read = async (host, table, key) => (text(key) === 'vega' ? 'bright' : undefined);
    const config = { maxInstances: 1, canReadTable: ['*'], canWriteTable: ['*'] };
    const write = async () => true;
    const own = registryOf(runtime, { read, write, remove: async () => false });
    const plugin = own.load('p', fixture('abi_probe'), config);
    const lease = plugin.lease();
    lease.write('memory', 0, 'stars');
    lease.write('memory', 16, 'vega');
    lease.close();
    assert.equal(await plugin.start('call_soch_read', 0, 5, 16, 4, 256, 64).finish(), 6);
    assert.equal(await plugin.start('call_soch_read', 0, 5, 16, 3, 256, 64).finish(), -2);
    assert.equal(await plugin.start('call_soch_write', 0, 5, 16, 4, 256, 6).finish(), 1);
    assert.equal(await plugin.start('call_soch_delete', 0, 5, 16, 4).finish(), -2);
    assert.equal(text(plugin.lease().read('memory', 256, 6)), 'bright');
  });

  function waiting(later) {
    const own = registryOf(runtime, { functions: { env: waiterFunctions(later) } });
    return own.load('waiter', fixture('waiter'), { maxInstances: 1 });
  }
});

describe('versions', async () => {
  const runtime = await runtimeOf();
  const registry = registryOf(runtime);
  const single = { maxInstances: 1 };

  test('a reload takes the state over, and a rollback brings the old version back', () => {
    const plugin = registry.load('tally', fixture('tally'), single);
    plugin.call('vote', 1);
    plugin.call('vote', 1);
    const probes = [{ function: 'votes', args: [1], expected: [2n] }];
    registry.reload('tally', fixture('tally_wide'), single, { state: 'required', probes });
    assert.equal(plugin.call('votes', 1), 2n);
    assert.equal(plugin.call('total'), 2n);
    registry.rollback('tally');
    assert.equal(failure(() => plugin.call('total')), 'WPR_FUNCTION_NOT_FOUND');
    assert.equal(failure(() => registry.rollback('no such plugin')), 'WPR_NOT_FOUND');
  });

  test('a version that fails a probe does not come to be', () => {
    const plugin = registry.load('counter', fixture('counter'), single);
    plugin.call('add', 5);
    const reload = (module, probe) => () =>
      registry.reload('counter', fixture(module), single, { probes: [probe] });
    const upper = (expected) => reload('text_transform', { function: 'upper', input: 'a', expected });
    assert.equal(failure(reload('counter', { function: 'get', expected: [1] })), 'WPR_REFUSED');
    assert.equal(failure(upper('B')), 'WPR_REFUSED');
    assert.equal(plugin.call('get'), 5);
    upper('A')();
    assert.equal(text(plugin.callBytes('upper', 'x')), 'X');
  });

  test('handles follow a plugin to a version with other types', () => {
    const plugin = registry.load('changing', fixture('no_memory'));
    const add = plugin.function('add');
    assert.equal(add.call(1, 2), 3);
    registry.reload('changing', fixture('counter'));
    assert.deepEqual(plugin.signature('add').params, ['i32']);
    assert.equal(add.call(4), 4);
    assert.equal(plugin.call('add', 4) > 0, true);
  });

  test('a plugin that is unloaded answers no more', () => {
    const plugin = registry.load('gone', fixture('no_memory'));
    const add = plugin.function('add');
    registry.unload('gone');
    assert.equal(failure(() => plugin.call('add', 1, 2)), 'WPR_UNLOADED');
    assert.equal(failure(() => add.call(1, 2)), 'WPR_UNLOADED');
    assert.equal(plugin.state, 'unloaded');
    assert.equal(failure(() => registry.unload('gone')), 'WPR_NOT_FOUND');
    assert.equal(failure(() => registry.get('gone')), 'WPR_NOT_FOUND');
    registry.unloadAll();
    assert.deepEqual([registry.count, registry.names()], [0, []]);
  });
});

describe('data', async () => {
  const runtime = await runtimeOf();
  const registry = registryOf(runtime, { auditLevel: 'hostCalls' });

  test('rows are put, read by plugins, and removed', () => {
    assert.equal(registry.put('acme', 'rivers', 'Danube', '2850'), false);
    assert.equal(registry.put('acme', 'rivers', 'Danube', '2851'), true);
    registry.put('acme', 'rivers', 'Nile', bytesOf('6650'));
    assert.equal(text(registry.getRow('acme', 'rivers', 'Danube')), '2851');
    assert.equal(registry.getRow('other', 'rivers', 'Danube'), undefined);
    const plugin = registry.load('sum', fixture('aggregate'), { tenant: 'acme', canReadTable: ['rivers'] });
    assert.equal(text(plugin.callBytes('sum', 'rivers')), 'count=2 sum=9501 min=2851 max=6650');
    assert.equal(registry.deleteRow('acme', 'rivers', 'Nile'), true);
    assert.equal(registry.deleteRow('acme', 'rivers', 'Nile'), false);
  });

  test('a table of another tenant, or without a grant, is not there', () => {
    const plugin = registry.load('thief', misbehaving('forbidden_table'), { tenant: 'acme' });
    registry.put('acme', 'secret', 'key', 'value');
    assert.equal(plugin.call('read'), -1);
    assert.equal(plugin.call('leaked'), 0);
    assert.equal(plugin.stats().deniedHostCalls, 1);
  });

  test('the audit tells of it, and is empty then', () => {
    const records = registry.drainAudit();
    const { decision, status, fuel, tenant, plugin, function: name, resource } = records.at(-1);
    assert.deepEqual([decision, status, fuel, tenant], ['denial', -1, 200, 'acme']);
    assert.deepEqual([plugin, name, resource], ['thief', 'soch_read', 'secret']);
    assert.deepEqual(records.map(({ sequence }) => sequence), records.map((_, place) => place));
    assert.deepEqual(registry.drainAudit(), []);
    assert.equal(registry.auditDropped, 0);
  });

  test('vectors are found by how near they are', () => {
    registry.createCollection('acme', 'near', 'places', 2, 'euclidean');
    const rowKey = (id) => Uint8Array.of(0, 0, 0, 0, 0, 0, 0, id);
    for (const [id, name, vector] of [[1, 'far', [9, 9]], [2, 'close', [1, 1]]]) {
      registry.put('acme', 'places', rowKey(id), name);
      assert.equal(registry.insertVector('acme', 'near', id, vector), false);
    }
    const config = { tenant: 'acme', canReadTable: ['places'], canVectorSearch: true };
    const plugin = registry.load('search', fixture('semantic_search'), config);
    const field = (name) => [...new Uint8Array(Uint32Array.of(name.length).buffer), ...bytesOf(name)];
    const words = (array) => [...new Uint8Array(array.buffer)];
    const query = [...words(Uint32Array.of(1)), ...field('near'), ...field('places'), ...words(Float32Array.of(1, 2))];
    assert.match(text(plugin.callBytes('search', Uint8Array.from(query))), /^1\.0+\tclose\n$/);
    registry.createIndex('acme', 'by_name', 'places', 0, 4);
  });

  test('a lease looks at a sandbox’s memory, globals and state', () => {
    const lease = registry.load('counter', fixture('counter')).lease();
    assert.equal(lease.call('add', 5), 5);
    assert.equal(lease.call('get'), 5);
    assert.equal(lease.memoryBytes(), 65_536);
    assert.equal(failure(() => lease.read('memory', 65_536, 1)), 'WPR_LIMIT_EXCEEDED');
    lease.close();
    const functions = { env: waiterFunctions(() => 0) };
    const waiter = registryOf(runtime, { functions }).load('w', fixture('waiter')).lease();
    waiter.call('spin', 9);
    assert.equal(waiter.global('turns'), 9);
    assert.equal(waiter.grow('memory', 2), 1);
    assert.equal(waiter.memoryBytes(), 3 * 65_536);
    assert.equal(text(registry.load('echo', fixture('echo')).lease().callBytes('copy', 'leased')), 'leased');
  });
});

describe('lifetimes', () => {
  test('closing twice is nothing, and what is closed is not used', async () => {
    const registry = registryOf(await runtimeOf());
    const plugin = registry.load('p', fixture('no_memory'));
    plugin.close();
    plugin.close();
    assert.equal(failure(() => plugin.call('add', 1, 2)), 'WPR_INVALID_HANDLE');
    assert.equal(registry.get('p').call('add', 1, 2), 3);
    const kept = registry.get('p');
    registry[Symbol.dispose ?? Symbol.for('Symbol.dispose')]();
    assert.equal(failure(() => registry.count), 'WPR_INVALID_HANDLE');
    assert.equal(kept.call('add', 1, 2), 3);
  });

  test('two runtimes share nothing', async () => {
    const [one, other] = [(await runtimeOf()).registry(), (await runtimeOf()).registry()];
    one.load('p', fixture('no_memory'));
    assert.equal(other.count, 0);
  });

  test('plugins that come and go give their memory back', async () => {
    const runtime = await runtimeOf();
    const registry = registryOf(runtime);
    const comeAndGo = () => {
      const plugin = registry.load('p', fixture('kernels'));
      assert.equal(plugin.call('sieve', 1_000), 168);
      plugin.close();
      registry.unload('p');
    };
    for (let n = 0; n < 20; n++) comeAndGo();
    const plateau = runtime.memoryBytes;
    for (let n = 0; n < 200; n++) comeAndGo();
    assert.equal(runtime.memoryBytes, plateau);
  });

  test('so do registries, calls, and calls that fail', async () => {
    const runtime = await runtimeOf();
    const comeAndGo = async () => {
      const registry = registryOf(runtime, { functions: { env: waiterFunctions(async () => 1) }, log() {} });
      const plugin = registry.load('p', fixture('waiter'));
      const call = plugin.start('wait', 1);
      assert.equal(await call.finish(), 1001);
      failure(() => plugin.call('trap'));
      for (const handle of [call, plugin, registry]) handle.close();
    };
    for (let n = 0; n < 20; n++) await comeAndGo();
    const plateau = runtime.memoryBytes;
    for (let n = 0; n < 100; n++) await comeAndGo();
    assert.equal(runtime.memoryBytes, plateau);
  });

  test('so do answers of bytes', async () => {
    const runtime = await runtimeOf();
    const echo = registryOf(runtime).load('echo', fixture('echo'), { fuelLimit: Infinity });
    const input = new Uint8Array(50_000);
    const answer = async () => {
      echo.callBytes('copy', input);
      const call = echo.startBytes('copy', input);
      await call.finish();
      call.close();
    };
    for (let n = 0; n < 20; n++) await answer();
    const plateau = runtime.memoryBytes;
    for (let n = 0; n < 100; n++) await answer();
    assert.equal(runtime.memoryBytes, plateau);
  });

  test('modules of any size share one place in the memory', async () => {
    const runtime = await runtimeOf();
    const registry = registryOf(runtime);
    const large = new Uint8Array(3 << 20);
    failure(() => registry.load('large', large));
    const before = runtime.memoryBytes;
    for (let n = 0; n < 50; n++) failure(() => registry.load('large', large));
    assert.equal(runtime.memoryBytes, before);
  });

  test('what is forgotten is closed once it is garbage', async () => {
    v8.setFlagsFromString('--expose-gc');
    const collect = vm.runInNewContext('gc');
    const runtime = await runtimeOf();
    // The library keeps the callback as long as the registry is there.
    const log = (() => {
      const callback = () => {};
      runtime.registry({ log: callback }).load('forgotten', fixture('no_memory'));
      return new WeakRef(callback);
    })();
    for (let n = 0; n < 100 && log.deref(); n++) {
      await turn();
      collect();
    }
    assert.equal(log.deref(), undefined);
    assert.equal(runtime.registry().load('p', fixture('no_memory')).call('add', 1, 2), 3);
  });

  test('the library is loaded from bytes, a response or a module', async () => {
    const bytes = readFileSync(join(web, 'wasm_runtime.wasm'));
    const versions = [bytes, library, new Response(bytes), Promise.resolve(bytes), new Response(bytes, wasmType)];
    for (const source of versions) assert.match((await WasmRuntime.load(source)).version, /^\d+\.\d+\.\d+/);
    await assert.rejects(WasmRuntime.load(new Response('', { status: 404 })), /not there: 404/);
  });

  const wasmType = { headers: { 'content-type': 'application/wasm' } };

  test('a library that breaks says so, then and ever after', async () => {
    const runtime = await WasmRuntime.load(brokenLibrary());
    for (let n = 0; n < 2; n++) assert.equal(failure(() => runtime.registry()), 'WPR_PANIC');
  });

  /** A module with what the binding needs to begin, whose first function of interest is `unreachable`. */
  function brokenLibrary() {
    const name = (string) => [string.length, ...bytesOf(string)];
    const exported = [['memory', 2, 0], ['__indirect_function_table', 1, 0], ['wpr_api_version', 0, 0],
      ['wpr_registry_options_init', 0, 1]].flatMap(([key, kind, place]) => [...name(key), kind, place]);
    const functions = [[3, 3, 2, 0, 0], [10, 10, 2, 4, 0, 0x41, 1, 0x0b, 3, 0, 0, 0x0b]];
    return Uint8Array.from([
      0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...[1, 5, 1, 0x60, 0, 1, 0x7f], ...functions[0], ...[4, 4, 1, 0x70, 0, 0],
      ...[5, 3, 1, 0, 1], ...[7, exported.length + 1, 4, ...exported], ...functions[1],
    ]);
  }
});

describe('the guide', () => {
  test('its code runs as it stands there and prints what it says', async () => {
    const guide = readFileSync(join(root, 'docs/embedding/javascript.md'), 'utf8');
    const code = [...guide.matchAll(/^```js\n([^]*?)^```/gm)].map(([, block]) => block).join('\n');
    const printed = [...code.matchAll(/console\.log\(.*\); +\/\/ (.*)$/gm)].map(([, line]) => line);
    const file = join(web, 'guide.mjs');
    writeFileSync(file, code);
    const { stdout } = await promisify(execFile)(process.execPath, [file], { cwd: web });
    assert.ok(printed.length >= 5);
    assert.deepEqual(stdout.trimEnd().split('\n'), printed);
  });
});
