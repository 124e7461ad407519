// npm run sanitize [-- --all] [--only memory|threads]
//
// The core and the addon under AddressSanitizer and UndefinedBehaviorSanitizer, what starts threads under ThreadSanitizer:
// built into build/cmake/VARIANT-asan and VARIANT-tsan, one line for each program that ran, then what passed and failed.
// Each sanitizer must first find what is planted for it. Without a compiler that brings them: skipped, with the reason.
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { countAva } from './ava-counts.mjs';
import { cmakeCommands, findCompiler, place } from './build-native.mjs';
import { asCommand, capture, files, Refusal, ROOT, run } from './command.mjs';
import { setup } from './setup.mjs';

/** The status of a program that a sanitizer ended; no test of ours asks for it. */
const FOUND = 86;
const SUPPRESSIONS = join(ROOT, 'test', 'sanitizers');

const BUILDS = {
  memory: {
    folder: 'asan',
    sanitize: 'address,undefined',
    planted: {
      'heap-overflow': /heap-buffer-overflow/,
      'use-after-free': /heap-use-after-free/,
      'signed-overflow': /signed integer overflow/,
      leak: /detected memory leaks/,
    },
    environment: {
      ASAN_OPTIONS: { detect_stack_use_after_return: 1 },
      LSAN_OPTIONS: { suppressions: join(SUPPRESSIONS, 'leaks.supp'), print_suppressions: 0 },
      UBSAN_OPTIONS: { print_stacktrace: 1 },
    },
  },
  threads: {
    folder: 'tsan',
    sanitize: 'thread',
    planted: { 'data-race': /data race/ },
    environment: { TSAN_OPTIONS: { halt_on_error: 1, second_deadlock_stack: 1 } },
  },
};

/** Where the loops over raw memory are. The other rooms are tensor operations, compiled for --all: a minute and a half of two cores. */
const ROOMS = ['core', 'decode', 'infer', 'ops', 'slide', 'stain'];

/** Left to --all: an emulated GPU's threads take turns, 40 s of 50 in these two, and the same kernels run at smaller sizes beside them. */
const SLOW = { test_ops: ["the tensor cores' programs agree*", 'squares*panels and ragged edges*'] };

/** What crosses the addon's boundary; every room is in it. */
const CROSSING = [
  'decode',
  'embedder',
  'encoder-calls',
  'errors',
  'losses',
  'metrics',
  'phantom',
  'trainer',
  'translator',
].map((name) => `test/native/${name}.test.js`);
const CROSSING_WRONGLY = ['arrays', 'states'].map((name) => `test/boundary/native-${name}.test.js`);

/** With --all. Not those that measure memory: a sanitizer keeps freed memory back. */
const CROSSING_ALL = [
  'test/native/**/*.test.js',
  'test/boundary/*.test.js',
  '!test/boundary/lifetimes.test.js',
  'test/slides/**/*.test.js',
];

/** Builds and runs; resolves with { passed, failed, skipped }, a program each. `all`: also what takes long. */
export async function sanitize({ all = false, only } = {}) {
  const totals = { passed: 0, failed: 0, skipped: 0 };
  const count = (outcome) => {
    totals[outcome]++;
  };
  for (const [name, build] of Object.entries(BUILDS)) {
    if (only !== undefined && only !== name) continue;
    const missing = await whyMissing(build);
    if (missing) {
      console.log(`  ${build.folder}  skipped: ${missing}`);
      count('skipped');
      continue;
    }
    await (name === 'memory' ? memory(build, all, count) : threads(build, count));
  }
  return totals;
}

async function memory(build, all, count) {
  const tested = files('test/cpp', /\.test\.cpp$/).map((path) => path.split(/[\\/]/)[2]);
  const tests = [...new Set(tested)]
    .filter((room) => all || ROOMS.includes(room))
    .map((room) => `test_${room}`);
  const made = await compile(build, ['canary', ...tests, 'stainfold', 'preload']);
  for (const plant of Object.keys(build.planted)) count(await canary(build, made, plant));
  for (const test of tests) count(await native(build, made, test, all ? [] : SLOW[test]));
  count(await withoutRuntime(build, made));
  count(await addon(build, made, 'what it does', CROSSING));
  count(await addon(build, made, 'what it refuses', CROSSING_WRONGLY));
  if (all) count(await addon(build, made, 'all tests', CROSSING_ALL));
}

