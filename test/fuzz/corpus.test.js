// Invariant: the corpus holds inputs that are read, and what was once found in others is found no more.
import { statSync } from 'node:fs';
import test from 'ava';
import { files, ROOT } from '../../scripts/command.mjs';
import { nativeNames } from '../../scripts/fuzz-native.mjs';
import { temporaryFolder } from '../temporary.js';
import { corpusOf, targetNamed, targetNames } from './targets.js';
import { inputPath, verdict } from './verdict.js';

const folder = temporaryFolder('fuzz-corpus');

for (const name of targetNames()) {
  test.serial(`${name}: its corpus`, async (t) => {
    const target = await targetNamed(name);
    for (const { name: input, bytes } of corpusOf(name)) {
      t.is(await verdict(target, bytes, folder), undefined, input);
      if (/^(regression-|far|no-)/.test(input)) continue;
      await t.notThrowsAsync(() => target.run(inputPath(folder, target), bytes), `${input} is read`);
    }
  });
}

test('every native target has a corpus, and every corpus a target', (t) => {
  const known = [...targetNames(), ...nativeNames(), 'parquet']; // Parquet's is for a test of its own
  const there = new Set(files('test/fuzz/corpus').map((path) => path.split(/[\\/]/)[3]));
  t.deepEqual([...there].sort(), known.sort());
});

test('the corpus stays small', (t) => {
  const bytes = files('test/fuzz/corpus').reduce((sum, path) => sum + statSync(`${ROOT}/${path}`).size, 0);
  t.true(bytes > 50_000 && bytes < 300_000, `${bytes} bytes`);
});
