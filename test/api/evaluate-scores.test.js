// The design of an evaluation and its scores, on made-up embeddings.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { planDesign } from '../../lib/api/evaluate-design.js';
import { percentileInterval } from '../../lib/api/evaluate-interval.js';
import { withinOneStandardError } from '../../lib/api/evaluate-probe.js';
import { scoreEmbeddings } from '../../lib/api/evaluate-scores.js';
import { evaluate, writeEmbeddings } from '../../lib/index.js';
import { loadNative } from '../../lib/internal/load.js';
import { sharedFolder } from '../data/tiles.js';
import { random } from '../report/fixture.js';

const folder = sharedFolder(test);
const SITES = ['A', 'B', 'C'];
const options = {
  batchColumn: 'site',
  labelColumn: 'label',
  groupColumn: 'slide',
  pairColumn: 'pair',
  source: 'A',
  k: 9,
  seed: 1,
};
const scoring = { k: 9, resamples: 200, permutations: 99, seed: 1 };

/** 40 tiles in 3 sites, two labels, slides of 5. The same tissue in every site, B and C shifted by `apart` in a column of their own. */
function world(apart) {
  const draw = random(4);
  const columns = 8;
  const tissue = Float32Array.from({ length: 40 * columns }, () => draw() * 4 - 2);
  const tiles = [];
  const data = new Float32Array(3 * tissue.length);
  for (const [s, site] of SITES.entries()) {
    for (let i = 0; i < 40; i++) {
      tiles.push({
        file: `${site}${i}.png`,
        labels: { site, label: i % 2 ? 'x' : 'y', slide: `${site}${Math.floor(i / 5)}`, pair: `${i}` },
      });
      for (let c = 0; c < columns; c++) {
        const shift = (c < 4 ? (i % 2) * 8 : 0) + (s > 0 && c === 5 + s ? apart : 0);
        data[(tiles.length - 1) * columns + c] = tissue[i * columns + c] + shift + 0.05 * draw();
      }
    }
  }
  return { tiles, matrix: { data, rows: tiles.length, columns } };
}

test('the same tissue everywhere: mixed, found again, and readable', async (t) => {
  const { tiles, matrix } = world(0);
  const before = matrix.data.slice();
  const { row, scatter } = await scoreEmbeddings(
    await loadNative(),
    'x',
    matrix,
    planDesign(tiles, options),
    scoring,
  );
  t.deepEqual(matrix.data, before, 'the embedding is left alone');
  t.is(scatter.length, 240);
  t.is(row.retrieval.top1, 1);
  t.is(row.retrieval.queries, 240);
  t.is(row.retrieval.unseen.queries, 80, 'B to C and back');
  t.is(row.retrieval.chance, 1 / 40);
  t.deepEqual(
    row.retrieval.between.map(({ from, to }) => from + to),
    ['AB', 'AC', 'BA', 'BC', 'CA', 'CB'],
  );
  t.true(row.permanova.r2 < 0.01 && row.permanova.p > 0.5);
  t.is(row.permanova.unit, 'slide');
  t.true(row.ari.batch.value < 0.05);
  t.is(row.ari.label.value, 1);
  for (const { unseenMean } of [row.probe, row.ridgeProbe, row.knnProbe]) {
    t.true(unseenMean.balancedAccuracy > 0.95);
    t.is(unseenMean.clusters, 16);
  }
});

test('sites apart: every measure says so', async (t) => {
  const native = await loadNative();
  const { tiles, matrix } = world(30);
  const { row } = await scoreEmbeddings(native, 'x', matrix, planDesign(tiles, options), scoring);
  t.true(row.batchKnn > 0.9 && row.kbet > 0.9 && row.lisi < 1.2);
  t.true(row.permanova.r2 > 0.5);
  t.is(row.permanova.p, 0.01);
  t.is(row.ari.batch.value, 1);
  t.true(row.retrieval.top1 < 1);
  const again = await scoreEmbeddings(native, 'x', matrix, planDesign(tiles, options), scoring);
  t.deepEqual(again.row, row, 'seeded');
});

test('what only the slide gives away is not there for neighbours of other slides', async (t) => {
  const native = await loadNative();
  const { tiles, matrix } = world(0);
  // Each slide about a direction of its own; then each site.
  const along = (axis) => {
    const columns = 24;
    const data = Float32Array.from({ length: tiles.length * columns }, (_, at) => {
      const row = Math.floor(at / columns);
      return (at % columns === axis(row) ? 5 : 0) + 0.01 * (matrix.data[at % matrix.data.length] + (row % 3));
    });
    return { data, rows: tiles.length, columns };
  };
  const design = (changes) => planDesign(tiles, { ...options, source: undefined, k: 4, ...changes });
  const scored = async (axis, changes) =>
    (await scoreEmbeddings(native, 'x', along(axis), design(changes), { ...scoring, k: 4 })).row;
  const bySlide = await scored((row) => Math.floor(row / 5));
  t.is(bySlide.batchKnn, 1);
  t.true(bySlide.batchKnnOtherGroups < 0.5, `${bySlide.batchKnnOtherGroups}`);
  // Standardised, the columns that hold nothing are noise of the same size: not quite 1.
  t.true((await scored((row) => Math.floor(row / 40))).batchKnnOtherGroups > 0.9);
  const plain = await scored((row) => Math.floor(row / 5), { groupColumn: undefined });
  t.false('batchKnnOtherGroups' in plain);
  t.is(plain.batchKnn, bySlide.batchKnn);
  for (const { labels } of tiles) if (labels.site === 'B') labels.slide = 'B0';
  t.false('batchKnnOtherGroups' in (await scored((row) => Math.floor(row / 5))), 'B is one slide');
});

