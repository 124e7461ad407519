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
import { setup } from './setup.mjs';

const CRASHES = join(ROOT, 'build', 'fuzz', 'crashes');
/** Without a sign of life for so long, an input hangs. */
const MOST_SILENCE = 20_000;
const PROGRAM = join(ROOT, 'test', 'fuzz', 'run.js');
/** V8's heap, so that a header which claims terabytes ends the process and not the machine. */
const HEAP = '--max-old-space-size=768';

/**
 * Fuzzes every target, `seconds` in all. Resolves with { targets, executions, failures }: the targets in which something was found.
 *
 * @param targets Names; all by default.
 */
export async function fuzz({ seconds = 60, seed = 1, targets } = {}) {
  const { targetNames } = await import('../test/fuzz/targets.js');
  const names = targetNames();
  const unknown = targets?.find((name) => !names.includes(name));
  if (unknown !== undefined)
    throw new Refusal(`There is no target '${unknown}'; there are ${names.join(', ')}.`);
  const chosen = names.filter((name) => targets === undefined || targets.includes(name));
  const started = performance.now();
  const total = { targets: chosen.length, executions: 0, failures: [] };
  console.log(row(['target', 'engine', 'executions', 'blocks', 'corpus', 'seconds', 'result']));
  for (const name of chosen) {
    const result = await fuzzTarget(name, seconds / chosen.length, seed);
    total.executions += result.executions;
    if (result.findings.length > 0) total.failures.push(name);
    console.log(
      row([
        name,
        'V8 coverage',
        result.executions,
        result.blocks === undefined ? '' : `${result.blocks} +${result.gained}`,
        result.pool ?? '',
        result.seconds.toFixed(1),
        result.findings.length === 0 ? 'ok' : `${result.findings.length} found`,
      ]),
    );
    for (const finding of result.findings) report(name, finding);
  }
  const took = ((performance.now() - started) / 1000).toFixed(0);
  const verdict =
    total.failures.length === 0 ? 'nothing found' : `found something in ${total.failures.join(', ')}`;
  console.log(
    `fuzz: ${total.targets} targets, ${total.executions} executions in ${took} s, seed ${seed}: ${verdict}`,
  );
  return total;
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
  if (!targetNames().includes(name)) throw new Refusal(`There is no target '${name}'.`);
  const folder = join(ROOT, 'build', 'fuzz', 'replay');
  mkdirSync(folder, { recursive: true });
  const found = await verdict(await targetNamed(name), readFileSync(path), folder);
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
    },
  });
  const [seconds, seed] = [Number(values.seconds), Number(values.seed)];
  if (!(seconds > 0)) throw new Refusal(`--seconds takes a number above 0, got '${values.seconds}'.`);
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new Refusal(`--seed takes a whole number, got '${values.seed}'.`);
  await setup({ native: false });
  if (values.replay !== undefined) {
    if (values.target?.length !== 1) throw new Refusal('--replay takes one --target, whose input it is.');
    return replay(values.target[0], values.replay);
  }
  const { failures } = await fuzz({ seconds, seed, targets: values.target });
  if (failures.length > 0) process.exitCode = 1;
});
