// The stages of scripts/gpu.mjs: limits that hold, reports that are written whatever happens. No GPU is needed.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { ROOT } from '../../scripts/command.mjs';
import { devicesIn } from '../../scripts/gpu/machine.mjs';
import { runLimited, Stages } from '../../scripts/gpu/stages.mjs';
import { kernels, nativeTests, sanitize } from '../../scripts/gpu/work.mjs';
import { temporaryFolder } from '../temporary.js';

const HALF_A_MINUTE = { most: 30, least: 0 };

test('stages: passed, failed, no time left; the report is written after each', async (t) => {
  const written = [];
  const stages = new Stages({ seconds: 60, write: (report) => written.push(Object.keys(report)) });
  await stages.run('good', HALF_A_MINUTE, async (limit) => ({ limit, figure: 3 }));
  await stages.run('bad', HALF_A_MINUTE, async () => {
    throw new Error('it broke');
  });
  await stages.run('own', HALF_A_MINUTE, async () => ({ status: 'timed out' }));
  await stages.run('late', { most: 100, least: 90 }, () => t.fail('there is no time for it'));
  const { good, bad, own, late } = stages.report;
  t.like(good, { status: 'passed', limit: 30, figure: 3 });
  t.like(bad, { status: 'failed', reason: 'it broke' });
  t.is(own.status, 'timed out');
  t.is(late.status, 'no time left');
  t.deepEqual(written, [['good'], ['good', 'bad'], ['good', 'bad', 'own'], ['good', 'bad', 'own', 'late']]);
});

// By itself: other tests here hold the event loop up.
test.serial('a process is killed at its limit, with what it started', async (t) => {
  const trace = join(temporaryFolder('gpu'), 'trace');
  const grandchild = `setTimeout(() => require('node:fs').writeFileSync(${JSON.stringify(trace)}, 'alive'), 1500)`;
  const program = `
    require('node:child_process').spawn(process.execPath, ['-e', ${JSON.stringify(grandchild)}]);
    console.log('begun'); setInterval(() => {}, 1000);`;
  const result = await runLimited(process.execPath, ['-e', program], { seconds: 0.7 });
  t.true(result.timedOut);
  t.is(result.code, null);
  t.regex(result.output, /begun/);
  await sleep(2000);
  t.false(existsSync(trace), 'what it started is still there');
});

test('a process that cannot be started is told', async (t) => {
  const { error, code } = await runLimited(join(ROOT, 'there-is-no-such-program'), [], { seconds: 5 });
  t.is(error, 'ENOENT');
  t.is(code, null);
});

test("nvidia-smi's lines", (t) => {
  t.deepEqual(devicesIn('NVIDIA H100 80GB HBM3, 580.159.04, 81559 MiB, 9.0\n'), [
    { name: 'NVIDIA H100 80GB HBM3', driver: '580.159.04', memory: '81559 MiB', capability: '9.0' },
  ]);
  t.deepEqual(devicesIn(''), []);
});

/** A folder as a build leaves it, whose test binaries are shell scripts. */
function planted(scripts) {
  const root = temporaryFolder('gpu');
  const folder = join(root, 'build', 'cmake', 'cpu');
  mkdirSync(folder, { recursive: true });
  for (const [name, text] of Object.entries(scripts)) {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${text}\n`);
    chmodSync(path, 0o755);
  }
  return { root, variant: 'cpu', tools: { sanitizer: join(folder, 'sanitizer') } };
}

const COUNTS = 'echo "[doctest] test cases:  7 | 6 passed | 1 failed | 2 skipped"';

test('native tests: counts of all binaries, and the one that fails', async (t) => {
  const given = planted({
    test_a: 'echo "test cases: 3 | 3 passed | 0 failed"',
    test_b: `${COUNTS}; exit 1`,
  });
  const told = await nativeTests(given, 30);
  t.like(told, { status: 'failed', passed: 9, failed: 1 });
  t.is(told.binaries.test_a.status, 'passed');
  t.regex(told.binaries.test_b.reason, /exit code 1/);
  await t.throwsAsync(kernels({ ...given, variant: 'cu130' }, 10), { message: /the build comes first/ });
});

test('compute-sanitizer: each binary with tests for it, both checks, its summary kept', async (t) => {
  const given = planted({
    test_a: 'echo "sanitizer: kernels of a"',
    test_b: 'echo "nothing of the kind"',
    sanitizer:
      'case "$2" in memcheck) echo "========= ERROR SUMMARY: 0 errors";; *) echo "========= RACECHECK SUMMARY: 1 hazard displayed"; exit 99;; esac',
  });
  const { status, runs } = await sanitize(given, 30);
  t.is(status, 'failed');
  t.deepEqual(Object.keys(runs), ['test_a memcheck', 'test_a racecheck']);
  t.like(runs['test_a memcheck'], { status: 'passed', summary: 'ERROR SUMMARY: 0 errors' });
  t.like(runs['test_a racecheck'], {
    status: 'failed',
    summary: 'RACECHECK SUMMARY: 1 hazard displayed',
  });
  t.is((await sanitize({ ...given, tools: {} }, 30)).status, 'missing');
});

test('the script: a dry run says what there is, and what is asked wrongly is refused', (t) => {
  const run = (...args) =>
    spawnSync(process.execPath, ['scripts/gpu.mjs', ...args], { cwd: ROOT, encoding: 'utf8' });
  const dry = run('--dry-run', '--only', 'build,sanitize');
  t.is(dry.status, 0, dry.stderr);
  t.regex(dry.stdout, /^nvcc: .*\ncmake: /m);
  t.regex(dry.stdout, /^sanitize: at most \d+ s$/m);
  t.notRegex(dry.stdout, /^embed/m);
  t.regex(run('--dry-run', '--only', 'lunch').stderr, /there is no stage 'lunch'/);
  t.regex(run('--out', 'x', '--seconds', 'ten').stderr, /--seconds takes a number above 0/);
  t.regex(run().stderr, /give --out DIR/);
});

test('without its build a stage fails, and the figures are written all the same', async (t) => {
  const out = temporaryFolder('gpu');
  const earlier = { stages: { build: { status: 'passed' }, sanitize: { status: 'passed' } } };
  writeFileSync(join(out, 'figures.json'), JSON.stringify(earlier));
  const result = await runLimited(
    process.execPath,
    ['scripts/gpu.mjs', '--device', 'cpu', '--only', 'sanitize', '--seconds', '5', '--out', out],
    { seconds: 60, cwd: ROOT },
  );
  t.is(result.code, 1);
  const { stages } = JSON.parse(readFileSync(join(out, 'figures.json'), 'utf8'));
  t.is(stages.sanitize.status, 'no time left');
  t.is(stages.build.status, 'passed', 'what an earlier call came to is kept');
});
