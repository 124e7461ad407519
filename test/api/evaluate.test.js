// The whole way on phantom tissue, small: phantom, train, evaluate, render.
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import test from 'ava';
import { Features, standardise } from '../../lib/api/evaluate-features.js';
import { planProbe } from '../../lib/api/evaluate-probe.js';
import {
  evaluate,
  generatePhantom,
  inspect,
  listTiles,
  loadEncoder,
  readTile,
  renderManifold,
  train,
} from '../../lib/index.js';
import { sharedFolder } from '../data/tiles.js';

const folder = sharedFolder(test);
let made;
async function workshop() {
  const phantom = { out: join(folder, 'tiles'), tiles: 36, labs: 3, tileSize: 32, seed: 3 };
  const { manifest } = await generatePhantom(phantom);
  const { model } = await train({
    tiles: manifest,
    where: { lab: '0' },
    out: join(folder, 'run'),
    epochs: 2,
    batchSize: 12,
    device: 'cpu',
  });
  return { folder, manifest, model };
}
const shop = () => (made ??= workshop());

test.serial('phantom: manifest and tiles, again the same', async (t) => {
  const { folder, manifest } = await shop();
  const { columns, tiles } = await listTiles({ tiles: manifest });
  t.deepEqual(columns, ['lab', 'tissue', 'slide', 'place', 'mpp']);
  t.is(tiles.length, 108);
  t.is(new Set(tiles.map(({ file }) => file)).size, 108);
  t.deepEqual([...new Set(tiles.map(({ labels }) => labels.lab))], ['0', '1', '2']);
  t.is(new Set(tiles.map(({ labels }) => labels.tissue)).size, 6);
  t.is(new Set(tiles.map(({ labels }) => labels.slide)).size, 12);
  t.is(new Set(tiles.map(({ labels }) => labels.place)).size, 108, 'tissue of its own for each lab');

  const seen = [];
  const again = { out: join(folder, 'again'), tiles: 6, labs: 2, tileSize: 32, tissue: 'shared', seed: 3 };
  const first = await generatePhantom({ ...again, onProgress: (done, total) => seen.push([done, total]) });
  t.deepEqual(seen.at(-1), [12, 12]);
  t.is(first.tiles, 12);
  t.is(first.tissues.length, 6);
  const read = async () => {
    const list = await listTiles({ tiles: first.manifest });
    return Promise.all(list.tiles.map(({ path }) => readFile(path)));
  };
  const shared = await listTiles({ tiles: first.manifest });
  t.is(new Set(shared.tiles.map(({ labels }) => labels.place)).size, 6, 'the same in both labs');
  const before = await read();
  await generatePhantom(again);
  t.deepEqual(await read(), before);
  await writeFile(first.manifest, 'file,mine\n');
  await t.throwsAsync(generatePhantom(again), {
    code: 'STAINFOLD_OUTPUT_EXISTS',
    message: /Choose another folder/,
  });
});

test.serial('phantom: the tissue is that of the seed, the stain that of the lab', async (t) => {
  const { manifest } = await shop();
  const mean = ({ data }) => data.reduce((sum, value) => sum + value, 0) / data.length;
  const of = async (where) => {
    const { tiles } = await listTiles({ tiles: manifest, where });
    return Promise.all(tiles.map(async ({ path }) => mean(await readTile(path, 32))));
  };
  const background = await of({ tissue: 'background', lab: '0' });
  const lymphocytes = await of({ tissue: 'lymphocytes', lab: '0' });
  t.true(Math.min(...background) > Math.max(...lymphocytes), 'empty glass is brighter than packed nuclei');
});