async function threads(build, count) {
  const made = await compile(build, ['canary', 'test_threads']);
  for (const plant of Object.keys(build.planted)) count(await canary(build, made, plant));
  count(await native(build, made, 'test_threads'));
}

/** Why the compiler cannot link a program with these sanitizers; undefined where it can. */
async function whyMissing({ sanitize }) {
  if (process.platform !== 'linux') return `the sanitizers are run on Linux, and this is ${process.platform}`;
  const folder = mkdtempSync(join(tmpdir(), 'stainfold-'));
  try {
    const source = join(folder, 'empty.cpp');
    writeFileSync(source, 'int main() { return 0; }\n');
    await capture(findCompiler(), [`-fsanitize=${sanitize}`, source, '-o', join(folder, 'empty')]);
    await capture(join(folder, 'empty'), []);
  } catch (error) {
    return error.message.split('\n').slice(0, 3).join(' ');
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Configures and builds targets. Resolves with { work, libtorch }. */
async function compile({ folder, sanitize }, targets) {
  const { resolveLibTorch } = await import('../lib/libtorch/resolve.js');
  const { lockFolder } = await import('../lib/files/lock.js');
  const libtorch = resolveLibTorch({ variant: 'cpu' });
  const name = `${libtorch.variant}-${folder}`;
  const work = join(ROOT, 'build', 'cmake', name);
  const lock = await lockFolder(join(ROOT, 'build', 'cmake'), `${name}.lock`);
  try {
    const { configure, build } = await cmakeCommands(work, libtorch, {
      tests: true,
      options: { STAINFOLD_SANITIZE: sanitize, STAINFOLD_INSTALL: 'OFF' },
    });
    mkdirSync(work, { recursive: true });
    const start = performance.now();
    await run(configure[0], [...configure.slice(1), '-B', work, '--log-level=NOTICE']);
    await run(build[0], [...build.slice(1), '--target', ...targets]);
    if (targets.includes('stainfold')) await place(work, join(work, 'native', libtorch.variant), libtorch);
    console.log(`  ${folder}  ${sanitize}: built in ${seconds(start)}`);
  } finally {
    lock.release();
  }
  return { work, libtorch };
}

async function canary(build, { work }, plant) {
  const outcome = await observe(build, work, `canary-${plant}`, join(work, 'canary'), [plant]);
  const found = outcome.code === FOUND && build.planted[plant].test(outcome.findings);
  return say(build, `planted ${plant}`, found, found ? 'found, as it must be' : 'NOT FOUND', outcome);
}

async function native(build, { work }, test, without = []) {
  const filter = without.length > 0 ? [`--test-case-exclude=${without.join(',')}`] : [];
  const outcome = await observe(build, work, test, join(work, test), filter);
  const [, cases] = outcome.output.match(/test cases:\s*(\d+) \|/) ?? [];
  return say(build, test, outcome.code === 0 && outcome.findings === '', `${cases} test cases`, outcome);
}

/** An instrumented addon refuses to load into a Node that has no sanitizer: so this one is. */
async function withoutRuntime(build, { work, libtorch }) {
  const path = join(work, 'native', libtorch.variant, 'preload.node');
  const args = ['-e', `require(${JSON.stringify(path)})`];
  const outcome = await observe(build, work, 'without-runtime', process.execPath, args);
  const refused = outcome.code !== 0 && /ASan runtime|__asan_/.test(outcome.output);
  const fact = refused ? 'refused, as it must be' : 'NOT REFUSED';
  return say(build, 'addon without the runtime', refused, fact, outcome);
}

/**
 * Test files in a Node that was given the sanitizer's runtime. No search for leaks: V8 leaves much of what it has to the end of the
 * process, and what a JavaScript heap still points to cannot be told from what is lost.
 */
async function addon(build, { work }, name, tests) {
  const environment = {
    LD_PRELOAD: await runtimeOf(findCompiler()),
    STAINFOLD_NATIVE: join(work, 'native'),
    STAINFOLD_VARIANT: 'cpu',
  };
  const ava = join(ROOT, 'node_modules', 'ava', 'entrypoints', 'cli.mjs');
  const args = [ava, '--concurrency=1', '--timeout=20m', ...tests];
  // A test asks for more memory than there is: that is to be an error, and not a finding.
  const asan = { detect_leaks: 0, allocator_may_return_null: 1 };
  const what = `addon-${name.replaceAll(' ', '-')}`;
  const outcome = await observe(build, work, what, process.execPath, args, { environment, asan });
  const good = outcome.code === 0 && outcome.findings === '';
  return say(build, `addon, ${name}`, good, `${countAva(outcome.output).passed} tests`, outcome);
}

async function runtimeOf(compiler) {
  const clang = (await capture(compiler, ['--version'])).includes('clang');
  const arch = process.arch === 'x64' ? 'x86_64' : 'aarch64';
  const name = clang ? `libclang_rt.asan-${arch}.so` : 'libasan.so';
  return (await capture(compiler, [`-print-file-name=${name}`])).trim();
}

/** Runs a program. Resolves with { code, output, findings, took }, the output with all reports; it is kept in the build's folder `logs`. */
async function observe(build, work, name, program, args, { environment = {}, asan = {} } = {}) {
  const logs = join(work, 'logs', name);
  rmSync(logs, { recursive: true, force: true });
  mkdirSync(logs, { recursive: true });
  const options = Object.entries(build.environment).map(([variable, settings]) => {
    const whole = { exitcode: FOUND, log_path: join(logs, variable), ...settings };
    if (variable === 'ASAN_OPTIONS') Object.assign(whole, asan);
    return [
      variable,
      Object.entries(whole)
        .map(([key, value]) => `${key}=${value}`)
        .join(':'),
    ];
  });
  const env = {
    ...process.env,
    NO_COLOR: '1',
    OMP_WAIT_POLICY: 'passive',
    ...Object.fromEntries(options),
    ...environment,
  };
  const start = performance.now();
  const { code, output } = await collect(program, args, env);
  // Written by the sanitizers beside the output, so that a child's, too, is seen, whatever its parent made of it.
  const reports = readdirSync(logs).map((file) => readFileSync(join(logs, file), 'utf8'));
  writeFileSync(join(logs, 'output'), output);
  // UndefinedBehaviorSanitizer beside AddressSanitizer writes among the output; a refused allocation is a warning and no finding.
  const findings = [...reports, output].filter((text) => /SUMMARY: \w+Sanitizer|runtime error: /.test(text));
  return {
    code,
    output: [output, ...reports].join('\n'),
    findings: findings.join('\n'),
    took: seconds(start),
  };
}

function collect(program, args, env) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? 128, output }));
  });
}

function say({ folder }, what, good, fact, { code, output, findings, took }) {
  console.log(`  ${folder}  ${what.padEnd(32)} ${good ? fact : `FAILED with status ${code}`} (${took})`);
  if (!good) console.log(findings || output.slice(-8000));
  return good ? 'passed' : 'failed';
}

function seconds(start) {
  return `${((performance.now() - start) / 1000).toFixed(1)} s`;
}

/** `12 passed, 0 failed[, 1 skipped]`, as npm test ends. */
function summary({ passed, failed, skipped }) {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
}

asCommand(import.meta.url, async (args) => {
  const { values } = parseArgs({ args, options: { all: { type: 'boolean' }, only: { type: 'string' } } });
  if (values.only !== undefined && !Object.hasOwn(BUILDS, values.only)) {
    throw new Refusal(`--only takes ${Object.keys(BUILDS).join(' or ')}, got '${values.only}'.`);
  }
  await setup({ native: false });
  const totals = await sanitize(values);
  console.log(`\nsanitizers: ${summary(totals)}`);
  if (totals.failed > 0 || totals.passed + totals.skipped === 0) process.exitCode = 1;
});
