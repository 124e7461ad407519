// Invariant: every native function takes memory of any steady kind with the same result, and refuses what is gone, can shrink, is
// empty or of another type, before it reads anything. Built from the addon's exports: a new function without a line fails.
import test from 'ava';
import sharp from 'sharp';
import { addon, bytesOf, manifold, model, openTrainer, pixels, SIDE } from '../native/fixtures.js';
import { arraysIn, DISTURBANCES, digest, GONE, RESIZABLE, STEADY } from './arrays.js';
import { ending, watchRejections } from './matrix.js';

const jpeg = new Uint8Array(
  await sharp(pixels(1), { raw: { width: SIDE, height: SIDE, channels: 3 } })
    .jpeg()
    .toBuffer(),
);
const embedder = new addon.Embedder({ model, device: 'cpu', precision: 'fp32', seed: 1 });
await embedder.open([], new Uint8Array(0));
const trainer = await openTrainer({ realLabs: 2 });
const state = new Uint8Array(bytesOf(trainer.layout()));
await trainer.exportState(state);

const ROWS = 24;
const matrix = (seed = 1, rows = ROWS) => ({
  data: Float32Array.from({ length: rows * 4 }, (_, i) => Math.sin(seed * i + i * i)),
  rows,
  columns: 4,
});
const labels = (classes, rows = ROWS) => Int32Array.from({ length: rows }, (_, i) => i % classes);
const stain = {
  method: 'ruifrok',
  stains: 'he',
  sampledPixels: 1024,
  clamp: 3,
  tissueOnly: true,
  device: 'cpu',
};
const reinhard = { ...stain, method: 'reinhard' };
const tiles = (count = 2) => ({ pixels: pixels(count), count, height: SIDE, width: SIDE });
const fit = await addon.stain.fit(reinhard, tiles(1));
const geometry = { x: 0, y: 0, scale: 1, width: 8, height: 8 };
const mask = Uint8Array.from({ length: SIDE * SIDE }, (_, i) => (i % 3 === 0 ? 1 : 0));
const tissue = { leastSaturation: 5, mostSaturation: 200, closing: 1, smallest: 1, largestHole: 1 };
const cam = { method: 'cam', target: 'direction', baseline: 'glass', steps: 2, stage: 3 };

watchRejections(test);

