// Invariant: a process that ends in mid-training or mid-embedding, in whatever way, ends within a second, by the code or signal that
// was asked for and without a word of a crash; what a training leaves is a checkpoint that continues to the bytes of a whole run.
import { existsSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { sha256File } from '../../lib/files/digest.js';
import { inspect, train } from '../../lib/index.js';
import { sharedFolder, writeTiles } from '../data/tiles.js';
import { runChild } from './run-child.js';

const folder = sharedFolder(test);
const options = {
  tiles: join(folder, 'tiles'),
  batchSize: 4,
  epochs: 4,
  checkpointEvery: 3,
  device: 'cpu',
  threads: 1,
  seed: 5,
};
const CRASH = /terminate called|FATAL|Segmentation|core dumped|Aborted|Assertion|terminating due to/i;
const END = { step: 8 };
let paths;
let expected;
let idle;

const bytes = (out) =>
  Promise.all(['model', 'checkpoint'].map((name) => sha256File(join(out, `${name}.safetensors`))));

/** Runs a child until it ends; `seconds`: since it said that it would. */
async function ended(job, jobOptions, signal) {
  let since = Number.NaN;
  const outcome = await runChild(job, jobOptions, {
    onLine: ({ ending }, child) => {
      if (!ending) return;
      since = performance.now();
      if (signal) child.kill(signal);
    },
  });
  return { ...outcome, seconds: (performance.now() - since) / 1000 };
}

test.before(async () => {
  await mkdir(join(folder, 'tiles'));
  paths = await writeTiles(join(folder, 'tiles'), 18);
  await train({ ...options, out: join(folder, 'whole') });
  expected = await bytes(join(folder, 'whole'));
  idle = (await ended('idle', {})).seconds;
});

function checkEnd(t, outcome, { code = null, signal = null }) {
  const said = `${JSON.stringify(outcome.lines.at(-1))} ${outcome.stderr}`;
  t.is(outcome.signal, signal, said);
  t.is(outcome.code, code, said);
  t.notRegex(outcome.stderr, CRASH);
  // A second, and on a machine so busy that an idle process takes long to end, as much longer.
  t.true(outcome.seconds < 1 + 4 * idle, `took ${outcome.seconds} s, an idle process ${idle} s`);
  t.log(`${outcome.seconds.toFixed(2)} s; an idle process ${idle.toFixed(2)} s`);
}

const ENDINGS = [
  ['process.exit()', { how: 'exit' }, { code: 7 }],
  ['an uncaught exception', { how: 'uncaught' }, { code: 1 }],
  ['an unhandled rejection', { how: 'rejection' }, { code: 1 }],
  ['SIGTERM', { how: 'signal' }, { signal: 'SIGTERM' }],
  ['SIGINT', { how: 'signal' }, { signal: 'SIGINT' }],
];
const WORKER_ENDINGS = [
  ['worker.terminate()', { how: 'terminate' }, { code: 0 }],
  ['process.exit() in the worker', { how: 'worker exits' }, { code: 0 }],
  ['process.exit() beside the worker', { how: 'main exits' }, { code: 7 }],
];
const all = [
  ...ENDINGS.map(([name, end, wanted]) => ({
    name,
    wanted,
    job: (of, given) => [of, { ...given, end: { ...END, ...end } }],
  })),
  ...WORKER_ENDINGS.map(([name, end, wanted]) => ({
    name,
    wanted,
    job: (of, given) => ['worker', { ...given, of, end: { ...END, ...end } }],
  })),
];

/** With nothing on the disk the other ways are as these. */
const EMBEDDING = ['process.exit()', 'an uncaught exception', 'SIGTERM', 'worker.terminate()'];

for (const { name, wanted, job } of all) {
  test.serial(`${name} in mid-training`, async (t) => {
    const out = join(folder, name.replace(/\W+/g, '-'));
    checkEnd(t, await ended(...job('train', { ...options, out }), wanted.signal), wanted);
    t.false(existsSync(join(out, 'model.safetensors')));
    const { info } = await inspect(join(out, 'checkpoint.safetensors'));
    // Checkpoints are written while the next steps run: of step 8 the one of step 3 is there, the one of 6 may be.
    t.true([3, 6].includes(info.provenance.steps), `a checkpoint of step ${info.provenance.steps}`);
    await train({ ...options, out, resume: true });
    t.deepEqual(await bytes(out), expected);
  });

  if (!EMBEDDING.includes(name)) continue;
  test.serial(`${name} in mid-embedding`, async (t) => {
    const given = {
      model: 'phantom-tiny',
      tile: paths[0],
      count: 100_000,
      device: 'cpu',
      threads: 1,
      batchSize: 4,
    };
    checkEnd(t, await ended(...job('embed', given), wanted.signal), wanted);
  });
}
