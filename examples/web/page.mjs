// The page: looks at a plugin, loads it, and runs it a slice at a time.

import { PluginError, WasmRuntime } from './wasm_runtime.mjs';

const TENANT = 'visitor';
const MAX_FILE_BYTES = 64 << 20; // more is not even read; what a module may have is for the library to say
const MAX_LOG_ENTRIES = 200;
const MAX_ENTRY_LENGTH = 1_000;
const CANNOT_CROSS = ['v128', 'funcref'];

const page = Object.fromEntries([...document.querySelectorAll('[id]')].map((element) => [element.id, element]));
const grouped = new Intl.NumberFormat('en');

/** The plugin that was dropped: `{ name, bytes, report, plugin }`. */
let current;
/** The call that is running, and a promise that is kept when it has ended. */
let running;
let registry;

// --- a plugin comes in ---------------------------------------------------------------------------------------------

const ready = start();

async function start() {
  const runtime = await WasmRuntime.load(fetch('wasm_runtime.wasm'));
  registry = runtime.registry({ log: (_, { level, line }) => lines.add(`${level}: ${line}`) });
  page.version.textContent = runtime.version;
}

ready.catch((error) => {
  say(page.outcome, 'bad', `The library did not load: ${error.message}`);
});

async function openFile(file) {
  if (file.size > MAX_FILE_BYTES) {
    say(page.outcome, 'bad', `${file.name} has ${grouped.format(file.size)} bytes: that is no plugin.`);
    return;
  }
  await open(file.name, new Uint8Array(await file.arrayBuffer()));
}

async function openSample(name) {
  const response = await fetch(`plugins/${name}.wasm`);
  if (!response.ok) throw new Error(`plugins/${name}.wasm: ${response.status}`);
  await open(`${name}.wasm`, new Uint8Array(await response.arrayBuffer()));
}

async function open(fileName, bytes) {
  await ready;
  await stop();
  unload();
  // A name has at most 128 bytes, of which a character has at most four.
  const name = [...fileName.replace(/\.wasm$/, '')].slice(0, 32).join('') || 'plugin';
  current = { name, fileName, bytes };
  say(page.outcome, 'none', 'It has not run yet.');
  lines.clear();
  examine();
}

/** Looks at the module, and loads it if it is admitted. Nothing of a module runs that is not. */
function examine() {
  const limits = readLimits();
  current.limits = limits;
  current.report = registry.admit(current.bytes, limits);
  showReport(current);
  if (current.report.admitted) load();
  showFunctions();
  showGauges(0, current.plugin?.stats().peakMemoryBytes ?? 0);
  showStats();
}

function load() {
  try {
    current.plugin = registry.load(current.name, current.bytes, current.limits);
  } catch (error) {
    // Its start section runs at load, and may fail.
    say(page.outcome, ...verdictOf(error));
    lines.add(error.message, 'bad');
  }
}

function unload() {
  if (!current?.plugin) return;
  current.plugin.close();
  current.plugin = undefined;
  registry.unload(current.name);
}

function readLimits() {
  const tables = page.grantTables.checked ? ['*'] : [];
  return {
    tenant: TENANT,
    fuelLimit: page.fuelLimit.valueAsNumber,
    memoryLimitBytes: page.memoryLimit.valueAsNumber * 1024,
    timeoutMs: page.timeLimit.valueAsNumber,
    // One sandbox: its memory is the memory that the gauge shows.
    maxInstances: 1,
    canReadTable: tables,
    canWriteTable: tables,
    canIndexSearch: page.grantTables.checked,
    canVectorSearch: page.grantTables.checked,
    limits: { onGrowthDenied: page.growth.value },
  };
}

async function limitsChanged() {
  if (!page.limits.reportValidity() || !current) return;
  await stop();
  unload();
  examine();
}

// --- what it is ----------------------------------------------------------------------------------------------------

