// Invariant: whatever a reader may do wrong is seen, and the engine finds it from an input that is right.
import { writeFile } from 'node:fs/promises';
import test from 'ava';
import { openEmbeddingFile } from '../../lib/data/embedding-file.js';
import { StainfoldError } from '../../lib/errors.js';
import { temporaryFolder } from '../temporary.js';
import { fuzz } from './engine.js';
import { mutated } from './mutate.js';
import { randomOf } from './random.js';
import { corpusOf } from './targets.js';
import { hold, verdict } from './verdict.js';

const folder = temporaryFolder('fuzz-engine');
const ours = new StainfoldError('STAINFOLD_MANIFEST', 'as it should be');

function busy(milliseconds) {
  const start = process.cpuUsage();
  for (;;) {
    for (const until = performance.now() + 50; performance.now() < until; );
    const { user, system } = process.cpuUsage(start);
    if (user + system > 1000 * milliseconds) return;
  }
}

/** What may come out of a call, and what the verdict on it must be. */
const PLANTED = {
  'a result': [() => 1, undefined],
  'an error of ours': [() => Promise.reject(ours), undefined],
  'a TypeError': [() => null.tiles, 'TypeError'],
  'a text': [() => Promise.reject('text'), 'string'],
  'nothing at all': [() => Promise.reject(undefined), 'Error'],
  'an unknown code': [() => Promise.reject(new StainfoldError('STAINFOLD_WHATEVER', 'x', { hint: 'y' })), 'unknown code STAINFOLD_WHATEVER'],
  'a defect': [() => Promise.reject(new StainfoldError('STAINFOLD_INTERNAL', 'x')), 'STAINFOLD_INTERNAL'],
  'no remedy': [() => Promise.reject(Object.assign(new StainfoldError('STAINFOLD_MANIFEST', 'x'), { hint: '' })), 'no remedy'],
  'an endless message': [() => Promise.reject(new StainfoldError('STAINFOLD_MANIFEST', 'x', { hint: 'y'.repeat(5000) })), 'endless message'],
  'a broken promise': [() => hold(false, 'too few rows'), 'Broken'],
  'a long wait': [() => busy(2100), 'slow'],
  'a lot of memory': [() => Buffer.alloc(512 * 2 ** 20, 1).length, 'memory'],
  'another file': [(path) => writeFile(path, 'changed'), 'changed'],
}; // biome-ignore format: a table

for (const [what, [run, kind]] of Object.entries(PLANTED)) {
  test.serial(`planted: ${what}`, async (t) => {
    const found = await verdict({ extension: '.bin', run }, Buffer.from('input'), folder);
    t.is(found?.kind, kind, found?.detail);
  });
}

test.serial('planted: a RangeError that was taken for a damaged file', async (t) => {
  const cause = new RangeError('Invalid typed array length: 1e+30');
  cause.stack = `${cause}\n    at new Float32Array (<anonymous>)\n    at read (file:///x/lib/data/npy.js:1:1)`;
  const run = (error) =>
    verdict({ extension: '.bin', run: () => Promise.reject(error) }, Buffer.alloc(1), folder);
  const masked = await run(new StainfoldError('STAINFOLD_EMBEDDINGS', 'x', { cause }));
  t.is(masked?.kind, 'masked RangeError');
  cause.stack = `${cause}\n    at read (file:///x/node_modules/parser/lib/read.js:1:1)`;
  t.is(await run(new StainfoldError('STAINFOLD_EMBEDDINGS', 'x', { cause })), undefined);
});

test.serial('the engine finds what only a changed file reaches, and remembers the way there', async (t) => {
  const target = {
    extension: '.npy',
    async run(path) {
      const { message } = await openEmbeddingFile(path).catch((error) => error);
      if (/not two counts/.test(message)) throw new TypeError('planted'); // two steps from the corpus
    },
  };
  const corpus = corpusOf('npy').filter(({ name }) => name === 'f4');
  const { findings, pool, gained, executions } = await fuzz(target, corpus, {
    folder,
    seconds: 60,
    seed: 1,
    runs: 20_000,
    most: 1,
  });
  t.true(findings.length > 0 && findings[0].detail.includes('planted'), `${executions} executions`);
  t.true(pool > 1 && gained > 0, 'inputs that reach more are kept');
});

test('the same seed gives the same inputs, another gives others', (t) => {
  const corpus = [Buffer.from('{"a":[1,2,"three"],"b":{}}\nline\n')];
  const some = (seed) => {
    const random = randomOf(seed);
    return Array.from({ length: 200 }, () => mutated(corpus, random, ['word']).toString('latin1'));
  };
  t.deepEqual(some(1), some(1));
  t.notDeepEqual(some(1), some(2));
  t.true(new Set(some(1)).size > 150);
});
