// The page in a real browser: headless Chromium, on files that a server of this test's own gives out.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { extname, join } from 'node:path';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));
const web = process.env.WEB_DIR ?? join(root, 'target/web');
const tools = process.env.WEB_TOOLS ?? join(root, 'target/web-tools');
const { chromium } = createRequire(join(tools, 'package.json'))('playwright-core');

const ARGUMENTS = [
  '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync',
];
const TYPES = {
  '.html': 'text/html', '.css': 'text/css', '.mjs': 'text/javascript', '.svg': 'image/svg+xml',
  '.wasm': 'application/wasm',
};
const fixture = (name) => join(root, `fixtures/wasm/${name}.wasm`);

/** A static server of a folder, and what it was asked for. */
function serve(folder) {
  const asked = [];
  const server = createServer((request, response) => {
    const path = request.url === '/' ? '/index.html' : request.url;
    asked.push(path);
    const file = join(folder, path);
    if (path.includes('..') || !existsSync(file)) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { 'content-type': TYPES[extname(file)] }).end(readFileSync(file));
  });
  return new Promise((resolve) => {
    const origin = () => `http://127.0.0.1:${server.address().port}`;
    server.listen(0, '127.0.0.1', () => resolve({ server, asked, origin: origin() }));
  });
}

describe('the page', () => {
  let browser;
  let served;
  let elsewhere;
  let page;
  let problems;
  let requests;

  before(async () => {
    served = await serve(web);
    elsewhere = await serve(web);
    // A profile of its own, which is thrown away.
    browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ARGUMENTS });
  });

  after(async () => {
    await browser?.close();
    served.server.close();
    elsewhere.server.close();
  });

  beforeEach(async () => {
    page = await browser.newPage();
    problems = [];
    requests = [];
    page.on('console', (message) => { if (message.type() !== 'log') problems.push(message.text()); });
    page.on('pageerror', (error) => problems.push(String(error)));
    page.on('requestfailed', (request) => problems.push(`${request.url()} failed`));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(served.origin);
    // A machine that is busy takes any time.
    await setLimit('timeLimit', 0);
  });

  afterEach(async () => {
    await page.close();
    assert.deepEqual(problems, []);
    assert.deepEqual(requests.filter((url) => !url.startsWith(`${served.origin}/`)), []);
  });

  const box = (selector) => page.locator(selector);
  const content = (selector) => box(selector).innerText();
  const gauge = (selector) => box(selector).evaluate(({ value, max }) => ({ value, max }));

  /** Drops a file as a person does: the browser is told that one is dragged to a place and let go of. */
  async function drop(path, onto = '#zone') {
    const devtools = await page.context().newCDPSession(page);
    const { x, y, width, height } = await box(onto).boundingBox();
    const data = { items: [], files: [path], dragOperationsMask: 1 };
    for (const type of ['dragEnter', 'dragOver', 'drop']) {
      await devtools.send('Input.dispatchDragEvent', { type, x: x + width / 2, y: y + height / 2, data });
    }
    await devtools.detach();
  }

  async function dropPlugin(name) {
    await drop(fixture(name));
    await box('#admission', { hasText: name.split('/').at(-1) }).waitFor();
  }

  async function setLimit(name, value) {
    await box(`#${name}`).fill(String(value));
    await box(`#${name}`).blur();
  }

  const pick = (name) => box('#picker').selectOption(name);

  /** Clicks on Run, and answers the outcome once the call has ended. */
  async function run() {
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    return outcome();
  }

  async function outcome() {
    await page.waitForFunction(() => !document.body.classList.contains('running')
      && document.querySelector('#outcome').dataset.kind !== 'none');
    return { kind: await box('#outcome').getAttribute('data-kind'), text: await content('#outcome') };
  }

  /** From now on notes what the gauges show, and how many frames the browser draws, while a call runs. */
  function watch() {
    return page.evaluate(() => {
      const seen = { fuel: [], frames: 0 };
      const gauge = document.querySelector('#fuelGauge');
      const note = () => { if (document.body.classList.contains('running')) seen.fuel.push(gauge.value); };
      new MutationObserver(note).observe(gauge, { attributes: true });
      const frame = () => {
        if (document.body.classList.contains('running')) seen.frames += 1;
        requestAnimationFrame(frame);
      };
      requestAnimationFrame(frame);
      globalThis.seen = seen;
    });
  }

  test('a plugin that is dropped is described, runs, and answers', async () => {
    await dropPlugin('no_memory');
    assert.equal(await content('#admission'), 'Admitted: no_memory.wasm');
    assert.match(await content('#facts'), /SHA-256\s+[0-9a-f]{64}/);
    assert.match(await content('#functions'), /mixed\s+\(i32, i64, f32, f64\) → f64/);
    assert.equal(await content('#noImports'), 'It imports nothing.');
    await pick('mixed');
    for (const [place, value] of [1, '2', '3.0', '4e0'].entries()) {
      await page.getByLabel(`Argument ${place + 1}`).fill(String(value));
    }
    const { kind, text } = await run();
    assert.equal(kind, 'good');
    assert.match(text, /^mixed → 4321 \([\d,]+ fuel, \d+ ms\)$/);
    assert.ok((await gauge('#fuelGauge')).value > 0);
    assert.match(await content('#log'), /mixed → 4321/);
    assert.match(await content('#stats'), /Calls\s+1\s/);
  });

  /** The colours that the browser has drawn along a gauge, at so many places. */
  async function colours(selector, places) {
    const picture = (await box(selector).screenshot()).toString('base64');
    return page.evaluate(async ([base64, count]) => {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      const image = await createImageBitmap(new Blob([bytes]));
      const canvas = new OffscreenCanvas(image.width, image.height).getContext('2d', { willReadFrequently: true });
      canvas.drawImage(image, 0, 0);
      const at = (place) => canvas.getImageData(image.width * (place + 0.5) / count, image.height / 2, 1, 1).data;
      return Array.from({ length: count }, (_, place) => at(place).join());
    }, [picture, places]);
  }

  test('the gauges move while it runs, and are drawn', async () => {
    await dropPlugin('kernels');
    await pick('sieve');
    await page.getByLabel('Argument 1').fill('500000');
    await watch();
    assert.match((await run()).text, /^sieve → 41538 /);
    const { fuel } = await page.evaluate('seen');
    assert.ok(new Set(fuel).size >= 5, `the gauge showed ${fuel}`);
    assert.deepEqual(fuel, [...fuel].sort((a, b) => a - b));
    const memory = await gauge('#memoryGauge');
    assert.deepEqual(memory, { value: 2 << 20, max: 4 << 20 });
    assert.equal(await content('#memoryText'), '2,048 KiB of 4,096 KiB');
    const [first, second, third, fourth] = await colours('#memoryGauge', 4);
    assert.ok(first === second && second !== third && third === fourth, `${first} ${second} ${third} ${fourth}`);
  });

  test('one that never ends is stopped at its limit of fuel, and the page goes on meanwhile', async () => {
    await dropPlugin('misbehaving/endless_loop');
    await pick('run');
    await watch();
    const { kind, text } = await run();
    assert.equal(kind, 'stopped');
    assert.match(text, /^Stopped at its limit of fuel \(49,9/);
    const { fuel, frames } = await page.evaluate('seen');
    assert.ok(new Set(fuel).size >= 5 && frames >= 2, `${fuel.length} values, ${frames} frames`);
    const { value, max } = await gauge('#fuelGauge');
    assert.ok(max === 50_000_000 && value > 0.99 * max);
    assert.match(await content('#log'), /run: .*it ran out of fuel: the call's limit is 50000000/);
    await pick('ping');
    assert.equal((await run()).kind, 'good');
  });

  test('one that never ends is stopped at its limit of time', async () => {
    await setLimit('fuelLimit', Number.MAX_SAFE_INTEGER);
    await setLimit('timeLimit', 50);
    await dropPlugin('misbehaving/endless_loop');
    await pick('run');
    const { kind, text } = await run();
    assert.equal(kind, 'stopped');
    assert.match(text, /^Stopped at its limit of time/);
  });

  test('one that takes all memory is stopped at its limit of memory', async () => {
    await dropPlugin('misbehaving/memory_grower');
    await pick('grow_all');
    const { kind, text } = await run();
    assert.equal(kind, 'stopped');
    assert.match(text, /^Stopped at its limit of memory/);
    assert.deepEqual(await gauge('#memoryGauge'), { value: 4 << 20, max: 4 << 20 });
    await page.getByLabel('Growing over the memory limit').selectOption('refuse');
    await pick('grow_all');
    assert.match((await run()).text, /^grow_all → 64 /);
  });

  test('one that recurses without end is stopped at its limit of stack', async () => {
    await dropPlugin('misbehaving/deep_recursion');
    await pick('endless');
    assert.match((await run()).text, /^Stopped at its limit of stack/);
  });

  test('one that is refused says why, and cannot be run', async () => {
    await dropPlugin('misbehaving/foreign_import');
    assert.equal(await content('#admission'), 'Refused: foreign_import.wasm');
    assert.match(await content('#reasons'), /it imports `env` `print`, which this host does not have/);
    assert.match(await content('#imports'), /env print\s+no\s+no/);
    assert.equal(await page.getByRole('button', { name: 'Run', exact: true }).isDisabled(), true);
  });

  test('a file that is no plugin is refused as well', async () => {
    await drop(join(web, 'page.css'));
    await box('#admission', { hasText: 'page.css' }).waitFor();
    assert.equal(await content('#admission'), 'Refused: page.css');
    assert.equal(await content('#noFunctions'), 'It exports none.');
  });

  test('one whose start section fails is admitted and does not load', async () => {
    await dropPlugin('misbehaving/trap_start');
    assert.match(await content('#admission'), /^Admitted/);
    assert.match(await content('#facts'), /Start section\s+yes/);
    assert.equal((await outcome()).kind, 'bad');
    assert.equal(await page.getByRole('button', { name: 'Run', exact: true }).isDisabled(), true);
  });

  test('a run without an end in sight is cancelled', async () => {
    await setLimit('fuelLimit', Number.MAX_SAFE_INTEGER);
    await dropPlugin('misbehaving/endless_loop');
    await pick('run');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.waitForFunction(() => document.querySelector('#fuelText').textContent.match(/^[1-9][\d,]+ of/));
    await page.getByRole('button', { name: 'Cancel' }).click();
    const { kind, text } = await outcome();
    assert.deepEqual([kind, text.split(' ')[0]], ['warn', 'Cancelled']);
    await pick('ping');
    assert.equal((await run()).kind, 'good');
  });

  test('another plugin takes the place of one that runs', async () => {
    await setLimit('fuelLimit', Number.MAX_SAFE_INTEGER);
    await dropPlugin('misbehaving/endless_loop');
    await pick('run');
    await page.getByRole('button', { name: 'Run', exact: true }).click();
    await page.waitForFunction(() => document.body.classList.contains('running'));
    await dropPlugin('no_memory');
    await pick('nothing');
    assert.match((await run()).text, /^nothing → nothing /);
  });

  test('limits hold from the moment they are changed', async () => {
    await dropPlugin('kernels');
    await setLimit('fuelLimit', 1000);
    await pick('sieve');
    await page.getByLabel('Argument 1').fill('10000');
    assert.match((await run()).text, /^Stopped at its limit of fuel/);
    await setLimit('memoryLimit', 64);
    assert.match(await content('#reasons'), /2097152 bytes of initial memory/);
    await setLimit('memoryLimit', '');
    assert.equal(await box('#memoryLimit').evaluate((input) => input.validity.valid), false);
  });

  test('a grant is shown in the report', async () => {
    await dropPlugin('aggregate');
    assert.match(await content('#imports'), /soch_v1 soch_scan\s+yes\s+no/);
    await page.getByLabel('Grant it tables').check();
    assert.match(await content('#imports'), /soch_v1 soch_scan\s+yes\s+yes/);
  });

  test('text is handed over and comes back', async () => {
    await page.getByRole('button', { name: 'one that works on text' }).click();
    await box('#admission', { hasText: 'text_transform' }).waitFor();
    await pick('upper');
    await page.getByLabel('Text to hand over').fill('grüße & <b>tags</b>');
    assert.match((await run()).text, /^upper → "GRüßE & <B>TAGS<\/B>"/);
    assert.equal(await box('#outcome b').count(), 0);
  });

  test('what is no number is said to be none', async () => {
    await dropPlugin('no_memory');
    await pick('add64');
    await page.getByLabel('Argument 2').fill('1.5');
    const { kind, text } = await run();
    assert.deepEqual([kind, text], ['bad', 'Argument 2 is no i64: 1.5']);
  });

  test('a file is chosen with the button as well', async () => {
    await page.getByLabel('Drop a plugin here').setInputFiles(fixture('counter'));
    await box('#admission', { hasText: 'counter.wasm' }).waitFor();
    await pick('increment');
    assert.match((await run()).text, /^increment → 1 /);
    assert.match((await run()).text, /^increment → 2 /);
  });

  test('what a plugin logs without end is cut, and the page stays small', async () => {
    await page.getByRole('button', { name: 'one that never stops logging' }).click();
    await box('#admission', { hasText: 'endless_host_loop' }).waitFor();
    await pick('log');
    assert.match((await run()).text, /^Stopped at its limit of fuel/);
    await box('#logNote', { hasText: 'earlier lines are not shown' }).waitFor();
    await box('#log', { hasText: "log: plugin `endless_host_loop`, function `log`: it ran out of fuel" }).waitFor();
    assert.equal(await box('#log li').count(), 200);
  });

  test('a file that misses the zone does not take the place of the page', async () => {
    await drop(fixture('no_memory'), 'h1');
    assert.equal(page.url(), `${served.origin}/`);
    assert.equal(await box('#noReport').isVisible(), true);
  });

  test('its policy lets it ask nobody else', async () => {
    const answer = await page.evaluate((url) => fetch(url).then(() => 'answered', () => 'refused'), elsewhere.origin);
    assert.equal(answer, 'refused');
    assert.deepEqual(elsewhere.asked, []);
    assert.ok(problems.length > 0 && problems.every((problem) => problem.includes('Content Security Policy')
      || problem.includes(elsewhere.origin)), problems.join('\n'));
    [problems, requests] = [[], []];
  });

  test('everything on it has a name', async () => {
    await dropPlugin('kernels');
    const nameless = await page.evaluate(() => [...document.querySelectorAll('input, select, textarea, button, meter')]
      .filter((element) => !(element.labels?.length || element.textContent.trim() || element.ariaLabel))
      .map((element) => element.outerHTML));
    assert.deepEqual(nameless, []);
  });
});