function showReport({ fileName, report }) {
  page.noReport.hidden = true;
  page.report.hidden = false;
  const verdict = report.admitted ? ['good', `Admitted: ${fileName}`] : ['bad', `Refused: ${fileName}`];
  say(page.admission, ...verdict);
  const reasons = [...report.refusals.map(({ message }) => message), ...report.warnings.map((w) => `Note: ${w}`)];
  page.reasons.replaceChildren(...reasons.map((reason) => element('li', reason)));
  page.reasons.hidden = reasons.length === 0;
  showFacts(page.facts, factsOf(report));
  showTable(page.imports, page.imports, page.noImports, report.imports.map(importRow));
  showTable(page.functions, page.functionsBox, page.noFunctions, report.functions.map(functionRow));
}

function factsOf(report) {
  const memory = `${kib(report.initial_memory_bytes)} at first, at most ${kib(report.max_memory_bytes)}`;
  return [
    ['Size', `${grouped.format(report.bytes)} bytes`],
    ['SHA-256', report.sha256],
    ['Memory', report.max_memory_bytes ? memory : 'none'],
    ['Table elements', report.max_table_elements ? grouped.format(report.initial_table_elements) : 'none'],
    ['Start section', report.has_start ? 'yes: it runs when the plugin is loaded' : 'none'],
    ['Proposals', report.proposals.join(', ') || 'none beyond WebAssembly 1.0'],
  ];
}

function importRow({ module, name, defined, granted }) {
  const answer = (value) => element('td', value ? 'yes' : 'no', value ? 'yes' : 'no');
  return [cell(`${module} ${name}`), answer(defined), answer(granted)];
}

function functionRow(exported) {
  return [cell(exported.name), cell(typeText(exported))];
}

function typeText({ params, results }) {
  return `(${params.join(', ')})${results.length ? ` → ${results.join(', ')}` : ''}`;
}

function showTable(table, box, none, rows) {
  box.hidden = rows.length === 0;
  none.hidden = rows.length > 0;
  table.tBodies[0].replaceChildren(...rows.map((cells) => {
    const row = element('tr');
    row.append(...cells);
    return row;
  }));
}

function showFacts(list, facts) {
  list.replaceChildren(...facts.flatMap(([term, value]) => [element('dt', term), element('dd', value)]));
}

// --- what to call --------------------------------------------------------------------------------------------------

function showFunctions() {
  const { plugin, report } = current;
  // Names that begin so are the library's to call.
  const functions = plugin ? report.functions.filter(({ name }) => !name.startsWith('soch_')) : [];
  page.picker.replaceChildren(...functions.map((exported) => {
    const option = element('option', `${exported.name} ${typeText(exported)}`);
    option.value = exported.name;
    option.disabled = [...exported.params, ...exported.results].some((type) => CANNOT_CROSS.includes(type));
    return option;
  }));
  page.callFields.disabled = page.run.disabled = functions.length === 0;
  showArguments();
}

const picked = () => current?.report.functions.find(({ name }) => name === page.picker.value);

/** A function of the byte convention: it is handed text instead of a pointer and a length. */
function takesBytes({ params, results }) {
  return current.report.functions.some(({ name }) => name === 'soch_alloc') &&
    params.join() === 'i32,i32' && results.join() === 'i64';
}

function showArguments() {
  const exported = picked();
  const bytes = exported !== undefined && takesBytes(exported);
  page.inputLabel.hidden = !bytes;
  const params = exported && !bytes ? exported.params : [];
  page.args.replaceChildren(...params.map((type, place) => {
    const label = element('label', `Argument ${place + 1}, ${type}`);
    const input = element('input');
    Object.assign(input, { type: 'text', value: '0', required: true, autocomplete: 'off', spellcheck: false });
    label.append(input);
    return label;
  }));
}

function readArguments({ params }) {
  const inputs = [...page.args.querySelectorAll('input')];
  return inputs.map((input, place) => readArgument(params[place], input.value, place));
}

function readArgument(type, text, place) {
  try {
    if (type === 'i64' || type === 'externref') return BigInt(text);
    const value = Number(text);
    if (text.trim() === '' || (type === 'i32' && !Number.isInteger(value))) throw new TypeError();
    if (Number.isNaN(value) && text.trim() !== 'NaN') throw new TypeError();
    return value;
  } catch {
    throw new Error(`Argument ${place + 1} is no ${type}: ${text}`);
  }
}