/** By the place in the addon: arguments that work. */
const CALLS = {
  'metrics.silhouette': [matrix(), labels(2), 'euclidean'],
  'metrics.knnPredict': [matrix(), labels(2), 3],
  'metrics.lisi': [matrix(), labels(2), 5],
  'metrics.neighbourScores': [matrix(), labels(2), 3, labels(6)],
  'metrics.permanova': [matrix(), labels(2), labels(8), 19, 1],
  'metrics.retrieve': [matrix(), labels(2), Int32Array.from({ length: ROWS }, (_, i) => i >> 1)],
  'metrics.kmeans': [matrix(), 3, 1],
  'metrics.frechetDistance': [matrix(1), matrix(2)],
  'metrics.auroc': [Float64Array.from({ length: ROWS }, (_, i) => Math.sin(i)), Uint8Array.from(labels(2))],
  'metrics.accuracy': [labels(2), labels(3)],
  'metrics.balancedAccuracy': [labels(2), labels(2)],
  'metrics.f1Binary': [labels(2), labels(2)],
  'metrics.f1Macro': [labels(2), labels(2)],
  'metrics.adjustedRandIndex': [labels(2), labels(3)],
  'metrics.linearProbe': [matrix(1), labels(2), matrix(2), 1],
  'metrics.ridgeProbe': [matrix(1), labels(2), matrix(2), 1],
  'metrics.knnProbe': [matrix(1), labels(2), matrix(2), 3],
  'metrics.bootstrapScores': [
    { ...matrix(), columns: 2, rows: 2 * ROWS },
    labels(2, 2 * ROWS),
    labels(6, 2 * ROWS),
    20,
    1,
  ],
  'metrics.bootstrapRandIndex': [labels(2), labels(3), labels(6), 20, 1],
  'metrics.principalComponents': [matrix(), 2],
  'metrics.colourStatistics': [pixels(2), 2, SIDE, SIDE],
  'losses.compaction': [matrix(), { tiles: ROWS / 2, temperature: 0.1, device: 'cpu', repeats: 1 }],
  'outliers.fit': [{ data: matrix(1, 960).data, rows: 120, columns: 32 }, labels(40, 120)],
  'stain.fit': [stain, tiles()],
  'stain.median': [stain, { values: new Float64Array(8), status: new Uint8Array(1) }],
  'stain.normalize': [reinhard, tiles(1), fit, fit.values],
  'stain.separate': [stain, tiles(), true],
  'stain.sample': [tiles(), 3],
  renderManifold: [{ ...manifold, seed: 1 }, pixels(2), 2, SIDE],
  labStatistics: [pixels(2), 2, SIDE],
  auditTiles: [pixels(2), 2, SIDE],
  attributionOverlay: [
    pixels(1),
    1,
    SIDE,
    Float32Array.from({ length: SIDE * SIDE }, (_, i) => Math.cos(i)),
    true,
    3,
  ],
  'slide.renderRegion': [
    [{ pixels: pixels(1), x: 0, y: 0, width: SIDE, height: SIDE }],
    SIDE,
    SIDE,
    geometry,
  ],
  'slide.halveRegion': [pixels(1), SIDE, SIDE],
  'slide.findTissue': [pixels(1), SIDE, SIDE, tissue],
  'slide.highDensity': [pixels(1), SIDE, SIDE, mask],
  'slide.fillPolygons': [Float64Array.of(1, 1, 9, 1, 9, 9), Int32Array.of(0), Int32Array.of(0), 16, 16],
  'slide.boxShares': [mask, SIDE, SIDE, Float64Array.of(0, 0, 8, 8)],
  'slide.tileQuality': [pixels(2), 2, SIDE, SIDE, 0.3, 4],
  'decode.jpeg': [jpeg, SIDE, new Uint8Array(SIDE * SIDE * 3), 0, new Float64Array(3)],
  'embedder.embed': [pixels(2), 2, new Float64Array(3)],
  'embedder.embed of a list': [[pixels(1), pixels(2, 2)], 3, null],
  'embedder.attribute': [
    pixels(1),
    1,
    cam,
    Float32Array.from({ length: model.latent }, (_, i) => Math.cos(i)),
  ],
  'embedder.sensitivity': [pixels(1), 1],
  'trainer.exportState': [new Uint8Array(state.length)],
  'trainer.importState': [trainer.layout(), state],
};
/** No arrays, classes, or of the classes that test/boundary/native-states.test.js sees to. */
const WITHOUT = [
  'status',
  'setThreads',
  'architectures',
  'initialize',
  'phantom.tissues',
  'phantom.render',
  'stain.published',
  'stain.sets',
  'slide.loadOpenSlide',
];

const objects = { embedder, trainer };
function call(name, args) {
  const [owner, method] = name.includes('.') ? name.split(' ')[0].split('.') : [undefined, name];
  const holder = owner === undefined ? addon : (objects[owner] ?? addon[owner]);
  return holder[method](...args);
}
/** Times are not the same twice. */
const timed = (name) => name === 'losses.compaction' || name === 'embedder.embed' || name === 'decode.jpeg';
const result = (name, value) => digest(name === 'losses.compaction' ? { ...value, seconds: 0 } : value);

test('every exported function has its line', (t) => {
  const names = Object.entries(addon).flatMap(([name, it]) => {
    if (typeof it === 'function') return /^[A-Z]/.test(name) ? [] : name;
    return Object.entries(it).flatMap(([inner, each]) =>
      typeof each === 'function' && !/^[A-Z]/.test(inner) ? `${name}.${inner}` : [],
    );
  });
  const lines = [...Object.keys(CALLS), ...WITHOUT].filter((name) => !/^(embedder|trainer)\./.test(name));
  t.deepEqual(lines.sort(), names.sort());
});

