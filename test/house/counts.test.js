// Invariant: the sums under `npm test` are those of ava, also where something failed.
import test from 'ava';
import { countAva } from '../../scripts/ava-counts.mjs';
import { tapResults } from '../../scripts/flakes.mjs';

test('where all passed, ava says so', (t) => {
  const text =
    '  ✔ a › one (1.2s)\n    ℹ 3 tests passed by\n  ✔ a › two\n  ─\n\n  2 tests passed\n  1 test skipped\n';
  t.deepEqual(countAva(text), { passed: 2, failed: 0, skipped: 1 });
});

test('where one failed it keeps silent about the others: their lines count', (t) => {
  const text = `
  ✔ a › one (170ms)
  ✘ [fail]: a › two
  ✔ a › three
  - [skip] a › four
  ─

  a › two

  ─

  1 test failed
  1 hook failed
  1 test skipped
  1 uncaught exception
`;
  t.deepEqual(countAva(text), { passed: 2, failed: 3, skipped: 1 });
});

test('TAP: passed, failed and skipped', (t) => {
  const text =
    'TAP version 13\nok 1 - a › one\nnot ok 2 - a › two\n  ---\n    name: x\nok 3 - b # SKIP\nok 4 - c › # of tiles\n';
  t.deepEqual(tapResults(text), [
    { title: 'a › one', passed: true, skipped: false },
    { title: 'a › two', passed: false, skipped: false },
    { title: 'b', passed: true, skipped: true },
    { title: 'c › # of tiles', passed: true, skipped: false },
  ]);
});
