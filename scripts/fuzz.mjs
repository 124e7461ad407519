// npm run fuzz [-- --seconds N] [--target NAME] [--seed N] [--replay FILE --target NAME] [--no-native]
//
// Whatever reads bytes that others wrote, on inputs that lie. TypeScript is fuzzed by test/fuzz/engine.js, guided by V8's own coverage;
// the native core by libFuzzer where clang++ has it, else by the seeded driver in test/fuzz/native. Ends with one line that sums up.
import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { asCommand, Refusal, ROOT } from './command.mjs';
import { buildFuzzers, fuzzNative, nativeNames, replayNative } from './fuzz-native.mjs';
import { setup } from './setup.mjs';

const CRASHES = join(ROOT, 'build', 'fuzz', 'crashes');
/** Without a sign of life for so long, an input hangs. */
const MOST_SILENCE = 20_000;
const PROGRAM = join(ROOT, 'test', 'fuzz', 'run.js');
/** V8's heap, so that a header which claims terabytes ends the process and not the machine. */
const HEAP = '--max-old-space-size=768';

/**
 * Fuzzes every target: TypeScript's one after the other in `seconds`, the native ones beside them in as many. Resolves with
 * { targets, executions, failures, skipped }: failures are the targets in which something was found.
 *
 * @param targets Names; all by default.
 */
export async function fuzz({ seconds = 60, seed = 1, targets, native = true } = {}) {
  const { targetNames } = await import('../test/fuzz/targets.js');
  const [ours, theirs] = [targetNames(), nativeNames()];
  const unknown = targets?.find((name) => !ours.includes(name) && !theirs.includes(name));
  if (unknown !== undefined)
    throw new Refusal(`There is no target '${unknown}'; there are ${[...ours, ...theirs].join(', ')}.`);
  const wanted = (name) => targets === undefined || targets.includes(name);
  const lanes = { script: ours.filter(wanted), native: native ? theirs.filter(wanted) : [] };
  const total = { targets: 0, executions: 0, failures: [], skipped: 0 };
  let built;
  if (lanes.native.length > 0) {
    built = await buildFuzzers(lanes.native).catch((error) => ({ failed: error.message }));
    if (built.engine === undefined) {
      console.log(
        `fuzz  native targets ${built.failed ? 'not built' : 'skipped'}: ${built.failed ?? built.skipped}`,
      );
      if (built.failed) {
        total.targets += lanes.native.length;
        total.failures.push(...lanes.native);
      } else total.skipped = lanes.native.length;
      lanes.native = [];
    }
  }

  const started = performance.now();
  console.log(row(['target', 'engine', 'executions', 'coverage', 'corpus', 'seconds', 'result']));
  const lane = async (names, fuzzOne) => {
    for (const name of names) {
      const result = await fuzzOne(name, seconds / names.length);
      total.targets++;
      total.executions += result.executions;
      if (result.findings.length > 0) total.failures.push(name);
      console.log(row(cellsOf(name, result)));
      for (const finding of result.findings) report(name, finding);
    }
  };
  await Promise.all([
    lane(lanes.script, (name, share) => fuzzTarget(name, share, seed)),
    lane(lanes.native, (name, share) => fuzzNative(name, built, { seconds: share, seed, crashes: CRASHES })),
  ]);
  const took = ((performance.now() - started) / 1000).toFixed(0);
  const verdict =
    total.failures.length === 0 ? 'nothing found' : `found something in ${total.failures.join(', ')}`;
  console.log(
    `fuzz: ${total.targets} targets, ${total.executions} executions in ${took} s, seed ${seed}: ${verdict}`,
  );
  return total;
}

function cellsOf(name, { engine = 'V8 coverage', executions, blocks, gained, pool, seconds, findings }) {
  const coverage = blocks === undefined ? '' : `${blocks} +${gained}`;
  const result = findings.length === 0 ? 'ok' : `${findings.length} found`;
  return [name, engine, executions, coverage, pool ?? '', seconds.toFixed(1), result];
}

