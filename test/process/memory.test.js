// 20,000 tiles: resident memory stays flat, cost per tile does not grow, the event loop stays free.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { temporaryFolder, writeTiles } from '../data/tiles.js';
import { resultOf } from './run-child.js';

const TILES = 20_000;
const MIB = 2 ** 20;

/** Between the first quarter, by when pools have their size, and the end. */
function checkFlat(t, lines) {
  const steps = lines.filter(({ rss }) => rss !== undefined);
  const quarter = Math.floor(steps.length / 4);
  const settled = Math.max(...steps.slice(0, quarter).map(({ rss }) => rss));
  const later = Math.max(...steps.slice(quarter).map(({ rss }) => rss));
  // A leak of one decoded 32-pixel tile each would be 44 MiB; the heap breathes by about half of this.
  t.true(later - settled < 32 * MIB, `grew from ${settled / MIB} to ${later / MIB} MiB`);
  // The median of the batches: another process on the machine may take the cores for a while.
  const cost = (from, to) => {
    const each = Array.from({ length: to - from }, (_, i) => steps[from + i + 1].time - steps[from + i].time);
    return each.sort((a, b) => a - b)[each.length >> 1];
  };
  const early = cost(quarter, 2 * quarter);
  const late = cost(steps.length - 1 - quarter, steps.length - 1);
  // A machine may be half as fast later on; a cost that grows with the number of tiles would show far above this.
  t.true(late < 2.5 * early, `${early} ms a batch early, ${late} late`);
  t.log(
    `${Math.round(settled / MIB)} -> ${Math.round(later / MIB)} MiB, ${early.toFixed(1)} -> ${late.toFixed(1)} ms a batch`,
  );
}

function checkLag(t, lines) {
  const { lag } = lines.find((line) => line.lag);
  t.true(lag.samples > 100);
  // What the machine does to an idle event loop is not ours.
  t.true(
    lag.p99 < 20 + 2 * lag.idle,
    `99th percentile of the event loop's lag is ${lag.p99} ms, idle ${lag.idle} ms`,
  );
  t.log(
    `event loop lag: median ${lag.p50.toFixed(2)}, 99th percentile ${lag.p99.toFixed(2)} (idle ${lag.idle.toFixed(2)}), most ${lag.max.toFixed(1)} ms`,
  );
}

test.serial('training and embedding 20,000 tiles', async (t) => {
  const folder = await temporaryFolder(t);
  const paths = await writeTiles(folder, 16);
  const tiles = join(folder, 'tiles.csv');
  const rows = Array.from({ length: TILES }, (_, i) => `tile${i % 16}.png`);
  await writeFile(tiles, `file\n${rows.join('\n')}\n`);
  const out = join(folder, 'run');
  const options = { tiles, out, epochs: 1, batchSize: 50, cacheBytes: 0, device: 'cpu' };
  const training = await resultOf(t, 'train', options);
  t.is(training.lines.find(({ result }) => result).result.steps, TILES / 50);
  checkFlat(t, training.lines);
  checkLag(t, training.lines);

  const model = join(out, 'model.safetensors');
  const embedding = await resultOf(t, 'embed', { model, tile: paths[0], count: TILES, device: 'cpu' });
  t.is(embedding.lines.find(({ result }) => result).result.shape[0], TILES);
  checkFlat(t, embedding.lines);
  checkLag(t, embedding.lines);
});
