import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { DECODE_CONCURRENCY, decodeTile } from '../../lib/data/decode.js';
import { Loader } from '../../lib/data/loader.js';
import { permutation } from '../../lib/data/order.js';
import { orderedMap } from '../../lib/data/ordered-map.js';
import { openTileSet } from '../../lib/data/tile-set.js';
import { temporaryFolder, writeTiles } from './tiles.js';

const START = { epoch: 0, batch: 0, cursor: 0 };

async function tileSet(t, count, { broken = [] } = {}) {
  const folder = await temporaryFolder(t);
  await writeTiles(folder, count);
  for (const i of broken) await writeFile(join(folder, `tile${i}.png`), 'broken');
  return (await openTileSet({ tiles: folder })).tiles;
}

const load = (tiles, options = {}, unreadable = []) =>
  new Loader(
    { tiles, tileSize: 32, batchSize: 4, epochs: 2, seed: 7, cacheBytes: 0, strict: false, ...options },
    unreadable,
  );

async function collect(loader, from = START) {
  const batches = [];
  for await (const batch of loader.batches(from)) {
    const { pixels, tiles, epoch, next, unreadable } = batch;
    batches.push({ pixels: pixels.slice(), tiles: [...tiles], epoch, next, unreadable: unreadable.length });
    batch.release();
  }
  return batches;
}

test('permutation: every number once, a function of seed and stream', (t) => {
  const a = permutation(1000, 1, 0);
  t.deepEqual(
    [...a].sort((x, y) => x - y),
    Array.from({ length: 1000 }, (_, i) => i),
  );
  t.deepEqual(permutation(1000, 1, 0), a);
  for (const [seed, stream] of [
    [2, 0],
    [1, 1],
    [2 ** 32 + 1, 0],
    [2 ** 53 - 1, 0],
  ])
    t.notDeepEqual(permutation(1000, seed, stream), a);
  t.deepEqual([...permutation(1, 1, 0)], [0]);
  t.is(permutation(0, 1, 0).length, 0);
});

test('permutation: no place favours a number', (t) => {
  // 6000 draws of 6 places: each pair is expected 1000 times, deviation 29; 6 deviations never happen by chance.
  const counts = Array.from({ length: 36 }, () => 0);
  for (let seed = 0; seed < 6000; seed++)
    for (const [place, value] of permutation(6, seed, 3).entries()) counts[6 * place + value]++;
  t.true(
    counts.every((count) => Math.abs(count - 1000) < 175),
    String(counts),
  );
});

test('pixels are the tiles', async (t) => {
  const tiles = await tileSet(t, 9);
  for (const { pixels, tiles: rows } of await collect(load(tiles))) {
    for (const [row, tile] of rows.entries()) {
      t.deepEqual(
        pixels.subarray(row * 3072, (row + 1) * 3072),
        new Uint8Array(await decodeTile(tiles[tile].path, 32)),
      );
    }
  }
});

test('every epoch visits every tile once, the remainder dropped; epochs differ, runs do not', async (t) => {
  const tiles = await tileSet(t, 10);
  const loader = load(tiles);
  t.is(loader.batchesPerEpoch, 2);
  t.is(loader.steps, 4);
  const batches = await collect(loader);
  t.is(batches.length, 4);
  const epochs = [0, 1].map((epoch) =>
    batches.filter((batch) => batch.epoch === epoch).flatMap((batch) => batch.tiles),
  );
  for (const seen of epochs) t.is(new Set(seen).size, 8);
  t.notDeepEqual(epochs[0], epochs[1]);
  t.deepEqual(await collect(load(tiles)), batches);
  t.deepEqual(await collect(load(tiles, { cacheBytes: 20_000 })), batches, 'a partial cache changes nothing');
  t.notDeepEqual(await collect(load(tiles, { seed: 8 })), batches);
});

test('fewer tiles than a batch are one batch', async (t) => {
  const batches = await collect(load(await tileSet(t, 3)));
  t.deepEqual(
    batches.map(({ tiles }) => tiles.length),
    [3, 3],
  );
});

test('from any batch on, the rest is the same', async (t) => {
  const tiles = await tileSet(t, 13, { broken: [2, 5] });
  const whole = await collect(load(tiles));
  for (const [i, { next }] of whole.entries()) {
    const known = [{ file: 'tile2.png', reason: 'known' }].slice(0, i % 2);
    const rest = await collect(load(tiles, {}, known), next);
    const bare = (batches) => batches.map(({ unreadable, ...batch }) => batch);
    t.deepEqual(bare(rest), bare(whole.slice(i + 1)), `after batch ${i}`);
  }
});