test.serial('evaluate: rows, ranges, counts', async (t) => {
  const { manifest, model } = await shop();
  const stages = [];
  const options = {
    tiles: manifest,
    model,
    batchColumn: 'lab',
    labelColumn: 'tissue',
    groupColumn: 'slide',
    k: 5,
    device: 'cpu',
  };
  const evaluation = await evaluate({
    ...options,
    onProgress: ({ stage, done, total }) => stages.push([stage, done, total]),
  });
  t.deepEqual(
    evaluation.rows.map(({ name }) => name),
    ['colour statistics', 'untrained encoder', 'trained encoder'],
  );
  t.deepEqual(evaluation.rows.map(({ dimensions }) => dimensions).slice(0, 1), [30]);
  t.deepEqual(evaluation.batches, { 0: 36, 1: 36, 2: 36 });
  t.is(
    Object.values(evaluation.labels).reduce((a, b) => a + b),
    108,
  );
  t.is(evaluation.tiles.length, 108);
  t.deepEqual(stages.at(-1), ['metrics', 3, 3]);
  t.true(stages.some(([stage, done, total]) => stage === 'tiles' && done === 108 && total === 108));
  for (const row of evaluation.rows) {
    t.true(Math.abs(row.silhouette.euclidean) <= 1 && Math.abs(row.silhouette.cosine) <= 1);
    t.true(row.batchKnn >= 0 && row.batchKnn <= 1);
    t.is(row.batchKnnChance, 1 / 3);
    t.true(row.lisi >= 1 && row.lisi <= 3);
    t.true(row.kbet >= 0 && row.kbet <= 1);
    t.true(row.permanova.r2 > 0 && row.permanova.r2 < 1 && row.permanova.p >= 1 / 200);
    t.is(row.permanova.unit, 'slide');
    t.is(row.retrieval, undefined);
    for (const result of [row.probe, row.ridgeProbe, row.knnProbe]) {
      for (const score of [...Object.values(result.unseen), result.unseenMean]) {
        const [low, high] = score.intervals.balancedAccuracy;
        t.true(low <= score.balancedAccuracy && score.balancedAccuracy <= high, JSON.stringify(score));
      }
      t.is(result.unseenMean.clusters, 8);
    }
    for (const { value, interval } of [row.ari.batch, row.ari.label])
      t.true(value <= 1 && interval[0] <= interval[1]);
    t.true(row.w2 > 0);
    t.is(row.probe.source, '0', 'the lab that the model was trained on');
    t.deepEqual(Object.keys(row.probe.unseen), ['1', '2']);
    t.is(row.probe.unseenMean.tiles, 72);
    const scores = Object.values(row.probe.unseen).map(({ balancedAccuracy }) => balancedAccuracy);
    t.true(Math.abs(row.probe.unseenMean.balancedAccuracy - (scores[0] + scores[1]) / 2) < 1e-12);
    t.true(row.probe.withinSource.tiles > 0 && row.probe.withinSource.tiles < 18);
    t.is(evaluation.scatter[row.name].length, 216);
  }
  t.true(evaluation.rows[0].batchKnn > 0.8, 'colour tells the labs apart: that is what they are for');
  t.deepEqual(await evaluate(options), evaluation, 'seeded');
});

test.serial('evaluate: without labels, baselines or all tiles', async (t) => {
  const { folder, manifest, model } = await shop();
  const text = await readFile(manifest, 'utf8');
  const broken = join(folder, 'tiles', 'broken.csv');
  await writeFile(join(folder, 'tiles', 'broken.png'), 'x');
  await writeFile(broken, `${text}broken.png,1,fat,x,y,0.5\n`);
  const options = { tiles: broken, model, batchColumn: 'lab', baselines: [], k: 5, device: 'cpu' };
  const { rows, unreadable, tiles, labelColumn } = await evaluate(options);
  t.deepEqual(
    rows.map(({ name, probe }) => [name, probe]),
    [['trained encoder', undefined]],
  );
  t.is(labelColumn, null);
  t.deepEqual(
    unreadable.map(({ file }) => file),
    ['broken.png'],
  );
  t.is(tiles.length, 108);
  await t.throwsAsync(evaluate({ ...options, strict: true }), {
    code: 'STAINFOLD_TILE_UNREADABLE',
    message: /broken\.png/,
  });
});

test.serial('evaluate: what cannot be measured', async (t) => {
  const { manifest, model } = await shop();
  const options = { tiles: manifest, model, batchColumn: 'lab', labelColumn: 'tissue', k: 5, device: 'cpu' };
  const refused = (message) => ({ code: 'STAINFOLD_EVALUATE', message });
  await t.throwsAsync(evaluate({ ...options, where: { lab: '0' } }), refused(/one value only/));
  await t.throwsAsync(evaluate({ ...options, source: '9' }), refused(/no '9' in column 'lab', only 0, 1, 2/));
  await t.throwsAsync(evaluate({ ...options, k: 108 }), refused(/only 108 tiles/));
  await t.throwsAsync(evaluate({ ...options, batchColumn: 'tissue' }), refused(/no source/));
  await t.throwsAsync(evaluate({ ...options, where: { tissue: 'fat' } }), refused(/only the label 'fat'/));
  await t.throwsAsync(evaluate({ ...options, batchColumn: 'site' }), {
    code: 'STAINFOLD_OPTION',
    message: /batchColumn.*'site'/,
  });
  const controller = new AbortController();
  const reason = new Error('enough');
  const onProgress = () => controller.abort(reason);
  t.is(await t.throwsAsync(evaluate({ ...options, onProgress, signal: controller.signal })), reason);
});

