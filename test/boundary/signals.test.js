// Invariant: every public call that takes a signal rejects with its reason, the very object, and nothing is left behind that would
// hold up the next call; an abort a second time, or after the end, does nothing. Built from the list of exports: a new function
// without a line fails.
import { copyFileSync } from 'node:fs';
import { join } from 'node:path';
import test from 'ava';
import * as stainfold from '../../lib/index.js';
import { temporaryFolder } from '../temporary.js';
import { watchRejections } from './matrix.js';
import { MODEL, makeSite, SIDE } from './site.js';

const site = await makeSite();
const encoder = await stainfold.loadEncoder(MODEL, { device: 'cpu', threads: 1, batchSize: 4 });
const normalizer = await stainfold.StainNormalizer.published({ device: 'cpu' });
const slide = await stainfold.openSlide(site.slide);
const tiling = { mpp: 0.5, tileSize: SIDE };
const grid = await stainfold.tileSlide(slide, { ...tiling, quality: false });
const model = join(site.folder, 'model.safetensors');
copyFileSync(stainfold.PRETRAINED[MODEL], model);
await stainfold.packTiles({ tiles: site.manifest, out: join(site.folder, 'all.pack') });
await normalizer.save(join(site.folder, 'stain.json'));

const chunks = function* () {
  for (let i = 0; i < 8; i++)
    yield { features: new Float32Array(64).fill(i), coords: new Int32Array(16).fill(i) };
};
const drained = async (stream) => {
  let count = 0;
  for await (const _ of stream) count++;
  return count;
};
const tiles = site.manifest;
const cpu = { device: 'cpu', threads: 1 };
const evaluation = { tiles, batchColumn: 'lab', k: 3, resamples: 100, permutations: 99, ...cpu };
const report = await stainfold.evaluate({ ...evaluation, model, baselines: [] });

watchRejections(test);

/** A new place for what a call writes. */
const place = (name = 'out') => join(temporaryFolder('signals'), name);

/** (signal) -> what ends. */
const CALLS = {
  audit: (signal) => stainfold.audit({ tiles, where: { lab: '0' }, againstColumn: 'lab', ...cpu, signal }),
  checkPack: (signal) => stainfold.checkPack(join(site.folder, 'all.pack'), { signal }),
  collectReport: (signal) => stainfold.collectReport({ evaluation: report, tiles, model, ...cpu, signal }),
  embedSlides: (signal) =>
    stainfold.embedSlides(encoder, { slides: site.slide, out: place(), tiling, quality: false, signal }),
  evaluate: (signal) => stainfold.evaluate({ ...evaluation, model, signal }),
  exportOnnx: (signal) => stainfold.exportOnnx({ model, out: place('m.onnx'), signal }),
  findSlides: (signal) => stainfold.findSlides(site.folder, { images: true, signal }),
  fitColourStatistics: (signal) =>
    stainfold.fitColourStatistics(site.paths, { tileSize: SIDE, threads: 1, signal }),
  fitOutliers: (signal) => stainfold.fitOutliers({ model, tiles, ...cpu, signal }),
  generatePhantom: (signal) =>
    stainfold.generatePhantom({ out: place(), tiles: 4, labs: 1, tileSize: SIDE, ...cpu, signal }),
  listTiles: (signal) => stainfold.listTiles({ tiles, signal }),
  loadEncoder: async (signal) => (await stainfold.loadEncoder(MODEL, { ...cpu, signal })).dispose(),
  normalizeSlide: (signal) =>
    stainfold.normalizeSlide(normalizer, { slide: site.slide, out: place('n.tif'), signal }),
  normalizeTiles: (signal) => stainfold.normalizeTiles(normalizer, { tiles, out: place(), signal }),
  openSlide: async (signal) => (await stainfold.openSlide(site.slide, { signal })).dispose(),
  packTiles: (signal) => stainfold.packTiles({ tiles, out: place('a.pack'), signal }),
  renderManifold: (signal) =>
    stainfold.renderManifold(site.paths.slice(0, 2), {
      tileSize: SIDE,
      manifold: { labs: 2 },
      ...cpu,
      signal,
    }),
  sampleTissue: (signal) => stainfold.sampleTissue(slide, { signal }),
  separate: (signal) => drained(stainfold.separate(site.paths, { ...cpu, signal })),
  separateTiles: (signal) => stainfold.separateTiles({ tiles, out: place(), ...cpu, signal }),
  slideTiles: (signal) => drained(stainfold.slideTiles(slide, grid, { quality: false, signal })),
  tileSlide: (signal) => stainfold.tileSlide(slide, { ...tiling, signal }),
  train: (signal) =>
    stainfold.train({
      tiles,
      out: place(),
      size: 'tiny',
      tileSize: SIDE,
      epochs: 2,
      batchSize: 8,
      ...cpu,
      signal,
    }),
  writeFeatures: (signal) => stainfold.writeFeatures(place('f.h5'), chunks(), { signal }),
  writeManifoldSheet: (signal) =>
    stainfold.writeManifoldSheet(place('s.png'), site.paths.slice(0, 2), {
      tileSize: SIDE,
      manifold: { labs: 2 },
      ...cpu,
      signal,
    }),
  writeSlide: (signal) => stainfold.writeSlide(place('w.tif'), site.paths[0], { mpp: 0.5, signal }),
  writeSlideReport: (signal) =>
    stainfold.writeSlideReport(place('r.html'), encoder, {
      slides: [site.slide],
      tiling,
      quality: false,
      signal,
    }),
  // what has methods that take one
  'encoder.embed': (signal) => encoder.embed(site.paths, { signal }),
  'encoder.embedSlide': (signal) => drained(encoder.embedSlide(slide, { tiling, quality: false, signal })),
  'encoder.reconstruct': (signal) => encoder.reconstruct(site.paths, { signal }),
  'encoder.score': (signal) => encoder.score(site.paths, { signal }),
  'encoder.attribute': (signal) => encoder.attribute(site.paths.slice(0, 8), { methods: ['cam'], signal }),
  'slide.readRegion': (signal) => slide.readRegion({ x: 0, y: 0, width: 64, height: 64 }, { signal }),
  'slide.thumbnail': (signal) => slide.thumbnail(64, { signal }),
  'StainNormalizer.fit': (signal) => stainfold.StainNormalizer.fit(site.paths, { ...cpu, signal }),
  'StainNormalizer.published': (signal) => stainfold.StainNormalizer.published({ ...cpu, signal }),
  'StainNormalizer.load': (signal) =>
    stainfold.StainNormalizer.load(join(site.folder, 'stain.json'), { ...cpu, signal }),
  'normalizer.normalize': (signal) => drained(normalizer.normalize(site.paths, { signal })),
  'normalizer.bind': (signal) => normalizer.bind(site.paths, signal),
};