/** In a process of its own, which an input may end or hang. */
function fuzzTarget(name, seconds, seed) {
  const folder = join(ROOT, 'build', 'fuzz', 'work', name);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return new Promise((resolve, reject) => {
    const child = fork(PROGRAM, [name, folder, String(seconds), String(seed)], {
      execArgv: [HEAP],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let result;
    let said = '';
    let alarm;
    const started = performance.now();
    const awake = () => {
      clearTimeout(alarm);
      alarm = setTimeout(() => child.kill('SIGKILL'), MOST_SILENCE);
    };
    awake();
    child.stderr.setEncoding('utf8').on('data', (text) => {
      said = (said + text).slice(-4000);
    });
    child.on('message', (message) => {
      if (message.beat) awake();
      else result = message;
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(alarm);
      if (result !== undefined && code === 0) return resolve(result);
      const kind = signal === 'SIGKILL' ? 'hang' : 'crash';
      const bytes = lastInput(folder);
      if (bytes === undefined) return reject(new Refusal(`The fuzzer of ${name} did not start: ${said}`));
      const finding = {
        kind,
        detail: said || `it ended with ${signal ?? code}`,
        bytes: bytes.toString('base64'),
      };
      resolve({ executions: 0, findings: [finding], seconds: (performance.now() - started) / 1000 });
    });
  });
}

function lastInput(folder) {
  const file = [
    'safetensors',
    'npy',
    'parquet',
    'h5',
    'bin',
    'csv',
    'json',
    'geojson',
    'pack',
    'tif',
    'png',
    'part',
  ]
    .map((extension) => join(folder, `input.${extension}`))
    .find((path) => existsSync(path));
  return file && readFileSync(file);
}

/** Keeps the input, and says how to see it again. */
function report(name, { kind, detail, bytes, name: known }) {
  mkdirSync(CRASHES, { recursive: true });
  const content = Buffer.from(bytes, 'base64');
  const digest = createHash('sha256').update(content).digest('hex').slice(0, 12);
  const path = join(CRASHES, `${name}-${digest}`);
  writeFileSync(path, content);
  console.log(`  ${kind}${known === undefined ? '' : ` (${known} of the corpus)`}, ${content.length} bytes`);
  console.log(`    ${detail.split('\n').slice(0, 12).join('\n    ')}`);
  console.log(`    npm run fuzz -- --target ${name} --replay ${relative(ROOT, path)}`);
}

const WIDTHS = [14, 14, 12, 12, 8, 9, 0];
const row = (cells) =>
  cells
    .map((cell, i) => String(cell).padEnd(WIDTHS[i]))
    .join(' ')
    .trimEnd();

/** One input on one target: prints what comes of it. */
async function replay(name, path) {
  const { targetNamed, targetNames } = await import('../test/fuzz/targets.js');
  const { verdict } = await import('../test/fuzz/verdict.js');
  const folder = join(ROOT, 'build', 'fuzz', 'replay');
  mkdirSync(folder, { recursive: true });
  let found;
  if (targetNames().includes(name)) {
    found = await verdict(await targetNamed(name), readFileSync(path), folder);
  } else if (nativeNames().includes(name)) {
    const built = await buildFuzzers([name]);
    if (built.skipped) throw new Refusal(`${name} cannot be built: ${built.skipped}`);
    found = await replayNative(name, built, path);
  } else throw new Refusal(`There is no target '${name}'.`);
  console.log(
    found === undefined ? `${basename(path)}: ok` : `${basename(path)}: ${found.kind}\n${found.detail}`,
  );
  if (found !== undefined) process.exitCode = 1;
}

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({
    args,
    options: {
      seconds: { type: 'string', default: '60' },
      seed: { type: 'string', default: '1' },
      target: { type: 'string', multiple: true },
      replay: { type: 'string' },
      'no-native': { type: 'boolean', default: false },
    },
  });
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  if (!(seconds > 0)) throw new Refusal(`--seconds takes a number above 0, got '${values.seconds}'.`);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Refusal(`--seed takes a whole number, got '${values.seed}'.`);
  await setup({ native: false });
  const native = !values['no-native'];
  if (values.replay !== undefined) {
    if (values.target?.length !== 1) throw new Refusal('--replay takes one --target, whose input it is.');
    return replay(values.target[0], values.replay);
  }
  const { failures } = await fuzz({ seconds, seed, targets: values.target, native });
  if (failures.length > 0) process.exitCode = 1;
});