test.serial('an embedding does not depend on its batch mates', async (t) => {
  const { manifest, model } = await shop();
  const { tiles } = await listTiles({ tiles: manifest });
  const paths = tiles.slice(0, 20).map(({ path }) => path);
  const encoder = await loadEncoder(model, { device: 'cpu', batchSize: 8 });
  t.is((await inspect(model)).info.tileSize, 32);
  const together = await encoder.embed(paths);
  const alone = await Promise.all(paths.map((path) => encoder.embed(path)));
  const d = together.shape[1];
  for (const [i, { data }] of alone.entries()) {
    // Other batch sizes may take other kernels: the sums are ordered differently, in float32.
    const scale = Math.max(...data.map(Math.abs));
    for (let c = 0; c < d; c++) t.true(Math.abs(data[c] - together.data[i * d + c]) <= 1e-4 * scale);
  }
  const [drawn] = await encoder.reconstruct(paths[0]);
  await encoder.dispose();
  t.deepEqual([drawn.width, drawn.height, drawn.channels, drawn.data.length], [32, 32, 3, 3072]);
});

test.serial('the manifold: a rendering for each lab', async (t) => {
  const { manifest } = await shop();
  const { tiles } = await listTiles({ tiles: manifest, where: { tissue: 'stroma' } });
  const paths = tiles.slice(0, 2).map(({ path }) => path);
  const options = { tileSize: 32, manifold: { labs: 3 }, seed: 4 };
  const rendered = await renderManifold(paths, options);
  t.deepEqual(
    rendered.map((lab) => lab.length),
    [2, 2, 2],
  );
  t.notDeepEqual(rendered[0][0].data, rendered[1][0].data);
  t.deepEqual(await renderManifold(paths, options), rendered);
});

test('the probe’s plan: no group on both sides, unknown labels left out', (t) => {
  const tile = (batch, label, group) => ({ file: '', path: '', bytes: 1, labels: { batch, label, group } });
  const tiles = Array.from({ length: 60 }, (_, i) =>
    tile(i < 40 ? 'A' : 'B', ['x', 'y', 'z', ''][i % 4], `g${Math.floor(i / 4)}`),
  );
  tiles.push(tile('B', 'never in A', 'g99'), tile('C', 'x', ''));
  const by = { batchColumn: 'batch', labelColumn: 'label', groupColumn: 'group', source: 'A', seed: 1 };
  const plan = planProbe(tiles, by);
  const groups = (set) =>
    new Set(tiles.filter((_, i) => plan.set[i] === set).map(({ labels }) => labels.group));
  t.is(groups(0).size, 8);
  t.is(groups(1).size, 2);
  t.false([...groups(0)].some((group) => groups(1).has(group)));
  t.is(plan.classes, 3);
  t.deepEqual(plan.unseen, ['B', 'C']);
  t.is(plan.set[60], -1);
  t.is(plan.set[61], 3);
  t.true(tiles.every(({ labels }, i) => labels.label !== '' || plan.set[i] === -1));
  t.deepEqual(planProbe(tiles, by), plan);
  t.notDeepEqual(planProbe(tiles, { ...by, seed: 2 }).set, plan.set);
});

test('features: standardised by the reference rows', async (t) => {
  const features = new Features();
  features.add(Float32Array.of(1, 5, 3, 5), 2);
  features.add(Float32Array.of(100, 5), 1);
  const { data, rows, columns } = await standardise(features.matrix(), Uint32Array.of(0, 1));
  t.deepEqual([rows, columns], [3, 2]);
  // Column 0 has mean 2 and deviation 1 over rows 0 and 1; column 1 is constant.
  t.deepEqual([...data], [-1, 0, 1, 0, 98, 0]);
});