test('unreadable tiles are skipped, their places filled, each listed once', async (t) => {
  const tiles = await tileSet(t, 13, { broken: [2, 5] });
  const loader = load(tiles, { epochs: 3 });
  const batches = await collect(loader);
  t.is(batches.length, 9);
  for (const { tiles: rows } of batches) {
    t.is(rows.length, 4);
    t.is(new Set(rows).size, 4, 'no tile twice in a batch');
    t.false(rows.includes(2) || rows.includes(5));
  }
  t.deepEqual(loader.unreadable.map(({ file }) => file).sort(), ['tile2.png', 'tile5.png']);
  t.regex(loader.unreadable[0].reason, /unsupported image format/);
});

test('strict: the first unreadable tile ends it', async (t) => {
  const tiles = await tileSet(t, 5, { broken: [3] });
  const error = await t.throwsAsync(collect(load(tiles, { strict: true, batchSize: 5 })), {
    code: 'STAINFOLD_TILE_UNREADABLE',
  });
  t.regex(error.message, /^tile3\.png: /);
});

test('fewer than two readable tiles cannot train', async (t) => {
  const tiles = await tileSet(t, 4, { broken: [0, 1, 3] });
  await t.throwsAsync(collect(load(tiles)), {
    code: 'STAINFOLD_TILES_EMPTY',
    message: /Only 1 of 4.*\.png: /,
  });
});

test('released memory is used again, unreleased memory is left alone', async (t) => {
  const tiles = await tileSet(t, 12);
  const buffers = new Set();
  for await (const batch of load(tiles).batches(START)) {
    buffers.add(batch.pixels.buffer);
    batch.release();
  }
  t.is(buffers.size, 1);
  const kept = [];
  for await (const batch of load(tiles).batches(START)) kept.push(batch.pixels);
  t.is(new Set(kept.map(({ buffer }) => buffer)).size, kept.length);
});

test('orderedMap: keeps the order, never more than the limit ahead', async (t) => {
  let running = 0;
  let most = 0;
  let started = 0;
  let seen = 0;
  const work = async (item) => {
    most = Math.max(most, ++running);
    t.true(++started - seen <= 4);
    await new Promise((done) => setTimeout(done, (item * 7) % 5));
    running--;
    return item * 2;
  };
  const results = [];
  for await (const result of orderedMap(
    Array.from({ length: 40 }, (_, i) => i),
    3,
    work,
  )) {
    seen++;
    results.push(result);
  }
  t.deepEqual(
    results,
    Array.from({ length: 40 }, (_, i) => 2 * i),
  );
  t.is(most, 3);
});

test('orderedMap: waits for what it started, closes the source, throws the first error in order', async (t) => {
  let settled = 0;
  let closed = false;
  async function* source() {
    try {
      for (let i = 0; ; i++) yield i;
    } finally {
      closed = true;
    }
  }
  const work = async (item) => {
    await new Promise((done) => setTimeout(done, item === 1 ? 1 : 20));
    settled++;
    if (item >= 1) throw new Error(`item ${item}`);
  };
  const error = await t.throwsAsync(consume(orderedMap(source(), 3, work)));
  t.is(error.message, 'item 1');
  const after = settled;
  await new Promise((done) => setTimeout(done, 40));
  t.is(settled, after);
  t.true(closed);
});

test('orderedMap: an abort rejects with its reason', async (t) => {
  const controller = new AbortController();
  const reason = new Error('enough');
  const work = async (item) => {
    if (item === 5) controller.abort(reason);
  };
  t.is(await t.throwsAsync(consume(orderedMap(Array(100).keys(), 2, work, controller.signal))), reason);
});

async function consume(items) {
  for await (const _ of items);
}

test('decoding runs ahead by a fixed number of tiles', async (t) => {
  const tiles = await tileSet(t, 40);
  // Every access to a tile's path is a decode begun.
  let begun = 0;
  const watched = tiles.map(({ path, ...tile }) => ({
    ...tile,
    get path() {
      begun++;
      return path;
    },
  }));
  let delivered = 0;
  for await (const batch of load(watched, { batchSize: 8, epochs: 1 }).batches(START)) {
    delivered += batch.count;
    await new Promise((done) => setTimeout(done, 20));
    t.true(begun - delivered <= 2 * DECODE_CONCURRENCY, `${begun} begun, ${delivered} delivered`);
    batch.release();
  }
  t.is(begun, 40);
});
