// Attribution through the public interface, on a model that hardly trained: the mathematics does not depend on it.

import { join } from 'node:path';
import test from 'ava';
import {
  attributionSheet,
  generatePhantom,
  listTiles,
  loadEncoder,
  readTile,
  train,
} from '../../lib/index.js';
import { sharedFolder } from '../data/tiles.js';

const SIDE = 64;
const CPU = { device: 'cpu', threads: 1 };
const folder = sharedFolder(test);
let encoder;
let paths;

test.before(async () => {
  const out = join(folder, 'tiles');
  const { manifest } = await generatePhantom({ out, tiles: 18, labs: 2, tileSize: SIDE, seed: 5, ...CPU });
  paths = (await listTiles({ tiles: manifest, where: { lab: '1' } })).tiles.map(({ path }) => path);
  const run = { where: { lab: '0' }, out: join(folder, 'run'), epochs: 2, batchSize: 6, ...CPU };
  encoder = await loadEncoder((await train({ tiles: manifest, ...run })).model, { ...CPU, batchSize: 3 });
});
test.after.always(() => encoder?.dispose());

const sum = (values) => values.reduce((total, value) => total + value, 0);
const norm = (z) => Math.hypot(...z);

test('integrated gradients explain the difference to the baseline, for every target', async (t) => {
  const tiles = paths.slice(0, 4);
  const { data, shape } = await encoder.embed(tiles);
  const row = (i) => data.subarray(i * shape[1], (i + 1) * shape[1]);
  const weights = Float32Array.from({ length: shape[1] }, (_, i) => Math.sin(i));
  const dot = (a, b) => sum(Array.from(a, (x, i) => x * b[i]));
  const targets = [
    ['norm', (z) => norm(z)],
    [{ direction: weights }, (z) => dot(z, weights)],
    [{ similarTo: paths[0] }, (z) => dot(z, row(0)) / norm(z) / norm(row(0))],
  ];
  for (const [target, value] of targets) {
    const found = await encoder.attribute(tiles, { target, methods: ['gradients'], steps: 128 });
    t.is(found.length, 4);
    for (const [i, { gradients, cam, sensitivity }] of found.entries()) {
      t.is(gradients.map.length, SIDE * SIDE);
      // float32
      t.true(Math.abs(gradients.value - value(row(i))) < 1e-4 * Math.max(1, Math.abs(value(row(i)))));
      const gained = gradients.value - gradients.baselineValue;
      // The midpoint rule over the encoder's kinks, beside the largest value the target could have.
      const largest = { norm: norm(row(i)), direction: norm(weights) * norm(row(i)), similarTo: 1 };
      const scale = largest[typeof target === 'string' ? target : Object.keys(target)[0]];
      t.true(Math.abs(sum(gradients.map) - gained) < 0.05 * scale);
      t.true(Math.abs(gained) > 0.02 * scale || i > 0); // else nothing is compared
      t.is(cam, undefined);
      t.is(sensitivity, undefined);
    }
  }
});

test('Grad-CAM is never negative, sensitivity adds up over pixels', async (t) => {
  const found = await encoder.attribute(paths.slice(0, 4), { methods: ['cam', 'sensitivity'], stage: 4 });
  for (const { cam, sensitivity } of found) {
    t.true(cam.map.every((value) => value >= 0));
    for (const { length, map, relative } of Object.values(sensitivity)) {
      t.true(Math.abs(sum(map) - length) <= 1e-3 * length);
      t.true(relative >= 0 && Number.isFinite(relative));
    }
  }
  t.true(found.some(({ sensitivity }) => sensitivity.haematoxylin.length > 0));
});

test('the derivative along the gain is that of scaled pixels', async (t) => {
  // Brighter by a factor within 8 bits: the tile is darkened first, so that nothing saturates or rounds much.
  const tile = await readTile(paths[0], SIDE);
  const scaled = (factor) => ({
    ...tile,
    data: Uint8Array.from(tile.data, (x) => Math.round((x + 1) * factor - 1)),
  });
  const [{ sensitivity }] = await encoder.attribute(scaled(0.7), { methods: ['sensitivity'] });
  const [up, down] = [await encoder.embed(scaled(0.7 * 1.05)), await encoder.embed(scaled(0.7 / 1.05))];
  const difference = norm(up.data.map((x, i) => x - down.data[i])) / (2 * Math.log(1.05));
  // A step of 5 % crosses kinks, and 8 bits round: the same within a quarter.
  t.true(
    Math.abs(difference / sensitivity.gain.length - 1) < 0.25,
    `${difference} and ${sensitivity.gain.length}`,
  );
});

test('overlays and the contact sheet', async (t) => {
  const tiles = paths.slice(0, 3);
  const found = await encoder.attribute(tiles, { overlays: true, steps: 4 });
  for (const { gradients, cam, sensitivity } of found) {
    for (const { overlay } of [gradients, cam, ...Object.values(sensitivity)]) {
      t.deepEqual([overlay.width, overlay.height, overlay.data.length], [SIDE, SIDE, 3 * SIDE * SIDE]);
    }
  }
  const shown = await Promise.all(tiles.map((path) => readTile(path, SIDE)));
  const png = Buffer.from(await attributionSheet(shown, found));
  t.is(png.subarray(1, 4).toString(), 'PNG');
  t.is(png.readUInt32BE(16), 7 * 134 + 6); // the tile and six maps
  await t.throwsAsync(attributionSheet(shown.slice(1), found), { code: 'STAINFOLD_OPTION' });
  await t.throwsAsync(attributionSheet(shown, await encoder.attribute(tiles, { steps: 1 })), {
    code: 'STAINFOLD_OPTION',
  });
});

test('what cannot be explained is refused', async (t) => {
  const refused = (options, code) => t.throwsAsync(encoder.attribute(paths.slice(0, 1), options), { code });
  await refused({ target: 'z' }, 'STAINFOLD_OPTION');
  await refused({ target: { direction: [1, 2] } }, 'STAINFOLD_SHAPE');
  await refused({ steps: 0 }, 'STAINFOLD_OPTION');
  await refused({ stage: 5 }, 'STAINFOLD_OPTION');
  await refused({ method: 'cam' }, 'STAINFOLD_OPTION_UNKNOWN');
  await refused({ target: { similarTo: join(folder, 'none.png') } }, 'STAINFOLD_TILE_UNREADABLE');
  t.is(
    await t
      .throwsAsync(encoder.attribute(paths, { signal: AbortSignal.abort(new Error('no')) }))
      .then((e) => e.message),
    'no',
  );
});
