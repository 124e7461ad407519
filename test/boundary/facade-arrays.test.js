// Invariant: whatever memory a caller's tiles and arrays lie in, and whatever becomes of it while the call is under way, the call
// gives what it gives for plain arrays, or a documented error; memory that is gone is never read.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as stainfold from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';
import { DISTURBANCES, digest, GONE, RESIZABLE, STEADY } from './arrays.js';
import { ending, watchRejections } from './matrix.js';
import { encoded, MODEL, makeSite, rawTile, SIDE } from './site.js';

const site = await makeSite();
const raw = await rawTile(site.paths[0]);
const png = encoded(site.paths[0]);
const cpu = { device: 'cpu', threads: 1 };
const encoder = await stainfold.loadEncoder(MODEL, cpu);
const normalizer = await stainfold.StainNormalizer.published({ device: 'cpu' });
const bound = await normalizer.bind(site.paths);
const attributions = await encoder.attribute(raw, { methods: ['cam'], overlays: true });

watchRejections(test);

const place = (name) => join(temporaryFolder('arrays'), name);
const collected = async (stream) => {
  const all = [];
  for await (const each of stream) all.push(each);
  return all;
};
const rawOf = (data) => ({ ...raw, data });
const manifold = { tileSize: SIDE, manifold: { labs: 2 }, ...cpu };
const ROWS = 40;
const rows = Float32Array.from({ length: ROWS * 8 }, (_, i) => Math.sin(i));
const coords = Int32Array.from({ length: ROWS * 2 }, (_, i) => 64 * i);
const names = Array.from({ length: ROWS }, (_, i) => `${i}.png`);
const written = async (path, write) => {
  await write(path);
  return readFileSync(path);
};

/** [array, (array) -> result]: every public call that takes pixels or arrays. */
const CALLS = {
  'embed, pixels': [raw.data, (data) => encoder.embed(rawOf(data))],
  'embed, pixels in a list': [raw.data, (data) => encoder.embed([rawOf(data), rawOf(data), site.paths[1]])],
  'embed, an encoded image': [png, (data) => encoder.embed(data)],
  'embed, another size': [raw.data, (data) => encoder.embed({ ...rawOf(data), width: 32, height: 128 })],
  reconstruct: [raw.data, (data) => encoder.reconstruct(rawOf(data))],
  score: [raw.data, (data) => encoder.score(rawOf(data))],
  attribute: [raw.data, (data) => encoder.attribute(rawOf(data), { methods: ['cam'] })],
  'attribute, a direction': [
    Float32Array.from({ length: encoder.info.latent }, (_, i) => Math.cos(i)),
    (direction) => encoder.attribute(raw, { methods: ['cam'], target: { direction } }),
  ],
  attributionSheet: [raw.data, (data) => stainfold.attributionSheet([rawOf(data)], attributions)],
  'StainNormalizer.fit': [
    raw.data,
    async (data) =>
      (await stainfold.StainNormalizer.fit(rawOf(data), { ...cpu, method: 'reinhard' })).reference,
  ],
  normalize: [raw.data, (data) => collected(normalizer.normalize(rawOf(data)))],
  'normalize, an encoded image': [png, (data) => collected(normalizer.normalize([data]))],
  'bound.normalize': [raw.data, (data) => bound.normalize(rawOf(data))],
  separate: [raw.data, (data) => collected(stainfold.separate([rawOf(data)], cpu))],
  renderManifold: [raw.data, (data) => stainfold.renderManifold([rawOf(data)], manifold)],
  fitColourStatistics: [
    raw.data,
    (data) => stainfold.fitColourStatistics([rawOf(data), site.paths[1]], { tileSize: SIDE, threads: 1 }),
  ],
  readTile: [raw.data, (data) => stainfold.readTile(rawOf(data), SIDE)],
  'readTile, another size': [raw.data, (data) => stainfold.readTile(rawOf(data), 2 * SIDE)],
  encodeTile: [raw.data, (data) => stainfold.encodeTile(rawOf(data))],
  writeSlide: [
    raw.data,
    (data) => written(place('a.tif'), (path) => stainfold.writeSlide(path, rawOf(data), { mpp: 0.5 })),
  ],
  'writeEmbeddings .npy': [
    rows,
    (data) =>
      written(place('a.npy'), (path) => stainfold.writeEmbeddings(path, { data, shape: [ROWS, 8] }, names)),
  ],
  'writeEmbeddings .csv': [
    rows,
    (data) =>
      written(place('a.csv'), (path) => stainfold.writeEmbeddings(path, { data, shape: [ROWS, 8] }, names)),
  ],
  'writeFeatures, features': [
    rows,
    (features) => written(place('a.npy'), (path) => stainfold.writeFeatures(path, [{ features, coords }])),
  ],
  'writeFeatures, coords': [
    coords,
    (array) =>
      written(place('a.h5'), (path) => stainfold.writeFeatures(path, [{ features: rows, coords: array }])),
  ],
  nearestSlides: [
    rows.slice(0, 8),
    (vector) => stainfold.nearestSlides({ names, data: rows, shape: [ROWS, 8], attributes: {} }, vector, 3),
  ],
};