// --- running -------------------------------------------------------------------------------------------------------

async function run() {
  const exported = picked();
  if (running || !exported) return;
  let call;
  try {
    call = begin(exported);
  } catch (error) {
    say(page.outcome, 'bad', error.message);
    return;
  }
  const ended = finish(call, exported);
  running = { call, ended };
  await ended;
}

function begin(exported) {
  const { plugin } = current;
  if (takesBytes(exported)) return plugin.startBytes(exported.name, page.input.value);
  return plugin.start(exported.name, ...readArguments(exported));
}

/** Runs a call in slices; between two of them the browser draws the gauges and takes the click on Cancel. */
async function finish(call, exported) {
  const began = performance.now();
  setRunning(true);
  say(page.outcome, 'none', 'Running …');
  try {
    const answer = await call.finish({ onSlice: showProgress });
    told('good', exported, `${exported.name} → ${shown(answer)}`, call, began);
  } catch (error) {
    const [kind, text] = verdictOf(error);
    told(kind, exported, text, call, began, error);
  } finally {
    call.close();
    running = undefined;
    setRunning(false);
    showStats();
  }
}

function told(kind, exported, text, call, began, error) {
  const cost = `${grouped.format(call.fuelSpent)} fuel, ${Math.round(performance.now() - began)} ms`;
  say(page.outcome, kind, `${shortened(text)} (${cost})`);
  lines.add(error ? `${exported.name}: ${error.message}` : text, error ? 'bad' : 'good');
  showGauges(call.fuelSpent, current.plugin.stats().peakMemoryBytes);
}

function showProgress(call) {
  showGauges(call.fuelSpent, Math.max(registry.usage(TENANT).memoryBytes, current.plugin.stats().peakMemoryBytes));
}

async function stop() {
  const ended = running?.ended;
  running?.call.cancel();
  await ended;
}

function setRunning(isRunning) {
  page.run.disabled = isRunning;
  page.cancel.disabled = !isRunning;
  document.body.classList.toggle('running', isRunning);
}

/** What became of a call that did not end well, for a person. */
function verdictOf(error) {
  if (!(error instanceof PluginError)) return ['bad', `It failed: ${error.message}`];
  if (error.code === 'WPR_OUT_OF_FUEL') return ['stopped', 'Stopped at its limit of fuel'];
  if (error.code === 'WPR_DEADLINE') return ['stopped', 'Stopped at its limit of time'];
  if (error.code === 'WPR_CANCELLED') return ['warn', 'Cancelled'];
  if (error.code === 'WPR_TRAP' && error.trapCode === 10) return ['stopped', 'Stopped at its limit of memory'];
  if (error.code === 'WPR_TRAP' && error.trapCode === 8) return ['stopped', 'Stopped at its limit of stack'];
  return ['bad', `It failed: ${error.message}`];
}

function shown(answer) {
  if (answer === undefined) return 'nothing';
  if (answer instanceof Uint8Array) return shownBytes(answer);
  return [answer].flat().join(', ');
}