for (const [name, args] of Object.entries(CALLS)) {
  test.serial(name, async (t) => {
    const expected = result(name, await call(name, args));
    let cells = 0;
    for (const { path, swap, array } of arraysIn(args)) {
      for (const [kind, make] of Object.entries(STEADY)) {
        const { end, result: got } = await ending(
          t,
          () => call(name, swap(make(array))),
          `${name}${path} ${kind}`,
        );
        t.is(end, 'ok', `${name}${path} ${kind}`);
        t.is(result(name, got), expected, `${name}${path} ${kind}`);
        cells++;
      }
      const Other = array instanceof Uint8Array ? Int8Array : BigInt64Array;
      const bad = {
        ...RESIZABLE,
        ...GONE,
        empty: () => new array.constructor(0),
        another: () => new Other(array.length),
      };
      for (const [kind, make] of Object.entries(bad)) {
        const what = `${name}${path} ${kind}`;
        const { end } = await ending(t, () => call(name, swap(make(array))), what);
        t.true(['STAINFOLD_DTYPE', 'STAINFOLD_SHAPE'].includes(end), `${what}: ${end}`);
        cells++;
      }
    }
    t.log(`${cells} cells${timed(name) ? ', its times aside' : ''}`);
  });
}

test.serial('a list of tiles that is emptied while it is read', async (t) => {
  const expected = digest(await embedder.embed([pixels(1), pixels(2, 2)], 3, null));
  for (let round = 0; round < 20; round++) {
    const list = [pixels(1), pixels(2, 2)];
    const call = embedder.embed(list, 3, null);
    list.length = 0;
    DISTURBANCES.transferred.disturb(new Uint8Array(8)); // collects garbage
    t.is(digest(await call), expected);
  }
});

test.serial('shapes beyond all memory are refused, and so is half of nothing', async (t) => {
  for (const side of [0, -1, 2 ** 31, 2 ** 32 + 1, 2 ** 53 - 1, 0.5, Number.NaN]) {
    for (const [name, make] of Object.entries({
      labStatistics: () => addon.labStatistics(pixels(1), 1, side),
      auditTiles: () => addon.auditTiles(pixels(1), side, SIDE),
      'slide.halveRegion': () => addon.slide.halveRegion(pixels(1), side, side),
      'slide.renderRegion': () =>
        addon.slide.renderRegion([], side, side, { ...geometry, width: side, height: side }),
      'slide.fillPolygons': () =>
        addon.slide.fillPolygons(
          Float64Array.of(1, 1, 9, 1, 9, 9),
          Int32Array.of(0),
          Int32Array.of(0),
          side,
          side,
        ),
      'metrics.kmeans': () => addon.metrics.kmeans({ ...matrix(), rows: side }, 2, 1),
      'stain.fit': () => addon.stain.fit(stain, { ...tiles(1), height: side }),
      'trainer.importState': () =>
        trainer.importState([{ name: 'x', dtype: 'F32', shape: [side, side] }], state),
    })) {
      const { end } = await ending(t, make, `${name} of ${side}`);
      t.regex(end, /^STAINFOLD_(SHAPE|OPTION|MEMORY|WEIGHTS)$/, `${name} of ${side}`);
    }
  }
});

test.serial('a map without numbers has no colours', async (t) => {
  const map = new Float32Array(SIDE * SIDE).fill(Number.NaN);
  const { end } = await ending(t, () => addon.attributionOverlay(pixels(1), 1, SIDE, map, true, 3), 'NaN');
  t.is(end, 'STAINFOLD_NON_FINITE');
});

test.after.always(() => Promise.all([embedder.dispose(), trainer.dispose()]));