for (const [name, [array, call]] of Object.entries(CALLS)) {
  test.serial(name, async (t) => {
    const expected = digest(await call(array.slice()));
    let cells = 0;
    const kinds = {
      ...STEADY,
      ...RESIZABLE,
      ...(array instanceof Uint8Array && {
        'at an odd byte': (it) => Uint8Array.from([0, ...it]).subarray(1),
        "in Node's pool": (it) => Buffer.from(it),
      }),
    };
    for (const [kind, make] of Object.entries(kinds)) {
      const { end, result } = await ending(t, () => call(make(array)), `${name}, ${kind}`);
      t.is(end, 'ok', `${name}, ${kind}`);
      t.is(digest(result), expected, `${name}, ${kind}`);
      cells++;
    }
    for (const [what, { of, disturb }] of Object.entries(DISTURBANCES)) {
      for (const turns of [0, 1]) {
        const given = of(array);
        const running = ending(t, () => call(given), `${name}, ${what}`);
        for (let i = 0; i < turns; i++) await new Promise(setImmediate);
        disturb(given);
        const { end, result } = await running;
        // Overwritten, it may be as it was or as it is; a PNG without its header is no image.
        const whole = end === 'ok' && (what === 'overwritten' || digest(result) === expected);
        const refused = /^STAINFOLD_(SHAPE|DTYPE|TILE_UNREADABLE|STAIN)$/.test(end);
        t.true(whole || refused, `${name}, ${what} after ${turns} turns: ${end}`);
        cells++;
      }
    }
    for (const [kind, make] of Object.entries({ ...GONE, empty: () => new array.constructor(0) })) {
      const { end } = await ending(t, () => call(make(array)), `${name}, ${kind}`);
      t.regex(end, /^STAINFOLD_(SHAPE|DTYPE|TILE_UNREADABLE)$/, `${name}, ${kind}`);
      cells++;
    }
    t.log(`${cells} cells`);
  });
}

test('shapes beyond all memory, and sides that are none', async (t) => {
  for (const side of [0, -1, 2 ** 31, 2 ** 53 - 1, 0.5, Number.NaN, '64']) {
    for (const call of [
      () => encoder.embed({ ...raw, width: side, height: side }),
      () => stainfold.encodeTile({ ...raw, width: side }),
      () => collected(stainfold.separate([{ ...raw, height: side }], cpu)),
      () => stainfold.writeSlide(place('a.tif'), { ...raw, width: side }, { mpp: 0.5 }),
    ]) {
      const { end } = await ending(t, call, `a side of ${side}`);
      t.is(end, 'STAINFOLD_SHAPE');
    }
  }
});

test('a stream may yield one buffer again and again', async (t) => {
  const tiles = await Promise.all(site.paths.slice(0, 6).map(rawTile));
  const expected = digest(await encoder.embed(tiles));
  const buffer = new Uint8Array(raw.data.length);
  async function* stream() {
    for (const tile of tiles) {
      buffer.set(tile.data);
      yield { ...tile, data: buffer };
    }
  }
  t.is(digest(await encoder.embed(stream())), expected);
});

test.after.always(() => encoder.dispose());
