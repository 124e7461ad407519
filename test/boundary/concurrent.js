// What the concurrency test does, in the main thread and in workers alike: one trainer's bytes, one encoder's rows, one translator's
// pixels, all of them functions of the seed alone.
import { createHash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { addon, exported, model, openTrainer, pixels } from '../native/fixtures.js';

const digest = (bytes) =>
  createHash('sha256')
    .update(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength))
    .digest('hex');

export async function trained(seed, steps = 6) {
  const trainer = await openTrainer({ seed });
  const reports = await Promise.all(
    Array.from({ length: steps }, (_, i) => trainer.step(pixels(4, seed + i), 4, null, null)),
  );
  const state = await exported(trainer);
  await trainer.dispose();
  return `${reports.at(-1).step} ${digest(state)}`;
}

export async function embedded(seed, calls = 12) {
  const embedder = new addon.Embedder({ model, device: 'cpu', precision: 'fp32', seed });
  await embedder.open([], new Uint8Array(0));
  const rows = await Promise.all(
    Array.from({ length: calls }, (_, i) => embedder.embed([pixels(3, seed + i), pixels(1, i)], 4, null)),
  );
  await embedder.dispose();
  return rows.map(digest).join(' ');
}

/** Two trainers and two encoders side by side, a fifth of each kind disposed in the middle of its work. */
export async function everything(seed) {
  const dropped = (async () => {
    const trainer = await openTrainer({ seed: 99 });
    const steps = Array.from({ length: 30 }, () => trainer.step(pixels(4), 4, null, null));
    await steps[0];
    const disposal = trainer.dispose();
    const ends = await Promise.allSettled(steps);
    await disposal;
    return ends.every(({ status, reason }) => status === 'fulfilled' || reason.code === 'STAINFOLD_DISPOSED');
  })();
  const results = await Promise.all([trained(seed), embedded(seed), trained(seed + 1), embedded(seed + 1)]);
  if (!(await dropped)) throw new Error('a dropped step ended in another way');
  return results;
}

if (workerData?.seed !== undefined) parentPort.postMessage(await everything(workerData.seed));