test('what is absent is left out; what cannot be resampled has no interval', async (t) => {
  const { tiles, matrix } = world(1);
  const native = await loadNative();
  const plain = planDesign(tiles, { batchColumn: 'site', source: undefined, k: 9, seed: 1 });
  const { row } = await scoreEmbeddings(native, 'x', matrix, plain, scoring);
  t.deepEqual([row.probe, row.retrieval, row.ari.label], [undefined, undefined, null]);
  t.is(row.permanova.unit, 'tile');
  for (const { labels } of tiles) if (labels.site === 'B') labels.slide = 'B0';
  const design = planDesign(tiles, options);
  const { probe } = (await scoreEmbeddings(native, 'x', matrix, design, scoring)).row;
  t.is(probe.unseen.B.intervals, null);
  t.is(probe.unseen.B.clusters, 1);
  t.is(probe.unseenMean.intervals, null);
  t.truthy(probe.unseen.C.intervals);
});

test('designs that cannot be measured', (t) => {
  const { tiles } = world(0);
  const refused = (message) => ({ code: 'STAINFOLD_EVALUATE', message });
  const alone = tiles.map(({ labels }, i) => ({ labels: { ...labels, pair: `${i}` } }));
  t.throws(
    () => planDesign(alone, options),
    refused(/No value of column 'pair' is in two values of column 'site'/),
  );
  t.throws(() => planDesign(tiles.slice(0, 41), options), refused(/'B' in column 'site' has 1 tile/));
  t.throws(() => planDesign(tiles, { ...options, source: 'Z' }), refused(/no 'Z'/));
});

test('one standard error: the strongest penalty that is not clearly worse', (t) => {
  const flat = (value) => [value, value, value, value];
  t.is(withinOneStandardError([flat(0.5), flat(0.9), flat(0.8)]), 1, 'without spread, the best');
  t.is(withinOneStandardError([flat(0.9), flat(0.9), flat(0.8)]), 1, 'of equals, the strongest');
  // Best mean 0.8, deviation 0.1155 (n - 1), of 4: standard error 0.0577.
  const noisy = [0.7, 0.9, 0.7, 0.9];
  t.is(withinOneStandardError([noisy, flat(0.79), flat(0.743), flat(0.742)]), 2);
  t.is(withinOneStandardError([[], []]), -1);
});

test('percentiles: NumPy’s, NaN left out', (t) => {
  const samples = Float64Array.from({ length: 1001 }, (_, i) => (1000 - i) / 1000);
  const [low, high] = percentileInterval([...samples, Number.NaN]);
  t.true(Math.abs(low - 0.025) < 1e-12 && Math.abs(high - 0.975) < 1e-12);
  t.deepEqual(percentileInterval([3, 1]), [1.05, 2.95]);
  t.deepEqual(percentileInterval([Number.NaN]), [Number.NaN, Number.NaN]);
});

test('evaluate: embeddings from files, without any image', async (t) => {
  const { tiles, matrix } = world(0);
  const manifest = join(folder, 'manifest.csv');
  const lines = tiles.map(({ file, labels }) => `${file},${Object.values(labels).join(',')}`);
  await writeFile(manifest, `file,site,label,slide,pair\n${lines.join('\n')}\n`);
  const embeddings = { data: matrix.data, shape: [matrix.rows, matrix.columns] };
  await writeEmbeddings(
    join(folder, 'one.npy'),
    embeddings,
    tiles.map(({ file }) => file),
  );
  await writeEmbeddings(
    join(folder, 'two.safetensors'),
    embeddings,
    tiles.map(({ file }) => file),
  );
  const { k, seed, ...columns } = options;
  const files = ['one.npy', 'two.safetensors'].map((name) => join(folder, name));
  const given = { tiles: manifest, ...columns, ...scoring };
  const { rows, source, bootstrap, unreadable } = await evaluate({ ...given, embeddings: files });
  t.deepEqual(
    rows.map(({ name }) => name),
    ['one', 'two'],
  );
  t.deepEqual({ ...rows[0], name: '' }, { ...rows[1], name: '' });
  const direct = await scoreEmbeddings(
    await loadNative(),
    'one',
    matrix,
    planDesign(tiles, options),
    scoring,
  );
  t.deepEqual(rows[0], direct.row);
  t.deepEqual([source, bootstrap, unreadable], ['A', { resamples: 200, unit: 'slide' }, []]);
  t.is(
    (await evaluate({ ...given, embeddings: files[0], where: { label: 'x' }, labelColumn: undefined })).tiles
      .length,
    60,
  );
  const option = { code: 'STAINFOLD_OPTION' };
  await t.throwsAsync(evaluate(given), { ...option, message: /neither a model nor embeddings/ });
  await t.throwsAsync(evaluate({ ...given, embeddings: files, model: 'm' }), { ...option, message: /both/ });
  await t.throwsAsync(evaluate({ ...given, embeddings: [] }), { ...option, message: /embeddings must be/ });
  await t.throwsAsync(evaluate({ ...given, embeddings: files, source: undefined }), {
    code: 'STAINFOLD_EVALUATE',
    message: /Probes are trained on one 'site' only/,
  });
});
