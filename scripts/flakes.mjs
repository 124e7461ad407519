// node scripts/flakes.mjs [--runs 20] [PATTERN...]: runs test files again and again, one file at a time, and tells which tests did not
// pass every time. Ends with one line: "N runs of N tests: N flaky". Patterns as ava takes them; by default those of the addon.
import { parseArgs } from 'node:util';
import { asCommand, Refusal, status, tool } from './command.mjs';

const DEFAULT = ['test/native/**/*.test.js', 'test/boundary/**/*.test.js', 'test/process/**/*.test.js'];

/** The results of `ava --tap`: `ok 1 - title`, `not ok 2 - title`. */
export function tapResults(text) {
  return [...text.matchAll(/^(not )?ok \d+ - (.*?)(?: # (SKIP|TODO).*)?$/gm)].map(([, not, title, skip]) => ({
    title,
    passed: not === undefined,
    skipped: skip !== undefined,
  }));
}

asCommand(import.meta.url, async () => {
  const { values, positionals } = parseArgs({
    options: { runs: { type: 'string', default: '20' } },
    allowPositionals: true,
  });
  const runs = Number(values.runs);
  if (!(Number.isInteger(runs) && runs > 0)) throw new Refusal(`--runs takes a number, got ${values.runs}`);
  const patterns = positionals.length > 0 ? positionals : DEFAULT;
  const failures = new Map();
  const fail = (title) => failures.set(title, (failures.get(title) ?? 0) + 1);
  let tests = 0;
  for (let run = 1; run <= runs; run++) {
    const begun = performance.now();
    let text = '';
    const code = await status(tool('ava'), ['--tap', '--concurrency=1', ...patterns], {
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0' },
      quiet: true,
      onText: (part) => {
        text += part;
      },
    });
    const results = tapResults(text).filter(({ skipped }) => !skipped);
    const failed = results.filter(({ passed }) => !passed);
    tests = Math.max(tests, results.length);
    if (results.length === 0) throw new Refusal(`There is no test: ${patterns.join(' ')}`);
    for (const { title } of failed) fail(title);
    if (code !== 0 && failed.length === 0) fail('(the run itself)');
    if (failed.length > 0 || code !== 0) console.log(text.replace(/^ok .*\n/gm, ''));
    const seconds = ((performance.now() - begun) / 1000).toFixed(1);
    console.log(
      `run ${run} of ${runs}: ${results.length - failed.length} passed, ${failed.length} failed, ${seconds} s`,
    );
  }
  for (const [title, times] of [...failures].sort(([, a], [, b]) => b - a)) {
    console.log(`${times} of ${runs} failed: ${title}`);
  }
  console.log(`${runs} runs of ${tests} tests: ${failures.size} flaky`);
  if (failures.size > 0) process.exitCode = 1;
});
