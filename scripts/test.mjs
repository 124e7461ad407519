// npm test: set-up, the rules of the house, the native tests, all other tests, the quick benchmark, a minute of fuzzing, the sanitizers. Ends with one line: N passed, N failed[, N skipped].
import { basename } from 'node:path';
import { countAva } from './ava-counts.mjs';
import { asCommand, files, isExecutable, ROOT, status, tool } from './command.mjs';
import { fuzz } from './fuzz.mjs';
import { sanitize } from './sanitize.mjs';
import { setup } from './setup.mjs';

/** Files that measure time and memory, or start many threads: one at a time, or they would measure one another. */
const ALONE = [
  'test/native/**/*.test.js',
  'test/boundary/**/*.test.js',
  'test/process/**/*.test.js',
  'test/docs/**/*.test.js',
];

/** Of all targets together. */
const FUZZ_SECONDS = 60;

const totals = { passed: 0, failed: 0, skipped: 0 };

async function ava(patterns) {
  let text = '';
  const code = await status(tool('ava'), patterns, {
    env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
    onText: (part) => {
      text += part;
    },
  });
  const counted = countAva(text);
  totals.passed += counted.passed;
  totals.skipped += counted.skipped;
  totals.failed += code !== 0 ? Math.max(1, counted.failed) : counted.failed;
}

/** A doctest binary, whose last lines are `[doctest] test cases: 12 | 11 passed | 1 failed | 0 skipped`. */
async function nativeTest(path) {
  console.log(`\n  ${basename(path)}`);
  let text = '';
  const code = await status(`${ROOT}/${path}`, [], {
    onText: (part) => {
      text += part;
    },
  });
  const [, passed = 0, failed = 0, skipped = 0] = (
    text.match(/test cases:\s*\d+ \|\s*(\d+) passed \|\s*(\d+) failed(?: \|\s*(\d+) skipped)?/) ?? []
  ).map(Number);
  totals.passed += passed;
  totals.skipped += skipped || 0;
  totals.failed += code !== 0 ? Math.max(1, failed) : failed;
}

asCommand(import.meta.url, async () => {
  await setup({ native: false });
  await ava(['test/house/**/*.test.js']);

  const variant = process.env.STAINFOLD_VARIANT ?? 'cpu';
  await setup({ native: true, variant, tests: true });
  for (const path of files(`build/cmake/${variant}`, /\/test_\w+$/))
    if (isExecutable(`${ROOT}/${path}`)) await nativeTest(path);

  await ava(['test/**/*.test.js', '!test/house/**', ...ALONE.map((pattern) => `!${pattern}`)]);
  await ava(['--concurrency=1', ...ALONE]);
  // Alone as well. Without Python, or what its index offers, it says so and compares with nobody.
  const bench = await status(process.execPath, ['scripts/bench.mjs', '--quick']);
  totals[bench === 0 ? 'passed' : 'failed']++;

  const { targets, failures, skipped: unbuilt } = await fuzz({ seconds: FUZZ_SECONDS });
  totals.passed += targets - failures.length;
  totals.skipped += unbuilt;
  totals.failed += failures.length;

  const sanitized = await sanitize();
  for (const outcome of Object.keys(totals)) totals[outcome] += sanitized[outcome];

  const skipped = totals.skipped > 0 ? `, ${totals.skipped} skipped` : '';
  console.log(`\n${totals.passed} passed, ${totals.failed} failed${skipped}`);
  if (totals.failed > 0 || totals.passed === 0) process.exitCode = 1;
});