function shownBytes(bytes) {
  try {
    return JSON.stringify(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return `${bytes.length} bytes: ${[...bytes.subarray(0, 64)].map((b) => b.toString(16).padStart(2, '0')).join(' ')}`;
  }
}

// --- gauges and output ---------------------------------------------------------------------------------------------

function showGauges(fuel, memoryBytes) {
  const { fuelLimit, memoryLimitBytes } = current.limits;
  showGauge(page.fuelGauge, page.fuelText, fuel, fuelLimit, `${grouped.format(fuel)} of ${grouped.format(fuelLimit)}`);
  showGauge(page.memoryGauge, page.memoryText, memoryBytes, memoryLimitBytes,
    `${kib(memoryBytes)} of ${kib(memoryLimitBytes)}`);
}

function showGauge(gauge, output, value, limit, text) {
  // Fuel is counted in blocks: a call that is stopped has spent all but a few.
  Object.assign(gauge, { max: limit || 1, low: limit * 0.75, high: limit * 0.99, optimum: 0, value });
  output.textContent = gauge.textContent = text;
}

function showStats() {
  const stats = current.plugin?.stats();
  showFacts(page.stats, stats ? [
    ['Calls', grouped.format(stats.totalCalls)],
    ['Stopped or trapped', grouped.format(stats.trapCount)],
    ['Fuel', grouped.format(stats.totalFuelConsumed)],
    ['Time in calls', `${grouped.format(Math.round(stats.totalExecutionUs / 1000))} ms`],
    ['Most memory', kib(stats.peakMemoryBytes)],
    ['Host calls', `${grouped.format(stats.hostCalls)}, ${grouped.format(stats.deniedHostCalls)} denied`],
    ['Sandboxes made', grouped.format(stats.sandboxesStarted)],
  ] : []);
}

/** The output: what a plugin logs without end is shown once a frame, and only its last lines. */
const lines = {
  waiting: [],
  gone: 0,

  add(text, kind = '') {
    this.waiting.push({ text: shortened(text), kind });
    if (this.waiting.length > MAX_LOG_ENTRIES) this.gone += this.waiting.splice(0, 1).length;
    this.frame ??= requestAnimationFrame(() => this.show());
  },

  show() {
    this.frame = undefined;
    page.log.append(...this.waiting.map(({ text, kind }) => element('li', text, kind)));
    this.waiting = [];
    for (; page.log.childElementCount > MAX_LOG_ENTRIES; this.gone += 1) page.log.firstElementChild.remove();
    page.logNote.textContent = `${grouped.format(this.gone)} earlier lines are not shown.`;
    page.logNote.hidden = this.gone === 0;
    page.log.scrollTop = page.log.scrollHeight;
  },

  clear() {
    Object.assign(this, { waiting: [], gone: 0 });
    page.log.replaceChildren();
    page.logNote.hidden = true;
  },
};

const kib = (bytes) => `${grouped.format(bytes / 1024)} KiB`;

/** What a plugin says is only ever text. */
function element(tag, text = '', kind = '') {
  const made = document.createElement(tag);
  made.textContent = text;
  made.className = kind;
  return made;
}

function cell(text) {
  const made = element('td');
  made.append(element('code', text));
  return made;
}

function say(place, kind, text) {
  place.dataset.kind = kind;
  place.textContent = shortened(text);
}

function shortened(text) {
  return text.length > MAX_ENTRY_LENGTH ? `${text.slice(0, MAX_ENTRY_LENGTH)} …` : text;
}

// --- events --------------------------------------------------------------------------------------------------------

/** Does something that may fail, and says so if it does. */
const attempt = (act) => async (event) => {
  try {
    await act(event);
  } catch (error) {
    say(page.outcome, 'bad', `It failed: ${error.message}`);
  }
};

const overZone = (event) => page.zone.contains(event.target);

// A file that misses the zone must not take the place of the page.
addEventListener('dragover', (event) => {
  event.preventDefault();
  event.dataTransfer.dropEffect = overZone(event) ? 'copy' : 'none';
  page.zone.classList.toggle('over', overZone(event));
});
addEventListener('dragleave', () => page.zone.classList.remove('over'));
addEventListener('drop', attempt(async (event) => {
  event.preventDefault();
  page.zone.classList.remove('over');
  const [file] = event.dataTransfer.files;
  if (file && overZone(event)) await openFile(file);
}));

page.file.addEventListener('change', attempt(async () => {
  const [file] = page.file.files;
  page.file.value = '';
  if (file) await openFile(file);
}));
page.samples.addEventListener('click', attempt(async ({ target }) => {
  if (target.dataset.plugin) await openSample(target.dataset.plugin);
}));
page.limits.addEventListener('change', attempt(limitsChanged));
page.limits.addEventListener('submit', (event) => event.preventDefault());
page.picker.addEventListener('change', showArguments);
page.call.addEventListener('submit', attempt(async (event) => {
  event.preventDefault();
  await run();
}));
page.cancel.addEventListener('click', () => running?.call.cancel());
