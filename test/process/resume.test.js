// A run that is stopped, in whatever way, ends with the bytes it would have had.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { sha256File } from '../../lib/files/digest.js';
import { inspect } from '../../lib/index.js';
import { temporaryFolder, writeTiles } from '../data/tiles.js';
import { resultOf, runChild } from './run-child.js';

// 4 steps an epoch and a checkpoint every 3: they fall into the middle of epochs.
async function setUp(t) {
  const folder = await temporaryFolder(t);
  await writeTiles(folder, 18);
  const options = { tiles: folder, batchSize: 4, epochs: 6, checkpointEvery: 3, device: 'cpu', seed: 5 };
  return { folder, options };
}

/** SHA-256 of a run's two files: ava cannot compare megabytes. */
const bytes = (out) =>
  Promise.all(['model', 'checkpoint'].map((name) => sha256File(join(out, `${name}.safetensors`))));

test.serial('same seed, same bytes; kill -9 in mid-epoch, resume: the same bytes again', async (t) => {
  const { folder, options } = await setUp(t);
  const out = (name) => join(folder, 'runs', name);
  await resultOf(t, 'train', { ...options, out: out('whole') });
  await resultOf(t, 'train', { ...options, out: out('again') });
  const expected = await bytes(out('whole'));
  t.deepEqual(await bytes(out('again')), expected, 'twice the same');

  // A checkpoint is written while the next steps run, and waited for before the next one: at the kill the one before the
  // last is on the disk, the last may be.
  const killed = { ...options, out: out('killed') };
  for (const [attempt, killAt] of [
    [0, 8],
    [1, 17],
  ]) {
    const outcome = await runChild(
      'train',
      { ...killed, resume: attempt > 0 },
      {
        onLine: ({ step }, child) => step === killAt && child.kill('SIGKILL'),
      },
    );
    t.is(outcome.signal, 'SIGKILL', JSON.stringify(outcome.lines.at(-1)) + outcome.stderr);
    t.false(existsSync(join(killed.out, 'model.safetensors')));
    const { info } = await inspect(join(killed.out, 'checkpoint.safetensors'));
    t.true(
      [killAt - 5, killAt - 2, killAt + 1].includes(info.provenance.steps),
      `checkpoint at ${info.provenance.steps}, killed at ${killAt}`,
    );
  }
  const { lines } = await resultOf(t, 'train', { ...killed, resume: true });
  const first = lines.find(({ step }) => step).step;
  t.true([13, 16, 19].includes(first), `resumed at step ${first}`);
  t.deepEqual(await bytes(killed.out), expected);
  const log = (name) => readFile(join(out(name), 'metrics.jsonl'), 'utf8');
  const losses = (text) =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line).loss);
  t.deepEqual(losses(await log('killed')), losses(await log('whole')));
});

test.serial('an interrupt saves, and what it saved continues', async (t) => {
  const { folder, options } = await setUp(t);
  const out = join(folder, 'run');
  const outcome = await runChild(
    'train',
    { ...options, out, checkpointEvery: 1000 },
    {
      onLine: ({ step }, child) => step === 3 && child.kill('SIGINT'),
    },
  );
  t.is(outcome.code, 1);
  t.is(outcome.lines.findLast(({ error }) => error).error.message, 'interrupted');
  const { info } = await inspect(join(out, 'checkpoint.safetensors'));
  t.true(info.provenance.steps >= 3 && info.provenance.steps < 24);
  const { lines } = await resultOf(t, 'train', { ...options, out, resume: true });
  t.is(lines.find(({ step }) => step).step, info.provenance.steps + 1);
});

test.serial('two processes on one folder: the second is told', async (t) => {
  const { folder, options } = await setUp(t);
  let second;
  const first = await runChild(
    'train',
    { ...options, out: join(folder, 'run') },
    {
      onLine: ({ step }, child) => {
        if (step !== 1) return;
        child.kill('SIGSTOP'); // or it might be done before the second has begun
        second = runChild('train', { ...options, out: join(folder, 'run') });
        second.finally(() => child.kill('SIGCONT'));
      },
    },
  );
  t.is(first.code, 0, first.stderr);
  const { lines } = await second;
  t.is(lines.find(({ error }) => error)?.error.code, 'STAINFOLD_LOCKED');
});

test.serial('a full disk: STAINFOLD_FILE_WRITE, the checkpoint before it intact', async (t) => {
  const { folder, options } = await setUp(t);
  const out = join(folder, 'run');
  const path = join(out, 'checkpoint.safetensors');
  await runChild(
    'train',
    { ...options, out },
    { onLine: ({ step }, child) => step === 7 && child.kill('SIGINT') },
  );
  const before = await sha256File(path);
  // A limit on the size of files stands for the disk's: writing beyond it fails instead of raising SIGXFSZ.
  const prefix = ['bash', '-c', 'trap "" XFSZ; ulimit -f 64; exec "$@"', 'limited'];
  const { lines } = await runChild('train', { ...options, out, resume: true }, { prefix });
  const { error } = lines.find((line) => line.error);
  t.is(error.code, 'STAINFOLD_FILE_WRITE', error.message);
  t.is(await sha256File(path), before);
  await resultOf(t, 'train', { ...options, out, resume: true });
});