/** Take a signal, and too long, a network or a data set: only the abort before the beginning is tried. */
const ABORTED_ONLY = {
  benchmark: (signal) =>
    stainfold.benchmark({ manifest: tiles, out: place(), batchColumn: 'lab', source: '0', signal }),
  createManifest: (signal) =>
    stainfold.createManifest({ layout: 'midog', folder: site.folder, out: place('m.csv'), signal }),
  installLibTorch: (signal) => stainfold.installLibTorch({ from: place(), signal }),
  planSetup: (signal) => stainfold.planSetup({ signal }),
  runSetup: (signal) => stainfold.runSetup({ steps: [{ kind: 'libtorch' }] }, { signal }),
  verifyLibTorch: (signal) => stainfold.verifyLibTorch({ signal }),
};

/** Take none: they return at once, or read or write one file. */
const WITHOUT = [
  'StainNormalizer',
  'StainfoldError',
  'attributionSheet',
  'benchmarkMarkdown',
  'benchmarkTables',
  'bestRow',
  'conclude',
  'createProfiler',
  'doctor',
  'encodeTile',
  'formatCell',
  'inspect',
  'listLibTorch',
  'nearestSlides',
  'readBenchmarkConfig',
  'readFeatures',
  'readSlideVectors',
  'readTile',
  'removeLibTorch',
  'resolveLibTorch',
  'tabulate',
  'tilesGeoJson',
  'writeEmbeddings',
  'writeReport',
  'writeScores',
  'writeTiles',
];

test('every exported function has its line', (t) => {
  const functions = Object.entries(stainfold).flatMap(([name, it]) => (typeof it === 'function' ? name : []));
  const lines = [...Object.keys(CALLS), ...Object.keys(ABORTED_ONLY), ...WITHOUT];
  t.deepEqual(lines.filter((name) => !name.includes('.')).sort(), functions.sort());
});

for (const [name, call] of Object.entries({ ...CALLS, ...ABORTED_ONLY })) {
  test.serial(`${name}: aborted before it begins, with any reason`, async (t) => {
    for (const reason of [new Error('enough'), 'a string', 0]) {
      const outcome = await call(AbortSignal.abort(reason)).then(
        () => 'it went on',
        (error) => error,
      );
      t.is(outcome, reason);
    }
  });
}

for (const [name, call] of Object.entries(CALLS)) {
  test.serial(`${name}: aborted in the middle, twice; then not aborted, and after its end`, async (t) => {
    const begun = performance.now();
    const controller = new AbortController();
    await t.notThrowsAsync(call(controller.signal));
    controller.abort(new Error('too late'));
    const whole = performance.now() - begun;
    let stopped = 0;
    for (const share of [0, 0.3, 0.7]) {
      const { signal, ...rest } = abortable();
      const running = call(signal).then(
        () => undefined,
        (error) => error,
      );
      await (share === 0 ? undefined : new Promise((done) => setTimeout(done, share * whole)));
      rest.abort();
      rest.abort();
      const outcome = await running;
      t.true(outcome === undefined || outcome === signal.reason, `at ${share}: ${outcome?.stack ?? outcome}`);
      if (outcome !== undefined) stopped++;
    }
    await t.notThrowsAsync(call(undefined));
    t.log(`${stopped} of 3 stopped; ${whole.toFixed(0)} ms undisturbed`);
  });
}

function abortable() {
  const controller = new AbortController();
  const reason = new Error('enough');
  return { signal: controller.signal, abort: () => controller.abort(reason) };
}

test.after.always(() => Promise.all([encoder.dispose(), slide.dispose()]));
