// Reading, embedding and writing at once: what a slide takes is what its slowest stage takes. Stages that only wait stand for a
// disk and a GPU, so that the cores of the machine, which they would share, have no say.
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { embedSlideWith } from '../../lib/api/slide-embed.js';
import { orderedMap } from '../../lib/data/ordered-map.js';

const TILES = 480;
const BATCH = 16;
const SIDE = 8;

/** Eight threads read; tiles are asked for `ahead` of the consumer, as the real one does. */
const reader = (readMs) => ({
  async *slideTiles(_, { count }, { from, ahead }) {
    const threads = Array.from({ length: 8 }, () => Promise.resolve());
    const indices = Array.from({ length: count - from }, (_, i) => from + i);
    yield* orderedMap(indices, ahead, async (index) => {
      const thread = index % threads.length;
      threads[thread] = threads[thread].then(() => sleep(readMs));
      await threads[thread];
      return { index, x: 0, y: 0, status: 'ok', pixels: new Uint8Array(SIDE * SIDE * 3) };
    });
  },
});

/** One batch after the other, as on the core's own thread. */
function embedder(batchMs) {
  let last = Promise.resolve();
  const embed = (tiles) => {
    last = last.then(async () => {
      await sleep(batchMs);
      return new Float32Array(tiles.length);
    });
    return last;
  };
  return { tileSize: SIDE, dimensions: 1, batchSize: BATCH, embed };
}

const tiling = { count: TILES, tileSize: SIDE, coords: new Int32Array(2 * TILES) };

async function seconds(work) {
  const begun = performance.now();
  await work();
  return (performance.now() - begun) / 1000;
}

async function measure(readMs, batchMs, writeMs = 0) {
  const settings = { tiling, from: 0, chunkTiles: 4 * BATCH, quality: true, unreadable: 'fail' };
  const reading = await seconds(async () => {
    for await (const _ of reader(readMs).slideTiles({}, tiling, { from: 0, ahead: 2 * BATCH }));
  });
  const alone = embedder(batchMs);
  const embedding = await seconds(() =>
    Promise.all(Array.from({ length: TILES / BATCH }, () => alone.embed(new Array(BATCH)))),
  );
  let last;
  const both = await seconds(async () => {
    const onProgress = (progress) => {
      last = progress;
    };
    for await (const _ of embedSlideWith(
      reader(readMs),
      embedder(batchMs),
      {},
      { ...settings, onProgress },
    )) {
      await sleep(writeMs);
    }
  });
  return { share: Math.max(reading, embedding) / both, reading, embedding, both, last };
}

// 0.9 with nothing else running. The machine that runs the tests runs others beside: half of what no overlap would cost is allowed.
for (const [name, readMs, batchMs, bottleneck] of [
  ['a slow encoder', 2, 20, 'encoder'],
  ['slow reading', 12, 5, 'reading'],
]) {
  test.serial(`${name} sets the pace`, async (t) => {
    const { share, last, ...times } = await measure(readMs, batchMs);
    t.log(`${share.toFixed(2)} of the slower stage's pace`, JSON.stringify(times));
    const inTurn = Math.max(times.reading, times.embedding) / (times.reading + times.embedding);
    t.true(share > (0.9 + inTurn) / 2, `${share} against ${inTurn} in turn`);
    t.is(last.bottleneck, bottleneck);
  });
}

test.serial('stages of one pace hide each other, and writing hides behind both', async (t) => {
  const { share, ...times } = await measure(8, 16, 10);
  t.log(`${share.toFixed(2)} of the slower stage's pace`, JSON.stringify(times));
  t.true(share > 0.7, `${share}; in turn 0.5`);
});
